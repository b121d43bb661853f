use std::{
    collections::VecDeque,
    mem,
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use http::HeaderMap;
use http_body::{Body, Frame};

use crate::BoxError;

/// What of a body is here already: its frames in order, and how it failed after them.
#[derive(Debug, Default)]
pub(super) struct Ahead {
    /// Most bodies have one frame.
    first: Bytes,
    rest: Option<Box<Rest>>,
}

#[derive(Debug, Default)]
struct Rest {
    frames: VecDeque<Frame<Bytes>>,
    error: Option<BoxError>,
}

/// Whether a body has more than was taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum More {
    Yes,
    No,
}

impl Ahead {
    /// All of a body that is whole.
    pub(super) fn whole(first: Bytes) -> Self {
        Self { first, rest: None }
    }

    /// Takes what a body has at once. Only one whose length is known, and within the bound, is asked.
    #[inline]
    pub(super) fn take<B>(body: &mut B, bound: u64, context: &mut Context<'_>) -> (Self, More)
    where
        B: Body<Data = Bytes, Error: Into<BoxError>> + Unpin,
    {
        let mut ahead = Self::default();
        let mut taken = 0_u64;
        while !body.is_end_stream() {
            let left = body.size_hint().exact();
            if left.is_none_or(|left| taken.saturating_add(left) > bound) {
                return (ahead, More::Yes);
            }
            match Pin::new(&mut *body).poll_frame(context) {
                Poll::Pending => return (ahead, More::Yes),
                Poll::Ready(None) => break,
                Poll::Ready(Some(Ok(frame))) => {
                    taken += frame.data_ref().map_or(0, |data| data.len() as u64);
                    ahead.push(frame);
                }
                Poll::Ready(Some(Err(error))) => {
                    ahead.rest.get_or_insert_default().error = Some(error.into());
                    break;
                }
            }
        }
        (ahead, More::No)
    }

    #[inline]
    fn push(&mut self, frame: Frame<Bytes>) {
        let only = self.first.is_empty() && self.rest.is_none();
        match frame.into_data() {
            Ok(data) if only => self.first = data,
            Ok(data) => self.rest.get_or_insert_default().frames.push_back(Frame::data(data)),
            Err(frame) => self.rest.get_or_insert_default().frames.push_back(frame),
        }
    }

    #[inline]
    pub(super) fn pop(&mut self) -> Option<Result<Frame<Bytes>, BoxError>> {
        if !self.first.is_empty() {
            return Some(Ok(Frame::data(mem::take(&mut self.first))));
        }
        let rest = self.rest.as_mut()?;
        rest.frames.pop_front().map(Ok).or_else(|| rest.error.take().map(Err))
    }

    /// The trailers, where they are here.
    pub(super) fn trailers(&self) -> Option<&HeaderMap> {
        self.rest.as_ref()?.frames.back().and_then(Frame::trailers_ref)
    }

    pub(super) fn has_failed(&self) -> bool {
        self.rest.as_ref().is_some_and(|rest| rest.error.is_some())
    }

    pub(super) fn is_empty(&self) -> bool {
        let none = |rest: &Rest| rest.frames.is_empty() && rest.error.is_none();
        self.first.is_empty() && self.rest.as_deref().is_none_or(none)
    }

    /// How many bytes of data it has.
    pub(super) fn bytes(&self) -> u64 {
        let rest = self.rest.iter().flat_map(|rest| &rest.frames).filter_map(Frame::data_ref);
        rest.map(Bytes::len).sum::<usize>() as u64 + self.first.len() as u64
    }
}
