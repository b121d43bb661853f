//! One connection, and where it stands.

use std::{
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError, atomic::Ordering::Relaxed},
    time::Duration,
};

use http::{Request, Response, uri::Authority};
use http_body::Body as HttpBody;
use tokio::time::{Instant, timeout};

use super::{
    body::Body,
    call::{BoxError, Call},
    connect::connect,
    limit::Limit,
    options::{CLOSE_GRACE, ClientOptions, Protocol},
    sender::{Sender, Spoken, speak},
    stats::Counters,
    status::{Found, Refused, Shared, State, drive},
    turn::Turn,
    wire::Wire,
};
use crate::{
    Error, ErrorKind, Options, Outcome, OwnedScope,
    open::{self, OpenKind},
};

/// One connection to one authority. Clones are the same connection; when the last is dropped it is
/// closed.
///
/// ```no_run
/// use std::time::Duration;
///
/// use http::Request;
/// use rearguard::client::{ClientOptions, Connection, State};
///
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let connection = Connection::open("127.0.0.1:8080", &ClientOptions::new()).await?;
/// let response = connection.send(Request::get("/health").body(String::new())?).await?;
/// println!("{}", response.status());
/// drop(response); // its rest is read, and the connection can be used again
/// let cut = connection.close(Duration::from_secs(1)).await;
/// assert_eq!((connection.state(), cut), (State::Closed, 0));
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Connection(Arc<Inner>);

