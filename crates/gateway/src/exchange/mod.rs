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
    future::Future,
    net::SocketAddr,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::Pin,
    rc::Rc,
    sync::{Arc, atomic::Ordering::Relaxed},
    task::{Context, Poll},
};

use model::{Cause, Outcome};
use rearguard::{Scope, scope_local};

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
    let mut after = if head.keep_alive { After::KeepAlive } else { After::Close };
    scope_local(async |scope: &Scope<'_, Outcome>| {
        let gauges = &worker.observatory.gauges;
        gauges.requests.fetch_add(1, Relaxed);
        // The oldest, so that it sees how all others went.
        scope.defer_with(move |exit| {
            gauges.requests.fetch_sub(1, Relaxed);
            gauges.cleanup_panics.fetch_add(exit.failures().len() as u64, Relaxed);
        });
        let draft = Draft::new(worker, client.address, Some(head));
        let draft = scope.hold(draft, |mut draft, exit| {
            if exit.outcome() == Outcome::Cancelled {
                draft.dropped();
            }
            draft.publish(worker, Some(head), exit.outcome());
        });
        let mut exchange =
            Exchange { worker, client, head, down, timer, draft, answered: false, after };
        let ran = CatchUnwind(std::pin::pin!(exchange.run(scope))).await;
        let outcome = match ran {
            Ok(Ok(())) => exchange.draft.outcome(),
            Ok(Err(failure)) => exchange.fail(failure).await,
            Err(()) => {
                let failure =
                    Failure::new(Cause::GatewayInternal, "the gateway panicked on this request");
                exchange.fail(Failure { outcome: Some(Outcome::Panicked), ..failure }).await
            }
        };
        after = exchange.after;
        outcome
    })
    .await;
    after
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

/// A future whose panic is a value.
struct CatchUnwind<'a, F>(Pin<&'a mut F>);

impl<F: Future> Future for CatchUnwind<'_, F> {
    type Output = Result<F::Output, ()>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match catch_unwind(AssertUnwindSafe(|| self.0.as_mut().poll(cx))) {
            Ok(poll) => poll.map(Ok),
            // The hook has told of it already.
            Err(_) => Poll::Ready(Err(())),
        }
    }
}
