//! Each way in which a request can fail, told apart.

use std::time::Duration;

use http_body_util::BodyExt as _;
use rearguard::{
    CallContext, Error, ErrorKind, Outcome,
    client::{Client, ClientOptions, RequestOptions},
};
use tokio::{net::TcpSocket, time::timeout};

use crate::{ask, get, post, scripted::Scripted, text};

const SHORT: Duration = Duration::from_millis(50);

fn client() -> Client {
    Client::new(ClientOptions::new())
}

fn check(error: &Error, kind: ErrorKind, context: &[(&str, &str)]) {
    assert_eq!(error.kind(), kind, "{error}");
    for (name, value) in context {
        assert_eq!(error.context(name), Some(*value), "{name} of {error}");
    }
}

#[tokio::test]
async fn a_port_without_a_listener_is_connect_refused() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let error = client().send(post(&address, "/")).await.unwrap_err();
    check(&error, ErrorKind::ConnectRefused, &[("authority", &address.to_string())]);
    assert!(error.is_retryable());
}

#[tokio::test]
async fn a_listener_that_accepts_nothing_is_connect_timed_out() {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let listener = socket.listen(1).unwrap();
    let address = listener.local_addr().unwrap();
    let mut waiting = Vec::new();
    while let Ok(stream) = timeout(SHORT * 2, tokio::net::TcpStream::connect(address)).await {
        waiting.push(stream.unwrap());
    }
    let client = Client::new(ClientOptions::new().connect_timeout(SHORT));
    let error = client.send(get(&address, "/")).await.unwrap_err();
    check(&error, ErrorKind::ConnectTimedOut, &[("limit", "connect_timeout")]);
    let context = CallContext::new().within(SHORT);
    let error = context.scope(self::client().send(get(&address, "/"))).await.unwrap_err();
    check(&error, ErrorKind::ConnectTimedOut, &[("limit", "deadline")]);
    assert!(error.is_retryable());
    drop(listener);
}

#[tokio::test]
async fn an_address_that_no_route_leads_to_is_unreachable() {
    // TCP to a multicast address is refused by the kernel itself.
    let error = client().send(get(&"224.0.0.1:80", "/")).await.unwrap_err();
    check(&error, ErrorKind::Unreachable, &[]);
}

#[tokio::test]
async fn a_name_that_is_none_is_dns_failed() {
    let client = Client::new(ClientOptions::new().connect_timeout(Duration::from_secs(2)));
    let error = client.send(get(&"nobody.invalid", "/")).await.unwrap_err();
    check(&error, ErrorKind::DnsFailed, &[("authority", "nobody.invalid")]);
}

#[tokio::test]
async fn a_server_that_says_nothing_is_response_timed_out() {
    let server = Scripted::start(async |_, mut peer| peer.hold().await).await;
    let client = Client::new(ClientOptions::new().response_timeout(SHORT));
    let error = client.send(get(&server, "/")).await.unwrap_err();
    check(&error, ErrorKind::ResponseTimedOut, &[("limit", "response_timeout")]);
    let context = CallContext::new().within(SHORT / 2);
    let error = context.scope(client.send(get(&server, "/"))).await.unwrap_err();
    check(&error, ErrorKind::ResponseTimedOut, &[("limit", "deadline"), ("connection", "fresh")]);
    assert_eq!(error.kind().outcome(), Outcome::TimedOut);
    // Neither connection is another request's.
    assert_eq!(client.stats().connections, 0);
}

#[tokio::test]
async fn a_body_that_stalls_or_outlasts_the_deadline_is_body_timed_out() {
    let server = Scripted::start(async |_, mut peer| {
        peer.request().await;
        peer.write("HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nabc").await;
        peer.hold().await;
    })
    .await;
    let client = Client::new(ClientOptions::new().body_stall_timeout(SHORT));
    let error = ask(&client, &server, "/").await.unwrap_err();
    check(&error, ErrorKind::BodyTimedOut, &[("limit", "body_stall_timeout")]);
    let mut request = get(&server, "/");
    request.extensions_mut().insert(RequestOptions::new().timeout(SHORT));
    let error = text(self::client().send(request).await.unwrap()).await.unwrap_err();
    check(&error, ErrorKind::BodyTimedOut, &[("limit", "deadline")]);
}

