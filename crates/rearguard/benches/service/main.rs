//! What a request, and what a service does for it, costs with Rearguard and with what one would use
//! instead.
//!
//! `cargo xtask bench service` builds and runs this, and makes the table. `measure AREA ROUNDS` prints a
//! line for every [`Row`] of an area, or of all where it is empty: row, side, unit and value, with
//! tabs between; `list` prints the rows and sides whose instructions can be counted, and `run ROW
//! SIDE TIMES` only runs one of those.
//!
//! An area is a file here with `measure(rounds)`, listed in [`AREAS`].

#[path = "../scope/allocations.rs"]
mod allocations;
mod layers;
mod locks;
mod release;
#[path = "../scope/timing.rs"]
mod timing;
mod transactions;
mod wire;

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

/// An area's name, and what measures it in so many rounds.
type Area = (&'static str, fn(u32) -> Vec<Row>);

const AREAS: [Area; 5] = [
    ("layers", layers::measure),
    ("wire", wire::measure),
    ("release", release::measure),
    ("locks", locks::measure),
    ("transactions", transactions::measure),
];

fn main() -> ExitCode {
    // A panic that is recovered from prints nothing, on either side.
    std::panic::set_hook(Box::new(|_| {}));
    let arguments: Vec<String> = env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let done = match arguments[..] {
        ["list"] => layers::list(),
        ["run", row, side, times] => layers::run(row, side, times),
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

pub(crate) fn print(line: &str) -> bool {
    writeln!(io::stdout(), "{line}").is_ok()
}
