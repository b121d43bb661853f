//! Stands between a client and a server, and does to answers what a network may.

use std::{
    net::SocketAddr,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU32, Ordering::SeqCst},
    },
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::JoinSet,
    time::sleep,
};

/// What becomes of answers from now on.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Answers {
    Pass,
    Swallowed,
    /// Swallowed on the connections that there are, as by a router that has forgotten them.
    OldSwallowed,
    Late(Duration),
}

pub(crate) struct Forwarder {
    address: SocketAddr,
    answers: Arc<Mutex<Answers>>,
    /// Counts the times that something was set.
    epoch: Arc<AtomicU32>,
    /// Ended with this.
    _tasks: JoinSet<()>,
}

impl Forwarder {
    pub(crate) async fn to(server: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("bound");
        let answers = Arc::new(Mutex::new(Answers::Pass));
        let epoch = Arc::<AtomicU32>::default();
        let (what, now) = (Arc::clone(&answers), Arc::clone(&epoch));
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((client, _)) = listener.accept().await {
                let server = TcpStream::connect(server).await.expect("the server");
                connections.spawn(forward(client, server, Arc::clone(&what), Arc::clone(&now)));
            }
        });
        Self { address, answers, epoch, _tasks: tasks }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(crate) fn set(&self, answers: Answers) {
        *self.answers.lock().unwrap_or_else(PoisonError::into_inner) = answers;
        self.epoch.fetch_add(1, SeqCst);
    }
}

async fn forward(
    client: TcpStream,
    server: TcpStream,
    answers: Arc<Mutex<Answers>>,
    epoch: Arc<AtomicU32>,
) {
    let born = epoch.load(SeqCst);
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = server.into_split();
    let there = async { drop(tokio::io::copy(&mut from_client, &mut to_server).await) };
    let back = async {
        let mut buffer = vec![0; 16 * 1024];
        while let Ok(count @ 1..) = from_server.read(&mut buffer).await {
            let what = *answers.lock().unwrap_or_else(PoisonError::into_inner);
            match what {
                Answers::Pass => {}
                Answers::Swallowed => continue,
                Answers::OldSwallowed if epoch.load(SeqCst) != born => continue,
                Answers::OldSwallowed => {}
                Answers::Late(by) => sleep(by).await,
            }
            if to_client.write_all(&buffer[..count]).await.is_err() {
                break;
            }
        }
    };
    tokio::select! { () = there => {}, () = back => {} }
}