#[tokio::test]
async fn a_tcp_reset_is_reset() {
    let server = Scripted::start(async |_, mut peer| {
        peer.request().await;
        peer.reset();
    })
    .await;
    let error = client().send(get(&server, "/")).await.unwrap_err();
    check(&error, ErrorKind::Reset, &[("connection", "fresh")]);
    // A fresh connection is not the idle race, so only a retry layer sends it again.
    assert_eq!(server.accepted(), 1);
    assert!(error.is_retryable());
}

#[tokio::test]
async fn a_close_without_a_byte_is_closed_before_response() {
    let server = Scripted::start(async |_, mut peer| drop(peer.request().await)).await;
    let error = client().send(post(&server, "/")).await.unwrap_err();
    check(&error, ErrorKind::ClosedBeforeResponse, &[("connection", "fresh")]);
    assert!(!error.is_retryable());
    assert_eq!(server.accepted(), 1);
}

#[tokio::test]
async fn an_answer_that_breaks_off_is_closed_mid_response() {
    for answer in [
        "HTTP/1.1 200 OK\r\ncontent-le",
        "HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nabc",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nabc",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n",
    ] {
        let server = Scripted::start(move |_, mut peer| async move {
            peer.request().await;
            peer.write(answer).await;
        })
        .await;
        let error = ask(&client(), &server, "/").await.unwrap_err();
        check(&error, ErrorKind::ClosedMidResponse, &[("connection", "fresh")]);
    }
}

#[tokio::test]
async fn what_is_not_http_is_protocol_error() {
    for answer in [
        "SSH-2.0-OpenSSH_9.2\r\n\r\n",
        "HTTP/1.1 abc OK\r\n\r\n",
        "HTTP/1.1 200 OK\r\ncontent-length: many\r\n\r\n",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n",
    ] {
        let server = Scripted::start(move |_, mut peer| async move {
            peer.request().await;
            peer.write(answer).await;
            peer.hold().await;
        })
        .await;
        let error = ask(&client(), &server, "/").await.unwrap_err();
        check(&error, ErrorKind::ProtocolError, &[]);
        assert!(!error.is_retryable(), "{error}");
    }
}

#[tokio::test]
async fn what_the_client_itself_cuts_off_is_cancelled() {
    let server = Scripted::start(async |number, mut peer| {
        peer.request().await;
        if number > 0 {
            peer.write("HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nabc").await;
        }
        peer.hold().await;
    })
    .await;
    // Before the answer, and within it.
    for _ in 0..2 {
        let client = client();
        let sending = tokio::spawn({
            let (client, request) = (client.clone(), get(&server, "/"));
            async move { text(client.send(request).await?).await }
        });
        crate::until("it is in flight", async || {
            let stats = client.stats();
            stats.connections == 1 && stats.idle == 0
        })
        .await;
        assert_eq!(client.close(SHORT).await, 1);
        check(&sending.await.unwrap().unwrap_err(), ErrorKind::Cancelled, &[]);
    }
}

#[tokio::test]
async fn a_request_body_that_fails_is_cancelled() {
    let server = Scripted::start(async |_, mut peer| peer.hold().await).await;
    let failing = FailingBody.map_err(std::io::Error::other);
    let request = http::Request::post(format!("http://{server}/")).body(failing).unwrap();
    let error = client().send(request).await.unwrap_err();
    check(&error, ErrorKind::Cancelled, &[("failed", "the request's body")]);
}

#[tokio::test]
async fn a_deadline_that_has_passed_sends_nothing() {
    let server = Scripted::echo().await;
    let context = CallContext::new().within(Duration::ZERO);
    let error = context.scope(client().send(get(&server, "/"))).await.unwrap_err();
    check(&error, ErrorKind::DeadlinePassed, &[]);
    assert_eq!(server.accepted(), 0);
}

#[tokio::test]
async fn what_cannot_be_asked_is_invalid_input() {
    for uri in ["/path", "https://localhost/"] {
        let request = http::Request::get(uri).body(String::new()).unwrap();
        let error = client().send(request).await.unwrap_err();
        check(&error, ErrorKind::InvalidInput, &[("uri", uri)]);
    }
}

struct FailingBody;

impl http_body::Body for FailingBody {
    type Data = &'static [u8];
    type Error = &'static str;

    fn poll_frame(
        self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Result<http_body::Frame<Self::Data>, Self::Error>>> {
        std::task::Poll::Ready(Some(Err("it cannot be read")))
    }
}
