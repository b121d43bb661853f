use std::{
    fmt,
    future::Future,
    pin::Pin,
    sync::{Arc, atomic::Ordering::Relaxed},
    task::{Context, Poll, ready},
    time::SystemTime,
};

use http::{HeaderValue, Request, Response, request::Parts};
use http_body::Body;
use pin_project_lite::pin_project;
use tokio::time::{Sleep, sleep};
use tower_service::Service;

use super::{
    ReplayBody, RetriesSpent, RetryRule, StopReason,
    backoff::{Pushback, pushback},
    body::Replay,
    budget::Withdrawal,
    layer::{ATTEMPT_COUNT, Policy},
    plan::{Decision, Situation, decide},
};
use crate::{BoxError, CallContext, Error, ErrorKind, layers::ambient::rounded};

pin_project! {
    /// A request that is sent until it succeeds, or may not be sent again.
    #[must_use = "futures do nothing unless polled"]
    pub struct ResponseFuture<S, R, B>
    where
        S: Service<Request<ReplayBody<B>>>,
    {
        #[pin]
        state: State<S::Future>,
        sender: Sender<S, R, B>,
    }
}

/// All but the state: what is sent, by what, and what is known of it.
struct Sender<S, R, B> {
    service: S,
    policy: Arc<Policy<R>>,
    parts: Parts,
    body: Replay<B>,
    may_repeat: bool,
    tries: u32,
    context: Option<CallContext>,
    /// The context of the try that is on its way, if that is not the task's.
    try_context: Option<CallContext>,
}

