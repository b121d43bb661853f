//! Tests about what a whole process has, such as descriptors, need one of their own.

use std::process::{Child, Command, Stdio};

/// Set in the process of such a test.
const OWN_PROCESS: &str = "REARGUARD_IT_OWN_PROCESS";

/// Whether this is the process that was started for one test.
pub(crate) fn is_own_process() -> bool {
    std::env::var_os(OWN_PROCESS).is_some()
}

/// Runs one test in a process of its own.
pub(crate) fn in_own_process(name: &str) -> Child {
    let test = std::env::current_exe().expect("this is a program");
    Command::new(test)
        .args(["--exact", name, "--nocapture", "--test-threads=1"])
        .env(OWN_PROCESS, "1")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("it runs")
}
