//! An open file, what is found in it, and how it is told.

use std::{fs, path::Path};

use doctor::{
    analysis,
    finding::Safety,
    package::{Module, Package, SourceFile},
    report::{FileFindings, FoundFinding, TOOL},
    rule::Severity,
    syntax::{
        Lines, MAX_BYTES, Span,
        build::{Constraint, FileName, is_generated},
    },
};
use serde_json::{Value, json};

use super::super::check::{arguments::Include, go_mod::Finder, paths, settings::Resolved};

/// So many other files of a folder are read to understand one.
const MAX_NEIGHBOURS: usize = 2_000;

/// A file in an editor.
#[derive(Debug)]
pub(super) struct Document {
    pub(super) version: Value,
    /// Its text with what is found in it.
    pub(super) found: FileFindings,
}

impl Document {
    /// Analyses a text as the file at `path`, with the files beside it as they are on disk.
    pub(super) fn new(path: &Path, text: String, version: Value, resolved: &Resolved) -> Self {
        let shown = path.display().to_string();
        let findings = find(path, &shown, &text, resolved);
        Self { version, found: FileFindings { path: shown, text, findings } }
    }

    /// What `textDocument/publishDiagnostics` tells.
    pub(super) fn diagnostics(&self, uri: &str) -> Vec<Value> {
        let lines = self.found.lines();
        self.found.findings.iter().map(|found| diagnostic(found, &lines, uri)).collect()
    }

    /// The quick fixes for findings that touch these lines, from 0.
    pub(super) fn actions(&self, uri: &str, first: u64, last: u64) -> Vec<Value> {
        let lines = self.found.lines();
        let touches = |found: &&FoundFinding| {
            let span = found.finding.span;
            let line = |offset| u64::from(lines.line(offset)) - 1;
            line(span.start) <= last && first <= line(span.end)
        };
        let found = self.found.findings.iter().filter(touches);
        found
            .filter_map(|found| {
                let fix = found.finding.fix.as_ref()?;
                let edits = fix
                    .edits
                    .iter()
                    .map(|edit| json!({"range": range(&lines, edit.span), "newText": edit.text}));
                Some(json!({
                    "title": capitalised(&fix.title),
                    "kind": "quickfix",
                    "diagnostics": [diagnostic(found, &lines, uri)],
                    "isPreferred": fix.safety == Safety::Safe,
                    "edit": {"changes": {uri: edits.collect::<Vec<_>>()}},
                }))
            })
            .collect()
    }
}

/// What is found; nothing in files that the command leaves out.
fn find(path: &Path, shown: &str, text: &str, resolved: &Resolved) -> Vec<FoundFinding> {
    let whole = paths::shown(path, &resolved.base);
    if text.len() > MAX_BYTES || resolved.settings.excludes(&whole) {
        return Vec::new();
    }
    let file = SourceFile::new(shown, text);
    let is_left_out = is_generated(text, &file.syntax)
        && !resolved.include.contains(&Include::Generated)
        || file.is_test() && resolved.skips_tests;
    if is_left_out {
        return Vec::new();
    }
    let others = neighbours(path, resolved);
    let mut files = vec![file];
    files.extend(others.iter().map(|(path, text)| SourceFile::new(path, text)));
    let name = files[0].syntax.package.name;
    files.retain(|file| {
        let constraint = Constraint::of(file.text, &file.syntax);
        let holds = |it: Constraint<'_>| it.holds(|tag| resolved.target.has(tag)).unwrap_or(true);
        file.path == shown || file.syntax.package.name == name && constraint.is_none_or(holds)
    });
    let module = path.parent().and_then(|folder| Finder::default().module(folder));
    let module = module.as_deref();
    let module = module.map_or_else(Module::default, |it| Module { path: &it.path, go: it.go });
    let package = Package::new(&files, module);
    let analysed = analysis::analyse(&package, &resolved.settings);
    let own = analysed.files.into_iter().find(|file| file.path == shown);
    own.map_or_else(Vec::new, |file| file.findings)
}

/// The other files of the folder that belong to the build. What cannot be read helps nobody.
fn neighbours(path: &Path, resolved: &Resolved) -> Vec<(String, String)> {
    let Some(entries) = path.parent().and_then(|folder| fs::read_dir(folder).ok()) else {
        return Vec::new();
    };
    let files = entries.filter_map(|entry| {
        let other = entry.ok()?.path();
        let name = other.file_name()?.to_str()?;
        let belongs = name.ends_with(".go") && FileName::new(name).is_for(&resolved.target);
        (belongs && other != path).then_some(other)
    });
    let texts = files
        .take(MAX_NEIGHBOURS)
        .filter_map(|other| Some((other.display().to_string(), fs::read_to_string(&other).ok()?)));
    let mut texts: Vec<(String, String)> = texts.collect();
    texts.sort();
    texts
}

fn diagnostic(found: &FoundFinding, lines: &Lines<'_>, uri: &str) -> Value {
    let finding = &found.finding;
    let severity = match finding.severity() {
        Severity::Error => 1,
        Severity::Warning => 2,
        Severity::Note => 3,
    };
    let message = match &finding.help {
        Some(help) => format!("{}\n{help}", finding.message),
        None => finding.message.clone(),
    };
    let related = finding.related.iter().map(|related| {
        json!({
            "location": {"uri": uri, "range": range(lines, related.span)},
            "message": related.message,
        })
    });
    json!({
        "range": range(lines, finding.span),
        "severity": severity,
        "code": finding.rule.code,
        "codeDescription": {"href": doctor::report::page_of(finding.rule)},
        "source": TOOL,
        "message": message,
        "relatedInformation": related.collect::<Vec<_>>(),
    })
}

/// Lines and UTF-16 columns from 0.
fn range(lines: &Lines<'_>, span: Span) -> Value {
    let position = |offset| json!({"line": lines.line(offset) - 1, "character": lines.column_in_utf16(offset) - 1});
    json!({"start": position(span.start), "end": position(span.end)})
}

fn capitalised(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}
