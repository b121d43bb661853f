mod key;
mod local;

use core::{fmt, marker::PhantomData, mem, panic::Location, ptr};
use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    time::Instant,
};

pub use key::Key;
pub use local::scope_local;

use super::{
    arena::{Arena, At, Buffer, Place, WORD, locate},
    ended::Ended,
    exit::Exit,
    panic::Panic,
    report::Times,
    result::{CleanupResult, ScopeResult},
};
use crate::Outcome;

/// Where a cleanup is registered.
type Here = &'static Location<'static>;

/// What a body registers its cleanups with. It is lent by [`scope`] and its kin.
///
/// Cleanups run once each, newest first, when the body has ended and its locals are dropped. They
/// may borrow whatever lives longer than the call of [`scope`], but no local of the body (move it
/// into the cleanup, or lend it by [`Scope::hold`]) and not the scope itself: when cleanups run,
/// none can be added. A function that registers for its caller is generic over `'env`:
///
/// ```
/// use std::cell::Cell;
///
/// use rearguard::{Scope, scope};
///
/// /// Counts as long as the scope is open.
/// fn count<'env>(s: &Scope<'env, ()>, open: &'env Cell<u32>) {
///     open.set(open.get() + 1);
///     s.defer(|| open.set(open.get() - 1));
/// }
///
/// let open = Cell::new(0);
/// scope(|s| {
///     count(s, &open);
///     count(s, &open);
///     assert_eq!(open.get(), 2);
/// });
/// assert_eq!(open.get(), 0);
/// ```
pub struct Scope<'env, R> {
    arena: Arena,
    /// Invariant in both: a cleanup may borrow for `'env`, and may write an `R`.
    marker: PhantomData<*mut (&'env (), R)>,
}

impl<'env, R: ScopeResult> Scope<'env, R> {
    #[inline(always)]
    fn with(arena: Arena) -> Self {
        Self { arena, marker: PhantomData }
    }

    /// All that is here, for what is rarely called: see the module `arena`.
    #[inline(always)]
    fn take(&self) -> Self {
        Self::with(self.arena.take())
    }

    /// Registers a cleanup, which runs once, when the body has ended, newest first.
    ///
    /// It may return nothing, or a `Result<(), E>` whose error becomes that of the scope if nothing
    /// went wrong before; see [`CleanupResult`]. If it panics, the others run all the same.
    ///
    /// ```
    /// use std::cell::RefCell;
    ///
    /// use rearguard::scope;
    ///
    /// let seen = RefCell::new(Vec::new());
    /// let result = scope(|s| -> Result<u32, String> {
    ///     s.defer(|| seen.borrow_mut().push("registered first"));
    ///     s.defer(|| -> Result<(), String> {
    ///         seen.borrow_mut().push("registered last");
    ///         Err("could not flush".to_owned())
    ///     });
    ///     Ok(1)
    /// });
    /// assert_eq!(result, Err("could not flush".to_owned()));
    /// assert_eq!(*seen.borrow(), ["registered last", "registered first"]);
    /// ```
    #[inline(always)]
    #[track_caller]
    pub fn defer<C: CleanupResult<R>>(&self, cleanup: impl FnOnce() -> C + 'env) {
        self.push(
            move |exit: &mut Exit<R>, at: At| cleanup().settle(exit, at.location()),
            Location::caller(),
        );
    }

    /// Registers a cleanup that is told how the scope is ending, and may change it.
    ///
    /// ```
    /// use rearguard::scope;
    ///
    /// let result = scope(|s| -> Result<u32, String> {
    ///     s.defer_with(|exit| {
    ///         if let Some(Err(error)) = exit.result() {
    ///             error.insert_str(0, "while reading the port: ");
    ///         }
    ///     });
    ///     "x".parse().map_err(|_| "not a number".to_owned())
    /// });
    /// assert_eq!(result, Err("while reading the port: not a number".to_owned()));
    /// ```
    #[inline(always)]
    #[track_caller]
    pub fn defer_with<C: CleanupResult<R>>(&self, cleanup: impl FnOnce(&mut Exit<R>) -> C + 'env) {
        self.push(
            move |exit: &mut Exit<R>, at: At| cleanup(exit).settle(exit, at.location()),
            Location::caller(),
        );
    }

