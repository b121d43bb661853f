//! Each route does on a real socket what it says. Time is paused, so that 60 s pass at once.

use std::{io, net::Ipv4Addr, sync::Arc, time::Duration};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    time::Instant,
};

use super::{
    connection::Connection,
    routes::{Role, Service},
    server,
};

/// How the service ended the connection.
#[derive(Debug, PartialEq)]
enum End {
    Closed,
    Reset,
}

struct Seen {
    bytes: String,
    end: End,
    took: Duration,
}

async fn connect(role: Role) -> TcpStream {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(server::serve(listener, Arc::new(Service::new(role))));
    TcpStream::connect(address).await.unwrap()
}

async fn read_to_end(stream: &mut TcpStream) -> Seen {
    let began = Instant::now();
    let mut bytes = Vec::new();
    let end = match stream.read_to_end(&mut bytes).await {
        Ok(_) => End::Closed,
        Err(error) if error.kind() == io::ErrorKind::ConnectionReset => End::Reset,
        Err(error) => panic!("{error}"),
    };
    Seen { bytes: String::from_utf8(bytes).unwrap(), end, took: began.elapsed() }
}

async fn ask(role: Role, path: &str) -> Seen {
    let mut stream = connect(role).await;
    let request = format!("GET {path} HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    read_to_end(&mut stream).await
}

/// What a payment route does: the answer's beginning and end, how the connection ends, and when.
struct Promise {
    path: &'static str,
    begins: &'static str,
    ends: &'static str,
    end: End,
    after: Duration,
}

const OK: &str = "HTTP/1.1 200 OK\r\n";
const BROKEN: &str = "HTTP/1.1 500 Internal Server Error\r\n";
const PAID: &str = "{\"paid\":true,\"amount\":\"12.50\",\"version\":\"v1\"}";

const fn at_once(path: &'static str, begins: &'static str, ends: &'static str) -> Promise {
    Promise { path, begins, ends, end: End::Closed, after: Duration::ZERO }
}

#[tokio::test(start_paused = true)]
async fn each_payment_route_ends_as_it_says() {
    let promises = [
        at_once("/pay", OK, PAID),
        at_once("/pay?amount=3", OK, PAID),
        at_once("/pay/error", BROKEN, "}"),
        at_once("/pay/panic-reported", BROKEN, "}"),
        at_once("/pay/half", OK, "{\"paid\":true,\"amount\":\""),
        at_once("/pay/rubbish", "\x15\x03\x01 this is not HTTP", "\r\n"),
        at_once("/pay/nothing", "HTTP/1.1 404 Not Found\r\n", "nothing at /pay/nothing\n"),
        Promise { after: Duration::from_millis(3012), ..at_once("/pay/cleanup", OK, PAID) },
        Promise { after: Duration::from_millis(3012), ..at_once("/pay/cleanup/patient", OK, PAID) },
        Promise { after: Duration::from_millis(4500), ..at_once("/pay/slow", OK, PAID) },
    ];
    for promise in promises {
        let Promise { path, begins, ends, end, after } = promise;
        let seen = ask(Role::PaymentV1, path).await;
        assert!(seen.bytes.starts_with(begins), "{path}: {}", seen.bytes);
        assert!(seen.bytes.ends_with(ends), "{path}: {}", seen.bytes);
        assert_eq!(seen.end, end, "{path}");
        // Tokio's timers are exact to a millisecond, and each of the pauses may take one more.
        let slack = Duration::from_millis(50);
        assert!(seen.took >= after && seen.took <= after + slack, "{path}: {:?}", seen.took);
    }
}

#[tokio::test(start_paused = true)]
async fn some_payment_routes_end_without_a_byte() {
    for (path, end, after) in [
        ("/pay/panic", End::Closed, 0),
        ("/pay/close", End::Closed, 0),
        ("/pay/reset", End::Reset, 0),
        ("/pay/stall", End::Closed, 60),
    ] {
        let seen = ask(Role::PaymentV1, path).await;
        assert_eq!((seen.bytes.as_str(), seen.end), ("", end), "{path}");
        assert_eq!(seen.took.as_secs(), after, "{path}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_reported_panic_and_the_times_are_in_the_headers() {
    for (path, field) in [
        ("/pay/panic-reported", "\r\nrearguard-outcome: panicked\r\n"),
        ("/pay/cleanup", "\r\nserver-timing: work;dur=12.0, cleanup;dur=3000.0\r\n"),
    ] {
        let seen = ask(Role::PaymentV1, path).await;
        assert!(seen.bytes.contains(field), "{path}: {}", seen.bytes);
    }
}

#[tokio::test(start_paused = true)]
async fn a_half_answer_promises_twice_what_it_sends() {
    let seen = ask(Role::PaymentV1, "/pay/half").await;
    let (head, body) = seen.bytes.split_once("\r\n\r\n").unwrap();
    assert!(head.contains(&format!("content-length: {}", PAID.len())), "{head}");
    assert_eq!(body.len(), PAID.len() - PAID.len() / 2);
}

#[tokio::test(start_paused = true)]
async fn a_stalled_request_ends_when_its_client_leaves() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let mut client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    let (stream, _) = listener.accept().await.unwrap();
    client.write_all(b"GET /pay/stall HTTP/1.1\r\nhost: a\r\n\r\nmore").await.unwrap();
    drop(client);
    let began = Instant::now();
    Connection::new(stream).serve(&Service::new(Role::PaymentV1)).await.unwrap();
    assert_eq!(began.elapsed().as_secs(), 0);
}

#[test]
fn the_second_version_panics_at_every_fifth_payment() {
    let service = Service::new(Role::PaymentV2);
    let panics: Vec<usize> = (1..=12)
        .filter(|_| {
            std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| service.answer("/pay")))
                .is_err()
        })
        .collect();
    assert_eq!(panics, [5, 10]);
}

