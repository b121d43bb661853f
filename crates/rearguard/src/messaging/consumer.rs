//! How the messages of one queue, subject or topic are dealt with.

use std::{error, fmt, future::Future, pin::Pin, sync::Arc, time::Duration};

use super::stats::{ConsumerStats, Counters};
use crate::{Options, Outcome};

/// How often a message is delivered before it is put aside, unless
/// [`Consumer::max_deliveries`] says otherwise.
pub const MAX_DELIVERIES: u64 = 5;
/// After how long a message is delivered again that failed once. It doubles with each delivery.
pub const RETURN_AFTER: Duration = Duration::from_secs(1);
/// It doubles no further than this.
pub const RETURN_AFTER_MAX: Duration = Duration::from_secs(60);
/// How long a broker may take to be told.
pub const SETTLE_TIMEOUT: Duration = Duration::from_secs(5);
/// How long a dead-letter function may take.
pub const DEAD_LETTER_TIMEOUT: Duration = Duration::from_secs(10);

/// Why a message was put aside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Reason {
    /// It was delivered as often as it may be, and failed each time.
    Poison,
    /// Its deadline had passed when it arrived.
    Late,
}

/// What becomes of a message whose deadline has passed. It is not returned: it would only come again,
/// later.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Late {
    /// It is put aside.
    #[default]
    DeadLetter,
    /// It is acknowledged, as nobody wants it any more.
    Forget,
    /// It is begun all the same, without a deadline of the producer's.
    Begin,
}

pub(super) type BoxError = Box<dyn error::Error + Send + Sync>;
type Aside = Pin<Box<dyn Future<Output = Result<(), BoxError>> + Send>>;
type DeadLetter<M> = Arc<dyn Fn(Arc<M>, Reason) -> Aside + Send + Sync>;

/// The bounds and the counters of a consumer. Clones share the counters.
///
/// ```
/// use std::time::Duration;
///
/// use rearguard::messaging::{Consumer, Late};
///
/// let consumer = Consumer::new("orders")
///     .deadline(Duration::from_secs(20))
///     .max_deliveries(3)
///     .late(Late::Forget)
///     .dead_letter(|message: std::sync::Arc<Option<std::collections::BTreeMap<String, String>>>, reason| async move {
///         println!("put aside, {reason:?}: {message:?}");
///         Ok(())
///     });
/// assert_eq!(consumer.stats().begun, 0);
/// ```
pub struct Consumer<M> {
    pub(super) name: &'static str,
    pub(super) deadline: Option<Duration>,
    pub(super) max_deliveries: u64,
    pub(super) return_after: Duration,
    pub(super) late: Late,
    pub(super) dead_letter: Option<DeadLetter<M>>,
    pub(super) counters: Arc<Counters>,
}

impl<M> Consumer<M> {
    /// A consumer, whose scopes have this name.
    #[must_use]
    pub fn new(name: &'static str) -> Self {
        Self {
            name,
            deadline: None,
            max_deliveries: MAX_DELIVERIES,
            return_after: RETURN_AFTER,
            late: Late::default(),
            dead_letter: None,
            counters: Arc::default(),
        }
    }

    /// Bounds the work on a message, beside the message's own deadline. Where the broker delivers again
    /// what was not acknowledged in time (JetStream's `ack_wait`, RabbitMQ's `consumer_timeout`), it
    /// should be less than that.
    #[must_use]
    pub fn deadline(self, deadline: Duration) -> Self {
        Self { deadline: Some(deadline), ..self }
    }

    /// How often a message is delivered before it is put aside, at least once.
    #[must_use]
    pub fn max_deliveries(self, deliveries: u64) -> Self {
        Self { max_deliveries: deliveries.max(1), ..self }
    }

    /// After how long a message that failed once is delivered again; it doubles with each delivery, up to
    /// [`RETURN_AFTER_MAX`].
    #[must_use]
    pub fn return_after(self, delay: Duration) -> Self {
        Self { return_after: delay.min(RETURN_AFTER_MAX), ..self }
    }

    /// What becomes of a message whose deadline has passed.
    #[must_use]
    pub fn late(self, late: Late) -> Self {
        Self { late, ..self }
    }

