//! The closed list of causes. One row of [`causes!`] is the one place where a cause is defined.

use core::{error::Error, fmt, str::FromStr};

use crate::Outcome;

/// The party that a cause names: the part of its code before the dot.
///
/// ```
/// use rearguard::{Cause, Party};
///
/// assert_eq!(Cause::UpstreamConnectRefused.party(), Party::Upstream);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Party {
    /// The client that sent the request.
    Client,
    /// The gateway between the two.
    Gateway,
    /// The service that was asked.
    Upstream,
}

/// Whom a failed request counts against.
///
/// It is a function of the [`Cause`], never of the [`Outcome`] alone.
///
/// ```
/// use rearguard::{Blame, Cause};
///
/// assert_eq!(Cause::ClientBadRequest.blame(), Blame::Nobody);
/// assert_eq!(Cause::UpstreamConnectRefused.blame(), Blame::Service);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Blame {
    /// It spends nobody's error budget.
    Nobody,
    /// It counts against the gateway.
    Gateway,
    /// It counts against the service.
    Service,
}

/// What is fixed about a cause; one row of the table.
struct Row {
    code: &'static str,
    status: Option<u16>,
    grpc_status: Option<u32>,
    outcome: Outcome,
    envoy_flag: Option<&'static str>,
    proxy_error: Option<&'static str>,
    blame: Blame,
    sentence: &'static str,
}

