//! The command's steps.

use std::{
    collections::BTreeSet,
    fs,
    io::{self, Write},
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::{Context as _, bail};
use doctor::{
    baseline::{Baseline, Entry},
    finding::{Finding, Safety},
    report::Report,
};

use super::{
    super::explain,
    CheckArguments,
    analyse::{Analysis, Task, analyse},
    arguments::{Choice, Format, Known},
    folders::folders,
    mend, output, paths,
    settings::{Resolved, resolve},
    since::Since,
};
use crate::documents::s;

/// There are findings.
const FOUND: u8 = 1;
/// Something could not be analysed because of a mistake of ours.
const CRASHED: u8 = 3;

/// Runs the command.
pub(crate) fn run(arguments: &CheckArguments, out: &mut dyn Write) -> anyhow::Result<ExitCode> {
    let CheckArguments { paths, choice, known, print, mend } = arguments;
    if print.statistics && print.format != Format::Text {
        bail!("--statistics is for --format text; the others hold every finding");
    }
    let here = paths::here().context("the working folder is not known")?;
    let resolved = resolve(choice, known.baseline.as_deref(), &here)?;
    let rules = resolved.settings.rules();
    if print.list_rules {
        explain::list(&rules, out)?;
        return Ok(ExitCode::SUCCESS);
    }
    let said = &mut io::stderr().lock();
    let baseline = read_baseline(known, &resolved)?;
    let since = known.since.as_deref().map(|revision| Since::ask(revision, &here)).transpose()?;
    let level = mend.fix.then_some(if mend.is_unsafe { Safety::Unsafe } else { Safety::Safe });
    let folders = folders(paths, &resolved.include, &here)?;
    let task = Task { resolved: &resolved, since: since.as_ref(), mend: level, here: &here };
    let mut analysis = analyse(&folders, &task)?;
    output::tell_unread(&analysis.summary.unread, said)?;
    let crashed = tell_crashed(&analysis, said)?;
    if mend.diff {
        mend::diff(&analysis.mended, out, said)?;
        let changes = analysis.mended.iter().any(mend::Mended::changes);
        return Ok(crashed.unwrap_or(ExitCode::from(if changes { FOUND } else { 0 })));
    }
    mend::write(&analysis.mended, said)?;
    if known.write_baseline {
        write_baseline(&mut analysis, &resolved, &here, said)?;
        return Ok(crashed.unwrap_or(ExitCode::SUCCESS));
    }
    if let Some(baseline) = baseline {
        let name = |path: &str| paths::shown(&here.join(path), &resolved.base);
        let applied = baseline.apply(&mut analysis.files, &name);
        analysis.summary.known = applied.known;
        if since.is_none() {
            let looked_at = analysis.paths.iter().map(|path| name(path)).collect();
            tell_stale(&applied.stale, &looked_at, &resolved.base, said)?;
        }
    }
    let report = Report {
        version: env!("CARGO_PKG_VERSION"),
        files: &analysis.files,
        rules: &rules,
        summary: &analysis.summary,
    };
    output::print(report, print, out)?;
    Ok(crashed.unwrap_or(ExitCode::from(if report.count() > 0 { FOUND } else { 0 })))
}

/// What is found below these folders by the rules and the bounds that are the default here, with the
/// absolute path of each file.
pub(crate) fn found(paths: &[PathBuf]) -> anyhow::Result<Vec<(PathBuf, Finding)>> {
    let here = paths::here().context("the working folder is not known")?;
    let resolved = resolve(&Choice::default(), None, &here)?;
    let folders = folders(paths, &resolved.include, &here)?;
    let task = Task { resolved: &resolved, since: None, mend: None, here: &here };
    let analysis = analyse(&folders, &task)?;
    let found = analysis.files.into_iter().flat_map(|file| {
        let path = here.join(file.path);
        file.findings.into_iter().map(move |found| (path.clone(), found.finding))
    });
    Ok(found.collect())
}

fn tell_crashed(analysis: &Analysis, said: &mut dyn Write) -> anyhow::Result<Option<ExitCode>> {
    for path in &analysis.crashed {
        writeln!(
            said,
            "error: the folder of {path} could not be analysed, which is a mistake of this program; \
             please report it with what stands above"
        )?;
    }
    Ok((!analysis.crashed.is_empty()).then_some(ExitCode::from(CRASHED)))
}

fn read_baseline(known: &Known, resolved: &Resolved) -> anyhow::Result<Option<Baseline>> {
    let Some(file) = &resolved.baseline else {
        if known.write_baseline {
            bail!("--write-baseline needs --baseline FILE, or `baseline` in the configuration");
        }
        return Ok(None);
    };
    if known.write_baseline {
        return Ok(None);
    }
    let name = file.display();
    let text = fs::read_to_string(file)
        .with_context(|| format!("cannot read the baseline {name}; --write-baseline makes one"))?;
    let baseline = Baseline::read(&text).with_context(|| format!("{name} is no baseline"))?;
    Ok(Some(baseline))
}

/// Files are named from the configuration's folder on, wherever the command runs.
fn write_baseline(
    analysis: &mut Analysis,
    resolved: &Resolved,
    here: &Path,
    said: &mut dyn Write,
) -> anyhow::Result<()> {
    let Some(file) = &resolved.baseline else { return Ok(()) };
    let context = || format!("cannot write the baseline {}", file.display());
    if let Some(folder) = file.parent().filter(|it| !it.as_os_str().is_empty()) {
        fs::create_dir_all(folder).with_context(context)?;
    }
    for file in &mut analysis.files {
        file.path = paths::shown(&here.join(&file.path), &resolved.base);
    }
    let baseline = Baseline::of(&analysis.files);
    fs::write(file, baseline.to_json()).with_context(context)?;
    let count = baseline.count();
    writeln!(said, "wrote {count} finding{} to {}", s(count), file.display())?;
    Ok(())
}

/// Says what the baseline knows and is there no more, of files that were looked at or are gone.
fn tell_stale(
    stale: &[Entry],
    looked_at: &BTreeSet<String>,
    base: &Path,
    said: &mut dyn Write,
) -> io::Result<()> {
    let gone = |entry: &&Entry| looked_at.contains(&entry.file) || !base.join(&entry.file).exists();
    let stale: Vec<&Entry> = stale.iter().filter(gone).collect();
    if stale.is_empty() {
        return Ok(());
    }
    let count: usize = stale.iter().map(|entry| entry.count as usize).sum();
    writeln!(
        said,
        "note: the baseline knows {count} finding{} that {} no more; --write-baseline takes {} out",
        s(count),
        if count == 1 { "is" } else { "are" },
        if count == 1 { "it" } else { "them" }
    )?;
    for entry in stale {
        let function = entry.function.as_deref().unwrap_or("the file");
        writeln!(said, "  {}: {} in {function}", entry.file, entry.rule)?;
    }
    Ok(())
}
