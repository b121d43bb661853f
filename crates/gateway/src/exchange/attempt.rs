//! From the head to the service's answer: the route, a place in the pool, a connection, tries.

use std::{
    future::poll_fn,
    net::SocketAddr,
    rc::Rc,
    sync::atomic::Ordering::Relaxed,
    task::{Context, Poll},
    time::Duration,
};

use config::routing::{HeaderChange, HeaderRules};
use model::{Cause, ConnectionUse};
use rearguard::Scope;
use tokio::time::Instant;

use super::{Exchange, body::Upload};
use crate::{
    deadline,
    failure::{Failure, tls_failed},
    forward::{RequestContext, came_through, is_grpc, request_fields},
    h1::Asked,
    message::{BodyLength, Known, Method, ResponseHead},
    peer::{H2, Peer, ReceiveError, Sending},
    reply::Reply,
    reported::advertised_keep_alive,
    router::{CompiledAction, CompiledRoute, Entrance},
    upstream::{Connection, Endpoint, SharedTarget, Stake, Target},
    worker::Stage,
};

/// An endpoint is tried at most this often for one request: the first try, one on a fresh
/// connection after an idle race, and others after connects that failed.
const MAX_TRIES: u32 = 4;

/// What a request is sent on by.
pub(super) struct Way<'a> {
    pub(super) route: &'a CompiledRoute,
    pub(super) rules: [&'a HeaderRules; 2],
    pub(super) target: Rc<Target>,
    /// How much of the path the route's match named.
    matched: usize,
    pub(super) times: Times,
}

impl Way<'_> {
    pub(super) fn shared(&self) -> &SharedTarget {
        &self.target.shared
    }

    pub(super) const fn response_changes(&self) -> [&HeaderChange; 2] {
        [&self.rules[0].response, &self.rules[1].response]
    }
}

/// The bounds in time of one request.
#[derive(Clone, Copy, Debug)]
pub(super) struct Times {
    /// By when the whole answer must have come, counted from the request's head.
    pub(super) whole: Option<Duration>,
    /// Whether that is the caller's own word.
    pub(super) callers: bool,
    /// How long the status line may take, counted from the request sent on.
    pub(super) status_line: Option<Duration>,
    /// Whether a silent body is a fault.
    pub(super) may_stall: bool,
}

/// A try that brought no answer.
struct Lost {
    failure: Failure,
    /// Whether no service can have acted on the request, so that any method may be repeated.
    unprocessed: bool,
    /// Whether the connection was closed before a byte of an answer came.
    silent: bool,
}

