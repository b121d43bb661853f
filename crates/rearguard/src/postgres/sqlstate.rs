//! What to do about each SQLSTATE: a table, and nothing but the table decides.
//!
//! Codes are those of PostgreSQL, appendix A, "PostgreSQL Error Codes".

use std::fmt;

use crate::ErrorKind;

/// A SQLSTATE: five letters or digits, of which the first two are the class.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct SqlState([u8; 5]);

impl SqlState {
    /// Reads one. `None` if it is not five ASCII letters or digits.
    ///
    /// ```
    /// use rearguard::postgres::SqlState;
    ///
    /// assert_eq!(SqlState::new("40001").unwrap().to_string(), "40001");
    /// assert!(SqlState::new("4000").is_none());
    /// ```
    #[must_use]
    pub fn new(code: &str) -> Option<Self> {
        let bytes: [u8; 5] = code.as_bytes().try_into().ok()?;
        bytes.iter().all(u8::is_ascii_alphanumeric).then_some(Self(bytes))
    }

    /// The five characters.
    #[must_use]
    pub fn as_str(&self) -> &str {
        // Letters and digits of ASCII, as `new` has seen.
        std::str::from_utf8(&self.0).unwrap_or_default()
    }

    /// What [`TABLE`] says of it: the row of the code, else that of its class, else
    /// [`Policy::GiveUp`].
    ///
    /// ```
    /// use rearguard::postgres::{Policy, SqlState};
    ///
    /// assert_eq!(SqlState::new("40001").unwrap().policy(), Policy::RunAgain);
    /// assert_eq!(SqlState::new("23505").unwrap().policy(), Policy::GiveUp);
    /// assert_eq!(SqlState::new("42601").unwrap().policy(), Policy::GiveUp);
    /// ```
    #[must_use]
    pub fn policy(&self) -> Policy {
        self.row().map_or(Policy::GiveUp, |row| row.policy)
    }

    /// The kind of error that it is to the caller.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        self.row().map_or(ErrorKind::Failed, |row| row.kind)
    }

    fn row(&self) -> Option<&'static Row> {
        let code = self.as_str();
        let of = |code: &str| TABLE.iter().find(|row| row.code == code);
        of(code).or_else(|| of(&code[..2]))
    }
}

impl fmt::Display for SqlState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for SqlState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SqlState({self})")
    }
}

/// What a transaction does about an error. It is rolled back in any case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Policy {
    /// Run the whole body again, after a random pause, at most
    /// [`max_attempts`](super::TransactionOptions::max_attempts) times.
    RunAgain,
    /// Run the whole body again, after a random pause, as long as the deadline lasts.
    RunAgainInTime,
    /// Hand the error to the caller.
    GiveUp,
    /// Hand the error to the caller, and close the connection.
    Discard,
    /// Close the connection, connect again, which finds the primary, and run the body again.
    Reconnect,
    /// As [`Policy::Reconnect`], after a pause.
    BackOff,
    /// The connection is gone. Before COMMIT: as [`Policy::Reconnect`]. During COMMIT: it is unknown
    /// whether it was committed, and `pg_xact_status` settles it.
    Lost,
}

/// One row of [`TABLE`].
#[derive(Clone, Copy, Debug)]
pub struct Row {
    /// A code, or a class: its first two characters.
    pub code: &'static str,
    /// What to do.
    pub policy: Policy,
    /// What it is to the caller.
    pub kind: ErrorKind,
    /// What it means.
    pub meaning: &'static str,
}

const fn row(code: &'static str, policy: Policy, kind: ErrorKind, meaning: &'static str) -> Row {
    Row { code, policy, kind, meaning }
}

/// The policy. A code that is not here, and whose class is not either, is given up.
pub const TABLE: &[Row] = &[
    row("40001", Policy::RunAgain, ErrorKind::Conflict, "serialization failure, also at COMMIT"),
    row("40P01", Policy::RunAgain, ErrorKind::Conflict, "deadlock"),
    row("40003", Policy::Lost, ErrorKind::CommitUnknown, "statement completion unknown"),
    row("55P03", Policy::RunAgainInTime, ErrorKind::Conflict, "lock not available"),
    row("23", Policy::GiveUp, ErrorKind::ConstraintViolated, "constraint, deferred ones at COMMIT"),
    row("57014", Policy::GiveUp, ErrorKind::Cancelled, "query cancelled, or statement_timeout"),
    row("25P02", Policy::Discard, ErrorKind::RolledBack, "the transaction had failed before"),
    row("25006", Policy::Reconnect, ErrorKind::Failed, "read only, as after a failover"),
    row("53", Policy::BackOff, ErrorKind::Overloaded, "out of connections, memory, disk"),
    row("57P03", Policy::BackOff, ErrorKind::Overloaded, "starting, or not accepting connections"),
    row("57P01", Policy::Lost, ErrorKind::Reset, "ended by an administrator"),
    row("57P02", Policy::Lost, ErrorKind::Reset, "ended by the crash of another session"),
    row("57P05", Policy::Lost, ErrorKind::DeadlinePassed, "idle_session_timeout"),
    row("25P03", Policy::Discard, ErrorKind::DeadlinePassed, "idle_in_transaction_session_timeout"),
    row("25P04", Policy::Discard, ErrorKind::DeadlinePassed, "transaction_timeout"),
    row("08", Policy::Lost, ErrorKind::Reset, "connection broken"),
];

#[cfg(test)]
mod tests {
    use super::*;

    fn policy(code: &str) -> Policy {
        SqlState::new(code).unwrap().policy()
    }

    #[test]
    fn each_row_is_what_the_facts_say() {
        for (code, expected) in [
            ("40001", Policy::RunAgain),
            ("40P01", Policy::RunAgain),
            ("55P03", Policy::RunAgainInTime),
            ("23503", Policy::GiveUp),
            ("23505", Policy::GiveUp),
            ("57014", Policy::GiveUp),
            ("25P02", Policy::Discard),
            ("25006", Policy::Reconnect),
            ("53300", Policy::BackOff),
            ("53200", Policy::BackOff),
            ("57P03", Policy::BackOff),
            ("57P01", Policy::Lost),
            ("57P02", Policy::Lost),
            ("08006", Policy::Lost),
            ("25P03", Policy::Discard),
            ("40003", Policy::Lost),
        ] {
            assert_eq!(policy(code), expected, "{code}");
        }
    }

    #[test]
    fn what_is_not_in_the_table_is_given_up() {
        for code in ["42601", "22012", "40002", "XX000", "00000", "55006"] {
            assert_eq!(policy(code), Policy::GiveUp, "{code}");
            assert_eq!(SqlState::new(code).unwrap().kind(), ErrorKind::Failed, "{code}");
        }
    }

    #[test]
    fn each_row_can_be_reached_and_none_is_there_twice() {
        for (index, row) in TABLE.iter().enumerate() {
            let code = format!("{:0<5}", row.code);
            assert_eq!(policy(&code), row.policy, "{code}");
            assert!(TABLE[..index].iter().all(|earlier| earlier.code != row.code), "{code}");
        }
    }

    #[test]
    fn only_what_had_no_effect_is_run_again() {
        for row in TABLE {
            if matches!(row.policy, Policy::RunAgain | Policy::RunAgainInTime) {
                assert_eq!(row.kind, ErrorKind::Conflict, "{}", row.code);
            }
        }
    }
}
