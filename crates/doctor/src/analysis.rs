//! A package's findings, ready to be shown: what `//nolint` and the settings leave.
//!
//! [`analyse`] is the entry point; [`mend`] applies fixes until there are none.

use crate::{
    finding::{Finding, Safety},
    fingerprint::{fingerprint, function_at},
    fix::{self, Fixed},
    package::{Module, Package, SourceFile},
    report::{FileFindings, FoundFinding},
    rules,
    settings::Settings,
    suppress::suppress,
};

/// What a package gives.
#[derive(Clone, Debug, Default)]
pub struct Analysed {
    /// Its files that have findings, in order.
    pub files: Vec<FileFindings>,
    /// How many findings a `//nolint` holds back that would be shown otherwise.
    pub suppressed: usize,
}

/// Asks the rules about a package.
#[must_use]
pub fn analyse<'p, 't>(package: &'p Package<'p, 't>, settings: &Settings) -> Analysed {
    let mut analysed = Analysed::default();
    for (file, findings, suppressed) in shown(package, settings) {
        analysed.suppressed += suppressed;
        if findings.is_empty() {
            continue;
        }
        let findings = findings.into_iter().map(|finding| {
            let function = function_at(&file.syntax, finding.span);
            let fingerprint = fingerprint(&finding, function.as_deref(), file.text, &file.lines);
            FoundFinding { finding, fingerprint, function }
        });
        analysed.files.push(FileFindings {
            path: file.path.to_owned(),
            text: file.text.to_owned(),
            findings: findings.collect(),
        });
    }
    analysed
}

/// Applies the fixes of a package's findings, those that are shown, in rounds. One result a file, in
/// the order given; files that are not `wanted` stay as they are.
#[must_use]
pub fn mend(
    files: &[(&str, &str)],
    module: Module<'_>,
    settings: &Settings,
    level: Safety,
    wanted: &dyn Fn(&str) -> bool,
) -> Vec<Fixed> {
    let texts = files.iter().map(|(_, text)| (*text).to_owned()).collect();
    fix::rounds(texts, level, &mut |texts| {
        let sources: Vec<SourceFile<'_>> =
            files.iter().zip(texts).map(|((path, _), text)| SourceFile::new(path, text)).collect();
        let package = Package::new(&sources, module);
        let shown = shown(&package, settings).into_iter();
        shown
            .map(|(file, findings, _)| if wanted(file.path) { findings } else { Vec::new() })
            .collect()
    })
}

/// Each file with its findings in the order of the text, and how many were held back.
fn shown<'p, 't>(
    package: &'p Package<'p, 't>,
    settings: &Settings,
) -> Vec<(&'p SourceFile<'t>, Vec<Finding>, usize)> {
    let found = rules::analyse(package, &|rule| settings.asks(rule.code));
    let files = found.into_iter().map(|(file, findings)| {
        let shows = |finding: &Finding| settings.shows(file.path, finding);
        let left =
            suppress(file.text, &file.syntax, &file.lines, findings, &|code| settings.asks(code));
        let suppressed = left.held_back.iter().filter(|finding| shows(finding)).count();
        let mut findings = left.findings;
        findings.retain(shows);
        findings.sort_by_key(|finding| (finding.span.start, finding.span.end, finding.rule.code));
        (file, findings, suppressed)
    });
    files.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rule::Severity;

    const LOOP: &str = "package p\n\nfunc f() {\n\tfor range 9 {\n\t\tdefer g()\n\t}\n\th() //nolint:rearguard\n}\n";

    fn analysed(text: &str, settings: &Settings) -> (Vec<&'static str>, usize) {
        let files = [SourceFile::new("p/a.go", text)];
        let package = Package::new(&files, Module::default());
        let analysed = analyse(&package, settings);
        let found = analysed.files.iter().flat_map(|file| &file.findings);
        (found.map(|found| found.finding.rule.code).collect(), analysed.suppressed)
    }

    #[test]
    fn findings_come_in_order_with_those_about_comments() {
        let found = analysed(LOOP, &Settings::default());
        assert_eq!(found, (vec!["defer-in-loop", "unused-nolint"], 0));
    }

    #[test]
    fn what_is_held_back_is_counted_unless_it_would_not_be_shown() {
        let text = LOOP.replace("defer g()", "defer g() //nolint:defer-in-loop");
        assert_eq!(analysed(&text, &Settings::default()), (vec!["unused-nolint"], 1));
        let errors = Settings { severity: Severity::Error, ..Settings::default() };
        assert_eq!(analysed(&text, &errors), (vec![], 0));
    }

    #[test]
    fn mending_takes_out_what_it_can() {
        let files = [("p/a.go", LOOP)];
        let fixed = mend(&files, Module::default(), &Settings::default(), Safety::Safe, &|_| true);
        assert_eq!(fixed[0].text, LOOP.replace(" //nolint:rearguard", ""));
    }
}
