//! What cleanup costs, with Rearguard and with what one would use instead.
//!
//! `cargo xtask bench scope` builds and runs this beside the same in Go (`peer.go`), and makes the
//! table. `measure` prints a line for every case: its row, its side, nanoseconds and allocations an
//! operation, with tabs between; `run ROW SIDE TIMES` only runs one case, to be counted by valgrind.

mod allocations;
mod cases;
mod futures;
mod panics;
mod timing;
mod work;

use std::{
    env,
    io::{self, Write as _},
    process::ExitCode,
};

use cases::{Case, cases};

fn main() -> ExitCode {
    // A panic that is recovered from prints nothing, on either side.
    std::panic::set_hook(Box::new(|_| {}));
    let arguments: Vec<String> = env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let done = match arguments[..] {
        ["run", row, side, times] => run(row, side, times),
        ["measure", part] => measure(part),
        _ => measure(""),
    };
    if done { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Runs one case so many times.
fn run(row: &str, side: &str, times: &str) -> bool {
    let case = cases().into_iter().find(|case| case.row == row && case.side == side);
    let (Some(case), Ok(times)) = (case, times.parse()) else { return false };
    (case.run)(times);
    true
}

/// Measures every case whose row has this part in its name.
fn measure(part: &str) -> bool {
    cases().into_iter().filter(|case| case.row.contains(part)).all(|case| {
        let Case { row, side, run } = case;
        let allocations = allocations::of_each(run);
        let ns = timing::least_ns(run);
        writeln!(io::stdout(), "{row}\t{side}\t{ns:.3}\t{allocations:.3}").is_ok()
    })
}
