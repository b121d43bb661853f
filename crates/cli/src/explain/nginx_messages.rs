use rearguard::Cause::{
    self, ClientBadRequest, ClientDisconnected, ClientTooLarge, ClientTooSlow, GatewayInternal,
    GatewayNoUpstream, GatewayOverloaded, GatewayRateLimited, UpstreamBodyTimedOut,
    UpstreamCleanupOverran, UpstreamClosedBeforeResponse, UpstreamClosedMidResponse,
    UpstreamConnectRefused, UpstreamConnectTimedOut, UpstreamDnsFailed, UpstreamFailed,
    UpstreamNoHealthyEndpoint, UpstreamPanicked, UpstreamProtocolError, UpstreamReset,
    UpstreamResponseTimedOut, UpstreamTlsFailed, UpstreamUnreachable,
};

/// A kind of message, and what it may have been.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Kind {
    /// A message is of this kind when it contains all of these.
    pub(super) parts: &'static [&'static str],
    /// The likeliest cause first. Empty: the message says nothing about a failed request.
    pub(super) causes: &'static [Cause],
    /// What it means, and what it leaves open.
    pub(super) note: &'static str,
}

impl Kind {
    /// The parts as people read them.
    pub(super) fn name(&self) -> String {
        let parts: Vec<&str> =
            self.parts.iter().map(|part| part.trim_matches([' ', '"', ','])).collect();
        parts.join(" … ")
    }
}

const fn kind(
    parts: &'static [&'static str],
    causes: &'static [Cause],
    note: &'static str,
) -> Kind {
    Kind { parts, causes, note }
}

/// The kind of a message: the first one that fits.
pub(super) fn classify(message: &str) -> Option<&'static Kind> {
    KINDS
        .iter()
        .flat_map(|kinds| kinds.iter())
        .find(|kind| kind.parts.iter().all(|part| message.contains(part)))
}

// What nginx is doing when it logs; the end of a message.
const CONNECTING: &str = "while connecting to upstream";
const HANDSHAKING: &str = "while SSL handshaking to upstream";
const SENDING: &str = "while sending request to upstream";
const AWAITING: &str = "while reading response header from upstream";
const READING: &str = "while reading upstream";
const TO_CLIENT: &str = "while sending to client";
const UPGRADED: &str = "while proxying upgraded connection";

/// By nginx 1.22 to 1.29: `ngx_http_upstream.c`, `ngx_http_request.c`, `ngx_event_connect.c`,
/// `ngx_event_openssl.c`, the proxy, FastCGI, uwsgi, SCGI, gRPC and limit modules, and `stream`.
/// The order matters: special before general.
const KINDS: [&[Kind]; 8] =
    [TIMEOUTS, CONNECTS, RESETS, ENDS, TLS, ANSWERS, CLIENTS_AND_LIMITS, HARMLESS];

const TIMEOUTS: &[Kind] = &[
    kind(
        &["upstream timed out", CONNECTING],
        &[UpstreamConnectTimedOut],
        "no TCP connection within proxy_connect_timeout: packets dropped, machine gone, or accept queue full",
    ),
    kind(
        &["upstream timed out", HANDSHAKING],
        &[UpstreamConnectTimedOut],
        "TCP was connected, the TLS handshake was not done in time; perhaps the port does not speak TLS",
    ),
    kind(
        &["upstream timed out", AWAITING],
        &[UpstreamResponseTimedOut, UpstreamCleanupOverran],
        "no status line within proxy_read_timeout; nginx cannot tell slow work from slow deferred cleanup",
    ),
    kind(
        &["upstream timed out", SENDING],
        &[UpstreamResponseTimedOut],
        "the service did not take the request's body within proxy_send_timeout",
    ),
    kind(
        &["upstream timed out", UPGRADED],
        &[UpstreamBodyTimedOut],
        "a WebSocket was silent for proxy_read_timeout; often no failure, but a missing heartbeat",
    ),
    kind(
        &["upstream timed out"],
        &[UpstreamBodyTimedOut],
        "the body stood still for proxy_read_timeout after the status line",
    ),
    kind(
        &["client timed out", "while waiting for request"],
        &[],
        "an idle connection that was closed as it should be",
    ),
    kind(&["client timed out", "while SSL handshaking"], &[], "no request was made yet"),
    kind(&["client timed out", "keepalive"], &[], "an idle connection that was closed"),
    kind(
        &["client timed out", "while reading client"],
        &[ClientTooSlow],
        "the request did not arrive within client_header_timeout or client_body_timeout",
    ),
    kind(
        &["client timed out", "while sending"],
        &[ClientDisconnected],
        "the client stopped reading the answer: gone, or very slow (send_timeout)",
    ),
    kind(
        &["client timed out"],
        &[ClientTooSlow, ClientDisconnected],
        "the client sent or took nothing in time",
    ),
];

