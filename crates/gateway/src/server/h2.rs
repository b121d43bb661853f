use std::{
    cell::{Cell, RefCell},
    future::poll_fn,
    rc::Rc,
    sync::atomic::Ordering::Relaxed,
    task::{Context, Poll, Waker},
    time::Duration,
};

use bytes::Bytes;
use h2::{Reason, RecvStream, server::SendResponse};
use model::Protocol;
use tokio::time::Instant;

use super::{
    flood::{Watch, Watched},
    rewound::Rewound,
};
use crate::{
    exchange::{self, ClientInfo},
    failure::Failure,
    forward::is_grpc,
    h1::{Malformed, Problem},
    message::{BodyLength, Fields, Known, Method, RequestHead},
    peer::{H2, Peer, declared_length, fields_of},
    timer::Timer,
    worker::{Stage, Worker},
};

/// What one stream may have on its way to a service that does not read. The connection's window has
/// room for that many of them as there may be, so that a service which does not read holds up the
/// requests to it, and no others of the client's.
const STREAM_WINDOW: u32 = 128 * 1024;
/// Bytes that wait to go out on one stream.
const SEND_BUFFER: usize = 64 * 1024;
/// Streams that the client has reset before they were looked at (rapid reset, CVE-2023-44487). No
/// less than it may have open: on a busy machine all of them can come and go before that.
const PENDING_RESETS: usize = 100;
/// How long the last frames of a connection may take to go out, or the client to close it.
const LINGER: Duration = Duration::from_secs(1);

type Request = (http::Request<RecvStream>, SendResponse<Bytes>);

/// Serves the streams of a connection until it ends.
pub(super) async fn serve(worker: Rc<Worker>, stream: Rewound, client: ClientInfo) {
    let _registered = worker.registered().await;
    let limits = &worker.settings.limits;
    // Heads somewhat over the limit are let through, to be answered and recorded; what is over
    // this too h2 answers with 431.
    let head_bytes = u32::try_from(limits.head.head_bytes * 2).unwrap_or(u32::MAX);
    let watch = Rc::new(Watch::default());
    let handshake = h2::server::Builder::new()
        .initial_window_size(STREAM_WINDOW)
        .initial_connection_window_size(connection_window(limits.streams))
        .max_send_buffer_size(SEND_BUFFER)
        .max_concurrent_streams(limits.streams)
        .max_header_list_size(head_bytes)
        .max_pending_accept_reset_streams(PENDING_RESETS)
        .handshake::<_, Bytes>(Watched::new(stream, Rc::clone(&watch)));
    let handshake = tokio::time::timeout(worker.settings.timeouts.handshake, handshake);
    let Ok(Ok(connection)) = handshake.await else { return };
    let mut session = Session {
        worker: &worker,
        connection,
        watch,
        streams: Rc::new(Streams::default()),
        timer: Timer::default(),
        served: 0,
        leaving: None,
        cut: None,
    };
    while let Some((request, respond)) = poll_fn(|cx| session.poll_next(cx)).await {
        let open = Open::new(&session.streams);
        let (worker, client) = (Rc::clone(&worker), client.clone());
        tokio::task::spawn_local(async move {
            let _open = open;
            serve_stream(&worker, &client, request, respond).await;
        });
    }
}

/// Room for every stream's window, as far as the protocol allows.
const fn connection_window(streams: u32) -> u32 {
    const LARGEST: u32 = (1 << 31) - 1;
    let wanted = STREAM_WINDOW.saturating_mul(streams);
    if wanted < LARGEST { wanted } else { LARGEST }
}

/// The streams that are being served.
#[derive(Default)]
struct Streams {
    open: Cell<usize>,
    /// When the last one ended.
    idle_since: Cell<Option<Instant>>,
    /// The connection's task.
    waker: RefCell<Option<Waker>>,
}

/// One of them.
struct Open(Rc<Streams>);

impl Open {
    fn new(streams: &Rc<Streams>) -> Self {
        streams.open.set(streams.open.get() + 1);
        Self(Rc::clone(streams))
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.open.set(self.0.open.get() - 1);
        self.0.idle_since.set(Some(Instant::now()));
        if let Some(waker) = self.0.waker.borrow().as_ref() {
            waker.wake_by_ref();
        }
    }
}

