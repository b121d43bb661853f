//! `rearguard up` with objectives.

mod alerts;
mod budgets;
mod letters;
mod locks;
mod prometheus;
mod reload;
mod servers;

use std::{fs, path::PathBuf, process::Command};

use serde_json::Value;

use crate::support::{Gateway, scratch};

const EXAMPLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../examples/openslo/shop.yaml");

/// An empty folder.
pub(super) fn folder(name: &str) -> PathBuf {
    let folder = scratch(name);
    fs::remove_dir_all(&folder).unwrap_or_default();
    fs::create_dir_all(&folder).unwrap();
    folder
}

pub(super) fn objective(gateway: &Gateway, name: &str) -> Value {
    let slo = gateway.api("/api/v1/slo");
    let objectives = slo["objectives"].as_array().unwrap();
    let found = objectives.iter().find(|objective| objective["objective"] == name);
    found.unwrap_or_else(|| panic!("no {name} in {slo:#}")).clone()
}

pub(super) fn bad(gateway: &Gateway) -> u64 {
    objective(gateway, "payments-are-served")["counts"]["bad"].as_u64().unwrap()
}

pub(super) fn command(arguments: &[&str]) -> (bool, String, String) {
    let ended = Command::new(env!("CARGO_BIN_EXE_rearguard")).args(arguments).output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (ended.status.success(), text(&ended.stdout), text(&ended.stderr))
}

/// The example, whose first objective has a page that looks back a minute, and 5 s.
pub(super) fn with_quick_page(burn: f64) -> String {
    let policy = format!(
        "  objectives:
  - target: 0.999
  alertPolicies:
  - kind: AlertPolicy
    metadata: {{name: soon}}
    spec:
      alertWhenBreaching: true
      alertWhenResolved: true
      conditions:
      - kind: AlertCondition
        metadata: {{name: a-minute}}
        spec:
          severity: page
          condition: {{kind: burnrate, op: gte, threshold: {burn}, lookbackWindow: 1m}}
"
    );
    fs::read_to_string(EXAMPLE).unwrap().replacen("  objectives:\n  - target: 0.999\n", &policy, 1)
}
