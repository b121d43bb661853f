//! When a request must be done: by its route's word and by its caller's.

use std::{
    future::Future as _,
    pin::{Pin, pin},
    task::{Context, Poll},
    time::Duration,
};

use tokio::{
    task::unconstrained,
    time::{Instant, Sleep, sleep_until},
};

use super::head::RequestHead;

/// What part of an answer a layer's own timeout covers. The caller's always covers all of it: nobody
/// waits any longer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Covers {
    /// Until the head is there. A stream goes on for as long as it likes.
    #[default]
    Head,
    /// Until the body has ended.
    Response,
}

/// Whether the caller's `grpc-timeout` and `x-envoy-expected-rq-timeout-ms` count. They only ever
/// bring a deadline nearer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CallerTimeout {
    /// They count.
    #[default]
    Trusted,
    /// They are not read.
    Ignored,
}

/// How deadlines come about.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    pub(super) timeout: Option<Duration>,
    pub(super) covers: Covers,
    pub(super) caller: CallerTimeout,
}

impl Bounds {
    /// By nobody's word.
    pub(super) const NONE: Self =
        Self { timeout: None, covers: Covers::Head, caller: CallerTimeout::Ignored };

    #[inline]
    pub(super) fn deadlines(&self, head: &RequestHead<'_>, now: Instant) -> Deadlines {
        let caller = match self.caller {
            CallerTimeout::Trusted => head.timeout(),
            CallerTimeout::Ignored => None,
        };
        // One that is too far off to be told is none.
        let at = |timeout: Option<Duration>| timeout.and_then(|timeout| now.checked_add(timeout));
        let (own, caller) = (at(self.timeout), at(caller));
        let body = match self.covers {
            Covers::Head => caller,
            Covers::Response => earlier(own, caller),
        };
        Deadlines { head: earlier(own, caller), body }
    }
}

fn earlier(one: Option<Instant>, other: Option<Instant>) -> Option<Instant> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, other) => one.or(other),
    }
}

/// When the parts of an answer must be there.
#[derive(Clone, Copy, Debug)]
pub(super) struct Deadlines {
    /// The first of all.
    pub(super) head: Option<Instant>,
    pub(super) body: Option<Instant>,
}

/// Waits for a deadline, once somebody has to.
#[derive(Debug, Default)]
pub(super) struct Timer(Option<Pin<Box<Sleep>>>);

impl Timer {
    /// Ready when the deadline has passed; never where there is none.
    pub(super) fn poll(&mut self, at: Option<Instant>, context: &mut Context<'_>) -> Poll<()> {
        let Some(at) = at else { return Poll::Pending };
        let sleep = self.0.get_or_insert_with(|| Box::pin(sleep_until(at)));
        if sleep.deadline() != at {
            sleep.as_mut().reset(at);
        }
        // Also where what it bounds has used up the task's budget of this turn.
        pin!(unconstrained(sleep.as_mut())).poll(context)
    }
}