    /// Registers a cleanup that runs only if the body succeeded, whatever cleanups did since.
    ///
    /// ```
    /// use rearguard::scope;
    ///
    /// let mut committed = false;
    /// let result = scope(|s| -> Result<u32, String> {
    ///     s.on_success(|| committed = true);
    ///     Ok(1)
    /// });
    /// assert!(result.is_ok() && committed);
    /// ```
    #[inline(always)]
    #[track_caller]
    pub fn on_success<C: CleanupResult<R>>(&self, cleanup: impl FnOnce() -> C + 'env) {
        self.on(cleanup, |outcome| outcome == Outcome::Succeeded, Location::caller());
    }

    /// Registers an undo: a cleanup that runs on every way out but success, that is after an error,
    /// a panic and a cancellation.
    ///
    /// ```
    /// use rearguard::scope;
    ///
    /// let mut rolled_back = false;
    /// let result = scope(|s| -> Result<u32, &str> {
    ///     s.on_failure(|| rolled_back = true);
    ///     Err("no room left")
    /// });
    /// assert!(result.is_err() && rolled_back);
    /// ```
    #[inline(always)]
    #[track_caller]
    pub fn on_failure<C: CleanupResult<R>>(&self, cleanup: impl FnOnce() -> C + 'env) {
        self.on(cleanup, |outcome| outcome != Outcome::Succeeded, Location::caller());
    }

    /// Registers a cleanup that runs only if the scope was cancelled: the future of a
    /// [`scope_local`] was dropped, or the body returned [`Outcome::Cancelled`].
    ///
    /// ```
    /// use std::{cell::Cell, future::{Future, pending}, pin::pin, task::{Context, Waker}};
    ///
    /// use rearguard::{Scope, scope_local};
    ///
    /// let cancelled = Cell::new(false);
    /// {
    ///     let mut future = pin!(scope_local(async |s: &Scope<'_, ()>| {
    ///         s.on_cancel(|| cancelled.set(true));
    ///         pending().await
    ///     }));
    ///     let mut context = Context::from_waker(Waker::noop());
    ///     assert!(future.as_mut().poll(&mut context).is_pending());
    /// }
    /// assert!(cancelled.get());
    /// ```
    #[inline(always)]
    #[track_caller]
    pub fn on_cancel<C: CleanupResult<R>>(&self, cleanup: impl FnOnce() -> C + 'env) {
        self.on(cleanup, |outcome| outcome == Outcome::Cancelled, Location::caller());
    }

    /// Turns a panic into a value. Cleanups registered before see the value, and no panic.
    ///
    /// It takes the panic of the body or of a cleanup that was registered later. Where there is none,
    /// `value` is not called. The outcome stays [`Outcome::Panicked`] for those that ask for it.
    ///
    /// ```
    /// use rearguard::scope;
    ///
    /// let result = scope(|s| -> Result<u32, String> {
    ///     s.recover(|panic| Err(format!("panicked: {}", panic.message())));
    ///     let numbers: Vec<u32> = Vec::new();
    ///     Ok(numbers[0])
    /// });
    /// assert!(result.is_err_and(|error| error.starts_with("panicked: index out of bounds")));
    /// ```
    #[inline(always)]
    #[track_caller]
    pub fn recover(&self, value: impl FnOnce(Panic) -> R + 'env) {
        self.push(move |exit: &mut Exit<R>, _: At| exit.recover(value), Location::caller());
    }

