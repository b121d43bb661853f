//! The cleanup that runs: a future of any type, in a block that serves one after the other.

use std::{
    future::Future,
    marker::PhantomData,
    mem::{self, size_of},
    pin::Pin,
    ptr::{self, NonNull, null_mut},
    task::{Context, Poll},
};

use crate::scope::{block, panic::contained, report::BoxError};

/// What a cleanup ends with.
pub(crate) type Settled = Result<(), BoxError>;

type Running = dyn Future<Output = Settled> + Send;

/// Room for one future, which stays where it is however often the slot is moved.
///
/// Invariant: `running` is a live future that the slot owns: in memory that stays its own until the
/// slot is free, be it `block` or lent to [`Slot::begin_at`], or in a box of its own, as `place`
/// says. What is in `block` is aligned to [`block::ALIGN`] at most and not longer than
/// [`block::SIZE`].
pub(crate) struct Slot {
    block: *mut u8,
    running: Option<NonNull<Running>>,
    place: Place,
    /// The future is owned, and is `Send`.
    marker: PhantomData<Box<Running>>,
}

#[derive(Clone, Copy)]
enum Place {
    /// The memory is not the future's: it is only dropped.
    Lent,
    Boxed,
}

// SAFETY: the slot owns the block and the future in it, and the future is `Send`. A block is plain
// memory, which any thread may give back.
unsafe impl Send for Slot {}
// SAFETY: nothing can be done by a shared reference: whatever touches the future needs `&mut`.
unsafe impl Sync for Slot {}

impl Slot {
    pub(crate) const fn new() -> Self {
        Self { block: null_mut(), running: None, place: Place::Lent, marker: PhantomData }
    }

    /// Puts a future here and polls it; if all went well, the slot is free again. The slot must be
    /// free. After an error and a panic the future is still here.
    ///
    /// Most cleanups are ready at once, so this knows the type: the compiler can do away with what
    /// the slot would need to remember.
    #[inline]
    pub(crate) fn begin<F: Future<Output = Settled> + Send + 'static>(
        &mut self,
        future: F,
        context: &mut Context<'_>,
    ) -> Poll<Settled> {
        if size_of::<F>() > block::SIZE || align_of::<F>() > block::ALIGN {
            let start = Box::into_raw(Box::new(future));
            // SAFETY: it is live, and its box is its own.
            return unsafe { self.poll_first(start, Place::Boxed, context) };
        }
        if self.block.is_null() {
            (self.block, _) = block::take(block::SIZE);
        }
        let start = self.block.cast::<F>();
        // SAFETY: the block is ours, free, long enough and aligned for an `F`, which is live then.
        unsafe {
            start.write(future);
            self.poll_first(start, Place::Lent, context)
        }
    }

    /// Like [`Slot::begin`], with a future that stays where it is.
    ///
    /// # Safety
    /// A live future is there, which is the slot's from now on, and the memory stays its own until
    /// the slot is free.
    #[inline(always)]
    pub(crate) unsafe fn begin_at<F: Future<Output = Settled> + Send + 'static>(
        &mut self,
        start: *mut F,
        context: &mut Context<'_>,
    ) -> Poll<Settled> {
        // SAFETY: by the contract.
        unsafe { self.poll_first(start, Place::Lent, context) }
    }

    /// Polls a future for the first time.
    ///
    /// # Safety
    /// A live future is there, which is the slot's from now on, and stays there as `place` says.
    #[inline(always)]
    unsafe fn poll_first<F: Future<Output = Settled> + Send + 'static>(
        &mut self,
        start: *mut F,
        place: Place,
        context: &mut Context<'_>,
    ) -> Poll<Settled> {
        debug_assert!(self.running.is_none(), "one cleanup after the other");
        let stays = Stays { slot: self, start, place };
        // SAFETY: `start` is a live `F` that does not move until it is dropped.
        let polled = unsafe { Pin::new_unchecked(&mut *start) }.poll(context);
        if matches!(polled, Poll::Ready(Ok(()))) {
            mem::forget(stays);
            match place {
                // SAFETY: the future is live, and the slot does not know of it. The memory stays.
                Place::Lent => unsafe { ptr::drop_in_place(start) },
                // SAFETY: as above; it came from `Box::into_raw`.
                Place::Boxed => drop(unsafe { Box::from_raw(start) }),
            }
        }
        polled
    }

    /// Polls the future. A free slot is ready.
    #[inline]
    pub(crate) fn poll(&mut self, context: &mut Context<'_>) -> Poll<Settled> {
        match &mut self.running {
            None => Poll::Ready(Ok(())),
            // SAFETY: by the invariant a live future is there. It is pinned: it is moved no more
            // until `clear` drops it, as neither memory nor box moves with the slot.
            Some(running) => unsafe { Pin::new_unchecked(running.as_mut()) }.poll(context),
        }
    }

    /// Drops the future, which may panic; the slot is free all the same.
    #[inline]
    pub(crate) fn clear(&mut self) {
        let Some(running) = self.running.take() else { return };
        match self.place {
            // SAFETY: the future is live, and `running` no longer says so. The memory stays.
            Place::Lent => unsafe { ptr::drop_in_place(running.as_ptr()) },
            // SAFETY: as above; it came from `Box::into_raw`.
            Place::Boxed => drop(unsafe { Box::from_raw(running.as_ptr()) }),
        }
    }
}

/// Lets the slot know of a future that is not done with: it waits, has failed, or has panicked.
struct Stays<'s, F: Future<Output = Settled> + Send + 'static> {
    slot: &'s mut Slot,
    start: *mut F,
    place: Place,
}

impl<F: Future<Output = Settled> + Send + 'static> Drop for Stays<'_, F> {
    #[inline]
    fn drop(&mut self) {
        self.slot.running = NonNull::new(self.start as *mut Running);
        self.slot.place = self.place;
    }
}

impl Slot {
    /// Most slots have nothing to drop: only what is made when it begins, or waits, is here.
    #[cold]
    #[inline(never)]
    fn drop_all(&mut self) {
        if self.running.is_some() {
            contained(|| self.clear());
        }
        if !self.block.is_null() {
            // SAFETY: it came from `block::take` with this size, and nothing is in it any more.
            unsafe { block::give(self.block, block::SIZE) };
        }
    }
}

impl Drop for Slot {
    #[inline(always)]
    fn drop(&mut self) {
        if self.running.is_some() || !self.block.is_null() {
            self.drop_all();
        }
    }
}
