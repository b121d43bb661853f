use std::time::Duration;

use super::DEFAULT_DEADLINE;

/// How a transaction runs. Can be made in a `const`.
///
/// ```
/// use std::time::Duration;
///
/// use rearguard::sqlite::TransactionOptions;
///
/// const TRANSFER: TransactionOptions =
///     TransactionOptions::new().named("transfer").deadline(Duration::from_secs(2));
/// ```
#[derive(Clone, Copy, Debug)]
pub struct TransactionOptions {
    pub(super) name: &'static str,
    pub(super) access: Access,
    pub(super) deadline: Duration,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Access {
    ReadWrite,
    ReadOnly,
}

impl TransactionOptions {
    /// Reads and writes, [`DEFAULT_DEADLINE`].
    #[must_use]
    pub const fn new() -> Self {
        Self { name: "", access: Access::ReadWrite, deadline: DEFAULT_DEADLINE }
    }

    /// Names it in the list of open transactions and in the scope's report.
    #[must_use]
    pub const fn named(mut self, name: &'static str) -> Self {
        self.name = name;
        self
    }

    /// It writes nothing, and keeps no writer of another process waiting. A write in it is an error.
    #[must_use]
    pub const fn read_only(mut self) -> Self {
        self.access = Access::ReadOnly;
        self
    }

    /// Bounds the wait for its turn, the waits for other processes, and the body. The nearer one counts,
    /// of this and the request's ([`CallContext`](crate::CallContext)).
    #[must_use]
    pub const fn deadline(mut self, deadline: Duration) -> Self {
        self.deadline = deadline;
        self
    }
}

impl Default for TransactionOptions {
    fn default() -> Self {
        Self::new()
    }
}
