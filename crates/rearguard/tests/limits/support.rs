//! Services to be called, and what is asked of results.

use std::{
    future::Future,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering::Relaxed},
    },
    task::{Context, Poll},
};

use http::{Request, Response};
use rearguard::{BoxError, Error, ErrorKind};
use tower::Service;

pub(crate) type Answer = Result<Response<String>, BoxError>;

pub(crate) fn answer(status: u16) -> Answer {
    Ok(Response::builder().status(status).body(String::new())?)
}

pub(crate) fn error(kind: ErrorKind) -> Answer {
    Err(Error::new(kind, "test").into())
}

pub(crate) fn get() -> Request<String> {
    Request::new(String::new())
}

/// The first error of ours in a result.
pub(crate) fn our_error<T: std::fmt::Debug>(result: Result<T, BoxError>) -> Error {
    match result.unwrap_err().downcast::<Error>() {
        Ok(error) => *error,
        Err(other) => panic!("not one of ours: {other}"),
    }
}

/// A service made of a function of the number of the call, from 1, and the request. It counts calls;
/// a clone counts with it, and must be made ready anew, else it panics.
pub(crate) struct Scripted<F> {
    script: F,
    calls: Arc<AtomicU32>,
    is_ready: bool,
}

impl<F> Scripted<F> {
    pub(crate) fn new(script: F) -> Self {
        Self { script, calls: Arc::default(), is_ready: false }
    }

    pub(crate) fn calls(&self) -> Calls {
        Calls(Arc::clone(&self.calls))
    }
}

pub(crate) struct Calls(Arc<AtomicU32>);

impl Calls {
    pub(crate) fn made(&self) -> u32 {
        self.0.load(Relaxed)
    }
}

impl<F: Clone> Clone for Scripted<F> {
    fn clone(&self) -> Self {
        let calls = Arc::clone(&self.calls);
        Self { script: self.script.clone(), calls, is_ready: false }
    }
}

impl<F, A, R> Service<R> for Scripted<F>
where
    F: Fn(u32, R) -> A,
    A: Future<Output = Answer> + Send + 'static,
{
    type Response = Response<String>;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Answer> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.is_ready = true;
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: R) -> Self::Future {
        assert!(std::mem::take(&mut self.is_ready), "called without being ready");
        let call = self.calls.fetch_add(1, Relaxed) + 1;
        Box::pin((self.script)(call, request))
    }
}

/// A service that is never ready.
#[derive(Clone, Debug)]
pub(crate) struct NeverReady;

impl<R> Service<R> for NeverReady {
    type Response = Response<String>;
    type Error = BoxError;
    type Future = std::future::Ready<Answer>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Pending
    }

    fn call(&mut self, _: R) -> Self::Future {
        unreachable!("it is never ready")
    }
}