pin_project! {
    #[project = StateProjection]
    enum State<F> {
        Calling { #[pin] inner: F, #[pin] timeout: Option<Sleep> },
        Waiting { #[pin] sleep: Sleep, withdrawal: Option<Withdrawal> },
        Readying { withdrawal: Option<Withdrawal> },
        Done,
    }
}

impl<S, R, B, T> ResponseFuture<S, R, B>
where
    S: Service<Request<ReplayBody<B>>, Response = Response<T>, Error: Into<BoxError>>,
    R: RetryRule<T>,
    B: Body<Error: Into<BoxError>>,
{
    pub(super) fn new(
        service: S,
        policy: Arc<Policy<R>>,
        parts: Parts,
        body: Replay<B>,
        may_repeat: bool,
        context: Option<CallContext>,
    ) -> Self {
        let mut sender = Sender {
            service,
            policy,
            parts,
            body,
            may_repeat,
            tries: 0,
            context,
            try_context: None,
        };
        Self { state: sender.send(), sender }
    }
}

impl<S, R, B, T> Sender<S, R, B>
where
    S: Service<Request<ReplayBody<B>>, Response = Response<T>, Error: Into<BoxError>>,
    R: RetryRule<T>,
    B: Body<Error: Into<BoxError>>,
{
    /// Begins a try. The service is ready.
    fn send(&mut self) -> State<S::Future> {
        self.tries += 1;
        let mut request = Request::from_parts(self.parts.clone(), self.body.reader());
        request.headers_mut().insert(ATTEMPT_COUNT, HeaderValue::from(self.tries));
        let timeout = self.policy.options.try_timeout;
        // Where there is none, it begins one: what is inside must know the end of the try's time.
        self.try_context =
            timeout.map(|left| self.context.clone().unwrap_or_default().within(left));
        let service = &mut self.service;
        let inner = within(self.try_context.as_ref(), || service.call(request));
        State::Calling { inner, timeout: timeout.map(sleep) }
    }

    /// A try has ended: its result goes out, or the next state.
    fn judge(
        &self,
        result: Result<Response<T>, BoxError>,
    ) -> Result<State<S::Future>, Result<Response<T>, BoxError>> {
        let options = &self.policy.options;
        let verdict = self.policy.rule.verdict(&result);
        let situation = Situation {
            tries: self.tries,
            verdict,
            may_repeat: self.may_repeat,
            body_is_whole: self.body.is_whole(),
            pushback: match &result {
                Ok(response) => pushback(response.headers(), SystemTime::now()),
                Err(_) => Pushback::None,
            },
            left: self.context.as_ref().and_then(CallContext::remaining),
            chance: options.chance.draw(),
        };
        let reason = match decide(options, situation) {
            Decision::Stand => {
                let recovered = u64::from(self.tries > 1);
                self.policy.counts.recovered.fetch_add(recovered, Relaxed);
                return Err(result);
            }
            Decision::Stop(reason) => reason,
            Decision::Again(wait) => match self.policy.budget.withdraw() {
                Some(withdrawal) => {
                    let withdrawal = Some(withdrawal);
                    return Ok(State::Waiting { sleep: sleep(wait), withdrawal });
                }
                None => StopReason::Budget,
            },
        };
        self.policy.counts.stopped[reason as usize].fetch_add(1, Relaxed);
        Err(self.spent(result, reason))
    }

    fn spent(
        &self,
        result: Result<Response<T>, BoxError>,
        reason: StopReason,
    ) -> Result<Response<T>, BoxError> {
        let tries = self.tries;
        match result {
            Ok(mut response) => {
                response.extensions_mut().insert(RetriesSpent { tries, reason });
                Ok(response)
            }
            // Where there was to be one try only, nothing is spent.
            Err(error) if self.policy.options.attempts == 1 => Err(error),
            Err(error) => Err(Error::new(ErrorKind::RetriesSpent, "retry.send")
                .with("tries", tries.to_string())
                .with("why", reason.as_str())
                .because(error)
                .into()),
        }
    }

    /// The try's time is over.
    fn timed_out(&self) -> BoxError {
        let after = self.policy.options.try_timeout.map(rounded).unwrap_or_default();
        Error::new(ErrorKind::ResponseTimedOut, "retry.try")
            .with("try", self.tries.to_string())
            .with("after", after)
            .into()
    }
}

/// Runs it with this as the task's context, if there is one.
fn within<T>(context: Option<&CallContext>, body: impl FnOnce() -> T) -> T {
    match context {
        Some(context) => context.clone().sync_scope(body),
        None => body(),
    }
}

impl<S, R, B, T> Future for ResponseFuture<S, R, B>
where
    S: Service<Request<ReplayBody<B>>, Response = Response<T>, Error: Into<BoxError>>,
    R: RetryRule<T>,
    B: Body<Error: Into<BoxError>>,
{
    type Output = Result<Response<T>, BoxError>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        let sender = this.sender;
        loop {
            let next = match this.state.as_mut().project() {
                StateProjection::Calling { inner, timeout } => {
                    let polled = within(sender.try_context.as_ref(), || inner.poll(context));
                    let result = match polled {
                        Poll::Ready(result) => result.map_err(Into::into),
                        Poll::Pending => {
                            let Some(timeout) = timeout.as_pin_mut() else { return Poll::Pending };
                            ready!(timeout.poll(context));
                            Err(sender.timed_out())
                        }
                    };
                    // The try has stopped when it is judged.
                    this.state.set(State::Done);
                    match sender.judge(result) {
                        Ok(next) => next,
                        Err(result) => return Poll::Ready(result),
                    }
                }
                StateProjection::Waiting { sleep, withdrawal } => {
                    ready!(sleep.poll(context));
                    State::Readying { withdrawal: withdrawal.take() }
                }
                StateProjection::Readying { withdrawal } => {
                    if let Err(error) = ready!(sender.service.poll_ready(context)) {
                        this.state.set(State::Done);
                        return Poll::Ready(Err(error.into()));
                    }
                    if let Some(withdrawal) = withdrawal.take() {
                        withdrawal.spend();
                    }
                    sender.policy.counts.retries.fetch_add(1, Relaxed);
                    sender.send()
                }
                StateProjection::Done => unreachable!("polled after it was done"),
            };
            this.state.set(next);
        }
    }
}

impl<S, R, B> fmt::Debug for ResponseFuture<S, R, B>
where
    S: Service<Request<ReplayBody<B>>>,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseFuture")
            .field("tries", &self.sender.tries)
            .field("policy", &self.sender.policy)
            .finish_non_exhaustive()
    }
}
