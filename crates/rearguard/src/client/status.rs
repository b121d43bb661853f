//! Where a connection stands, shared with the task that drives it.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use tokio::{
    sync::watch,
    time::{Instant, timeout_at},
};

use super::{
    limit::after,
    sender::Driving,
    wire::{Waiting, Wire},
};

/// A connection is kept for at least this long for its first request.
const UNUSED: Duration = Duration::from_secs(1);

/// Where a connection stands: idle → pending → idle, or closing → closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Open, with nothing in flight.
    Idle,
    /// A request is in flight: sent or being sent, or its response not read to the end.
    Pending,
    /// No request is accepted, as we or the server said so; those in flight are waited for.
    Closing,
    /// Gone.
    Closed,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Status {
    pub(super) state: State,
    pub(super) in_flight: usize,
    /// Requests so far.
    pub(super) taken: u64,
    idle_since: Instant,
    /// It was closed with requests in flight: they are cancelled by us.
    pub(super) cut: bool,
    /// Nobody drives it any more.
    pub(super) left: bool,
}

/// How a connection was found by a request.
#[derive(Clone, Copy, Debug)]
pub(super) struct Found {
    /// Requests that it had before.
    pub(super) served: u64,
    pub(super) idle: Duration,
}

/// Why a connection does not take a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refused {
    /// As many as it takes are in flight.
    Busy,
    /// It takes no more.
    Gone,
}

#[derive(Debug)]
pub(super) struct Shared {
    pub(super) status: watch::Sender<Status>,
    pub(super) wire: Arc<Wire>,
    /// How many requests it takes at a time; 1 for HTTP/1.1.
    capacity: usize,
    http1: bool,
    idle_limit_ms: AtomicU64,
}

impl Shared {
    pub(super) fn new(wire: Arc<Wire>, http1: bool, capacity: usize, idle_limit: Duration) -> Self {
        let status = Status {
            state: State::Idle,
            in_flight: 0,
            taken: 0,
            idle_since: Instant::now(),
            cut: false,
            left: false,
        };
        let idle_limit_ms = AtomicU64::new(millis(idle_limit));
        Self { status: watch::Sender::new(status), wire, capacity, http1, idle_limit_ms }
    }

    pub(super) fn status(&self) -> Status {
        *self.status.borrow()
    }

    /// Takes a request, if it does. `ready` is what the sender says.
    pub(super) fn claim(&self, ready: bool) -> Result<Found, Refused> {
        let waiting = self.wire.waiting();
        let mut claimed = Err(Refused::Gone);
        self.status.send_if_modified(|status| {
            claimed = self.claim_from(status, ready, waiting);
            claimed.is_ok()
        });
        claimed
    }

    fn claim_from(
        &self,
        status: &mut Status,
        ready: bool,
        waiting: Waiting,
    ) -> Result<Found, Refused> {
        let idle = match status.state {
            State::Idle => status.idle_since.elapsed(),
            State::Pending => Duration::ZERO,
            State::Closing | State::Closed => return Err(Refused::Gone),
        };
        // An answer that nobody asked for is not the next request's.
        let spoilt = self.http1 && waiting == Waiting::Bytes && status.state == State::Idle;
        // hyper says that it is ready only when it has been driven once.
        let stale = status.state == State::Idle
            && status.taken > 0
            && (!ready || idle >= self.idle_limit());
        if waiting == Waiting::End || spoilt || stale {
            return Err(Refused::Gone);
        }
        if status.in_flight >= self.capacity {
            return Err(Refused::Busy);
        }
        let found = Found { served: status.taken, idle };
        status.state = State::Pending;
        status.in_flight += 1;
        status.taken += 1;
        Ok(found)
    }

    /// A request has ended, and left the connection as it was. True if that was the last one of a
    /// connection that is closing.
    pub(super) fn give_back(&self) -> bool {
        let mut last = false;
        self.status.send_modify(|status| {
            status.in_flight -= 1;
            status.idle_since = Instant::now();
            if status.in_flight == 0 && status.state == State::Pending {
                status.state = State::Idle;
            }
            last = status.in_flight == 0 && status.state == State::Closing;
        });
        last
    }

    /// A request has ended, and left the connection unusable.
    pub(super) fn spoil(&self) {
        self.status.send_modify(|status| {
            status.in_flight -= 1;
            status.state = State::Closed;
        });
    }

    pub(super) fn stop_taking(&self) {
        self.status.send_if_modified(|status| {
            let open = matches!(status.state, State::Idle | State::Pending);
            if open {
                status.state = State::Closing;
            }
            open
        });
    }

    /// It is closed by us; what is in flight is cut off.
    pub(super) fn cut(&self) {
        self.status.send_modify(|status| {
            status.cut |= status.in_flight > 0;
            status.state = State::Closed;
        });
    }

    /// Shortens how long it is kept idle.
    pub(super) fn keep_for(&self, idle: Duration) {
        self.idle_limit_ms.fetch_min(millis(idle), Relaxed);
    }

    fn idle_limit(&self) -> Duration {
        Duration::from_millis(self.idle_limit_ms.load(Relaxed))
    }

    /// Whether it was idle for long enough, and then it is closed; else when to look again.
    fn expire(&self) -> Result<(), Instant> {
        let mut look_at = Err(after(Instant::now(), self.idle_limit()));
        self.status.send_if_modified(|status| {
            if status.state != State::Idle {
                return false;
            }
            let least = if status.taken == 0 { UNUSED } else { Duration::ZERO };
            let until = after(status.idle_since, self.idle_limit().max(least));
            look_at = if until <= Instant::now() { Ok(()) } else { Err(until) };
            if look_at.is_ok() {
                status.state = State::Closed;
            }
            look_at.is_ok()
        });
        look_at
    }
}

/// Drives the connection until it is closed, by either side, or was idle for long enough.
pub(super) async fn drive(mut driving: Driving, shared: Arc<Shared>) {
    while let Err(look_at) = shared.expire() {
        // An error of the connection is that of its requests, who are told; idle, nobody is hurt.
        if timeout_at(look_at, &mut driving).await.is_ok() {
            break;
        }
    }
    drop(driving);
    shared.status.send_modify(|status| {
        status.left = true;
        // HTTP/2 requests that the server has accepted before its GOAWAY are still answered.
        let open = status.in_flight > 0 && status.state != State::Closed;
        status.state = if open { State::Closing } else { State::Closed };
    });
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