    /// Keeps `value` and lends it to the body; the cleanup gets it as the body left it, and how the
    /// scope is ending.
    ///
    /// ```
    /// use rearguard::{Outcome, scope};
    ///
    /// let mut written = Vec::new();
    /// scope(|s| {
    ///     let buffer = s.hold(Vec::new(), |buffer, exit| {
    ///         if exit.outcome() == Outcome::Succeeded {
    ///             written = buffer;
    ///         }
    ///     });
    ///     buffer.extend([1, 2]);
    ///     buffer.push(3);
    /// });
    /// assert_eq!(written, [1, 2, 3]);
    /// ```
    #[inline(always)]
    #[track_caller]
    #[expect(clippy::mut_from_ref, reason = "each call lends another value, which it just took")]
    pub fn hold<T: 'env, C: CleanupResult<R>>(
        &self,
        value: T,
        cleanup: impl FnOnce(T, &mut Exit<R>) -> C + 'env,
    ) -> &mut T {
        let (_, held) = self.keep(Held { value, cleanup }, Location::caller());
        // SAFETY: the entry stays where it is until the scope takes it, which is after the body
        // has ended, and so after this borrow of the scope; it has no key by which to take it
        // earlier. Nothing else refers to the value meanwhile.
        unsafe { &mut (*held).value }
    }

    /// Registers a cleanup that can be withdrawn, run early or handed on by the key.
    ///
    /// ```
    /// use std::cell::Cell;
    ///
    /// use rearguard::scope;
    ///
    /// let closed = Cell::new(0);
    /// scope(|s| {
    ///     let withdrawn = s.defer_keyed(|| closed.set(closed.get() + 1));
    ///     let early = s.defer_keyed(|| closed.set(closed.get() + 10));
    ///     withdrawn.disarm();
    ///     let Ok(()) = early.run_now();
    ///     assert_eq!(closed.get(), 10);
    /// });
    /// assert_eq!(closed.get(), 10);
    /// ```
    #[inline(always)]
    #[track_caller]
    pub fn defer_keyed<C: CleanupResult<R>>(
        &self,
        cleanup: impl FnOnce() -> C + 'env,
    ) -> Key<'_, 'env, R> {
        let entry = move |exit: &mut Exit<R>, at: At| cleanup().settle(exit, at.location());
        self.keep_keyed(entry, Location::caller())
    }

    #[inline(always)]
    fn keep_keyed<T: Entry<R> + 'env>(&self, entry: T, at: Here) -> Key<'_, 'env, R> {
        let (place, _) = self.keep(entry, at);
        Key { scope: self, place, discard: discard::<T> }
    }

    #[inline(always)]
    fn on<C: CleanupResult<R>>(
        &self,
        cleanup: impl FnOnce() -> C + 'env,
        applies: impl FnOnce(Outcome) -> bool + 'env,
        at: Here,
    ) {
        self.push(
            move |exit: &mut Exit<R>, at: At| {
                if applies(exit.outcome()) {
                    cleanup().settle(exit, at.location());
                }
            },
            at,
        );
    }

    #[inline(always)]
    fn push(&self, entry: impl FnOnce(&mut Exit<R>, At) + 'env, at: Here) {
        let _ = self.keep(entry, at);
    }

    /// Keeps an entry, and says where it is.
    #[inline(always)]
    fn keep<T: Entry<R> + 'env>(&self, entry: T, at: Here) -> (Place, *mut T) {
        if align_of::<T>() > WORD {
            let aside = Box::into_raw(Box::new(entry));
            // SAFETY: it is made for this type, which is aligned to a word.
            let (place, _) = unsafe { self.arena.push(Aside(aside), act::<R, Aside<T>>, at) };
            return (place, aside);
        }
        // SAFETY: it is made for this type, and the alignment was looked at. The entry
        // lives for `'env`, and whoever owns the arena takes all out before `'env` ends.
        unsafe { self.arena.push(entry, act::<R, T>, at) }
    }

    /// Runs what is registered, newest first.
    ///
    /// A panic of a cleanup comes out, with the others still to run.
    #[inline(always)]
    fn drain<const COUNTED: bool>(&self, exit: &mut Exit<R>) {
        let context = ptr::from_mut(exit);
        self.arena.drain(|taken| {
            // SAFETY: `context` points to an `Exit<R>` that is ours for the whole call, as every
            // entry of this scope expects; the value is moved out first of all. No entry can push,
            // as none can borrow the scope.
            unsafe {
                if COUNTED && !taken.is_gone() {
                    (*context).cleanups += 1;
                }
                (taken.act)(taken.slot, context.cast(), taken.at);
            }
        });
    }

    /// Runs what is registered, whatever panics.
    #[cold]
    #[inline(never)]
    fn drain_all<const COUNTED: bool>(&self, exit: &mut Exit<R>) {
        while let Err(payload) = catch_unwind(AssertUnwindSafe(|| self.drain::<COUNTED>(exit))) {
            exit.cleanup_panicked(Panic::new(payload), self.arena.last());
        }
    }

    /// Goes on after something panicked.
    #[cold]
    #[inline(never)]
    fn drain_after<const COUNTED: bool>(self, panic: Panic, exit: &mut Exit<R>) {
        exit.panicked(panic, self.arena.last());
        self.drain_all::<COUNTED>(exit);
    }

    /// Runs the body and then the cleanups. One catch serves both: nothing is caught a second
    /// time unless something panicked. Only a scope that is reported counts its cleanups.
    #[inline(always)]
    fn run<const COUNTED: bool>(&self, exit: &mut Exit<R>, body: impl FnOnce(&Self) -> R) {
        let caught = catch_unwind(AssertUnwindSafe(|| {
            let result = body(self);
            exit.returned(result);
            self.drain::<COUNTED>(exit);
        }));
        if let Err(payload) = caught {
            self.take().drain_after::<COUNTED>(Panic::new(payload), exit);
        }
    }
}