const CONNECTS: &[Kind] = &[
    kind(
        &["no live upstreams"],
        &[UpstreamNoHealthyEndpoint],
        "max_fails took every server out; the lines just before say with what",
    ),
    kind(&["while resolving"], &[UpstreamDnsFailed], "the resolver could not be asked"),
    kind(
        &["could not be resolved"],
        &[UpstreamDnsFailed],
        "(3: Host not found) is a wrong name, (110: …) a resolver that does not answer",
    ),
    kind(
        &["no resolver defined to resolve"],
        &[UpstreamDnsFailed],
        "a name at run time needs `resolver`",
    ),
    kind(
        &["host not found in upstream"],
        &[UpstreamDnsFailed],
        "at start or reload; nginx does not start with it, and a running one keeps its old configuration",
    ),
    kind(&["no servers are inside upstream"], &[GatewayNoUpstream], "an empty upstream block"),
    kind(
        &[" in upstream \""],
        &[GatewayNoUpstream],
        "the address made of variables is no address (no host, invalid port)",
    ),
    kind(
        &["Too many open files"],
        &[GatewayOverloaded],
        "nginx is out of descriptors: worker_rlimit_nofile; each request takes two",
    ),
    kind(
        &["connect()", "Connection refused"],
        &[UpstreamConnectRefused],
        "nothing listens there: not running, restarting, or listening elsewhere",
    ),
    kind(
        &["connect()", "No such file or directory"],
        &[UpstreamConnectRefused],
        "the Unix socket is not there: the service is not running, or has another path",
    ),
    kind(
        &["connect()", "Resource temporarily unavailable"],
        &[UpstreamConnectTimedOut],
        "the Unix socket's accept queue is full: all workers busy (PHP-FPM: pm.max_children); on TCP it would time out",
    ),
    kind(
        &["connect()", "Permission denied"],
        &[UpstreamUnreachable],
        "nginx may not connect: the socket's mode, or SELinux (httpd_can_network_connect); the service is not at fault",
    ),
    kind(
        &["connect()", "Cannot assign requested address"],
        &[GatewayOverloaded],
        "no local port is free: upstream keep-alive is off; or a bad proxy_bind",
    ),
    kind(
        &["connect()", "timed out"],
        &[UpstreamConnectTimedOut],
        "the kernel gave up before proxy_connect_timeout did",
    ),
    kind(
        &["connect()", "Connection reset by peer"],
        &[UpstreamReset],
        "reset during the connection attempt: often a full accept queue, or a proxy without its service",
    ),
    kind(
        &["connect()", "failed"],
        &[UpstreamUnreachable],
        "no way there: machine gone, no IPv6, route or firewall",
    ),
    kind(
        &["worker_connections are not enough, reusing connections"],
        &[],
        "nginx closed idle connections to make room; the next step is refusing",
    ),
    kind(
        &["worker_connections are not enough"],
        &[GatewayOverloaded],
        "nginx is out of connections: worker_connections; each request takes two",
    ),
    kind(&["Cannot allocate memory"], &[GatewayOverloaded], "nginx is out of memory"),
    kind(&["accept", "() failed"], &[GatewayOverloaded], "nginx could not take a connection"),
    kind(
        &["exited on signal"],
        &[GatewayInternal],
        "an nginx worker died, and every request in it",
    ),
];

const RESETS: &[Kind] = &[
    kind(
        &["failed (104: Connection reset by peer)", AWAITING],
        &[UpstreamReset],
        "a panic or a death with the request's body unread, the idle race, or a box in between",
    ),
    kind(
        &["failed (104: Connection reset by peer)", SENDING],
        &[UpstreamReset],
        "reset while the request was being sent: the idle race, or a service that does not read bodies",
    ),
    kind(
        &["failed (32: Broken pipe)", SENDING],
        &[UpstreamReset],
        "closed while the request was being sent: the idle race, or a service that does not read bodies",
    ),
    kind(
        &["failed (104: Connection reset by peer)", READING],
        &[UpstreamClosedMidResponse],
        "reset in the middle of the answer; the client has seen a good status",
    ),
    kind(
        &["recv() failed (104: Connection reset by peer)", UPGRADED],
        &[UpstreamClosedMidResponse, ClientDisconnected],
        "a WebSocket was reset; nginx does not say by which side",
    ),
    kind(
        &["recv() failed", TO_CLIENT],
        &[ClientDisconnected, UpstreamClosedMidResponse],
        "reset during the answer; nginx does not say by which side",
    ),
    kind(&["failed (104: ", "while waiting for request"], &[], "an idle connection was reset"),
    kind(&["failed (104: ", "while SSL handshaking,"], &[], "no request was made yet"),
    kind(&["failed (104: ", "keepalive"], &[], "an idle connection was reset"),
    kind(
        &["failed (104: ", "while reading client"],
        &[ClientDisconnected],
        "the client reset the connection before its request was complete",
    ),
    kind(&["failed (104: ", TO_CLIENT], &[ClientDisconnected], "the client reset the connection"),
    kind(
        &["failed (32: ", TO_CLIENT],
        &[ClientDisconnected],
        "the client had closed the connection",
    ),
    kind(
        &["failed (104: ", "while proxying"],
        &[UpstreamClosedMidResponse, ClientDisconnected],
        "a proxied TCP connection (or WebSocket) was reset by one of the two sides",
    ),
];

