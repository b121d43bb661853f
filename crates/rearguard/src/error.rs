//! One error for all that a service does with its neighbours: what kind, in which operation, with
//! what, because of what, and whether to try again.

use std::{borrow::Cow, error, fmt};

use crate::{Cause, Outcome};

/// What went wrong: a closed list with stable codes, the same in logs, metrics and docs.
///
/// Where a [`Cause`] says the same of a request, [`ErrorKind::cause`] has it. `docs/errors.md` says of each
/// what makes it and what to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// What was asked for cannot be: an option, a name, an address. Nothing was done.
    InvalidInput,
    /// The deadline of the work had passed, or passed while it waited.
    DeadlinePassed,
    /// It was cancelled by who asked for it.
    Cancelled,
    /// What was asked is closing or closed, and takes no more.
    Closed,
    /// Too many wait already.
    QueueFull,
    /// It waited too long for a place or a connection.
    QueueTimedOut,
    /// A circuit breaker is open.
    CircuitOpen,
    /// A limit of concurrency was reached.
    Overloaded,
    /// The name could not be resolved.
    DnsFailed,
    /// Nothing listens there.
    ConnectRefused,
    /// No connection came about in time.
    ConnectTimedOut,
    /// The network has no way there.
    Unreachable,
    /// TLS failed.
    TlsFailed,
    /// The connection was closed after the request, before an answer.
    ClosedBeforeResponse,
    /// The connection was reset.
    Reset,
    /// The answer broke off.
    ClosedMidResponse,
    /// No answer began in time.
    ResponseTimedOut,
    /// The answer began, and did not end in time.
    BodyTimedOut,
    /// What came back was not the protocol.
    ProtocolError,
    /// The other side answered that it failed.
    Failed,
    /// The work conflicted with other work: run it again.
    Conflict,
    /// It broke a rule of the data: it will break it again.
    ConstraintViolated,
    /// The transaction was rolled back although it was to be committed.
    RolledBack,
    /// It cannot be told whether the transaction was committed.
    CommitUnknown,
    /// The lock was lost, or could no longer be shown to be held.
    LockLost,
    /// The resource has seen a newer holder of the lock.
    Fenced,
    /// Every attempt that was allowed has failed; the source is the last one's error.
    RetriesSpent,
    /// The work panicked.
    Panicked,
}

impl ErrorKind {
    /// All of them, in the order of their sections in `docs/errors.md`.
    pub const ALL: [Self; 28] = [
        Self::InvalidInput,
        Self::DeadlinePassed,
        Self::Cancelled,
        Self::Closed,
        Self::QueueFull,
        Self::QueueTimedOut,
        Self::CircuitOpen,
        Self::Overloaded,
        Self::DnsFailed,
        Self::ConnectRefused,
        Self::ConnectTimedOut,
        Self::Unreachable,
        Self::TlsFailed,
        Self::ClosedBeforeResponse,
        Self::Reset,
        Self::ClosedMidResponse,
        Self::ResponseTimedOut,
        Self::BodyTimedOut,
        Self::ProtocolError,
        Self::Failed,
        Self::Conflict,
        Self::ConstraintViolated,
        Self::RolledBack,
        Self::CommitUnknown,
        Self::LockLost,
        Self::Fenced,
        Self::RetriesSpent,
        Self::Panicked,
    ];

