//! One cleanup, known at compile time. Needs no standard library.
#![expect(unsafe_code, reason = "what is dropped last is taken out, as a drop cannot take `self`")]

use core::{
    fmt,
    mem::ManuallyDrop,
    ops::{Deref, DerefMut},
    ptr,
};

/// A value with one cleanup, which runs when this is dropped. Made by [`guard`].
///
/// ```
/// use rearguard::guard;
///
/// let mut closed = None;
/// {
///     let mut file = guard(String::new(), |file| closed = Some(file));
///     file.push_str("written through the guard");
/// }
/// assert_eq!(closed.as_deref(), Some("written through the guard"));
/// ```
#[must_use = "it cleans up when it is dropped, and `let _ = …` drops it at once: bind it to a name, \
              as in `let _guard = …`"]
pub struct Guard<T, F: FnOnce(T)> {
    value: ManuallyDrop<T>,
    cleanup: ManuallyDrop<F>,
}

/// Lends `value` until the end of the block, and then gives it to `cleanup`.
///
/// It costs what the same code by hand costs. The cleanup runs on return, on `?`, on a panic and
/// when a future is dropped; it is not told which, and a panic in it during a panic ends the
/// process. Where that matters, there is [`crate::scope`].
///
/// ```
/// use rearguard::guard;
///
/// let mut seen = Vec::new();
/// {
///     let mut line = guard(String::from("opened"), |line| seen.push(line));
///     line.push_str(", used");
/// }
/// assert_eq!(seen, ["opened, used"]);
/// ```
#[inline(always)]
pub const fn guard<T, F: FnOnce(T)>(value: T, cleanup: F) -> Guard<T, F> {
    Guard { value: ManuallyDrop::new(value), cleanup: ManuallyDrop::new(cleanup) }
}

impl<T, F: FnOnce(T)> Guard<T, F> {
    /// Gives the value back; the cleanup never runs.
    ///
    /// ```
    /// use rearguard::{Guard, guard};
    ///
    /// let kept = guard(1, |_| unreachable!());
    /// assert_eq!(Guard::into_inner(kept), 1);
    /// ```
    #[inline]
    pub fn into_inner(guard: Self) -> T {
        let mut guard = ManuallyDrop::new(guard);
        // SAFETY: both are taken out once: the guard is not dropped.
        unsafe {
            let value = ptr::read(&raw const *guard.value);
            ManuallyDrop::drop(&mut guard.cleanup);
            value
        }
    }
}

impl<T, F: FnOnce(T)> Drop for Guard<T, F> {
    #[inline(always)]
    fn drop(&mut self) {
        // SAFETY: the guard is being dropped, so nobody reads them after this.
        let (value, cleanup) =
            unsafe { (ManuallyDrop::take(&mut self.value), ManuallyDrop::take(&mut self.cleanup)) };
        cleanup(value);
    }
}

impl<T, F: FnOnce(T)> Deref for Guard<T, F> {
    type Target = T;

    #[inline(always)]
    fn deref(&self) -> &T {
        &self.value
    }
}

impl<T, F: FnOnce(T)> DerefMut for Guard<T, F> {
    #[inline(always)]
    fn deref_mut(&mut self) -> &mut T {
        &mut self.value
    }
}

impl<T: fmt::Debug, F: FnOnce(T)> fmt::Debug for Guard<T, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Guard").field(&*self.value).finish()
    }
}

/// Runs a block of code at the end of the enclosing block, on every way out of it.
///
/// It costs what the same code by hand costs; see [`crate::guard`] for what it does not do.
///
/// ```
/// use std::cell::RefCell;
///
/// let seen = RefCell::new(Vec::new());
/// {
///     rearguard::defer! { seen.borrow_mut().push("deferred first") }
///     rearguard::defer! { seen.borrow_mut().push("deferred last") }
///     seen.borrow_mut().push("body");
/// }
/// assert_eq!(*seen.borrow(), ["body", "deferred last", "deferred first"]);
/// ```
#[macro_export]
macro_rules! defer {
    ($($body:tt)*) => {
        let _guard = $crate::guard((), |()| {
            $($body)*
        });
    };
}
