//! What a request hands to every call that is made for it: its trace and its deadline.
//!
//! A layer opens it ([`CallContext::scope`]), whatever calls on reads it ([`CallContext::current`]).
//! It is the task's: a task that is spawned does not inherit it, unless the future is wrapped with
//! [`CallContext::scope`] or spawned by an [`OwnedScope`](crate::OwnedScope).

use std::{
    cell::RefCell,
    future::Future,
    mem,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use pin_project_lite::pin_project;
use tokio::time::Instant;

use crate::{SpanId, TraceContext, TraceId, timeout};

thread_local! {
    /// That of what this thread runs right now. tokio's task-local could not be lent to a request
    /// that keeps it: each poll would clone it.
    static CURRENT: RefCell<Option<CallContext>> = const { RefCell::new(None) };
}

/// The W3C header of the trace, and that of what vendors add to it.
pub const TRACEPARENT: &str = "traceparent";
/// As above.
pub const TRACESTATE: &str = "tracestate";

/// A longer `tracestate` is not handed on (W3C trace context asks for at least 512 characters).
pub const TRACESTATE_MAX_BYTES: usize = 512;

/// A request's trace and deadline, as its task has them.
///
/// ```
/// use std::time::Duration;
///
/// use rearguard::CallContext;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let context = CallContext::new().within(Duration::from_secs(2));
/// context
///     .scope(async {
///         let left = CallContext::current().and_then(|context| context.remaining());
///         assert!(left.is_some_and(|left| left <= Duration::from_secs(2)));
///     })
///     .await;
/// assert!(CallContext::current().is_none());
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallContext {
    trace: TraceContext,
    state: Option<Arc<str>>,
    deadline: Option<Instant>,
}

impl CallContext {
    /// One that begins a trace, which is sampled, and has no deadline.
    #[must_use]
    pub fn new() -> Self {
        Self::of(TraceContext {
            trace_id: TraceId::from_random(fastrand::u128(..)),
            span_id: new_span(),
            flags: 1,
        })
    }

    /// One that goes on with a trace; the span is the work's own.
    #[must_use]
    pub const fn of(trace: TraceContext) -> Self {
        Self { trace, state: None, deadline: None }
    }

    /// The task's, if it has one.
    #[must_use]
    pub fn current() -> Option<Self> {
        CURRENT.try_with(|current| current.borrow().clone()).ok().flatten()
    }

    /// The trace, with the work's own span.
    #[must_use]
    pub const fn trace(&self) -> TraceContext {
        self.trace
    }

    /// The trace as the next hop shall see it: the same, with a new span.
    #[must_use]
    pub fn child(&self) -> Self {
        Self { trace: self.trace.child(new_span()), ..self.clone() }
    }

    /// When the work must be done.
    #[must_use]
    pub const fn deadline(&self) -> Option<Instant> {
        self.deadline
    }

    /// What is left until then; zero once it has passed.
    #[must_use]
    pub fn remaining(&self) -> Option<Duration> {
        self.deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()))
    }

    /// Bounds the work from now on. A deadline only ever comes nearer.
    #[must_use]
    pub fn within(self, left: Duration) -> Self {
        // One that is too far off to be told is none.
        match Instant::now().checked_add(left) {
            Some(deadline) => self.until(deadline),
            None => self,
        }
    }

    /// Bounds the work. A deadline only ever comes nearer.
    #[must_use]
    pub fn until(self, deadline: Instant) -> Self {
        let deadline = self.deadline.map_or(deadline, |known| known.min(deadline));
        Self { deadline: Some(deadline), ..self }
    }

    /// Runs a future with this as its task's.
    pub fn scope<F: Future>(self, future: F) -> InContext<F> {
        InContext { future: Some(future), context: Some(self) }
    }

    /// Runs a closure with this as its task's.
    pub fn sync_scope<R>(self, body: impl FnOnce() -> R) -> R {
        let mut context = Some(self);
        let _entered = Entered::new(&mut context);
        body()
    }

    /// Runs a future with the context of the task that calls this, where it has one: for a task that
    /// is spawned. [`OwnedScope::spawn`](crate::OwnedScope::spawn) does so by itself.
    ///
    /// ```
    /// use rearguard::CallContext;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// let context = CallContext::new();
    /// let same = context.clone();
    /// context
    ///     .scope(async move {
    ///         let spawned = CallContext::inherit(async { CallContext::current() });
    ///         assert_eq!(tokio::spawn(spawned).await.unwrap(), Some(same));
    ///     })
    ///     .await;
    /// # }
    /// ```
    pub fn inherit<F: Future>(future: F) -> impl Future<Output = F::Output> {
        let context = Self::current();
        async move {
            match context {
                Some(context) => context.scope(future).await,
                None => future.await,
            }
        }
    }

    /// Reads what a caller sent, by a function from a header's lower-case name to its value. `None`
    /// where it sent no trace that can be gone on with; what it says of a deadline is
    /// [`read_timeout`]'s. The work is a new span of the caller's trace.
    ///
    /// ```
    /// use rearguard::CallContext;
    ///
    /// let sent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    /// let context = CallContext::extract(|name| (name == "traceparent").then_some(sent.as_bytes()));
    /// let trace = context.unwrap().trace();
    /// assert_eq!(trace.trace_id.to_string(), "0af7651916cd43dd8448eb211c80319c");
    /// assert_ne!(trace.span_id.to_string(), "b7ad6b7169203331");
    /// ```
    pub fn extract<'a>(get: impl Fn(&str) -> Option<&'a [u8]>) -> Option<Self> {
        let trace = get(TRACEPARENT).and_then(TraceContext::parse)?;
        let state = get(TRACESTATE)
            .filter(|value| value.len() <= TRACESTATE_MAX_BYTES)
            .and_then(|value| std::str::from_utf8(value).ok())
            .map(Arc::from);
        Some(Self { state, ..Self::of(trace.child(new_span())) })
    }

    /// Writes what the next hop shall know, by a function that sets a header: `traceparent` with this
    /// context's span as the parent, `tracestate`, and what is left of the deadline in the header
    /// `timeout`.
    ///
    /// ```
    /// use std::{collections::HashMap, time::Duration};
    ///
    /// use rearguard::{CallContext, timeout};
    ///
    /// let mut sent = HashMap::new();
    /// let context = CallContext::new().within(Duration::from_secs(1));
    /// context.child().inject(timeout::EXPECTED_TIMEOUT, |name, value| {
    ///     sent.insert(name, value.to_owned());
    /// });
    /// assert!(sent["traceparent"].contains(&context.trace().trace_id.to_string()));
    /// assert!(sent["x-envoy-expected-rq-timeout-ms"].parse::<u32>().unwrap() <= 1000);
    /// ```
    pub fn inject(&self, timeout_header: &'static str, mut set: impl FnMut(&'static str, &str)) {
        let header = self.trace.to_header();
        set(TRACEPARENT, std::str::from_utf8(&header).unwrap_or_default());
        if let Some(state) = &self.state {
            set(TRACESTATE, state);
        }
        if let Some(left) = self.remaining() {
            let value = if timeout_header == timeout::GRPC_TIMEOUT {
                timeout::to_grpc(left)
            } else {
                timeout::to_expected(left)
            };
            set(timeout_header, &value);
        }
    }
}

