//! HTTP/1.1 and HTTP/2 on either side.

use bytes::Bytes;
use config::routing::UpstreamProtocol::{Http1, Http2};
use http::{HeaderMap, Request};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

use crate::support::{
    Answer, Setup, ask, ask_with, echo, get, h1_service, h2_client, h2_service, post, raw,
    read_head, read_until,
};

const NO_BODY: fn(&str, &[u8]) -> bool = |_, _| true;

#[tokio::test]
async fn a_client_of_http2_reaches_a_service_of_http2() {
    let service = h2_service(echo).await;
    let gateway = Setup::new(Http2, service.address).start();
    let client = h2_client(gateway.address).await;
    let mut trailers = HeaderMap::new();
    trailers.insert("checksum", "abc".parse().expect("a value"));
    let request = post("/a?b=c");
    let answer = ask_with(&client, request, Bytes::from("hello"), Some(trailers)).await;
    let answer = answer.expect("an answer");
    assert_eq!((answer.status, answer.text().as_str()), (200, "hello"));
    assert_eq!(answer.header("seen-method"), "POST");
    assert_eq!(answer.header("seen-path"), "/a?b=c");
    assert_eq!(answer.header("seen-authority"), "svc");
    assert_eq!(answer.header("seen-scheme"), "http");
    assert_eq!(answer.header("seen-x-forwarded-for"), "127.0.0.1");
    assert!(answer.header("seen-via").starts_with("2 rearguard-"), "{answer:?}");
    assert_eq!(answer.trailer("checksum"), "abc");
}

#[tokio::test]
async fn a_client_of_http2_reaches_a_service_of_http1() {
    let (service, mut requests) = h1_service(
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\nconnection: x-hop\r\nx-hop: 1\r\n\
          keep-alive: timeout=5\r\n\r\n3\r\nabc\r\n0\r\nchecksum: 1\r\n\r\n",
        |_, body| body.ends_with(b"\r\n\r\n"),
    )
    .await;
    let gateway = Setup::new(Http1, service.address).start();
    let client = h2_client(gateway.address).await;
    let mut trailers = HeaderMap::new();
    trailers.insert("sum", "7".parse().expect("a value"));
    // What decides about the request or its way has no place behind it.
    for name in ["x-forwarded-for", "content-length", "host", "via"] {
        trailers.insert(name, "5".parse().expect("a value"));
    }
    let mut request = post("/a");
    for cookie in ["a=1", "b=2"] {
        request.headers_mut().append("cookie", cookie.parse().expect("a value"));
    }
    let answer = ask_with(&client, request, Bytes::from("hello"), Some(trailers)).await;
    let answer = answer.expect("an answer");
    assert_eq!((answer.status, answer.text().as_str()), (200, "abc"));
    assert_eq!(answer.trailer("checksum"), "1");
    for hop in ["transfer-encoding", "connection", "keep-alive", "x-hop"] {
        assert_eq!(answer.headers.get(hop), None, "{hop}");
    }
    let (head, body) = requests.recv().await.expect("a request");
    assert!(head.starts_with("post /a http/1.1\r\nhost: svc\r\n"), "{head}");
    assert!(head.contains("\r\ntransfer-encoding: chunked\r\n"), "{head}");
    assert!(head.contains("\r\ncookie: a=1; b=2\r\n"), "{head}");
    assert_eq!(body, b"5\r\nhello\r\n0\r\nsum: 7\r\n\r\n");
}

