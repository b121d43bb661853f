//! A worker's thread: accepts connections, sweeps its pools, follows changes of stage and plan.

use std::{
    future::poll_fn,
    io,
    net::{SocketAddr, TcpListener as StdListener},
    rc::Rc,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    task::Poll,
    time::Duration,
};

use tokio::{
    net::{TcpListener, TcpStream},
    sync::watch,
    time::sleep,
};
use tokio_rustls::TlsAcceptor;

use crate::{
    exchange::ClientInfo,
    failure::{Failure, is_out_of_descriptors},
    gateway::{Seat, StartError},
    server,
    worker::{Plan, Stage, Worker},
};

/// How often idle connections are looked at.
const SWEEP_EVERY: Duration = Duration::from_millis(100);
/// The access log is handed over every so many sweeps: once a second.
const SWEEPS_PER_FLUSH: u32 = 10;
/// How long accepting pauses once there is no descriptor even for turning a client away.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// One address to listen on, with a socket for each worker.
pub(crate) struct Entry {
    pub(crate) address: SocketAddr,
    pub(crate) gateway: Option<Arc<str>>,
    pub(crate) tls: Option<TlsAcceptor>,
    pub(crate) https_redirect: bool,
    pub(crate) sockets: Vec<StdListener>,
}

impl Entry {
    /// One worker's part.
    pub(crate) fn take(&mut self) -> Result<Self, StartError> {
        let socket = self.sockets.pop().ok_or_else(|| StartError::Listen {
            address: self.address,
            error: io::Error::other("there are fewer sockets than workers"),
        })?;
        Ok(Self {
            address: self.address,
            gateway: self.gateway.clone(),
            tls: self.tls.clone(),
            https_redirect: self.https_redirect,
            sockets: vec![socket],
        })
    }
}

/// Runs until the gateway stops.
pub(crate) fn worker(
    worker: Worker,
    entries: Vec<Entry>,
    connections: Arc<AtomicUsize>,
    stage: watch::Receiver<Stage>,
    plans: watch::Receiver<Arc<Plan>>,
) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .enable_time()
        .build_local(tokio::runtime::LocalOptions::default());
    // Without an event queue there is nothing to serve with; the thread's end is seen.
    let Ok(runtime) = runtime else { return };
    let worker = Rc::new(worker);
    runtime.block_on(run(Rc::clone(&worker), entries, connections, stage, plans));
    drop(runtime);
    worker.flush_log();
}

async fn run(
    worker: Rc<Worker>,
    entries: Vec<Entry>,
    connections: Arc<AtomicUsize>,
    mut stage: watch::Receiver<Stage>,
    mut plans: watch::Receiver<Arc<Plan>>,
) {
    let accepting: Vec<_> = entries
        .into_iter()
        .map(|entry| {
            let (worker, connections) = (Rc::clone(&worker), Arc::clone(&connections));
            tokio::task::spawn_local(accept(worker, entry, connections))
        })
        .collect();
    let chores = tokio::task::spawn_local(chores(Rc::clone(&worker)));
    loop {
        tokio::select! {
            changed = stage.changed() => {
                // Without a sender the gateway is gone.
                let now = if changed.is_ok() { *stage.borrow_and_update() } else { Stage::Ending };
                if now != Stage::Running {
                    for task in &accepting {
                        task.abort();
                    }
                    break;
                }
            }
            Ok(()) = plans.changed() => worker.serve(Arc::clone(&plans.borrow_and_update())),
        }
    }
    worker.enter(Stage::Draining);
    // The rest of the requests in flight, and then those that did not end in time.
    loop {
        tokio::select! {
            reached = stage.wait_for(|stage| *stage == Stage::Ending) => {
                drop(reached);
                break;
            }
            () = sleep(ACCEPT_PAUSE) => if worker.tasks() == 0 { break },
        }
    }
    worker.enter(Stage::Ending);
    for _ in 0..LAST_ANSWERS {
        if worker.tasks() == 0 {
            break;
        }
        sleep(ACCEPT_PAUSE).await;
    }
    chores.abort();
}

