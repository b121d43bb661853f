//! A service that follows a script on each of its connections.

use std::{
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst},
    },
    thread::JoinHandle,
};

use super::{Message, Wire};

/// A service on a port of its own.
#[derive(Debug)]
pub(crate) struct Service {
    pub(crate) address: SocketAddr,
    shared: Arc<Shared>,
    stop: Arc<AtomicBool>,
    accepting: Option<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct Shared {
    connections: AtomicUsize,
    open: AtomicUsize,
    requests: Mutex<Vec<Message>>,
}

/// One connection to a service.
#[derive(Debug)]
pub(crate) struct Conversation {
    pub(crate) wire: Wire,
    /// Which connection it is, from 0.
    pub(crate) index: usize,
    shared: Arc<Shared>,
}

impl Service {
    pub(crate) fn start(script: impl Fn(&mut Conversation) + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
        let address = listener.local_addr().expect("it is bound");
        let shared = Arc::new(Shared::default());
        let stop = Arc::new(AtomicBool::new(false));
        let (script, counted, stopped) = (Arc::new(script), Arc::clone(&shared), Arc::clone(&stop));
        let accepting = std::thread::spawn(move || {
            for stream in listener.incoming() {
                if stopped.load(SeqCst) {
                    return;
                }
                let Ok(stream) = stream else { continue };
                let index = counted.connections.fetch_add(1, SeqCst);
                counted.open.fetch_add(1, SeqCst);
                let (script, shared) = (Arc::clone(&script), Arc::clone(&counted));
                std::thread::spawn(move || {
                    let shared_after = Arc::clone(&shared);
                    let wire = Wire::new(stream);
                    script(&mut Conversation { wire, index, shared });
                    shared_after.open.fetch_sub(1, SeqCst);
                });
            }
        });
        Self { address, shared, stop, accepting: Some(accepting) }
    }

    /// A service that answers every request with these bytes, on connections that it keeps.
    pub(crate) fn answering(answer: impl AsRef<[u8]>) -> Self {
        let answer = answer.as_ref().to_vec();
        Self::start(move |with| while with.request().is_some() && with.say(&answer) {})
    }

    /// A service that says `ok`.
    pub(crate) fn ok() -> Self {
        Self::answering("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok")
    }

    /// How many connections have been made to it.
    pub(crate) fn connections(&self) -> usize {
        self.shared.connections.load(SeqCst)
    }

    /// How many connections its scripts are still busy with.
    pub(crate) fn open(&self) -> usize {
        self.shared.open.load(SeqCst)
    }

    /// The requests that it has read.
    pub(crate) fn requests(&self) -> Vec<Message> {
        self.shared.requests.lock().expect("no script panicked").clone()
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        self.stop.store(true, SeqCst);
        // Wakes the accepting thread.
        drop(TcpStream::connect(self.address));
        if let Some(accepting) = self.accepting.take() {
            accepting.join().expect("accepting does not panic");
        }
    }
}

impl Conversation {
    /// Reads a request's head only.
    pub(crate) fn head(&mut self) -> Option<Message> {
        let head = self.wire.head()?;
        self.shared.requests.lock().expect("no script panicked").push(head.clone());
        Some(head)
    }

    /// Reads a whole request.
    pub(crate) fn request(&mut self) -> Option<Message> {
        let mut message = self.wire.head()?;
        self.wire.body(&mut message, false);
        self.shared.requests.lock().expect("no script panicked").push(message.clone());
        Some(message)
    }

    /// Sends; `false` where the gateway is gone.
    pub(crate) fn say(&mut self, bytes: impl AsRef<[u8]>) -> bool {
        self.wire.send(bytes)
    }

    /// Waits until the gateway closes the connection.
    pub(crate) fn hold(&mut self) {
        while self.wire.fill() {}
    }

    /// Has the connection reset when the script ends.
    pub(crate) fn reset_at_end(&self) {
        let zero = Some(std::time::Duration::ZERO);
        socket2::SockRef::from(&self.wire.stream).set_linger(zero).expect("lingering can be set");
    }
}
