use std::{
    fmt,
    future::{Future, poll_fn},
    mem,
    ops::{Deref, DerefMut},
    panic::Location,
    pin::Pin,
    sync::{Arc, PoisonError},
};

use tokio::sync::oneshot;

use super::{
    Options, OwnedScope,
    children::{CatchUnwind, settled},
    entry::AsyncCleanupResult,
    slot::Settled,
    sync::{Mutex, MutexGuard},
};
use crate::{
    Outcome,
    scope::panic::{Panic, contained},
};

/// Something that a scope holds and lends: made by [`OwnedScope::acquire`] and
/// [`OwnedScope::hold`].
///
/// Dropped, it goes back to the scope, whose cleanup releases it when the scope ends. Should it
/// outlive the scope, it is released as soon as it is dropped, by the [`Reaper`](super::Reaper).
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// use rearguard::{Held, Outcome, OwnedScope};
///
/// let mut scope = OwnedScope::new();
/// let mut held: Held<Vec<u8>> = scope.hold(Vec::new(), |bytes, _| async move {
///     assert_eq!(bytes, [1]);
/// });
/// held.push(1);
/// drop(held);
/// assert!(scope.end(Outcome::Succeeded).await.is_clean());
/// # }
/// ```
pub struct Held<T: Send + 'static> {
    /// `None` only while it is dropped or taken.
    value: Option<T>,
    shared: Arc<Mutex<State<T>>>,
}

/// Where a held value is.
enum State<T> {
    /// With its user.
    Lent,
    /// Here, to be released by the scope.
    Back(T),
    /// Taken for good.
    Gone,
    /// With its user, although the scope has ended: what to do when it comes back.
    Late(Release<T>, Outcome, Options, &'static Location<'static>),
}

type Release<T> =
    Box<dyn FnOnce(T, Outcome) -> Pin<Box<dyn Future<Output = Settled> + Send>> + Send>;

impl OwnedScope {
    /// Keeps `value` and lends it; `release` gets it back when the scope ends.
    ///
    /// ```
    /// use rearguard::{Outcome, OwnedScope};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// let mut scope = OwnedScope::new();
    /// let mut lines = scope.hold(Vec::new(), |lines: Vec<&str>, outcome| async move {
    ///     assert_eq!((lines, outcome), (vec!["used"], Outcome::Succeeded));
    /// });
    /// lines.push("used");
    /// drop(lines);
    /// scope.end(Outcome::Succeeded).await;
    /// # }
    /// ```
    #[track_caller]
    pub fn hold<T, F, C>(&mut self, value: T, release: F) -> Held<T>
    where
        T: Send + 'static,
        F: FnOnce(T, Outcome) -> C + Send + 'static,
        C: Future<Output: AsyncCleanupResult> + Send + 'static,
    {
        self.hold_at(value, release, Location::caller())
    }

    fn hold_at<T, F, C>(&mut self, value: T, release: F, at: &'static Location<'static>) -> Held<T>
    where
        T: Send + 'static,
        F: FnOnce(T, Outcome) -> C + Send + 'static,
        C: Future<Output: AsyncCleanupResult> + Send + 'static,
    {
        let shared = Arc::new(Mutex::new(State::Lent));
        let options = self.0.options;
        let kept = Arc::clone(&shared);
        self.0.collect();
        self.0.entries.push_with(
            move |outcome| async move {
                let back = {
                    let mut state = lock(&kept);
                    match mem::replace(&mut *state, State::Gone) {
                        State::Back(value) => Some((value, release)),
                        State::Lent => {
                            let release: Release<T> = Box::new(|value, outcome| {
                                Box::pin(settled(release(value, outcome)))
                            });
                            *state = State::Late(release, outcome, options, at);
                            None
                        }
                        State::Gone | State::Late(..) => None,
                    }
                };
                match back {
                    Some((value, release)) => settled(release(value, outcome)).await,
                    None => Ok(()),
                }
            },
            at,
        );
        Held { value: Some(value), shared }
    }

    /// Gets something that must be released, and keeps it as [`hold`](Self::hold) does.
    ///
    /// The getting is shielded: if this future is dropped half way, or the scope is cancelled, `get`
    /// goes on in the [`Reaper`](super::Reaper), and what it gets is released there with
    /// [`Outcome::Cancelled`]; the scope's older cleanups wait for that.
    ///
    /// # Errors
    /// Those of `get`; there is nothing to release then.
    ///
    /// # Panics
    /// Where `get` does; there is nothing to release then either.
    ///
    /// # Limits
    /// Until it is first polled nothing is got. Once dropped, `get` and the release have
    /// [`Options::cleanup_deadline`](super::Options::cleanup_deadline) together.
    ///
    /// ```
    /// use std::io;
    /// use rearguard::OwnedScope;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// async fn connect() -> io::Result<String> {
    ///     Ok(String::from("connected"))
    /// }
    ///
    /// let mut scope = OwnedScope::new();
    /// let connection = scope.acquire(connect(), |connection, outcome| async move {
    ///     println!("{connection} until it {outcome}");
    /// });
    /// assert_eq!(*connection.await.unwrap(), "connected");
    /// # }
    /// ```
    #[track_caller]
    pub fn acquire<T, E, G, F, C>(
        &mut self,
        get: G,
        release: F,
    ) -> impl Future<Output = Result<Held<T>, E>> + use<'_, T, E, G, F, C>
    where
        T: Send + 'static,
        E: Send + 'static,
        G: Future<Output = Result<T, E>> + Send + 'static,
        F: FnOnce(T, Outcome) -> C + Send + 'static,
        C: Future<Output: AsyncCleanupResult> + Send + 'static,
    {
        let at = Location::caller();
        async move {
            let mut getting =
                Getting { get: Some(caught(get)), release: Some(release), scope: self, at };
            let got = poll_fn(|context| match &mut getting.get {
                Some(get) => get.as_mut().poll(context),
                None => unreachable!("there until it is ready"),
            })
            .await;
            getting.get = None;
            let Some(release) = getting.release.take() else { unreachable!("taken here alone") };
            let (got, release) = or_panic(got, release);
            Ok(getting.scope.hold_at(got?, release, at))
        }
    }
}

