//! What a service does for a request, and what it costs with Rearguard and with what one would use
//! instead.
//!
//! `measure AREA ROUNDS` prints a line for every [`Row`] of an area, or of all where it is empty: row, side,
//! unit and value, with tabs between. An area is a file here with `measure(rounds)`, listed in [`AREAS`].

mod locks;

use std::{
    env,
    io::{self, Write as _},
    process::ExitCode,
};

/// One number of one side in one row.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    pub(crate) row: String,
    pub(crate) side: String,
    /// `ns`, `allocations`, `per second`, `P99 ms`, …: numbers of one unit stand in one column.
    pub(crate) unit: &'static str,
    pub(crate) value: f64,
}

type Area = (&'static str, fn(u32) -> Vec<Row>);

/// What is measured, by its name.
const AREAS: [Area; 1] = [("locks", locks::measure)];

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let done = match arguments[..] {
        ["measure", area, rounds] => measure(area, rounds.parse().unwrap_or(1)),
        _ => measure("", 1),
    };
    if done { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Prints the rows of an area, or of all.
fn measure(area: &str, rounds: u32) -> bool {
    let areas = AREAS.into_iter().filter(|(name, _)| area.is_empty() || *name == area);
    let mut rows = areas.flat_map(|(_, measure)| measure(rounds));
    rows.all(|Row { row, side, unit, value }| print(&format!("{row}\t{side}\t{unit}\t{value:.3}")))
}

fn print(line: &str) -> bool {
    writeln!(io::stdout(), "{line}").is_ok()
}