#[tokio::test(start_paused = true)]
async fn a_connection_carries_many_requests_whatever_their_bodies() {
    let mut stream = connect(Role::Front).await;
    let requests = concat!(
        "POST /cart HTTP/1.1\r\nhost: a\r\ncontent-length: 5\r\n\r\nhello",
        "POST /cart HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n",
        "5\r\nhello\r\n3;a=b\r\nyou\r\n0\r\nx-sum: 1\r\n\r\n",
        "HEAD /cart HTTP/1.1\r\nhost: a\r\n\r\n",
        "GET /cart HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n",
    );
    stream.write_all(requests.as_bytes()).await.unwrap();
    let seen = read_to_end(&mut stream).await;
    assert_eq!(seen.bytes.matches(OK).count(), 4, "{}", seen.bytes);
    assert_eq!(seen.bytes.matches("teapot").count(), 3, "{}", seen.bytes);
    assert!(seen.bytes.contains("connection: close"), "{}", seen.bytes);
}

#[tokio::test(start_paused = true)]
async fn a_body_larger_than_the_buffer_is_dropped_and_answered() {
    let mut stream = connect(Role::Front).await;
    let length = 1 << 20;
    let head = format!(
        "POST /cart HTTP/1.1\r\nhost: a\r\nconnection: close\r\nexpect: 100-continue\r\n\
         content-length: {length}\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    stream.write_all(&vec![b'x'; length]).await.unwrap();
    let seen = read_to_end(&mut stream).await;
    assert!(seen.bytes.starts_with("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n"));
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_read_is_refused() {
    for request in [
        "GET / HTTP/1.1\r\nbad name: 1\r\n\r\n".to_owned(),
        "POST / HTTP/1.1\r\ncontent-length: many\r\n\r\n".to_owned(),
        format!("GET /{} HTTP/1.1", "a".repeat(64 * 1024)),
    ] {
        let mut stream = connect(Role::Front).await;
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut status = [0; 12];
        stream.read_exact(&mut status).await.unwrap();
        assert_eq!(&status, b"HTTP/1.1 400");
    }
}

#[tokio::test(start_paused = true)]
async fn an_idle_connection_is_closed_after_its_keep_alive() {
    let mut stream = connect(Role::Front).await;
    let seen = read_to_end(&mut stream).await;
    assert_eq!((seen.bytes.as_str(), seen.took.as_secs()), ("", 60));
}
