//! The corpus of framing attacks: what is refused, with which status, and what is accepted.

use super::{
    Asked, HeadLimits, HeadScanner, HostRule, LineEnds, Malformed, Scan, parse_request,
    parse_response,
};
use crate::message::{BodyLength, RequestHead, ResponseHead};

fn request(text: &str) -> Result<RequestHead, Malformed> {
    let limits = HeadLimits::default();
    let mut scanner = HeadScanner::new(LineEnds::Strict, limits.head_bytes);
    match scanner.scan(text.as_bytes())? {
        Scan::Complete(end) => {
            parse_request(&text.as_bytes()[..end], &limits, HostRule::RefuseMismatch)
        }
        Scan::Partial => Err(Malformed::new("partial")),
    }
}

fn response(text: &str, asked: Asked) -> Result<ResponseHead, Malformed> {
    let limits = HeadLimits::default();
    let mut scanner = HeadScanner::new(LineEnds::Lenient, limits.head_bytes);
    match scanner.scan(text.as_bytes())? {
        Scan::Complete(end) => parse_response(&text.as_bytes()[..end], &limits, asked),
        Scan::Partial => Err(Malformed::new("partial")),
    }
}

/// Requests that are refused, and the status of the answer.
const REFUSED_REQUESTS: &[(u16, &str)] = &[
    // RFC 9112 section 3.2: exactly one valid Host in 1.1.
    (400, "GET / HTTP/1.1\r\n\r\n"),
    (400, "GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n"),
    (400, "GET / HTTP/1.1\r\nHost: a\r\nhost: b\r\n\r\n"),
    (400, "GET / HTTP/1.1\r\nHost:\r\n\r\n"),
    (400, "GET / HTTP/1.1\r\nHost: a b\r\n\r\n"),
    (400, "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n"),
    (400, "GET / HTTP/1.1\r\nHost: user@a\r\n\r\n"),
    (400, "GET / HTTP/1.1\r\nHost: a:port\r\n\r\n"),
    (400, "GET / HTTP/1.1\r\nHost: a,b:80\u{7f}\r\n\r\n"),
    (400, "GET / HTTP/1.1\r\nHost: [::1\r\n\r\n"),
    (400, "GET / HTTP/1.1\r\nHost: [::1]x\r\n\r\n"),
    (400, "GET / HTTP/1.1\r\nHost: [a]\r\n\r\n"),
    (400, "GET / HTTP/1.1\r\nHost: [fe80::1%25eth0]\r\n\r\n"),
    (400, "GET / HTTP/1.1\r\nHost: ::1\r\n\r\n"),
    (400, "GET / HTTP/1.1\r\nHost: :80\r\n\r\n"),
    (400, "GET / HTTP/1.1\r\nHost: a:123456\r\n\r\n"),
    (400, "GET / HTTP/1.0\r\nHost: a\r\nHost: a\r\n\r\n"),
    // Section 2.2: line ends.
    (400, "GET / HTTP/1.1\nHost: a\n\n"),
    (400, "GET / HTTP/1.1\r\nHost: a\n\r\n"),
    (400, "GET / HTTP/1.1\r\nHost: a\r\nX: b\rc\r\n\r\n"),
    (400, "GET / HTTP/1.1\rHost: a\r\n\r\n"),
    (400, "GET / HTTP/1.1\r\nHost: a\r\r\n\r\n"),
    (400, "GET / HTTP/1.1\r\nHost: a\r\nX: b\r\r\n\r\n"),
    (400, "GET / HTTP/1.1\r\nHost: a\r\n\rX: b\r\n\r\n"),
    (400, "\nGET / HTTP/1.1\r\nHost: a\r\n\r\n"),
    (400, "\r\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n"),
    // Section 6: framing.
    (400, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n"),
    (400, "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n"),
    (400, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n"),
    (400, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\n"),
    (400, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5, 5\r\n\r\n"),
    (400, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: +5\r\n\r\n"),
    (400, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: -5\r\n\r\n"),
    (400, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0x5\r\n\r\n"),
    (400, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5 6\r\n\r\n"),
    (400, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length:\r\n\r\n"),
    (400, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999999999999999\r\n\r\n"),
    (400, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length : 5\r\n\r\n"),
    (400, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length\t: 5\r\n\r\n"),
    (400, "POST / HTTP/1.1\r\nHost: a\r\nX: y\r\n Content-Length: 5\r\n\r\n"),
    (400, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n 6\r\n\r\n"),
    (400, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\u{b}\r\n\r\n"),
    (400, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0, 5\r\n\r\n"),
    (400, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length\0: 5\r\n\r\n"),
    (501, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\nTransfer-Encoding: x\r\n\r\n"),
    (400, "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n"),
    (501, "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n"),
    (501, "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked, chunked\r\n\r\n"),
    (501, "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: identity\r\n\r\n"),
    (501, "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked, identity\r\n\r\n"),
    (501, "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: ,chunked\r\n\r\n"),
    (501, "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked,\r\n\r\n"),
    (501, "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: 'chunked'\r\n\r\n"),
    (501, "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chun\u{212a}ed\r\n\r\n"),
    (501, "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: xchunked\r\n\r\n"),
    (501, "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: \"chunked\"\r\n\r\n"),
    (501, "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked;q=1\r\n\r\n"),
    (501, "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding:\r\n\r\n"),
    (
        400,
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n",
    ),
    (400, "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: \u{b}chunked\r\n\r\n"),
    (400, "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding : chunked\r\n\r\n"),
    (400, "POST / HTTP/1.1\r\nHost: a\r\n Transfer-Encoding: chunked\r\n\r\n"),
    (400, "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding:\r\n chunked\r\n\r\n"),
    (400, "POST / HTTP/1.1\r\nHost: a\r\nX: y\rTransfer-Encoding: chunked\r\n\r\n"),
    (400, "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\0\r\n\r\n"),
    (400, "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding\u{a0}: chunked\r\n\r\n"),
    // Section 5: names, values, folding.
    (400, "GET / HTTP/1.1\r\nHost: a\r\nX Y: 1\r\n\r\n"),
    (400, "GET / HTTP/1.1\r\nHost: a\r\n: 1\r\n\r\n"),
    (400, "GET / HTTP/1.1\r\nHost: a\r\nX: 1\r\n 2\r\n\r\n"),
    (400, "GET / HTTP/1.1\r\nHost: a\r\nX: 1\r\n\t2\r\n\r\n"),
    (400, "GET / HTTP/1.1\r\n Host: a\r\n\r\n"),
    (400, "GET / HTTP/1.1\r\nHost: a\r\nX: \0\r\n\r\n"),
    (400, "GET / HTTP/1.1\r\nHost: a\r\nX: \u{8}\r\n\r\n"),
    (400, "GET / HTTP/1.1\r\nHost: a\r\nno colon\r\n\r\n"),
    // Section 3: the request line.
    (400, "GET  / HTTP/1.1\r\nHost: a\r\n\r\n"),
    (400, "GET / HTTP/1.1 \r\nHost: a\r\n\r\n"),
    (400, "GET / HTTP/1.1\t\r\nHost: a\r\n\r\n"),
    (400, "GET /  HTTP/1.1\r\nHost: a\r\n\r\n"),
    (400, "GET\t/ HTTP/1.1\r\nHost: a\r\n\r\n"),
    (400, " GET / HTTP/1.1\r\nHost: a\r\n\r\n"),
    (400, "GET HTTP/1.1\r\nHost: a\r\n\r\n"),
    (400, "GET /\0 HTTP/1.1\r\nHost: a\r\n\r\n"),
    (400, "GET / HTTP/1.1 HTTP/1.1\r\nHost: a\r\n\r\n"),
    (400, "GET / HTTP/1.10\r\nHost: a\r\n\r\n"),
    (400, "GET / HTTP/0.9\r\nHost: a\r\n\r\n"),
    (400, "GET /a b HTTP/1.1\r\nHost: a\r\n\r\n"),
    (400, "GET /\tHTTP/1.1\r\nHost: a\r\n\r\n"),
    (400, "GET /#x HTTP/1.1\r\nHost: a\r\n\r\n"),
    (400, "GET /x?y=/# HTTP/1.1\r\nHost: a\r\n\r\n"),
    (400, "GET /\u{e9} HTTP/1.1\r\nHost: a\r\n\r\n"),
    (400, "GET a HTTP/1.1\r\nHost: a\r\n\r\n"),
    (400, "GET * HTTP/1.1\r\nHost: a\r\n\r\n"),
    (400, "GET ftp://a/ HTTP/1.1\r\nHost: a\r\n\r\n"),
    (400, "GET http:///x HTTP/1.1\r\nHost: a\r\n\r\n"),
    (400, "GET http://b/ HTTP/1.1\r\nHost: a\r\n\r\n"),
    (400, "GET http://u@a/ HTTP/1.1\r\nHost: a\r\n\r\n"),
    (400, "GET http://a:80@b/ HTTP/1.1\r\nHost: b\r\n\r\n"),
    (400, "GET http://a\\@b/ HTTP/1.1\r\nHost: b\r\n\r\n"),
    (400, "GET http://a:80/ HTTP/1.1\r\nHost: a\r\n\r\n"),
    (400, "GET http://[fe80::1%25lo]/ HTTP/1.0\r\n\r\n"),
    (400, "GET http:/a HTTP/1.0\r\n\r\n"),
    (400, "GET @a/ HTTP/1.0\r\n\r\n"),
    (400, "CONNECT a:80 HTTP/1.1\r\nHost: a\r\n\r\n"),
    (400, "G\u{1}T / HTTP/1.1\r\nHost: a\r\n\r\n"),
    (400, "GET / HTTP/2.0\r\nHost: a\r\n\r\n"),
    (400, "GET / HTTP/1.2\r\nHost: a\r\n\r\n"),
    (400, "GET / http/1.1\r\nHost: a\r\n\r\n"),
    (400, "GET /\r\n\r\n"),
    (400, "\x16\x03\x01\x02\x00\x01\x00\x01\x0a\x00\r\n\r\n"),
];

#[test]
fn ambiguous_or_malformed_requests_are_refused() {
    for (status, text) in REFUSED_REQUESTS {
        match request(text) {
            Ok(head) => panic!("accepted {text:?} as {head:?}"),
            Err(error) => {
                assert_eq!(error.status(), *status, "{text:?}: {error}");
                assert_ne!(error.detail, "partial", "{text:?}");
            }
        }
    }
}

#[test]
fn limits_are_told_apart_by_their_status() {
    let target = format!("GET /{} HTTP/1.1\r\nHost: a\r\n\r\n", "x".repeat(8 * 1024));
    assert_eq!(request(&target).unwrap_err().status(), 414);
    let line = format!("GET /{}", "x".repeat(40 * 1024));
    assert_eq!(request(&line).unwrap_err().status(), 414);
    let value = format!("GET / HTTP/1.1\r\nHost: a\r\nX: {}\r\n\r\n", "x".repeat(32 * 1024));
    assert_eq!(request(&value).unwrap_err().status(), 431);
    let many = format!("GET / HTTP/1.1\r\nHost: a\r\n{}\r\n", "X: y\r\n".repeat(101));
    assert_eq!(request(&many).unwrap_err().status(), 431);
}

/// Requests that are read: their authority, path and body, and whether the connection is kept.
const READ_REQUESTS: &[(&str, &str, &str, BodyLength, bool)] = &[
    ("GET / HTTP/1.1\r\nHost: a\r\n\r\n", "a", "/", BodyLength::Empty, true),
    ("\r\nGET /x?y HTTP/1.1\r\nHost: a:80\r\n\r\n", "a:80", "/x?y", BodyLength::Empty, true),
    ("GET / HTTP/1.1\r\nHost: [::1]:80\r\n\r\n", "[::1]:80", "/", BodyLength::Empty, true),
    ("GET / HTTP/1.1\r\nHost: a.\r\n\r\n", "a.", "/", BodyLength::Empty, true),
    ("GET / HTTP/1.1\r\nHost: a:\r\n\r\n", "a:", "/", BodyLength::Empty, true),
    ("GET //b/ HTTP/1.1\r\nHost: a\r\n\r\n", "a", "//b/", BodyLength::Empty, true),
    ("GET / HTTP/1.1\r\nHost: a\r\n\r\nGET /2", "a", "/", BodyLength::Empty, true),
    ("GET / HTTP/1.0\r\n\r\n", "", "/", BodyLength::Empty, false),
    ("GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n", "", "/", BodyLength::Empty, true),
    (
        "GET / HTTP/1.1\r\nHost: a\r\nConnection: x, close\r\n\r\n",
        "a",
        "/",
        BodyLength::Empty,
        false,
    ),
    (
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n",
        "a",
        "/",
        BodyLength::Known(5),
        true,
    ),
    ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n", "a", "/", BodyLength::Empty, true),
    (
        "POST / HTTP/1.1\r\nHost: a\r\ntransfer-encoding: Chunked\r\n\r\n",
        "a",
        "/",
        BodyLength::Unknown,
        true,
    ),
    ("OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", "a", "*", BodyLength::Empty, true),
    ("GET http://b/x HTTP/1.1\r\nHost: B\r\n\r\n", "b", "/x", BodyLength::Empty, true),
    ("GET http://b?x HTTP/1.1\r\nHost: b\r\n\r\n", "b", "/?x", BodyLength::Empty, true),
    ("GET HTTP://b HTTP/1.0\r\n\r\n", "b", "/", BodyLength::Empty, false),
    ("GET / HTTP/1.1\r\nHost: a\r\nX:\r\nY: \u{e9}\t\r\n\r\n", "a", "/", BodyLength::Empty, true),
];

#[test]
fn well_formed_requests_are_read() {
    for (text, authority, path, body, keep_alive) in READ_REQUESTS {
        let head = request(text).unwrap_or_else(|error| panic!("{text:?}: {error}"));
        assert_eq!(
            (head.authority(), head.path(), head.body, head.keep_alive),
            (*authority, *path, *body, *keep_alive),
            "{text:?}"
        );
    }
}

#[test]
fn the_targets_host_wins_over_host_where_a_mismatch_is_allowed() {
    let text = b"GET http://target/x HTTP/1.1\r\nHost: field\r\n\r\n";
    let head = parse_request(text, &HeadLimits::default(), HostRule::TargetWins).unwrap();
    assert_eq!((head.authority(), head.path()), ("target", "/x"));
}

#[test]
fn upgrades_and_expectations_count_only_where_they_mean_something() {
    let upgrade = "GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n";
    assert!(request(upgrade).unwrap().upgrade);
    let unnamed = "GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\n\r\n";
    assert!(!request(unnamed).unwrap().upgrade);
    // A tunnel of HTTP/2 would go past the routes.
    let h2c = "GET / HTTP/1.1\r\nHost: a\r\nUpgrade: x, H2C\r\nConnection: Upgrade\r\n\r\n";
    assert!(!request(h2c).unwrap().upgrade);
    // What follows would be read as the other protocol by one, and as the body by another.
    let body = upgrade.replacen("\r\n\r\n", "\r\nContent-Length: 5\r\n\r\n", 1);
    assert!(!request(&body).unwrap().upgrade);
    let expects = "PUT / HTTP/1.1\r\nHost: a\r\nExpect: 100-Continue\r\nContent-Length: 1\r\n\r\n";
    assert!(request(expects).unwrap().expects_continue);
    let other = "PUT / HTTP/1.1\r\nHost: a\r\nExpect: x 100-continue\r\nContent-Length: 1\r\n\r\n";
    assert!(!request(other).unwrap().expects_continue);
    let no_body = "PUT / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n\r\n";
    assert!(!request(no_body).unwrap().expects_continue);
}

#[test]
fn responses_are_framed_by_what_was_asked_and_answered() {
    let plain = Asked::default();
    let head = Asked { head: true, upgrade: false };
    let upgrade = Asked { head: false, upgrade: true };
    for (text, asked, body, keep_alive) in [
        ("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", plain, BodyLength::Known(5), true),
        ("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", head, BodyLength::Empty, true),
        (
            "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\n",
            plain,
            BodyLength::Known(5),
            true,
        ),
        ("HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\n", plain, BodyLength::Empty, true),
        ("HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n", plain, BodyLength::Empty, true),
        ("HTTP/1.1 100 Continue\r\n\r\n", plain, BodyLength::Empty, true),
        ("HTTP/1.1 101 Switching\r\nUpgrade: x\r\n\r\n", upgrade, BodyLength::Empty, true),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", plain, BodyLength::Unknown, true),
        ("HTTP/1.1 200\r\n\r\n", plain, BodyLength::UntilClose, false),
        ("HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\n", plain, BodyLength::Known(5), false),
        (
            "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 5\r\n\r\n",
            plain,
            BodyLength::Known(5),
            true,
        ),
        // HTTP/1.0 has no transfer codings, so that nothing after this body can be trusted.
        (
            "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nTransfer-Encoding: chunked\r\n\r\n",
            plain,
            BodyLength::Unknown,
            false,
        ),
        ("HTTP/1.1 103 Early\r\nContent-Length: 5\r\n\r\n", plain, BodyLength::Empty, true),
        (
            "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 5\r\n\r\n",
            plain,
            BodyLength::Known(5),
            false,
        ),
        ("HTTP/1.1 200 OK\nContent-Length: 5\n\n", plain, BodyLength::Known(5), true),
    ] {
        let head = response(text, asked).unwrap_or_else(|error| panic!("{text:?}: {error}"));
        assert_eq!((head.body, head.keep_alive), (body, keep_alive), "{text:?}");
    }
}

#[test]
fn rubbish_and_ambiguous_responses_are_refused() {
    for text in [
        "SSH-2.0-OpenSSH_9.2\r\n\r\n",
        "HTTP/2 200 OK\r\n\r\n",
        "HTTP/1.1 20 OK\r\n\r\n",
        "HTTP/1.1 099 OK\r\n\r\n",
        "HTTP/1.1 abc OK\r\n\r\n",
        "HTTP/1.1 101 Switching\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 5, 5\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: +5\r\n\r\n",
        "HTTP/1.1 200 OK\r\nX: 1\rContent-Length: 5\r\n\r\n",
        "HTTP/1.1 200 OK\r\nX: \0\r\n\r\n",
        "HTTP/1.1 2000 OK\r\n\r\n",
        "HTTP/1.1  200 OK\r\n\r\n",
        "HTTP/1.1\t200 OK\r\n\r\n",
        "HTTP/1.1 200 OK\r\nX : 1\r\n\r\n",
        "HTTP/1.1 200 OK\r\nX: 1\r\n 2\r\n\r\n",
    ] {
        let error = response(text, Asked::default()).unwrap_err();
        assert_ne!(error.detail, "partial", "{text:?}");
    }
}
