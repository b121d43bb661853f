//! Our tree against go/parser's, over the files that come with Go.

use std::{
    io::Write as _,
    path::Path,
    process::{Command, Stdio},
    sync::LazyLock,
    thread,
};

use crate::{go, invariants::check, tree::tree};

/// One file of so many is compared, so that the run stays short. `REARGUARD_GO_FILES=all` compares
/// all of them, which takes two minutes.
const ONE_OF: usize = 40;

/// Files with errors that go/parser does not look for, and why we do.
const STRICTER: [&str; 2] = [
    // A receiver list with no receiver, and with two: its compiler finds them.
    "go/doc/testdata/issue17788.go",
    "internal/types/testdata/check/decls2/decls2a.go",
];

/// The files, each with the hash of go/parser's tree, or `-` where it finds errors.
static COMPARED: LazyLock<Vec<(go::Source, String)>> = LazyLock::new(|| {
    let sources = go::sources(ONE_OF);
    let theirs = hashes(&sources);
    assert_eq!(theirs.len(), sources.len());
    sources.into_iter().zip(theirs).collect()
});

#[test]
fn every_file_of_go_gives_the_tree_that_go_parser_gives() {
    let (mut same, mut differing) = (0, Vec::new());
    for (source, theirs) in COMPARED.iter() {
        let file = check(&source.text);
        if STRICTER.iter().any(|path| source.path.ends_with(path)) {
            continue;
        }
        match (theirs.as_str(), file.errors.first()) {
            ("-", _) => {}
            (_, Some(error)) => differing.push(format!("{}: {error:?}", source.path.display())),
            (theirs, None) => {
                let ours = tree(&file, &source.text);
                if format!("{:016x}", fnv1a(&ours)) == *theirs {
                    same += 1;
                } else {
                    differing.push(first_difference(&source.path, &ours));
                }
            }
        }
    }
    let count = differing.len();
    let shown = differing.into_iter().take(10).collect::<Vec<_>>().join("\n");
    assert_eq!(count, 0, "{count} files differ, {same} do not:\n{shown}");
    assert!(same * 10 > COMPARED.len() * 9, "only {same} of {} were compared", COMPARED.len());
}

#[test]
fn what_go_parser_finds_no_go_is_none_for_us() {
    for (source, theirs) in COMPARED.iter() {
        if theirs == "-" {
            let file = check(&source.text);
            assert!(!file.errors.is_empty(), "{}: no error found", source.path.display());
        }
    }
}

fn program() -> Command {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/go_parser");
    let files = ["main.go", "statements.go", "expressions.go"];
    let mut run = go::go_command();
    run.current_dir(folder).arg("run").args(files);
    run
}

/// What go/parser makes of each of `sources`.
fn hashes(sources: &[go::Source]) -> Vec<String> {
    let mut child = program()
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the Go command starts");
    let mut input = child.stdin.take().unwrap();
    let paths: String =
        sources.iter().map(|source| format!("{}\n", source.path.display())).collect();
    let writer = thread::spawn(move || input.write_all(paths.as_bytes()));
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap().unwrap();
    assert!(output.status.success(), "tests/it/go_parser does not run");
    String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect()
}

fn first_difference(path: &Path, ours: &str) -> String {
    let output = program().arg("-tree").arg(path).output().unwrap();
    let theirs = String::from_utf8(output.stdout).unwrap();
    let pair = ours.lines().zip(theirs.lines()).find(|(ours, theirs)| ours != theirs);
    let (ours, theirs) = pair.unwrap_or(("another length", "another length"));
    format!("{}:\n  ours   {ours}\n  theirs {theirs}", path.display())
}

fn fnv1a(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}
