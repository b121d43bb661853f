//! Builds and runs the program of `tests/programs/cleanup`.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    sync::OnceLock,
};

use doctor::profile::{Profile, Question, Report, SourceIndex, read};

use crate::go_command::go_command;

fn program_folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/programs/cleanup")
}

/// A folder of this test run.
fn scratch(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("profiles").join(name);
    fs::create_dir_all(&folder).unwrap();
    folder
}

/// How the program is built.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Build {
    /// As it is shipped, with `-trimpath`: its files have other paths than the source.
    Optimised,
    /// For a debugger: nothing is inlined.
    Plain,
}

/// The program, built once in each way.
fn program(build: Build) -> &'static Path {
    static OPTIMISED: OnceLock<PathBuf> = OnceLock::new();
    static PLAIN: OnceLock<PathBuf> = OnceLock::new();
    let (built, flag) = match build {
        Build::Optimised => (&OPTIMISED, "-trimpath"),
        Build::Plain => (&PLAIN, "-gcflags=-N -l"),
    };
    built.get_or_init(|| {
        let program = scratch("program").join(format!("{build:?}"));
        let built = go_command()
            .current_dir(program_folder())
            .args(["build", flag, "-o"])
            .arg(&program)
            .arg(".")
            .output()
            .expect("the Go command starts");
        let said = String::from_utf8_lossy(&built.stderr);
        assert!(built.status.success(), "the program does not build: {said}");
        program
    })
}

/// Runs it; the folder has the profiles afterwards.
pub(crate) fn run(build: Build, name: &str, mode: &str, more: &[&str]) -> PathBuf {
    let folder = scratch(&format!("{name}-{build:?}"));
    let ran = Command::new(program(build)).arg(mode).arg(&folder).args(more).output().unwrap();
    let said = String::from_utf8_lossy(&ran.stderr);
    assert!(ran.status.success(), "{mode}: {said}");
    folder
}

pub(crate) fn profile(file: &Path) -> Profile {
    let bytes = fs::read(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    read(&bytes).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
}

/// The program's own source.
pub(crate) fn source() -> SourceIndex {
    let files: Vec<(String, String)> = fs::read_dir(program_folder())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|end| end == "go"))
        .map(|path| {
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            (name, fs::read_to_string(path).unwrap())
        })
        .collect();
    SourceIndex::new(&files)
}

fn text_of(file: &str) -> String {
    fs::read_to_string(program_folder().join(file)).unwrap()
}

/// The line of the only place in a file of the program that has this text.
pub(crate) fn line_of(file: &str, text: &str) -> u32 {
    let all = text_of(file);
    let (before, after) = all.split_once(text).unwrap_or_else(|| panic!("no {text:?} in {file}"));
    assert!(!after.contains(text), "{text:?} is there more than once in {file}");
    u32::try_from(before.matches('\n').count()).unwrap() + 1
}

/// The functions that a list of the program names.
pub(crate) fn listed(file: &str, list: &str) -> Vec<String> {
    let all = text_of(file);
    let (_, from) = all.split_once(&format!("var {list} = []func(){{")).unwrap();
    let (names, _) = from.split_once('}').unwrap();
    let names = names.split(',').map(str::trim).filter(|name| !name.is_empty());
    names.map(str::to_owned).collect()
}

pub(crate) fn report<'a>(profile: &'a Profile, source: &'a SourceIndex) -> Report<'a> {
    let source = Some(source);
    Report::new(&Question { profile, source, base: None, findings: &[] })
}
