//! The programs of `docs/patterns` print what stands beside them: `rust.txt`, `go.txt`, and, where
//! there is one, `go1.21.txt`, by the rules that Go had for loops before 1.22. The page
//! `docs/patterns.md` is made of these files.
//!
//! With `REARGUARD_RECORD` set, what they print is written down instead; `cargo xtask generate`
//! does that.

#![expect(clippy::print_stdout, clippy::unwrap_used, reason = "examples print, and unwrap")]

#[path = "../../../../docs/patterns/arguments/main.rs"]
mod arguments;
#[path = "../../../../docs/patterns/close-nil/main.rs"]
mod close_nil;
#[path = "../../../../docs/patterns/connection/main.rs"]
mod connection;
#[path = "../../../../docs/patterns/constructor/main.rs"]
mod constructor;
#[path = "../../../../docs/patterns/early-return/main.rs"]
mod early_return;
#[path = "../../../../docs/patterns/exit/main.rs"]
mod exit;
#[path = "../../../../docs/patterns/file/main.rs"]
mod file;
#[path = "../../../../docs/patterns/goroutine/main.rs"]
mod goroutine;
#[path = "../../../../docs/patterns/goroutine-panic/main.rs"]
mod goroutine_panic;
#[path = "../../../../docs/patterns/http-body/main.rs"]
mod http_body;
#[path = "../../../../docs/patterns/lock/main.rs"]
mod lock;
#[path = "../../../../docs/patterns/loop-closure/main.rs"]
mod loop_closure;
#[path = "../../../../docs/patterns/loop-files/main.rs"]
mod loop_files;
#[path = "../../../../docs/patterns/loop-value/main.rs"]
mod loop_value;
#[path = "../../../../docs/patterns/mutex/main.rs"]
mod mutex;
#[path = "../../../../docs/patterns/panic/main.rs"]
mod panic;
#[path = "../../../../docs/patterns/panic-in-cleanup/main.rs"]
mod panic_in_cleanup;
#[path = "../../../../docs/patterns/recover/main.rs"]
mod recover;
#[path = "../../../../docs/patterns/recover-helper/main.rs"]
mod recover_helper;
#[path = "../../../../docs/patterns/repanic/main.rs"]
mod repanic;
#[path = "../../../../docs/patterns/result/main.rs"]
mod result;
#[path = "../../../../docs/patterns/span/main.rs"]
mod span;
#[path = "../../../../docs/patterns/transaction/main.rs"]
mod transaction;

use std::{
    env, fs,
    io::{Read, pipe},
    path::{Path, PathBuf},
    process::{Command, ExitStatus, Stdio, exit},
    thread,
};

/// The programs in Rust, by their folders.
const PROGRAMS: &[(&str, fn())] = &[
    ("arguments", arguments::main),
    ("close-nil", close_nil::main),
    ("connection", connection::main),
    ("constructor", constructor::main),
    ("early-return", early_return::main),
    ("exit", exit::main),
    ("file", file::main),
    ("goroutine", goroutine::main),
    ("goroutine-panic", goroutine_panic::main),
    ("http-body", http_body::main),
    ("lock", lock::main),
    ("loop-closure", loop_closure::main),
    ("loop-files", loop_files::main),
    ("loop-value", loop_value::main),
    ("mutex", mutex::main),
    ("panic", panic::main),
    ("panic-in-cleanup", panic_in_cleanup::main),
    ("recover", recover::main),
    ("recover-helper", recover_helper::main),
    ("repanic", repanic::main),
    ("result", result::main),
    ("span", span::main),
    ("transaction", transaction::main),
];

/// Names the program that this binary, started again, is.
const PROGRAM: &str = "REARGUARD_PATTERN";

/// Where a program's own output begins, after what the test harness says.
const BEGIN: &str = "<program>\n";

/// The status of a process that ended by a panic.
const PANICKED: i32 = 101;

fn folder() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/patterns"))
}

#[test]
fn every_folder_of_patterns_is_run() {
    if let Ok(name) = env::var(PROGRAM) {
        become_program(&name);
    }
    let mut folders: Vec<String> = fs::read_dir(folder())
        .unwrap()
        .map(|entry| entry.unwrap())
        .filter(|entry| entry.path().is_dir())
        .map(|entry| entry.file_name().into_string().unwrap())
        .collect();
    folders.sort();
    let listed: Vec<&str> = PROGRAMS.iter().map(|(name, _)| *name).collect();
    assert_eq!(listed, folders);
}

fn become_program(name: &str) -> ! {
    let (_, program) = PROGRAMS.iter().find(|(listed, _)| *listed == name).unwrap();
    print!("\n{BEGIN}");
    // Programs run on a thread of this name; here it is the harness's.
    let main = thread::Builder::new().name("main".to_owned()).spawn(*program).unwrap();
    exit(main.join().map_or(PANICKED, |()| 0));
}

