//! The clients' side: connections of HTTP/1.1 and HTTP/2, with and without TLS.

mod flood;
mod h1;
mod h2;
mod rewound;

use std::{rc::Rc, sync::atomic::Ordering::Relaxed};

use tokio::{net::TcpStream, time::timeout};
use tokio_rustls::TlsAcceptor;

use crate::{exchange::ClientInfo, observe::Counted, stream::Stream, worker::Worker};

/// Serves one client's connection until it ends.
pub(crate) async fn serve(
    worker: Rc<Worker>,
    tcp: TcpStream,
    tls: Option<TlsAcceptor>,
    client: ClientInfo,
) {
    let gauges = &worker.observatory.gauges;
    gauges.connections_total.fetch_add(1, Relaxed);
    let _counted = Counted::new(&gauges.connections);
    // Only costs latency if it fails, which it does on no connected socket.
    tcp.set_nodelay(true).unwrap_or_default();
    let stream = match tls {
        None => Stream::Tcp(tcp),
        Some(acceptor) => {
            // A handshake that fails is no request yet: there is nobody to answer.
            let handshake =
                timeout(worker.settings.timeouts.handshake, Box::pin(acceptor.accept(tcp)));
            let Ok(Ok(stream)) = handshake.await else { return };
            Stream::ServerTls(Box::new(stream))
        }
    };
    if stream.agreed_on_h2() {
        // In a box, so that a connection of HTTP/1.1 does not hold room for it.
        let stream = rewound::Rewound::new(Vec::new(), stream);
        Box::pin(h2::serve(worker.clone(), stream, client)).await;
    } else {
        h1::serve(worker.clone(), stream, client).await;
    }
}
