//! The threads of the process, by their names.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::PathBuf,
    sync::{Mutex, PoisonError},
};

use super::{
    super::process::SPAWNER_NAME,
    leak::{Leak, LeakKind},
    proc::numbered,
};

/// The threads that there are.
#[derive(Clone, Debug, Default)]
pub(super) struct Threads(BTreeMap<u32, String>);

/// Threads that outlast a test by design, as the kernel cuts their names off: tokio's, which a
/// runtime keeps for reuse and ends with itself, and the one that starts servers.
const KEPT: [&str; 3] = ["tokio-runtime-w", "tokio-rt-worker", SPAWNER_NAME];

/// Threads of tests that wait for their turn.
static TESTS: Mutex<BTreeSet<u32>> = Mutex::new(BTreeSet::new());

/// Makes the calling thread known as that of a test.
pub(super) fn enter() {
    let own = fs::read_link("/proc/thread-self").ok();
    let own: Option<u32> = own.and_then(|path| path.file_name()?.to_str()?.parse().ok());
    TESTS.lock().unwrap_or_else(PoisonError::into_inner).extend(own);
}

impl Threads {
    pub(super) fn now() -> Self {
        let name = |path: PathBuf| fs::read_to_string(path.join("comm")).ok();
        let threads = numbered("task").filter_map(|(id, path)| Some((id, name(path)?)));
        Self(threads.map(|(id, name)| (id, name.trim_end().to_owned())).collect())
    }

    /// Those that were not there then.
    pub(super) fn since(&self, then: &Self) -> Vec<Leak> {
        let tests = TESTS.lock().unwrap_or_else(PoisonError::into_inner);
        let new = self.0.iter().filter(|(id, name)| {
            !then.0.contains_key(id) && !tests.contains(id) && !KEPT.contains(&name.as_str())
        });
        let leak = |(_, name): (_, &String)| {
            Leak::of_process(LeakKind::Thread, format!("thread `{name}`"))
        };
        new.map(leak).collect()
    }
}
