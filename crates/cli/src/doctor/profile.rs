//! `rearguard doctor profile`: what a profile says about cleanup, beside the source.

pub(crate) mod fetch;
pub(crate) mod live;
pub(crate) mod sources;

use std::{
    collections::HashMap,
    env, fs,
    io::{self, Read as _, Write},
    path::{Path, PathBuf},
};

use anyhow::{Context as _, bail};
use doctor::{
    finding::Finding,
    profile::{MAX_PROFILE_BYTES, Profile, Question, Report, SourceIndex, flame_graph},
};

use super::check;

/// So many profiles are added up at most.
const MAX_PROFILES: usize = 64;

/// Says what a pprof profile shows about cleanup: what is blocked in a deferred call, what share of a
/// handler is cleanup, who holds a lock, what grew
#[derive(Debug, clap::Args)]
pub(crate) struct ProfileArguments {
    /// A profile, or a goroutine dump; or the URL of one, such as
    /// http://127.0.0.1:6060/debug/pprof/goroutine; of a service alone, its goroutines are asked for.
    /// Several of one kind are added up: goroutine profiles then show shares of time
    #[arg(value_name = "FILE|URL", required = true, num_args = 1..=MAX_PROFILES)]
    profiles: Vec<String>,
    /// The Go source that it was built from: the folder of go.mod; may be repeated
    #[arg(long, value_name = "DIR")]
    source: Vec<PathBuf>,
    /// An earlier profile of the same kind: shows what grew since
    #[arg(long, value_name = "FILE|URL")]
    base: Option<String>,
    /// Which value to show, where a profile has several: inuse_space, alloc_objects, delay …
    #[arg(long, value_name = "NAME")]
    value: Option<String>,
    /// How to print it
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    format: Format,
    /// Writes a flame graph, one HTML page that needs nothing else
    #[arg(long, value_name = "FILE")]
    flame: Option<PathBuf>,
    /// For how long a live CPU profile samples
    #[arg(long, value_name = "N", default_value_t = 10,
        value_parser = clap::value_parser!(u64).range(1..=600))]
    seconds: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    Text,
    Json,
}

/// Runs the command.
pub(crate) fn run(arguments: &ProfileArguments, out: &mut dyn Write) -> anyhow::Result<()> {
    let (source, findings) = match arguments.source.as_slice() {
        [] => (None, Vec::new()),
        folders => {
            let files = sources::read(folders)?;
            let findings = findings(folders, &files)?;
            (Some(SourceIndex::new(&files)), findings)
        }
    };
    let (mut profile, others) = load_all(&arguments.profiles, arguments.seconds)?;
    choose(&mut profile, arguments.value.as_deref())?;
    let mut base = match &arguments.base {
        Some(base) => Some(load(base, arguments.seconds)?.0),
        None => None,
    };
    if let Some(base) = &mut base {
        choose(base, arguments.value.as_deref())?;
        if base.kind != profile.kind || base.values[base.shown] != profile.values[profile.shown] {
            bail!(
                "--base is a {} profile, expected a {} one as it is compared with",
                base.kind.as_str(),
                profile.kind.as_str()
            );
        }
    }
    if let Some(file) = &arguments.flame {
        let page = flame_graph(&profile, source.as_ref(), &arguments.profiles.join(", "));
        fs::write(file, page).with_context(|| format!("{} cannot be written", file.display()))?;
    }
    let question = Question {
        profile: &profile,
        source: source.as_ref(),
        base: base.as_ref(),
        findings: &findings,
    };
    let report = Report::new(&question);
    match arguments.format {
        Format::Text => {
            write!(out, "{report}")?;
            if !others.is_empty() {
                writeln!(out, "\nthis service also exposes {}", others.join(", "))?;
            }
        }
        Format::Json => writeln!(out, "{}", report.to_json())?,
    }
    Ok(())
}

/// What the rules find in the source, each with its file's name among those that were read.
fn findings(
    folders: &[PathBuf],
    files: &[(String, String)],
) -> anyhow::Result<Vec<(String, Finding)>> {
    let here = env::current_dir().context("the working folder is not known")?;
    let names: HashMap<PathBuf, &String> =
        files.iter().map(|(name, _)| (here.join(name), name)).collect();
    let found = check::found(folders)?.into_iter();
    Ok(found.filter_map(|(path, it)| Some(((*names.get(&path)?).clone(), it))).collect())
}

/// Shows the value that is asked for.
fn choose(profile: &mut Profile, value: Option<&str>) -> anyhow::Result<()> {
    let Some(name) = value else { return Ok(()) };
    if !profile.show(name) {
        let names: Vec<&str> = profile.values.iter().map(|value| value.name.as_str()).collect();
        bail!("found --value {name}, expected one of {}", names.join(", "));
    }
    Ok(())
}

/// Every profile that is named, added up, and which others the service of the first exposes.
fn load_all(names: &[String], seconds: u64) -> anyhow::Result<(Profile, Vec<String>)> {
    let (first, more) = names.split_first().context("no profile is named")?;
    let (mut profile, others) = load(first, seconds)?;
    for name in more {
        let (added, _) = load(name, seconds)?;
        let kind = added.kind.as_str();
        if !profile.add(added) {
            bail!(
                "{name} is a {kind} profile, expected a {} one as {first} is",
                profile.kind.as_str()
            );
        }
    }
    Ok((profile, others))
}

/// A profile from a file, standard input or a service, and which others the service exposes.
fn load(name: &str, seconds: u64) -> anyhow::Result<(Profile, Vec<String>)> {
    let (bytes, others) = if name.starts_with("http://") || name.starts_with("https://") {
        live::profile(name, seconds)?
    } else {
        (file(name)?, Vec::new())
    };
    let profile = doctor::profile::read(&bytes).with_context(|| format!("{name} is no profile"))?;
    Ok((profile, others))
}

fn file(name: &str) -> anyhow::Result<Vec<u8>> {
    let limit = MAX_PROFILE_BYTES + 1;
    let read = |from: &mut dyn io::Read| {
        let mut bytes = Vec::new();
        from.take(limit).read_to_end(&mut bytes).map(|_| bytes)
    };
    let bytes = if name == "-" {
        read(&mut io::stdin().lock())
    } else {
        fs::File::open(Path::new(name)).and_then(|mut file| read(&mut file))
    };
    bytes.with_context(|| format!("the profile {name} cannot be read"))
}
