//! One request, from its head to its record.
//!
//! Every request runs in a scope: whatever it takes (a place in the pool, a count) it defers giving
//! back, and its record is published on every way out.

mod answer;
mod attempt;
mod body;
#[cfg(test)]
mod panics;
mod send;
mod transfer;
mod upgrade;
mod wait;
mod way;

use std::{
    future::{Future as _, poll_fn},
    net::SocketAddr,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::pin,
    rc::Rc,
    sync::{Arc, atomic::Ordering::Relaxed},
    task::Poll,
};

use model::{Cause, Outcome};
use rearguard::{Panic, Scope, scope_local};

pub(crate) use answer::{reply_bytes, send_h2_reply, write_reply};

use crate::{
    failure::Failure, message::RequestHead, peer::Peer, record::Draft, timer::Timer, worker::Worker,
};

/// What is known about where a request came in.
#[derive(Clone, Debug)]
pub(crate) struct ClientInfo {
    pub(crate) address: SocketAddr,
    /// Its IP address as text, for `X-Forwarded-For`.
    pub(crate) ip: Arc<str>,
    /// The port that it came in by.
    pub(crate) port: u16,
    /// The `Gateway` that it came in by.
    pub(crate) gateway: Option<Arc<str>>,
    /// `http` or `https`.
    pub(crate) scheme: &'static str,
    /// Where plain requests are redirected to https.
    pub(crate) https_redirect: bool,
}

/// What becomes of the client's connection after a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum After {
    /// It can carry another request.
    KeepAlive,
    /// It is closed, once what was sent has been read.
    Close,
    /// It is cut: what was sent is not whole, and must not look as if it were.
    Cut,
}

/// One request in the making.
pub(crate) struct Exchange<'a> {
    worker: &'a Rc<Worker>,
    client: &'a ClientInfo,
    head: &'a RequestHead,
    down: &'a mut Peer,
    timer: &'a mut Timer,
    draft: &'a mut Draft,
    /// Whether the head of the final response has been handed to the client's side.
    answered: bool,
    after: After,
}

/// Serves one request whose head has come, and says what becomes of the connection.
pub(crate) async fn serve(
    worker: &Rc<Worker>,
    client: &ClientInfo,
    head: &RequestHead,
    down: &mut Peer,
    timer: &mut Timer,
) -> After {
    let mut after = After::Cut;
    scope_local(async |scope: &Scope<'_, Outcome>| {
        let gauges = &worker.observatory.gauges;
        gauges.requests.fetch_add(1, Relaxed);
        // The oldest, so that it sees how the others went: their panics are counted, and end here.
        scope.defer_with(move |exit| {
            gauges.requests.fetch_sub(1, Relaxed);
            gauges.cleanup_panics.fetch_add(exit.failures().len() as u64, Relaxed);
            exit.recover(|_| Outcome::Panicked);
        });
        let draft = Draft::new(worker, client.address, Some(head));
        let draft = scope.hold(draft, |mut draft, exit| {
            #[cfg(test)]
            panics::point(head.path(), "/panic-after");
            if exit.outcome() == Outcome::Cancelled {
                draft.dropped();
            }
            draft.publish(worker, Some(head), exit.outcome());
        });
        let mut exchange = Exchange {
            worker,
            client,
            head,
            down,
            timer,
            draft,
            answered: false,
            after: if head.keep_alive { After::KeepAlive } else { After::Close },
        };
        let outcome = match exchange.run_caught(scope).await {
            Ok(()) => exchange.draft.outcome(),
            Err(failure) => exchange.fail(failure).await,
        };
        after = exchange.after;
        outcome
    })
    .await;
    after
}

impl Exchange<'_> {
    /// Serves the request; a panic is a failure like others, still to be answered. It is caught
    /// here and not in a scope of its own, which would take a block of memory for each request.
    async fn run_caught(&mut self, scope: &Scope<'_, Outcome>) -> Result<(), Failure> {
        let mut run = pin!(self.run(scope));
        poll_fn(|cx| match catch_unwind(AssertUnwindSafe(|| run.as_mut().poll(cx))) {
            Ok(poll) => poll,
            Err(payload) => {
                // The hook has told of it already.
                drop(Panic::new(payload));
                let failure =
                    Failure::new(Cause::GatewayInternal, "the gateway panicked on this request");
                Poll::Ready(Err(Failure { outcome: Some(Outcome::Panicked), ..failure }))
            }
        })
        .await
    }
}

/// A request whose head could not be read, or is refused for what it says: answered, counted and
/// recorded all the same.
pub(crate) fn refuse(
    worker: &Worker,
    client: &ClientInfo,
    head: Option<&RequestHead>,
    failure: Failure,
) -> crate::reply::Reply {
    let mut draft = Draft::new(worker, client.address, head);
    let reply = crate::reply::Reply::of_failure(&failure, head, &draft);
    let outcome = failure.outcome();
    draft.status = reply.status;
    draft.failure = Some(failure);
    draft.publish(worker, head, outcome);
    reply
}
