//! The guard: what there is when it begins, and what is new when the test is done.

use std::{
    future::Future,
    panic::Location,
    thread,
    time::{Duration, Instant},
};

use tokio::{
    runtime::Handle,
    sync::{Mutex, MutexGuard},
};

use super::{
    descriptors::Descriptors,
    leak::{Leak, LeakKind, Leaks},
    threads::{self, Threads},
};
use crate::open::{Of, OpenKind, Watch};

/// How long a guard waits for things to end, unless [`LeakGuard::settle_time`] says otherwise.
pub const DEFAULT_SETTLE_TIME: Duration = Duration::from_secs(5);

/// The first and the longest pause between two looks.
const FIRST_PAUSE: Duration = Duration::from_millis(1);
/// As above.
const LONGEST_PAUSE: Duration = Duration::from_millis(50);

/// One exclusive guard at a time.
static TURN: Mutex<()> = Mutex::const_new(());

/// Watches a test, and fails it if it leaves something behind: begun at its start, finished at its
/// end.
///
/// What is looked at is what belongs to the test's own runtime, so tests may run side by side:
/// tasks, scopes, unfinished cleanups, leased and open connections, held locks. An
/// [`exclusive`](Self::exclusive) guard also sees what belongs to the process as a whole.
///
/// ```
/// use rearguard::{Options, scope_async, testing::LeakGuard};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let guard = LeakGuard::begin();
/// let ended = scope_async(Options::new(), async |s| -> Result<(), String> {
///     s.defer(async { tokio::task::yield_now().await });
///     Ok(())
/// });
/// ended.await.into_result().unwrap();
/// guard.finish().await;
/// # }
/// ```
///
/// # Panics
/// Dropped without [`finish`](Self::finish) or [`check`](Self::check), as nothing would have been
/// looked at; unless it is dropped by a panic. A test that returns early by `?` takes
/// [`leak_checked`].
#[must_use = "nothing is looked at before `finish` or `check`"]
#[derive(Debug)]
pub struct LeakGuard {
    watch: Watch,
    at: &'static Location<'static>,
    runtime: Handle,
    /// How many tasks the runtime had.
    tasks: usize,
    settle_time: Duration,
    process: Option<Process>,
    is_finished: bool,
}

/// What the process had.
#[derive(Debug)]
struct Process {
    descriptors: Descriptors,
    threads: Threads,
    _turn: MutexGuard<'static, ()>,
}

impl LeakGuard {
    /// Watches what belongs to the current runtime. Call it before anything is opened.
    ///
    /// # Panics
    /// Outside of a runtime.
    #[track_caller]
    pub fn begin() -> Self {
        let runtime = Handle::current();
        Self {
            watch: Watch::begin(),
            at: Location::caller(),
            tasks: runtime.metrics().num_alive_tasks(),
            runtime,
            settle_time: DEFAULT_SETTLE_TIME,
            process: None,
            is_finished: false,
        }
    }

    /// Watches what belongs to the process as well: descriptors, threads (both on Linux only), and
    /// what was opened outside of any runtime. Waits for its turn: one exclusive guard is there at a
    /// time. Tests that have none, or have opened something before, run in its way: give each of the
    /// process such a guard as its first step, or run them by `--test-threads=1`, or a process each,
    /// as cargo-nextest does.
    ///
    /// # Panics
    /// Outside of a runtime.
    #[track_caller]
    pub fn exclusive() -> impl Future<Output = Self> {
        threads::enter();
        let at = Location::caller();
        async move {
            let turn = TURN.lock().await;
            let descriptors = Descriptors::now();
            let process = Process { descriptors, threads: Threads::now(), _turn: turn };
            let mut guard = Self::begin();
            guard.at = at;
            guard.process = Some(process);
            guard
        }
    }

    /// How long it waits for things to end before it says that they are left behind.
    pub const fn settle_time(mut self, settle_time: Duration) -> Self {
        self.settle_time = settle_time;
        self
    }

    /// Fails the test unless everything ends within the settle time.
    ///
    /// # Panics
    /// With all that was left behind. In a runtime without timers.
    pub async fn finish(self) {
        if let Err(leaks) = self.check().await {
            panic!("{leaks}");
        }
    }

    /// Waits until everything has ended.
    ///
    /// # Errors
    /// What is left behind when the settle time has passed.
    ///
    /// # Panics
    /// In a runtime without timers.
    pub async fn check(mut self) -> Result<(), Leaks> {
        self.is_finished = true;
        let begun = Instant::now();
        let mut pause = FIRST_PAUSE;
        loop {
            let leaks = self.left();
            let waited = begun.elapsed();
            if leaks.is_empty() {
                return Ok(());
            }
            if waited >= self.settle_time {
                return Err(Leaks { leaks, guard: self.at, waited });
            }
            // Time may be paused, and jump; what servers and the kernel do needs real time.
            tokio::time::sleep(pause).await;
            thread::sleep(FIRST_PAUSE);
            pause = LONGEST_PAUSE.min(pause * 2);
        }
    }

    /// What there is now that was not there when it began.
    fn left(&self) -> Vec<Leak> {
        let runtime = self.runtime.id();
        let of = match self.process {
            Some(_) => Of::RuntimeAndNone(runtime),
            None => Of::Runtime(runtime),
        };
        let things = self.watch.things(of);
        let in_tasks = |kind: &OpenKind| matches!(kind, OpenKind::Task | OpenKind::Reaped);
        let named_tasks = things.iter().filter(|thing| in_tasks(&thing.kind)).count();
        let mut leaks: Vec<Leak> = things.into_iter().map(Leak::from).collect();
        leaks.extend(self.watch.unfinished(of).into_iter().map(Leak::from));
        let tasks = self.runtime.metrics().num_alive_tasks();
        leaks.extend(other_tasks(tasks.saturating_sub(self.tasks + named_tasks)));
        leaks.extend(unlisted(self.watch.unlisted()));
        if let Some(process) = &self.process {
            leaks.extend(Descriptors::now().since(&process.descriptors));
            leaks.extend(Threads::now().since(&process.threads));
        }
        leaks
    }
}

fn other_tasks(count: usize) -> Option<Leak> {
    let what = match count {
        0 => return None,
        1 => "a task of the runtime, spawned outside of any scope".to_owned(),
        more => format!("{more} tasks of the runtime, spawned outside of any scope"),
    };
    Some(Leak::of_process(LeakKind::Task, what))
}

fn unlisted(count: u64) -> Option<Leak> {
    let what = format!("{count} more, too many to be listed");
    (count > 0).then(|| Leak::of_process(LeakKind::Unlisted, what))
}

impl Drop for LeakGuard {
    fn drop(&mut self) {
        assert!(
            self.is_finished || thread::panicking(),
            "the leak guard of {} was dropped before `finish`: nothing was looked at",
            self.at
        );
    }
}

/// Runs a test's body under a [`LeakGuard`], and returns what it returns.
///
/// ```
/// use rearguard::testing::leak_checked;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), std::num::ParseIntError> {
/// leak_checked(async {
///     let number: u32 = "7".parse()?;
///     assert_eq!(number, 7);
///     Ok(())
/// })
/// .await
/// # }
/// ```
///
/// # Panics
/// As [`LeakGuard::finish`] does.
#[track_caller]
pub fn leak_checked<F: Future>(body: F) -> impl Future<Output = F::Output> {
    let at = Location::caller();
    async move {
        let mut guard = LeakGuard::begin();
        guard.at = at;
        let value = body.await;
        guard.finish().await;
        value
    }
}
