//! What must hold.

use super::figures::{Figures, INSTRUCTIONS};

/// A number that must not be exceeded.
#[derive(Clone, Debug)]
pub(super) struct Bar {
    /// The number, in words.
    pub(super) name: String,
    /// None where it was not measured.
    pub(super) value: Option<f64>,
    pub(super) most: f64,
}

impl Bar {
    pub(super) fn is_met(&self) -> Option<bool> {
        self.value.map(|value| value <= self.most)
    }
}

pub(super) const AROUND: &str = "a request, layers around the router";
pub(super) const SERVED: &str = "a request served by hyper in memory";
const PLAIN: &str = "plain axum";
const PEER: &str = "tower-http Trace, Timeout, CatchPanic";
const OURS: &str = "ServiceLayer";

pub(super) fn bars(figures: &Figures) -> Vec<Bar> {
    let of = |row, side| figures.get(row, side, INSTRUCTIONS);
    let added = |row, side| Some(of(row, side)? - of(row, PLAIN)?);
    let ratio = |over: Option<f64>, under: Option<f64>| Some(over? / under?);
    vec![
        Bar {
            name: format!("{AROUND}: instructions that {OURS} adds ÷ those that {PEER} add"),
            value: ratio(added(AROUND, OURS), added(AROUND, PEER)),
            most: 1.0,
        },
        Bar {
            name: format!("{SERVED}: instructions that {OURS} adds ÷ those of {PLAIN}"),
            value: ratio(added(SERVED, OURS), of(SERVED, PLAIN)),
            most: 0.1,
        },
    ]
}

#[cfg(test)]
mod tests {
    use super::{AROUND, OURS, PEER, PLAIN, bars};
    use crate::bench::service::figures::{Figures, INSTRUCTIONS};

    #[test]
    fn what_the_layers_add_is_set_beside_what_the_peers_add() {
        for (ours, met) in [(1500.0, true), (1600.0, false)] {
            let mut figures = Figures::default();
            for (side, value) in [(PLAIN, 1000.0), (PEER, 1500.0), (OURS, ours)] {
                figures.set(AROUND, side, INSTRUCTIONS, value);
            }
            let bars = bars(&figures);
            assert_eq!(bars[0].is_met(), Some(met), "{ours}");
            assert_eq!(bars[1].is_met(), None, "it was not measured");
        }
    }
}