/// How many pauses the last answers are given to go out.
const LAST_ANSWERS: u32 = 20;

async fn accept(worker: Rc<Worker>, mut entry: Entry, connections: Arc<AtomicUsize>) {
    let Some(Ok(listener)) = entry.sockets.pop().map(TcpListener::from_std) else { return };
    // Given up to turn a client away when there are no descriptors left, and taken back then.
    let mut reserve = Reserve::take();
    loop {
        match listener.accept().await {
            Ok((tcp, address)) => {
                reserve.retake();
                admit(&worker, &entry, &connections, tcp, address);
            }
            Err(error) if is_out_of_descriptors(&error) => {
                drop(reserve.0.take());
                // The system says so even while nobody waits.
                let accepted = tokio::time::timeout(ACCEPT_PAUSE, listener.accept()).await;
                reserve.retake();
                if let Ok(Ok((tcp, address))) = accepted {
                    if reserve.0.is_some() {
                        // Others have been given back meanwhile.
                        admit(&worker, &entry, &connections, tcp, address);
                    } else {
                        let client = client_info(&entry, address);
                        shed(&worker, tcp, &client, "the gateway is out of file descriptors");
                        reserve.retake();
                    }
                }
                if reserve.0.is_none() {
                    sleep(ACCEPT_PAUSE).await;
                }
            }
            // The client gave up before it was accepted, and the like.
            Err(_) => sleep(Duration::from_millis(1)).await,
        }
    }
}

fn client_info(entry: &Entry, address: SocketAddr) -> ClientInfo {
    ClientInfo {
        address,
        ip: address.ip().to_string().into(),
        port: entry.address.port(),
        gateway: entry.gateway.clone(),
        scheme: if entry.tls.is_some() { "https" } else { "http" },
        https_redirect: entry.https_redirect,
    }
}

/// Serves a client, if there is a place for it.
fn admit(
    worker: &Rc<Worker>,
    entry: &Entry,
    connections: &Arc<AtomicUsize>,
    tcp: TcpStream,
    address: SocketAddr,
) {
    let client = client_info(entry, address);
    let Some(seat) = Seat::take(connections, worker.settings.limits.connections) else {
        shed(worker, tcp, &client, "the limit of client connections is reached");
        return;
    };
    let (worker, tls) = (Rc::clone(worker), entry.tls.clone());
    tokio::task::spawn_local(async move {
        let _seat = seat;
        server::serve(worker, tcp, tls, client).await;
    });
}

/// A descriptor that is held back.
struct Reserve(Option<std::fs::File>);

impl Reserve {
    fn take() -> Self {
        Self(std::fs::File::open("/dev/null").ok())
    }

    /// Holds one back again, where another part of the process was faster the last time.
    fn retake(&mut self) {
        if self.0.is_none() {
            *self = Self::take();
        }
    }
}

/// Turns a client away with the reason, as far as one write can say it.
fn shed(worker: &Worker, tcp: TcpStream, client: &ClientInfo, detail: &'static str) {
    worker.observatory.gauges.connections_shed.fetch_add(1, Relaxed);
    let failure = Failure::new(model::Cause::GatewayOverloaded, detail);
    let reply = crate::exchange::refuse(worker, client, None, failure);
    if client.scheme == "http" {
        // Where it does not fit into the socket's buffer at once, the client only sees the close.
        tcp.try_write(&crate::exchange::reply_bytes(&reply)).unwrap_or_default();
    }
}

/// Sweeps the pools and hands over the log, for as long as the worker runs.
async fn chores(worker: Rc<Worker>) {
    let mut sweeps = 0;
    loop {
        sleep(SWEEP_EVERY).await;
        let serving = worker.serving();
        let idle = worker.settings.timeouts.upstream_idle;
        poll_fn(|cx| {
            for target in &serving.targets {
                target.sweep(idle, cx);
            }
            Poll::Ready(())
        })
        .await;
        sweeps += 1;
        if sweeps % SWEEPS_PER_FLUSH == 0 {
            worker.flush_log();
        }
    }
}
