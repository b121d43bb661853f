//! Where the body of an answer comes from: the handler, or the layer itself.

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;

use crate::BoxError;

pin_project! {
    #[project = SourceProjection]
    #[derive(Debug)]
    pub(super) enum Source<B> {
        Handler { #[pin] body: B },
        Layer { body: Bytes },
        Ended,
    }
}

impl<B> Source<B> {
    pub(super) fn poll(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>>
    where
        B: Body<Data = Bytes, Error: Into<BoxError>>,
    {
        let body = match self.as_mut().project() {
            SourceProjection::Handler { body } => {
                let next = ready!(body.poll_frame(context));
                return Poll::Ready(next.map(|next| next.map_err(Into::into)));
            }
            SourceProjection::Layer { body } => std::mem::take(body),
            SourceProjection::Ended => return Poll::Ready(None),
        };
        self.set(Self::Ended);
        Poll::Ready((!body.is_empty()).then(|| Ok(Frame::data(body))))
    }

    pub(super) fn is_end_stream(&self) -> bool
    where
        B: Body,
    {
        match self {
            Self::Handler { body } => body.is_end_stream(),
            Self::Layer { body } => body.is_empty(),
            Self::Ended => true,
        }
    }

    pub(super) fn size_hint(&self) -> SizeHint
    where
        B: Body,
    {
        match self {
            Self::Handler { body } => body.size_hint(),
            Self::Layer { body } => SizeHint::with_exact(body.len() as u64),
            Self::Ended => SizeHint::with_exact(0),
        }
    }
}
