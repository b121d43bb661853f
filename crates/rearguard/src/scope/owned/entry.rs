//! What an [`OwnedScope`](super::OwnedScope) keeps: cleanups that have not begun.

use std::{
    future::Future,
    panic::Location,
    pin::Pin,
    ptr,
    task::{Context, Poll, ready},
};

use pin_project_lite::pin_project;

use super::slot::{Settled, Slot};
use crate::{
    Outcome,
    scope::{
        arena::{Arena, At, Cursor, Place, Taken, WORD, locate},
        report::BoxError,
    },
};

/// What a cleanup of an [`OwnedScope`](crate::OwnedScope) may end with: nothing, or a
/// `Result<(), E>` whose error stands in the report.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// use rearguard::{Outcome, OwnedScope};
///
/// let mut scope = OwnedScope::new();
/// scope.defer(async {});
/// scope.defer(async { "x".parse::<u32>().map(drop) });
/// let report = scope.end(Outcome::Succeeded).await;
/// assert!(report.failures()[0].to_string().ends_with("failed: invalid digit found in string"));
/// # }
/// ```
#[diagnostic::on_unimplemented(
    message = "a cleanup ends with nothing or a `Result<(), E>`, not `{Self}`",
    label = "this cleanup's value would be lost",
    note = "`E` must convert into `Box<dyn Error + Send + Sync>`; a value that does not matter is \
            dropped with `drop(…)`"
)]
pub trait AsyncCleanupResult {
    #[doc(hidden)]
    fn settled(self) -> Settled;
}

impl AsyncCleanupResult for () {
    #[inline(always)]
    fn settled(self) -> Settled {
        Ok(())
    }
}

impl<E: Into<BoxError>> AsyncCleanupResult for Result<(), E> {
    #[inline(always)]
    fn settled(self) -> Settled {
        self.map_err(Into::into)
    }
}

/// A cleanup that only panics or loops.
impl AsyncCleanupResult for <fn() -> ! as crate::scope::result::Returns>::Value {
    fn settled(self) -> Settled {
        self
    }
}

pin_project! {
    /// A cleanup whose value is made a [`Settled`].
    struct Cleanup<F> {
        #[pin]
        future: F,
    }
}

impl<F: Future<Output: AsyncCleanupResult>> Future for Cleanup<F> {
    type Output = Settled;

    #[inline]
    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Settled> {
        Poll::Ready(ready!(self.project().future.poll(context)).settled())
    }
}

/// A cleanup that has not begun.
trait Entry: Send + 'static {
    /// Whether it has anything to do.
    fn applies(&self, outcome: Outcome) -> bool;

    /// Begins it.
    ///
    /// # Safety
    /// A live entry is there, which is used up by this. The slot is free, and the memory stays as it
    /// is until the slot is free again.
    unsafe fn begin(
        this: *mut Self,
        outcome: Outcome,
        slot: &mut Slot,
        context: &mut Context<'_>,
    ) -> Poll<Settled>;
}

/// A cleanup made when it begins.
struct With<F>(F);

impl<F, C> Entry for With<F>
where
    F: FnOnce(Outcome) -> C + Send + 'static,
    C: Future<Output: AsyncCleanupResult> + Send + 'static,
{
    #[inline(always)]
    fn applies(&self, _: Outcome) -> bool {
        true
    }

    #[inline(always)]
    unsafe fn begin(
        this: *mut Self,
        outcome: Outcome,
        slot: &mut Slot,
        context: &mut Context<'_>,
    ) -> Poll<Settled> {
        // SAFETY: by the contract.
        let Self(make) = unsafe { this.read() };
        slot.begin(Cleanup { future: make(outcome) }, context)
    }
}

/// A cleanup for certain outcomes.
struct On<F> {
    applies: fn(Outcome) -> bool,
    cleanup: Cleanup<F>,
}

impl<F: Future<Output: AsyncCleanupResult> + Send + 'static> Entry for On<F> {
    #[inline(always)]
    fn applies(&self, outcome: Outcome) -> bool {
        (self.applies)(outcome)
    }

    #[inline(always)]
    unsafe fn begin(
        this: *mut Self,
        _: Outcome,
        slot: &mut Slot,
        context: &mut Context<'_>,
    ) -> Poll<Settled> {
        // SAFETY: by the contract. The rest of the entry needs no drop.
        unsafe { slot.begin_at(&raw mut (*this).cleanup, context) }
    }
}

/// A cleanup for every outcome.
struct Always<F>(Cleanup<F>);

impl<F: Future<Output: AsyncCleanupResult> + Send + 'static> Entry for Always<F> {
    #[inline(always)]
    fn applies(&self, _: Outcome) -> bool {
        true
    }

    #[inline(always)]
    unsafe fn begin(
        this: *mut Self,
        _: Outcome,
        slot: &mut Slot,
        context: &mut Context<'_>,
    ) -> Poll<Settled> {
        // SAFETY: by the contract. There is nothing else in the entry.
        unsafe { slot.begin_at(&raw mut (*this).0, context) }
    }
}

