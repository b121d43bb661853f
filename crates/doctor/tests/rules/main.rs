//! Every rule against its folder in `testdata/`: what is marked `// want "…"` is found, and nothing else
//! is.
//!
//! A mark stands on the line of the finding, and is a part of its message; several marks stand behind
//! one another. One that is marked `// want low "…"` is found with low confidence only. A rule's folder is
//! analysed as one package, by that rule alone.
#![expect(clippy::unwrap_used, reason = "what cannot go on in a test fails it")]

mod fixes;

use std::{fs, path::Path};

use doctor::{
    package::{Module, Package, SourceFile},
    rule::Confidence,
    rules::{ALL, analyse},
};

fn texts(folder: &Path) -> Vec<(String, String)> {
    let entries =
        fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut texts: Vec<(String, String)> = entries
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "go"))
        .map(|path| (path.display().to_string(), fs::read_to_string(&path).unwrap()))
        .collect();
    texts.sort();
    texts
}

/// The line and the text of each mark.
fn wanted(text: &str) -> Vec<(u32, String)> {
    let mut wanted = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let Some((_, marks)) = line.split_once("// want ") else { continue };
        let parts = marks.split('"').skip(1).step_by(2);
        wanted.extend(parts.map(|part| (index as u32 + 1, part.to_owned())));
    }
    wanted
}

#[test]
fn every_rule_finds_what_its_folder_wants_and_nothing_else() {
    let testdata = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata");
    let mut wrong = Vec::new();
    for (rule, _) in ALL {
        let texts = texts(&testdata.join(rule.code));
        let files: Vec<SourceFile<'_>> =
            texts.iter().map(|(path, text)| SourceFile::new(path, text)).collect();
        for file in &files {
            assert_eq!(file.syntax.errors, [], "{}", file.path);
        }
        let package = Package::new(&files, Module::default());
        let (mut marks, mut quiet) = (0, 0);
        for (file, findings) in analyse(&package, &|one| one.code == rule.code) {
            let mut wanted = wanted(file.text);
            marks += wanted.len();
            quiet += file.syntax.declarations.len();
            for finding in findings {
                let line = file.lines.line(finding.span.start);
                let place = wanted.iter().position(|(wanted, part)| {
                    *wanted == line && finding.message.contains(part.as_str())
                });
                let low = file
                    .text
                    .lines()
                    .nth(line as usize - 1)
                    .is_some_and(|line| line.contains("// want low "));
                if low && finding.confidence != Confidence::Low {
                    wrong.push(format!("{}:{line}: not low: {}", file.path, finding.message));
                }
                match place {
                    Some(index) => drop(wanted.remove(index)),
                    None => wrong.push(format!("{}:{line}: found {}", file.path, finding.message)),
                }
            }
            let missed = wanted.into_iter();
            wrong.extend(
                missed.map(|(line, part)| format!("{}:{line}: wanted {part:?}", file.path)),
            );
        }
        assert!(marks > 1, "{} has no true cases", rule.code);
        assert!(quiet > marks, "{} has no near misses", rule.code);
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_rule_has_a_page_with_the_same_sections() {
    let sections = ["## Why it matters", "## Bad", "## Good", "## How sure", "## Related"];
    for (rule, _) in ALL {
        assert!(rule.page.starts_with(&format!("# {}\n", rule.code)), "{}", rule.code);
        let found: Vec<&str> = rule.page.lines().filter(|line| line.starts_with("## ")).collect();
        assert_eq!(found, sections, "{}", rule.code);
    }
}

#[test]
fn codes_are_in_order_and_once() {
    let codes: Vec<&str> = ALL.iter().map(|(rule, _)| rule.code).collect();
    assert!(codes.is_sorted_by(|a, b| a < b), "{codes:?}");
}
