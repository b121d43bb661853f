//! Folders are read and analysed on every core, a folder at a time on each, so that no more than so many
//! folders are in memory at once.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    num::NonZero,
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

use anyhow::Context as _;
use doctor::{
    analysis,
    finding::Safety,
    package::{Module, Package, SourceFile},
    report::{FileFindings, Summary, Unread},
    settings::Settings,
    syntax::{
        Lines, MAX_BYTES,
        build::{Constraint, FileName, Target, is_generated},
    },
};

use super::{arguments::Include, folders::Folder, mend::Mended, settings::Resolved, since::Since};

/// A core's stack. A tree is as deep as its text is nested, which the parser bounds.
const STACK_BYTES: usize = 64 * 1024 * 1024;

/// What every folder is analysed with.
#[derive(Debug)]
pub(super) struct Task<'a> {
    pub(super) resolved: &'a Resolved,
    pub(super) since: Option<&'a Since>,
    /// Whether fixes are applied, and which.
    pub(super) mend: Option<Safety>,
    pub(super) here: &'a Path,
}

/// What came out.
#[derive(Debug, Default)]
pub(super) struct Analysis {
    /// Files with findings, in the order of their paths.
    pub(super) files: Vec<FileFindings>,
    pub(super) summary: Summary,
    /// The files that were analysed and told of.
    pub(super) paths: BTreeSet<String>,
    /// Files that fixes change.
    pub(super) mended: Vec<Mended>,
    /// Folders that could not be analysed because of a mistake of ours.
    pub(super) crashed: Vec<String>,
}

impl Analysis {
    fn take(&mut self, part: Self) {
        self.files.extend(part.files);
        self.paths.extend(part.paths);
        self.mended.extend(part.mended);
        self.crashed.extend(part.crashed);
        let (all, part) = (&mut self.summary, part.summary);
        all.files += part.files;
        all.packages += part.packages;
        all.lines += part.lines;
        all.suppressed += part.suppressed;
        all.constrained += part.constrained;
        all.generated += part.generated;
        all.excluded += part.excluded;
        all.unread.extend(part.unread);
    }
}

/// Analyses every folder.
pub(super) fn analyse(folders: &[Folder], task: &Task<'_>) -> anyhow::Result<Analysis> {
    let next = AtomicUsize::new(0);
    let parts: Mutex<BTreeMap<usize, anyhow::Result<Analysis>>> = Mutex::default();
    let work = || {
        loop {
            let at = next.fetch_add(1, Ordering::Relaxed);
            let Some(folder) = folders.get(at) else { return };
            let part = catch_unwind(AssertUnwindSafe(|| self::folder(folder, task)));
            let part = part.unwrap_or_else(|_| Ok(crashed(folder)));
            parts.lock().unwrap_or_else(PoisonError::into_inner).insert(at, part);
        }
    };
    let cores = thread::available_parallelism().map_or(1, NonZero::get);
    thread::scope(|scope| {
        for _ in 0..cores.min(folders.len()) {
            let core = thread::Builder::new().stack_size(STACK_BYTES);
            core.spawn_scoped(scope, work).context("a thread could not be started")?;
        }
        anyhow::Ok(())
    })?;
    let mut analysis = Analysis::default();
    for part in parts.into_inner().unwrap_or_else(PoisonError::into_inner).into_values() {
        analysis.take(part?);
    }
    analysis.files.sort_by(|one, other| one.path.cmp(&other.path));
    analysis.summary.unread.sort_by(|one, other| one.path.cmp(&other.path));
    analysis.mended.sort_by(|one, other| one.path.cmp(&other.path));
    Ok(analysis)
}

fn crashed(folder: &Folder) -> Analysis {
    let names = folder.files.first().map(|(_, shown)| shown.clone());
    Analysis { crashed: names.into_iter().collect(), ..Analysis::default() }
}

/// A file's text, and whether it is told of or only helps to understand the others.
#[derive(Debug)]
struct Read {
    path: PathBuf,
    shown: String,
    text: String,
    is_named: bool,
}

