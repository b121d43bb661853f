//! A request body that can be sent again: what was sent of it is kept, up to a bound.

use std::{
    fmt,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, ready},
};

use bytes::{Buf, Bytes};
use http::HeaderMap;
use http_body::{Body, Frame, SizeHint};

use crate::{BoxError, Error, ErrorKind};

/// Of a body no more than this is kept to be sent again. Once more of it was sent, there is no retry.
pub const REPLAY_MAX_BYTES: usize = 64 * 1024;

/// Nor more frames than this, as each has a cost of its own.
pub const REPLAY_MAX_FRAMES: usize = 1024;

/// The body of a try, as the service inside a [`RetryLayer`](super::RetryLayer) sees it.
///
/// It streams: the first try sends what comes while it comes. A further one sends what was kept, and
/// goes on with the rest. One that is superseded by a further try yields an error.
pub struct ReplayBody<B>(Option<Reader<B>>);

struct Reader<B> {
    shared: Arc<Mutex<Shared<B>>>,
    attempt: u32,
    /// The frame that it reads next.
    next: usize,
}

/// The body of a request, of which each try has a reader. An empty one has nothing to share.
pub(super) struct Replay<B>(Option<Arc<Mutex<Shared<B>>>>);

struct Shared<B> {
    /// What was sent, as long as all of it is kept.
    frames: Vec<Kept>,
    kept_bytes: usize,
    /// Some of what was sent is not kept.
    gone: bool,
    /// What was not sent; `None` when it has ended.
    rest: Option<Pin<Box<B>>>,
    /// Only the latest try may read on.
    attempt: u32,
}

#[derive(Clone)]
enum Kept {
    Data(Bytes),
    Trailers(HeaderMap),
}

impl<B: Body> Replay<B> {
    pub(super) fn new(body: B) -> Self {
        if body.is_end_stream() {
            return Self(None);
        }
        let rest = Some(Box::pin(body));
        let shared = Shared { frames: Vec::new(), kept_bytes: 0, gone: false, rest, attempt: 0 };
        Self(Some(Arc::new(Mutex::new(shared))))
    }

    /// Whether it can be sent once more.
    pub(super) fn is_whole(&self) -> bool {
        self.0.as_ref().is_none_or(|shared| !lock(shared).gone)
    }

    /// The reader of a try; that of the try before reads no further.
    pub(super) fn reader(&self) -> ReplayBody<B> {
        ReplayBody(self.0.as_ref().map(|shared| {
            let mut locked = lock(shared);
            locked.attempt += 1;
            Reader { shared: Arc::clone(shared), attempt: locked.attempt, next: 0 }
        }))
    }
}

fn lock<B>(shared: &Mutex<Shared<B>>) -> MutexGuard<'_, Shared<B>> {
    // A body that panicked has been sent as far as it was kept.
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

impl<B: Body<Error: Into<BoxError>>> Shared<B> {
    fn poll_rest(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Kept, BoxError>>> {
        let Some(rest) = &mut self.rest else { return Poll::Ready(None) };
        let Some(frame) = ready!(rest.as_mut().poll_frame(context)) else {
            self.rest = None;
            return Poll::Ready(None);
        };
        let frame = match frame {
            Ok(frame) => frame,
            Err(error) => {
                // Whoever sends it cannot go on, so nobody can.
                self.drop_kept();
                self.rest = None;
                return Poll::Ready(Some(Err(error.into())));
            }
        };
        let frame = match frame.into_data() {
            Ok(mut data) => Kept::Data(data.copy_to_bytes(data.remaining())),
            Err(frame) => Kept::Trailers(frame.into_trailers().unwrap_or_default()),
        };
        self.keep(&frame);
        Poll::Ready(Some(Ok(frame)))
    }

    fn keep(&mut self, frame: &Kept) {
        if let Kept::Data(data) = frame {
            self.kept_bytes = self.kept_bytes.saturating_add(data.len());
        }
        if self.kept_bytes > REPLAY_MAX_BYTES || self.frames.len() >= REPLAY_MAX_FRAMES {
            self.drop_kept();
        }
        if !self.gone {
            self.frames.push(frame.clone());
        }
    }

    fn drop_kept(&mut self) {
        self.gone = true;
        self.frames = Vec::new();
    }
}

impl<B: Body<Error: Into<BoxError>>> Body for ReplayBody<B> {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let Some(Reader { shared, attempt, next }) = &mut self.get_mut().0 else {
            return Poll::Ready(None);
        };
        let mut shared = lock(shared);
        if shared.attempt != *attempt {
            let error = Error::new(ErrorKind::Cancelled, "retry.body");
            return Poll::Ready(Some(Err(error.because("a further try has begun").into())));
        }
        let frame = match shared.frames.get(*next) {
            Some(kept) => kept.clone(),
            None => match ready!(shared.poll_rest(context)) {
                Some(Ok(frame)) => frame,
                Some(Err(error)) => return Poll::Ready(Some(Err(error))),
                None => return Poll::Ready(None),
            },
        };
        *next += 1;
        Poll::Ready(Some(Ok(match frame {
            Kept::Data(data) => Frame::data(data),
            Kept::Trailers(trailers) => Frame::trailers(trailers),
        })))
    }

    fn is_end_stream(&self) -> bool {
        let Some(Reader { shared, next, .. }) = &self.0 else { return true };
        let shared = lock(shared);
        *next >= shared.frames.len() && shared.rest.as_ref().is_none_or(|rest| rest.is_end_stream())
    }

    fn size_hint(&self) -> SizeHint {
        let Some(Reader { shared, next, .. }) = &self.0 else { return SizeHint::with_exact(0) };
        let shared = lock(shared);
        let kept: usize = shared.frames[(*next).min(shared.frames.len())..]
            .iter()
            .map(|frame| if let Kept::Data(data) = frame { data.len() } else { 0 })
            .sum();
        let kept = kept as u64;
        let rest = shared.rest.as_ref().map_or(SizeHint::with_exact(0), |rest| rest.size_hint());
        let mut hint = SizeHint::new();
        hint.set_lower(rest.lower().saturating_add(kept));
        if let Some(upper) = rest.upper().and_then(|upper| upper.checked_add(kept)) {
            hint.set_upper(upper);
        }
        hint
    }
}

impl<B> fmt::Debug for ReplayBody<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let attempt = self.0.as_ref().map(|reader| reader.attempt);
        f.debug_struct("ReplayBody").field("attempt", &attempt).finish_non_exhaustive()
    }
}
