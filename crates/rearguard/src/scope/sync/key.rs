use core::{fmt, ptr};

use super::{Exit, Scope, ScopeResult, nothing};
use crate::scope::arena::Place;

/// Names one cleanup of a scope, to withdraw it, to run it early, or to hand it on. Made by
/// [`Scope::defer_keyed`]. Dropping a key leaves its cleanup where it is.
///
/// ```
/// use rearguard::{Key, Scope, scope};
///
/// /// Keeps what was written, which is removed again unless somebody does.
/// fn keep(written: Key<'_, '_, ()>) {
///     written.disarm();
/// }
///
/// scope(|s: &Scope<'_, ()>| {
///     let written = s.defer_keyed(|| unreachable!("it is kept"));
///     keep(written);
/// });
/// ```
#[must_use = "the cleanup cannot be named again without it; one that need not be is registered with \
              `defer`"]
pub struct Key<'s, 'env, R> {
    pub(super) scope: &'s Scope<'env, R>,
    pub(super) place: Place,
    /// Drops the cleanup where it is.
    pub(super) discard: unsafe fn(*mut u8),
}

impl<R: ScopeResult> Key<'_, '_, R> {
    /// Withdraws the cleanup: it never runs, and what it captured is dropped, at once.
    ///
    /// ```
    /// use rearguard::scope;
    ///
    /// scope(|s| {
    ///     let key = s.defer_keyed(|| unreachable!());
    ///     key.disarm();
    /// });
    /// ```
    pub fn disarm(self) {
        // SAFETY: a key names an entry of its scope; the scope takes none before the body ends,
        // and the key, used up here, is the only one by which it is taken earlier. The value is
        // dropped where it is.
        unsafe {
            (self.discard)(self.scope.arena.withdraw(self.place, nothing).slot);
        }
    }

    /// Runs the cleanup now, and never again.
    ///
    /// # Errors
    /// What the cleanup returned. It is the body's to deal with, and no failure of the scope.
    ///
    /// # Panics
    /// If the cleanup does; in the body, then.
    ///
    /// ```
    /// use rearguard::scope;
    ///
    /// let result = scope(|s| -> Result<u32, String> {
    ///     let close = s.defer_keyed(|| Err::<(), _>("could not close".to_owned()));
    ///     // … and where nothing else went wrong, whether it could be closed matters:
    ///     close.run_now()?;
    ///     Ok(1)
    /// });
    /// assert_eq!(result, Err("could not close".to_owned()));
    /// ```
    pub fn run_now(self) -> Result<(), R::Error> {
        let mut exit = Exit::<R>::early();
        // SAFETY: as in `disarm`; the value is moved out before anything else happens, and the
        // context is an `Exit<R>`.
        unsafe {
            let taken = self.scope.arena.withdraw(self.place, nothing);
            (taken.act)(taken.slot, ptr::from_mut(&mut exit).cast(), taken.at);
        }
        exit.into_early()
    }
}

impl<'env, R: ScopeResult> Key<'_, 'env, R> {
    /// Hands the cleanup to another scope, as its newest; also to the same scope. What it captured
    /// is not dropped meanwhile.
    ///
    /// So several things are opened, and closed again if the last of them cannot be, else kept:
    ///
    /// ```
    /// use std::cell::RefCell;
    ///
    /// use rearguard::{Scope, scope};
    ///
    /// type R = Result<(), String>;
    ///
    /// fn open_all<'env>(
    ///     keep: &Scope<'env, R>,
    ///     closed: &'env RefCell<Vec<u32>>,
    ///     count: u32,
    /// ) -> R {
    ///     scope(|s| {
    ///         let mut keys = Vec::new();
    ///         for number in 0..count {
    ///             if number == 3 {
    ///                 return Err("there are only three".to_owned());
    ///             }
    ///             keys.push(s.defer_keyed(move || closed.borrow_mut().push(number)));
    ///         }
    ///         keys.into_iter().for_each(|key| key.transfer(keep));
    ///         Ok(())
    ///     })
    /// }
    ///
    /// let closed = RefCell::new(Vec::new());
    /// let result = scope(|s| {
    ///     open_all(s, &closed, 2)?;
    ///     assert!(closed.borrow().is_empty(), "both are open");
    ///     open_all(s, &closed, 4)
    /// });
    /// assert!(result.is_err());
    /// assert_eq!(*closed.borrow(), [2, 1, 0, 1, 0]);
    /// ```
    pub fn transfer(self, to: &Scope<'env, R>) {
        // SAFETY: as in `disarm`. The entry expects an `Exit<R>` and may borrow for `'env`, which
        // is what `to` gives; entries are moved here, not pinned, as no key names a held value.
        unsafe {
            self.scope.arena.transfer(self.place, nothing, &to.arena);
        }
    }
}

impl<R> fmt::Debug for Key<'_, '_, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Key").finish_non_exhaustive()
    }
}
