//! The project's own chores: `cargo xtask test`, `check`, `fuzz`, `bench` and `generate`.

mod bench;
mod check;
mod fuzz;
mod generate;
mod graph;
mod patterns;
mod shell;
mod test;
mod tools;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

#[derive(Debug, Parser)]
#[command(name = "cargo xtask", about = "The project's own chores")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Install the servers that the tests talk to, then run every test.
    Test(test::Options),
    /// Everything that CI runs besides the tests.
    Check(check::Options),
    /// Look for bytes that the readers of foreign bytes misunderstand.
    Fuzz(fuzz::Options),
    /// Measure against peers, side by side.
    Bench(bench::Options),
    /// Write the pages that are generated.
    Generate,
}

fn main() -> ExitCode {
    let result = shell::enter_root().and_then(|()| match Arguments::parse().command {
        Command::Test(options) => test::run(&options),
        Command::Check(options) => check::run(&options),
        Command::Fuzz(options) => fuzz::run(&options),
        Command::Bench(options) => bench::run(&options),
        Command::Generate => generate::run(),
    });
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            shell::say(format_args!("error: {error:#}"));
            ExitCode::FAILURE
        }
    }
}
