use std::sync::OnceLock;

use super::report::Report;

/// Is told of scopes that have ended, for logs and metrics.
///
/// ```
/// use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
///
/// use rearguard::{Observer, Report, scope, set_observer};
///
/// static FAILED: AtomicUsize = AtomicUsize::new(0);
///
/// struct CountFailures;
///
/// impl Observer for CountFailures {
///     fn scope_ended(&self, report: &Report) {
///         FAILED.fetch_add(report.failures().len(), Relaxed);
///     }
/// }
///
/// assert!(set_observer(CountFailures).is_ok());
/// let result = scope(|s| -> Result<(), String> {
///     s.defer(|| Err::<(), _>("suppressed".to_owned()));
///     Err("the body's".to_owned())
/// });
/// assert_eq!(result, Err("the body's".to_owned()));
/// assert_eq!(FAILED.load(Relaxed), 1);
/// ```
///
/// It is told of every [`crate::scope_reported`], `scope_async` and `OwnedScope`; of a plain
/// [`crate::scope`] only where a cleanup failed, so that the others cost nothing. It is called where
/// the scope ended, so it must be quick. A panic of the observer is kept from coming out.
pub trait Observer: Send + Sync {
    /// A scope has ended. Where the reaper goes on with it, it is told of again when that is done.
    fn scope_ended(&self, report: &Report);
}

static OBSERVER: OnceLock<Box<dyn Observer>> = OnceLock::new();

/// Sets the process's observer, for good.
///
/// # Errors
/// Gives it back where one is set already.
///
/// ```
/// use rearguard::{Observer, Report, set_observer};
///
/// struct Ignore;
///
/// impl Observer for Ignore {
///     fn scope_ended(&self, _: &Report) {}
/// }
///
/// assert!(set_observer(Ignore).is_ok());
/// assert!(set_observer(Ignore).is_err(), "there is one for the process");
/// ```
pub fn set_observer(observer: impl Observer + 'static) -> Result<(), Box<dyn Observer>> {
    OBSERVER.set(Box::new(observer))
}

pub(crate) fn notify(report: &Report) {
    if let Some(observer) = OBSERVER.get() {
        super::panic::contained(|| observer.scope_ended(report));
    }
}
