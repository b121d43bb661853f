use std::{
    cell::{Cell, RefCell},
    future::poll_fn,
    net::SocketAddr,
    sync::atomic::Ordering::Relaxed,
    task::{Context, Poll},
    time::Duration,
};

use tokio::time::Instant;

use super::{
    SharedTarget,
    learned::{CloseTimes, KeepAlive},
    multiplexed::Multiplexed,
};
use crate::peer::H1;

/// Below this the readiness that the runtime already knows of is believed; above it the system is
/// asked whether the service has closed the connection.
const TRUST_READINESS: Duration = Duration::from_millis(5);

/// One place where a service runs, with this worker's connections to it.
#[derive(Debug)]
pub(crate) struct Endpoint {
    pub(crate) address: SocketAddr,
    /// This worker's requests that are with it now.
    pub(crate) active: Cell<u32>,
    /// Most recently used last, so that the pool shrinks when the load does.
    idle: RefCell<Vec<Idle>>,
    /// The HTTP/2 connections.
    pub(super) h2: Multiplexed,
    keep_alive: RefCell<KeepAlive>,
    /// When it answered, and when it closed without an answer.
    pub(crate) close_times: RefCell<CloseTimes>,
}

#[derive(Debug)]
struct Idle {
    connection: Box<H1>,
    since: Instant,
    requests: u32,
    /// How long it had been idle when it was last found open.
    open_after: Duration,
}

/// A pooled connection that is good to use.
#[derive(Debug)]
pub(crate) struct Reused {
    pub(crate) connection: Box<H1>,
    pub(crate) idle: Duration,
    pub(crate) requests: u32,
}

impl Endpoint {
    pub(super) fn new(address: SocketAddr) -> Self {
        Self {
            address,
            active: Cell::new(0),
            idle: RefCell::default(),
            h2: Multiplexed::default(),
            keep_alive: RefCell::default(),
            close_times: RefCell::default(),
        }
    }

    /// How long a connection may stay in the pool.
    pub(super) fn idle_limit(
        &self,
        shared: &SharedTarget,
        default: Duration,
        now: Instant,
    ) -> Duration {
        let default = shared.policy.idle_timeout.unwrap_or(default);
        self.keep_alive.borrow().idle_limit(shared.promises.keep_alive, default, now)
    }

    /// A connection from the pool on which no FIN waits, the most recently used one.
    pub(super) async fn take_idle(
        &self,
        shared: &SharedTarget,
        default: Duration,
        now: Instant,
    ) -> Option<Reused> {
        if self.idle.borrow().is_empty() {
            return None;
        }
        let limit = self.idle_limit(shared, default, now);
        loop {
            let mut found = self.idle.borrow_mut().pop()?;
            shared.gauges.idle.fetch_sub(1, Relaxed);
            let idle = now.saturating_duration_since(found.since);
            if idle >= limit {
                continue;
            }
            let open = poll_fn(|cx| Poll::Ready(is_open(&mut found.connection, cx, idle))).await;
            if open {
                return Some(Reused {
                    connection: found.connection,
                    idle,
                    requests: found.requests,
                });
            }
            shared.gauges.closed_while_idle.fetch_add(1, Relaxed);
            self.keep_alive.borrow_mut().closed_after(found.open_after, idle, now);
        }
    }

    /// A connection was still good after this time in the pool.
    pub(crate) fn note_alive(&self, idle: Duration) {
        self.keep_alive.borrow_mut().alive_after(idle);
    }

    /// The service advertised its keep-alive.
    pub(crate) fn note_advertised(&self, timeout: Duration) {
        self.keep_alive.borrow_mut().advertised(timeout);
    }

    /// Puts a connection back whose exchange has ended cleanly.
    pub(crate) fn put_back(
        &self,
        shared: &SharedTarget,
        mut connection: Box<H1>,
        requests: u32,
        since: Instant,
    ) {
        let most = i64::from(shared.policy.max_connections);
        if shared.gauges.idle.load(Relaxed) >= most || !connection.input.is_empty() {
            return;
        }
        connection.release();
        shared.gauges.idle.fetch_add(1, Relaxed);
        self.idle.borrow_mut().push(Idle {
            connection,
            since,
            requests,
            open_after: Duration::ZERO,
        });
    }

    /// Closes what has been idle for too long or was closed by the service.
    pub(crate) fn sweep(&self, shared: &SharedTarget, default: Duration, cx: &mut Context<'_>) {
        let now = Instant::now();
        let limit = self.idle_limit(shared, default, now);
        let mut closed_after = self.h2.sweep(limit).map(|age| (Duration::ZERO, age));
        if self.idle.borrow().is_empty() && closed_after.is_none() {
            return;
        }
        self.idle.borrow_mut().retain_mut(|idle| {
            let age = now.saturating_duration_since(idle.since);
            // Past the limit it is closed from this side, whatever the service has done meanwhile.
            let keep = age < limit && {
                let open = is_open(&mut idle.connection, cx, Duration::ZERO);
                if !open {
                    shared.gauges.closed_while_idle.fetch_add(1, Relaxed);
                    let found = (idle.open_after, age);
                    closed_after =
                        closed_after.filter(|(_, shortest)| *shortest < age).or(Some(found));
                }
                open
            };
            idle.open_after = age;
            if !keep {
                shared.gauges.idle.fetch_sub(1, Relaxed);
            }
            keep
        });
        // One restart closes many at once, so a sweep counts as one close.
        if let Some((open, age)) = closed_after {
            self.keep_alive.borrow_mut().closed_after(open, age, now);
        }
    }

    /// Closes every idle connection.
    pub(crate) fn close_idle(&self, shared: &SharedTarget) {
        let closed = std::mem::take(&mut *self.idle.borrow_mut());
        shared.gauges.idle.fetch_sub(i64::try_from(closed.len()).unwrap_or_default(), Relaxed);
        self.h2.close();
    }
}

/// Whether an idle connection can carry another request: nothing has come on it, least of all its
/// end.
fn is_open(connection: &mut H1, cx: &mut Context<'_>, idle: Duration) -> bool {
    if connection.poll_fill(cx).is_ready() {
        return false;
    }
    connection.input.release();
    if idle < TRUST_READINESS {
        return true;
    }
    use rustix::net::{RecvFlags, recv};
    let flags = RecvFlags::PEEK | RecvFlags::DONTWAIT;
    let peeked = recv(connection.stream.tcp(), &mut [0_u8; 1], flags);
    matches!(peeked, Err(rustix::io::Errno::AGAIN))
}