impl<R> fmt::Debug for Scope<'_, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scope").field("cleanups", &self.arena).finish()
    }
}

/// What a scope keeps.
trait Entry<R: ScopeResult> {
    fn run(self, exit: &mut Exit<R>, at: At);
}

impl<R: ScopeResult, F: FnOnce(&mut Exit<R>, At)> Entry<R> for F {
    #[inline(always)]
    fn run(self, exit: &mut Exit<R>, at: At) {
        self(exit, at);
    }
}

/// A value lent to the body, and what is done with it afterwards.
struct Held<T, F> {
    value: T,
    cleanup: F,
}

impl<R: ScopeResult, T, C: CleanupResult<R>, F: FnOnce(T, &mut Exit<R>) -> C> Entry<R>
    for Held<T, F>
{
    #[inline(always)]
    fn run(self, exit: &mut Exit<R>, at: At) {
        (self.cleanup)(self.value, exit).settle(exit, at.location());
    }
}

/// An entry that asks for more alignment than the arena gives, from `Box::into_raw`.
struct Aside<T>(*mut T);

impl<T> Drop for Aside<T> {
    fn drop(&mut self) {
        // SAFETY: it came from a box, and whoever runs it forgets this.
        drop(unsafe { Box::from_raw(self.0) });
    }
}

impl<R: ScopeResult, T: Entry<R>> Entry<R> for Aside<T> {
    fn run(self, exit: &mut Exit<R>, at: At) {
        let aside = mem::ManuallyDrop::new(self);
        // SAFETY: it came from a box, and is taken back once: `aside` is not dropped.
        let entry = unsafe { Box::from_raw(aside.0) };
        (*entry).run(exit, at);
    }
}

/// Stands in for an entry that is no more.
unsafe fn nothing(_: *mut u8, _: *mut (), _: At) {}

/// Drops an entry that was kept as a `T`.
///
/// # Safety
/// It was taken, and is live.
unsafe fn discard<T>(slot: *mut u8) {
    // SAFETY: by the contract, and as `Scope::keep` does it.
    unsafe {
        if align_of::<T>() > WORD {
            locate::<Aside<T>>(slot).drop_in_place();
        } else {
            locate::<T>(slot).drop_in_place();
        }
    }
}

/// What is done with entries of type `T`: see [`Act`](super::arena::Act).
unsafe fn act<R: ScopeResult, T: Entry<R>>(slot: *mut u8, context: *mut (), at: At) {
    // SAFETY: a live `T` is here, which nobody uses any more; who takes an entry of a `Scope` to
    // run it gives it an `Exit<R>` that nobody else uses.
    unsafe { locate::<T>(slot).read().run(&mut *context.cast::<Exit<R>>(), at) }
}