macro_rules! causes {
    ($($(#[$doc:meta])* $name:ident = $code:literal, $status:expr, $grpc:expr, $outcome:ident,
       $flag:expr, $proxy_error:expr, $blame:ident, $sentence:literal;)*) => {
        /// Why a request was not served well, and whose it is: a closed list.
        ///
        /// The code is the party, a dot, what happened. Each has a page in `docs/causes/`, which
        /// `rearguard explain CODE` prints.
        ///
        /// ```
        /// use rearguard::Cause;
        ///
        /// let cause: Cause = "upstream.connect_refused".parse().unwrap();
        /// assert_eq!(cause, Cause::UpstreamConnectRefused);
        /// assert!(cause.sentence().starts_with("the service refused the connection"));
        /// ```
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Cause {
            $(#[doc = concat!("`", $code, "`: ", $sentence, ".")] $name,)*
        }

        impl Cause {
            /// Every cause, in the order of the documentation.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];
        }

        const ROWS: &[Row] = &[$(Row {
            code: $code, status: $status, grpc_status: $grpc, outcome: Outcome::$outcome,
            envoy_flag: $flag, proxy_error: $proxy_error, blame: Blame::$blame,
            sentence: $sentence,
        },)*];
    };
}

// name = code, status, gRPC status, outcome, Envoy flag, RFC 9209 type, counts against, sentence
causes! {
    ClientBadRequest = "client.bad_request", Some(400), Some(13), Failed,
        Some("DPE"), Some("http_request_error"), Nobody,
        "the request was malformed or its framing was ambiguous, so nothing was sent on";
    ClientTooLarge = "client.too_large", Some(413), Some(8), Failed,
        Some("DPE"), Some("http_request_error"), Nobody,
        "the body, the target or the headers of the request were over their limit";
    ClientTooSlow = "client.too_slow", Some(408), Some(4), TimedOut,
        Some("SI"), Some("http_request_error"), Nobody,
        "the headers or the body of the request did not arrive in time";
    ClientDeadlinePassed = "client.deadline_passed", Some(504), Some(4), TimedOut,
        Some("UT"), Some("http_request_denied"), Nobody,
        "the caller's own deadline had passed before the request could be sent on";
    ClientDisconnected = "client.disconnected", Some(499), Some(1), Cancelled,
        Some("DC"), None, Nobody,
        "the client left before the answer was complete";
    GatewayNoRoute = "gateway.no_route", Some(404), Some(12), Failed,
        Some("NR"), Some("destination_not_found"), Nobody,
        "no route matched the host and path of the request";
    GatewayNoUpstream = "gateway.no_upstream", Some(503), Some(14), Failed,
        Some("NC"), Some("destination_not_found"), Gateway,
        "the route names a service that is unknown or has no endpoints";
    GatewayLoopDetected = "gateway.loop_detected", Some(508), Some(14), Failed,
        None, Some("proxy_loop_detected"), Gateway,
        "the request has been through this gateway before";
    GatewayCircuitOpen = "gateway.circuit_open", Some(503), Some(14), Failed,
        Some("UO"), Some("connection_limit_reached"), Service,
        "a limit of the connection pool to the service was reached";
    GatewayQueueTimedOut = "gateway.queue_timed_out", Some(503), Some(14), TimedOut,
        Some("UO"), Some("connection_limit_reached"), Gateway,
        "the request waited too long for a place in the connection pool";
    GatewayRetriesSpent = "gateway.retries_spent", None, Some(14), Failed,
        Some("URX"), None, Service,
        "the last try failed, and no further try was allowed";
    GatewayRateLimited = "gateway.rate_limited", Some(429), Some(8), Failed,
        Some("RL"), Some("http_request_denied"), Nobody,
        "the request was over its rate limit";
    GatewayOverloaded = "gateway.overloaded", Some(503), Some(14), Failed,
        Some("OM"), Some("proxy_internal_response"), Gateway,
        "the gateway shed the request in order to stay up";
    GatewayDraining = "gateway.draining", Some(503), Some(14), Failed,
        None, Some("destination_unavailable"), Gateway,
        "the gateway is stopping; connect again";
    GatewayFaultInjected = "gateway.fault_injected", None, Some(14), Failed,
        Some("FI"), Some("proxy_internal_response"), Nobody,
        "an experiment answered in place of the service, on purpose";
    GatewayInternal = "gateway.internal", Some(500), Some(13), Failed,
        None, Some("proxy_internal_error"), Gateway,
        "the gateway itself failed; this is a bug in it";
    UpstreamDnsFailed = "upstream.dns_failed", Some(503), Some(14), Failed,
        Some("DF"), Some("dns_error"), Service,
        "the service's host name could not be resolved";
    UpstreamNoHealthyEndpoint = "upstream.no_healthy_endpoint", Some(503), Some(14), Failed,
        Some("UH"), Some("destination_unavailable"), Service,
        "every endpoint of the service is ejected or unhealthy";
    UpstreamConnectRefused = "upstream.connect_refused", Some(502), Some(14), Failed,
        Some("UF"), Some("connection_refused"), Service,
        "the service refused the connection: nothing listens there";
    UpstreamConnectTimedOut = "upstream.connect_timed_out", Some(504), Some(14), TimedOut,
        Some("UF"), Some("connection_timeout"), Service,
        "no connection to the service could be made in time";
    UpstreamUnreachable = "upstream.unreachable", Some(502), Some(14), Failed,
        Some("UF"), Some("destination_ip_unroutable"), Service,
        "there is no way through the network to the service's address";
    UpstreamTlsFailed = "upstream.tls_failed", Some(502), Some(14), Failed,
        Some("UF"), Some("tls_protocol_error"), Service,
        "the TLS handshake with the service failed";
    UpstreamClosedBeforeResponse = "upstream.closed_before_response", Some(502), Some(14), Failed,
        Some("UC"), Some("connection_terminated"), Service,
        "the service took the request and closed the connection without answering";
    UpstreamReset = "upstream.reset", Some(502), Some(14), Failed,
        Some("UC"), Some("connection_terminated"), Service,
        "the service reset the connection or the stream";
    UpstreamClosedMidResponse = "upstream.closed_mid_response", None, Some(14), Failed,
        Some("UC"), Some("http_response_incomplete"), Service,
        "the service closed the connection in the middle of its answer";
    UpstreamResponseTimedOut = "upstream.response_timed_out", Some(504), Some(4), TimedOut,
        Some("UT"), Some("http_response_timeout"), Service,
        "the service did not begin its answer in time";
    UpstreamBodyTimedOut = "upstream.body_timed_out", None, Some(4), TimedOut,
        Some("UT"), Some("http_response_timeout"), Service,
        "the service began its answer but did not finish it in time";
    UpstreamProtocolError = "upstream.protocol_error", Some(502), Some(14), Failed,
        Some("UPE"), Some("http_protocol_error"), Service,
        "what the service sent back was not valid HTTP";
    UpstreamFailed = "upstream.failed", None, None, Failed,
        Some("via_upstream"), None, Service,
        "the service itself answered with a failure";
    UpstreamPanicked = "upstream.panicked", None, None, Panicked,
        None, None, Service,
        "the service reported that it panicked on this request";
    UpstreamCleanupOverran = "upstream.cleanup_overran", None, None, TimedOut,
        Some("UT"), None, Service,
        "the service finished its work in time, but its deferred cleanup overran the deadline";
}

impl Cause {
    const fn row(self) -> &'static Row {
        &ROWS[self as usize]
    }

    /// The stable code, for example `upstream.connect_refused`.
    ///
    /// ```
    /// use rearguard::Cause;
    ///
    /// assert_eq!(Cause::ClientTooLarge.code(), "client.too_large");
    /// ```
    #[must_use]
    pub const fn code(self) -> &'static str {
        self.row().code
    }

    /// The party before the dot of the code.
    ///
    /// ```
    /// use rearguard::{Cause, Party};
    ///
    /// assert_eq!(Cause::ClientTooLarge.party(), Party::Client);
    /// ```
    #[must_use]
    pub const fn party(self) -> Party {
        match self.code().as_bytes()[0] {
            b'c' => Party::Client,
            b'g' => Party::Gateway,
            _ => Party::Upstream,
        }
    }

    /// The HTTP status of the answer that the gateway makes for it. `None` where the status is
    /// the service's, has been sent already, or is set by whoever asked for the answer.
    ///
    /// ```
    /// use rearguard::Cause;
    ///
    /// assert_eq!(Cause::ClientTooLarge.status(), Some(413));
    /// ```
    #[must_use]
    pub const fn status(self) -> Option<u16> {
        self.row().status
    }

    /// The gRPC status for callers that speak gRPC. `None` where the service's own is passed on.
    ///
    /// ```
    /// use rearguard::Cause;
    ///
    /// assert_eq!(Cause::UpstreamConnectRefused.grpc_status(), Some(14)); // UNAVAILABLE
    /// ```
    #[must_use]
    pub const fn grpc_status(self) -> Option<u32> {
        self.row().grpc_status
    }

    /// The outcome that goes with the cause unless what was seen says more.
    ///
    /// ```
    /// use rearguard::{Cause, Outcome};
    ///
    /// assert_eq!(Cause::UpstreamConnectTimedOut.outcome(), Outcome::TimedOut);
    /// ```
    #[must_use]
    pub const fn outcome(self) -> Outcome {
        self.row().outcome
    }

    /// Envoy's response flag for the same event, so that existing dashboards keep working.
    ///
    /// ```
    /// use rearguard::Cause;
    ///
    /// assert_eq!(Cause::UpstreamConnectRefused.envoy_flag(), Some("UF"));
    /// ```
    #[must_use]
    pub const fn envoy_flag(self) -> Option<&'static str> {
        self.row().envoy_flag
    }

    /// The proxy error type of RFC 9209 section 2.3, for the `Proxy-Status` header.
    ///
    /// ```
    /// use rearguard::Cause;
    ///
    /// let cause = Cause::UpstreamConnectRefused;
    /// assert_eq!(cause.proxy_error(), Some("connection_refused"));
    /// ```
    #[must_use]
    pub const fn proxy_error(self) -> Option<&'static str> {
        self.row().proxy_error
    }

    /// Whom it counts against.
    ///
    /// ```
    /// use rearguard::{Blame, Cause};
    ///
    /// assert_eq!(Cause::ClientTooLarge.blame(), Blame::Nobody);
    /// ```
    #[must_use]
    pub const fn blame(self) -> Blame {
        self.row().blame
    }

    /// What happened, as a lower-case sentence without its full stop, for people.
    ///
    /// ```
    /// use rearguard::Cause;
    ///
    /// let sentence = Cause::UpstreamConnectRefused.sentence();
    /// assert_eq!(sentence, "the service refused the connection: nothing listens there");
    /// ```
    #[must_use]
    pub const fn sentence(self) -> &'static str {
        self.row().sentence
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

