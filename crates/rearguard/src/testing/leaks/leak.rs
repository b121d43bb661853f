//! What was left behind, and how that reads.

use std::{borrow::Cow, error::Error, fmt, panic::Location, time::Duration};

use crate::{
    TraceId,
    open::{OpenKind, Thing, Unfinished},
};

/// What kind of thing was left behind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum LeakKind {
    /// A task; named where it is one of a scope.
    Task,
    /// A scope that has not ended: its cleanups have not run.
    Scope,
    /// A cleanup that did not run to its end, or is with the reaper still.
    Cleanup,
    /// A connection that was borrowed from a pool.
    Lease,
    /// A connection of the HTTP client.
    Connection,
    /// A lock that is held.
    Lock,
    /// A file, a socket, or another descriptor of the process.
    Descriptor,
    /// A thread of the process.
    Thread,
    /// More than could be listed.
    Unlisted,
}

/// One thing that was left behind.
#[derive(Clone, Debug)]
pub struct Leak {
    kind: LeakKind,
    what: String,
    location: Option<&'static Location<'static>>,
    age: Option<Duration>,
    trace: Option<TraceId>,
}

/// All that was left behind: an error that names each.
///
/// ```
/// use rearguard::testing::{LeakGuard, LeakKind};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let guard = LeakGuard::begin().settle_time(std::time::Duration::from_millis(10));
/// tokio::spawn(std::future::pending::<()>());
/// let leaks = guard.check().await.unwrap_err();
/// assert_eq!(leaks.iter().next().map(|leak| leak.kind()), Some(LeakKind::Task));
/// assert!(leaks.to_string().contains("left behind: a task of the runtime"));
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Leaks {
    pub(super) leaks: Vec<Leak>,
    pub(super) guard: &'static Location<'static>,
    pub(super) waited: Duration,
}

impl Leaks {
    /// Each of them.
    pub fn iter(&self) -> impl Iterator<Item = &Leak> {
        self.leaks.iter()
    }
}

impl Leak {
    /// What kind of thing it is.
    #[must_use]
    pub const fn kind(&self) -> LeakKind {
        self.kind
    }

    /// Where it was opened, where that is known.
    #[must_use]
    pub const fn location(&self) -> Option<&'static Location<'static>> {
        self.location
    }

    /// Of something that only the process knows of.
    pub(super) const fn of_process(kind: LeakKind, what: String) -> Self {
        Self { kind, what, location: None, age: None, trace: None }
    }
}

impl From<Thing> for Leak {
    fn from(thing: Thing) -> Self {
        let name = named(&thing.name);
        let (kind, what, done) = match thing.kind {
            OpenKind::Scope => (LeakKind::Scope, format!("scope{name}, not ended"), Some("opened")),
            OpenKind::Reaped => {
                let what = format!("scope{name}, its cleanups not done in the reaper");
                (LeakKind::Cleanup, what, Some("opened"))
            }
            OpenKind::Task => (LeakKind::Task, format!("task of scope{name}"), Some("spawned")),
            #[cfg(feature = "pool")]
            OpenKind::Lease => {
                (LeakKind::Lease, format!("connection to {}", thing.name), Some("borrowed"))
            }
            #[cfg(feature = "client")]
            OpenKind::Connection => {
                // The client opens it when it must; by whom it is used changes.
                (LeakKind::Connection, format!("HTTP connection to {}", thing.name), None)
            }
            #[cfg(any(feature = "redis", feature = "postgres"))]
            OpenKind::Lock => (LeakKind::Lock, format!("lock{name}"), Some("taken")),
        };
        let what = match done {
            Some(done) => format!("{what}, {done} at {}", thing.at),
            None => what,
        };
        Self {
            kind,
            what,
            location: done.map(|_| thing.at),
            age: Some(thing.since.elapsed()),
            trace: thing.trace,
        }
    }
}

impl From<Unfinished> for Leak {
    fn from(Unfinished { scope, unfinished, when, .. }: Unfinished) -> Self {
        Self {
            kind: LeakKind::Cleanup,
            what: format!("in scope{}, {unfinished}", named(scope)),
            location: Some(unfinished.registered_at),
            age: Some(when.elapsed()),
            trace: None,
        }
    }
}

/// A name after what it names, if there is one.
fn named(name: &str) -> Cow<'static, str> {
    if name.is_empty() { Cow::Borrowed("") } else { Cow::Owned(format!(" `{name}`")) }
}

impl fmt::Display for Leak {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)?;
        if let Some(age) = self.age {
            write!(f, ", {:.1} s ago", age.as_secs_f64())?;
        }
        match self.trace {
            Some(trace) => write!(f, ", trace {trace}"),
            None => Ok(()),
        }
    }
}

impl fmt::Display for Leaks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { leaks, guard, waited } = self;
        let waited = waited.as_secs_f64();
        write!(f, "after {waited:.1} s of waiting, since the leak guard began at {guard}:")?;
        leaks.iter().try_for_each(|leak| write!(f, "\n  left behind: {leak}"))
    }
}

impl Error for Leaks {}
