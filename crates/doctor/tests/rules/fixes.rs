//! Every fix of every finding in `testdata/`: applied alone, the file still reads whole, and the finding is
//! gone.

use std::path::Path;

use doctor::{
    finding::{Edit, Finding},
    package::{Module, Package, SourceFile},
    rules::{ALL, analyse},
};

use crate::texts;

fn apply(text: &str, edits: &[Edit]) -> String {
    let mut edits: Vec<&Edit> = edits.iter().collect();
    edits.sort_by_key(|edit| edit.span);
    let (mut mended, mut at) = (String::new(), 0);
    for edit in edits {
        let (start, end) = (edit.span.start as usize, edit.span.end as usize);
        assert!(at <= start, "edits overlap at {start}");
        mended.push_str(&text[at..start]);
        mended.push_str(&edit.text);
        at = end;
    }
    mended.push_str(&text[at..]);
    mended
}

fn count(texts: &[(String, String)], code: &str) -> (usize, Vec<(usize, Finding)>) {
    let files: Vec<SourceFile<'_>> =
        texts.iter().map(|(path, text)| SourceFile::new(path, text)).collect();
    let errors = files.iter().map(|file| file.syntax.errors.len()).sum();
    let package = Package::new(&files, Module::default());
    let found = analyse(&package, &|rule| rule.code == code);
    let found = found.into_iter().enumerate();
    (
        errors,
        found
            .flat_map(|(index, (_, found))| found.into_iter().map(move |it| (index, it)))
            .collect(),
    )
}

#[test]
fn a_fix_leaves_a_file_that_reads_whole_and_without_the_finding() {
    let testdata = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata");
    for (rule, _) in ALL {
        let texts = texts(&testdata.join(rule.code));
        let (_, before) = count(&texts, rule.code);
        for (index, finding) in &before {
            let Some(fix) = &finding.fix else { continue };
            let mut mended = texts.clone();
            mended[*index].1 = apply(&mended[*index].1, &fix.edits);
            let (errors, after) = count(&mended, rule.code);
            let place = format!("{} {}: {}", rule.code, finding.message, fix.title);
            assert_eq!(errors, 0, "{place}\n{}", mended[*index].1);
            assert!(after.len() < before.len(), "{place}");
        }
    }
}
