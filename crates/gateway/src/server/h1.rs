use std::{
    future::poll_fn,
    pin::Pin,
    rc::Rc,
    task::{Context, Poll, ready},
    time::Duration,
};

use model::Cause;
use tokio::{
    io::AsyncWrite as _,
    time::{Instant, timeout},
};

use super::{h2, rewound::Rewound};
use crate::{
    exchange::{self, After, ClientInfo},
    failure::Failure,
    h1::{HeadScanner, LineEnds, Scan, parse_request},
    message::RequestHead,
    peer::{H1, Peer, Sending},
    stream::Stream,
    timer::Timer,
    worker::{Stage, Worker},
};

/// What an HTTP/2 client without TLS sends first (RFC 9113 section 3.4).
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// How long a closed connection is read from, so that the client can still read the answer.
const LINGER: Duration = Duration::from_secs(1);
/// How much is read from it.
const LINGER_BYTES: usize = 256 * 1024;

/// What came on a connection.
enum Next {
    Head(RequestHead),
    /// The client speaks HTTP/2.
    Preface,
    /// Nothing more comes, or is wanted.
    Over,
    /// What came is not a request.
    Refused(Failure),
}

/// Serves requests until the connection ends.
pub(super) async fn serve(worker: Rc<Worker>, stream: Stream, client: ClientInfo) {
    let _registered = worker.registered().await;
    let mut peer = Peer::H1(Box::new(H1::new(stream)));
    let mut timer = Timer::default();
    let mut served = 0;
    loop {
        match next(&worker, &mut peer, &mut timer, served == 0).await {
            Next::Over => return,
            Next::Preface => {
                if let Peer::H1(peer) = peer {
                    let received = peer.input.received().to_vec();
                    let stream = peer.into_stream();
                    Box::pin(h2::serve(worker, Rewound::new(received, stream), client)).await;
                }
                return;
            }
            Next::Refused(failure) => {
                let reply = exchange::refuse(&worker, &client, None, failure);
                if let Peer::H1(peer) = &mut peer {
                    exchange::write_reply(peer, &reply, true, false);
                }
                return Box::pin(close(peer, true)).await;
            }
            Next::Head(mut head) => {
                served += 1;
                if served >= worker.settings.limits.requests_per_connection {
                    head.keep_alive = false;
                }
                if let Peer::H1(peer) = &mut peer {
                    peer.receiving = head.body.into();
                }
                // In a box, so that a connection that waits is small.
                let exchange = exchange::serve(&worker, &client, &head, &mut peer, &mut timer);
                match Box::pin(exchange).await {
                    After::KeepAlive => {}
                    After::Close => return Box::pin(close(peer, false)).await,
                    After::Cut => return Box::pin(cut(peer)).await,
                }
            }
        }
    }
}

/// Waits for the next request, within the idle bound, and within the bound for heads once its first
/// byte has come.
async fn next(worker: &Worker, peer: &mut Peer, timer: &mut Timer, first: bool) -> Next {
    let Peer::H1(peer) = peer else { return Next::Over };
    let limits = &worker.settings.limits.head;
    let timeouts = &worker.settings.timeouts;
    let mut scanner = HeadScanner::new(LineEnds::Strict, limits.head_bytes);
    let mut begun = false;
    timer.set(Some(Instant::now() + timeouts.idle));
    poll_fn(|cx| {
        loop {
            let received = peer.input.received();
            if !received.is_empty() {
                match look_at(received, &mut scanner, worker, first) {
                    Ok(Look::More) if begun => {}
                    Ok(Look::More) => {
                        begun = true;
                        timer.set(Some(Instant::now() + timeouts.head));
                    }
                    Ok(Look::Preface) => return Poll::Ready(Next::Preface),
                    Ok(Look::Head(head, length)) => {
                        peer.input.consume(length);
                        return Poll::Ready(Next::Head(head));
                    }
                    Err(failure) => return Poll::Ready(Next::Refused(failure)),
                }
            }
            match poll_more(peer, cx) {
                Poll::Ready(true) => {}
                // Half a head is no request that could be answered.
                Poll::Ready(false) => return Poll::Ready(Next::Over),
                Poll::Pending if worker.stage() != Stage::Running && !begun => {
                    return Poll::Ready(Next::Over);
                }
                Poll::Pending => {
                    ready!(timer.poll(cx));
                    if !begun {
                        return Poll::Ready(Next::Over);
                    }
                    let limit = timeouts.head;
                    let detail = format!("the head did not arrive within {limit:?}");
                    return Poll::Ready(Next::Refused(Failure::new(Cause::ClientTooSlow, detail)));
                }
            }
        }
    })
    .await
}

