//! The figures as a table for people and as JSON for programs.

use serde_json::{Value, json};

use super::{bars::Bar, figures::Figures};
use crate::bench::{machine::Machine, output::number};

/// What write-ups report of a handler whose release moved behind its answer.
const REPORTED_P99_REDUCTION: f64 = 0.76;

/// A line a side, a column a unit.
pub(super) fn numbers(figures: &Figures) -> String {
    let units = figures.units();
    let mut text =
        format!("\n| | | {} |\n|---|---{}|\n", units.join(" | "), "|---:".repeat(units.len()));
    for (row, sides) in &figures.rows {
        for (side, _) in sides {
            let cells = units.iter().map(|unit| {
                let value = figures.get(row, side, unit);
                number(value, usize::from(value.is_some_and(|value| value < 100.0)))
            });
            text += &format!("| {row} | {side} | {} |\n", cells.collect::<Vec<_>>().join(" | "));
        }
    }
    text
}

pub(super) fn verdicts(bars: &[Bar], figures: &Figures) -> String {
    let line = |bar: &Bar| {
        let (name, value, most) = (&bar.name, number(bar.value, 3), bar.most);
        match bar.is_met() {
            Some(true) => format!("pass: {name}: {value} (at most {most})\n"),
            Some(false) => format!("FAIL: {name}: {value} (at most {most})\n"),
            None => format!("not measured: {name} (at most {most})\n"),
        }
    };
    let lines = bars.iter().map(line).collect::<String>();
    format!("\n{lines}{}", before_and_after(figures))
}

/// The P99 of a handler whose release moves behind its answer.
fn before_and_after(figures: &Figures) -> String {
    let of = |row: &str, side| figures.get(row, side, "P99 ms");
    let both = figures
        .rows
        .iter()
        .find_map(|(row, _)| Some((row, of(row, "deferred")?, of(row, "after_response")?)));
    let Some((row, before, after)) = both else { return String::new() };
    format!(
        "{row}: P99 from {before:.1} to {after:.1} ms, {:.0} % less (write-ups report {:.0} %)\n",
        (1.0 - after / before) * 100.0,
        REPORTED_P99_REDUCTION * 100.0,
    )
}

pub(super) fn json(machine: &Machine, figures: &Figures, bars: &[Bar], rounds: u32) -> Value {
    let sides = |(row, sides): &super::figures::Row| {
        let side = |(side, numbers): &(String, Vec<(String, f64)>)| {
            let numbers = numbers.iter().map(|(unit, value)| (unit.clone(), json!(value)));
            json!({"side": side, "numbers": numbers.collect::<serde_json::Map<_, _>>()})
        };
        json!({"row": row, "sides": sides.iter().map(side).collect::<Vec<_>>()})
    };
    let bar = |bar: &Bar| {
        json!({
            "name": bar.name,
            "value": bar.value,
            "at_most": bar.most,
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
        "rows": figures.rows.iter().map(sides).collect::<Vec<_>>(),
        "bars": bars.iter().map(bar).collect::<Vec<_>>(),
    })
}
