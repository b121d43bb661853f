//! The registry of what is open, for as long as somebody watches.

use std::{
    borrow::Cow,
    collections::BTreeMap,
    num::NonZeroU64,
    panic::Location,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::Instant,
};

use tokio::runtime::{self, Handle};

use super::OpenKind;
use crate::{CallContext, Report, TraceId};

/// What is opened beyond so many things at once is not listed, and counted.
const MAX_THINGS: usize = 65_536;

/// Unfinished cleanups beyond so many are not listed, and counted.
const MAX_UNFINISHED: usize = 4096;

/// Where something was opened.
pub(crate) type Place = &'static Location<'static>;

/// Something open; dropped, it is closed.
#[derive(Debug, Default)]
pub(crate) struct Open(Option<NonZeroU64>);

/// What is known of something open.
#[derive(Clone, Debug)]
pub(crate) struct Thing {
    pub(crate) kind: OpenKind,
    pub(crate) name: Cow<'static, str>,
    pub(crate) at: Place,
    pub(crate) since: Instant,
    pub(crate) trace: Option<TraceId>,
    runtime: Option<runtime::Id>,
}

/// A cleanup that did not run to its end.
#[derive(Clone, Debug)]
pub(crate) struct Unfinished {
    pub(crate) scope: &'static str,
    pub(crate) unfinished: crate::Unfinished,
    pub(crate) when: Instant,
    runtime: Option<runtime::Id>,
}

#[derive(Debug)]
struct Registry {
    /// The number of the last entry; numbers are never used twice.
    last: u64,
    things: BTreeMap<u64, Thing>,
    unfinished: Vec<(u64, Unfinished)>,
    unlisted: u64,
}

static WATCHES: AtomicUsize = AtomicUsize::new(0);

static REGISTRY: Mutex<Registry> =
    Mutex::new(Registry { last: 0, things: BTreeMap::new(), unfinished: Vec::new(), unlisted: 0 });

fn registry() -> MutexGuard<'static, Registry> {
    REGISTRY.lock().unwrap_or_else(PoisonError::into_inner)
}

fn current_runtime() -> Option<runtime::Id> {
    Handle::try_current().ok().map(|handle| handle.id())
}

/// Where the caller was called.
#[track_caller]
pub(crate) fn here() -> Place {
    Location::caller()
}

/// Whether what is opened is listed now.
pub(crate) fn is_watched() -> bool {
    WATCHES.load(Relaxed) > 0
}

/// Lists something until what is returned is dropped.
pub(crate) fn register<S: Into<Cow<'static, str>>>(
    kind: OpenKind,
    name: impl FnOnce() -> S,
    at: impl Into<Place>,
) -> Open {
    if !is_watched() {
        return Open(None);
    }
    let thing = Thing {
        kind,
        name: name().into(),
        at: at.into(),
        since: Instant::now(),
        trace: CallContext::current().map(|context| context.trace().trace_id),
        runtime: current_runtime(),
    };
    let mut registry = registry();
    if registry.things.len() >= MAX_THINGS {
        registry.unlisted += 1;
        return Open(None);
    }
    let id = registry.next();
    registry.things.insert(id, thing);
    Open(NonZeroU64::new(id))
}

/// Keeps what a scope's report says of cleanups that did not run to their end.
pub(crate) fn note_unfinished(open: &Open, report: &Report) {
    if report.unfinished().is_empty() || !is_watched() {
        return;
    }
    let mut registry = registry();
    // It may have ended elsewhere, outside of any runtime.
    let opened_in = open.0.and_then(|id| registry.things.get(&id.get())?.runtime);
    let runtime = opened_in.or_else(current_runtime);
    for unfinished in report.unfinished() {
        if registry.unfinished.len() >= MAX_UNFINISHED {
            registry.unlisted += 1;
            continue;
        }
        let unfinished = Unfinished {
            scope: report.name,
            unfinished: *unfinished,
            when: Instant::now(),
            runtime,
        };
        let id = registry.next();
        registry.unfinished.push((id, unfinished));
    }
}

impl Registry {
    fn next(&mut self) -> u64 {
        self.last += 1;
        self.last
    }
}

impl Open {
    /// From now on it is a thing of this kind.
    pub(crate) fn becomes(&self, kind: OpenKind) {
        let Some(id) = self.0 else { return };
        if let Some(thing) = registry().things.get_mut(&id.get()) {
            thing.kind = kind;
        }
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        if let Some(id) = self.0 {
            // Its name is dropped when the registry is free again.
            let closed = registry().things.remove(&id.get());
            drop(closed);
        }
    }
}

/// Whose things are looked at.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Of {
    /// Those that were opened in one runtime.
    Runtime(runtime::Id),
    /// Those as well that were opened outside of any.
    RuntimeAndNone(runtime::Id),
}

/// While there is one, what is opened is listed.
#[derive(Debug)]
pub(crate) struct Watch {
    begun: u64,
    unlisted: u64,
}

impl Watch {
    pub(crate) fn begin() -> Self {
        let registry = registry();
        WATCHES.fetch_add(1, Relaxed);
        Self { begun: registry.last, unlisted: registry.unlisted }
    }

    /// What was opened since it began, and is open.
    pub(crate) fn things(&self, of: Of) -> Vec<Thing> {
        let registry = registry();
        let since = registry.things.range(self.begun + 1..).map(|(_, thing)| thing);
        since.filter(|thing| of.has(thing.runtime)).cloned().collect()
    }

    /// The cleanups that did not run to their end since it began.
    pub(crate) fn unfinished(&self, of: Of) -> Vec<Unfinished> {
        let registry = registry();
        let since = registry.unfinished.iter().filter(|(id, _)| *id > self.begun);
        since.map(|(_, it)| it).filter(|it| of.has(it.runtime)).cloned().collect()
    }

    /// How much was not listed since it began, as it was too much.
    pub(crate) fn unlisted(&self) -> u64 {
        registry().unlisted - self.unlisted
    }
}

impl Of {
    fn has(self, runtime: Option<runtime::Id>) -> bool {
        match self {
            Self::Runtime(id) => runtime == Some(id),
            Self::RuntimeAndNone(id) => runtime.is_none_or(|runtime| runtime == id),
        }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        let mut registry = registry();
        if WATCHES.fetch_sub(1, Relaxed) == 1 {
            registry.unfinished.clear();
        }
    }
}