const ENDS: &[Kind] = &[
    kind(
        &["upstream prematurely closed", AWAITING],
        &[UpstreamClosedBeforeResponse],
        "a panic, a process that died, the service's write timeout, or the idle race: nginx cannot tell",
    ),
    kind(
        &["upstream prematurely closed", SENDING],
        &[UpstreamClosedBeforeResponse],
        "closed while the request was being sent: a panic, a death, or the idle race",
    ),
    kind(
        &["upstream prematurely closed"],
        &[UpstreamClosedMidResponse],
        "the body never ended: a panic after the first flush, a death; the client has seen a good status",
    ),
    kind(
        &["upstream rejected request with error", READING],
        &[UpstreamClosedMidResponse],
        "RST_STREAM in the middle of the answer",
    ),
    kind(
        &["upstream rejected request with error"],
        &[UpstreamReset],
        "RST_STREAM with this HTTP/2 error; 2 is INTERNAL_ERROR: a panic, or Go's WriteTimeout",
    ),
    kind(
        &["upstream sent goaway with error"],
        &[UpstreamReset],
        "GOAWAY with this HTTP/2 error; 11 is ENHANCE_YOUR_CALM",
    ),
    kind(
        &["unexpected eof while reading", AWAITING],
        &[UpstreamClosedBeforeResponse],
        "a TLS connection ended without a goodbye before the status line",
    ),
    kind(
        &["unexpected eof while reading", READING],
        &[UpstreamClosedMidResponse],
        "a TLS connection ended without a goodbye in the middle of the answer",
    ),
];

const TLS: &[Kind] = &[
    kind(
        &["upstream SSL certificate"],
        &[UpstreamTlsFailed],
        "the certificate's name or issuer was not accepted",
    ),
    kind(
        &["SSL_do_handshake() failed", HANDSHAKING],
        &[UpstreamTlsFailed],
        "the text in brackets says why; `wrong version number` is a port that speaks plain HTTP",
    ),
    kind(&[HANDSHAKING], &[UpstreamTlsFailed], "the handshake with the service did not come about"),
    kind(&["while SSL handshaking"], &[], "a client's TLS handshake failed; no request was made"),
    kind(
        &["SSL_read() failed", AWAITING],
        &[UpstreamReset, UpstreamTlsFailed],
        "the TLS session broke before the status line; often a refused client certificate (TLS 1.3)",
    ),
    kind(
        &["SSL_read() failed", READING],
        &[UpstreamClosedMidResponse],
        "the TLS session broke in the middle of the answer",
    ),
    kind(&["SSL_write() failed", SENDING], &[UpstreamReset], "the TLS session broke"),
    kind(&["SSL_"], &[], "TLS with a client, or the end of a session"),
];

const ANSWERS: &[Kind] = &[
    kind(
        &["upstream sent too big header"],
        &[UpstreamProtocolError],
        "valid perhaps, but over proxy_buffer_size: nginx's own limit",
    ),
    kind(
        &["upstream sent no valid HTTP/1.0 header"],
        &[UpstreamProtocolError],
        "not HTTP: the port speaks TLS, HTTP/2, or something else",
    ),
    kind(
        &["upstream sent duplicate header line", "ignored"],
        &[],
        "a header came twice, and nginx took the first",
    ),
    kind(
        &["upstream sent more data than specified"],
        &[UpstreamProtocolError],
        "the body is longer than its Content-Length; nginx cut it and went on",
    ),
    kind(&["upstream sent"], &[UpstreamProtocolError], "the answer is not valid"),
    kind(&["upstream violated"], &[UpstreamProtocolError], "HTTP/2 flow control was not kept"),
    kind(
        &["upstream prematurely sent response"],
        &[UpstreamProtocolError],
        "an answer without a question",
    ),
    kind(
        &["FastCGI sent in stderr", "Primary script unknown"],
        &[],
        "404: SCRIPT_FILENAME names no file that PHP-FPM can see",
    ),
    kind(
        &["FastCGI sent in stderr", "PHP Fatal error"],
        &[UpstreamFailed, UpstreamPanicked],
        "PHP's own log: the script ended here; the status is 500 unless output had begun",
    ),
    kind(&["FastCGI sent in stderr"], &[], "the service's own log"),
    kind(
        &["auth request unexpected status"],
        &[UpstreamFailed],
        "the auth_request service answered neither 2xx, 401 nor 403; nginx answers 500",
    ),
];

