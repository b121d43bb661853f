//! Fixes leave files that read, and that gofmt has nothing to say about.

use std::{fs, path::Path, process::Command};

use doctor::{
    analysis::mend, finding::Safety, package::Module, rule::Confidence, settings::Settings,
    syntax::parse,
};

use crate::go;

/// The files of a folder that gofmt would change.
fn unformatted(folder: &Path) -> Vec<String> {
    let mut gofmt = Command::new(go::root().join("bin/gofmt"));
    let listed = gofmt.arg("-l").arg(folder).output().expect("gofmt starts");
    assert!(listed.status.success(), "{}", String::from_utf8_lossy(&listed.stderr));
    let listed = String::from_utf8(listed.stdout).unwrap();
    listed.lines().map(|path| path.rsplit('/').next().unwrap_or(path).to_owned()).collect()
}

#[test]
fn every_fix_of_every_rules_cases_leaves_the_file_parseable_and_as_gofmt_has_it() {
    let testdata = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata");
    let mended = Path::new(env!("CARGO_TARGET_TMPDIR")).join("mended");
    let settings = Settings { confidence: Confidence::Low, ..Settings::default() };
    let mut applied = 0;
    for folder in fs::read_dir(&testdata).unwrap() {
        let folder = folder.unwrap().path();
        let mut texts = Vec::new();
        for file in fs::read_dir(&folder).unwrap() {
            let path = file.unwrap().path();
            texts.push((path.display().to_string(), fs::read_to_string(&path).unwrap()));
        }
        texts.sort();
        let files: Vec<(&str, &str)> =
            texts.iter().map(|(path, text)| (path.as_str(), text.as_str())).collect();
        let fixed = mend(&files, Module::default(), &settings, Safety::Unsafe, &|_| true);
        fs::remove_dir_all(&mended).unwrap_or_default();
        fs::create_dir_all(&mended).unwrap();
        for ((path, _), fixed) in texts.iter().zip(&fixed) {
            assert_eq!(fixed.refused, [], "{path}");
            assert_eq!(parse(&fixed.text).errors, [], "{path}:\n{}", fixed.text);
            let name = Path::new(path).file_name().unwrap();
            fs::write(mended.join(name), &fixed.text).unwrap();
            applied += fixed.applied.len();
        }
        let before = unformatted(&folder);
        let after = unformatted(&mended);
        let made: Vec<&String> = after.iter().filter(|name| !before.contains(name)).collect();
        assert!(made.is_empty(), "{}: {made:?}", folder.display());
    }
    assert!(applied > 0, "no rule has a fix");
}
