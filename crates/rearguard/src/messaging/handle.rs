//! A message's scope.

use std::{future::Future, sync::Arc, time::SystemTime};

use super::{
    arrival::{Arrival, Received},
    consumer::{Consumer, Late, Reason, Tried},
    settle::{Delivery, Settler},
    settling::Settling,
    stats::count,
};
use crate::{Ended, Outcome, OwnedScope, Report, ScopeResult, scope_async};

/// How a message was dealt with.
#[derive(Debug)]
#[must_use = "whether the broker could be told stands in the report"]
pub enum Handled<R> {
    /// The body ran. The message is settled by its outcome; a failure to tell the broker is one of the
    /// report's.
    Ended(Ended<R>),
    /// The body did not run, and why: the message is put aside, or forgotten.
    NotBegun(Reason, Report),
}

impl<R> Handled<R> {
    /// The report of the scope.
    #[must_use]
    pub fn report(&self) -> &Report {
        match self {
            Self::Ended(ended) => &ended.report,
            Self::NotBegun(_, report) => report,
        }
    }
}

/// Runs the work on a message in a scope, with a context of its own ([`CallContext::current`]): a new
/// trace, linked to the producer's span by [`Received::producer`], and the message's deadline or the
/// consumer's, whichever is nearer.
///
/// The message is settled when the scope's own cleanups have run:
///
/// | way out | the message |
/// |---|---|
/// | the body succeeds | is acknowledged |
/// | an error, a panic, the deadline | is returned after a delay; delivered too often, it is put aside |
/// | the future is dropped, also before its first poll | is returned at once, by the [`Reaper`](crate::Reaper) |
/// | the process dies | is delivered again by the broker |
/// | it was delivered more often than it may be | is not begun, and put aside |
/// | its deadline had passed | is not begun; see [`Late`] |
///
/// So each message is done at least once; what is done twice must do no harm.
///
/// [`CallContext::current`]: crate::CallContext::current
pub fn handle<D, R, F>(
    consumer: &Consumer<D::Message>,
    delivery: D,
    body: F,
) -> impl Future<Output = Handled<R>> + use<D, R, F>
where
    D: Delivery,
    R: ScopeResult,
    F: AsyncFnOnce(&mut OwnedScope, Received<D::Message>) -> R,
{
    let (message, settler) = delivery.split();
    let message = Arc::new(message);
    let arrival = Arrival::read(&*message, SystemTime::now());
    let tried = Tried { deliveries: settler.deliveries(), before: settler.was_delivered_before() };
    let received = arrival.received(Arc::clone(&message), tried.deliveries);
    let settling = Settling { consumer: consumer.clone(), message, settler, tried };
    let refused = refusal(consumer, &arrival, tried);
    // Before anything is polled, so that a future that never is returns the message, too.
    let mut settled = OwnedScope::with(consumer.settling());
    match refused {
        None => settled.defer_with(|outcome| settling.by(outcome)),
        Some(Reason::Late) if consumer.late == Late::Forget => settled.defer(settling.forget()),
        Some(reason) => settled.defer(settling.put_aside(reason)),
    }
    let begin_late = arrival.is_late();
    let left = arrival.left.filter(|_| !begin_late);
    let arrival = Arrival { left, ..arrival };
    let (options, counters) = (consumer.work(left), Arc::clone(&consumer.counters));
    async move {
        if let Some(reason) = refused {
            return Handled::NotBegun(reason, settled.end(Outcome::Failed).await);
        }
        count(&counters.begun);
        let ended = scope_async(options, async move |scope| {
            // The oldest cleanup, so that it runs when all others have.
            scope.adopt(settled);
            arrival.context().scope(body(scope, received)).await
        });
        Handled::Ended(ended.await)
    }
}

/// Why it is not begun, counted.
fn refusal<M>(consumer: &Consumer<M>, arrival: &Arrival, tried: Tried) -> Option<Reason> {
    if arrival.producer.is_none() {
        count(&consumer.counters.without_context);
    }
    // A consumer that dies each time never gets to say that the message failed.
    if tried.deliveries.is_some_and(|deliveries| deliveries > consumer.max_deliveries) {
        count(&consumer.counters.poison);
        return Some(Reason::Poison);
    }
    if arrival.is_late() {
        count(&consumer.counters.late);
        return (consumer.late != Late::Begin).then_some(Reason::Late);
    }
    None
}
