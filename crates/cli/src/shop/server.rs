//! The shop's threads and sockets: it starts, it listens, it stops.

use std::{
    io,
    net::{Ipv4Addr, SocketAddr},
    sync::Arc,
    thread::{self, JoinHandle},
    time::Duration,
};

use tokio::{
    net::{TcpListener, TcpSocket},
    runtime::{self, Runtime},
    sync::{Semaphore, oneshot},
};

use super::{
    configuration::{self, Addresses},
    connection::Connection,
    routes::{self, Role, Service},
};

/// Connections that one service keeps at a time; more wait in the listener's queue.
const MAX_CONNECTIONS: usize = 1024;

/// How long a service waits after it could not accept (descriptors exhausted, mostly).
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// The running sample shop. Dropping it stops its services and closes their connections.
#[derive(Debug)]
pub(crate) struct Shop {
    addresses: Addresses,
    /// Holds the port of `gift-service`, at which nothing listens.
    _reserved: TcpSocket,
    /// `Some` until the shop is dropped.
    running: Option<Running>,
}

#[derive(Debug)]
struct Running {
    stop: oneshot::Sender<()>,
    thread: JoinHandle<()>,
}

impl Shop {
    /// Starts every service on a free port of 127.0.0.1, all on one thread of their own.
    ///
    /// # Errors
    /// Where a socket, the runtime or the thread cannot be had.
    pub(crate) fn start() -> io::Result<Self> {
        let runtime = runtime::Builder::new_current_thread().enable_all().build()?;
        let front = listen(&runtime, Role::Front)?;
        let payment_v1 = listen(&runtime, Role::PaymentV1)?;
        let payment_v2 = listen(&runtime, Role::PaymentV2)?;
        let inventory = listen(&runtime, Role::Inventory)?;
        let reserved = TcpSocket::new_v4()?;
        reserved.bind(any_port())?;
        let addresses =
            Addresses { front, payment_v1, payment_v2, inventory, gift: reserved.local_addr()? };

        let (stop, stopped) = oneshot::channel();
        // Dropping the runtime when `stop` is gone drops every task with its connection.
        let thread = thread::Builder::new().name("sample-shop".to_owned()).spawn(move || {
            runtime.block_on(async { stopped.await.unwrap_or_default() });
        })?;
        Ok(Self { addresses, _reserved: reserved, running: Some(Running { stop, thread }) })
    }

    /// The configuration that puts a gateway in front of the shop: Istio documents in YAML.
    pub(crate) fn configuration(&self) -> String {
        configuration::yaml(&self.addresses)
    }

    /// What to ask the gateway for, as path and what it shows.
    #[expect(clippy::unused_self, reason = "only a running shop has URLs to try")]
    pub(crate) fn urls_to_try(&self) -> &'static [(&'static str, &'static str)] {
        routes::URLS_TO_TRY
    }
}

impl Drop for Shop {
    fn drop(&mut self) {
        if let Some(Running { stop, thread }) = self.running.take() {
            drop(stop);
            // The thread runs no code that panics outside a task; if it did, it has ended.
            thread.join().unwrap_or_default();
        }
    }
}

fn any_port() -> SocketAddr {
    (Ipv4Addr::LOCALHOST, 0).into()
}

fn listen(runtime: &Runtime, role: Role) -> io::Result<SocketAddr> {
    let listener = std::net::TcpListener::bind(any_port())?;
    listener.set_nonblocking(true)?;
    let address = listener.local_addr()?;
    let _entered = runtime.enter();
    runtime.spawn(serve(TcpListener::from_std(listener)?, Arc::new(Service::new(role))));
    Ok(address)
}

/// Serves one service until its runtime ends.
pub(super) async fn serve(listener: TcpListener, service: Arc<Service>) {
    let places = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    loop {
        let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
        match listener.accept().await {
            Ok((stream, _)) => {
                let service = Arc::clone(&service);
                // A handler that panics takes this task with it, and the task's end closes the
                // connection: just what the caller of a Go or a Rust service sees.
                tokio::spawn(async move {
                    let _place = place;
                    // An error is the caller's leaving, which ends the connection all the same.
                    Connection::new(stream).serve(&service).await.unwrap_or_default();
                });
            }
            Err(_) => tokio::time::sleep(ACCEPT_PAUSE).await,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{
        io::{Read, Write},
        net::TcpStream,
    };

    use super::*;

    fn ask(address: SocketAddr, request: &str) -> String {
        let mut stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }

    #[test]
    fn every_service_answers_on_its_own_port() {
        let shop = Shop::start().unwrap();
        for (address, path, expected) in [
            (shop.addresses.front, "/products", "teapot"),
            (shop.addresses.payment_v1, "/pay", r#""version":"v1""#),
            (shop.addresses.payment_v2, "/pay", r#""version":"v2""#),
            (shop.addresses.inventory, "/stock", "in_stock"),
        ] {
            let request = format!("GET {path} HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n");
            let answer = ask(address, &request);
            assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{path}: {answer}");
            assert!(answer.contains(expected), "{path}: {answer}");
        }
    }

    #[test]
    fn the_gift_service_refuses_connections() {
        let shop = Shop::start().unwrap();
        let error = TcpStream::connect(shop.addresses.gift).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused);
    }

    #[test]
    fn dropping_the_shop_closes_its_connections_and_its_ports() {
        let shop = Shop::start().unwrap();
        let address = shop.addresses.front;
        let mut open = TcpStream::connect(address).unwrap();
        open.write_all(b"GET /cart HTTP/1.1\r\nhost: a\r\n\r\n").unwrap();
        open.read_exact(&mut [0; 12]).unwrap();
        drop(shop);
        open.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        open.read_to_end(&mut Vec::new()).unwrap();
        assert!(TcpStream::connect(address).is_err());
    }

    #[test]
    fn the_front_page_links_every_url_to_try() {
        let shop = Shop::start().unwrap();
        let page = ask(shop.addresses.front, "GET / HTTP/1.0\r\n\r\n");
        assert!(page.contains("content-type: text/html"), "{page}");
        for (path, shows) in shop.urls_to_try() {
            assert!(page.contains(&format!("href=\"{path}\"")), "{path}: {page}");
            assert!(page.contains(shows), "{path}: {page}");
        }
    }
}
