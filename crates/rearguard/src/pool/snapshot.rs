//! What is seen of a pool.

use std::{
    borrow::Cow,
    fmt,
    panic::Location,
    time::{Duration, SystemTime},
};

use super::{Forecast, Histogram, TooFewSamples};
use crate::{Error, TraceId};

/// What a pool has and has done, at one moment.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Snapshot {
    /// The pool's name.
    pub pool: Cow<'static, str>,
    /// How many connections there may be.
    pub max_size: usize,
    /// How many places are taken: all of the following together.
    pub size: usize,
    /// Being opened.
    pub connecting: usize,
    /// Ready to be lent.
    pub idle: usize,
    /// Lent.
    pub in_use: usize,
    /// Being cleaned or tested.
    pub resetting: usize,
    /// Being closed.
    pub closing: usize,
    /// How many wait for one.
    pub waiting: usize,
    /// Whether it is closed, or closing.
    pub closed: bool,
    /// What happened, ever.
    pub counters: Counters,
    /// How long they waited who got one.
    pub waits: Histogram,
    /// How long they were kept that came back.
    pub holds: Histogram,
    /// Who has one, longest first.
    pub holders: Vec<Holder>,
    /// Why the server refused the last attempt to connect, while it does.
    pub refused: Option<String>,
    /// When all will be in use, if it goes on like this.
    pub forecast: Result<Forecast, TooFewSamples>,
}

/// What happened in a pool, ever.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Counters {
    /// Connections that were lent, or were to be and turned out to be broken.
    pub gets: u64,
    /// Waits that took too long.
    pub timeouts: u64,
    /// Waits that were given up by who waited.
    pub cancelled_waits: u64,
    /// Those refused as too many waited.
    pub queue_full: u64,
    /// Connections that were opened.
    pub created: u64,
    /// Attempts to connect that failed.
    pub refused: u64,
    /// Connections that came back busy, or lay idle for long, and were made idle.
    pub resets: u64,
    /// Borrowers that were reported as leaks.
    pub leaks: u64,
    /// Connections whose closing was cut short, by its bound or as the runtime stopped: the server may
    /// have had them a while longer.
    pub closes_cut_short: u64,
    discarded: [u64; Discard::ALL.len()],
}

impl Counters {
    /// How many connections were discarded for this reason.
    #[must_use]
    pub const fn discarded(&self, why: Discard) -> u64 {
        self.discarded[why as usize]
    }

    /// How many connections were discarded.
    #[must_use]
    pub fn discarded_in_all(&self) -> u64 {
        self.discarded.iter().sum()
    }

    pub(super) const fn discard(&mut self, why: Discard) {
        self.discarded[why as usize] += 1;
    }
}

/// Why a connection was discarded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Discard {
    /// It was of no use any more.
    Broken,
    /// The reset of it failed or panicked, or left it busy.
    ResetFailed,
    /// The reset of it took too long.
    ResetTimedOut,
    /// It had lived for as long as it may.
    TooOld,
    /// It had lain idle for long.
    IdleTooLong,
    /// The pool is closed.
    PoolClosed,
    /// Its borrower asked for it.
    Asked,
}

impl Discard {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::Broken,
        Self::ResetFailed,
        Self::ResetTimedOut,
        Self::TooOld,
        Self::IdleTooLong,
        Self::PoolClosed,
        Self::Asked,
    ];

    /// The code used in logs, metrics and docs.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Broken => "broken",
            Self::ResetFailed => "reset_failed",
            Self::ResetTimedOut => "reset_timed_out",
            Self::TooOld => "too_old",
            Self::IdleTooLong => "idle_too_long",
            Self::PoolClosed => "pool_closed",
            Self::Asked => "asked",
        }
    }
}

impl fmt::Display for Discard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Who has a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Holder {
    /// What the borrower calls itself, where it said so by [`Pool::get_for`](super::Pool::get_for).
    pub borrower: Option<&'static str>,
    /// The trace of the request for which it was borrowed, where there was a
    /// [`CallContext`](crate::CallContext).
    pub trace_id: Option<TraceId>,
    /// Where it was borrowed.
    pub borrowed_at: &'static Location<'static>,
    /// Since when, by the wall clock.
    pub since: SystemTime,
    /// For how long.
    pub age: Duration,
    /// Whether it was reported as a leak.
    pub reported: bool,
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(borrower) = self.borrower {
            write!(f, "{borrower} at ")?;
        }
        write!(f, "{} for {:?}", self.borrowed_at, self.age)?;
        match self.trace_id {
            Some(trace_id) => write!(f, ", trace {trace_id}"),
            None => Ok(()),
        }
    }
}

/// Is told of what goes wrong in a pool, for logs. Called where it happens, so it must be quick; a
/// panic of it is kept from coming out.
///
/// ```
/// use rearguard::pool::{Holder, Observer};
///
/// #[derive(Debug)]
/// struct Log;
///
/// impl Observer for Log {
///     fn leaked(&self, pool: &str, holder: &Holder) {
///         eprintln!("pool {pool}: a connection is kept by {holder}");
///     }
/// }
/// ```
pub trait Observer: Send + Sync + 'static {
    /// A borrower has a connection for longer than [`Options::leak_after`](super::Options::leak_after).
    /// Said once for each.
    fn leaked(&self, pool: &str, holder: &Holder) {
        let _ = (pool, holder);
    }

    /// The server refused a connection.
    fn refused(&self, pool: &str, error: &Error) {
        let _ = (pool, error);
    }

    /// A connection was discarded.
    fn discarded(&self, pool: &str, why: Discard) {
        let _ = (pool, why);
    }
}