/// What entries are taken with: see `act`. It serves one after the other.
pub(crate) struct Take<'a, 'c> {
    outcome: Outcome,
    /// What became of the last one, also where dropping it panicked. An entry that ran to its end,
    /// as nearly all do, does not say so.
    pub(crate) begun: Begun,
    /// Where they begin; they are dropped where there is none.
    begin: Option<(&'a mut Slot, &'a mut Context<'c>)>,
    /// What the last one that failed has failed with.
    pub(crate) error: Option<BoxError>,
}

/// What became of an entry.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Begun {
    /// It has nothing to do for this outcome, or is no more.
    Nothing,
    /// It ran to its end.
    Done,
    /// It waits, in the slot; its memory must stay, by [`Newest::retain`], until the slot is free.
    Waits,
    /// It ended with an error, and is still in the slot: nothing may be pushed until that is free,
    /// nor after a panic.
    Failed,
    /// It was dropped, and had something to do.
    Dropped,
}

impl<'a, 'c> Take<'a, 'c> {
    /// To begin entries: each is polled once, and is in the slot if it must be polled again.
    #[inline(always)]
    pub(crate) const fn begin(
        outcome: Outcome,
        slot: &'a mut Slot,
        context: &'a mut Context<'c>,
    ) -> Self {
        Self { outcome, begun: Begun::Done, begin: Some((slot, context)), error: None }
    }

    /// To drop entries unrun.
    pub(crate) const fn abandon(outcome: Outcome) -> Self {
        Self { outcome, begun: Begun::Done, begin: None, error: None }
    }
}

/// Drops an entry.
///
/// # Safety
/// It was taken, and neither begun nor dropped.
unsafe fn discard(taken: Taken) {
    // SAFETY: by the contract; `act` is told to drop it where it is.
    unsafe { (taken.act)(taken.slot, ptr::null_mut(), taken.at) };
}

/// What is done with entries of type `T`, as [`crate::scope::arena::Act`] says; without a [`Take`],
/// they are dropped where they are.
unsafe fn act<T: Entry>(slot: *mut u8, context: *mut (), _: At) {
    // SAFETY: an entry of this type was taken.
    let value = unsafe { locate::<T>(slot) };
    if context.is_null() {
        // SAFETY: a live `T` is here, which nobody uses any more.
        return unsafe { value.drop_in_place() };
    }
    // SAFETY: `Next::take` gives a `Take` that nobody else uses.
    let take = unsafe { &mut *context.cast::<Take<'_, '_>>() };
    // SAFETY: a live `T` is here, which nobody else uses.
    let applies = unsafe { (*value).applies(take.outcome) };
    match &mut take.begin {
        Some((slot, context)) if applies => {
            // SAFETY: as above. The slot is free, and whoever takes entries with a `Take` that
            // begins them sees to it that the memory stays, as `Begun::Waits` says.
            match unsafe { T::begin(value, take.outcome, slot, context) } {
                Poll::Ready(Ok(())) => {}
                Poll::Ready(Err(error)) => {
                    take.error = Some(error);
                    take.begun = Begun::Failed;
                }
                Poll::Pending => take.begun = Begun::Waits,
            }
        }
        _ => {
            take.begun = if applies { Begun::Dropped } else { Begun::Nothing };
            // SAFETY: as above.
            unsafe { value.drop_in_place() }
        }
    }
}

/// Stands in for an entry that is no more.
unsafe fn nothing(_: *mut u8, context: *mut (), _: At) {
    // SAFETY: as in `act`.
    if let Some(take) = unsafe { context.cast::<Take<'_, '_>>().as_mut() } {
        take.begun = Begun::Nothing;
    }
}

/// The cleanups of an owned scope, newest on top.
#[derive(Debug)]
pub(crate) struct Entries(Arena);

// SAFETY: every entry is `Send + 'static`, and the arena refers to nothing else but its blocks,
// which are plain memory that any thread may give back.
unsafe impl Send for Entries {}
// SAFETY: by a shared reference one can only ask whether there are any; all else needs `&mut`.
unsafe impl Sync for Entries {}

impl Entries {
    #[inline(always)]
    pub(crate) const fn new() -> Self {
        Self(Arena::new())
    }

    #[inline(always)]
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    #[inline(always)]
    pub(crate) fn push_with<F, C>(&mut self, make: F, at: &'static Location<'static>) -> Place
    where
        F: FnOnce(Outcome) -> C + Send + 'static,
        C: Future<Output: AsyncCleanupResult> + Send + 'static,
    {
        if align_of::<F>() > WORD {
            return self.push(With(Box::new(make)), at);
        }
        self.push(With(make), at)
    }

