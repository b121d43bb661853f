//! A pool of connections of any kind: what is lent comes back on every way out, or is closed, and who
//! keeps it is known.
//!
//! | module | what is in it |
//! |---|---|
//! | `state` | which place is taken by what, who waits, who is next: no lock, no clock, no future |
//! | `core` | how a connection moves: back, through a reset, to its end; each in a scope |
//! | `get`, `lease` | how one gets a connection, and what is got |
//! | `keeper` | the task that opens connections, expires them, and looks for leaks |
//! | `manager`, `options`, `backoff` | what a pool is told; the pauses while a server refuses |
//! | `snapshot`, `histogram`, `usage`, `forecast` | what is seen of it |
//!
//! Why not deadpool: see `docs/decisions/0011-a-pool-of-our-own.md`. Begin at [`Pool`].

mod backoff;
mod core;
mod forecast;
mod get;
mod histogram;
mod keeper;
mod lease;
mod manager;
mod options;
mod snapshot;
mod state;
mod usage;

use std::{
    fmt,
    future::Future,
    panic::Location,
    pin::pin,
    sync::{Arc, Mutex, PoisonError, atomic::Ordering::Acquire},
    time::Duration,
};

use tokio::{runtime::Handle, time::Instant};

use self::core::Core;
pub use self::{
    backoff::FIRST_BACKOFF,
    forecast::{FORECAST_ERRORS, FORECAST_MIN_SAMPLES, Forecast, Sample, TooFewSamples, forecast},
    get::HOLDERS_IN_ERROR,
    histogram::{BUCKETS, Histogram},
    lease::Lease,
    manager::{ConnectionState, Manager},
    options::{
        DEFAULT_CLOSE_TIMEOUT, DEFAULT_CONNECT_TIMEOUT, DEFAULT_FORECAST_WINDOW,
        DEFAULT_IDLE_TIMEOUT, DEFAULT_LEAK_AFTER, DEFAULT_MAX_BACKOFF, DEFAULT_MAX_LIFETIME,
        DEFAULT_MAX_SIZE, DEFAULT_MAX_WAITERS, DEFAULT_RESET_TIMEOUT, DEFAULT_TEST_AFTER,
        DEFAULT_WAIT_TIMEOUT, LARGEST_MAX_SIZE, LIFETIME_JITTER_DIVISOR, Options,
    },
    snapshot::{Counters, Discard, Holder, Observer, Snapshot},
    usage::FORECAST_SAMPLES,
};
use crate::{
    Error, Options as ScopeOptions, OwnedScope,
    open::{self, OpenKind},
};

/// Lends connections, and has at most [`Options::max_size`] of them.
///
/// Cloned, it is the same pool. When the last clone is dropped it closes what is idle, and what is lent
/// when that comes back; [`close`](Self::close) also waits for it.
///
/// ```
/// # use rearguard::{Error, pool::{ConnectionState, Manager}};
/// # struct Numbers;
/// # impl Manager for Numbers {
/// #     type Connection = u32;
/// #     async fn connect(&self) -> Result<u32, Error> { Ok(7) }
/// #     fn state(&self, _: &mut u32) -> ConnectionState { ConnectionState::Idle }
/// #     async fn reset(&self, _: &mut u32) -> Result<(), Error> { Ok(()) }
/// #     async fn close(&self, _: u32) {}
/// # }
/// use rearguard::pool::{Options, Pool};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Error> {
/// let pool = Pool::new(Numbers, Options::new("numbers").max_size(2))?;
/// let one = pool.get().await?;
/// assert_eq!(*one, 7);
/// assert_eq!(pool.snapshot().in_use, 1);
/// drop(one);
/// assert_eq!(pool.snapshot().idle, 1);
/// # Ok(())
/// # }
/// ```
pub struct Pool<M: Manager>(Arc<Owner<M>>);

struct Owner<M: Manager> {
    core: Arc<Core<M>>,
    /// The keeper is its task; ended or dropped, it closes what is idle.
    scope: Mutex<OwnedScope>,
}

/// What was left when a pool had been closed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Closed {
    /// Who still has a connection, longest first. It is closed when it comes back.
    pub holders: Vec<Holder>,
    /// How many connections are still being closed or reset, or their opening given up.
    pub ending: usize,
}