impl Exchange<'_> {
    /// Serves the request; an error is still to be answered.
    pub(super) async fn run<'s>(&mut self, scope: &mut Scope<'s>) -> Result<(), Failure> {
        if came_through(&self.head.fields, &self.worker.pseudonym) {
            return Err(Failure::new(
                Cause::GatewayLoopDetected,
                "the Via field names this gateway: a route sends requests back to it",
            ));
        }
        if let BodyLength::Known(length) = self.head.body
            && length > self.worker.settings.limits.request_body_bytes
        {
            return Err(self.body_too_large());
        }
        let serving = self.worker.serving();
        let entrance = Entrance {
            gateway: self.client.gateway.as_deref(),
            port: self.client.port,
            scheme: self.client.scheme,
        };
        if self.client.https_redirect {
            let location = format!("https://{}{}", self.head.authority(), self.head.path());
            self.send_reply(&Reply::new(301).with("location", location)).await;
            return Ok(());
        }
        let hit = serving.plan.router.find(self.head, entrance).ok_or_else(|| {
            let (host, path) = (self.head.authority(), self.head.path());
            Failure::new(
                Cause::GatewayNoRoute,
                format!("no route for host {host:?}, path {path:?}"),
            )
        })?;
        let (destinations, total) = match &hit.route.action {
            CompiledAction::Forward { destinations, total_weight } => (destinations, *total_weight),
            CompiledAction::Redirect(redirect) => {
                self.draft.borrow_mut().series = serving.series(hit.index, 0);
                let reply = self.redirect(hit.route, redirect, hit.matched);
                self.send_reply(&reply).await;
                return Ok(());
            }
            CompiledAction::DirectResponse { status, body } => {
                self.draft.borrow_mut().series = serving.series(hit.index, 0);
                let mut reply = Reply::new(*status).with("content-type", "text/plain");
                reply.body = body.clone().into_bytes();
                self.send_reply(&reply).await;
                return Ok(());
            }
        };
        let (place, destination) =
            CompiledAction::pick(destinations, total, |total| fastrand::u64(..total)).ok_or_else(
                || Failure::new(Cause::GatewayNoUpstream, "the route has no destination"),
            )?;
        self.draft.borrow_mut().series = serving.series(hit.index, place);
        let way = Way {
            route: hit.route,
            rules: [&hit.route.headers, &destination.headers],
            target: Rc::clone(&serving.targets[destination.target]),
            matched: hit.matched,
            times: self.times(hit.route),
        };
        self.forward(&way, scope).await
    }

    pub(super) fn body_too_large(&self) -> Failure {
        let limit = self.worker.settings.limits.request_body_bytes;
        let detail = format!("the request's body is over the limit of {limit} bytes");
        Failure { status: Some(413), ..Failure::new(Cause::ClientTooLarge, detail) }
    }

    fn times(&self, route: &CompiledRoute) -> Times {
        let open_ended = is_grpc(&self.head.fields) || self.head.upgrade;
        let caller = deadline::of_caller(self.head);
        let route_limit = route.timeout.filter(|limit| !limit.is_zero() && !self.head.upgrade);
        let whole = match (route_limit, caller) {
            (Some(route), Some(caller)) => Some(route.min(caller)),
            (one, other) => one.or(other),
        };
        let default = (route.timeout.is_none() && !open_ended)
            .then_some(self.worker.settings.timeouts.response);
        Times {
            whole,
            callers: caller.is_some() && whole == caller,
            status_line: default,
            may_stall: !open_ended,
        }
    }

    /// Gets a place and an answer, and passes it on.
    async fn forward<'s>(&mut self, way: &Way<'_>, scope: &mut Scope<'s>) -> Result<(), Failure> {
        let place = way.target.shared.place(self.worker.settings.timeouts.queue).await;
        {
            let mut draft = self.draft.borrow_mut();
            draft.phases.queue = Some(draft.elapsed());
        }
        let place = place?;
        scope.defer(move |_| drop(place));
        let mut upload = Upload::new(self.head, self.worker.settings.limits.replay_bytes);
        let mut tried: Vec<SocketAddr> = Vec::new();
        let mut fresh = false;
        loop {
            self.check_caller(way)?;
            let endpoint = way.target.choose(&tried)?;
            let lost = match self.attempt(way, &endpoint, fresh, &mut upload).await {
                Ok(()) => return Ok(()),
                Err(lost) => lost,
            };
            let draft = self.draft.borrow();
            let reused = matches!(draft.connection, Some(ConnectionUse::Reused { .. }));
            let connect_failed = draft.connection.is_none();
            let repeatable = !self.answered
                && draft.tries < MAX_TRIES
                && upload.can_repeat()
                && match connect_failed {
                    // Elsewhere, if there is an elsewhere.
                    true => lost.unprocessed && way.target.count() > tried.len() + 1,
                    false => {
                        lost.unprocessed
                            || (lost.silent && reused && self.head.method.is_idempotent())
                    }
                };
            if !repeatable {
                return Err(lost.failure);
            }
            drop(draft);
            self.worker.observatory.gauges.resent.fetch_add(1, Relaxed);
            upload.rewind();
            if connect_failed {
                tried.push(endpoint.address);
            }
            fresh = !connect_failed;
        }
    }

    /// The caller's deadline may have passed while the request waited.
    fn check_caller(&self, way: &Way<'_>) -> Result<(), Failure> {
        let elapsed = self.draft.borrow().elapsed();
        match way.times.whole {
            Some(limit) if way.times.callers && elapsed >= limit => Err(Failure::new(
                Cause::ClientDeadlinePassed,
                format!("the caller gave it {limit:?}, and {elapsed:?} had passed already"),
            )),
            _ => Ok(()),
        }
    }

    /// One try: a connection, the request on it, the answer.
    async fn attempt(
        &mut self,
        way: &Way<'_>,
        endpoint: &Rc<Endpoint>,
        fresh: bool,
        upload: &mut Upload,
    ) -> Result<(), Lost> {
        let _active = Active::new(endpoint);
        {
            let mut draft = self.draft.borrow_mut();
            draft.tries += 1;
            draft.endpoint = Some(endpoint.address);
            draft.connection = None;
        }
        let connection = self.connection(way, endpoint, fresh).await?;
        self.draft.borrow_mut().connection = Some(connection.usage());
        let sent_at = Instant::now();
        let (mut up, requests) = self.send_head_on(way, connection, upload)?;
        let waited = self.response(way, &mut up, upload).await;
        self.draft.borrow_mut().phases.upstream = Some(sent_at.elapsed());
        let usage = self.draft.borrow().connection;
        let response = match waited {
            Ok(response) => response,
            Err(mut lost) => {
                if let (Some(ConnectionUse::Reused { idle }), true, Peer::H1(_)) =
                    (usage, lost.silent, &up)
                {
                    endpoint.note_reuse(idle, false);
                }
                if let Peer::H2(peer) = &mut up {
                    peer.reset(h2::Reason::CANCEL);
                }
                if lost.silent {
                    lost.failure.detail = self.describe_close(way, sent_at.elapsed()).into();
                }
                return Err(lost);
            }
        };
        if let (Some(ConnectionUse::Reused { idle }), Peer::H1(_)) = (usage, &up) {
            endpoint.note_reuse(idle, true);
        }
        if let Some(timeout) = advertised_keep_alive(&response.fields) {
            endpoint.note_advertised(timeout);
        }
        if response.status == 101 {
            return self.upgraded(way, response, up).await.map_err(Lost::whole);
        }
        let done = self.transfer(way, response, &mut up, upload).await.map_err(Lost::whole)?;
        if let (Peer::H1(connection), true) = (up, done.reusable && self.may_reuse(way, requests)) {
            endpoint.put_back(way.shared(), connection, requests + 1);
        }
        Ok(())
    }

    fn may_reuse(&self, way: &Way<'_>, requests: u32) -> bool {
        let most = way.shared().policy.max_requests_per_connection;
        (most == 0 || requests + 1 < most) && self.worker.stage() == Stage::Running
    }

    async fn connection(
        &self,
        way: &Way<'_>,
        endpoint: &Rc<Endpoint>,
        fresh: bool,
    ) -> Result<Connection, Lost> {
        let idle = self.worker.settings.timeouts.upstream_idle;
        if !fresh && let Some(pooled) = Connection::pooled(endpoint, way.shared(), idle).await {
            self.draft.borrow_mut().phases.connect = Some(Duration::ZERO);
            return Ok(pooled);
        }
        let began = Instant::now();
        let queue = self.worker.settings.timeouts.queue;
        let connected = Connection::fresh(endpoint, way.shared(), idle, queue).await;
        self.draft.borrow_mut().phases.connect = Some(began.elapsed());
        connected.map_err(|failure| Lost { failure, unprocessed: true, silent: false })
    }

    /// Hands the request's head to the service's side.
    fn send_head_on(
        &mut self,
        way: &Way<'_>,
        connection: Connection,
        upload: &mut Upload,
    ) -> Result<(Peer, u32), Lost> {
        let draft = self.draft.borrow();
        let context = RequestContext {
            trace: draft.trace,
            continues_trace: draft.continues_trace,
            client: self.client.address.ip(),
            trusted: self.worker.settings.trust.believes(self.client.address.ip()),
            scheme: self.client.scheme,
            pseudonym: &self.worker.pseudonym,
            time_left: way.times.whole.map(|whole| whole.saturating_sub(draft.elapsed())),
            changes: [&way.rules[0].request, &way.rules[1].request],
        };
        let path = way.route.rewrite_path(self.head.path(), way.matched);
        let authority = match &way.route.rewrite.authority {
            Some(authority) => authority,
            None if self.head.authority.is_empty() => &*way.shared().key.service,
            None => self.head.authority(),
        };
        match connection {
            Connection::H1 { connection: mut peer, requests, .. } => {
                let out = peer.output.buffer();
                for part in
                    [self.head.method(), " ", &path, " HTTP/1.1\r\nhost: ", authority, "\r\n"]
                {
                    out.extend_from_slice(part.as_bytes());
                }
                request_fields(out, self.head, &context);
                self.frame_h1(out);
                out.extend_from_slice(b"\r\n");
                peer.sending = match self.head.body {
                    BodyLength::Empty => Sending::Done,
                    BodyLength::Known(length) => Sending::Length(length),
                    BodyLength::Unknown | BodyLength::UntilClose => Sending::Chunked { left: 0 },
                };
                Ok((Peer::H1(peer), requests))
            }
            Connection::H2(Stake { mut send, lease, .. }) => {
                let request =
                    self.h2_request(&path, authority, way, &context).map_err(Lost::whole)?;
                let end = !self.head.has_body();
                let (response, stream) = send.send_request(request, end).map_err(Lost::unsent)?;
                upload.sent_with_head(end);
                drop(draft);
                self.continue_early(upload);
                Ok((Peer::H2(Box::new(H2::client(response, stream, lease))), 0))
            }
        }
    }

    /// Services that speak HTTP/2 seldom answer an expectation, so that the gateway does.
    fn continue_early(&mut self, upload: &mut Upload) {
        if self.head.expects_continue && upload.awaits_continue() {
            self.pass_on_interim(&ResponseHead::interim(100), upload);
        }
    }

    /// The fields that frame the body, and those that ask for a change of protocol.
    fn frame_h1(&self, out: &mut Vec<u8>) {
        use crate::forward::FieldSink as _;
        match self.head.body {
            BodyLength::Empty => {
                // Said where a body would have a meaning, so that no service waits for one.
                if self.head.method == Method::Other || self.head.method == Method::Put {
                    out.field(b"content-length", b"0");
                }
            }
            BodyLength::Known(length) => {
                out.field(b"content-length", length.to_string().as_bytes());
            }
            BodyLength::Unknown | BodyLength::UntilClose => {
                out.field(b"transfer-encoding", b"chunked");
            }
        }
        if self.head.upgrade
            && let Some(protocol) = self.head.fields.get(Known::Upgrade)
        {
            out.field(b"connection", b"Upgrade");
            out.field(b"upgrade", protocol);
        }
    }

    fn h2_request(
        &self,
        path: &str,
        authority: &str,
        way: &Way<'_>,
        context: &RequestContext<'_>,
    ) -> Result<http::Request<()>, Failure> {
        use crate::forward::FieldSink as _;
        let scheme = if way.shared().tls.is_some() { "https" } else { "http" };
        let built = http::Uri::builder()
            .scheme(scheme)
            .authority(authority)
            .path_and_query(path)
            .build()
            .map_err(http::Error::from)
            .and_then(|uri| http::Request::builder().method(self.head.method()).uri(uri).body(()));
        let mut request = built.map_err(|error| {
            Failure::new(
                Cause::ClientBadRequest,
                format!("the target cannot be written in HTTP/2: {error}"),
            )
        })?;
        *request.version_mut() = http::Version::HTTP_2;
        let headers = request.headers_mut();
        request_fields(headers, self.head, context);
        if let BodyLength::Known(length) = self.head.body {
            headers.field(b"content-length", length.to_string().as_bytes());
        }
        if self.head.expects_continue {
            headers.remove(http::header::EXPECT);
        }
        if is_grpc(&self.head.fields) {
            headers.field(b"te", b"trailers");
        }
        Ok(request)
    }

    /// Waits for the head of the answer, while the request's body goes out.
    async fn response(
        &mut self,
        way: &Way<'_>,
        up: &mut Peer,
        upload: &mut Upload,
    ) -> Result<ResponseHead, Lost> {
        loop {
            self.arm(way, upload);
            let step = poll_fn(|cx| self.poll_response(cx, up, upload)).await;
            match step {
                Ok(Step::Uploaded) => {}
                Ok(Step::TimedOut) => self.timed_out(way, upload).map_err(Lost::whole)?,
                Ok(Step::Head(response)) if response.status >= 200 || response.status == 101 => {
                    return Ok(response);
                }
                Ok(Step::Head(interim)) => self.pass_on_interim(&interim, upload),
                Err(lost) => return Err(lost),
            }
        }
    }

    fn poll_response(
        &mut self,
        cx: &mut Context<'_>,
        up: &mut Peer,
        upload: &mut Upload,
    ) -> Poll<Result<Step, Lost>> {
        if !upload.is_over() {
            match self.poll_upload(cx, up, upload) {
                Poll::Ready(Ok(())) => return Poll::Ready(Ok(Step::Uploaded)),
                Poll::Ready(Err(failure)) => return Poll::Ready(Err(Lost::whole(failure))),
                Poll::Pending => {}
            }
        }
        // An interim response may wait to go out; whether the client is there shows elsewhere.
        let _flushed = self.down.poll_flush(cx);
        let asked = Asked { head: self.head.method == Method::Head, upgrade: self.head.upgrade };
        let limits = &self.worker.settings.limits.head;
        let head = match up {
            Peer::H1(peer) => {
                peer.poll_response_head(cx, limits, asked).map_err(|error| (error, false))
            }
            Peer::H2(peer) => peer.poll_response_head(cx),
        };
        if let Poll::Ready(head) = head {
            let silent = match &*up {
                Peer::H1(peer) => peer.input.is_empty(),
                // The stream has ended with its connection, and by no word of the service's.
                Peer::H2(_) => matches!(head, Err((ReceiveError::Closed, _))),
            };
            return Poll::Ready(
                head.map(Step::Head).map_err(|(error, refused)| Lost::new(error, refused, silent)),
            );
        }
        if upload.is_over() && self.down.poll_gone(cx).is_ready() {
            return Poll::Ready(Err(Lost::whole(Failure::new(
                Cause::ClientDisconnected,
                "the client left before the service had answered",
            ))));
        }
        if self.worker.stage() == Stage::Ending {
            return Poll::Ready(Err(ended()));
        }
        self.timer.poll(cx).map(|()| Ok(Step::TimedOut))
    }

    /// `100 Continue` and the like go on to all clients but those of HTTP/1.0.
    fn pass_on_interim(&mut self, interim: &ResponseHead, upload: &mut Upload) {
        upload.continued();
        if self.head.protocol == model::Protocol::Http10 {
            return;
        }
        match &mut *self.down {
            Peer::H1(peer) => super::answer::write_interim(peer, interim),
            Peer::H2(peer) => super::answer::send_h2_interim(peer, interim),
        }
    }

    /// What a close without an answer looks like, so that a panic, a write timeout and an idle race
    /// can be told apart.
    fn describe_close(&self, way: &Way<'_>, after: Duration) -> String {
        let millis = after.as_secs_f64() * 1000.0;
        let draft = self.draft.borrow();
        let connection = match draft.connection {
            Some(ConnectionUse::Reused { idle }) => format!(
                "a reused connection that had been idle for {:.1} ms",
                idle.as_secs_f64() * 1000.0
            ),
            _ => "a fresh connection".to_owned(),
        };
        let write_timeout = way.shared().promises.write_timeout;
        let reading = match (draft.connection, write_timeout) {
            (Some(ConnectionUse::Reused { .. }), _) if after < IDLE_RACE => {
                "at once on a reused connection: the idle race, or a panic"
            }
            (_, Some(declared)) if after >= declared.mul_f64(0.9) => {
                "at its declared write timeout: the handler or its deferred cleanup took too long"
            }
            (_, Some(_)) => "well before its write timeout: a panic, or the process died",
            (_, None) => "a panic, a write timeout of the service, or the process died",
        };
        format!(
            "closed without an answer {millis:.1} ms after the request, on {connection}: {reading}"
        )
    }
}

