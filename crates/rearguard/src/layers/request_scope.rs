//! The scope of a request, as its handler reaches it, and as its future and its body own it.

use std::{
    cell::Cell,
    fmt,
    future::Future,
    mem,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use super::scoped::Policy;
use crate::{
    AsyncCleanupResult, CallContext, Closing, Options, Outcome, OwnedScope, Panic, ScopeHandle,
    context,
};

thread_local! {
    /// The request whose handler, or body, is polled on this thread.
    static CURRENT: Cell<Option<Lent>> = const { Cell::new(None) };
}

/// The scope of a request: what its handler defers runs when the answer has ended, on every way out.
///
/// It can be cloned, kept and sent to other tasks. What comes when the answer has ended runs at
/// once, with the outcome of the request.
///
/// ```
/// use axum::{Router, body::Body, http::Request, routing::get};
/// use rearguard::layers::{RequestScope, ServiceLayer};
/// use tower::ServiceExt as _;
///
/// async fn order() -> &'static str {
///     let Some(scope) = RequestScope::current() else { return "not in a scope" };
///     scope.defer(async { println!("connection given back") });
///     scope.on_failure(async { println!("order taken back") });
///     scope.after_response(async { println!("cache warmed") });
///     "ordered"
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let app = Router::new().route("/order", get(order)).layer(ServiceLayer::new());
/// let request = Request::get("/order").body(Body::empty()).unwrap();
/// assert_eq!(app.oneshot(request).await.unwrap().status(), 200);
/// # }
/// ```
#[derive(Clone)]
pub struct RequestScope(Arc<Shared>);

/// A request's scope as it is lent to its handler. Most handlers do not ask for it, so it is made for
/// who does.
struct Lent {
    policy: Arc<Policy>,
    shared: Option<Arc<Shared>>,
}

struct Shared {
    policy: Arc<Policy>,
    state: Mutex<State>,
}

struct State {
    scope: Stage,
    /// What runs after the answer.
    after: Option<OwnedScope>,
}

enum Stage {
    Open(OwnedScope),
    /// Its cleanups run, or have run. Nobody else has it where there is no handle.
    Ended(Outcome, Option<ScopeHandle>),
}

impl RequestScope {
    /// That of the request whose handler or body runs here; none in other tasks, and where no layer
    /// has opened one.
    #[must_use]
    pub fn current() -> Option<Self> {
        let found = CURRENT.try_with(|current| {
            let mut lent = current.take()?;
            let Lent { policy, shared } = &mut lent;
            let shared = shared.get_or_insert_with(|| Shared::new(policy));
            let found = Self(Arc::clone(shared));
            current.set(Some(lent));
            Some(found)
        });
        found.ok().flatten()
    }

    /// Registers a cleanup, which runs once, when the answer has ended, newest first. The caller
    /// waits for it: see [`after_response`](Self::after_response).
    #[track_caller]
    pub fn defer<F>(&self, cleanup: F)
    where
        F: Future<Output: AsyncCleanupResult> + Send + 'static,
    {
        self.0.register().scope().defer(cleanup);
    }

    /// Registers a cleanup that is told how the request ended.
    #[track_caller]
    pub fn defer_with<F, C>(&self, cleanup: F)
    where
        F: FnOnce(Outcome) -> C + Send + 'static,
        C: Future<Output: AsyncCleanupResult> + Send + 'static,
    {
        self.0.register().scope().defer_with(cleanup);
    }

    /// Registers a cleanup that runs only if the request succeeded.
    #[track_caller]
    pub fn on_success<F>(&self, cleanup: F)
    where
        F: Future<Output: AsyncCleanupResult> + Send + 'static,
    {
        self.0.register().scope().on_success(cleanup);
    }

    /// Registers an undo: a cleanup that runs unless the request succeeded.
    #[track_caller]
    pub fn on_failure<F>(&self, cleanup: F)
    where
        F: Future<Output: AsyncCleanupResult> + Send + 'static,
    {
        self.0.register().scope().on_failure(cleanup);
    }

    /// Registers a cleanup that runs only if the caller went away.
    #[track_caller]
    pub fn on_cancel<F>(&self, cleanup: F)
    where
        F: Future<Output: AsyncCleanupResult> + Send + 'static,
    {
        self.0.register().scope().on_cancel(cleanup);
    }

    /// Makes another scope a part of this one, as [`OwnedScope::adopt`] does: with what it holds,
    /// its tasks, its own bounds.
    #[track_caller]
    pub fn adopt(&self, scope: OwnedScope) {
        self.0.register().scope().adopt(scope);
    }

    /// Registers cleanup that the answer need not wait for. It runs once the answer has ended and
    /// what was deferred has run, newest first among its own, on every way out, within the scope's
    /// cleanup deadline. Where the queue is full it is deferred as by [`defer`](Self::defer), and
    /// counted as [refused](super::AfterResponseStats::refused).
    ///
    /// The caller may come back before it has run: what the next request relies on is deferred.
    #[track_caller]
    pub fn after_response<F>(&self, cleanup: F)
    where
        F: Future<Output: AsyncCleanupResult> + Send + 'static,
    {
        match self.0.policy.after.enter() {
            Some(place) => self.0.register_after().scope().defer(place.run(cleanup)),
            None => self.0.register().scope().defer(cleanup),
        }
    }
}

impl fmt::Debug for RequestScope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RequestScope").finish_non_exhaustive()
    }
}