struct Inner {
    authority: Authority,
    options: ClientOptions,
    shared: Arc<Shared>,
    sender: Mutex<Option<Sender>>,
    /// Ends the work of the connection; taken by who closes it.
    scope: Mutex<Option<OwnedScope>>,
    counters: Arc<Counters>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Connection {
    /// Connects to `HOST` or `HOST:PORT`.
    ///
    /// # Errors
    /// `invalid_input` for what is no authority; `dns_failed`, `connect_refused`,
    /// `connect_timed_out`, `unreachable`, all of which may be tried again.
    pub async fn open(authority: &str, options: &ClientOptions) -> Result<Self, Error> {
        let authority = Authority::try_from(authority).map_err(|error| {
            Error::new(ErrorKind::InvalidInput, "client.connect")
                .with("authority", authority.to_owned())
                .with("expected", "HOST or HOST:PORT")
                .because(error)
        })?;
        let deadline = crate::CallContext::current().and_then(|context| context.deadline());
        Self::to(authority, *options, deadline, Arc::default()).await
    }

    pub(super) async fn to(
        authority: Authority,
        options: ClientOptions,
        deadline: Option<Instant>,
        counters: Arc<Counters>,
    ) -> Result<Self, Error> {
        let limit = Limit::within("connect_timeout", options.connect_timeout, deadline);
        let stream = connect(&authority, limit).await?;
        let (wire, socket) = Wire::new(stream);
        let Spoken { sender, driving, tasks } = speak(socket, &options).await.map_err(|error| {
            Error::new(ErrorKind::ProtocolError, "client.connect")
                .with("authority", authority.to_string())
                .because(error)
                .retryable()
        })?;
        let http1 = options.protocol == Protocol::Http1;
        let capacity = options.requests_per_connection();
        let shared = Arc::new(Shared::new(wire, http1, capacity, options.idle_timeout));
        let mut scope = OwnedScope::with(
            Options::new().named("client.connection").cleanup_deadline(CLOSE_GRACE * 2),
        );
        let open = open::register(OpenKind::Connection, || authority.to_string(), open::here());
        scope.defer(async move {
            // Until the connection has ended.
            let _open = open;
            tasks.stop().await;
        });
        drop(scope.spawn(drive(driving, Arc::clone(&shared))));
        counters.opened.fetch_add(1, Relaxed);
        let (sender, scope) = (Mutex::new(Some(sender)), Mutex::new(Some(scope)));
        Ok(Self(Arc::new(Inner { authority, options, shared, sender, scope, counters })))
    }

    /// Where it stands.
    #[must_use]
    pub fn state(&self) -> State {
        self.0.shared.status().state
    }

    /// Sends a request, whose URI may be a path alone, and waits for the head of the response.
    ///
    /// Dropped half way, an HTTP/1.1 connection is closed, as its answer would be another
    /// request's; an HTTP/2 one resets the stream and goes on.
    ///
    /// # Errors
    /// `overloaded` where as many are in flight as it takes (one, for HTTP/1.1), `closed` where it is
    /// closing or closed, and the classes of [`Client::send`](super::Client::send). It is never sent
    /// again.
    pub async fn send<B>(&self, request: Request<B>) -> Result<Response<Body>, Error>
    where
        B: HttpBody<Error: Into<BoxError>> + Send + 'static,
    {
        let call = Call::on(request, &self.0.authority, &self.0.options)?;
        let turn = Turn::take(self).map_err(|refused| {
            let error = |kind| {
                Error::new(kind, "client.send").with("authority", self.0.authority.to_string())
            };
            match refused {
                Refused::Busy => error(ErrorKind::Overloaded).retryable(),
                Refused::Gone => error(ErrorKind::Closed),
            }
        })?;
        call.run(turn).await.map_err(|failure| failure.into_error())
    }

    /// Takes no more requests, waits for those in flight, no longer than `bound`, and closes.
    /// Returns how many were cut off; they end as `cancelled`.
    ///
    /// Dropped half way, it stays closing, and closes when the last one in flight has ended.
    pub async fn close(&self, bound: Duration) -> usize {
        let status = &self.0.shared.status;
        self.stop_taking();
        let mut seen = status.subscribe();
        let quiet = seen.wait_for(|it| it.in_flight == 0 || it.state == State::Closed);
        drop(timeout(bound, quiet).await);
        let cut = status.borrow().in_flight;
        self.end().await;
        cut
    }

    pub(super) fn stop_taking(&self) {
        self.0.shared.stop_taking();
    }

    /// Ends it, with a goodbye where nothing is in flight.
    pub(super) async fn end(&self) {
        let status = &self.0.shared.status;
        drop(lock(&self.0.sender).take());
        if status.borrow().in_flight == 0 {
            let mut seen = status.subscribe();
            drop(timeout(CLOSE_GRACE, seen.wait_for(|it| it.left)).await);
        }
        self.end_at_once().await;
    }

    async fn end_at_once(&self) {
        drop(lock(&self.0.sender).take());
        let scope = lock(&self.0.scope).take();
        self.0.shared.cut();
        if let Some(scope) = scope {
            // Its work stops where it waits; what fails in that is told to the observer.
            drop(scope.end(Outcome::Cancelled).await);
        }
    }

    /// Takes a request, if it does.
    pub(super) fn claim(&self) -> Result<Found, Refused> {
        let ready = lock(&self.0.sender).as_ref().is_some_and(Sender::is_ready);
        self.0.shared.claim(ready)
    }

    /// A request has ended, and left the connection as it was.
    pub(super) async fn give_back(&self) {
        if self.0.shared.give_back() {
            self.end().await;
        }
    }

    /// A request has ended and left the connection unusable, so it is closed.
    pub(super) async fn give_up(&self) {
        self.0.shared.spoil();
        self.end_at_once().await;
    }

    /// Shortens how long it is kept idle.
    pub(super) fn keep_for(&self, idle: Duration) {
        self.0.shared.keep_for(idle);
    }

    pub(super) fn with_sender<R>(&self, act: impl FnOnce(&mut Sender) -> R) -> Option<R> {
        lock(&self.0.sender).as_mut().map(act)
    }

    pub(super) fn is_http1(&self) -> bool {
        self.0.options.protocol == Protocol::Http1
    }

    pub(super) fn was_cut(&self) -> bool {
        self.0.shared.status().cut
    }

    pub(super) fn wire(&self) -> &Wire {
        &self.0.shared.wire
    }

    pub(super) fn authority(&self) -> &Authority {
        &self.0.authority
    }

    pub(super) fn counters(&self) -> &Arc<Counters> {
        &self.0.counters
    }
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let status = self.0.shared.status();
        f.debug_struct("Connection")
            .field("authority", &self.0.authority)
            .field("state", &status.state)
            .field("in_flight", &status.in_flight)
            .field("requests", &status.taken)
            .finish()
    }
}
