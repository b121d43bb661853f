//! `cargo xtask check`: everything that CI runs besides the tests. One check a file.

mod crates;
mod dependencies;
mod duplicates;
mod format;
mod licences;
mod lints;
mod pages;
mod readmes;
mod rooms;
mod tidy;

use std::time::Instant;

use anyhow::{Result, bail};

use crate::{
    generate,
    graph::{Features, Graph},
    shell::{self, say},
};

pub(crate) use crates::{FILE as CRATES_FILE, page as crates_page};

#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// Run only these checks.
    names: Vec<String>,
}

/// What is wrong, where, and what to do: one line each. Empty where all is well.
type Problems = Vec<String>;

struct Check {
    name: &'static str,
    run: fn() -> Result<Problems>,
}

/// The quick ones first.
const CHECKS: &[Check] = &[
    Check { name: "tidy", run: || tidy::check(&sources()?) },
    Check { name: "readmes", run: readmes::check },
    Check { name: "rooms", run: || Ok(rooms::check(&Graph::load(Features::Default)?)) },
    Check { name: "purity", run: || rooms::check_purity(&sources()?) },
    Check {
        name: "dependencies",
        run: || Ok(dependencies::check(&Graph::load(Features::Default)?)),
    },
    Check { name: "licences", run: || Ok(licences::check(&Graph::load(Features::All)?)) },
    Check { name: "duplicates", run: || Ok(duplicates::check(&Graph::load(Features::All)?)) },
    Check { name: "crates", run: || crates::check(&Graph::load(Features::Default)?) },
    Check { name: "fmt", run: format::check },
    Check { name: "generated", run: generate::check },
    Check { name: "causes", run: pages::check },
    Check { name: "clippy", run: lints::clippy },
    Check { name: "doc", run: lints::doc },
];

pub(crate) fn run(options: &Options) -> Result<()> {
    for name in &options.names {
        if !CHECKS.iter().any(|check| check.name == name) {
            let known = CHECKS.iter().map(|check| check.name).collect::<Vec<_>>().join(", ");
            bail!("no check is named {name}; there are {known}");
        }
    }
    let mut failed = Vec::new();
    for check in CHECKS {
        if !options.names.is_empty() && !options.names.iter().any(|name| name == check.name) {
            continue;
        }
        let begin = Instant::now();
        // A check that cannot be made has failed; the others are still worth running.
        let problems = (check.run)().unwrap_or_else(|error| vec![format!("{error:#}")]);
        for problem in &problems {
            say(format_args!("  {problem}"));
        }
        let verdict = if problems.is_empty() { "ok" } else { "FAILED" };
        say(format_args!("{verdict} {} ({:.1} s)", check.name, begin.elapsed().as_secs_f64()));
        if !problems.is_empty() {
            failed.push(check.name);
        }
    }
    if !failed.is_empty() {
        bail!("failed: {}; the lines above say what to do", failed.join(", "));
    }
    Ok(())
}

/// The files of the project: those that git keeps or would keep.
fn sources() -> Result<Vec<String>> {
    let mut git = std::process::Command::new("git");
    git.args(["ls-files", "--cached", "--others", "--exclude-standard", "-z"]);
    let list = shell::capture(&mut git)?;
    let names = list.split('\0').filter(|name| !name.is_empty());
    // A file that has been deleted is listed until that is committed.
    Ok(names.filter(|name| std::fs::exists(name).unwrap_or(false)).map(str::to_owned).collect())
}