impl Shared {
    #[cold]
    fn new(policy: &Arc<Policy>) -> Arc<Self> {
        let scope = Stage::Open(OwnedScope::with(policy.options));
        let state = Mutex::new(State { scope, after: None });
        Arc::new(Self { policy: Arc::clone(policy), state })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing panics while it is locked, so what is inside is whole.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn register(&self) -> Registering<'_> {
        let state = self.state();
        let Stage::Ended(outcome, handle) = &state.scope else { return Registering::Open(state) };
        let (outcome, handle) = (*outcome, handle.clone());
        Registering::Late(Late {
            scope: Some(OwnedScope::with(self.policy.options)),
            outcome,
            handle,
        })
    }

    fn register_after(&self) -> Registering<'_> {
        let state = self.state();
        let Stage::Ended(outcome, _) = state.scope else {
            return Registering::After(state, self.policy.options);
        };
        let scope = Some(OwnedScope::with(self.policy.options));
        Registering::Late(Late { scope, outcome, handle: None })
    }
}

/// A scope to register one cleanup with.
enum Registering<'s> {
    Open(MutexGuard<'s, State>),
    After(MutexGuard<'s, State>, Options),
    Late(Late),
}

/// What comes when the request has ended: its own scope, which is a part of the ending one, or runs
/// at once.
struct Late {
    scope: Option<OwnedScope>,
    outcome: Outcome,
    handle: Option<ScopeHandle>,
}

impl Registering<'_> {
    fn scope(&mut self) -> &mut OwnedScope {
        match self {
            Self::Open(state) => match &mut state.scope {
                Stage::Open(scope) => scope,
                Stage::Ended(..) => unreachable!("it was open when it was locked"),
            },
            Self::After(state, options) => {
                state.after.get_or_insert_with(|| OwnedScope::with(*options))
            }
            Self::Late(late) => late.scope.get_or_insert_default(),
        }
    }
}

impl Drop for Late {
    fn drop(&mut self) {
        let Some(scope) = self.scope.take() else { return };
        match self.handle.take() {
            Some(handle) => {
                handle.defer_with(|outcome| async move { scope.end(outcome).await.into_result() })
            }
            // Dropped at once, it runs in the reaper.
            None => drop(scope.end(self.outcome)),
        }
    }
}

/// A request's scope and context as whoever serves it has them. It is no scope by itself: whoever
/// drops it before the end says what becomes of it.
pub(super) struct OpenScope {
    context: Option<CallContext>,
    lent: Option<Lent>,
}

impl OpenScope {
    #[inline]
    pub(super) fn new(context: CallContext, policy: Arc<Policy>) -> Self {
        Self { context: Some(context), lent: Some(Lent { policy, shared: None }) }
    }

    pub(super) fn context(&self) -> Option<&CallContext> {
        self.context.as_ref()
    }

    /// Does a part of the request's work: with the scope and the context at hand, and what it panics
    /// with as a value.
    #[inline]
    pub(super) fn run<R>(&mut self, work: impl FnOnce() -> R) -> Result<R, Panic> {
        let _context = context::Entered::new(&mut self.context);
        let _scope = Entered::new(&mut self.lent);
        catch_unwind(AssertUnwindSafe(work)).map_err(Panic::new)
    }

    /// The name and the bounds of the scope.
    pub(super) fn options(&self) -> Options {
        self.lent.as_ref().map_or_else(Options::new, |lent| lent.policy.options)
    }

    fn shared(&self) -> Option<&Arc<Shared>> {
        self.lent.as_ref()?.shared.as_ref()
    }

    /// Ends the request for those who register: from here on it is the scope that is returned, if
    /// anybody has asked for it.
    #[inline]
    pub(super) fn end(&self, outcome: Outcome) -> Option<OwnedScope> {
        let shared = self.shared()?;
        let mut state = shared.state();
        let Stage::Open(mut scope) = mem::replace(&mut state.scope, Stage::Ended(outcome, None))
        else {
            return None;
        };
        // Where nobody else has it by now, nobody can have it later.
        if Arc::strong_count(shared) > 1 {
            state.scope = Stage::Ended(outcome, Some(scope.handle()));
        }
        Some(scope)
    }

    /// Ends the request as cancelled: the reaper runs what was deferred, and then what comes after.
    #[cold]
    pub(super) fn cancel(&self) {
        let Some(scope) = self.end(Outcome::Cancelled) else { return };
        match self.take_after() {
            Some(mut after) => {
                after.adopt(scope);
                drop(after);
            }
            None => drop(scope),
        }
    }

    /// Lets what comes after the answer begin, in the reaper.
    #[inline]
    pub(super) fn begin_after(&self, outcome: Outcome) {
        if let Some(after) = self.take_after() {
            drop(after.end(outcome));
        }
    }

    /// The same while cleanups wait: they go on there first.
    #[cold]
    pub(super) fn hand_over(&self, closing: Closing, outcome: Outcome) {
        match self.take_after() {
            Some(mut after) => {
                after.defer(async { closing.await.into_result() });
                drop(after.end(outcome));
            }
            None => drop(closing),
        }
    }

    fn take_after(&self) -> Option<OwnedScope> {
        self.shared()?.state().after.take()
    }
}

impl fmt::Debug for OpenScope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OpenScope").field("context", &self.context).finish_non_exhaustive()
    }
}

/// Lends a scope to [`RequestScope::current`], and puts back what was there.
struct Entered<'a> {
    slot: &'a mut Option<Lent>,
    outer: Option<Lent>,
}

impl<'a> Entered<'a> {
    #[inline]
    fn new(slot: &'a mut Option<Lent>) -> Self {
        // A thread that stops has no such place any more.
        let outer = CURRENT.try_with(|current| current.replace(slot.take()));
        Self { slot, outer: outer.ok().flatten() }
    }
}

impl Drop for Entered<'_> {
    #[inline]
    fn drop(&mut self) {
        if let Ok(lent) = CURRENT.try_with(|current| current.replace(self.outer.take())) {
            *self.slot = lent;
        }
    }
}
