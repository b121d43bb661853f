//! Accepting connections within bounds, on a thread of its own.

use std::{
    convert::Infallible,
    io,
    pin::{Pin, pin},
    sync::Arc,
    thread::{self, JoinHandle},
    time::Duration,
};

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    service::TowerToHyperService,
};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{Semaphore, oneshot, watch},
    task::JoinSet,
    time::{MissedTickBehavior, interval, sleep, timeout},
};

use super::{
    Observed,
    router::{App, router},
};

/// More clients wait in the listener's queue until one leaves.
const MAX_CONNECTIONS: usize = 64;
/// A request's head must have arrived within this, and no connection idles longer.
const HEAD_TIMEOUT: Duration = Duration::from_secs(30);
/// A connection is closed after this, so that clients that do not read cannot hold every place.
const CONNECTION_LIFETIME: Duration = Duration::from_secs(120);
/// How long an answer may still take once its connection is to close.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(2);
/// How long to wait when no connection can be accepted, for example for want of descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// How often the gateway's counters are taken into the history.
const SAMPLE_INTERVAL: Duration = Duration::from_secs(1);

/// An admin server on a thread of its own; it stops when dropped.
#[derive(Debug)]
pub(crate) struct AdminServer {
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<io::Result<()>>>,
}

/// Starts the admin server on a thread and a runtime of its own.
///
/// # Errors
/// When the thread or its runtime cannot be made.
pub(crate) fn start(
    listener: std::net::TcpListener,
    observed: Arc<dyn Observed>,
) -> io::Result<AdminServer> {
    start_app(listener, Arc::new(App::new(observed)))
}

/// As [`start`], with what `app` sees.
pub(super) fn start_app(listener: std::net::TcpListener, app: Arc<App>) -> io::Result<AdminServer> {
    listener.set_nonblocking(true)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let (stop, stopped) = oneshot::channel::<()>();
    let thread = thread::Builder::new().name("rearguard-admin".to_owned()).spawn(move || {
        runtime.block_on(async move {
            let listener = TcpListener::from_std(listener)?;
            // A sender that is dropped stops the server too.
            serve(listener, app, async { stopped.await.unwrap_or_default() }).await;
            Ok(())
        })
    })?;
    Ok(AdminServer { stop: Some(stop), thread: Some(thread) })
}

impl AdminServer {
    /// Stops the server and waits until it has.
    ///
    /// # Errors
    /// When the server had failed or its thread had panicked.
    pub(crate) fn stop(mut self) -> io::Result<()> {
        self.join()
    }

    fn join(&mut self) -> io::Result<()> {
        drop(self.stop.take());
        match self.thread.take().map(JoinHandle::join) {
            Some(Ok(result)) => result,
            Some(Err(_)) => Err(io::Error::other("the admin thread panicked")),
            None => Ok(()),
        }
    }
}

impl Drop for AdminServer {
    fn drop(&mut self) {
        // There is nobody left to tell; whoever wants to know calls `stop`.
        self.join().unwrap_or_default();
    }
}

/// Answers on `listener` until `shutdown` is done. What goes wrong with one connection ends that
/// connection alone.
async fn serve(listener: TcpListener, app: Arc<App>, shutdown: impl Future<Output = ()>) {
    let router = router(app.clone());
    let (closing, closed) = watch::channel(());
    let places = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    let mut connections = JoinSet::new();
    let mut sampler = pin!(sample_forever(app));
    let mut shutdown = pin!(shutdown);
    loop {
        let accepted = tokio::select! {
            () = &mut shutdown => break,
            never = &mut sampler => match never {},
            Some(_) = connections.join_next() => continue,
            accepted = accept(&listener, &places) => accepted,
        };
        let (stream, place) = accepted;
        let connection = connection(stream, router.clone(), closed.clone());
        connections.spawn(async move {
            connection.await;
            drop(place);
        });
    }
    drop((listener, closing));
    // Past the bound the rest are dropped with the set.
    let all = async { while connections.join_next().await.is_some() {} };
    timeout(CLOSE_TIMEOUT, all).await.unwrap_or_default();
}

async fn sample_forever(app: Arc<App>) -> Infallible {
    let mut ticks = interval(SAMPLE_INTERVAL);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    loop {
        ticks.tick().await;
        app.sample();
    }
}

/// Waits for a place, then for a connection. Cancelled at either, it loses nothing.
async fn accept(
    listener: &TcpListener,
    places: &Arc<Semaphore>,
) -> (TcpStream, Option<tokio::sync::OwnedSemaphorePermit>) {
    let place = places.clone().acquire_owned().await.ok();
    loop {
        match listener.accept().await {
            Ok((stream, _)) => return (stream, place),
            Err(_) => sleep(ACCEPT_PAUSE).await,
        }
    }
}

/// Serves one connection until it ends, grows too old, or the server closes.
async fn connection(stream: TcpStream, router: Router, mut closed: watch::Receiver<()>) {
    let service = TowerToHyperService::new(router);
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(HEAD_TIMEOUT);
    let mut connection = pin!(http.serve_connection(TokioIo::new(stream), service));
    tokio::select! {
        // How a connection ended, well or not, is the client's affair.
        _ = connection.as_mut() => return,
        () = sleep(CONNECTION_LIFETIME) => {}
        _ = closed.changed() => {}
    }
    Pin::as_mut(&mut connection).graceful_shutdown();
    drop(timeout(CLOSE_TIMEOUT, connection).await);
}

#[cfg(test)]
mod tests {
    use std::{
        io::{Read, Write},
        net::{SocketAddr, TcpListener, TcpStream},
        time::Duration,
    };

    use super::*;
    use crate::admin::fake::Fake;

    const BOUND: Duration = Duration::from_secs(20);

    fn started() -> (AdminServer, SocketAddr) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        (start(listener, Arc::new(Fake::default())).unwrap(), address)
    }

    fn connected(address: SocketAddr) -> TcpStream {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(BOUND)).unwrap();
        stream
    }

    /// Sends a request and reads what comes until the server closes.
    fn asked(mut stream: TcpStream) -> String {
        let request = "GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }

    #[test]
    fn it_answers_on_its_own_thread_until_it_is_stopped() {
        let (server, address) = started();
        let answer = asked(connected(address));
        assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
        assert!(answer.ends_with("\r\n\r\nok\n"), "{answer}");

        let mut idle = connected(address);
        idle.write_all(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
        let mut answer = Vec::new();
        while !answer.ends_with(b"ok\n") {
            let mut byte = [0];
            idle.read_exact(&mut byte).unwrap();
            answer.extend(byte);
        }
        server.stop().unwrap();
        assert_eq!(idle.read(&mut [0]).unwrap(), 0, "an idle connection is closed");
        assert!(TcpStream::connect(address).is_err(), "the port is free again");
    }

    #[test]
    fn when_every_place_is_taken_the_next_client_waits_for_one() {
        let (server, address) = started();
        let mut silent: Vec<_> = (0..MAX_CONNECTIONS).map(|_| connected(address)).collect();
        let waiting = connected(address);
        let (sent, received) = std::sync::mpsc::channel();
        let client = thread::spawn(move || sent.send(asked(waiting)).unwrap());
        assert!(received.recv_timeout(Duration::from_millis(200)).is_err(), "it has to wait");
        drop(silent.pop());
        let answer = received.recv_timeout(BOUND).unwrap();
        assert!(answer.ends_with("ok\n"), "{answer}");
        client.join().unwrap();
        server.stop().unwrap();
    }
}
