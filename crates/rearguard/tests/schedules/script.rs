//! Cleanups that do what a program says, with captures of many shapes, and how they are registered.

use std::{
    future::{Future, poll_fn},
    panic::{AssertUnwindSafe, catch_unwind},
    pin::{Pin, pin},
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use rearguard::{Outcome, OwnedKey, OwnedScope, ScopeHandle};

use crate::{
    generate::SITES,
    interpret::{Boxed, run_scope},
    program::{Cleanup, End, Kind, Panics, Size, Wait},
    world::{Ending, OnPurpose, Record, Token, Value, What, World, now},
};

/// Fills a capture, and shows that it was not overwritten.
pub(crate) trait Pad: Send + Unpin + 'static {
    fn new() -> Self;
    fn is_whole(&self) -> bool;
}

impl<const LENGTH: usize> Pad for [u64; LENGTH] {
    fn new() -> Self {
        std::array::from_fn(|index| index as u64 ^ 0x5a5a)
    }

    fn is_whole(&self) -> bool {
        *self == Self::new()
    }
}

#[repr(align(16))]
pub(crate) struct Align16([u64; 5]);

#[repr(align(64))]
pub(crate) struct Align64([u64; 3]);

macro_rules! pad {
    ($name:ident) => {
        impl Pad for $name {
            fn new() -> Self {
                Self(Pad::new())
            }

            fn is_whole(&self) -> bool {
                self.0.is_whole() && std::ptr::from_ref(self).is_aligned()
            }
        }
    };
}

pad!(Align16);
pad!(Align64);

/// A cleanup: its capture, and what it does once it is polled.
pub(crate) struct Scripted<P> {
    token: Token,
    pad: P,
    world: Arc<World>,
    script: Cleanup,
    /// By which it registers more, and the scope that this is of.
    handle: Option<(ScopeHandle, usize)>,
    value: Option<Value>,
    running: Option<Boxed<'static, Result<(), String>>>,
    /// Where it was when it was first polled.
    address: usize,
}

impl<P: Pad> Scripted<P> {
    pub(crate) fn new(
        record: &Arc<Record>,
        world: &Arc<World>,
        script: &Cleanup,
        handle: Option<(ScopeHandle, usize)>,
    ) -> Self {
        Self {
            token: Token(Arc::clone(record)),
            pad: P::new(),
            world: Arc::clone(world),
            script: script.clone(),
            handle,
            value: None,
            running: None,
            address: 0,
        }
    }

    /// What a cleanup does that is made when it begins.
    pub(crate) fn made(self, outcome: Outcome) -> Self {
        let panics = self.script.panics == Panics::Made;
        {
            let mut state = self.token.0.state();
            state.made.push(now());
            if let Some(seen) = state.outcome.replace(outcome) {
                self.world.wrong(format!("it saw {seen} and then {outcome}"));
            }
            if panics {
                state.begun.push(now());
                state.ended.push((now(), Ending::Panic));
            }
        }
        if panics {
            std::panic::panic_any(OnPurpose);
        }
        self
    }

    pub(crate) fn with(mut self, value: Value) -> Self {
        self.value = Some(value);
        self
    }
}

impl<P: Pad> Future for Scripted<P> {
    type Output = Result<(), String>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        let address = std::ptr::from_mut(this).addr();
        let record = Arc::clone(&this.token.0);
        let running = this.running.get_or_insert_with(|| {
            record.state().begun.push(now());
            this.address = address;
            let (world, script) = (Arc::clone(&this.world), this.script.clone());
            Box::pin(play(world, Arc::clone(&record), script, this.handle.take()))
        });
        if this.address != address || !this.pad.is_whole() {
            this.world.wrong(format!("moved or overwritten: {record:?}"));
        }
        if !record.state().ended.is_empty() || !record.state().dropped.is_empty() {
            this.world.wrong(format!("polled after its end: {record:?}"));
        }
        match catch_unwind(AssertUnwindSafe(|| running.as_mut().poll(context))) {
            Ok(Poll::Pending) => Poll::Pending,
            Ok(Poll::Ready(result)) => {
                let ending = if result.is_ok() { Ending::Well } else { Ending::Error };
                record.state().ended.push((now(), ending));
                Poll::Ready(result)
            }
            Err(payload) => {
                record.state().ended.push((now(), Ending::Panic));
                std::panic::resume_unwind(payload);
            }
        }
    }
}

async fn play(
    world: Arc<World>,
    record: Arc<Record>,
    script: Cleanup,
    handle: Option<(ScopeHandle, usize)>,
) -> Result<(), String> {
    for wait in script.waits {
        waited(wait).await;
    }
    if let (Some(more), Some((handle, scope))) = (script.more, handle) {
        let in_order = record.is_plain() && record.state().scope == scope;
        send(&world, &handle, scope, &more, in_order);
    }
    if let Some(nested) = script.nested {
        run_scope(Arc::clone(&world), *nested).await;
    }
    ended(script.end)
}

/// Ends as it is told to.
pub(crate) fn ended(end: End) -> Result<(), String> {
    match end {
        End::Well => Ok(()),
        End::Error => Err("on purpose".to_owned()),
        End::Panic => std::panic::panic_any(OnPurpose),
    }
}

pub(crate) async fn waited(wait: Wait) {
    match wait {
        Wait::Yield(times) => {
            for _ in 0..times {
                tokio::task::yield_now().await;
            }
        }
        Wait::Sleep(milliseconds) => {
            tokio::time::sleep(Duration::from_millis(milliseconds)).await;
        }
        Wait::Hang => std::future::pending().await,
    }
}

/// So many polls are no limit.
const MANY: usize = 1000;

