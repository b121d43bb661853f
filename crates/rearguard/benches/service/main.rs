//! What a request, and what a service does for it, costs with Rearguard and with what one would use
//! instead.
//!
//! `cargo xtask bench service` builds and runs this, and makes the table. `measure PART` prints a line
//! for every [`Row`] with that in its name: row, side, unit and value, with tabs between; `run ROW
//! SIDE TIMES` only runs one case, to be counted by valgrind.

mod allocations;
mod layers;
mod timing;

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
    /// `ns`, `allocations`, `per second`, `ms`, …: numbers of one unit stand in one column.
    pub(crate) unit: &'static str,
    pub(crate) value: f64,
}

fn main() -> ExitCode {
    // A panic that is recovered from prints nothing, on either side.
    std::panic::set_hook(Box::new(|_| {}));
    let arguments: Vec<String> = env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let done = match arguments[..] {
        ["run", row, side, times] => layers::run(row, side, times),
        ["measure", part] => measure(part),
        _ => measure(""),
    };
    if done { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Prints every row with this in its name.
fn measure(part: &str) -> bool {
    layers::measure(part).into_iter().all(|Row { row, side, unit, value }| {
        writeln!(io::stdout(), "{row}\t{side}\t{unit}\t{value:.3}").is_ok()
    })
}
