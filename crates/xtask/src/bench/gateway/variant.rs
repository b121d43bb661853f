//! Where proxy, upstream and load run.

use crate::{bench::server::Under, shell};

/// A division of the cores.
#[derive(Clone, Debug)]
pub(super) struct Variant {
    pub(super) name: &'static str,
    pub(super) workers: usize,
    pub(super) proxy: Under,
    pub(super) others: Under,
    pub(super) load_threads: usize,
}

/// One core for the proxy and the rest for the others; and all cores for all.
pub(super) fn variants(cores: usize) -> Vec<Variant> {
    let half = (cores / 2).max(1);
    let all = Variant {
        name: "all cores",
        workers: cores,
        proxy: Under::Nothing,
        others: Under::Nothing,
        load_threads: half,
    };
    if cores < 2 || shell::find("taskset").is_none() {
        return vec![all];
    }
    let one = Variant {
        name: "one core",
        workers: 1,
        proxy: Under::Cores("0".to_owned()),
        others: Under::Cores(format!("1-{}", cores - 1)),
        load_threads: 1,
    };
    vec![one, all]
}