/// The text is not the code of a [`Cause`].
///
/// ```
/// use rearguard::{Cause, UnknownCause};
///
/// assert_eq!("upstream.unheard_of".parse::<Cause>(), Err(UnknownCause));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnknownCause;

impl fmt::Display for UnknownCause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("expected the code of a cause, such as upstream.connect_refused")
    }
}

impl Error for UnknownCause {}

impl FromStr for Cause {
    type Err = UnknownCause;

    fn from_str(text: &str) -> Result<Self, UnknownCause> {
        Self::ALL.iter().copied().find(|cause| cause.code() == text).ok_or(UnknownCause)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_reads_back_and_names_its_party() {
        for &cause in Cause::ALL {
            assert_eq!(cause.code().parse(), Ok(cause));
            let party = match cause.party() {
                Party::Client => "client.",
                Party::Gateway => "gateway.",
                Party::Upstream => "upstream.",
            };
            assert!(cause.code().starts_with(party), "{cause}");
        }
        assert_eq!("upstream.unknown".parse::<Cause>(), Err(UnknownCause));
    }

    #[test]
    fn clients_faults_count_against_nobody_and_services_against_the_service() {
        for &cause in Cause::ALL {
            match cause.party() {
                Party::Client => assert_eq!(cause.blame(), Blame::Nobody, "{cause}"),
                Party::Upstream => assert_eq!(cause.blame(), Blame::Service, "{cause}"),
                Party::Gateway => {}
            }
        }
    }

    #[test]
    fn a_cause_that_the_gateway_answers_has_an_rfc_9209_type() {
        for &cause in Cause::ALL {
            if cause.status().is_some() && cause != Cause::ClientDisconnected {
                assert!(cause.proxy_error().is_some(), "{cause}");
            }
        }
    }
}