/// An idle race shows at once: the close was on its way when the request went out.
const IDLE_RACE: Duration = Duration::from_millis(5);

/// What waiting for an answer brought.
enum Step {
    Uploaded,
    Head(ResponseHead),
    TimedOut,
}

fn ended() -> Lost {
    Lost::whole(Failure::new(
        Cause::GatewayDraining,
        "the gateway is stopping, and the time for requests in flight is over",
    ))
}

impl Lost {
    /// The failure stands, whatever could be repeated.
    const fn whole(failure: Failure) -> Self {
        Self { failure, unprocessed: false, silent: false }
    }

    /// The request's head could not be given to an HTTP/2 connection.
    fn unsent(error: h2::Error) -> Self {
        let detail = format!("the request could not be sent over HTTP/2: {error}");
        if error.is_go_away() || error.is_io() {
            let failure = Failure::new(Cause::UpstreamReset, detail);
            return Self { failure, unprocessed: true, silent: false };
        }
        Self::whole(Failure::new(Cause::ClientBadRequest, detail))
    }

    fn new(error: ReceiveError, refused: bool, silent: bool) -> Self {
        let failure = match error {
            ReceiveError::Closed => {
                let detail = if silent { "closed" } else { "closed within the head of its answer" };
                Failure::new(Cause::UpstreamClosedBeforeResponse, detail)
            }
            ReceiveError::Reset(detail) => {
                let failure = Failure::new(Cause::UpstreamReset, detail);
                return Self { failure, unprocessed: refused, silent: false }.after_reset(silent);
            }
            ReceiveError::Tls(error) => return Self::whole(tls_failed(&error)),
            ReceiveError::Malformed(malformed) => {
                return Self::whole(Failure::new(Cause::UpstreamProtocolError, malformed.detail));
            }
            ReceiveError::Protocol(detail) => {
                return Self::whole(Failure::new(Cause::UpstreamProtocolError, detail));
            }
        };
        Self { failure, unprocessed: refused, silent }
    }

    /// A reset of a reused connection is the idle race as much as a close is: the service's end was
    /// closed when the request arrived.
    fn after_reset(mut self, silent: bool) -> Self {
        self.silent = silent;
        self
    }
}

/// Counts a request towards its endpoint for as long as it is there.
struct Active<'a>(&'a Endpoint);

impl<'a> Active<'a> {
    fn new(endpoint: &'a Endpoint) -> Self {
        endpoint.active.set(endpoint.active.get() + 1);
        Self(endpoint)
    }
}

impl Drop for Active<'_> {
    fn drop(&mut self) {
        self.0.active.set(self.0.active.get() - 1);
    }
}