impl Default for CallContext {
    fn default() -> Self {
        Self::new()
    }
}

/// Makes a context the thread's, and at the end gives it back and what was there before.
#[derive(Debug)]
pub(crate) struct Entered<'c>(&'c mut Option<CallContext>);

impl<'c> Entered<'c> {
    #[inline]
    pub(crate) fn new(context: &'c mut Option<CallContext>) -> Self {
        swap(context);
        Self(context)
    }
}

impl Drop for Entered<'_> {
    #[inline]
    fn drop(&mut self) {
        swap(self.0);
    }
}

/// A thread that stops has no such place any more; then there is no context.
#[inline]
fn swap(context: &mut Option<CallContext>) {
    CURRENT.try_with(|current| mem::swap(&mut *current.borrow_mut(), context)).unwrap_or_default();
}

pin_project! {
    /// A future that has a context: made by [`CallContext::scope`].
    #[derive(Debug)]
    #[must_use = "it does nothing unless it is polled"]
    pub struct InContext<F> {
        // None once it was dropped.
        #[pin]
        future: Option<F>,
        context: Option<CallContext>,
    }

    impl<F> PinnedDrop for InContext<F> {
        fn drop(this: Pin<&mut Self>) {
            let mut this = this.project();
            let _entered = Entered::new(this.context);
            this.future.set(None);
        }
    }
}

