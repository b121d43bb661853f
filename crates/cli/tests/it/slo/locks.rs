//! One process writes a folder of `--state`.

use super::{EXAMPLE, command, folder};
use crate::support::Gateway;

#[test]
fn a_second_process_is_refused_with_the_number_of_the_first_until_that_is_dead() {
    let state = folder("slo-lock");
    let state = state.to_str().unwrap();
    let gateway = Gateway::up(&[EXAMPLE, "--state", state]);
    let up = ["up", EXAMPLE, "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0", "--state", state];
    let (is_ok, _, complaint) = command(&up);
    let expected = format!(
        "{state}/slo.db is in use by process {}, and two processes would",
        gateway.process()
    );
    assert!(!is_ok && complaint.contains(&expected), "{expected} in\n{complaint}");

    // Who only reads is welcome.
    let report = ["slo", "report", "--month", "2026-11", "--state", state, EXAMPLE];
    let (is_ok, said, complaint) = command(&report);
    assert!(is_ok && said.starts_with("# Objectives in 2026-11"), "{said}\n{complaint}");

    // As kill -9 does.
    drop(gateway);
    drop(Gateway::up(&[EXAMPLE, "--state", state]));
    let (is_ok, _, complaint) = command(&report);
    assert!(is_ok, "{complaint}");
}