    /// The code used in logs, metrics and docs.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::InvalidInput => "invalid_input",
            Self::DeadlinePassed => "deadline_passed",
            Self::Cancelled => "cancelled",
            Self::Closed => "closed",
            Self::QueueFull => "queue_full",
            Self::QueueTimedOut => "queue_timed_out",
            Self::CircuitOpen => "circuit_open",
            Self::Overloaded => "overloaded",
            Self::DnsFailed => "dns_failed",
            Self::ConnectRefused => "connect_refused",
            Self::ConnectTimedOut => "connect_timed_out",
            Self::Unreachable => "unreachable",
            Self::TlsFailed => "tls_failed",
            Self::ClosedBeforeResponse => "closed_before_response",
            Self::Reset => "reset",
            Self::ClosedMidResponse => "closed_mid_response",
            Self::ResponseTimedOut => "response_timed_out",
            Self::BodyTimedOut => "body_timed_out",
            Self::ProtocolError => "protocol_error",
            Self::Failed => "failed",
            Self::Conflict => "conflict",
            Self::ConstraintViolated => "constraint_violated",
            Self::RolledBack => "rolled_back",
            Self::CommitUnknown => "commit_unknown",
            Self::LockLost => "lock_lost",
            Self::Fenced => "fenced",
            Self::RetriesSpent => "retries_spent",
            Self::Panicked => "panicked",
        }
    }

    /// The outcome of a scope that ends in this error.
    #[must_use]
    pub const fn outcome(self) -> Outcome {
        match self {
            Self::DeadlinePassed
            | Self::QueueTimedOut
            | Self::ConnectTimedOut
            | Self::ResponseTimedOut
            | Self::BodyTimedOut => Outcome::TimedOut,
            Self::Cancelled => Outcome::Cancelled,
            Self::Panicked => Outcome::Panicked,
            _ => Outcome::Failed,
        }
    }

    /// The cause that says the same of a request, where there is one.
    #[must_use]
    pub const fn cause(self) -> Option<Cause> {
        Some(match self {
            Self::CircuitOpen => Cause::GatewayCircuitOpen,
            Self::QueueTimedOut => Cause::GatewayQueueTimedOut,
            Self::Overloaded | Self::QueueFull => Cause::GatewayOverloaded,
            Self::RetriesSpent => Cause::GatewayRetriesSpent,
            Self::DeadlinePassed => Cause::ClientDeadlinePassed,
            Self::DnsFailed => Cause::UpstreamDnsFailed,
            Self::ConnectRefused => Cause::UpstreamConnectRefused,
            Self::ConnectTimedOut => Cause::UpstreamConnectTimedOut,
            Self::Unreachable => Cause::UpstreamUnreachable,
            Self::TlsFailed => Cause::UpstreamTlsFailed,
            Self::ClosedBeforeResponse => Cause::UpstreamClosedBeforeResponse,
            Self::Reset => Cause::UpstreamReset,
            Self::ClosedMidResponse => Cause::UpstreamClosedMidResponse,
            Self::ResponseTimedOut => Cause::UpstreamResponseTimedOut,
            Self::BodyTimedOut => Cause::UpstreamBodyTimedOut,
            Self::ProtocolError => Cause::UpstreamProtocolError,
            Self::Failed => Cause::UpstreamFailed,
            Self::Panicked => Cause::UpstreamPanicked,
            _ => return None,
        })
    }
}

impl fmt::Display for ErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Whether the same may be tried again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retry {
    /// It would fail again, or might be done twice.
    No,
    /// It had no effect, and may succeed the next time.
    Yes,
}

/// What went wrong between a service and its neighbours.
///
/// ```
/// use rearguard::{Error, ErrorKind, Outcome};
///
/// let error = Error::new(ErrorKind::QueueTimedOut, "pool.get")
///     .with("pool", "orders")
///     .with("waited", "250ms")
///     .retryable();
/// assert_eq!(error.to_string(), "queue_timed_out in pool.get (pool: orders, waited: 250ms)");
/// assert_eq!(error.kind().outcome(), Outcome::TimedOut);
/// assert!(error.is_retryable());
/// ```
pub struct Error(Box<Inner>);

struct Inner {
    kind: ErrorKind,
    operation: &'static str,
    context: Vec<(&'static str, Cow<'static, str>)>,
    source: Option<Box<dyn error::Error + Send + Sync>>,
    retry: Retry,
}

impl Error {
    /// An error of this kind in this operation: `transaction.commit`, `lock.acquire`.
    #[must_use]
    pub fn new(kind: ErrorKind, operation: &'static str) -> Self {
        Self(Box::new(Inner {
            kind,
            operation,
            context: Vec::new(),
            source: None,
            retry: Retry::No,
        }))
    }

    /// Says with what: a name, an address, a limit.
    #[must_use]
    pub fn with(mut self, what: &'static str, value: impl Into<Cow<'static, str>>) -> Self {
        self.0.context.push((what, value.into()));
        self
    }

    /// Says because of what.
    #[must_use]
    pub fn because(mut self, source: impl Into<Box<dyn error::Error + Send + Sync>>) -> Self {
        self.0.source = Some(source.into());
        self
    }