/// Polls a future so often, at most, and then gives it back unless it is ready.
pub(crate) async fn polled<F: Future + Unpin>(mut future: F, mut polls: usize) -> Option<F> {
    let ready = poll_fn(|context| {
        if polls == 0 {
            return Poll::Ready(false);
        }
        polls -= 1;
        match Pin::new(&mut future).poll(context) {
            Poll::Ready(_) => Poll::Ready(true),
            Poll::Pending if polls == 0 => Poll::Ready(false),
            Poll::Pending => {
                // It may wait for ever, and is to be polled all the same.
                if polls < MANY {
                    context.waker().wake_by_ref();
                }
                Poll::Pending
            }
        }
    })
    .await;
    (!ready).then_some(future)
}

/// A future whose panics are swallowed.
pub(crate) async fn caught<F: Future>(future: F) -> Option<F::Output> {
    let mut future = pin!(future);
    poll_fn(|context| match catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(context))) {
        Ok(poll) => poll.map(Some),
        Err(_) => Poll::Ready(None),
    })
    .await
}

/// Registers a cleanup by a handle.
pub(crate) fn send(
    world: &Arc<World>,
    handle: &ScopeHandle,
    scope: usize,
    cleanup: &Cleanup,
    in_order: bool,
) {
    let record = Record::new(What::Cleanup(Kind::HandleWith), cleanup.panics, scope);
    record.state().wild = !in_order;
    let scripted =
        Scripted::<[u64; 3]>::new(&record, world, cleanup, Some((handle.clone(), scope)));
    record.state().line = line!() + 2;
    world.register(&record);
    handle.defer_with(|outcome| scripted.made(outcome));
}

type Site<P> = fn(&mut OwnedScope, Scripted<P>) -> (Option<OwnedKey>, u32);

/// Ways to register a cleanup, each in a line of its own, by which reports tell them apart.
fn sites<P: Pad>(kind: Kind) -> [Site<P>; SITES] {
    match kind {
        Kind::Defer => [
            |s, c| (None, (s.defer(c), line!()).1),
            |s, c| (None, (s.defer(c), line!()).1),
            |s, c| (None, (s.defer(c), line!()).1),
        ],
        Kind::DeferWith => [
            |s, c| (None, (s.defer_with(|outcome| c.made(outcome)), line!()).1),
            |s, c| (None, (s.defer_with(|outcome| c.made(outcome)), line!()).1),
            |s, c| (None, (s.defer_with(|outcome| c.made(outcome)), line!()).1),
        ],
        Kind::OnSuccess => [
            |s, c| (None, (s.on_success(c), line!()).1),
            |s, c| (None, (s.on_success(c), line!()).1),
            |s, c| (None, (s.on_success(c), line!()).1),
        ],
        Kind::OnFailure => [
            |s, c| (None, (s.on_failure(c), line!()).1),
            |s, c| (None, (s.on_failure(c), line!()).1),
            |s, c| (None, (s.on_failure(c), line!()).1),
        ],
        Kind::OnCancel => [
            |s, c| (None, (s.on_cancel(c), line!()).1),
            |s, c| (None, (s.on_cancel(c), line!()).1),
            |s, c| (None, (s.on_cancel(c), line!()).1),
        ],
        Kind::Keyed => [
            |s, c| (Some(s.defer_keyed(c)), line!()),
            |s, c| (Some(s.defer_keyed(c)), line!()),
            |s, c| (Some(s.defer_keyed(c)), line!()),
        ],
        Kind::Handle => [
            |s, c| (None, (s.handle().defer(c), line!()).1),
            |s, c| (None, (s.handle().defer(c), line!()).1),
            |s, c| (None, (s.handle().defer(c), line!()).1),
        ],
        Kind::HandleWith => [
            |s, c| (None, (s.handle().defer_with(|outcome| c.made(outcome)), line!()).1),
            |s, c| (None, (s.handle().defer_with(|outcome| c.made(outcome)), line!()).1),
            |s, c| (None, (s.handle().defer_with(|outcome| c.made(outcome)), line!()).1),
        ],
    }
}

/// Registers a cleanup; the key is that of its record, where it has one.
pub(crate) fn register(
    world: &Arc<World>,
    scope: &mut OwnedScope,
    number: usize,
    (kind, site): (Kind, usize),
    cleanup: &Cleanup,
) -> Option<(OwnedKey, Arc<Record>)> {
    let record = Record::new(What::Cleanup(kind), cleanup.panics, number);
    let key = match cleanup.size {
        Size::Small => register_as::<[u64; 0]>(world, scope, &record, (kind, site), cleanup),
        Size::Words => register_as::<[u64; 6]>(world, scope, &record, (kind, site), cleanup),
        Size::Large => register_as::<[u64; 60]>(world, scope, &record, (kind, site), cleanup),
        Size::Oversized => register_as::<[u64; 200]>(world, scope, &record, (kind, site), cleanup),
        Size::Align16 => register_as::<Align16>(world, scope, &record, (kind, site), cleanup),
        Size::Align64 => register_as::<Align64>(world, scope, &record, (kind, site), cleanup),
    };
    key.map(|key| (key, record))
}

fn register_as<P: Pad>(
    world: &Arc<World>,
    scope: &mut OwnedScope,
    record: &Arc<Record>,
    (kind, site): (Kind, usize),
    cleanup: &Cleanup,
) -> Option<OwnedKey> {
    let number = record.state().scope;
    let handle = cleanup.more.is_some().then(|| (scope.handle(), number));
    let scripted = Scripted::<P>::new(record, world, cleanup, handle);
    world.register(record);
    let (key, line) = sites(kind)[site](scope, scripted);
    record.state().line = line;
    key
}
