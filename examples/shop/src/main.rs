//! The sample shop: four services on Rearguard, with PostgreSQL and Redis, in one process.
//!
//! Each service has a listener, a pool and a file of its own, so that each can be put behind the
//! gateway, and be read by itself. `README.md` has the commands and what they print.

mod database;
mod fleet;
mod problem;
mod schema;
mod serve;
mod services;
mod settings;
mod stop;

use std::{
    error::Error,
    io::{self, Write as _},
    process::ExitCode,
};

use rearguard::{Options, Outcome, OwnedScope};

use self::{fleet::Fleet, settings::Settings};

#[tokio::main]
async fn main() -> ExitCode {
    match run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Where even that cannot be told, the exit code tells it.
            drop(writeln!(io::stderr(), "shop: {error}"));
            ExitCode::FAILURE
        }
    }
}

/// The shop's whole life is one scope. Told to stop, it takes no more requests; when those under way
/// are done, what was opened is closed, newest first, all within the grace.
async fn run() -> Result<(), Box<dyn Error>> {
    let settings = Settings::read()?;
    let mut scope = OwnedScope::with(Options::new().named("shop").cleanup_deadline(settings.grace));
    if let Err(error) = serve_until_asked(&mut scope, &settings).await {
        scope.end(Outcome::Failed).await;
        return Err(error);
    }
    let report = scope.end(Outcome::Succeeded).await;
    let mut out = io::stdout();
    for failure in report.failures() {
        writeln!(out, "stopping: {failure}")?;
    }
    for unfinished in report.unfinished() {
        writeln!(out, "stopping: {unfinished}")?;
    }
    let left = if report.is_clean() { "nothing left" } else { "not all in good order" };
    writeln!(out, "stopped: {left}")?;
    Ok(())
}

async fn serve_until_asked(
    scope: &mut OwnedScope,
    settings: &Settings,
) -> Result<(), Box<dyn Error>> {
    let fleet = Fleet::start(scope, settings).await?;
    fleet.describe(&mut io::stdout())?;
    stop::asked().await?;
    fleet.stop();
    Ok(())
}
