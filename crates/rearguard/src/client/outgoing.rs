//! A request's body that can be sent again, while it is short enough to be kept.

use std::{
    error,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, ready},
};

use bytes::{Buf as _, Bytes};
use http::HeaderMap;
use http_body::{Body, Frame, SizeHint};
use http_body_util::{BodyExt as _, combinators::UnsyncBoxBody};

use super::options::REPLAY_MAX_BYTES;

type BoxError = Box<dyn error::Error + Send + Sync>;

/// The body, and what was read of it.
#[derive(Debug)]
pub(super) struct Replay(Arc<Mutex<Source>>);

#[derive(Debug)]
struct Source {
    body: UnsyncBoxBody<Bytes, BoxError>,
    exact_bytes: Option<u64>,
    kept: Vec<Piece>,
    kept_bytes: usize,
    /// More was read than is kept, or it failed.
    spent: bool,
    failed: bool,
    ended: bool,
    /// The newest reader's; older ones get no more.
    reader: u32,
}

#[derive(Clone, Debug)]
enum Piece {
    Data(Bytes),
    Trailers(HeaderMap),
}

/// One sending of it.
#[derive(Debug)]
pub(super) struct Outgoing {
    source: Arc<Mutex<Source>>,
    reader: u32,
    next: usize,
    exact_bytes: Option<u64>,
}

fn lock(source: &Mutex<Source>) -> MutexGuard<'_, Source> {
    source.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Replay {
    pub(super) fn new<B>(body: B) -> Self
    where
        B: Body<Error: Into<BoxError>> + Send + 'static,
    {
        let exact_bytes = body.size_hint().exact();
        let body = body
            .map_frame(|frame| frame.map_data(|mut data| data.copy_to_bytes(data.remaining())))
            .map_err(Into::into);
        Self(Arc::new(Mutex::new(Source {
            exact_bytes,
            ended: body.is_end_stream(),
            body: UnsyncBoxBody::new(body),
            kept: Vec::new(),
            kept_bytes: 0,
            spent: false,
            failed: false,
            reader: 0,
        })))
    }

    /// The body from its beginning. Readers that were made before get no more.
    pub(super) fn outgoing(&self) -> Outgoing {
        let mut source = lock(&self.0);
        source.reader += 1;
        let (reader, exact_bytes) = (source.reader, source.exact_bytes);
        Outgoing { source: Arc::clone(&self.0), reader, next: 0, exact_bytes }
    }

    /// Whether it can be read from its beginning again.
    pub(super) fn is_whole(&self) -> bool {
        !lock(&self.0).spent
    }

    /// Whether it was the body that failed.
    pub(super) fn has_failed(&self) -> bool {
        lock(&self.0).failed
    }
}

impl Source {
    fn poll_next(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Piece, BoxError>>> {
        let piece = match ready!(Pin::new(&mut self.body).poll_frame(context)) {
            Some(Ok(frame)) => match frame.into_data() {
                Ok(data) => Piece::Data(data),
                Err(frame) => match frame.into_trailers() {
                    Ok(trailers) => Piece::Trailers(trailers),
                    Err(_) => Piece::Data(Bytes::new()),
                },
            },
            Some(Err(error)) => {
                self.spent = true;
                self.failed = true;
                return Poll::Ready(Some(Err(error)));
            }
            None => {
                self.ended = true;
                return Poll::Ready(None);
            }
        };
        self.keep(&piece);
        self.ended = self.body.is_end_stream();
        Poll::Ready(Some(Ok(piece)))
    }

    fn keep(&mut self, piece: &Piece) {
        if let Piece::Data(data) = piece {
            self.kept_bytes = self.kept_bytes.saturating_add(data.len());
        }
        // Each piece counts, so that many empty ones are bounded, too.
        if self.kept_bytes.max(self.kept.len()) > REPLAY_MAX_BYTES {
            self.spent = true;
            self.kept = Vec::new();
        }
        if !self.spent {
            self.kept.push(piece.clone());
        }
    }
}

impl Body for Outgoing {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let this = &mut *self;
        let mut source = lock(&this.source);
        if this.reader != source.reader {
            return Poll::Ready(Some(Err("the request was sent again".into())));
        }
        let piece = match source.kept.get(this.next) {
            Some(piece) => piece.clone(),
            None if source.ended => return Poll::Ready(None),
            None => match ready!(source.poll_next(context)) {
                Some(piece) => piece?,
                None => return Poll::Ready(None),
            },
        };
        this.next += 1;
        Poll::Ready(Some(Ok(match piece {
            Piece::Data(data) => {
                this.exact_bytes =
                    this.exact_bytes.map(|left| left.saturating_sub(data.len() as u64));
                Frame::data(data)
            }
            Piece::Trailers(trailers) => Frame::trailers(trailers),
        })))
    }

    fn is_end_stream(&self) -> bool {
        let source = lock(&self.source);
        source.ended && self.next >= source.kept.len()
    }

    fn size_hint(&self) -> SizeHint {
        self.exact_bytes.map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::Full;

    use super::*;

    #[tokio::test]
    async fn a_short_body_is_read_again_from_its_beginning() {
        let replay = Replay::new(Full::new(Bytes::from_static(b"hello")));
        let mut first = replay.outgoing();
        assert_eq!(first.size_hint().exact(), Some(5));
        assert!(first.frame().await.is_some());
        assert!(replay.is_whole());
        let again = replay.outgoing();
        assert_eq!(again.size_hint().exact(), Some(5));
        assert_eq!(again.collect().await.unwrap().to_bytes(), "hello");
        // The first sending gets nothing of what the second shall send.
        assert!(first.frame().await.unwrap().is_err());
    }

    #[tokio::test]
    async fn a_long_body_is_read_once() {
        let replay = Replay::new(Full::new(Bytes::from(vec![0; REPLAY_MAX_BYTES + 1])));
        assert!(replay.is_whole());
        let sent = replay.outgoing().collect().await.unwrap().to_bytes();
        assert_eq!(sent.len(), REPLAY_MAX_BYTES + 1);
        assert!(!replay.is_whole());
    }

    #[tokio::test]
    async fn a_body_that_fails_is_not_read_again() {
        let replay = Replay::new(Failing);
        assert!(replay.outgoing().collect().await.is_err());
        assert!(replay.has_failed() && !replay.is_whole());
    }

    struct Failing;

    impl Body for Failing {
        type Data = Bytes;
        type Error = &'static str;

        fn poll_frame(
            self: Pin<&mut Self>,
            _: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
            Poll::Ready(Some(Err("it cannot be read")))
        }
    }
}
