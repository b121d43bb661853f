//! What is written down while a schedule runs: of each cleanup, of each scope, and every report.

use std::sync::{
    Arc, Mutex, MutexGuard, OnceLock, PoisonError,
    atomic::{AtomicBool, AtomicU64, Ordering::SeqCst},
};

use rearguard::{Held, Observer, Outcome, Report, UnfinishedReason};

use crate::program::{Fate, Kind, ObserverDoes, Panics};

/// The order of events.
static NOW: AtomicU64 = AtomicU64::new(1);

pub(crate) fn now() -> u64 {
    NOW.fetch_add(1, SeqCst)
}

pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What panics on purpose panics with this, and the hook is silent about it.
#[derive(Debug)]
pub(crate) struct OnPurpose;

/// Everything that one schedule leaves behind.
#[derive(Default)]
pub(crate) struct World {
    pub(crate) records: Mutex<Vec<Arc<Record>>>,
    pub(crate) scopes: Mutex<Vec<Arc<ScopeRecord>>>,
    /// What outlives its scope.
    pub(crate) held: Mutex<Vec<Held<Value>>>,
    /// What was seen to be wrong while it ran.
    pub(crate) wrong: Mutex<Vec<String>>,
}

/// A scope, by its number.
#[derive(Debug, Default)]
pub(crate) struct ScopeRecord {
    pub(crate) number: usize,
    pub(crate) state: Mutex<ScopeState>,
}

#[derive(Debug, Default)]
pub(crate) struct ScopeState {
    /// How its body ended, or what it was told to end with.
    pub(crate) ended_as: Option<Outcome>,
    pub(crate) spawned: bool,
    /// When the body's locals were dropped.
    pub(crate) body_gone: Option<u64>,
    /// The scope that it is a part of.
    pub(crate) adopted_by: Option<usize>,
}

/// What a record is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum What {
    Cleanup(Kind),
    Held(Fate),
    Acquired(Fate),
    /// The entry of an adopted scope, by that one's number.
    Adopted(usize),
    Task,
}

/// Something that was registered.
#[derive(Debug)]
pub(crate) struct Record {
    pub(crate) what: What,
    pub(crate) panics: Panics,
    pub(crate) state: Mutex<State>,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct State {
    /// Whose it is now.
    pub(crate) scope: usize,
    pub(crate) line: u32,
    /// When that scope got it; null as long as it has not.
    pub(crate) registered: u64,
    pub(crate) made: Vec<u64>,
    pub(crate) begun: Vec<u64>,
    pub(crate) ended: Vec<(u64, Ending)>,
    /// Of the capture.
    pub(crate) dropped: Vec<u64>,
    /// Of what is held: how often it was made and dropped.
    pub(crate) values: (usize, usize),
    /// How the getting of it ended.
    pub(crate) got: Option<Ending>,
    pub(crate) getting: bool,
    /// It is in its user's hands, or was.
    pub(crate) lent: bool,
    pub(crate) disarmed: bool,
    pub(crate) early: bool,
    /// Nothing is known of its place among the others.
    pub(crate) wild: bool,
    pub(crate) outcome: Option<Outcome>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    Well,
    Error,
    Panic,
}

impl Record {
    pub(crate) fn new(what: What, panics: Panics, scope: usize) -> Arc<Self> {
        let state = Mutex::new(State { scope, ..State::default() });
        Arc::new(Self { what, panics, state })
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }

    /// Whether its place among the others is known.
    pub(crate) fn is_plain(&self) -> bool {
        let state = self.state();
        !state.early && !state.wild
    }
}

/// Captured by a cleanup, to see it dropped.
#[derive(Debug)]
pub(crate) struct Token(pub(crate) Arc<Record>);

impl Drop for Token {
    fn drop(&mut self) {
        self.0.state().dropped.push(now());
        if self.0.panics == Panics::Dropped {
            std::panic::panic_any(OnPurpose);
        }
    }
}

/// Held by a scope.
#[derive(Debug)]
pub(crate) struct Value(Arc<Record>);

impl Value {
    pub(crate) fn new(record: &Arc<Record>) -> Self {
        record.state().values.0 += 1;
        Self(Arc::clone(record))
    }
}

impl Drop for Value {
    fn drop(&mut self) {
        self.0.state().values.1 += 1;
    }
}

impl World {
    /// Lists something as registered now.
    pub(crate) fn register(&self, record: &Arc<Record>) {
        record.state().registered = now();
        lock(&self.records).push(Arc::clone(record));
    }

    pub(crate) fn scope(&self) -> Arc<ScopeRecord> {
        let mut scopes = lock(&self.scopes);
        let scope = Arc::new(ScopeRecord { number: scopes.len(), state: Mutex::default() });
        scopes.push(Arc::clone(&scope));
        scope
    }

    pub(crate) fn wrong(&self, what: impl Into<String>) {
        lock(&self.wrong).push(what.into());
    }
}

/// The name of a scope.
pub(crate) fn name(number: usize) -> &'static str {
    static NAMES: OnceLock<Vec<&'static str>> = OnceLock::new();
    let names = NAMES.get_or_init(|| {
        (0..256).map(|number| &*Box::leak(number.to_string().into_boxed_str())).collect()
    });
    names[number]
}

/// What a report said.
#[derive(Clone, Debug)]
pub(crate) struct Summary {
    pub(crate) scope: usize,
    pub(crate) outcome: Outcome,
    pub(crate) cleanups: usize,
    pub(crate) unfinished: Vec<(u32, UnfinishedReason)>,
}

impl Summary {
    fn of(report: &Report) -> Self {
        let unfinished = report.unfinished().iter();
        Self {
            scope: report.name.parse().expect("every scope has a number as its name"),
            outcome: report.outcome,
            cleanups: report.cleanups,
            unfinished: unfinished.map(|one| (one.registered_at.line(), one.reason)).collect(),
        }
    }
}

static OBSERVED: Mutex<Vec<Summary>> = Mutex::new(Vec::new());
static PANICS: AtomicBool = AtomicBool::new(false);

struct Files;

impl Observer for Files {
    fn scope_ended(&self, report: &Report) {
        lock(&OBSERVED).push(Summary::of(report));
        if PANICS.load(SeqCst) {
            std::panic::panic_any(OnPurpose);
        }
    }
}

/// Sets the process's observer and panic hook, once.
pub(crate) fn set_up() {
    static ONCE: OnceLock<()> = OnceLock::new();
    ONCE.get_or_init(|| {
        drop(rearguard::set_observer(Files));
        let hook = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            // So does a sleep whose runtime has gone.
            let shut_down = info.payload_as_str().is_some_and(|text| text.contains("shutdown"));
            if !info.payload().is::<OnPurpose>() && !shut_down {
                hook(info);
            }
        }));
    });
}

/// Forgets all reports, and says what the observer does with the next.
pub(crate) fn observe(does: ObserverDoes) {
    PANICS.store(does == ObserverDoes::Panic, SeqCst);
    lock(&OBSERVED).clear();
}

/// All reports since then.
pub(crate) fn observed() -> Vec<Summary> {
    std::mem::take(&mut lock(&OBSERVED))
}