/// A client's connection.
struct Session<'a> {
    worker: &'a Worker,
    connection: h2::server::Connection<Watched, Bytes>,
    watch: Rc<Watch>,
    streams: Rc<Streams>,
    timer: Timer,
    served: u64,
    /// Since when the client has known that it has to send its requests elsewhere.
    leaving: Option<Instant>,
    /// Since when the connection has been ending, whatever is still going on.
    cut: Option<Instant>,
}

impl Session<'_> {
    /// The next request; `None` once the connection has ended.
    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Request>> {
        *self.streams.waker.borrow_mut() = Some(cx.waker().clone());
        loop {
            match self.connection.poll_accept(cx) {
                Poll::Ready(Some(Ok(request))) => {
                    self.served += 1;
                    return Poll::Ready(Some(request));
                }
                Poll::Ready(Some(Err(error))) => {
                    // h2 has bounds of its own.
                    if error.is_library() && error.reason() == Some(Reason::ENHANCE_YOUR_CALM) {
                        self.count_flood();
                    }
                    return Poll::Ready(None);
                }
                Poll::Ready(None) => return Poll::Ready(None),
                Poll::Pending => {}
            }
            if self.is_over() {
                return Poll::Ready(None);
            }
            if !self.has_to_end() {
                self.timer.set(self.next_look());
                if self.timer.poll(cx).is_pending() {
                    return Poll::Pending;
                }
            }
        }
    }

    /// Begins to end the connection where there is a reason to; whether it did.
    fn has_to_end(&mut self) -> bool {
        if self.cut.is_some() {
            return false;
        }
        let idle = self.idle_for();
        if self.watch.flood().is_some() {
            self.count_flood();
            self.cut(Reason::ENHANCE_YOUR_CALM);
            return true;
        }
        // A client that has been told to leave, and stays without a request.
        let told = self.leaving.is_some_and(|since| since.elapsed() >= LINGER)
            && idle.is_some_and(|idle| idle >= LINGER);
        if told || (self.worker.stage() == Stage::Ending && idle.is_some()) {
            self.cut(Reason::NO_ERROR);
            return true;
        }
        let timeouts = &self.worker.settings.timeouts;
        let leave = self.worker.stage() != Stage::Running
            || self.served >= self.worker.settings.limits.requests_per_connection
            || idle.is_some_and(|idle| idle >= timeouts.idle);
        if leave && self.leaving.is_none() {
            self.leaving = Some(Instant::now());
            self.connection.graceful_shutdown();
            return true;
        }
        false
    }

    /// Whether the connection has ended, however much there would be to send.
    fn is_over(&self) -> bool {
        let stall = self.worker.settings.timeouts.client_stall;
        self.watch.blocked_since().is_some_and(|since| since.elapsed() >= stall)
            || self.cut.is_some_and(|since| since.elapsed() >= LINGER)
    }

    /// When something changes that no frame tells of.
    fn next_look(&self) -> Option<Instant> {
        let timeouts = &self.worker.settings.timeouts;
        let idle_since = self.idle_for().map(|idle| Instant::now() - idle);
        let idle = match (self.leaving, idle_since) {
            (Some(leaving), Some(idle)) => Some(leaving.max(idle) + LINGER),
            (None, Some(idle)) => Some(idle + timeouts.idle),
            (_, None) => None,
        };
        let blocked = self.watch.blocked_since().map(|since| since + timeouts.client_stall);
        let cut = self.cut.map(|since| since + LINGER);
        if cut.is_some() {
            return [blocked, cut].into_iter().flatten().min();
        }
        [idle, blocked].into_iter().flatten().min()
    }

    /// How long there has been no request.
    fn idle_for(&self) -> Option<Duration> {
        if self.streams.open.get() > 0 {
            return None;
        }
        if self.streams.idle_since.get().is_none() {
            self.streams.idle_since.set(Some(Instant::now()));
        }
        self.streams.idle_since.get().map(|since| since.elapsed())
    }

    fn cut(&mut self, reason: Reason) {
        self.cut = Some(Instant::now());
        self.connection.abrupt_shutdown(reason);
    }

    fn count_flood(&self) {
        self.worker.observatory.gauges.http2_floods.fetch_add(1, Relaxed);
    }
}

