//! Bounds in time, and whose they are.

use std::time::Duration;

use tokio::time::Instant;

/// A bound that is further off than this is one of a year, so that it can be told.
const FAR: Duration = Duration::from_secs(365 * 24 * 3600);

/// Whose bound it is: the caller's deadline, or an option.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limit {
    pub(super) at: Instant,
    pub(super) name: &'static str,
}

impl Limit {
    /// The earlier of an option's bound from now and the caller's deadline.
    pub(super) fn within(name: &'static str, timeout: Duration, deadline: Option<Instant>) -> Self {
        let at = after(Instant::now(), timeout);
        match deadline {
            Some(deadline) if deadline < at => Self { at: deadline, name: DEADLINE },
            _ => Self { at, name },
        }
    }

    pub(super) fn is_deadline(self) -> bool {
        self.name == DEADLINE
    }
}

/// What the caller's own bound is called.
pub(super) const DEADLINE: &str = "deadline";

pub(super) fn after(begin: Instant, timeout: Duration) -> Instant {
    begin + timeout.min(FAR)
}
