//! What recording a request into objectives costs, on the gateway itself.

use std::{fs, path::Path};

use anyhow::{Result, bail};

use crate::{
    bench::{gateway, output::Folder, program, statistics::median},
    tools::{self, Install},
};

/// The five objectives are watched so many times over: one alone costs less than two runs differ by.
const TIMES: usize = 10;

/// Five objectives of a service: the same kinds as in `crates/control/benches/slo`.
const OBJECTIVES: &str = include_str!("objectives.yaml");

/// User instructions of a request.
pub(super) struct Recording {
    /// Without an objective of its service.
    pub(super) without: f64,
    /// What five objectives add.
    pub(super) five: f64,
}

/// Counts the gateway's instructions with and without objectives, so many times, by turns.
pub(super) fn measure(rearguard: &Path, folder: &Folder, rounds: u32) -> Result<Recording> {
    // It stands behind the gateway.
    if !tools::provide(&[tools::NGINX], Install::Allowed).is_empty() {
        bail!("the bench needs {}", tools::names(&[tools::NGINX]));
    }
    program::provide_valgrind()?;
    let (mut without, mut added) = (Vec::new(), Vec::new());
    for _ in 0..rounds {
        let counted = gateway::instructions::of_rearguard(folder, rearguard, 2, |set, service| {
            let file = folder.0.join(format!("objectives-{set}.yaml"));
            // An objective of another service keeps the gateway from suggesting one.
            let text = match set {
                0 => documents("nobody", 1),
                _ => documents(service, TIMES),
            };
            fs::write(&file, text)?;
            Ok(file)
        })?;
        without.push(counted[0]);
        added.push((counted[1] - counted[0]) / TIMES as f64);
    }
    Ok(Recording { without: median(without), five: median(added) })
}

fn documents(service: &str, times: usize) -> String {
    let five =
        |time: usize| OBJECTIVES.replace("SERVICE", service).replace("TIME", &time.to_string());
    (0..times).map(five).collect::<Vec<_>>().join("---\n")
}