async fn serve_stream(
    worker: &Rc<Worker>,
    client: &ClientInfo,
    request: http::Request<RecvStream>,
    respond: SendResponse<Bytes>,
) {
    let _registered = worker.registered().await;
    let mut head = head_of(&request);
    head.normalise_path();
    let mut peer = H2::server(request.into_body(), respond);
    if let Err(failure) = check(&head, worker) {
        let reply = exchange::refuse(worker, client, Some(&head), failure);
        exchange::send_h2_reply(&mut peer, &reply, head.method == Method::Head);
        return;
    }
    let mut peer = Peer::H2(Box::new(peer));
    let mut timer = Timer::default();
    exchange::serve(worker, client, &head, &mut peer, &mut timer).await;
}

/// A request's head.
fn head_of(request: &http::Request<RecvStream>) -> RequestHead {
    let mut fields: Fields = fields_of(request.headers());
    let uri = request.uri();
    let path = uri.path_and_query().map_or("/", |path| path.as_str());
    let authority = match uri.authority() {
        Some(authority) => authority.as_str().as_bytes().to_vec(),
        None => fields.get(Known::Host).unwrap_or_default().to_vec(),
    };
    let method = request.method().as_str().as_bytes();
    let (method_text, path) = (fields.hold(method), fields.hold(path.as_bytes()));
    let authority = fields.hold(&authority);
    let body = if request.body().is_end_stream() {
        BodyLength::Empty
    } else {
        declared_length(&fields).map_or(BodyLength::Unknown, BodyLength::Known)
    };
    let expect = fields.get(Known::Expect);
    RequestHead {
        method: Method::of(method),
        method_text,
        path,
        authority,
        protocol: if is_grpc(&fields) { Protocol::Grpc } else { Protocol::Http2 },
        body,
        keep_alive: true,
        expects_continue: body != BodyLength::Empty
            && expect.is_some_and(|value| value.eq_ignore_ascii_case(b"100-continue")),
        upgrade: false,
        fields,
    }
}

/// Checks a head as far as h2 has not done so.
fn check(head: &RequestHead, worker: &Worker) -> Result<(), Failure> {
    let limits = &worker.settings.limits.head;
    let too_large = |detail| Malformed { problem: Problem::HeadTooLarge, detail };
    // As RFC 9113 section 6.5.2 counts a header list.
    let size: usize =
        head.fields.iter().map(|(_, name, value)| name.len() + value.len() + 32).sum();
    if size > limits.head_bytes {
        return Err(too_large("the head is over its limit").into());
    }
    if head.fields.len() > limits.fields {
        return Err(too_large("there are too many header fields").into());
    }
    let path = head.fields.slice(head.path);
    if path.len() > limits.target_bytes {
        let problem = Problem::TargetTooLong;
        return Err(Malformed { problem, detail: "the path is over its limit" }.into());
    }
    if !path.iter().all(u8::is_ascii_graphic) {
        return Err(Malformed::new("the path holds a character that is not visible ASCII").into());
    }
    if head.method == Method::Connect {
        return Err(Malformed::new("CONNECT is not for a gateway").into());
    }
    let whole_server = path == b"*" && head.method == Method::Options;
    if !path.starts_with(b"/") && !whole_server {
        return Err(Malformed::new("the path does not begin with a slash").into());
    }
    let authority = head.fields.slice(head.authority);
    if authority.is_empty() {
        return Err(Malformed::new("there is neither :authority nor a host field").into());
    }
    let mut hosts = head.fields.iter().filter(|(known, _, _)| *known == Known::Host);
    let refuse = worker.settings.host_rule == crate::h1::HostRule::RefuseMismatch;
    if refuse && hosts.any(|(_, _, host)| !host.eq_ignore_ascii_case(authority)) {
        return Err(Malformed::new("the :authority and the host field differ").into());
    }
    crate::h1::check_host(authority)?;
    Ok(())
}
