//! A request as the caller gave it, and its sending on a connection.

use std::{error, time::Duration};

use http::{
    HeaderMap, HeaderName, HeaderValue, Method, Request, Response, Uri, Version, header,
    uri::{Authority, PathAndQuery, Scheme},
};
use http_body::Body as HttpBody;
use hyper::body::Incoming;
use tokio::time::{Instant, timeout_at};

use super::{
    body::{Body, Bounds},
    exchange::{Exchange, Rest},
    failure::{Failure, Sent, may_repeat},
    limit::Limit,
    options::{CLOSE_GRACE, ClientOptions, DRAIN_DEADLINE, RequestOptions, less_a_margin},
    outgoing::{Outgoing, Replay},
    turn::Turn,
};
use crate::{
    CallContext, Error, ErrorKind, Held, Options, Outcome, OwnedScope, read_timeout, timeout,
};

pub(super) type BoxError = Box<dyn error::Error + Send + Sync>;

const REQUEST: Options =
    Options::new().named("client.request").cleanup_deadline(DRAIN_DEADLINE.saturating_add(
        // To be ready again, and to be closed where it is not.
        DRAIN_DEADLINE.saturating_add(CLOSE_GRACE.saturating_add(CLOSE_GRACE.saturating_mul(2))),
    ));

/// A request, which can be sent more than once where its body can.
#[derive(Debug)]
pub(super) struct Call {
    method: Method,
    authority: Authority,
    path: PathAndQuery,
    headers: HeaderMap,
    replay: Replay,
    context: CallContext,
    pub(super) deadline: Option<Instant>,
    response_timeout: Duration,
    stall_timeout: Duration,
    pub(super) may_repeat: bool,
}

impl Call {
    /// A request to the authority of its URI.
    pub(super) fn new<B>(request: Request<B>, options: &ClientOptions) -> Result<Self, Error>
    where
        B: HttpBody<Error: Into<BoxError>> + Send + 'static,
    {
        let Some(authority) = request.uri().authority().cloned() else {
            let error = invalid("uri", request.uri().to_string(), "http://HOST:PORT/PATH");
            return Err(error);
        };
        Self::on(request, &authority, options)
    }

    /// A request to this authority.
    pub(super) fn on<B>(
        request: Request<B>,
        authority: &Authority,
        options: &ClientOptions,
    ) -> Result<Self, Error>
    where
        B: HttpBody<Error: Into<BoxError>> + Send + 'static,
    {
        let (parts, body) = request.into_parts();
        if parts.uri.scheme().is_some_and(|scheme| *scheme != Scheme::HTTP) {
            return Err(invalid("uri", parts.uri.to_string(), "http: TLS is the mesh's"));
        }
        if parts.method == Method::CONNECT || parts.headers.contains_key(header::UPGRADE) {
            return Err(invalid("request", parts.method.to_string(), "no tunnel and no upgrade"));
        }
        let own = parts.extensions.get::<RequestOptions>().copied().unwrap_or_default();
        let get = |name: &str| parts.headers.get(name).map(HeaderValue::as_bytes);
        // Outside of any request, what the caller wrote by hand is gone on with.
        let context = CallContext::current().or_else(|| CallContext::extract(get));
        let context = context.unwrap_or_default();
        let context = match (own.timeout, read_timeout(get)) {
            (Some(one), Some(other)) => context.within(one.min(other)),
            (Some(timeout), None) | (None, Some(timeout)) => context.within(timeout),
            (None, None) => context,
        };
        let path = parts.uri.path_and_query().cloned();
        Ok(Self {
            may_repeat: may_repeat(&parts.method, own.repeat),
            method: parts.method,
            authority: authority.clone(),
            path: path.unwrap_or_else(|| PathAndQuery::from_static("/")),
            headers: parts.headers,
            replay: Replay::new(body),
            deadline: context.deadline(),
            context,
            response_timeout: own.response_timeout.unwrap_or(options.response_timeout),
            stall_timeout: options.body_stall_timeout,
        })
    }

    pub(super) fn authority(&self) -> &Authority {
        &self.authority
    }

    /// Whether its body can be sent again.
    pub(super) fn is_whole(&self) -> bool {
        self.replay.is_whole()
    }

    /// Sends it, and waits for the head of the response.
    pub(super) async fn run(&self, turn: Turn) -> Result<Response<Body>, Failure> {
        let mut scope = OwnedScope::with(REQUEST);
        let exchange = scope.hold(Exchange { turn, rest: Rest::All }, Exchange::finish);
        let failure = match self.exchange(&exchange).await {
            Ok(response) => return Ok(self.answer(response, exchange, scope).await),
            Err(failure) => failure,
        };
        drop(exchange);
        drop(scope.end(failure.kind().outcome()).await);
        Err(failure)
    }