impl<F: Future> Future for InContext<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        let _entered = Entered::new(this.context);
        match this.future.as_pin_mut() {
            Some(future) => future.poll(context),
            None => unreachable!("there until it is dropped"),
        }
    }
}

/// The time that a caller gives, by a function from a header's lower-case name to its value: the
/// lesser of `grpc-timeout` and `x-envoy-expected-rq-timeout-ms`.
pub fn read_timeout<'a>(get: impl Fn(&str) -> Option<&'a [u8]>) -> Option<Duration> {
    timeout::of_caller(get(timeout::GRPC_TIMEOUT), get(timeout::EXPECTED_TIMEOUT))
}

fn new_span() -> SpanId {
    SpanId::from_random(fastrand::u64(..))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

    fn sent<'a>(pairs: &'a [(&'a str, &'a str)]) -> impl Fn(&str) -> Option<&'a [u8]> {
        move |name| {
            pairs.iter().find(|(known, _)| *known == name).map(|(_, value)| value.as_bytes())
        }
    }

    fn written(context: &CallContext, timeout_header: &'static str) -> Vec<(&'static str, String)> {
        let mut headers = Vec::new();
        context.inject(timeout_header, |name, value| headers.push((name, value.to_owned())));
        headers
    }

    #[test]
    fn a_trace_goes_on_with_what_vendors_add_to_it() {
        let headers = [("traceparent", SENT), ("tracestate", "vendor=1")];
        let context = CallContext::extract(sent(&headers)).unwrap();
        let written = written(&context.child(), timeout::EXPECTED_TIMEOUT);
        assert!(written[0].1.starts_with("00-0af7651916cd43dd8448eb211c80319c-"));
        assert_eq!(written[1], ("tracestate", "vendor=1".to_owned()));
        assert_eq!(written.len(), 2, "there is no deadline to hand on");
    }

    #[test]
    fn what_is_too_long_or_no_trace_is_not_handed_on() {
        let long = "v=1,".repeat(TRACESTATE_MAX_BYTES);
        let headers = [("traceparent", SENT), ("tracestate", long.as_str())];
        let context = CallContext::extract(sent(&headers)).unwrap();
        assert_eq!(written(&context, timeout::EXPECTED_TIMEOUT).len(), 1);
        assert_eq!(CallContext::extract(sent(&[("traceparent", "00-0-0-0")])), None);
    }

    #[tokio::test(start_paused = true)]
    async fn a_deadline_only_comes_nearer_and_travels_as_what_is_left() {
        let context =
            CallContext::new().within(Duration::from_secs(2)).within(Duration::from_secs(9));
        tokio::time::advance(Duration::from_millis(500)).await;
        assert_eq!(context.remaining(), Some(Duration::from_millis(1500)));
        let grpc = written(&context, timeout::GRPC_TIMEOUT);
        assert_eq!(grpc[1], ("grpc-timeout", "1500m".to_owned()));
        let http = written(&context, timeout::EXPECTED_TIMEOUT);
        assert_eq!(http[1], ("x-envoy-expected-rq-timeout-ms", "1500".to_owned()));
        tokio::time::advance(Duration::from_secs(5)).await;
        assert_eq!(context.remaining(), Some(Duration::ZERO));
    }

    #[test]
    fn a_deadline_that_is_too_far_off_is_none() {
        assert_eq!(CallContext::new().within(Duration::MAX).deadline(), None);
    }

    #[test]
    fn the_nearer_of_two_timeouts_counts() {
        let both = [("grpc-timeout", "1S"), ("x-envoy-expected-rq-timeout-ms", "250")];
        assert_eq!(read_timeout(sent(&both)), Some(Duration::from_millis(250)));
        assert_eq!(read_timeout(sent(&both[..1])), Some(Duration::from_secs(1)));
        assert_eq!(read_timeout(sent(&[("grpc-timeout", "soon")])), None);
    }

    #[tokio::test]
    async fn a_task_of_a_scope_has_its_context() {
        let context = CallContext::new();
        let mut scope = crate::OwnedScope::new();
        let child = context.clone().sync_scope(|| scope.spawn(async { CallContext::current() }));
        assert_eq!(child.await.unwrap(), Some(context));
        scope.end(crate::Outcome::Succeeded).await;
    }
}
