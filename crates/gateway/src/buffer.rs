//! Buffers of connections, recycled per thread so that an idle connection holds none.

use std::{
    cell::RefCell,
    io,
    pin::Pin,
    task::{Context, Poll, ready},
};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// The size a buffer begins with.
const FIRST_BYTES: usize = 8 * 1024;
/// The size a buffer grows to while a connection streams.
const MOST_BYTES: usize = 64 * 1024;
/// Data up to this size is gathered rather than written at once.
const GATHER_BYTES: usize = 16 * 1024;
/// How many spare buffers of each kind a thread keeps.
const SPARE_BUFFERS: usize = 128;

thread_local! {
    static SPARE_INPUTS: RefCell<Vec<Vec<u8>>> = const { RefCell::new(Vec::new()) };
    static SPARE_OUTPUTS: RefCell<Vec<Vec<u8>>> = const { RefCell::new(Vec::new()) };
}

fn keep(spare: &'static std::thread::LocalKey<RefCell<Vec<Vec<u8>>>>, bytes: Vec<u8>) {
    if bytes.capacity() > GATHER_BYTES {
        return;
    }
    // While a thread ends its spares may be gone already; then the buffer just goes too.
    spare
        .try_with(|spare| {
            let mut spare = spare.borrow_mut();
            if spare.len() < SPARE_BUFFERS {
                spare.push(bytes);
            }
        })
        .unwrap_or_default();
}

/// Bytes that were received and not yet used.
#[derive(Debug, Default)]
pub(crate) struct Input {
    /// All initialised; `start..end` is what was received.
    bytes: Vec<u8>,
    start: usize,
    end: usize,
    /// Whether the last read filled all the room there was.
    was_full: bool,
}

impl Input {
    pub(crate) fn received(&self) -> &[u8] {
        &self.bytes[self.start..self.end]
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.start == self.end
    }

    pub(crate) fn consume(&mut self, count: usize) {
        self.start = (self.start + count).min(self.end);
        if self.is_empty() {
            (self.start, self.end) = (0, 0);
        }
    }

    /// Gives the buffer back while nothing is in it.
    pub(crate) fn release(&mut self) {
        if self.is_empty() && !self.bytes.is_empty() {
            keep(&SPARE_INPUTS, std::mem::take(&mut self.bytes));
            self.was_full = false;
        }
    }

    /// Makes room for at least one byte. `false` where the buffer is as large as it may be.
    fn make_room(&mut self) -> bool {
        if self.bytes.is_empty() {
            self.bytes =
                SPARE_INPUTS.with_borrow_mut(Vec::pop).unwrap_or_else(|| vec![0; FIRST_BYTES]);
        }
        if self.end == self.bytes.len() && self.start > 0 {
            self.bytes.copy_within(self.start..self.end, 0);
            (self.start, self.end) = (0, self.end - self.start);
        }
        if self.bytes.len() < MOST_BYTES && (self.was_full || self.end == self.bytes.len()) {
            self.bytes.resize(self.bytes.len() * 2, 0);
            self.was_full = false;
        }
        self.end < self.bytes.len()
    }

    /// Reads once; how many bytes came, 0 at the end of the stream or where there is no room.
    pub(crate) fn poll_fill<R: AsyncRead + Unpin>(
        &mut self,
        cx: &mut Context<'_>,
        reader: &mut R,
    ) -> Poll<io::Result<usize>> {
        if !self.make_room() {
            return Poll::Ready(Err(io::Error::other("the buffer is full")));
        }
        let mut room = ReadBuf::new(&mut self.bytes[self.end..]);
        ready!(Pin::new(reader).poll_read(cx, &mut room))?;
        let count = room.filled().len();
        self.was_full = room.remaining() == 0;
        self.end += count;
        Poll::Ready(Ok(count))
    }

    /// Whether more can be read without anything being used first.
    pub(crate) fn has_room(&self) -> bool {
        self.end - self.start < MOST_BYTES
    }
}

impl Drop for Input {
    fn drop(&mut self) {
        (self.start, self.end) = (0, 0);
        self.release();
    }
}

/// Bytes that are to be sent.
#[derive(Debug, Default)]
pub(crate) struct Output {
    bytes: Vec<u8>,
    sent: usize,
}

impl Output {
    /// The buffer, to append to.
    pub(crate) fn buffer(&mut self) -> &mut Vec<u8> {
        if self.bytes.capacity() == 0 {
            self.bytes = SPARE_OUTPUTS
                .with_borrow_mut(Vec::pop)
                .unwrap_or_else(|| Vec::with_capacity(FIRST_BYTES / 2));
        }
        &mut self.bytes
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.sent == self.bytes.len()
    }

    /// Gives the buffer back while nothing is in it.
    pub(crate) fn release(&mut self) {
        if self.is_empty() && self.bytes.capacity() > 0 {
            let mut bytes = std::mem::take(&mut self.bytes);
            bytes.clear();
            self.sent = 0;
            keep(&SPARE_OUTPUTS, bytes);
        }
    }

    fn clear_if_sent(&mut self) {
        if self.is_empty() {
            self.bytes.clear();
            self.sent = 0;
        }
    }

    /// Writes everything that was gathered.
    pub(crate) fn poll_flush<W: AsyncWrite + Unpin>(
        &mut self,
        cx: &mut Context<'_>,
        writer: &mut W,
    ) -> Poll<io::Result<()>> {
        while !self.is_empty() {
            let count = ready!(Pin::new(&mut *writer).poll_write(cx, &self.bytes[self.sent..]))?;
            if count == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.sent += count;
        }
        self.clear_if_sent();
        Pin::new(writer).poll_flush(cx)
    }

    /// Takes some of `data`: gathered where it is little, written at once with what was gathered
    /// where it is much. How many bytes were taken, at least 1.
    pub(crate) fn poll_take<W: AsyncWrite + Unpin>(
        &mut self,
        cx: &mut Context<'_>,
        writer: &mut W,
        data: &[u8],
    ) -> Poll<io::Result<usize>> {
        loop {
            let gathered = self.bytes.len() - self.sent;
            if gathered + data.len() <= GATHER_BYTES {
                self.buffer().extend_from_slice(data);
                return Poll::Ready(Ok(data.len()));
            }
            let slices = [io::IoSlice::new(&self.bytes[self.sent..]), io::IoSlice::new(data)];
            let count = ready!(Pin::new(&mut *writer).poll_write_vectored(cx, &slices))?;
            if count == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.sent += count.min(gathered);
            self.clear_if_sent();
            if count > gathered {
                return Poll::Ready(Ok(count - gathered));
            }
        }
    }
}

impl Drop for Output {
    fn drop(&mut self) {
        self.sent = self.bytes.len();
        self.release();
    }
}
