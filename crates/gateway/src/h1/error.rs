use std::fmt;

/// What kind of mistake a message has; this decides the answer's status.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Problem {
    /// Malformed or ambiguous: 400.
    Malformed,
    /// The target is over its limit: 414.
    TargetTooLong,
    /// The head or its number of fields is over its limit: 431.
    HeadTooLarge,
    /// A transfer coding that is not known: 501.
    UnknownTransferCoding,
}

/// A message could not be read, or must not be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Malformed {
    /// What kind of mistake it is.
    pub problem: Problem,
    /// What was found, for people.
    pub detail: &'static str,
}

impl Malformed {
    pub(crate) const fn new(detail: &'static str) -> Self {
        Self { problem: Problem::Malformed, detail }
    }

    pub(crate) const fn of(problem: Problem, detail: &'static str) -> Self {
        Self { problem, detail }
    }

    /// The status of the answer to a request with this mistake.
    #[must_use]
    pub const fn status(&self) -> u16 {
        match self.problem {
            Problem::Malformed => 400,
            Problem::TargetTooLong => 414,
            Problem::HeadTooLarge => 431,
            Problem::UnknownTransferCoding => 501,
        }
    }
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.detail)
    }
}

impl std::error::Error for Malformed {}

impl From<httparse::Error> for Malformed {
    fn from(error: httparse::Error) -> Self {
        match error {
            httparse::Error::HeaderName => {
                Self::new("a header name holds a space or another character that is not allowed")
            }
            httparse::Error::HeaderValue => Self::new("a header value holds a control character"),
            httparse::Error::NewLine => Self::new("a line does not end in CR LF"),
            httparse::Error::Status => Self::new("the status is not three digits"),
            httparse::Error::Token => Self::new("the first line is not of HTTP's form"),
            httparse::Error::TooManyHeaders => {
                Self::of(Problem::HeadTooLarge, "there are too many header fields")
            }
            httparse::Error::Version => Self::new("the version is not HTTP/1.0 or HTTP/1.1"),
        }
    }
}