fn folder(folder: &Folder, task: &Task<'_>) -> anyhow::Result<Analysis> {
    let mut analysis = Analysis::default();
    let changed = |path: &Path| task.since.is_none_or(|since| since.of(path).is_some());
    if !folder.files.iter().any(|(path, _)| changed(path)) {
        return Ok(analysis);
    }
    let texts = read(folder, task, &mut analysis.summary)?;
    let mut packages: BTreeMap<&str, Vec<(&Read, SourceFile<'_>)>> = BTreeMap::new();
    for read in &texts {
        let file = SourceFile::new(&read.shown, &read.text);
        if belongs(&file, &task.resolved.target, read.is_named, &mut analysis.summary) {
            packages.entry(file.syntax.package.name).or_default().push((read, file));
        }
    }
    let module = folder.module.as_deref();
    let module = module.map_or_else(Module::default, |it| Module { path: &it.path, go: it.go });
    for files in packages.into_values() {
        package(files, module, task, &mut analysis);
    }
    Ok(analysis)
}

/// Reads what may belong to the build.
fn read(folder: &Folder, task: &Task<'_>, summary: &mut Summary) -> anyhow::Result<Vec<Read>> {
    let Resolved { settings, skips_tests, target, .. } = task.resolved;
    let mut texts = Vec::with_capacity(folder.files.len());
    for (path, shown) in &folder.files {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let name = FileName::new(&name);
        let is_named = folder.named.as_ref().is_none_or(|named| named.contains(shown));
        if name.is_test && *skips_tests {
            continue;
        }
        if !name.is_for(target) {
            summary.constrained += usize::from(is_named);
            continue;
        }
        let is_excluded = excluded(settings, path, task);
        summary.excluded += usize::from(is_named && is_excluded);
        let bytes = fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
        match String::from_utf8(bytes) {
            Ok(text) if text.len() <= MAX_BYTES => {
                let is_named = is_named && !is_excluded;
                texts.push(Read { path: path.clone(), shown: shown.clone(), text, is_named });
            }
            Ok(text) => {
                let message = format!("expected at most {MAX_BYTES} bytes, found {}", text.len());
                summary.unread.push(Unread { path: shown.clone(), line: 1, column: 1, message });
            }
            Err(error) => {
                let before = &error.as_bytes()[..error.utf8_error().valid_up_to()];
                let line = before.iter().filter(|byte| **byte == b'\n').count() as u32 + 1;
                let message = "expected UTF-8 text".to_owned();
                summary.unread.push(Unread { path: shown.clone(), line, column: 1, message });
            }
        }
    }
    Ok(texts)
}

/// Whether a pattern leaves it out; patterns are about paths from the configuration's folder on.
fn excluded(settings: &Settings, path: &Path, task: &Task<'_>) -> bool {
    let whole = task.here.join(path);
    settings.excludes(&super::paths::shown(&whole, &task.resolved.base))
}

/// Whether a file belongs to the build.
fn belongs(file: &SourceFile<'_>, target: &Target, is_named: bool, summary: &mut Summary) -> bool {
    // A constraint that cannot be read holds: rather one file too many.
    let holds = Constraint::of(file.text, &file.syntax)
        .is_none_or(|it| it.holds(|tag| target.has(tag)).unwrap_or(true));
    summary.constrained += usize::from(!holds && is_named);
    holds
}

fn package<'t>(
    files: Vec<(&'t Read, SourceFile<'t>)>,
    module: Module<'t>,
    task: &Task<'_>,
    analysis: &mut Analysis,
) {
    let keeps_generated = task.resolved.include.contains(&Include::Generated);
    let (reads, files): (Vec<&Read>, Vec<SourceFile<'t>>) = files.into_iter().unzip();
    let mut told = BTreeSet::new();
    let summary = &mut analysis.summary;
    for (read, file) in reads.iter().zip(&files) {
        let is_generated = !keeps_generated && is_generated(file.text, &file.syntax);
        summary.generated += usize::from(read.is_named && is_generated);
        if !read.is_named || is_generated {
            continue;
        }
        told.insert(file.path.to_owned());
        summary.files += 1;
        summary.lines += file.lines.count() as usize;
        if let Some(error) = file.syntax.errors.first() {
            summary.unread.push(Unread::new(file.path, &file.lines, error));
        }
    }
    if told.is_empty() {
        return;
    }
    summary.packages += 1;
    let settings = &task.resolved.settings;
    if let Some(level) = task.mend {
        let texts: Vec<(&str, &str)> = files.iter().map(|file| (file.path, file.text)).collect();
        let fixed = analysis::mend(&texts, module, settings, level, &|path| told.contains(path));
        let mended = reads.iter().zip(&fixed);
        let mended = mended.filter_map(|(read, fixed)| {
            Mended::new(read.path.clone(), &read.shown, &read.text, fixed)
        });
        analysis.mended.extend(mended);
        // What is told of is what is left, at its new places.
        let left: Vec<SourceFile<'_>> = files
            .iter()
            .zip(&fixed)
            .map(|(file, fixed)| SourceFile::new(file.path, &fixed.text))
            .collect();
        let package = Package::new(&left, Module { path: module.path, go: module.go });
        tell(analysis::analyse(&package, settings), &told, analysis);
    } else {
        let package = Package::new(&files, module);
        let mut analysed = analysis::analyse(&package, settings);
        if let Some(since) = task.since {
            for file in &mut analysed.files {
                let read = reads.iter().find(|read| read.shown == file.path);
                let changed = read.and_then(|read| since.of(&read.path));
                let lines = Lines::new(&file.text);
                file.findings.retain(|found| {
                    changed.as_ref().is_some_and(|(changed, path)| {
                        changed.concerns(path, &lines, &found.finding)
                    })
                });
            }
        }
        tell(analysed, &told, analysis);
    }
    analysis.paths.extend(told);
}

fn tell(analysed: analysis::Analysed, told: &BTreeSet<String>, analysis: &mut Analysis) {
    analysis.summary.suppressed += analysed.suppressed;
    let files = analysed.files.into_iter();
    analysis
        .files
        .extend(files.filter(|file| told.contains(&file.path) && !file.findings.is_empty()));
}
