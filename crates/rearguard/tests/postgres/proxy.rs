//! Between a client and a server, to cut the connection at the COMMIT.

use std::{
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    time::sleep,
};

/// What is done to the next COMMIT.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cut {
    /// The server never sees it, and sees the end at once.
    Before,
    /// The server never sees it, and sees the end this long after the client.
    BeforeLate(Duration),
    /// The server commits, and its answer is lost.
    After,
    /// The server commits, and its answer is held back for good.
    Hold,
}

/// The COMMIT as it is sent: the type, the length, the text.
const COMMIT: &[u8] = b"Q\0\0\0\x0bCOMMIT\0";

pub(crate) struct Proxy {
    address: SocketAddr,
    cut: Arc<Mutex<Option<Cut>>>,
    kept: Arc<AtomicUsize>,
}

impl Proxy {
    pub(crate) async fn start(server: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let cut = Arc::new(Mutex::new(None));
        let kept = Arc::new(AtomicUsize::new(0));
        let (next, count) = (cut.clone(), kept.clone());
        tokio::spawn(async move {
            loop {
                let (client, _) = listener.accept().await.unwrap();
                let (next, count) = (next.clone(), count.clone());
                tokio::spawn(async move {
                    // A server that is down closes the client's connection.
                    if let Ok(server) = TcpStream::connect(server).await {
                        forward(client, server, next, count).await;
                    }
                });
            }
        });
        Self { address, cut, kept }
    }

    /// The same address by this way.
    pub(crate) fn url(&self, url: &str) -> String {
        let (user, rest) = url.split_once('@').unwrap();
        let path = rest.split_once('/').map_or("postgres", |(_, path)| path);
        format!("{user}@{}/{path}", self.address)
    }

    pub(crate) fn cut(&self, cut: Cut) {
        *self.cut.lock().unwrap() = Some(cut);
    }

    /// How many answers to a COMMIT were kept from the client.
    pub(crate) fn kept(&self) -> usize {
        self.kept.load(Relaxed)
    }
}

async fn forward(
    mut client: TcpStream,
    mut server: TcpStream,
    next: Arc<Mutex<Option<Cut>>>,
    kept: Arc<AtomicUsize>,
) {
    let (mut sent, mut answered) = (vec![0; 8192], vec![0; 8192]);
    loop {
        tokio::select! {
            count = client.read(&mut sent) => {
                let Ok(count @ 1..) = count else { return };
                let message = &sent[..count];
                let cut = message.ends_with(COMMIT).then(|| next.lock().unwrap().take()).flatten();
                if let Some(cut) = cut {
                    return at_commit(cut, client, server, message, &kept).await;
                }
                drop(server.write_all(message).await);
            }
            count = server.read(&mut answered) => {
                let Ok(count @ 1..) = count else { return };
                drop(client.write_all(&answered[..count]).await);
            }
        }
    }
}

async fn at_commit(
    cut: Cut,
    client: TcpStream,
    mut server: TcpStream,
    message: &[u8],
    kept: &AtomicUsize,
) {
    match cut {
        Cut::Before => {}
        Cut::BeforeLate(late) => {
            drop(client);
            sleep(late).await;
        }
        Cut::After | Cut::Hold => {
            server.write_all(message).await.unwrap();
            let mut answer = [0; 64];
            // A server that is killed meanwhile answers nothing.
            let Ok(count @ 1..) = server.read(&mut answer).await else { return };
            assert!(answer[..count].windows(6).any(|it| it == b"COMMIT"), "{answer:?}");
            kept.fetch_add(1, Relaxed);
            if cut == Cut::Hold {
                // Until the server is gone.
                while matches!(server.read(&mut answer).await, Ok(1..)) {}
            }
        }
    }
}
