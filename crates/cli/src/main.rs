//! `rearguard`, the one binary: it reads arguments, environment and files, and prints.
//!
//! * `up`: the gateway in front of services, with its admin page.
//! * `check`: a configuration, without serving it.
//! * `explain`: what a cause means, and what an nginx error log says in the words of causes.
//! * `slo`: objectives and their error budgets.
//! * `doctor`: deferred mistakes in Go code, and what profiles say about cleanup.

mod admin;
mod check;
mod doctor;
mod documents;
mod explain;
mod process;
mod shop;
mod slo;
mod timeout_profile;
mod tuning;
mod up;

use std::{
    io::{self, Write},
    process::ExitCode,
};

use clap::Parser;

/// Puts a gateway in front of services, and says of every request that was not served well whose
/// fault it was and what exactly happened
#[derive(Debug, Parser)]
#[command(name = "rearguard", version, max_term_width = 100)]
enum Command {
    /// Serves: your services, or a sample shop where none is given
    Up(Box<up::UpArguments>),
    /// Checks a configuration without serving it; exits with 1 if there are errors
    Check(check::CheckArguments),
    /// Explains a cause, or an nginx error log in the words of causes
    Explain(explain::ExplainArguments),
    /// Objectives and their error budgets
    #[command(subcommand)]
    Slo(slo::SloCommand),
    /// Finds deferred mistakes of Go services, in their code and in their profiles
    Doctor(Box<doctor::DoctorArguments>),
}

fn main() -> ExitCode {
    let command = Command::parse();
    // A finding of the doctor is no error: that it could not look is told apart from it.
    let on_error =
        if matches!(command, Command::Doctor(_)) { ExitCode::from(2) } else { ExitCode::FAILURE };
    let ended = match command {
        Command::Up(arguments) => up::run(&arguments),
        Command::Check(arguments) => check::run(&arguments, &mut io::stdout().lock()),
        Command::Explain(arguments) => {
            let explained = explain::run(&arguments, &mut io::stdout().lock());
            explained.map(|()| ExitCode::SUCCESS)
        }
        Command::Slo(command) => slo::run(&command, &mut io::stdout().lock()),
        Command::Doctor(arguments) => doctor::run(&arguments),
    };
    ended.unwrap_or_else(|error| {
        // A reader that has gone, as in `rearguard explain | head`, is no error worth a word.
        let gone = error.downcast_ref::<io::Error>();
        if gone.is_none_or(|error| error.kind() != io::ErrorKind::BrokenPipe) {
            writeln!(io::stderr(), "error: {error:#}").unwrap_or_default();
        }
        on_error
    })
}
