use std::{
    fmt,
    future::Future,
    panic::Location,
    pin::Pin,
    sync::{Arc, PoisonError},
};

use super::{
    OwnedScope,
    children::settled,
    entry::{AsyncCleanupResult, Entries},
    options::Options,
    slot::Settled,
    sync::{Mutex, MutexGuard},
};
use crate::Outcome;

/// Registers cleanups with a scope from elsewhere: another task, a callback, a cleanup of its own.
///
/// Made by [`OwnedScope::handle`]. A cleanup that comes when the scope has ended runs at once, in
/// the reaper, with the outcome that the scope ended with.
///
/// ```
/// use rearguard::{Outcome, OwnedScope};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let mut scope = OwnedScope::new();
/// let handle = scope.handle();
/// let registered = tokio::spawn(async move { handle.defer(async {}) });
/// registered.await.unwrap();
/// assert_eq!(scope.end(Outcome::Succeeded).await.cleanups, 1);
/// # }
/// ```
#[derive(Clone)]
pub struct ScopeHandle(Arc<Inbox>);

/// What handles have registered and the scope has not taken yet.
pub(crate) struct Inbox(Mutex<State>);

enum State {
    Open(Vec<Letter>),
    Ended(Outcome, Options),
}

/// A cleanup on its way.
struct Letter {
    make: Make,
    at: &'static Location<'static>,
}

type Make = Box<dyn FnOnce(Outcome) -> Pin<Box<dyn Future<Output = Settled> + Send>> + Send>;

impl ScopeHandle {
    /// Registers a cleanup. Those registered through handles run in the order in which the scope
    /// comes to know of them: newest first, as all others.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// use rearguard::{Outcome, OwnedScope};
    ///
    /// let mut scope = OwnedScope::new();
    /// let handle = scope.handle();
    /// handle.defer(async {});
    /// assert_eq!(scope.end(Outcome::Succeeded).await.cleanups, 1);
    /// # }
    /// ```
    #[track_caller]
    pub fn defer<F>(&self, cleanup: F)
    where
        F: Future<Output: AsyncCleanupResult> + Send + 'static,
    {
        self.0.send(Box::new(|_| settle(cleanup)), Location::caller());
    }

    /// Registers a cleanup that is given the outcome.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// use rearguard::{Outcome, OwnedScope};
    ///
    /// let mut scope = OwnedScope::new();
    /// let handle = scope.handle();
    /// handle.defer_with(|outcome| async move { assert_eq!(outcome, Outcome::Failed) });
    /// assert!(scope.end(Outcome::Failed).await.is_clean());
    /// # }
    /// ```
    #[track_caller]
    pub fn defer_with<F, C>(&self, cleanup: F)
    where
        F: FnOnce(Outcome) -> C + Send + 'static,
        C: Future<Output: AsyncCleanupResult> + Send + 'static,
    {
        self.0.send(Box::new(|outcome| settle(cleanup(outcome))), Location::caller());
    }
}

fn settle<F>(cleanup: F) -> Pin<Box<dyn Future<Output = Settled> + Send>>
where
    F: Future<Output: AsyncCleanupResult> + Send + 'static,
{
    Box::pin(settled(cleanup))
}

impl fmt::Debug for ScopeHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ScopeHandle").finish_non_exhaustive()
    }
}

impl Inbox {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self(Mutex::new(State::Open(Vec::new()))))
    }

    pub(super) fn handle(self: &Arc<Self>) -> ScopeHandle {
        ScopeHandle(Arc::clone(self))
    }

    fn send(&self, make: Make, at: &'static Location<'static>) {
        let letter = Letter { make, at };
        let (outcome, options) = match &mut *self.state() {
            State::Open(letters) => return letters.push(letter),
            State::Ended(outcome, options) => (*outcome, *options),
        };
        let mut late = OwnedScope::with(options);
        late.0.entries.push_with(letter.make, letter.at);
        // Dropped at once, it runs in the reaper.
        drop(late.end(outcome));
    }

    /// Takes what has come.
    pub(super) fn collect(&self, entries: &mut Entries) {
        if let State::Open(letters) = &mut *self.state() {
            for letter in letters.drain(..) {
                entries.push_with(letter.make, letter.at);
            }
        }
    }

    /// Ends the scope for its handles, unless something has come that it must take first.
    pub(super) fn end(&self, outcome: Outcome, options: Options) -> Ended {
        let mut state = self.state();
        match &*state {
            State::Open(letters) if !letters.is_empty() => Ended::NotYet,
            _ => {
                *state = State::Ended(outcome, options);
                Ended::Yes
            }
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing panics while it is locked, so what is inside is whole.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether an inbox is closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ended {
    Yes,
    NotYet,
}

#[cfg(all(test, shuttle))]
mod races {
    use std::sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    };

    use shuttle::{check_pct, check_random, thread};

    use super::{Ended, Inbox};
    use crate::{Options, Outcome, scope::owned::entry::Entries};

    /// A cleanup is registered while its scope ends. Either the scope takes it in, or it is late; it
    /// is never both and never neither. Late ones are lost here, as there is no runtime.
    fn a_cleanup_is_taken_in_or_late() {
        let inbox = Inbox::new();
        let captured = Arc::new(AtomicUsize::new(0));
        let senders = (0..2).map(|_| {
            let (handle, captured) = (inbox.handle(), Arc::clone(&captured));
            thread::spawn(move || {
                for _ in 0..2 {
                    let capture = Capture(Arc::clone(&captured));
                    handle.defer(async move { drop(capture) });
                }
            })
        });
        let senders: Vec<_> = senders.collect();
        let mut entries = Entries::new();
        let mut taken = 0;
        loop {
            inbox.collect(&mut entries);
            while let Some(next) = entries.pop() {
                taken += 1;
                next.take(&mut crate::scope::owned::entry::Take::abandon(Outcome::Succeeded));
            }
            if inbox.end(Outcome::Succeeded, Options::new()) == Ended::Yes {
                break;
            }
        }
        for thread in senders {
            thread.join().expect("it only registers");
        }
        assert!(taken <= 4);
        assert_eq!(captured.load(SeqCst), 4, "{taken} were taken in");
    }

    /// Counts how often it is dropped.
    struct Capture(Arc<AtomicUsize>);

    impl Drop for Capture {
        fn drop(&mut self) {
            self.0.fetch_add(1, SeqCst);
        }
    }

    #[test]
    fn races_of_the_inbox() {
        check_random(a_cleanup_is_taken_in_or_late, 50_000);
        check_pct(a_cleanup_is_taken_in_or_late, 50_000, 3);
    }
}
