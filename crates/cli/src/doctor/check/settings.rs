//! The command line and the configuration file, joined.

use std::{
    collections::BTreeSet,
    fs,
    io::Write,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, bail};
use clap::ValueEnum as _;
use config::{Source, doctor::DoctorSettings};
use doctor::{
    catalogue,
    rule::{Confidence, Severity},
    settings::{RuleSettings, Settings},
    syntax::build::Target,
};

use super::{
    super::explain::unknown,
    arguments::{self, Choice, Include},
};
use crate::documents;

/// Where a configuration is looked for, from the working folder upwards.
const NAMES: [&str; 2] = [".rearguard/doctor.yaml", "rearguard-doctor.yaml"];

/// What a run goes by.
#[derive(Debug)]
pub(crate) struct Resolved {
    pub(crate) settings: Settings,
    pub(crate) include: Vec<Include>,
    pub(crate) skips_tests: bool,
    pub(crate) target: Target,
    pub(crate) baseline: Option<PathBuf>,
    /// What patterns of the configuration are relative to.
    pub(crate) base: PathBuf,
}

/// Joins both; what the command line says goes before.
pub(crate) fn resolve(
    choice: &Choice,
    baseline: Option<&Path>,
    here: &Path,
) -> anyhow::Result<Resolved> {
    let file = match (&choice.config, choice.no_config) {
        (_, true) => None,
        (Some(file), _) => Some(file.clone()),
        (None, _) => find(here),
    };
    let (mut file_says, base) = match &file {
        Some(file) => (read(file)?, base(file, here)),
        None => (DoctorSettings::default(), here.to_owned()),
    };
    let own = file_says.baseline.take().map(|it| base.join(it));
    let baseline = baseline.map(Path::to_owned).or(own);
    let mut include = choice.include.clone();
    include.extend(file_says.include.iter().filter_map(|it| Include::from_str(it, false).ok()));
    let mut tags: BTreeSet<String> = choice.tags.iter().cloned().collect();
    tags.extend(file_says.tags.iter().cloned());
    Ok(Resolved {
        skips_tests: choice.skip_tests || file_says.tests == Some(false),
        settings: settings(choice, file_says)?,
        include,
        target: target(tags),
        baseline,
        base,
    })
}

fn settings(choice: &Choice, file: DoctorSettings) -> anyhow::Result<Settings> {
    for code in choice.rules.iter().flatten().chain(&choice.skip) {
        if catalogue::find(code).is_none() {
            return Err(unknown(code));
        }
    }
    let options = file.options.into_iter().map(|(code, options)| {
        let confidence = options.confidence.and_then(|it| confidence(&it));
        (code, RuleSettings { confidence, excluded: options.exclude })
    });
    let asked_confidence = choice.confidence.map(confidence_of);
    let asked_severity = choice.severity.map(severity_of);
    let default = Settings::default();
    let mut settings = Settings {
        only: choice.rules.clone().or(file.rules),
        skipped: file.skip,
        confidence: asked_confidence
            .or(file.confidence.and_then(|it| confidence(&it)))
            .unwrap_or(default.confidence),
        severity: asked_severity
            .or(file
                .severity
                .and_then(|it| arguments::Severity::from_str(&it, false).ok().map(severity_of)))
            .unwrap_or(default.severity),
        excluded: file.exclude,
        options: options.collect(),
    };
    settings.skipped.extend(choice.skip.iter().cloned());
    settings.excluded.extend(choice.exclude.iter().cloned());
    Ok(settings)
}

fn confidence(word: &str) -> Option<Confidence> {
    arguments::Confidence::from_str(word, false).ok().map(confidence_of)
}

const fn confidence_of(confidence: arguments::Confidence) -> Confidence {
    match confidence {
        arguments::Confidence::Low => Confidence::Low,
        arguments::Confidence::Medium => Confidence::Medium,
        arguments::Confidence::High => Confidence::High,
    }
}

const fn severity_of(severity: arguments::Severity) -> Severity {
    match severity {
        arguments::Severity::Note => Severity::Note,
        arguments::Severity::Warning => Severity::Warning,
        arguments::Severity::Error => Severity::Error,
    }
}

/// Linux on amd64 with these tags; a tag that is a system or a processor is built for instead.
fn target(tags: BTreeSet<String>) -> Target {
    let mut target = Target::default();
    for tag in &tags {
        // A file that is named after it is for nothing else.
        let name = format!("x_{tag}.go");
        let file = doctor::syntax::build::FileName::new(&name);
        if file.os.is_some() {
            target.os.clone_from(tag);
        } else if file.architecture.is_some() {
            target.architecture.clone_from(tag);
        }
    }
    target.tags = tags;
    target
}

/// The nearest configuration upwards.
fn find(here: &Path) -> Option<PathBuf> {
    let folders = here.ancestors();
    folders.flat_map(|folder| NAMES.map(|name| folder.join(name))).find(|file| file.is_file())
}

/// The folder that a configuration is about: not `.rearguard`, which is in it.
fn base(file: &Path, here: &Path) -> PathBuf {
    let file = here.join(file);
    let folder = file.parent().unwrap_or(here);
    let is_ours = folder.file_name().is_some_and(|name| name == ".rearguard");
    let folder = if is_ours { folder.parent().unwrap_or(folder) } else { folder };
    folder.to_owned()
}

fn read(file: &Path) -> anyhow::Result<DoctorSettings> {
    let name = file.display().to_string();
    let text = fs::read_to_string(file)
        .with_context(|| format!("cannot read the configuration {name}"))?;
    let source = Source::new(name, text);
    let codes: Vec<&str> = catalogue::all().iter().map(|rule| rule.code).collect();
    let loaded = config::doctor::load(&source, &codes);
    let mut said = Vec::new();
    let (sources, color) = (std::slice::from_ref(&source), documents::stderr_color());
    documents::show(&loaded.diagnostics, sources, color, &mut said)?;
    std::io::stderr().write_all(&said)?;
    if loaded.has_errors() {
        bail!("the configuration {} is not used; mend it, or give --no-config", source.name);
    }
    Ok(loaded.settings)
}
