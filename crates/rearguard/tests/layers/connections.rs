//! What callers see on real connections of axum: HTTP/1.1 by its bytes, HTTP/2 by a client.

use std::{
    convert::Infallible,
    net::SocketAddr,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use axum::{
    Router,
    body::{Body, Bytes, HttpBody},
    routing::get,
};
use http_body::Frame;
use rearguard::layers::{RequestScope, ServiceLayer};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader},
    net::{TcpListener, TcpStream},
    sync::mpsc,
    time::{sleep, timeout},
};

use crate::support::{Log, Step, Steps, headers, millis, quiet, timing};

/// Longer than anything here takes.
const PATIENCE: Duration = Duration::from_secs(10);

async fn serve(app: Router) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, app.layer(ServiceLayer::new())).await });
    address
}

/// A connection by HTTP/1.1.
struct Connection(BufReader<TcpStream>);

/// An answer by HTTP/1.1: its head, its body as it came, its trailers.
#[derive(Debug)]
struct Answer {
    head: String,
    body: String,
    trailers: String,
}

impl Connection {
    async fn open(address: SocketAddr) -> Self {
        Self(BufReader::new(TcpStream::connect(address).await.unwrap()))
    }

    async fn send(&mut self, path: &str, more: &str) {
        let request = format!("GET {path} HTTP/1.1\r\nhost: test\r\n{more}\r\n");
        self.0.write_all(request.as_bytes()).await.unwrap();
    }

    async fn ask(&mut self, path: &str, more: &str) -> Answer {
        self.send(path, more).await;
        timeout(PATIENCE, self.answer()).await.unwrap()
    }

    async fn answer(&mut self) -> Answer {
        let head = self.lines().await;
        let (mut body, mut trailers) = (String::new(), String::new());
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
        if let Some(length) = length {
            body = self.take(length.parse().unwrap()).await;
        } else {
            loop {
                let mut size = String::new();
                if self.0.read_line(&mut size).await.unwrap() == 0 {
                    trailers = "cut short".to_owned();
                    break;
                }
                let size = usize::from_str_radix(size.trim(), 16).unwrap();
                if size == 0 {
                    trailers = self.lines().await;
                    break;
                }
                body += &self.take(size).await;
                self.take(2).await;
            }
        }
        Answer { head, body, trailers }
    }

    /// Up to an empty line.
    async fn lines(&mut self) -> String {
        let mut lines = String::new();
        while !lines.ends_with("\r\n\r\n") && lines != "\r\n" {
            assert_ne!(self.0.read_line(&mut lines).await.unwrap(), 0, "{lines}");
        }
        lines
    }

    async fn take(&mut self, length: usize) -> String {
        let mut bytes = vec![0; length];
        self.0.read_exact(&mut bytes).await.unwrap();
        String::from_utf8(bytes).unwrap()
    }
}

