use std::time::Duration;

use super::{
    DEFAULT_COMMIT_TIMEOUT, DEFAULT_DEADLINE, DEFAULT_MAX_ATTEMPTS, IDLE_IN_TRANSACTION_TIMEOUT,
};

/// What a transaction sees of others that run beside it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Isolation {
    /// Each statement sees what was committed before it.
    ReadCommitted,
    /// All statements see what was committed before the first.
    RepeatableRead,
    /// As if transactions ran one after the other. Conflicts are frequent, and are run again.
    Serializable,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Access {
    Writes,
    ReadOnly,
    /// Reads only, and waits for a snapshot with which it cannot conflict.
    Deferrable,
}

/// How a transaction runs. Can be made in a `const`.
///
/// ```
/// use std::time::Duration;
///
/// use rearguard::postgres::{Isolation, TransactionOptions};
///
/// const TRANSFER: TransactionOptions = TransactionOptions::new()
///     .named("transfer")
///     .isolation(Isolation::Serializable)
///     .deadline(Duration::from_secs(2))
///     .lock_timeout(Duration::from_millis(200));
/// ```
#[derive(Clone, Copy, Debug)]
pub struct TransactionOptions {
    pub(super) name: &'static str,
    pub(super) isolation: Option<Isolation>,
    pub(super) access: Access,
    pub(super) deadline: Duration,
    pub(super) max_attempts: u32,
    pub(super) commit_timeout: Duration,
    lock_timeout: Option<Duration>,
    statement_timeout: Option<Duration>,
}

impl TransactionOptions {
    /// The server's default isolation, reads and writes, [`DEFAULT_DEADLINE`],
    /// [`DEFAULT_MAX_ATTEMPTS`].
    #[must_use]
    pub const fn new() -> Self {
        Self {
            name: "",
            isolation: None,
            access: Access::Writes,
            deadline: DEFAULT_DEADLINE,
            max_attempts: DEFAULT_MAX_ATTEMPTS,
            commit_timeout: DEFAULT_COMMIT_TIMEOUT,
            lock_timeout: None,
            statement_timeout: None,
        }
    }

    /// Names it in the list of open transactions and in the scope's report.
    #[must_use]
    pub const fn named(mut self, name: &'static str) -> Self {
        self.name = name;
        self
    }

    /// What it sees of others.
    #[must_use]
    pub const fn isolation(mut self, isolation: Isolation) -> Self {
        self.isolation = Some(isolation);
        self
    }

    /// It writes nothing.
    #[must_use]
    pub const fn read_only(mut self) -> Self {
        self.access = Access::ReadOnly;
        self
    }

    /// Serializable, reads only, and waits at first for a snapshot with which it cannot fail.
    #[must_use]
    pub const fn read_only_deferrable(mut self) -> Self {
        self.access = Access::Deferrable;
        self.isolation(Isolation::Serializable)
    }

    /// Bounds the body with all its attempts and the waits for a connection. The nearer one counts, of
    /// this and the request's ([`CallContext`](crate::CallContext)). The COMMIT has its own bound
    /// ([`commit_timeout`](Self::commit_timeout)).
    #[must_use]
    pub const fn deadline(mut self, deadline: Duration) -> Self {
        self.deadline = deadline;
        self
    }

    /// How long the server has to answer the COMMIT. Past that what holds it up is cancelled; if there is
    /// still no answer within [`ROLLBACK_TIMEOUT`](super::ROLLBACK_TIMEOUT), it is settled over another
    /// connection.
    #[must_use]
    pub const fn commit_timeout(mut self, timeout: Duration) -> Self {
        self.commit_timeout = timeout;
        self
    }

    /// How often the body is run at most; at least once. Waiting for a lock that cannot be had is not
    /// counted: that goes on until the deadline.
    #[must_use]
    pub const fn max_attempts(mut self, attempts: u32) -> Self {
        self.max_attempts = if attempts == 0 { 1 } else { attempts };
        self
    }

    /// How long a statement waits for a lock, in whole milliseconds.
    #[must_use]
    pub const fn lock_timeout(mut self, timeout: Duration) -> Self {
        self.lock_timeout = Some(timeout);
        self
    }

    /// How long a statement takes at most, in whole milliseconds, watched over by the server.
    #[must_use]
    pub const fn statement_timeout(mut self, timeout: Duration) -> Self {
        self.statement_timeout = Some(timeout);
        self
    }

    /// What begins it, sent as one.
    pub(super) fn begin(&self) -> String {
        let mut sql = String::from("BEGIN");
        match self.isolation {
            None => {}
            Some(Isolation::ReadCommitted) => sql.push_str(" ISOLATION LEVEL READ COMMITTED"),
            Some(Isolation::RepeatableRead) => sql.push_str(" ISOLATION LEVEL REPEATABLE READ"),
            Some(Isolation::Serializable) => sql.push_str(" ISOLATION LEVEL SERIALIZABLE"),
        }
        match self.access {
            Access::Writes => {}
            Access::ReadOnly => sql.push_str(" READ ONLY"),
            Access::Deferrable => sql.push_str(" READ ONLY DEFERRABLE"),
        }
        let mut set = |name: &str, value: Option<Duration>| {
            if let Some(value) = value {
                // 0 would be no bound, and the server counts in an i32.
                let millis = value.as_millis().clamp(1, i32::MAX as u128);
                sql.push_str(&format!(";SET LOCAL {name}={millis}"));
            }
        };
        set("lock_timeout", self.lock_timeout);
        set("statement_timeout", self.statement_timeout);
        // The session's own bound is for the default deadline.
        let longer = self.deadline > DEFAULT_DEADLINE;
        let margin = IDLE_IN_TRANSACTION_TIMEOUT.saturating_sub(DEFAULT_DEADLINE);
        let idle = longer.then(|| self.deadline.saturating_add(margin));
        set("idle_in_transaction_session_timeout", idle);
        sql
    }
}

impl Default for TransactionOptions {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_asked_for_is_not_sent() {
        assert_eq!(TransactionOptions::new().begin(), "BEGIN");
    }

    #[test]
    fn options_become_one_message() {
        let options = TransactionOptions::new()
            .isolation(Isolation::RepeatableRead)
            .read_only()
            .lock_timeout(Duration::from_micros(1))
            .statement_timeout(Duration::from_secs(2));
        assert_eq!(
            options.begin(),
            "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;SET LOCAL lock_timeout=1;\
             SET LOCAL statement_timeout=2000"
        );
        assert_eq!(
            TransactionOptions::new().read_only_deferrable().begin(),
            "BEGIN ISOLATION LEVEL SERIALIZABLE READ ONLY DEFERRABLE"
        );
    }

    #[test]
    fn a_longer_deadline_moves_the_servers_bound() {
        let hour = TransactionOptions::new().deadline(Duration::from_secs(3600));
        assert_eq!(hour.begin(), "BEGIN;SET LOCAL idle_in_transaction_session_timeout=3630000");
    }
}