    async fn exchange(&self, exchange: &Exchange) -> Result<Response<Incoming>, Failure> {
        let turn = &exchange.turn;
        let limit = Limit::within("response_timeout", self.response_timeout, self.deadline);
        if limit.at <= Instant::now() {
            return Err(Failure::unsent(ErrorKind::DeadlinePassed, turn));
        }
        let request = self.request(turn.connection.is_http1());
        let Some(sending) = turn.connection.with_sender(|sender| sender.send(request)) else {
            return Err(Failure::unsent(ErrorKind::ClosedBeforeResponse, turn));
        };
        match timeout_at(limit.at, sending).await {
            Ok(Ok(response)) => Ok(response),
            Ok(Err(mut error)) => {
                let sent = if error.take_message().is_some() { Sent::No } else { Sent::Perhaps };
                Err(Failure::of(&error.into_error(), sent, turn, self.replay.has_failed()))
            }
            Err(_) => Err(Failure::timed_out(limit, turn)),
        }
    }

    /// The request as it goes out: each time a new span of the caller's trace, and what is left of its
    /// time.
    fn request(&self, http1: bool) -> Request<Outgoing> {
        let mut headers = self.headers.clone();
        let grpc = headers
            .get(header::CONTENT_TYPE)
            .is_some_and(|kind| kind.as_bytes().starts_with(b"application/grpc"));
        let in_header = if grpc { timeout::GRPC_TIMEOUT } else { timeout::EXPECTED_TIMEOUT };
        self.context.child().inject(in_header, |name, value| {
            if let Ok(value) = HeaderValue::from_str(value) {
                headers.insert(HeaderName::from_static(name), value);
            }
        });
        let mut request = Request::new(self.replay.outgoing());
        if http1 {
            headers.entry(header::HOST).or_insert_with(|| host(&self.authority));
            *request.uri_mut() = Uri::from(self.path.clone());
        } else {
            // Its pseudo-header stands for it.
            let asked = headers.remove(header::HOST);
            let asked = asked.and_then(|host| Authority::try_from(host.as_bytes()).ok());
            *request.uri_mut() = absolute(asked.as_ref().unwrap_or(&self.authority), &self.path);
            *request.version_mut() = Version::HTTP_2;
        }
        *request.method_mut() = self.method.clone();
        *request.headers_mut() = headers;
        request
    }

    async fn answer(
        &self,
        response: Response<Incoming>,
        mut exchange: Held<Exchange>,
        scope: OwnedScope,
    ) -> Response<Body> {
        let (parts, body) = response.into_parts();
        if let Some(kept) = kept_for(&parts.headers) {
            exchange.turn.connection.keep_for(less_a_margin(kept));
        }
        if body.is_end_stream() {
            exchange.rest = Rest::Nothing;
            drop(exchange);
            drop(scope.end(Outcome::Succeeded).await);
            return Response::from_parts(parts, Body::empty());
        }
        exchange.rest = Rest::Body(body);
        let bounds = Bounds { deadline: self.deadline, stall_timeout: self.stall_timeout };
        Response::from_parts(parts, Body::new(exchange, scope, bounds))
    }
}

fn invalid(what: &'static str, found: String, expected: &'static str) -> Error {
    Error::new(ErrorKind::InvalidInput, "client.send").with(what, found).with("expected", expected)
}

fn host(authority: &Authority) -> HeaderValue {
    // What the user's name and password are is not the server's name.
    let text = authority.as_str();
    let text = text.rsplit_once('@').map_or(text, |(_, host)| host);
    HeaderValue::from_str(text).unwrap_or_else(|_| HeaderValue::from_static(""))
}

fn absolute(authority: &Authority, path: &PathAndQuery) -> Uri {
    let parts = Uri::builder().scheme(Scheme::HTTP).authority(authority.clone());
    parts.path_and_query(path.clone()).build().unwrap_or_default()
}

/// The server's own bound, from `Keep-Alive: timeout=SECONDS` (RFC 2068, section 19.7.1.1).
fn kept_for(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get("keep-alive")?.to_str().ok()?;
    let seconds = text.split(',').find_map(|part| {
        let (name, value) = part.split_once('=')?;
        name.trim().eq_ignore_ascii_case("timeout").then(|| value.trim().parse().ok())?
    })?;
    Some(Duration::from_secs(seconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_server_says_of_keep_alive_is_read() {
        for (text, expected) in [
            ("timeout=5", Some(5)),
            ("max=100, Timeout = 7", Some(7)),
            ("timeout=", None),
            ("timeout=soon", None),
            ("max=100", None),
        ] {
            let headers = HeaderMap::from_iter([(
                HeaderName::from_static("keep-alive"),
                HeaderValue::from_static(text),
            )]);
            assert_eq!(kept_for(&headers), expected.map(Duration::from_secs), "{text}");
        }
    }
}