#[test]
fn the_rust_programs_print_what_is_recorded() {
    let mut wrong = Vec::new();
    for (name, _) in PROGRAMS {
        let mut command = Command::new(env::current_exe().unwrap());
        command
            .args(["--exact", "patterns::every_folder_of_patterns_is_run"])
            .args(["--nocapture", "--test-threads=1"])
            .envs([(PROGRAM, *name), ("RUST_BACKTRACE", "0")]);
        let (printed, status) = run(&mut command);
        let (_, printed) = printed.split_once(BEGIN).expect("the program began");
        compare(name, "rust.txt", &with_status(rust_text(printed), status), &mut wrong);
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_go_programs_print_what_is_recorded() {
    for (name, _) in PROGRAMS {
        let recorded = fs::read_to_string(folder().join(name).join("go.txt")).unwrap_or_default();
        assert!(recorded.ends_with('\n') || recording(), "docs/patterns/{name}/go.txt is missing");
    }
    // Without Go, what it once printed is all there is; `cargo xtask test` installs it.
    let Some(go) = go() else { return };
    let mut wrong = Vec::new();
    let today = build(&go, "patterns-go", &[]);
    let before = build(&go, "patterns-go1.21", &["-gcflags=-lang=go1.21"]);
    for (name, _) in PROGRAMS {
        let text = |programs: &Path| {
            let (printed, status) = run(&mut Command::new(programs.join(name)));
            with_status(go_text(&printed), status)
        };
        compare(name, "go.txt", &text(&today), &mut wrong);
        if name.starts_with("loop-") {
            compare(name, "go1.21.txt", &text(&before), &mut wrong);
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The Go command: `REARGUARD_GO`, else the one on the path.
fn go() -> Option<PathBuf> {
    if let Some(go) = env::var_os("REARGUARD_GO") {
        return Some(go.into());
    }
    let path = env::var_os("PATH")?;
    env::split_paths(&path).map(|folder| folder.join("go")).find(|go| go.is_file())
}

/// Builds every Go program into a folder of its own.
fn build(go: &Path, name: &str, options: &[&str]) -> PathBuf {
    let programs = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    fs::create_dir_all(&programs).unwrap();
    let built = Command::new(go)
        .current_dir(folder())
        .envs([("GOTOOLCHAIN", "local"), ("GOPROXY", "off"), ("GOFLAGS", "")])
        .arg("build")
        .args(options)
        .arg("-o")
        .arg(&programs)
        .arg("./...")
        .output()
        .expect("the Go command starts");
    let said = String::from_utf8_lossy(&built.stderr);
    assert!(built.status.success(), "docs/patterns does not build: {said}");
    programs
}

/// What a program prints, on both of its outputs, in the order in which it does.
fn run(command: &mut Command) -> (String, ExitStatus) {
    let (mut reader, writer) = pipe().unwrap();
    command.stdout(writer.try_clone().unwrap()).stderr(writer);
    let mut child = command.spawn().expect("the program starts");
    // It holds the pipe open.
    command.stdout(Stdio::null()).stderr(Stdio::null());
    let mut printed = String::new();
    reader.read_to_string(&mut printed).unwrap();
    (printed, child.wait().unwrap())
}

fn with_status(printed: String, status: ExitStatus) -> String {
    match status.code() {
        Some(0) => printed,
        Some(code) => format!("{printed}exit status {code}\n"),
        None => panic!("killed: {status}"),
    }
}

/// Without the stack, which names places of this machine.
fn go_text(printed: &str) -> String {
    match printed.split_once("\n\ngoroutine ") {
        Some((before, _)) => format!("{before}\n"),
        None => printed.to_owned(),
    }
}

/// Without what differs between machines in what a panic prints: the thread's number and the
/// folder of the file.
fn rust_text(printed: &str) -> String {
    let lines = printed.lines().filter(|line| !line.is_empty() && !line.starts_with("note: run "));
    let plain = lines.map(|line| match line.split_once(" panicked at ") {
        Some((thread, place)) if line.starts_with("thread '") => {
            let thread = thread.split(" (").next().unwrap_or(thread);
            let file = place.rsplit('/').next().unwrap_or(place);
            format!("{thread} panicked at {file}\n")
        }
        _ => format!("{line}\n"),
    });
    plain.collect()
}

fn recording() -> bool {
    env::var_os("REARGUARD_RECORD").is_some()
}

/// Compares what was printed with what is recorded, or records it.
fn compare(name: &str, file: &str, printed: &str, wrong: &mut Vec<String>) {
    let path = folder().join(name).join(file);
    if recording() {
        fs::write(path, printed).unwrap();
        return;
    }
    let recorded = fs::read_to_string(path).unwrap_or_default();
    if recorded != printed {
        wrong.push(format!(
            "docs/patterns/{name}/{file} has\n{recorded}and the program printed\n{printed}\
             if that is right, run `cargo xtask generate`"
        ));
    }
}
