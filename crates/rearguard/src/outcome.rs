use core::{error::Error, fmt, str::FromStr};

/// How a scope ended.
///
/// The outcome is frozen when the body of a scope ends: what happens during cleanup is reported
/// beside it and never rewrites it.
///
/// ```
/// use rearguard::Outcome;
///
/// let names = Outcome::ALL.map(Outcome::as_str);
/// assert_eq!(names[..3], ["succeeded", "failed", "timed_out"]);
/// assert_eq!(names[3..], ["panicked", "cancelled", "lost"]);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Outcome {
    /// The body returned `Ok`; an HTTP status below 500; a gRPC `OK` or client-fault status.
    Succeeded,
    /// The body returned `Err`; an HTTP 5xx; a gRPC status that blames the server.
    Failed,
    /// The scope's own deadline passed; gRPC `DEADLINE_EXCEEDED`.
    TimedOut,
    /// The body panicked.
    Panicked,
    /// The caller went away, or the future was dropped; gRPC `CANCELLED`.
    Cancelled,
    /// The owner died, and someone else closed the scope.
    Lost,
}

impl Outcome {
    /// Every outcome, in the order of the documentation.
    pub const ALL: [Self; 6] = [
        Self::Succeeded,
        Self::Failed,
        Self::TimedOut,
        Self::Panicked,
        Self::Cancelled,
        Self::Lost,
    ];

    /// The name used in logs, metrics and headers.
    ///
    /// ```
    /// use rearguard::Outcome;
    ///
    /// assert_eq!(Outcome::TimedOut.as_str(), "timed_out");
    /// assert_eq!("timed_out".parse(), Ok(Outcome::TimedOut));
    /// ```
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::TimedOut => "timed_out",
            Self::Panicked => "panicked",
            Self::Cancelled => "cancelled",
            Self::Lost => "lost",
        }
    }

    /// The outcome that a gRPC status code stands for, by the numbers of the gRPC specification
    /// (`doc/statuscodes.md`). A number outside 0 to 16 is treated as `UNKNOWN`, as gRPC asks.
    ///
    /// ```
    /// use rearguard::Outcome;
    ///
    /// assert_eq!(Outcome::from_grpc_status(5), Outcome::Succeeded); // NOT_FOUND is the caller's
    /// assert_eq!(Outcome::from_grpc_status(4), Outcome::TimedOut);
    /// assert_eq!(Outcome::from_grpc_status(14), Outcome::Failed);
    /// ```
    #[must_use]
    pub const fn from_grpc_status(status: u32) -> Self {
        match status {
            // OK, INVALID_ARGUMENT, NOT_FOUND, ALREADY_EXISTS, PERMISSION_DENIED,
            // FAILED_PRECONDITION, OUT_OF_RANGE, UNAUTHENTICATED
            0 | 3 | 5 | 6 | 7 | 9 | 11 | 16 => Self::Succeeded,
            1 => Self::Cancelled,
            4 => Self::TimedOut,
            _ => Self::Failed,
        }
    }

    /// The outcome that an HTTP status alone stands for: below 500 it succeeded.
    ///
    /// ```
    /// use rearguard::Outcome;
    ///
    /// assert_eq!(Outcome::from_http_status(404), Outcome::Succeeded);
    /// assert_eq!(Outcome::from_http_status(503), Outcome::Failed);
    /// ```
    #[must_use]
    pub const fn from_http_status(status: u16) -> Self {
        if status < 500 { Self::Succeeded } else { Self::Failed }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The text is not the name of an [`Outcome`].
///
/// ```
/// use rearguard::{Outcome, UnknownOutcome};
///
/// assert_eq!("done".parse::<Outcome>(), Err(UnknownOutcome));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnknownOutcome;

impl fmt::Display for UnknownOutcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "expected one of succeeded, failed, timed_out, panicked, cancelled, lost as an outcome",
        )
    }
}

impl Error for UnknownOutcome {}

impl FromStr for Outcome {
    type Err = UnknownOutcome;

    fn from_str(text: &str) -> Result<Self, UnknownOutcome> {
        Self::ALL.into_iter().find(|outcome| outcome.as_str() == text).ok_or(UnknownOutcome)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_reads_back() {
        for outcome in Outcome::ALL {
            assert_eq!(outcome.as_str().parse(), Ok(outcome));
        }
        assert_eq!("Succeeded".parse::<Outcome>(), Err(UnknownOutcome));
    }

    #[test]
    fn grpc_client_faults_are_the_callers_and_succeed() {
        for status in [0, 3, 5, 6, 7, 9, 11, 16] {
            assert_eq!(Outcome::from_grpc_status(status), Outcome::Succeeded, "{status}");
        }
        for status in [2, 8, 10, 12, 13, 14, 15, 17, 99] {
            assert_eq!(Outcome::from_grpc_status(status), Outcome::Failed, "{status}");
        }
        assert_eq!(Outcome::from_grpc_status(1), Outcome::Cancelled);
        assert_eq!(Outcome::from_grpc_status(4), Outcome::TimedOut);
    }
}
