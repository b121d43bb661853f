//! What must hold.

use super::figures::{Figure, Figures};

/// A number that must hold.
#[derive(Clone, Debug)]
pub(super) struct Bar {
    /// The number, in words.
    pub(super) name: String,
    /// None where it was not measured.
    pub(super) value: Option<f64>,
    pub(super) limit: Limit,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Limit {
    AtMost(f64),
    AtLeast(f64),
}

impl Bar {
    pub(super) fn is_met(&self) -> Option<bool> {
        self.value.map(|value| match self.limit {
            Limit::AtMost(most) => value <= most,
            Limit::AtLeast(least) => value >= least,
        })
    }
}

/// Fewer than this is what a case did once, spread over its runs.
const NO_ALLOCATION: f64 = 0.01;

const ONE: &str = "one deferred call";
const TEN: &str = "ten in one function";
const TEN_WITH: &str = "ten in one function, one word captured";
const LOOP: &str = "loop of 100, three words captured";
const ASYNC: &str = "async scope, 10 cleanups";
const PANIC: &str = "recover, with a panic";

pub(super) fn bars(figures: &Figures) -> Vec<Bar> {
    let ratio = |row, over, under, limit| Bar {
        name: format!("{row}: {over} ÷ {under}"),
        value: both(figures, row, over, under).map(|(over, under)| over.ns / under.ns),
        limit,
    };
    let allocations = |row| Bar {
        name: format!("{row}: allocations of scope"),
        value: figures.get(row, "scope").map(|it| it.allocations),
        limit: Limit::AtMost(NO_ALLOCATION),
    };
    let instructions = |row| Bar {
        name: format!("{row}: instructions of defer! beside scopeguard's, more or less"),
        value: both(figures, row, "defer!", "scopeguard")
            .and_then(|(this, that)| Some((this.instructions? - that.instructions?).abs())),
        limit: Limit::AtMost(1.0),
    };
    vec![
        instructions(ONE),
        instructions(TEN),
        ratio(TEN, "scope", "scopeguard", Limit::AtMost(1.8)),
        ratio(TEN_WITH, "scope", "scopeguard", Limit::AtMost(1.8)),
        allocations(TEN),
        allocations(TEN_WITH),
        ratio(LOOP, "Go", "scope", Limit::AtLeast(10.0)),
        ratio(ASYNC, "scope", "boxed", Limit::AtMost(0.35)),
        allocations(ASYNC),
        ratio(PANIC, "scope", "plain", Limit::AtMost(1.3)),
    ]
}

fn both(figures: &Figures, row: &str, one: &str, other: &str) -> Option<(Figure, Figure)> {
    figures.get(row, one).zip(figures.get(row, other))
}

#[cfg(test)]
mod tests {
    use super::{super::figures::Figures, TEN, bars};

    #[test]
    fn a_bar_is_met_or_missed_or_was_not_measured() {
        for (scope_ns, met) in [("17.9", true), ("18.1", false)] {
            let mut figures = Figures::default();
            figures.add(&format!("{TEN}\tscope\t{scope_ns}\t0.0\n")).unwrap();
            figures.add(&format!("{TEN}\tscopeguard\t10.0\t0.0\n")).unwrap();
            let bars = bars(&figures);
            let bar = bars.iter().find(|bar| bar.name == format!("{TEN}: scope ÷ scopeguard"));
            assert_eq!(bar.unwrap().is_met(), Some(met), "{scope_ns}");
            let unknown = bars.iter().filter(|bar| bar.is_met().is_none()).count();
            assert_eq!(unknown, bars.len() - 2, "the ratio and its allocations are known");
        }
    }
}
