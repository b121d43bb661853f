//! How fast Go files are read: `cargo bench -p doctor --bench syntax -- FOLDER…`.
//!
//! Reads every `.go` file under the folders into memory, parses all of them a few times, and prints
//! the best run. Without a folder (as `cargo test --benches` starts it) a small text is parsed once.
#![expect(clippy::print_stdout, reason = "its output is what it is run for")]

use std::{
    env, fs,
    hint::black_box,
    path::{Path, PathBuf},
    time::Instant,
};

use doctor::syntax;

/// The best of so many runs.
const RUNS: usize = 5;

fn main() {
    let folders: Vec<_> = env::args_os().skip(1).filter(|argument| argument != "--bench").collect();
    let mut texts = Vec::new();
    for folder in &folders {
        collect(Path::new(folder), &mut texts);
    }
    if texts.is_empty() {
        texts.push((PathBuf::from("small.go"), "package small\n".to_owned()));
    }
    let bytes: usize = texts.iter().map(|(_, text)| text.len()).sum();
    let mut best = f64::INFINITY;
    for _ in 0..RUNS {
        let begun = Instant::now();
        for (_, text) in &texts {
            black_box(syntax::parse(black_box(text)));
        }
        best = best.min(begun.elapsed().as_secs_f64());
    }
    let with_errors = texts.iter().filter(|(path, text)| {
        let errors = syntax::parse(text).errors;
        for error in &errors {
            let position = syntax::Lines::new(text).position(error.span.start);
            println!("{}:{}:{}: {}", path.display(), position.line, position.column, error.message);
        }
        !errors.is_empty()
    });
    println!(
        "{} files, {:.1} MB, {:.3} s, {:.1} MB/s on one core; {} with errors",
        texts.len(),
        bytes as f64 / 1e6,
        best,
        bytes as f64 / 1e6 / best,
        with_errors.count(),
    );
}

fn collect(folder: &Path, texts: &mut Vec<(PathBuf, String)>) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries.filter_map(Result::ok) {
        let path = entry.path();
        if path.is_dir() {
            collect(&path, texts);
        } else if path.extension().is_some_and(|extension| extension == "go")
            && let Ok(text) = fs::read_to_string(&path)
        {
            texts.push((path, text));
        }
    }
}
