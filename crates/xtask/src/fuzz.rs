//! `cargo xtask fuzz`: libFuzzer on what reads bytes from outside, with the stable toolchain.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result, bail, ensure};

use crate::shell::{self, say};

const FOLDER: &str = "fuzz";

/// Coverage counters, as cargo-fuzz has them put in. The pass belongs to LLVM, so that it needs no
/// nightly compiler; only the sanitizers do.
const FLAGS: [&str; 7] = [
    "--cfg",
    "fuzzing",
    "-Cpasses=sancov-module",
    "-Cllvm-args=-sanitizer-coverage-level=4",
    "-Cllvm-args=-sanitizer-coverage-inline-8bit-counters",
    "-Cllvm-args=-sanitizer-coverage-pc-table",
    "-Cllvm-args=-sanitizer-coverage-trace-compares",
];

/// One input may take this long. Reading one takes far less than a millisecond.
const TIMEOUT_SECONDS: u32 = 5;
const MEMORY_MB: u32 = 1024;

/// Something that is given bytes.
#[derive(Debug)]
struct Target {
    name: &'static str,
    dictionary: &'static str,
    /// Inputs have at most this many bytes: enough to pass the limits that the target sets.
    longest: u32,
}

const TARGETS: [Target; 6] = [
    Target { name: "doctor_parse", dictionary: "go.dict", longest: 4 * 1024 },
    Target { name: "request_head", dictionary: "http.dict", longest: 1024 },
    Target { name: "response_head", dictionary: "http.dict", longest: 1024 },
    Target { name: "chunked_body", dictionary: "http.dict", longest: 9 * 1024 },
    Target { name: "configuration", dictionary: "yaml.dict", longest: 8 * 1024 },
    Target { name: "profile", dictionary: "pprof.dict", longest: 4 * 1024 },
];

#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// How long each target runs.
    #[arg(long, default_value_t = 10)]
    seconds: u32,
    /// Only these targets.
    #[arg(value_parser = TARGETS.map(|target| target.name))]
    targets: Vec<String>,
}

pub(crate) fn run(options: &Options) -> Result<()> {
    ensure!(
        ["c++", "g++", "clang++"].iter().any(|compiler| shell::find(compiler).is_some()),
        "libFuzzer is built by a C++ compiler, and there is none: `apt-get install g++`"
    );
    let programs = build()?;
    let chosen = |target: &&Target| {
        options.targets.is_empty() || options.targets.iter().any(|name| name == target.name)
    };
    let mut failed = Vec::new();
    for target in TARGETS.iter().filter(chosen) {
        say(format_args!("== {} for {} s", target.name, options.seconds));
        if !fuzz(target, &programs, options.seconds)? {
            failed.push(target.name);
        }
    }
    if !failed.is_empty() {
        bail!("an input broke {}: docs/fuzzing.md says what to do with it", failed.join(" and "));
    }
    say(format_args!("ok: no input broke a target"));
    Ok(())
}

/// Builds the targets, and says where they are.
fn build() -> Result<PathBuf> {
    let version = shell::capture(Command::new("rustc").arg("-vV"))?;
    let host = version
        .lines()
        .find_map(|line| line.strip_prefix("host: "))
        .context("rustc did not name its host")?;
    // In a folder of its own: other flags would make cargo build everything anew, each time.
    let built = shell::cache()?.join("fuzz");
    // Naming the target keeps the flags from build scripts, which have nobody to count for them.
    let mut command = shell::cargo();
    command
        .args(["build", "--release", "--locked", "--manifest-path"])
        .arg(Path::new(FOLDER).join("Cargo.toml"))
        .args(["--target", host])
        .env("CARGO_TARGET_DIR", &built)
        .env("CARGO_ENCODED_RUSTFLAGS", FLAGS.join("\u{1f}"));
    shell::run(&mut command)?;
    Ok(built.join(host).join("release"))
}

/// Runs a target on its seeds and on what it has found before; whether every input passed.
fn fuzz(target: &Target, programs: &Path, seconds: u32) -> Result<bool> {
    let folder = Path::new(FOLDER);
    let (corpus, artifacts) =
        (folder.join("corpus").join(target.name), folder.join("artifacts").join(target.name));
    for made in [&corpus, &artifacts] {
        fs::create_dir_all(made).with_context(|| format!("cannot make {}", made.display()))?;
    }
    let mut command = Command::new(programs.join(target.name));
    command
        .arg(&corpus)
        .arg(folder.join("seeds").join(target.name))
        .arg(format!("-dict={}", folder.join(target.dictionary).display()))
        .arg(format!("-max_len={}", target.longest))
        .arg(format!("-max_total_time={seconds}"))
        .arg(format!("-timeout={TIMEOUT_SECONDS}"))
        .arg(format!("-rss_limit_mb={MEMORY_MB}"))
        .arg(format!("-artifact_prefix={}/", artifacts.display()))
        .args(["-verbosity=0", "-print_funcs=0", "-print_final_stats=1"]);
    shell::succeeds(&mut command)
}