    /// Puts a message aside: publishes it elsewhere, writes it down. When that is done the message is
    /// acknowledged; when it fails, or takes longer than [`DEAD_LETTER_TIMEOUT`], it is returned. It may
    /// be called more than once for a message.
    ///
    /// Without one, the broker is told to discard: JetStream `+TERM`, AMQP `basic.reject` (which a
    /// queue's dead-letter exchange takes), Kafka a commit.
    #[must_use]
    pub fn dead_letter<F>(
        self,
        put_aside: impl Fn(Arc<M>, Reason) -> F + Send + Sync + 'static,
    ) -> Self
    where
        F: Future<Output = Result<(), Box<dyn error::Error + Send + Sync>>> + Send + 'static,
    {
        let dead_letter: DeadLetter<M> =
            Arc::new(move |message, reason| Box::pin(put_aside(message, reason)));
        Self { dead_letter: Some(dead_letter), ..self }
    }

    /// What became of its messages.
    #[must_use]
    pub fn stats(&self) -> ConsumerStats {
        self.counters.stats()
    }

    /// The scope of the work.
    pub(super) fn work(&self, left: Option<Duration>) -> Options {
        let options = Options::new().named(self.name);
        match (self.deadline, left) {
            (Some(one), Some(other)) => options.deadline(one.min(other)),
            (Some(one), None) | (None, Some(one)) => options.deadline(one),
            (None, None) => options,
        }
    }

    /// The scope of the settling.
    pub(super) fn settling(&self) -> Options {
        // Brokers that know no delay have the message held here for as long.
        let longest = DEAD_LETTER_TIMEOUT + RETURN_AFTER_MAX + SETTLE_TIMEOUT;
        Options::new().named(self.name).cleanup_deadline(longest)
    }

    /// What becomes of a message whose work has ended so.
    pub(super) fn verdict(&self, outcome: Outcome, tried: Tried) -> Verdict {
        match outcome {
            Outcome::Succeeded => Verdict::Acknowledge,
            // Who consumes it went away: another may have it at once.
            Outcome::Cancelled => Verdict::Return(Duration::ZERO),
            _ if tried.is_enough(self.max_deliveries) => Verdict::PutAside(Reason::Poison),
            _ => Verdict::Return(self.delay(tried.deliveries)),
        }
    }

    pub(super) fn delay(&self, deliveries: Option<u64>) -> Duration {
        let doublings = deliveries.unwrap_or(1).saturating_sub(1).min(16);
        self.return_after.saturating_mul(1 << doublings).min(RETURN_AFTER_MAX)
    }
}

/// How often a message was delivered, as far as it is known.
#[derive(Clone, Copy, Debug)]
pub(super) struct Tried {
    pub(super) deliveries: Option<u64>,
    pub(super) before: bool,
}

impl Tried {
    /// Where the broker does not count, a second failure is enough: more cannot be bounded.
    fn is_enough(self, max_deliveries: u64) -> bool {
        self.deliveries.map_or(self.before, |deliveries| deliveries >= max_deliveries)
    }
}

/// What becomes of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Acknowledge,
    Return(Duration),
    PutAside(Reason),
}

impl<M> Clone for Consumer<M> {
    fn clone(&self) -> Self {
        Self {
            dead_letter: self.dead_letter.clone(),
            counters: Arc::clone(&self.counters),
            ..*self
        }
    }
}

impl<M> fmt::Debug for Consumer<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Consumer")
            .field("name", &self.name)
            .field("deadline", &self.deadline)
            .field("max_deliveries", &self.max_deliveries)
            .field("return_after", &self.return_after)
            .field("late", &self.late)
            .field("stats", &self.stats())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_way_out_and_the_count_decide() {
        let consumer: Consumer<()> =
            Consumer::new("test").max_deliveries(3).return_after(Duration::from_secs(10));
        let known = |deliveries| Tried { deliveries: Some(deliveries), before: deliveries > 1 };
        let unknown = |before| Tried { deliveries: None, before };
        let seconds = |seconds| Verdict::Return(Duration::from_secs(seconds));
        for (outcome, tried, expected) in [
            (Outcome::Succeeded, known(9), Verdict::Acknowledge),
            (Outcome::Cancelled, known(9), seconds(0)),
            (Outcome::Failed, known(1), seconds(10)),
            (Outcome::Panicked, known(2), seconds(20)),
            (Outcome::TimedOut, known(3), Verdict::PutAside(Reason::Poison)),
            (Outcome::Failed, unknown(false), seconds(10)),
            (Outcome::Failed, unknown(true), Verdict::PutAside(Reason::Poison)),
        ] {
            assert_eq!(consumer.verdict(outcome, tried), expected, "{outcome} {tried:?}");
        }
        assert_eq!(consumer.delay(Some(u64::MAX)), RETURN_AFTER_MAX);
    }
}