/// Runs `body` with a scope; its cleanups run, newest first, when the body has ended, whichever
/// way it ends: it returns, it returns early by `?`, it panics.
///
/// What it returns is what the body returned, unless a cleanup changed it or failed: the panic of
/// the body goes first, then its error, then the first failure of a cleanup. What was suppressed so
/// is seen by older cleanups ([`Exit::failures`]), by [`scope_reported`], and by the process's
/// [`Observer`](crate::Observer).
///
/// A body that cannot fail and has a value returns `Ok::<_, Infallible>(value)`. Nothing runs where
/// the process ends at once: by `process::exit`, by a signal, or by a panic where `panic = "abort"`.
///
/// # Panics
/// If the body panicked and no cleanup recovered from it, or if it succeeded and a cleanup panicked:
/// with the same payload, when all cleanups have run.
///
/// ```
/// use std::{cell::RefCell, convert::Infallible};
///
/// use rearguard::scope;
///
/// let log = RefCell::new(Vec::new());
/// let parse = |text: &str| {
///     scope(|s| -> Result<u32, std::num::ParseIntError> {
///         s.defer(|| log.borrow_mut().push("closed"));
///         s.on_failure(|| log.borrow_mut().push("undone"));
///         let number = text.parse()?;
///         Ok(number)
///     })
/// };
/// assert_eq!(parse("7"), Ok(7));
/// assert_eq!(*log.borrow(), ["closed"]);
/// assert!(parse("seven").is_err());
/// assert_eq!(*log.borrow(), ["closed", "undone", "closed"]);
///
/// let Ok(length) = scope(|s| {
///     s.defer(|| log.borrow_mut().clear());
///     Ok::<_, Infallible>(log.borrow().len())
/// });
/// assert_eq!((length, log.borrow().len()), (3, 0));
/// ```
#[inline]
#[track_caller]
pub fn scope<'env, R: ScopeResult>(body: impl FnOnce(&Scope<'env, R>) -> R) -> R {
    let buffer = Buffer::new();
    // SAFETY: the buffer is above the arena on this stack, and serves it alone.
    let scope = Scope::with(unsafe { Arena::within(&buffer) });
    let mut exit = Exit::new();
    scope.run::<false>(&mut exit, body);
    exit.conclude()
}

/// Like [`scope`], and reports what ending it brought to light, with the time of work and of
/// cleanup. The name is for observers.
///
/// A panic does not come out: it stands in [`Ended::end`].
///
/// ```
/// use rearguard::scope_reported;
///
/// let ended = scope_reported("close twice", |s| -> Result<u32, String> {
///     s.defer(|| Err::<(), _>("second".to_owned()));
///     s.defer(|| Err::<(), _>("first".to_owned()));
///     Ok(1)
/// });
/// for failure in ended.report.failures() {
///     // the cleanup of src/main.rs:5:7 failed: first
///     println!("{failure}");
/// }
/// assert_eq!(ended.report.cleanups, 2);
/// assert_eq!(ended.into_returned(), Some(Err("first".to_owned())));
/// ```
#[track_caller]
pub fn scope_reported<'env, R: ScopeResult>(
    name: &'static str,
    body: impl FnOnce(&Scope<'env, R>) -> R,
) -> Ended<R> {
    let buffer = Buffer::new();
    // SAFETY: as in `scope`.
    let scope = Scope::with(unsafe { Arena::within(&buffer) });
    let mut exit = Exit::new();
    let begin = Instant::now();
    let mut ended = None;
    // The first entry is the last to run; after a panic it is the body's drop guard that tells.
    let ended_at = &mut ended;
    scope.run::<true>(&mut exit, |scope| {
        let _clock = Clock(ended_at);
        body(scope)
    });
    let ended = ended.unwrap_or(begin);
    exit.into_ended(name, Times { work: ended - begin, cleanup: ended.elapsed() })
}

/// Notes when it is dropped.
struct Clock<'a>(&'a mut Option<Instant>);

impl Drop for Clock<'_> {
    fn drop(&mut self) {
        *self.0 = Some(Instant::now());
    }
}