#[tokio::test]
async fn a_panic_costs_one_request_and_the_connection_stays_usable() {
    quiet();
    let app = Router::new()
        .route("/broken", get(async || -> &'static str { panic!("a bug") }))
        .route("/", get(async || "hello"));
    let mut connection = Connection::open(serve(app).await).await;
    let answer = connection.ask("/broken", "").await;
    assert!(answer.head.starts_with("HTTP/1.1 500"), "{answer:?}");
    assert!(answer.head.contains("\r\nrearguard-outcome: panicked\r\n"), "{answer:?}");
    let answer = connection.ask("/", "").await;
    assert!(answer.head.starts_with("HTTP/1.1 200") && answer.body == "hello", "{answer:?}");
}

#[tokio::test]
async fn a_panic_in_the_middle_of_a_body_cuts_it_short() {
    quiet();
    let stream = async || Body::new(Steps::stream([Step::Data("half"), Step::Yield, Step::Panic]));
    let app = Router::new().route("/", get(stream)).route("/whole", get(async || "hello"));
    let address = serve(app).await;
    let answer = Connection::open(address).await.ask("/", "").await;
    assert_eq!((answer.body.as_str(), answer.trailers.as_str()), ("half", "cut short"));
    let answer = Connection::open(address).await.ask("/whole", "").await;
    assert_eq!(answer.body, "hello", "the process lives");
}

fn slow_to_clean() -> Router {
    Router::new()
        .route(
            "/stream",
            get(async || {
                RequestScope::current().unwrap().defer(sleep(millis(30)));
                Body::new(Steps::stream([Step::Data("a"), Step::Yield, Step::Data("b")]))
            }),
        )
        .route(
            "/whole",
            get(async || {
                RequestScope::current().unwrap().defer(sleep(millis(30)));
                "whole"
            }),
        )
}

#[tokio::test]
async fn by_http_1_times_come_in_headers_or_in_trailers_that_are_asked_for() {
    let mut connection = Connection::open(serve(slow_to_clean()).await).await;
    let answer = connection.ask("/whole", "").await;
    assert!(answer.head.contains("\r\nserver-timing: work;dur="), "{answer:?}");

    let answer = connection.ask("/stream", "te: trailers\r\n").await;
    assert!(answer.head.contains("\r\ntrailer: server-timing, rearguard-outcome\r\n"));
    assert!(answer.trailers.starts_with("server-timing: work;dur="), "{answer:?}");
    assert_eq!(answer.body, "ab");

    let answer = connection.ask("/stream", "").await;
    assert_eq!((answer.body.as_str(), answer.trailers.as_str()), ("ab", "\r\n"));
}

#[tokio::test]
async fn by_http_2_times_come_in_trailers() {
    let stream = TcpStream::connect(serve(slow_to_clean()).await).await.unwrap();
    let (mut client, connection) = h2::client::handshake(stream).await.unwrap();
    tokio::spawn(connection);
    let request = http::Request::get("http://test/stream").body(()).unwrap();
    let (answer, _) = client.send_request(request, true).unwrap();
    let answer = timeout(PATIENCE, answer).await.unwrap().unwrap();
    assert_eq!(answer.headers().get("server-timing"), None);
    let mut body = answer.into_body();
    let mut text = String::new();
    while let Some(data) = body.data().await {
        text += std::str::from_utf8(&data.unwrap()).unwrap();
    }
    let trailers = body.trailers().await.unwrap().unwrap();
    assert_eq!(text, "ab");
    assert!(timing(&trailers).unwrap().1 >= 30.0, "{trailers:?}");

    let request = http::Request::get("http://test/whole").body(()).unwrap();
    let (answer, _) = client.send_request(request, true).unwrap();
    let answer = timeout(PATIENCE, answer).await.unwrap().unwrap();
    assert!(timing(answer.headers()).unwrap().1 >= 30.0);
}

/// Goes on until its reader has gone.
struct Endless;

impl HttpBody for Endless {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(&[b'x'; 4096])))))
    }
}

/// A caller leaves before the head, or in the middle of the body.
#[tokio::test]
async fn a_caller_that_leaves_cancels_the_request_and_its_cleanups_run() {
    let (tell, mut told) = mpsc::unbounded_channel();
    let tell = Arc::new(tell);
    let watch = move || {
        let tell = Arc::clone(&tell);
        tell.send("begun".to_owned()).unwrap();
        let scope = RequestScope::current().unwrap();
        scope.defer_with(async move |outcome: rearguard::Outcome| {
            tell.send(outcome.to_string()).unwrap_or_default();
        });
    };
    let also = watch.clone();
    let app = Router::new()
        .route(
            "/body",
            get(async move || {
                watch();
                Body::new(Endless)
            }),
        )
        .route(
            "/head",
            get(async move || {
                also();
                std::future::pending::<&'static str>().await
            }),
        );
    let address = serve(app).await;
    for path in ["/head", "/body"] {
        let mut connection = Connection::open(address).await;
        connection.send(path, "").await;
        assert_eq!(timeout(PATIENCE, told.recv()).await.unwrap().unwrap(), "begun");
        drop(connection);
        assert_eq!(timeout(PATIENCE, told.recv()).await.unwrap().unwrap(), "cancelled", "{path}");
    }
}

#[tokio::test]
async fn a_body_of_known_length_that_comes_late_ends_well() {
    let log = Log::default();
    let watched = log.clone();
    let app = Router::new().route(
        "/",
        get(async move || {
            watched.watch();
            let body =
                Steps::exact(2, [Step::Yield, Step::Data("a"), Step::Yield, Step::Data("b")]);
            (headers(&[("content-type", "text/plain")]), Body::new(body))
        }),
    );
    let answer = Connection::open(serve(app).await).await.ask("/", "").await;
    assert_eq!((answer.body.as_str(), log.said().as_str()), ("ab", "succeeded"));
}
