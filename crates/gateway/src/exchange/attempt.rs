//! The tries of a request: a place in the pool, a connection, an answer, or another try.

use std::{
    future::{Future as _, poll_fn},
    net::SocketAddr,
    pin::pin,
    rc::Rc,
    sync::atomic::Ordering::Relaxed,
    task::Poll,
    time::Duration,
};

use model::{Cause, ConnectionUse, Outcome};
use rearguard::Scope;
use tokio::time::Instant;

use super::{Exchange, body::Upload, wait::Lost, way::Way};
use crate::{
    failure::Failure,
    peer::Peer,
    reported::advertised_keep_alive,
    upstream::{Connection, Endpoint, Place},
    worker::Stage,
};

/// An endpoint is tried at most this often for one request: the first try, one on a fresh
/// connection after an idle race, and others after connects that failed.
const MAX_TRIES: u32 = 4;

impl Exchange<'_> {
    /// Gets a place and an answer, and passes it on.
    pub(super) async fn forward(
        &mut self,
        way: &Way<'_>,
        scope: &Scope<'_, Outcome>,
    ) -> Result<(), Failure> {
        let place = match way.target.shared.free_place() {
            Some(place) => {
                self.draft.phases.queue = Some(Duration::ZERO);
                place
            }
            None => {
                let place = self.wait_for_place(way).await;
                self.draft.phases.queue = Some(self.draft.elapsed());
                place?
            }
        };
        scope.defer(|| drop(place));
        let mut upload =
            Upload::new(self.head, self.worker.settings.limits.replay_bytes, self.draft.started);
        let mut tried: Vec<SocketAddr> = Vec::new();
        let mut fresh = false;
        loop {
            self.check_caller(way)?;
            let endpoint = way.target.choose(&tried)?;
            let lost = match self.attempt(way, &endpoint, fresh, &mut upload).await {
                Ok(()) => return Ok(()),
                Err(lost) => lost,
            };
            let reused = matches!(self.draft.connection, Some(ConnectionUse::Reused { .. }));
            let connect_failed = self.draft.connection.is_none();
            let repeatable = !self.answered
                && self.draft.tries < MAX_TRIES
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
        let elapsed = self.draft.elapsed();
        match way.times.whole {
            Some(limit) if way.times.callers && elapsed >= limit => Err(Failure::new(
                Cause::ClientDeadlinePassed,
                format!("the caller gave it {limit:?}, and {elapsed:?} had passed already"),
            )),
            _ => Ok(()),
        }
    }

    /// A client that leaves meanwhile has not sent its request on, and keeps nobody waiting.
    async fn wait_for_place(&mut self, way: &Way<'_>) -> Result<Place, Failure> {
        let mut place = pin!(way.target.shared.place(self.worker.settings.timeouts.queue));
        poll_fn(|cx| {
            if let Poll::Ready(place) = place.as_mut().poll(cx) {
                return Poll::Ready(place);
            }
            if self.down.poll_gone(cx).is_ready() {
                return Poll::Ready(Err(Failure::new(
                    Cause::ClientDisconnected,
                    "the client left while its request waited for a place",
                )));
            }
            Poll::Pending
        })
        .await
    }

    /// One try: a connection, the request on it, the answer.
    async fn attempt(
        &mut self,
        way: &Way<'_>,
        endpoint: &Rc<Endpoint>,
        fresh: bool,
        upload: &mut Upload,
    ) -> Result<(), Lost> {
        endpoint.active.set(endpoint.active.get() + 1);
        rearguard::defer! { endpoint.active.set(endpoint.active.get() - 1); }
        #[cfg(test)]
        super::panics::point(self.head.path(), "/panic-before");
        self.draft.tries += 1;
        self.draft.endpoint = Some(endpoint.address);
        self.draft.connection = None;
        let connection = self.connection(way, endpoint, fresh).await?;
        self.draft.connection = Some(connection.usage());
        let sent_at = self.sent_at();
        let (mut up, requests) = self.send_head_on(way, connection, upload)?;
        let waited = self.response(way, &mut up, upload).await;
        let answered_at = Instant::now();
        self.draft.phases.upstream = Some(answered_at - sent_at);
        let usage = self.draft.connection;
        let response = match waited {
            Ok(response) => response,
            Err(mut lost) => {
                if let Peer::H2(peer) = &mut up {
                    peer.reset(h2::Reason::CANCEL);
                }
                if lost.silent {
                    lost.failure.detail = self
                        .describe_end(way, endpoint, lost.failure.cause, answered_at - sent_at)
                        .into();
                }
                return Err(lost);
            }
        };
        endpoint.close_times.borrow_mut().answered_after(answered_at - sent_at);
        if let (Some(ConnectionUse::Reused { idle }), Peer::H1(_)) = (usage, &up) {
            endpoint.note_alive(idle);
        }
        if let Some(timeout) = advertised_keep_alive(&response.fields) {
            endpoint.note_advertised(timeout);
        }
        if response.status == 101 && !upload.is_complete() {
            return Err(Lost::whole(Failure::new(
                Cause::UpstreamProtocolError,
                "the protocol was changed in the middle of the request",
            )));
        }
        if response.status == 101 {
            return self.upgraded(way, response, up).await.map_err(Lost::whole);
        }
        let done = self
            .transfer(way, response, &mut up, upload, answered_at)
            .await
            .map_err(Lost::whole)?;
        if let (Peer::H1(connection), true) = (up, done.reusable && self.may_reuse(way, requests)) {
            endpoint.put_back(way.shared(), connection, requests + 1, done.at);
        }
        Ok(())
    }

    /// When the request is sent on: at its start, if nothing had to be waited for, which saves
    /// looking at the clock.
    fn sent_at(&self) -> Instant {
        let draft = &self.draft;
        let waited = draft.tries > 1
            || draft.phases.queue != Some(Duration::ZERO)
            || draft.phases.connect != Some(Duration::ZERO);
        if waited { Instant::now() } else { draft.started }
    }

    fn may_reuse(&self, way: &Way<'_>, requests: u32) -> bool {
        let most = way.shared().policy.max_requests_per_connection;
        (most == 0 || requests + 1 < most) && self.worker.stage() == Stage::Running
    }

    async fn connection(
        &mut self,
        way: &Way<'_>,
        endpoint: &Rc<Endpoint>,
        fresh: bool,
    ) -> Result<Connection, Lost> {
        let idle = self.worker.settings.timeouts.upstream_idle;
        let now = self.draft.started;
        if !fresh && let Some(pooled) = Connection::pooled(endpoint, way.shared(), idle, now).await
        {
            self.draft.phases.connect = Some(Duration::ZERO);
            return Ok(pooled);
        }
        let began = Instant::now();
        let queue = self.worker.settings.timeouts.queue;
        let connected = Connection::fresh(endpoint, way.shared(), idle, queue).await;
        self.draft.phases.connect = Some(began.elapsed());
        connected.map_err(|failure| Lost { failure, unprocessed: true, silent: false })
    }
}
