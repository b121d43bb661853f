use std::time::Duration;

use super::timing::{MAX_TTL, MIN_TTL};
use crate::{Error, ErrorKind, Options};

/// How long a lock is waited for unless [`LockOptions::wait`] says otherwise.
pub const DEFAULT_WAIT: Duration = Duration::from_secs(10);

/// The longest name of a lock. It is a key of Redis, and part of a notification of PostgreSQL.
pub const MAX_NAME_BYTES: usize = 255;

/// How a [`LockManager`](super::LockManager) waits and holds. Can be made in a `const`.
///
/// ```
/// use std::time::Duration;
///
/// use rearguard::lock::LockOptions;
///
/// const NIGHTLY: LockOptions =
///     LockOptions::new().wait(Duration::from_secs(1)).hold(Duration::from_secs(600));
/// ```
#[derive(Clone, Copy, Debug)]
pub struct LockOptions {
    pub(crate) wait: Duration,
    scope: Options,
}

impl LockOptions {
    /// Waits [`DEFAULT_WAIT`], holds as long as the work takes, and gives cleanups
    /// [`DEFAULT_CLEANUP_DEADLINE`](crate::DEFAULT_CLEANUP_DEADLINE).
    #[must_use]
    pub const fn new() -> Self {
        Self { wait: DEFAULT_WAIT, scope: Options::new().named("lock") }
    }

    /// Bounds the waiting for the lock. The deadline of the task's
    /// [`CallContext`](crate::CallContext) bounds it too.
    #[must_use]
    pub const fn wait(mut self, wait: Duration) -> Self {
        self.wait = wait;
        self
    }

    /// Bounds the work: past it, the work is dropped, undone, and the lock released. Without it a
    /// work that hangs holds the lock for good, as the watchdog goes on renewing it.
    #[must_use]
    pub const fn hold(mut self, hold: Duration) -> Self {
        self.scope = self.scope.deadline(hold);
        self
    }

    /// Bounds the undos and the release together.
    #[must_use]
    pub const fn cleanup_deadline(mut self, deadline: Duration) -> Self {
        self.scope = self.scope.cleanup_deadline(deadline);
        self
    }

    pub(crate) const fn scope(&self) -> Options {
        self.scope
    }
}

impl Default for LockOptions {
    fn default() -> Self {
        Self::new()
    }
}

/// Refuses what no store can do.
pub(crate) fn check(name: &str, ttl: Duration) -> Result<(), Error> {
    let invalid = || Error::new(ErrorKind::InvalidInput, "lock.acquire");
    if name.is_empty() || name.len() > MAX_NAME_BYTES || name.contains('\0') {
        let found =
            format!("{} bytes: {:?}", name.len(), name.chars().take(40).collect::<String>());
        let expected = format!("1 to {MAX_NAME_BYTES} bytes, none of them 0");
        return Err(invalid().with("name", found).with("expected", expected));
    }
    if ttl < MIN_TTL || ttl > MAX_TTL {
        let expected = format!("a time to live from {MIN_TTL:?} to {MAX_TTL:?}");
        let (name, ttl) = (name.to_owned(), format!("{ttl:?}"));
        return Err(invalid().with("lock", name).with("ttl", ttl).with("expected", expected));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::check;

    #[test]
    fn a_bad_name_or_ttl_is_refused_with_what_was_expected() {
        let second = Duration::from_secs(1);
        assert!(check("orders/7", second).is_ok());
        let error = check("", second).expect_err("empty").to_string();
        assert!(error.contains("expected: 1 to 255 bytes"), "{error}");
        assert!(check(&"x".repeat(256), second).is_err());
        let error = check("orders/7", Duration::from_millis(1)).expect_err("short").to_string();
        assert!(error.contains("ttl: 1ms, expected: a time to live from 20ms"), "{error}");
        assert!(check("orders/7", Duration::from_hours(25)).is_err());
    }
}
