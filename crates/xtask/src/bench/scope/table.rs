//! The figures as tables for people and as JSON for programs.

use serde_json::{Value, json};

use super::{
    bars::{Bar, Limit},
    figures::{Figure, Figures},
};
use crate::bench::{machine::Machine, output::number};

/// The sides and what their columns are called.
const COLUMNS: [(&str, &str); 6] = [
    ("Go", "Go"),
    ("scopeguard", "scopeguard"),
    ("boxed", "boxed closures"),
    ("plain", "plain Rust"),
    ("defer!", "`rearguard::defer!`"),
    ("scope", "`rearguard::scope`"),
];

/// Nanoseconds, with allocations in brackets where there are any.
pub(super) fn times(figures: &Figures) -> String {
    let cell = |figure: Figure| {
        let digits = usize::from(figure.ns < 100.0);
        let ns = number(Some(figure.ns), digits);
        if figure.allocations < 0.5 { ns } else { format!("{ns} ({:.0})", figure.allocations) }
    };
    let lines = lines(figures, &COLUMNS, |figure| Some(cell(figure)));
    format!("\n**Least ns an operation (allocations)**\n\n{lines}")
}

/// Empty where none were counted.
pub(super) fn instructions(figures: &Figures) -> String {
    let mut all = figures.rows.iter().flat_map(|(_, sides)| sides);
    if all.all(|(_, figure)| figure.instructions.is_none()) {
        return String::new();
    }
    let lines = lines(figures, &COLUMNS[1..], |figure| Some(number(Some(figure.instructions?), 0)));
    format!("\n**User instructions an operation, under valgrind**\n\n{lines}")
}

fn lines(
    figures: &Figures,
    columns: &[(&str, &str)],
    cell: impl Fn(Figure) -> Option<String>,
) -> String {
    let names: Vec<_> = columns.iter().map(|(_, name)| *name).collect();
    let head = format!("| | {} |\n|---{}|\n", names.join(" | "), "|---".repeat(names.len()));
    let rows = figures.rows.iter().filter_map(|(row, _)| {
        let cells = columns.iter().map(|(side, _)| figures.get(row, side).and_then(&cell));
        let cells: Vec<_> = cells.collect();
        let cells: Vec<_> = cells.iter().any(Option::is_some).then_some(cells)?;
        let cells: Vec<_> = cells.into_iter().map(|it| it.unwrap_or("–".to_owned())).collect();
        Some(format!("| {row} | {} |\n", cells.join(" | ")))
    });
    head + &rows.collect::<String>()
}

pub(super) fn verdicts(bars: &[Bar]) -> String {
    let line = |bar: &Bar| {
        let limit = match bar.limit {
            Limit::AtMost(most) => format!("at most {most}"),
            Limit::AtLeast(least) => format!("at least {least}"),
        };
        let (name, value) = (&bar.name, number(bar.value, 2));
        match bar.is_met() {
            Some(true) => format!("pass: {name}: {value} ({limit})\n"),
            Some(false) => format!("FAIL: {name}: {value} ({limit})\n"),
            None => format!("not measured: {name} ({limit})\n"),
        }
    };
    format!("\n{}", bars.iter().map(line).collect::<String>())
}

pub(super) fn json(machine: &Machine, figures: &Figures, bars: &[Bar], rounds: u32) -> Value {
    let side = |(name, figure): &(String, Figure)| {
        json!({
            "side": name,
            "ns": figure.ns,
            "allocations": figure.allocations,
            "user_instructions": figure.instructions,
        })
    };
    let row = |(name, sides): &(String, Vec<(String, Figure)>)| json!({"row": name, "sides": sides.iter().map(side).collect::<Vec<_>>()});
    let bar = |bar: &Bar| {
        let (at_most, at_least) = match bar.limit {
            Limit::AtMost(most) => (Some(most), None),
            Limit::AtLeast(least) => (None, Some(least)),
        };
        json!({
            "name": bar.name,
            "value": bar.value,
            "at_most": at_most,
            "at_least": at_least,
            "met": bar.is_met(),
        })
    };
    json!({
        "machine": {
            "processor": machine.processor,
            "cores": machine.cores,
            "kernel": machine.kernel,
            "load_average_before": machine.load,
        },
        "rounds": rounds,
        "rows": figures.rows.iter().map(row).collect::<Vec<_>>(),
        "bars": bars.iter().map(bar).collect::<Vec<_>>(),
    })
}
