//! A request's turn on a connection, from when it is taken to when it is given back.

use std::{future::poll_fn, task::Poll};

use tokio::{sync::OwnedSemaphorePermit, time::timeout};

use super::{
    connection::Connection,
    options::DRAIN_DEADLINE,
    sender::Sender,
    status::{Found, Refused},
};

/// Ended by [`release`](Self::release) or [`discard`](Self::discard), as the cleanup of a scope.
#[derive(Debug)]
pub(super) struct Turn {
    pub(super) connection: Connection,
    pub(super) found: Found,
    read_before: u64,
    /// A place in the client's pool; free when the connection is.
    permit: Option<OwnedSemaphorePermit>,
}

impl Turn {
    pub(super) fn take(connection: &Connection) -> Result<Self, Refused> {
        let found = connection.claim()?;
        let read_before = connection.wire().read_bytes();
        Ok(Self { connection: connection.clone(), found, read_before, permit: None })
    }

    pub(super) fn holding(self, permit: OwnedSemaphorePermit) -> Self {
        Self { permit: Some(permit), ..self }
    }

    /// Whether a byte came since it was taken. Of HTTP/2 it may be another request's.
    pub(super) fn saw_bytes(&self) -> bool {
        self.connection.wire().read_bytes() > self.read_before
    }

    /// Its response was read to the end: the connection is the next one's, once it is ready.
    pub(super) async fn release(self) {
        if self.connection.is_http1() && !self.is_ready_again().await {
            return self.discard().await;
        }
        self.connection.give_back().await;
        drop(self.permit);
    }

    /// The connection cannot be used again.
    pub(super) async fn discard(self) {
        self.connection.give_up().await;
        drop(self.permit);
    }

    /// It is not while the request is still being sent: the server has answered early.
    async fn is_ready_again(&self) -> bool {
        let ready = poll_fn(|context| {
            let polled =
                self.connection.with_sender(|sender: &mut Sender| sender.poll_ready(context));
            polled.unwrap_or(Poll::Ready(false))
        });
        timeout(DRAIN_DEADLINE, ready).await == Ok(true)
    }
}
