//! The layers that every service wants, as one: one future, one catch, one scope.

use std::time::Duration;

use tower_layer::Layer;

use super::{
    after_response::AfterResponse,
    scoped::{Panics, Policy, Scoped},
    timer::{Bounds, CallerTimeout, Covers},
};
use crate::Options;

/// A scope per request, recovery from panics, and a deadline, in the order in which they make
/// sense: [`ScopedLayer`](super::ScopedLayer) around [`RecoverLayer`](super::RecoverLayer) around
/// [`DeadlineLayer`](super::DeadlineLayer), at the price of one.
///
/// The cleanups run before the answer to a panic, or to a deadline that passed, is given, so that it
/// says how long they took. Unless [`deadline`](Self::deadline) gives one, a request has the time
/// that its caller gives it.
///
/// **On clone**, **not ready** and **cancelled** it does as [`ScopedLayer`](super::ScopedLayer).
///
/// ```
/// use std::time::Duration;
///
/// use axum::{Router, routing::get};
/// use rearguard::{Options, layers::ServiceLayer};
///
/// let layer = ServiceLayer::new()
///     .options(Options::new().named("orders").cleanup_deadline(Duration::from_secs(5)))
///     .deadline(Duration::from_secs(2));
/// let app: Router = Router::new().route("/", get(async || "hello")).layer(layer);
/// ```
#[derive(Clone, Debug)]
pub struct ServiceLayer(Policy);

impl ServiceLayer {
    /// Without a name, and without a deadline of its own.
    #[must_use]
    pub fn new() -> Self {
        let bounds = Bounds { caller: CallerTimeout::Trusted, ..Bounds::NONE };
        Self(Policy { panics: Panics::Answered, bounds, ..Policy::default() })
    }

    /// As [`ScopedLayer::options`](super::ScopedLayer::options).
    #[must_use]
    pub fn options(mut self, options: Options) -> Self {
        self.0.options = options;
        self
    }

    /// Gives each request so much time to the head of its answer, and less where the caller says so.
    #[must_use]
    pub fn deadline(mut self, timeout: Duration) -> Self {
        self.0.bounds.timeout = Some(timeout);
        self
    }

    /// As [`DeadlineLayer::covers`](super::DeadlineLayer::covers).
    #[must_use]
    pub fn covers(mut self, covers: Covers) -> Self {
        self.0.bounds.covers = covers;
        self
    }

    /// As [`DeadlineLayer::caller`](super::DeadlineLayer::caller).
    #[must_use]
    pub fn caller(mut self, caller: CallerTimeout) -> Self {
        self.0.bounds.caller = caller;
        self
    }

    /// As [`ScopedLayer::buffered_bytes`](super::ScopedLayer::buffered_bytes).
    #[must_use]
    pub fn buffered_bytes(mut self, bytes: u64) -> Self {
        self.0.buffered_bytes = bytes;
        self
    }

    /// As [`ScopedLayer::after_response`](super::ScopedLayer::after_response).
    #[must_use]
    pub fn after_response(mut self, after: AfterResponse) -> Self {
        self.0.after = after;
        self
    }
}

impl Default for ServiceLayer {
    fn default() -> Self {
        Self::new()
    }
}

impl<S> Layer<S> for ServiceLayer {
    type Service = Scoped<S>;

    fn layer(&self, inner: S) -> Scoped<S> {
        Scoped::new(inner, self.0.clone())
    }
}
