//! What passes between a client and its server, looked at from beside: whether a transaction is
//! open, which command ended how, whether an answer is still due.
//!
//! The server says the first with every answer, in the status byte of ReadyForQuery; the client
//! library does not hand it on. So its stream is wrapped, and read along ([`Watched`]). It costs no
//! round trip and is right also when somebody sends a BEGIN by hand.

use std::{
    io,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, ready},
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    sync::Notify,
};

use super::{
    frames::{Frame, Frames},
    sqlstate::SqlState,
};

/// The server's word on the session, as of its last answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Status {
    Idle,
    InTransaction,
    /// In a transaction that can only be rolled back.
    Failed,
}

/// How the last command ended that was answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tag {
    Commit,
    Rollback,
    Other,
}

/// Which stream is read along: with TLS, the one inside it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Layer {
    Plain,
    Tls,
}

/// What is known of one connection.
#[derive(Debug)]
pub(super) struct Wire {
    seen: Mutex<Seen>,
    answered: Notify,
}

#[derive(Debug)]
struct Seen {
    /// None until the connection is up: how it comes up is not of this shape.
    layer: Option<Layer>,
    tls: bool,
    from_server: Frames,
    from_client: Frames,
    /// What was sent that is answered by a ReadyForQuery, less those answers.
    due: i64,
    /// Part of a request was sent.
    begun: bool,
    status: Status,
    /// As of the answer before the last.
    before: Status,
    tag: Tag,
    last_error: Option<SqlState>,
    /// What made the open transaction fail.
    failure: Option<SqlState>,
    /// What ended the session.
    fatal: Option<SqlState>,
    closed: bool,
    /// Answers since the connection came up.
    answers: u64,
}

impl Wire {
    pub(super) fn new() -> Arc<Self> {
        let seen = Seen {
            layer: None,
            tls: false,
            from_server: Frames::new(),
            from_client: Frames::new(),
            due: 0,
            begun: false,
            status: Status::Idle,
            before: Status::Idle,
            tag: Tag::Other,
            last_error: None,
            failure: None,
            fatal: None,
            closed: false,
            answers: 0,
        };
        Arc::new(Self { seen: Mutex::new(seen), answered: Notify::new() })
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// TLS was agreed on.
    pub(super) fn tls(&self) {
        self.seen().tls = true;
    }

    /// The connection is up and idle: reads along from here.
    pub(super) fn begin(&self) {
        let mut seen = self.seen();
        seen.layer = Some(if seen.tls { Layer::Tls } else { Layer::Plain });
    }

    pub(super) fn status(&self) -> Status {
        self.seen().status
    }

    /// The status as of the answer before the last.
    pub(super) fn before(&self) -> Status {
        self.seen().before
    }

    pub(super) fn tag(&self) -> Tag {
        self.seen().tag
    }

    /// Whether an answer is due, as far as requests were written.
    pub(super) fn is_busy(&self) -> bool {
        let seen = self.seen();
        seen.due > 0 || seen.begun
    }

    pub(super) fn is_closed(&self) -> bool {
        self.seen().closed
    }

    /// The round trips so far.
    pub(super) fn answers(&self) -> u64 {
        self.seen().answers
    }

    /// What made the open transaction fail, or closed the connection.
    pub(super) fn failure(&self) -> Option<SqlState> {
        let seen = self.seen();
        if seen.closed { seen.fatal } else { seen.failure }
    }

    /// The last error that the server sent.
    pub(super) fn last_error(&self) -> Option<SqlState> {
        self.seen().last_error
    }

    pub(super) fn forget_errors(&self) {
        let mut seen = self.seen();
        seen.last_error = None;
        seen.failure = None;
    }

    /// The answer to the newest request has come, so nothing is due: corrects the count, should it
    /// be wrong.
    pub(super) fn settled(&self) {
        let mut seen = self.seen();
        seen.due = 0;
        seen.begun = false;
    }

    pub(super) fn close(&self) {
        self.seen().closed = true;
        self.answered.notify_waiters();
    }

    /// Waits until no answer is due, or the connection is closed.
    pub(super) async fn quiet(&self) {
        loop {
            let mut answered = std::pin::pin!(self.answered.notified());
            answered.as_mut().enable();
            if !self.is_busy() || self.is_closed() {
                return;
            }
            answered.await;
        }
    }

    fn received(&self, layer: Layer, bytes: &[u8]) {
        let mut seen = self.seen();
        if seen.layer != Some(layer) {
            return;
        }
        let mut frames = std::mem::replace(&mut seen.from_server, Frames::new());
        let before = seen.answers;
        frames.read(bytes, |frame| seen.server_sent(&frame));
        seen.from_server = frames;
        let answered = seen.answers != before;
        drop(seen);
        if answered {
            self.answered.notify_waiters();
        }
    }

    fn sent(&self, layer: Layer, bytes: &[u8]) {
        let mut seen = self.seen();
        if seen.layer != Some(layer) {
            return;
        }
        let mut frames = std::mem::replace(&mut seen.from_client, Frames::new());
        frames.read(bytes, |frame| {
            if let Frame::Begun(kind) = frame {
                seen.client_sends(kind);
            }
        });
        seen.from_client = frames;
    }
}

impl Seen {
    fn client_sends(&mut self, kind: u8) {
        match kind {
            // Query and Sync are answered by a ReadyForQuery.
            b'Q' | b'S' => {
                self.due += 1;
                self.begun = false;
            }
            // Terminate is answered by nothing.
            b'X' => {}
            _ => self.begun = true,
        }
    }

