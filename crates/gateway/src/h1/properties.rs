//! The oracle's questions, asked of texts that proptest makes: a part of what the fuzz targets do,
//! run by every `cargo test`.

use proptest::{prelude::*, test_runner::RngSeed};

use super::oracle;

/// Pieces of heads of requests.
const REQUEST: &[&str] = &[
    "GET / HTTP/1.1\r\n",
    "POST /x?y HTTP/1.1\r\n",
    "GET http://a/x HTTP/1.0\r\n",
    "OPTIONS * HTTP/1.1\r\n",
    "GET ",
    "http://b:80",
    "HTTPS://[::1]:8",
    "/",
    " HTTP/1.1",
    "Host: a\r\n",
    "host:b:80 \r\n",
    "Host: [::1]\r\n",
    "Content-Length: 5\r\n",
    "content-length: 0\r\n",
    "Transfer-Encoding: chunked\r\n",
    "Transfer-Encoding: gzip, chunked\r\n",
    "Connection: close, Upgrade\r\n",
    "Connection: keep-alive\r\n",
    "Upgrade: websocket\r\n",
    "Upgrade: h2c\r\n",
    "Expect: 100-Continue\r\n",
    "X:\u{e9}\t\r\n",
    "\r\n",
    "\r\n\r\n",
];

/// Pieces of heads of responses.
const RESPONSE: &[&str] = &[
    "HTTP/1.1 200 OK\r\n",
    "HTTP/1.1 204\n",
    "HTTP/1.0 304 Not Modified\r\n",
    "HTTP/1.1 101 Switching Protocols\r\n",
    "HTTP/1.1 100 \r\n",
    "HTTP/1.0 ",
    "200",
    "Content-Length: 5\n",
    "Content-Length: 6\r\n",
    "Transfer-Encoding: chunked\r\n",
    "transfer-encoding: gzip\r\n",
    "Connection: close\r\n",
    "Connection: x, Keep-Alive\r\n",
    "Upgrade: websocket\r\n",
    "X: \u{e9}\r\n",
    "\r\n",
    "\n",
];

/// Pieces of chunked bodies.
const CHUNKED: &[&str] = &[
    "5\r\nhello\r\n",
    "0005\r\nhello\r\n",
    "a;x=\"y\"\r\n0123456789\r\n",
    "fffffffffffffff\r\n",
    "1000000000000000",
    "0\r\n",
    "\r\n",
    "X-Sum: 1\r\n",
    "Content-Length: 1\r\n",
    "; ",
    "0",
    "A",
];

/// What makes readers differ.
const ODD: &[&str] =
    &["\r", "\n", " ", "\t", "\0", "\u{b}", "\u{7f}", ":", ";", ",", "\"", "#", "@", "x", "%", "+"];

/// Texts of a few pieces, most of them with a good beginning, with odd ones put in at any place.
fn text(begin: &'static str, pieces: &'static [&'static str]) -> impl Strategy<Value = Vec<u8>> {
    let odd = (any::<prop::sample::Index>(), prop::sample::select(ODD));
    let whole = prop::collection::vec(prop::sample::select(pieces), 1..7).prop_map(move |pieces| {
        let begin = if pieces.len() > 1 { begin } else { "" };
        [&[begin], &pieces[..]].concat()
    });
    (whole, prop::collection::vec(odd, 0..3), any::<prop::sample::Index>(), 0..4_u8).prop_map(
        |(whole, odd, cut, ending)| {
            let mut text = whole.concat().into_bytes();
            for (at, odd) in odd {
                let at = at.index(text.len() + 1);
                text.splice(at..at, odd.bytes());
            }
            match ending {
                0 => text.truncate(cut.index(text.len() + 1)),
                _ => text.extend_from_slice(b"\r\n\r\n"),
            }
            text
        },
    )
}

fn config() -> ProptestConfig {
    // The same texts in every run: what is new is looked for by the fuzz targets.
    ProptestConfig {
        cases: 3000,
        rng_seed: RngSeed::Fixed(9112),
        failure_persistence: None,
        ..ProptestConfig::default()
    }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn heads_of_requests_are_understood_in_one_way(text in text("POST / HTTP/1.1\r\nHost: a\r\n", REQUEST)) {
        oracle::request_head(&text);
    }

    #[test]
    fn heads_of_responses_are_understood_in_one_way(text in text("HTTP/1.1 200 OK\r\n", RESPONSE)) {
        oracle::response_head(&text);
    }

    #[test]
    fn chunked_bodies_are_understood_in_one_way(text in text("5\r\nhello\r\n", CHUNKED)) {
        oracle::chunked_body(&text);
    }

    #[test]
    fn any_bytes_are_understood_in_one_way(
        bytes in prop::collection::vec(any::<u8>(), 0..200),
    ) {
        oracle::request_head(&bytes);
        oracle::response_head(&bytes);
        oracle::chunked_body(&bytes);
    }
}
