use std::{
    collections::VecDeque,
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use http_body::{Body, Frame};

use crate::BoxError;

/// What of a body is here already: its frames in order, and how it failed after them.
#[derive(Debug, Default)]
pub(super) struct Ahead {
    /// Apart, as most bodies have one.
    first: Option<Frame<Bytes>>,
    rest: VecDeque<Frame<Bytes>>,
    error: Option<BoxError>,
    bytes: u64,
}

impl Ahead {
    /// All of a body that is whole.
    pub(super) fn whole(body: Bytes) -> Self {
        let mut ahead = Self::default();
        if !body.is_empty() {
            ahead.push(Frame::data(body));
        }
        ahead
    }

    /// Takes what a body has at once; the body comes back where it is not all. Only one whose length
    /// is known, and within the bound, is asked.
    pub(super) fn take<B>(mut body: B, bound: u64, context: &mut Context<'_>) -> (Self, Option<B>)
    where
        B: Body<Data = Bytes, Error: Into<BoxError>> + Unpin,
    {
        let mut ahead = Self::default();
        while !body.is_end_stream() {
            let left = body.size_hint().exact().map(|left| ahead.bytes.saturating_add(left));
            if left.is_none_or(|total| total > bound) {
                return (ahead, Some(body));
            }
            match Pin::new(&mut body).poll_frame(context) {
                Poll::Pending => return (ahead, Some(body)),
                Poll::Ready(None) => break,
                Poll::Ready(Some(Ok(frame))) => ahead.push(frame),
                Poll::Ready(Some(Err(error))) => {
                    ahead.error = Some(error.into());
                    break;
                }
            }
        }
        (ahead, None)
    }

    pub(super) fn push(&mut self, frame: Frame<Bytes>) {
        self.bytes += frame.data_ref().map_or(0, |data| data.len() as u64);
        if self.first.is_none() && self.rest.is_empty() {
            self.first = Some(frame);
        } else {
            self.rest.push_back(frame);
        }
    }

    pub(super) fn pop(&mut self) -> Option<Result<Frame<Bytes>, BoxError>> {
        let Some(frame) = self.first.take().or_else(|| self.rest.pop_front()) else {
            return self.error.take().map(Err);
        };
        self.bytes -= frame.data_ref().map_or(0, |data| data.len() as u64);
        Some(Ok(frame))
    }

    /// The trailers, where they are here.
    pub(super) fn trailers(&self) -> Option<&http::HeaderMap> {
        self.rest.back().or(self.first.as_ref()).and_then(Frame::trailers_ref)
    }

    pub(super) const fn has_failed(&self) -> bool {
        self.error.is_some()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.first.is_none() && self.rest.is_empty() && self.error.is_none()
    }

    pub(super) const fn bytes(&self) -> u64 {
        self.bytes
    }
}