/// An acquisition under way. Dropped meanwhile, it goes on without its caller.
struct Getting<'s, T, E, G, F, C>
where
    T: Send + 'static,
    E: Send + 'static,
    G: Future<Output = Result<T, E>> + Send + 'static,
    F: FnOnce(T, Outcome) -> C + Send + 'static,
    C: Future<Output: AsyncCleanupResult> + Send + 'static,
{
    get: Option<Pin<Box<CatchUnwind<G>>>>,
    release: Option<F>,
    scope: &'s mut OwnedScope,
    at: &'static Location<'static>,
}

fn caught<G: Future>(future: G) -> Pin<Box<CatchUnwind<G>>> {
    Box::pin(CatchUnwind { future })
}

/// Goes on with the panic of an acquisition, if it has one. What would have released it is dropped
/// before that panic unwinds: a second one would end the process.
fn or_panic<T, F>(got: Result<T, Panic>, release: F) -> (T, F) {
    match got {
        Ok(got) => (got, release),
        Err(panic) => {
            contained(|| drop(release));
            panic.resume()
        }
    }
}

impl<T, E, G, F, C> Drop for Getting<'_, T, E, G, F, C>
where
    T: Send + 'static,
    E: Send + 'static,
    G: Future<Output = Result<T, E>> + Send + 'static,
    F: FnOnce(T, Outcome) -> C + Send + 'static,
    C: Future<Output: AsyncCleanupResult> + Send + 'static,
{
    fn drop(&mut self) {
        let (Some(get), Some(release)) = (self.get.take(), self.release.take()) else { return };
        let (sender, released) = oneshot::channel::<()>();
        let mut alone = OwnedScope::with(self.scope.0.options);
        alone.0.entries.push_with(
            |outcome| async move {
                // Dropped when all is done, or lost.
                let _done = sender;
                let (got, release) = or_panic(get.await, release);
                match got {
                    Ok(value) => settled(release(value, outcome)).await,
                    Err(_) => Ok(()),
                }
            },
            self.at,
        );
        drop(alone);
        self.scope.0.collect();
        self.scope.0.entries.push_with(|_| async move { drop(released.await) }, self.at);
    }
}

impl<T: Send + 'static> Held<T> {
    /// Takes the value for good: the scope will not release it.
    ///
    /// ```
    /// use rearguard::{Held, Outcome, OwnedScope};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// let mut scope = OwnedScope::new();
    /// let held = scope.hold(7, |_, _| async { unreachable!("taken") });
    /// assert_eq!(Held::into_inner(held), 7);
    /// assert!(scope.end(Outcome::Succeeded).await.is_clean());
    /// # }
    /// ```
    pub fn into_inner(mut held: Self) -> T {
        *lock(&held.shared) = State::Gone;
        let Some(value) = held.value.take() else { unreachable!("taken here alone") };
        value
    }
}

impl<T: Send + 'static> Drop for Held<T> {
    fn drop(&mut self) {
        let Some(value) = self.value.take() else { return };
        let mut state = lock(&self.shared);
        match mem::replace(&mut *state, State::Gone) {
            State::Late(release, outcome, options, at) => {
                drop(state);
                let mut late = OwnedScope::with(options);
                late.0.entries.push_with(move |outcome| release(value, outcome), at);
                // Dropped at once, it runs in the reaper.
                drop(late.end(outcome));
            }
            _ => *state = State::Back(value),
        }
    }
}

impl<T: Send + 'static> Deref for Held<T> {
    type Target = T;

    fn deref(&self) -> &T {
        let Some(value) = &self.value else { unreachable!("there until it is dropped") };
        value
    }
}

impl<T: Send + 'static> DerefMut for Held<T> {
    fn deref_mut(&mut self) -> &mut T {
        let Some(value) = &mut self.value else { unreachable!("there until it is dropped") };
        value
    }
}

impl<T: fmt::Debug + Send + 'static> fmt::Debug for Held<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Held").field(&self.value).finish()
    }
}

fn lock<T>(shared: &Mutex<State<T>>) -> MutexGuard<'_, State<T>> {
    // Nothing panics while it is locked, so what is inside is whole.
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}