    /// Says that it had no effect and may be tried again.
    #[must_use]
    pub fn retryable(mut self) -> Self {
        self.0.retry = Retry::Yes;
        self
    }

    /// What kind it is.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// In which operation.
    #[must_use]
    pub fn operation(&self) -> &'static str {
        self.0.operation
    }

    /// What it was with, by its name.
    #[must_use]
    pub fn context(&self, what: &str) -> Option<&str> {
        self.0.context.iter().find(|(name, _)| *name == what).map(|(_, value)| value.as_ref())
    }

    /// Whether the same may be tried again.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        self.0.retry == Retry::Yes
    }

    /// The first of these in an error's chain of sources, itself included.
    ///
    /// ```
    /// use rearguard::{Error, ErrorKind};
    ///
    /// let inner = Error::new(ErrorKind::Reset, "client.send");
    /// let outer = Error::new(ErrorKind::RetriesSpent, "retry").because(inner);
    /// assert_eq!(Error::find(&outer).map(Error::kind), Some(ErrorKind::RetriesSpent));
    /// assert!(Error::find(&std::io::Error::other("no")).is_none());
    /// ```
    #[must_use]
    pub fn find<'a>(error: &'a (dyn error::Error + 'static)) -> Option<&'a Self> {
        std::iter::successors(Some(error), |error| error.source())
            .find_map(|error| error.downcast_ref::<Self>())
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} in {}", self.0.kind, self.0.operation)?;
        for (index, (what, value)) in self.0.context.iter().enumerate() {
            f.write_str(if index == 0 { " (" } else { ", " })?;
            write!(f, "{what}: {value}")?;
        }
        if !self.0.context.is_empty() {
            f.write_str(")")?;
        }
        match &self.0.source {
            Some(source) => write!(f, ": {source}"),
            None => Ok(()),
        }
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Error")
            .field("kind", &self.0.kind)
            .field("operation", &self.0.operation)
            .field("context", &self.0.context)
            .field("retry", &self.0.retry)
            .field("source", &self.0.source)
            .finish()
    }
}

impl error::Error for Error {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        self.0.source.as_deref().map(|source| source as _)
    }
}

#[cfg(test)]
mod tests {
    use super::{Error, ErrorKind};
    use crate::Outcome;

    #[test]
    fn it_reads_as_what_where_with_what_and_why() {
        let error = Error::new(ErrorKind::ConnectRefused, "client.connect")
            .with("address", "127.0.0.1:1")
            .because(std::io::Error::from(std::io::ErrorKind::ConnectionRefused));
        assert_eq!(
            error.to_string(),
            "connect_refused in client.connect (address: 127.0.0.1:1): connection refused"
        );
        assert_eq!(error.context("address"), Some("127.0.0.1:1"));
        assert!(!error.is_retryable());
    }

    #[test]
    fn every_kind_has_its_section_with_its_outcome_and_its_cause() {
        let page = include_str!("../../../docs/errors.md");
        let mut sections = page.split("\n## ").skip(1);
        for kind in ErrorKind::ALL {
            let section = sections.next().unwrap_or_default();
            assert!(section.starts_with(&format!("`{kind}`\n")), "{kind}: {section}");
            assert!(section.contains(&format!("- Outcome: `{}`\n", kind.outcome())), "{section}");
            let cause = match kind.cause() {
                Some(cause) => format!("- Cause: [`{cause}`](causes/{cause}.md)\n"),
                None => "- Cause: none\n".to_owned(),
            };
            assert!(section.contains(&cause), "{section}");
        }
        assert_eq!(sections.next(), None);
    }

    #[test]
    fn a_kind_and_its_cause_tell_of_the_same_outcome() {
        for kind in [
            ErrorKind::ConnectRefused,
            ErrorKind::ConnectTimedOut,
            ErrorKind::ResponseTimedOut,
            ErrorKind::BodyTimedOut,
            ErrorKind::DeadlinePassed,
            ErrorKind::QueueTimedOut,
            ErrorKind::CircuitOpen,
            ErrorKind::Panicked,
        ] {
            assert_eq!(kind.cause().map(crate::Cause::outcome), Some(kind.outcome()), "{kind}");
        }
        assert_eq!(ErrorKind::LockLost.cause(), None);
        assert_eq!(ErrorKind::Cancelled.outcome(), Outcome::Cancelled);
    }
}
