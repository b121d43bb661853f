//! A request that was not served well, while it is being served: the cause, what exactly was seen,
//! and where an error of the system becomes a cause.

use std::{borrow::Cow, io, net::SocketAddr};

use model::{Cause, Outcome};

use crate::h1::{Malformed, Problem};

/// Why a request was not served well.
#[derive(Clone, Debug)]
pub(crate) struct Failure {
    pub(crate) cause: Cause,
    /// What exactly was seen, for people.
    pub(crate) detail: Cow<'static, str>,
    /// A status other than the cause's own.
    pub(crate) status: Option<u16>,
    /// An outcome other than the cause's own.
    pub(crate) outcome: Option<Outcome>,
    /// An error type of RFC 9209 other than the cause's own.
    pub(crate) proxy_error: Option<&'static str>,
}

impl Failure {
    pub(crate) fn new(cause: Cause, detail: impl Into<Cow<'static, str>>) -> Self {
        Self { cause, detail: detail.into(), status: None, outcome: None, proxy_error: None }
    }

    pub(crate) fn outcome(&self) -> Outcome {
        self.outcome.unwrap_or_else(|| self.cause.outcome())
    }

    /// The status of the answer, where one can still be made.
    pub(crate) fn status(&self) -> u16 {
        self.status.or_else(|| self.cause.status()).unwrap_or(502)
    }
}

/// A request that breaks the rules of HTTP or a limit.
impl From<Malformed> for Failure {
    fn from(malformed: Malformed) -> Self {
        let cause = match malformed.problem {
            Problem::Malformed | Problem::UnknownTransferCoding => Cause::ClientBadRequest,
            Problem::TargetTooLong | Problem::HeadTooLarge => Cause::ClientTooLarge,
        };
        Self { status: Some(malformed.status()), ..Self::new(cause, malformed.detail) }
    }
}

/// Making a connection to this address failed with this error.
pub(crate) fn connect_failed(address: SocketAddr, error: &io::Error) -> Failure {
    use io::ErrorKind as Kind;
    match error.kind() {
        Kind::ConnectionRefused => {
            Failure::new(Cause::UpstreamConnectRefused, format!("connection refused by {address}"))
        }
        Kind::TimedOut => Failure::new(
            Cause::UpstreamConnectTimedOut,
            "the system gave up waiting for the connection",
        ),
        Kind::ConnectionReset | Kind::ConnectionAborted => {
            Failure::new(Cause::UpstreamReset, "the connection was reset while it was being made")
        }
        _ if is_out_of_descriptors(error) => {
            Failure::new(Cause::GatewayOverloaded, "the gateway is out of file descriptors")
        }
        Kind::AddrNotAvailable => Failure::new(
            Cause::GatewayOverloaded,
            "the gateway has no free local port left for a connection to the endpoint",
        ),
        Kind::HostUnreachable | Kind::NetworkUnreachable | Kind::NetworkDown => Failure::new(
            Cause::UpstreamUnreachable,
            format!("the network has no way to the endpoint: {error}"),
        ),
        _ => Failure::new(Cause::UpstreamUnreachable, format!("connecting failed: {error}")),
    }
}

/// The TLS handshake with a service failed with this error.
pub(crate) fn tls_failed(error: &io::Error) -> Failure {
    use rustls::Error as Tls;
    let detail = format!("the TLS handshake failed: {error}");
    let told = error.get_ref().and_then(|inner| inner.downcast_ref::<Tls>());
    let proxy_error = match told {
        Some(Tls::InvalidCertificate(_) | Tls::NoCertificatesPresented) => "tls_certificate_error",
        Some(Tls::AlertReceived(_)) => "tls_alert_received",
        // h2 keeps only the text of an error.
        None if error.to_string().starts_with("received fatal alert") => "tls_alert_received",
        _ => "tls_protocol_error",
    };
    Failure { proxy_error: Some(proxy_error), ..Failure::new(Cause::UpstreamTlsFailed, detail) }
}

/// Whether the process or the system has no descriptors left.
pub(crate) fn is_out_of_descriptors(error: &io::Error) -> bool {
    // EMFILE and ENFILE; the standard library has no kinds for them.
    error.raw_os_error().is_some_and(|code| {
        code == rustix::io::Errno::MFILE.raw_os_error()
            || code == rustix::io::Errno::NFILE.raw_os_error()
    })
}

/// Whether the peer reset the connection, rather than closing it.
pub(crate) fn is_reset(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionAborted
            | io::ErrorKind::BrokenPipe
    )
}