    fn server_sent(&mut self, frame: &Frame<'_>) {
        match *frame {
            Frame::Ended(b'Z', body) => {
                self.due -= 1;
                self.answers += 1;
                self.before = self.status;
                self.status = match body.first() {
                    Some(b'T') => Status::InTransaction,
                    Some(b'E') => Status::Failed,
                    _ => Status::Idle,
                };
                match self.status {
                    Status::Failed if self.before != Status::Failed => {
                        self.failure = self.last_error
                    }
                    Status::InTransaction => self.failure = None,
                    _ => {}
                }
            }
            Frame::Ended(b'C', body) => {
                self.tag = match body {
                    b"COMMIT\0" => Tag::Commit,
                    b"ROLLBACK\0" => Tag::Rollback,
                    _ => Tag::Other,
                };
            }
            Frame::Ended(b'E', body) => {
                self.last_error = code(body).or(self.last_error);
                // The severity, not translated.
                if matches!(field(body, b'V'), Some(b"FATAL" | b"PANIC")) {
                    self.fatal = self.last_error;
                }
            }
            // CopyInResponse: the client library had sent a Sync behind the command, which the
            // server skips, as it now reads data; another one comes when the data has ended.
            Frame::Begun(b'G') => self.due -= 1,
            _ => {}
        }
    }
}

/// The SQLSTATE in an ErrorResponse.
fn code(body: &[u8]) -> Option<SqlState> {
    SqlState::new(std::str::from_utf8(field(body, b'C')?).ok()?)
}

/// A field of an ErrorResponse: a letter, and a text that ends in a zero.
fn field(body: &[u8], letter: u8) -> Option<&[u8]> {
    body.split(|byte| *byte == 0).find(|field| field.first() == Some(&letter)).map(|it| &it[1..])
}

/// A stream that is read along.
#[derive(Debug)]
pub(super) struct Watched<S> {
    inner: S,
    layer: Layer,
    wire: Arc<Wire>,
}

impl<S> Watched<S> {
    pub(super) fn new(inner: S, layer: Layer, wire: Arc<Wire>) -> Self {
        Self { inner, layer, wire }
    }

    pub(super) fn inner(&self) -> &S {
        &self.inner
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Watched<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.inner).poll_read(context, buffer))?;
        self.wire.received(self.layer, &buffer.filled()[before..]);
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Watched<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let count = ready!(Pin::new(&mut self.inner).poll_write(context, bytes))?;
        self.wire.sent(self.layer, &bytes[..count]);
        Poll::Ready(Ok(count))
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(kind: u8, body: &[u8]) -> Vec<u8> {
        let mut bytes = vec![kind];
        bytes.extend(u32::try_from(body.len() + 4).unwrap().to_be_bytes());
        bytes.extend(body);
        bytes
    }

    fn begun() -> Arc<Wire> {
        let wire = Wire::new();
        wire.begin();
        wire
    }

    fn error(code: &str) -> Vec<u8> {
        message(b'E', format!("SERROR\0VERROR\0C{code}\0Msome text\0\0").as_bytes())
    }

    #[test]
    fn the_status_is_that_of_the_last_answer() {
        let wire = begun();
        for (byte, expected) in
            [(b'T', Status::InTransaction), (b'E', Status::Failed), (b'I', Status::Idle)]
        {
            wire.received(Layer::Plain, &message(b'Z', &[byte]));
            assert_eq!(wire.status(), expected);
        }
    }

    #[test]
    fn a_request_is_due_until_it_is_answered() {
        let wire = begun();
        wire.sent(Layer::Plain, &message(b'P', b"parse"));
        assert!(wire.is_busy());
        wire.sent(Layer::Plain, &message(b'S', b""));
        assert!(wire.is_busy());
        wire.received(Layer::Plain, &message(b'Z', b"I"));
        assert!(!wire.is_busy());
    }

    #[test]
    fn a_copy_is_due_until_its_data_has_ended() {
        let wire = begun();
        wire.sent(Layer::Plain, &[message(b'B', b"bind"), message(b'S', b"")].concat());
        wire.received(Layer::Plain, &message(b'G', b"\0\0\0"));
        wire.sent(Layer::Plain, &message(b'd', b"data"));
        assert!(wire.is_busy());
        wire.sent(Layer::Plain, &[message(b'c', b""), message(b'S', b"")].concat());
        assert!(wire.is_busy());
        wire.received(Layer::Plain, &message(b'Z', b"I"));
        assert!(!wire.is_busy());
    }

    #[test]
    fn the_failure_is_the_error_that_made_the_transaction_fail() {
        let wire = begun();
        wire.received(Layer::Plain, &message(b'Z', b"T"));
        wire.received(Layer::Plain, &[error("40001"), message(b'Z', b"E")].concat());
        wire.received(Layer::Plain, &[error("25P02"), message(b'Z', b"E")].concat());
        assert_eq!(wire.failure(), SqlState::new("40001"));
        assert_eq!(wire.last_error(), SqlState::new("25P02"));
        wire.received(Layer::Plain, &message(b'Z', b"T"));
        assert_eq!(wire.failure(), None);
    }

    #[test]
    fn a_commit_that_was_a_rollback_shows_in_the_tag() {
        let wire = begun();
        wire.received(Layer::Plain, &message(b'C', b"ROLLBACK\0"));
        assert_eq!(wire.tag(), Tag::Rollback);
        wire.received(Layer::Plain, &message(b'C', b"COMMIT\0"));
        assert_eq!(wire.tag(), Tag::Commit);
    }

    #[test]
    fn under_tls_only_what_is_inside_it_is_read() {
        let wire = Wire::new();
        wire.tls();
        wire.begin();
        wire.received(Layer::Plain, b"\x17\x03\x03\0\x01secret");
        wire.received(Layer::Tls, &message(b'Z', b"T"));
        assert_eq!(wire.status(), Status::InTransaction);
    }
}
