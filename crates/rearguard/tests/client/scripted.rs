//! A server that does what a test says, with each connection.

use std::{
    fmt,
    future::Future,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    task::JoinSet,
};

/// Listens while it lives.
pub(crate) struct Scripted {
    address: SocketAddr,
    accepted: Arc<AtomicUsize>,
    _tasks: JoinSet<()>,
}

impl Scripted {
    /// Calls `script` with the number of each connection, from 0, and the connection.
    pub(crate) async fn start<F>(script: impl Fn(usize, Peer) -> F + Send + 'static) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let accepted = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&accepted);
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            let mut connections = JoinSet::new();
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                // What is written apart arrives apart.
                stream.set_nodelay(true).unwrap();
                let peer = Peer { stream, buffer: Vec::new() };
                connections.spawn(script(counted.fetch_add(1, SeqCst), peer));
            }
        });
        Self { address, accepted, _tasks: tasks }
    }

    /// Answers each request with its path.
    pub(crate) async fn echo() -> Self {
        Self::start(async |_, mut peer| {
            while let Some(request) = peer.request().await {
                peer.answer(request.path()).await;
            }
        })
        .await
    }

    pub(crate) fn accepted(&self) -> usize {
        self.accepted.load(SeqCst)
    }
}

impl fmt::Display for Scripted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.address.fmt(f)
    }
}

/// The client's connection, as the server has it.
pub(crate) struct Peer {
    pub(crate) stream: TcpStream,
    buffer: Vec<u8>,
}

/// A request's head.
pub(crate) struct Head(pub(crate) String);

impl Head {
    pub(crate) fn path(&self) -> &str {
        self.0.split(' ').nth(1).unwrap()
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut lines = self.0.lines().skip(1).filter_map(|line| line.split_once(": "));
        lines.find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }
}

impl Peer {
    /// The next request, its body skipped; `None` when the client has closed.
    pub(crate) async fn request(&mut self) -> Option<Head> {
        loop {
            if let Some(end) = self.buffer.windows(4).position(|it| it == b"\r\n\r\n") {
                let head = String::from_utf8(self.buffer.drain(..end + 4).collect()).unwrap();
                let head = Head(head);
                let length = head.header("content-length").map_or(0, |it| it.parse().unwrap());
                while self.buffer.len() < length {
                    self.more().await?;
                }
                self.buffer.drain(..length);
                return Some(head);
            }
            self.more().await?;
        }
    }

    async fn more(&mut self) -> Option<()> {
        let read = self.stream.read_buf(&mut self.buffer).await.unwrap_or(0);
        (read > 0).then_some(())
    }

    pub(crate) async fn write(&mut self, text: &str) {
        // The client may be gone.
        drop(self.stream.write_all(text.as_bytes()).await);
    }

    pub(crate) async fn answer(&mut self, body: &str) {
        self.answer_with("", body).await;
    }

    pub(crate) async fn answer_with(&mut self, headers: &str, body: &str) {
        let length = body.len();
        self.write(&format!("HTTP/1.1 200 OK\r\n{headers}content-length: {length}\r\n\r\n{body}"))
            .await;
    }

    /// Keeps it open until the client closes it.
    pub(crate) async fn hold(&mut self) {
        while self.more().await.is_some() {}
    }

    /// Ends it as a crash of the machine's stack does.
    pub(crate) fn reset(self) {
        self.stream.set_zero_linger().unwrap();
    }
}