impl<M: Manager> Pool<M> {
    /// A pool without connections. They are opened when they are asked for, or at once, for
    /// [`Options::min_idle`], where there is a runtime.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidInput`](crate::ErrorKind::InvalidInput) for an option out of its range.
    pub fn new(manager: M, options: Options) -> Result<Self, Error> {
        options.check()?;
        let core = Arc::new(Core::new(manager, options));
        let mut scope = OwnedScope::with(ScopeOptions::new().named("pool"));
        let closed = Arc::clone(&core);
        scope.defer(async move { closed.shut() });
        if Handle::try_current().is_ok() {
            keeper::start(&core, &mut scope);
        }
        Ok(Self(Arc::new(Owner { core, scope: Mutex::new(scope) })))
    }

    /// Borrows a connection: an idle one, or a new one, or one that comes back. Who asked first gets
    /// first.
    ///
    /// Dropped at any point it loses nothing: a connection that is being opened for it goes to the next
    /// one, or into the pool.
    ///
    /// # Errors
    /// - [`QueueTimedOut`](crate::ErrorKind::QueueTimedOut) after [`Options::wait_timeout`], or at the
    ///   deadline of the task's [`CallContext`](crate::CallContext). It says how long it waited, how many
    ///   are in use, idle and waiting, and who has them for longest. Where the server refuses connections,
    ///   the source says why.
    /// - [`QueueFull`](crate::ErrorKind::QueueFull) where [`Options::max_waiters`] wait.
    /// - [`DeadlinePassed`](crate::ErrorKind::DeadlinePassed) where that deadline has passed already.
    /// - [`Closed`](crate::ErrorKind::Closed) where the pool is closed, or is closed meanwhile.
    /// - [`InvalidInput`](crate::ErrorKind::InvalidInput) where the manager said that it cannot connect
    ///   with what it was given.
    ///
    /// # Panics
    /// Outside of a runtime with timers, if it has to wait.
    #[track_caller]
    pub fn get(&self) -> impl Future<Output = Result<Lease<M>, Error>> + Send + '_ {
        self.get_at(None, Location::caller())
    }

    /// As [`get`](Self::get), by a name that errors and reports say: the scope's, or the operation's.
    ///
    /// # Errors
    /// Those of [`get`](Self::get).
    ///
    /// # Panics
    /// As [`get`](Self::get).
    #[track_caller]
    pub fn get_for(
        &self,
        borrower: &'static str,
    ) -> impl Future<Output = Result<Lease<M>, Error>> + Send + '_ {
        self.get_at(Some(borrower), Location::caller())
    }

    async fn get_at(
        &self,
        borrower: Option<&'static str>,
        at: &'static Location<'static>,
    ) -> Result<Lease<M>, Error> {
        let core = &self.0.core;
        if !core.kept.load(Acquire) && Handle::try_current().is_ok() && !core.state().closed {
            keeper::start(core, &mut self.0.scope.lock().unwrap_or_else(PoisonError::into_inner));
        }
        let mut lease = get::get(core, borrower, at).await?;
        lease.open = open::register(OpenKind::Lease, || core.options.name.clone(), at);
        Ok(lease)
    }

    /// What it has and has done.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        self.0.core.state().snapshot(Instant::now())
    }

    /// Closes it. Nothing is lent any more, those who wait are told so, what is idle is closed, and what
    /// is lent is waited for, `bound` at most.
    ///
    /// Dropped half way, the pool is closed all the same.
    ///
    /// # Panics
    /// Outside of a runtime with timers.
    pub async fn close(&self, bound: Duration) -> Closed {
        let core = &self.0.core;
        core.shut();
        let emptied = async {
            loop {
                let mut notified = pin!(core.emptied.notified());
                notified.as_mut().enable();
                if core.state().is_empty() {
                    return;
                }
                notified.await;
            }
        };
        // Where the bound passes first, what is left shows in the answer.
        drop(tokio::time::timeout(bound, emptied).await);
        let left = self.snapshot();
        Closed { ending: left.size - left.in_use, holders: left.holders }
    }
}

impl<M: Manager> Clone for Pool<M> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<M: Manager> fmt::Debug for Pool<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pool").field("options", &self.0.core.options).finish_non_exhaustive()
    }
}
