use std::sync::OnceLock;

use super::report::Report;

/// Is told of scopes that have ended, for logs and metrics.
///
/// It is told of every [`crate::scope_reported`], [`crate::scope_async`] and
/// [`crate::OwnedScope`]; of a plain [`crate::scope`] only where a cleanup failed, so that the
/// others cost nothing. It is called where the scope ended, so it must be quick.
pub trait Observer: Send + Sync {
    /// A scope has ended. Where the reaper goes on with it, it is told of again when that is done.
    fn scope_ended(&self, report: &Report);
}

static OBSERVER: OnceLock<Box<dyn Observer>> = OnceLock::new();

/// Sets the process's observer, for good.
///
/// # Errors
/// Gives it back where one is set already.
pub fn set_observer(observer: impl Observer + 'static) -> Result<(), Box<dyn Observer>> {
    OBSERVER.set(Box::new(observer))
}

pub(crate) fn notify(report: &Report) {
    if let Some(observer) = OBSERVER.get() {
        super::panic::contained(|| observer.scope_ended(report));
    }
}
