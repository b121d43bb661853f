//! What a producer says of a message, and what its consumer makes of it.

use std::{
    ops::Deref,
    sync::Arc,
    time::{Duration, SystemTime},
};

use super::{
    expiry::{self, EXPIRY},
    headers::{Headers, HeadersMut},
};
use crate::{CallContext, TRACEPARENT, TRACESTATE, TraceContext};

/// Writes into a message's headers what its consumer shall know: `traceparent` with the context's span,
/// which is the one that publishes, `tracestate`, and the deadline as a moment ([`EXPIRY`]).
///
/// ```
/// use std::{collections::BTreeMap, time::Duration};
///
/// use rearguard::{CallContext, messaging::{EXPIRY, inject}};
///
/// let context = CallContext::new().within(Duration::from_secs(60));
/// let mut headers = BTreeMap::new();
/// inject(&context, &mut headers);
/// assert!(headers["traceparent"].contains(&context.trace().span_id.to_string()));
/// assert!(headers[EXPIRY].parse::<u64>().unwrap() > 1_700_000_000_000);
/// ```
pub fn inject(context: &CallContext, headers: &mut impl HeadersMut) {
    context.inject(EXPIRY, |name, value| {
        // What is left is the request's way to say it.
        if name == TRACEPARENT || name == TRACESTATE {
            headers.set(name, value);
        }
    });
    let expiry = context.remaining().and_then(|left| expiry::write(left, SystemTime::now()));
    if let Some(expiry) = expiry {
        headers.set(EXPIRY, &expiry);
    }
}

/// A message as its consumer has it.
#[derive(Debug)]
pub struct Received<M> {
    message: Arc<M>,
    producer: Option<TraceContext>,
    deliveries: Option<u64>,
}

impl<M> Received<M> {
    /// The span that published it, for the link of the consumer's own. `None` where the message has no
    /// context that can be read: then its trace begins here, and is counted
    /// ([`without_context`](super::ConsumerStats::without_context)).
    #[must_use]
    pub fn producer(&self) -> Option<TraceContext> {
        self.producer
    }

    /// How often it was delivered, this time included, where the broker says so.
    #[must_use]
    pub fn deliveries(&self) -> Option<u64> {
        self.deliveries
    }
}

impl<M> Deref for Received<M> {
    type Target = M;

    fn deref(&self) -> &M {
        &self.message
    }
}

/// What the headers of a message say.
#[derive(Debug)]
pub(super) struct Arrival {
    pub(super) producer: Option<TraceContext>,
    pub(super) left: Option<Duration>,
}

impl Arrival {
    pub(super) fn read(headers: &impl Headers, now: SystemTime) -> Self {
        Self {
            producer: headers.get(TRACEPARENT).and_then(TraceContext::parse),
            left: headers.get(EXPIRY).and_then(|value| expiry::read(value, now)),
        }
    }

    pub(super) fn is_late(&self) -> bool {
        self.left == Some(Duration::ZERO)
    }

    pub(super) fn received<M>(&self, message: Arc<M>, deliveries: Option<u64>) -> Received<M> {
        Received { message, producer: self.producer, deliveries }
    }

    /// The consumer's own trace, sampled where the producer's is. The work is not a part of the
    /// producer's trace: it may run much later, or more than once. The two are linked, as
    /// OpenTelemetry asks (semantic conventions for messaging spans, "Trace structure", "Consumer
    /// spans": a process span links to the message's creation context).
    pub(super) fn context(&self) -> CallContext {
        let own = CallContext::new().trace();
        let flags = self.producer.map_or(own.flags, |producer| producer.flags & 1);
        let context = CallContext::of(TraceContext { flags, ..own });
        match self.left {
            Some(left) => context.within(left),
            None => context,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn what_is_injected_is_read() {
        let sent = CallContext::new().within(Duration::from_secs(60));
        let mut headers = BTreeMap::new();
        inject(&sent, &mut headers);
        let arrival = Arrival::read(&headers, SystemTime::now());
        assert_eq!(arrival.producer, Some(sent.trace()));
        let left = arrival.left.unwrap();
        assert!(left > Duration::from_secs(59) && left <= Duration::from_secs(61), "{left:?}");
        // Linked, not continued.
        let context = arrival.context();
        assert_ne!(context.trace().trace_id, sent.trace().trace_id);
        assert_eq!(context.trace().flags, sent.trace().flags);
        assert!(context.deadline().is_some());
        // No header of a request goes along.
        assert_eq!(headers.len(), 2);
    }

    #[test]
    fn a_message_without_context_begins_one() {
        let arrival = Arrival::read(&BTreeMap::new(), SystemTime::now());
        assert_eq!(arrival.producer, None);
        assert!(!arrival.is_late());
        assert_eq!(arrival.context().deadline(), None);
    }
}