enum Look {
    More,
    Preface,
    Head(RequestHead, usize),
}

fn look_at(
    received: &[u8],
    scanner: &mut HeadScanner,
    worker: &Worker,
    first: bool,
) -> Result<Look, Failure> {
    if first {
        let length = received.len().min(PREFACE.len());
        // Shorter beginnings are those of other methods too.
        if length > 4 && received[..length] == PREFACE[..length] {
            return Ok(if length == PREFACE.len() { Look::Preface } else { Look::More });
        }
        if received[0] == 0x16 {
            return Err(Failure::new(
                Cause::ClientBadRequest,
                "a TLS handshake came to a listener that speaks plain HTTP; use http:// or \
                 configure tls on the Gateway",
            ));
        }
    }
    let Scan::Complete(length) = scanner.scan(received)? else { return Ok(Look::More) };
    let settings = &worker.settings;
    let mut head = parse_request(&received[..length], &settings.limits.head, settings.host_rule)?;
    head.normalise_path();
    Ok(Look::Head(head, length))
}

/// Reads more. `false` at the end of the stream, or where it is broken.
fn poll_more(peer: &mut H1, cx: &mut Context<'_>) -> Poll<bool> {
    let more = peer.poll_fill(cx).map(|count| count.is_ok_and(|count| count > 0));
    if more.is_pending() {
        peer.input.release();
        peer.output.release();
    }
    more
}

/// Closes a connection so that what was sent can still be read: a close with unread data would
/// reset it.
async fn close(mut peer: Peer, unread: bool) {
    let Peer::H1(peer) = &mut peer else { return };
    let flushed = poll_fn(|cx| peer.poll_flush(cx));
    if !matches!(timeout(LINGER, flushed).await, Ok(Ok(()))) {
        return;
    }
    let shut = poll_fn(|cx| Pin::new(&mut peer.stream).poll_shutdown(cx)).await;
    // What has come behind the last request may have more behind it.
    let unread = unread || !peer.has_received() || !peer.input.is_empty();
    if shut.is_err() || !unread {
        return;
    }
    let mut left = LINGER_BYTES;
    let drained = poll_fn(|cx| {
        loop {
            let length = peer.input.received().len();
            peer.input.consume(length);
            match ready!(peer.poll_fill(cx)) {
                Ok(count) if count > 0 && left > count => left -= count,
                _ => return Poll::Ready(()),
            }
        }
    });
    // Either way the connection ends here.
    drop(timeout(LINGER, drained).await);
}

/// Ends a connection whose answer is not whole. Where only the end of the connection marks the end
/// of the body, it is reset, so that the client cannot take the part for the whole.
async fn cut(mut peer: Peer) {
    let Peer::H1(peer) = &mut peer else { return };
    if peer.sending == Sending::UntilClose {
        let zero = Some(Duration::ZERO);
        socket2::SockRef::from(peer.stream.tcp()).set_linger(zero).unwrap_or_default();
        return;
    }
    let flushed = poll_fn(|cx| peer.poll_flush(cx));
    drop(timeout(LINGER, flushed).await);
}