const CLIENTS_AND_LIMITS: &[Kind] = &[
    kind(&["limiting", "dry run"], &[], "a limit that is only being tried"),
    kind(&["delaying request"], &[], "limit_req with a burst: slower, but served"),
    kind(
        &["limiting requests"],
        &[GatewayRateLimited],
        "limit_req refused it (503 unless limit_req_status)",
    ),
    kind(
        &["limiting connections"],
        &[GatewayRateLimited],
        "limit_conn refused it; many connections at once are often slow answers",
    ),
    kind(
        &["client intended to send too large"],
        &[ClientTooLarge],
        "over client_max_body_size (1 MB by default)",
    ),
    kind(&["client sent too long"], &[ClientTooLarge], "over large_client_header_buffers"),
    kind(&["client sent too large"], &[ClientTooLarge], "over large_client_header_buffers"),
    kind(&["client sent too many header"], &[ClientTooLarge], "too many headers"),
    kind(
        &["client prematurely closed", "upstream connection is closed too"],
        &[ClientDisconnected],
        "the client left while the service worked (499); its own timeout, if it is always the same time",
    ),
    kind(&["client prematurely closed"], &[ClientDisconnected], "the client left before the end"),
    kind(&["client canceled stream"], &[ClientDisconnected], "RST_STREAM from the client"),
    kind(&["client terminated stream"], &[ClientDisconnected], "RST_STREAM from the client"),
    kind(&["client closed connection while"], &[], "an idle connection was closed"),
    kind(&["closed keepalive connection"], &[], "an idle connection was closed"),
    kind(&["client sent"], &[ClientBadRequest], "malformed, ambiguous, or not HTTP"),
    kind(&["client violated"], &[ClientBadRequest], "HTTP/2 flow control was not kept"),
];

const HARMLESS: &[Kind] = &[
    kind(
        &["is buffered to a temporary file"],
        &[],
        "larger than nginx's buffers: slower, but served",
    ),
    kind(
        &["upstream server temporarily disabled"],
        &[],
        "max_fails took a server out; the line before says why",
    ),
    kind(&["open()", "No such file"], &[], "404 from nginx's own files"),
    kind(&["open()", "Not a directory"], &[], "404 from nginx's own files"),
    kind(&["directory index of"], &[], "403 from nginx's own files"),
    kind(&["is not found (2: No such file"], &[], "404 from nginx's own files"),
    kind(&["access forbidden by rule"], &[], "403 by deny"),
    kind(&["for basic authentication"], &[], "401 by auth_basic"),
    kind(&["was not found in \""], &[], "401 by auth_basic"),
    kind(&["password mismatch"], &[], "401 by auth_basic"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_can_be_met() {
        for kind in KINDS.iter().flat_map(|kinds| kinds.iter()) {
            let message = kind.parts.join(" ");
            assert_eq!(classify(&message), Some(kind), "{message} is taken by an earlier kind");
        }
    }

    #[test]
    fn what_cannot_be_told_apart_has_several_candidates() {
        for (message, causes) in [
            (
                "connect() failed (113: No route to host) while connecting to upstream",
                &[UpstreamUnreachable][..],
            ),
            (
                "connect() to [::1]:80 failed (101: Network is unreachable) while connecting to upstream",
                &[UpstreamUnreachable],
            ),
            (
                "connect() failed (110: Connection timed out) while connecting to upstream",
                &[UpstreamConnectTimedOut],
            ),
            (
                "upstream timed out (110: Connection timed out) while reading response header from upstream",
                &[UpstreamResponseTimedOut, UpstreamCleanupOverran],
            ),
            (
                "SSL_read() failed (SSL: error:0A000126:SSL routines::unexpected eof while reading) \
                 while reading response header from upstream",
                &[UpstreamClosedBeforeResponse],
            ),
            (
                "SSL_do_handshake() failed (SSL: error:0A00010B:SSL routines::wrong version number) \
                 while SSL handshaking to upstream",
                &[UpstreamTlsFailed],
            ),
            ("SSL_do_handshake() failed (SSL: x) while SSL handshaking", &[]),
            ("accept4() failed (24: Too many open files)", &[GatewayOverloaded]),
            ("invalid host in upstream \"$backend\"", &[GatewayNoUpstream]),
            ("limiting requests, dry run, excess: 1.000 by zone \"r\"", &[]),
        ] {
            assert_eq!(classify(message).map(|kind| kind.causes), Some(causes), "{message}");
        }
        assert_eq!(classify("rewrite or internal redirection cycle while processing \"/\""), None);
    }
}