    #[inline(always)]
    pub(crate) fn push_always<F: Future<Output: AsyncCleanupResult> + Send + 'static>(
        &mut self,
        future: F,
        at: &'static Location<'static>,
    ) -> Place {
        if align_of::<F>() > WORD {
            return self.push(Always(Cleanup { future: Box::pin(future) }), at);
        }
        self.push(Always(Cleanup { future }), at)
    }

    #[inline(always)]
    pub(crate) fn push_on<F: Future<Output: AsyncCleanupResult> + Send + 'static>(
        &mut self,
        applies: fn(Outcome) -> bool,
        future: F,
        at: &'static Location<'static>,
    ) -> Place {
        if align_of::<F>() > WORD {
            return self.push(On { applies, cleanup: Cleanup { future: Box::pin(future) } }, at);
        }
        self.push(On { applies, cleanup: Cleanup { future } }, at)
    }

    /// Keeps an entry, which is boxed by who pushes where it asks for more alignment than this gives.
    #[inline(always)]
    fn push<T: Entry>(&mut self, entry: T, at: &'static Location<'static>) -> Place {
        // SAFETY: made for this type, whose alignment was looked at; it borrows nothing.
        unsafe { self.0.push(entry, act::<T>, at) }.0
    }

    /// Takes the newest.
    pub(crate) fn pop(&mut self) -> Option<Next<'_>> {
        self.0.pop().map(|taken| Next { taken, entries: std::marker::PhantomData })
    }

    /// To take one after the other.
    #[inline(always)]
    pub(crate) const fn newest(&mut self) -> Newest<'_> {
        let cursor = self.0.cursor();
        Newest { cursor, entries: self }
    }

    #[cold]
    #[inline(never)]
    fn discard_all(&mut self) {
        while let Some(taken) = self.0.pop() {
            // SAFETY: it was taken, and is live.
            unsafe { discard(taken) };
        }
    }

    /// Drops a cleanup, wherever it is.
    ///
    /// # Safety
    /// As for [`Arena::withdraw`].
    pub(crate) unsafe fn discard(&mut self, place: Place) {
        // SAFETY: by the contract.
        unsafe { discard(self.0.withdraw(place, nothing)) };
    }

    /// Hands one cleanup to another scope, as its newest.
    ///
    /// # Safety
    /// As for [`Arena::withdraw`].
    pub(crate) unsafe fn transfer(&mut self, place: Place, to: &mut Self) -> Place {
        // SAFETY: by the contract. Entries have not begun, so they may be moved, borrow nothing,
        // and are taken with a `Take` wherever they are.
        unsafe { self.0.transfer(place, nothing, &to.0) }
    }
}

impl Drop for Entries {
    #[inline(always)]
    fn drop(&mut self) {
        if !self.is_empty() {
            self.discard_all();
        }
    }
}

/// Takes one cleanup after the other. The arena is told when it is dropped, and before anything else
/// is done with the entries.
pub(crate) struct Newest<'a> {
    entries: &'a mut Entries,
    cursor: Cursor,
}

impl Newest<'_> {
    #[inline(always)]
    pub(crate) fn pop(&mut self) -> Option<Next<'_>> {
        // SAFETY: the entries are borrowed, and whatever else is done with them begins with
        // `settle` and ends with a new cursor.
        let taken = unsafe { self.entries.0.pop_at(&mut self.cursor) }?;
        Some(Next { taken, entries: std::marker::PhantomData })
    }

    /// Keeps the room of the cleanup that was taken last, where it waits.
    ///
    /// # Safety
    /// One was taken, and nothing was done with the entries since.
    pub(crate) unsafe fn retain(&mut self) {
        // SAFETY: by the contract.
        unsafe { self.entries.0.retain(&mut self.cursor, nothing) }
    }

    /// Does what else there is to do with the entries.
    #[inline(always)]
    pub(crate) fn change(&mut self, change: impl FnOnce(&mut Entries)) {
        // SAFETY: nothing else was done with the entries.
        unsafe { self.entries.0.settle(self.cursor) };
        change(self.entries);
        self.cursor = self.entries.0.cursor();
    }
}

impl Drop for Newest<'_> {
    #[inline(always)]
    fn drop(&mut self) {
        // SAFETY: nothing else was done with the entries.
        unsafe { self.entries.0.settle(self.cursor) };
    }
}

/// The newest cleanup, which was taken; the entries are lent until it is begun or dropped.
pub(crate) struct Next<'a> {
    taken: Taken,
    entries: std::marker::PhantomData<&'a mut Entries>,
}

impl Next<'_> {
    /// Where it was registered.
    #[inline(always)]
    pub(crate) fn at(&self) -> &'static Location<'static> {
        self.taken.at.location()
    }

    /// Begins or drops it, as `take` says; what became of it stands there.
    #[inline(always)]
    pub(crate) fn take(self, take: &mut Take<'_, '_>) {
        debug_assert!(take.begun == Begun::Done, "the last one is dealt with");
        // SAFETY: the entry was taken and is live, and `act` is given the `Take` it expects.
        unsafe { (self.taken.act)(self.taken.slot, ptr::from_mut(take).cast(), self.taken.at) };
    }
}