#[tokio::test]
async fn a_length_that_is_known_is_passed_on_as_one() {
    let (service, mut requests) =
        h1_service(b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nabc", |_, body| body.len() == 5)
            .await;
    let gateway = Setup::new(Http1, service.address).start();
    let client = h2_client(gateway.address).await;
    let request = Request::put("http://svc/").header("content-length", "5").body(());
    let request = request.expect("a request");
    let answer = ask_with(&client, request, Bytes::from("hello"), None).await.expect("an answer");
    assert_eq!((answer.header("content-length"), answer.text().as_str()), ("3", "abc"));
    let (head, _) = requests.recv().await.expect("a request");
    assert!(head.contains("\r\ncontent-length: 5\r\n"), "{head}");
    assert!(!head.contains("transfer-encoding"), "{head}");
}

#[tokio::test]
async fn a_client_of_http1_reaches_a_service_of_http2() {
    let service = h2_service(echo).await;
    let gateway = Setup::new(Http2, service.address).start();
    let sent = b"POST /x HTTP/1.1\r\nHost: svc\r\nTransfer-Encoding: chunked\r\nTE: trailers\r\n\
                 Connection: close, x-hop\r\nX-Hop: 1\r\nX-Kept: 2\r\n\r\n\
                 5\r\nhello\r\n0\r\nChecksum: 9\r\n\r\n";
    let received = String::from_utf8(raw(gateway.address, sent).await).expect("text");
    let received = received.to_lowercase();
    assert!(received.starts_with("http/1.1 200 ok\r\n"), "{received}");
    assert!(received.contains("\r\nseen-x-kept: 2\r\n"), "{received}");
    for gone in ["seen-connection", "seen-x-hop", "seen-transfer-encoding", "seen-te", "seen-host"]
    {
        assert!(!received.contains(gone), "{gone} in {received}");
    }
    assert!(received.ends_with("5\r\nhello\r\n0\r\nchecksum: 9\r\n\r\n"), "{received}");
}

#[tokio::test]
async fn answers_without_a_body_stay_so() {
    let service =
        h2_service(|request: Request<_>, mut respond: h2::server::SendResponse<_>| async move {
            let response = http::Response::builder();
            let response = match request.uri().path() {
                "/204" => response.status(204),
                "/304" => response.status(304).header("etag", "\"x\""),
                _ => response.header("content-length", "10"),
            };
            respond.send_response(response.body(()).expect("a response"), true).expect("sent");
        })
        .await;
    let gateway = Setup::new(Http2, service.address).start();
    let client = h2_client(gateway.address).await;
    for (method, path, status, length) in
        [("GET", "/204", 204, ""), ("GET", "/304", 304, ""), ("HEAD", "/", 200, "10")]
    {
        let request = Request::builder().method(method).uri(format!("http://svc{path}"));
        let answer = ask(&client, request.body(()).expect("a request")).await.expect("an answer");
        assert_eq!((answer.status, answer.header("content-length")), (status, length), "{path}");
        assert!(answer.body.is_empty());
        let sent = format!("{method} {path} HTTP/1.1\r\nHost: svc\r\nConnection: close\r\n\r\n");
        let received =
            String::from_utf8(raw(gateway.address, sent.as_bytes()).await).expect("text");
        let received = received.to_lowercase();
        assert!(received.starts_with(&format!("http/1.1 {status} ")), "{received}");
        assert_eq!(received.contains("content-length: 10\r\n"), length == "10", "{received}");
        assert!(received.ends_with("\r\n\r\n"), "{received}");
    }
}

#[tokio::test]
async fn an_answer_of_http1_to_head_has_no_body_in_http2() {
    let (service, _requests) =
        h1_service(b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n", NO_BODY).await;
    let gateway = Setup::new(Http1, service.address).start();
    let client = h2_client(gateway.address).await;
    let request = Request::head("http://svc/").body(()).expect("a request");
    let answer = ask(&client, request).await.expect("an answer");
    assert_eq!((answer.status, answer.header("content-length")), (200, "10"));
    assert!(answer.body.is_empty());
}

#[tokio::test]
async fn a_client_that_waits_for_100_is_told_to_go_on() {
    let service = h2_service(echo).await;
    let gateway = Setup::new(Http2, service.address).start();
    let mut client = TcpStream::connect(gateway.address).await.expect("a connection");
    let head = b"POST / HTTP/1.1\r\nHost: svc\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n";
    client.write_all(head).await.expect("sent");
    let (interim, _) = read_head(&mut client).await;
    assert!(interim.starts_with("http/1.1 100 continue\r\n"), "{interim}");
    client.write_all(b"hello").await.expect("sent");
    let answer = read_until(&mut client, |bytes| bytes.ends_with(b"0\r\n\r\n")).await;
    let answer = String::from_utf8(answer).expect("text");
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    assert!(answer.contains("hello"), "{answer}");
    assert!(!answer.contains("seen-expect"), "{answer}");
}

#[tokio::test]
async fn interim_responses_are_passed_on_to_clients_of_http2() {
    let (service, _requests) = h1_service(
        b"HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n",
        NO_BODY,
    )
    .await;
    let gateway = Setup::new(Http1, service.address).start();
    let client = h2_client(gateway.address).await;
    let mut client = client.ready().await.expect("ready");
    let (mut response, _) = client.send_request(get("/"), true).expect("sent");
    let interim = std::future::poll_fn(|cx| response.poll_informational(cx));
    let interim =
        crate::support::within(interim).await.expect("some").expect("an interim response");
    assert_eq!(
        (interim.status().as_u16(), &interim.headers()["link"]),
        (103, &"</a>".parse().expect("a value"))
    );
    assert_eq!(response.await.expect("an answer").status().as_u16(), 204);
}

#[tokio::test]
async fn an_upgrade_is_not_asked_of_a_service_of_http2() {
    let service = h2_service(echo).await;
    let gateway = Setup::new(Http2, service.address).start();
    let sent = b"GET /chat HTTP/1.1\r\nHost: svc\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
                 Sec-WebSocket-Key: eA==\r\n\r\n";
    let mut client = TcpStream::connect(gateway.address).await.expect("a connection");
    client.write_all(sent).await.expect("sent");
    let (head, _) = read_head(&mut client).await;
    assert!(head.starts_with("http/1.1 200 ok\r\n"), "{head}");
    assert!(!head.contains("seen-upgrade") && head.contains("seen-sec-websocket-key"), "{head}");
}

#[tokio::test]
async fn a_connection_carries_requests_of_http1_until_it_sends_the_preface_of_http2() {
    let (service, _requests) = h1_service(b"HTTP/1.1 204 No Content\r\n\r\n", NO_BODY).await;
    let gateway = Setup::new(Http1, service.address).start();
    // A method that begins as the preface does.
    let received =
        raw(gateway.address, b"PRI /x HTTP/1.1\r\nHost: svc\r\nConnection: close\r\n\r\n");
    assert!(received.await.starts_with(b"HTTP/1.1 204 "));
    // The preface in pieces.
    let mut client = TcpStream::connect(gateway.address).await.expect("a connection");
    for piece in ["PRI * HT", "TP/2.0\r\n\r\nSM", "\r\n\r\n", "\0\0\0\x04\0\0\0\0\0"] {
        client.write_all(piece.as_bytes()).await.expect("sent");
        client.flush().await.expect("sent");
        tokio::task::yield_now().await;
    }
    let mut settings = [0; 9];
    client.read_exact(&mut settings).await.expect("a frame");
    assert_eq!(settings[3], 4, "SETTINGS comes first");
}

#[tokio::test]
async fn heads_that_are_not_for_a_gateway_are_refused() {
    let service = h2_service(echo).await;
    let gateway = Setup::new(Http2, service.address).start();
    let client = h2_client(gateway.address).await;
    let build = |build: fn(http::request::Builder) -> http::request::Builder| {
        build(Request::builder()).body(()).expect("a request")
    };
    for (request, status) in [
        (build(|request| request.uri("http://svc/").header("host", "other")), 400),
        (build(|request| request.uri("http://a_b@svc/")), 400),
        (build(|request| request.uri("http://svc/").header("big", "x".repeat(40_000))), 431),
        (build(|request| request.uri(format!("http://svc/{}", "x".repeat(9_000)))), 414),
        (
            build(|request| {
                (0..101).fold(request.uri("http://svc/"), |request, n| {
                    request.header(format!("h{n}"), "x")
                })
            }),
            431,
        ),
    ] {
        let answer = ask(&client, request).await.expect("an answer");
        assert_eq!(answer.status, status, "{}", answer.text());
        assert!(answer.header("proxy-status").starts_with("rearguard; error=http_request_error"));
    }
    let causes: Vec<_> =
        gateway.failures(5).await.iter().filter_map(|record| record.cause).collect();
    use model::Cause::{ClientBadRequest as Bad, ClientTooLarge as Large};
    assert_eq!(causes, [Large, Large, Large, Bad, Bad]);
    assert_eq!(ask(&client, get("/")).await.expect("an answer").status, 200);
}

#[tokio::test]
async fn a_header_list_far_over_the_limit_is_answered_431() {
    let service = h2_service(echo).await;
    let gateway = Setup::new(Http2, service.address).start();
    let client = h2_client(gateway.address).await;
    let request = Request::get("http://svc/").header("big", "x".repeat(80_000)).body(());
    let answer = ask(&client, request.expect("a request")).await.expect("an answer");
    assert_eq!(answer.status, 431);
}

/// What an answer's length promised and its body did not keep shows as a broken stream.
#[tokio::test]
async fn an_answer_that_is_shorter_than_it_said_breaks_off() {
    let over_h1 = crate::support::service(|mut stream, _| async move {
        read_head(&mut stream).await;
        let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf";
        stream.write_all(answer).await.expect("sent");
    })
    .await;
    let over_h2 = h2_service(|_, mut respond: h2::server::SendResponse<Bytes>| async move {
        let response = http::Response::builder().header("content-length", "10").body(());
        let response = response.expect("a response");
        let mut send = respond.send_response(response, false).expect("sent");
        send.send_data("half".into(), false).expect("sent");
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        send.send_data(Bytes::new(), true).expect("sent");
    })
    .await;
    for (protocol, address, cause) in [
        (Http1, over_h1.address, model::Cause::UpstreamClosedMidResponse),
        (Http2, over_h2.address, model::Cause::UpstreamProtocolError),
    ] {
        let gateway = Setup::new(protocol, address).start();
        let client = h2_client(gateway.address).await;
        let error = ask(&client, get("/")).await.expect_err("a broken answer");
        assert_eq!(error.reason(), Some(h2::Reason::INTERNAL_ERROR), "{error}");
        let record = gateway.failure().await;
        assert_eq!((record.cause, record.status), (Some(cause), 200), "{record:?}");
    }
}

/// Every byte of a large body arrives, in order, both ways.
#[tokio::test]
async fn large_bodies_pass_between_http2_and_http2() {
    let service = h2_service(echo).await;
    let gateway = Setup::new(Http2, service.address).start();
    let client = h2_client(gateway.address).await;
    let body = large();
    let answer = ask_with(&client, post("/"), body.clone(), None).await.expect("an answer");
    assert!(answer.body == body, "{} bytes", answer.body.len());
}

#[tokio::test]
async fn large_bodies_pass_from_http2_to_http1() {
    let (service, mut requests) =
        h1_service(b"HTTP/1.1 204 No Content\r\n\r\n", |_, body| body.len() == LARGE).await;
    let gateway = Setup::new(Http1, service.address).start();
    let client = h2_client(gateway.address).await;
    let body = large();
    let request = Request::put("http://svc/").header("content-length", LARGE).body(());
    let request = request.expect("a request");
    let answer = ask_with(&client, request, body.clone(), None).await.expect("an answer");
    assert_eq!(answer.status, 204);
    let (_, received) = requests.recv().await.expect("a request");
    assert!(received == body, "{} bytes", received.len());
}

#[tokio::test]
async fn large_bodies_pass_between_http1_and_http2() {
    let service = h2_service(echo).await;
    let gateway = Setup::new(Http2, service.address).start();
    let client = TcpStream::connect(gateway.address).await.expect("a connection");
    let (mut receive, mut send) = client.into_split();
    let body = large();
    let sent = body.clone();
    tokio::spawn(async move {
        let head = format!(
            "POST / HTTP/1.1\r\nHost: svc\r\nContent-Length: {LARGE}\r\nConnection: close\r\n\r\n"
        );
        send.write_all(head.as_bytes()).await.expect("sent");
        send.write_all(&sent).await.expect("sent");
        // Kept open until the answer has come.
        std::future::pending::<()>().await;
        drop(send);
    });
    let mut received = Vec::new();
    let read = receive.read_to_end(&mut received);
    crate::support::within(read).await.expect("an answer");
    let end = received.windows(4).position(|four| four == b"\r\n\r\n").expect("a head") + 4;
    assert!(dechunked(&received[end..]) == body);
}

#[tokio::test]
async fn large_bodies_pass_from_a_service_of_http1_to_a_client_of_http2() {
    let service = crate::support::service(|mut stream, _| async move {
        read_head(&mut stream).await;
        let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {LARGE}\r\n\r\n");
        drop(stream.write_all(head.as_bytes()).await);
        drop(stream.write_all(&large()).await);
        drop(stream.read(&mut [0]).await);
    })
    .await;
    let gateway = Setup::new(Http1, service.address).start();
    let client = h2_client(gateway.address).await;
    let answer: Answer = ask(&client, get("/")).await.expect("an answer");
    assert!(answer.body == large(), "{} bytes", answer.body.len());
}

const LARGE: usize = 20 << 20;

fn large() -> Bytes {
    (0..LARGE).map(|at| (at % 251) as u8).collect()
}

fn dechunked(mut bytes: &[u8]) -> Vec<u8> {
    let mut body = Vec::new();
    loop {
        let end = bytes.windows(2).position(|two| two == b"\r\n").expect("a size");
        let size = std::str::from_utf8(&bytes[..end]).expect("text");
        let size = usize::from_str_radix(size, 16).expect("a size");
        if size == 0 {
            return body;
        }
        body.extend_from_slice(&bytes[end + 2..end + 2 + size]);
        bytes = &bytes[end + 2 + size + 2..];
    }
}

#[tokio::test]
async fn what_ends_without_a_body_over_http2_adds_no_byte_over_http1() {
    // The end of the stream comes in an empty frame of its own, which is no body.
    let service = h2_service(|request, mut respond| async move {
        let status = if request.method() == "HEAD" { 200 } else { 304 };
        let response = http::Response::builder().status(status).body(()).expect("a response");
        let mut stream = respond.send_response(response, false).expect("a head sent");
        stream.send_data(Bytes::new(), true).expect("an end sent");
    })
    .await;
    let gateway = Setup::new(Http2, service.address).start();
    let sent = b"HEAD / HTTP/1.1\r\nHost: svc\r\n\r\n\
        GET / HTTP/1.1\r\nHost: svc\r\nConnection: close\r\n\r\n";
    let received = String::from_utf8(raw(gateway.address, sent).await).expect("text");
    let heads: Vec<&str> = received.split_terminator("\r\n\r\n").collect();
    assert_eq!(heads.len(), 2, "{received}");
    assert!(heads[0].starts_with("HTTP/1.1 200 "), "{received}");
    assert!(heads[1].starts_with("HTTP/1.1 304 "), "{received}");
    assert!(!received.contains("transfer-encoding"), "{received}");
}
