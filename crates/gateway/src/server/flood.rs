//! Bounds on what a client may do to an HTTP/2 connection beside sending requests: each frame is
//! counted by its head as its bytes pass, and a client that is over a bound is cut off.
//!
//! h2 keeps what a client can make it hold within bounds; these are about the work that frames
//! cost which lead nowhere. They are as far as that makes sense those of Envoy's "HTTP/2 protocol
//! options" (`config.core.v3.Http2ProtocolOptions`).

use std::{
    cell::Cell,
    io,
    pin::Pin,
    rc::Rc,
    task::{Context, Poll},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::Instant,
};

use super::rewound::Rewound;

/// Frames that only concern the connection (PING, SETTINGS, and such as are not known) in one
/// [`WINDOW`] without a frame of a request or an answer between them. Envoy's `max_outbound_control_frames`.
const MAX_CONTROL_FRAMES: u32 = 1000;
/// Frames in a row without a payload that do not end anything. Envoy's
/// `max_consecutive_inbound_frames_with_empty_payload`.
const MAX_EMPTY_FRAMES: u32 = 1;
/// PRIORITY frames for each stream that was opened, and for the connection. Envoy's
/// `max_inbound_priority_frames_per_stream`.
const MAX_PRIORITY_PER_STREAM: u64 = 100;
/// WINDOW_UPDATE frames for each DATA frame that was sent. Envoy's
/// `max_inbound_window_update_frames_per_data_frame_sent`.
const MAX_WINDOW_UPDATES_PER_DATA: u64 = 10;
/// WINDOW_UPDATE frames on top of that, and again for each stream: as in Envoy's formula.
const SPARE_WINDOW_UPDATES: u64 = 5;
/// RST_STREAM frames in one [`WINDOW`] that are not looked at; beyond them a client may reset half
/// of the streams it opens, as Envoy's `premature_reset` bounds have it (CVE-2023-44487).
const SPARE_RESETS: u64 = 100;
/// How long frames are counted together.
const WINDOW: Duration = Duration::from_secs(10);

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const PRIORITY: u8 = 2;
const RST_STREAM: u8 = 3;
const WINDOW_UPDATE: u8 = 8;
const CONTINUATION: u8 = 9;
/// The flags END_STREAM and END_HEADERS.
const END_STREAM: u8 = 0x1;
const END_HEADERS: u8 = 0x4;

/// The head of a frame (RFC 9113 section 4.1).
const FRAME_HEAD: usize = 9;
/// The preface that comes before a client's frames.
const PREFACE: usize = 24;

/// What a client was cut off for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Flood {
    Control,
    Empty,
    Priority,
    WindowUpdate,
    Reset,
}

/// What is known about a connection's bytes, for whoever serves it.
#[derive(Debug, Default)]
pub(super) struct Watch {
    flood: Cell<Option<Flood>>,
    /// Since when the client has taken no byte, while there are some for it.
    blocked: Cell<Option<Instant>>,
}

impl Watch {
    /// Whether the client went over a bound; nothing is read from it any more then.
    pub(super) const fn flood(&self) -> Option<Flood> {
        self.flood.get()
    }

    /// Since when the client has taken no byte, while there are some for it.
    pub(super) const fn blocked_since(&self) -> Option<Instant> {
        self.blocked.get()
    }
}

/// A client's connection whose frames are counted.
#[derive(Debug)]
pub(super) struct Watched {
    stream: Rewound,
    inbound: Heads,
    outbound: Heads,
    tally: Tally,
    watch: Rc<Watch>,
}

impl Watched {
    pub(super) fn new(stream: Rewound, watch: Rc<Watch>) -> Self {
        Self {
            stream,
            inbound: Heads { skip: PREFACE, ..Heads::default() },
            outbound: Heads::default(),
            tally: Tally::default(),
            watch,
        }
    }

    fn wrote(
        &mut self,
        written: Poll<io::Result<usize>>,
        parts: &[&[u8]],
    ) -> Poll<io::Result<usize>> {
        match written {
            Poll::Pending => {
                let since = self.watch.blocked.get().unwrap_or_else(Instant::now);
                self.watch.blocked.set(Some(since));
            }
            Poll::Ready(Ok(mut count)) => {
                self.watch.blocked.set(None);
                let Self { outbound, tally, .. } = self;
                for part in parts {
                    let taken = count.min(part.len());
                    count -= taken;
                    outbound.pass(&part[..taken], |head| tally.sent(head));
                }
            }
            Poll::Ready(Err(_)) => {}
        }
        written
    }
}

impl AsyncRead for Watched {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        // Whoever serves the connection looks at the watch whenever nothing more comes.
        if self.watch.flood.get().is_some() {
            return Poll::Pending;
        }
        let before = buf.filled().len();
        let this = &mut *self;
        std::task::ready!(Pin::new(&mut this.stream).poll_read(cx, buf))?;
        let mut flood = None;
        let now = Instant::now();
        this.inbound.pass(&buf.filled()[before..], |head| {
            flood = flood.or(this.tally.received(head, now).err());
        });
        if flood.is_some() {
            buf.set_filled(before);
            this.watch.flood.set(flood);
            return Poll::Pending;
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Watched {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(cx, buf);
        self.wrote(written, &[buf])
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(cx, bufs);
        let parts: Vec<&[u8]> = bufs.iter().map(|part| &**part).collect();
        self.wrote(written, &parts)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

/// Finds the heads of frames in the bytes that pass, however they are cut.
#[derive(Debug, Default)]
struct Heads {
    head: [u8; FRAME_HEAD],
    length: usize,
    /// Bytes to pass over before the next head.
    skip: usize,
}

#[derive(Clone, Copy, Debug)]
struct Head {
    kind: u8,
    flags: u8,
    payload: usize,
}

impl Heads {
    fn pass(&mut self, mut bytes: &[u8], mut seen: impl FnMut(Head)) {
        while !bytes.is_empty() {
            let skipped = self.skip.min(bytes.len());
            self.skip -= skipped;
            bytes = &bytes[skipped..];
            let wanted = (FRAME_HEAD - self.length).min(bytes.len());
            self.head[self.length..self.length + wanted].copy_from_slice(&bytes[..wanted]);
            self.length += wanted;
            bytes = &bytes[wanted..];
            if self.length == FRAME_HEAD {
                let [a, b, c, kind, flags, ..] = self.head;
                let payload = u32::from_be_bytes([0, a, b, c]) as usize;
                seen(Head { kind, flags, payload });
                self.skip = payload;
                self.length = 0;
            }
        }
    }
}

/// What has passed so far.
#[derive(Debug, Default)]
struct Tally {
    control: u32,
    empty: u32,
    opened: u64,
    priority: u64,
    window_updates: u64,
    data_sent: u64,
    /// When the current window began, and what came in it.
    window: Option<Instant>,
    opened_lately: u64,
    resets_lately: u64,
}

impl Tally {
    fn sent(&mut self, head: Head) {
        if matches!(head.kind, DATA | HEADERS) {
            self.control = 0;
            self.data_sent += u64::from(head.kind == DATA);
        }
    }

    fn received(&mut self, head: Head, now: Instant) -> Result<(), Flood> {
        if self.window.is_none_or(|began| now.duration_since(began) >= WINDOW) {
            self.window = Some(now);
            (self.control, self.opened_lately, self.resets_lately) = (0, 0, 0);
        }
        self.count_empty(head)?;
        match head.kind {
            DATA => self.control = 0,
            HEADERS => {
                self.control = 0;
                self.opened += 1;
                self.opened_lately += 1;
            }
            CONTINUATION => {}
            PRIORITY => {
                self.priority += 1;
                within(
                    self.priority,
                    MAX_PRIORITY_PER_STREAM * (1 + self.opened),
                    Flood::Priority,
                )?;
            }
            RST_STREAM => {
                self.resets_lately += 1;
                within(self.resets_lately, SPARE_RESETS + self.opened_lately / 2, Flood::Reset)?;
            }
            WINDOW_UPDATE => {
                self.window_updates += 1;
                let used = self.opened + MAX_WINDOW_UPDATES_PER_DATA * self.data_sent;
                let most = SPARE_WINDOW_UPDATES + 2 * used;
                within(self.window_updates, most, Flood::WindowUpdate)?;
            }
            _ => {
                self.control += 1;
                within(self.control, MAX_CONTROL_FRAMES, Flood::Control)?;
            }
        }
        Ok(())
    }

    fn count_empty(&mut self, head: Head) -> Result<(), Flood> {
        let ends = match head.kind {
            DATA => END_STREAM,
            HEADERS | CONTINUATION => END_STREAM | END_HEADERS,
            _ => return Ok(()),
        };
        if head.payload > 0 || head.flags & ends != 0 {
            self.empty = 0;
            return Ok(());
        }
        self.empty += 1;
        within(self.empty, MAX_EMPTY_FRAMES, Flood::Empty)
    }
}

fn within<T: PartialOrd>(count: T, most: T, flood: Flood) -> Result<(), Flood> {
    if count > most { Err(flood) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(kind: u8, flags: u8, payload: usize) -> Head {
        Head { kind, flags, payload }
    }

    /// After how many of these frames the client is cut off.
    fn cut_off_after(heads: &[Head]) -> Option<(usize, Flood)> {
        let mut tally = Tally::default();
        let now = Instant::now();
        (0..10_000).find_map(|count| {
            heads
                .iter()
                .find_map(|head| tally.received(*head, now).err())
                .map(|flood| (count, flood))
        })
    }

    #[test]
    fn each_kind_of_flood_is_cut_off_at_its_bound() {
        let (ping, settings) = (head(6, 0, 8), head(4, 0, 0));
        for (heads, expected) in [
            (vec![ping], Some((1000, Flood::Control))),
            (vec![settings], Some((1000, Flood::Control))),
            (vec![head(0xbb, 0, 3)], Some((1000, Flood::Control))),
            (vec![head(DATA, 0, 0)], Some((1, Flood::Empty))),
            (vec![head(CONTINUATION, 0, 0)], Some((1, Flood::Empty))),
            (vec![head(PRIORITY, 0, 5)], Some((100, Flood::Priority))),
            (vec![head(WINDOW_UPDATE, 0, 4)], Some((5, Flood::WindowUpdate))),
            (vec![head(HEADERS, 4, 9), head(RST_STREAM, 0, 4)], Some((200, Flood::Reset))),
        ] {
            assert_eq!(cut_off_after(&heads), expected, "{heads:?}");
        }
    }

    #[test]
    fn ordinary_traffic_is_not_cut_off() {
        let request = head(HEADERS, END_HEADERS | END_STREAM, 40);
        let (ping, reset) = (head(6, 0, 8), head(RST_STREAM, 0, 4));
        for heads in [
            vec![request, ping],
            vec![request, request, reset],
            vec![request, head(WINDOW_UPDATE, 0, 4), head(WINDOW_UPDATE, 0, 4)],
            vec![head(DATA, 0, 0), head(DATA, 0, 5)],
            vec![head(DATA, END_STREAM, 0)],
        ] {
            assert_eq!(cut_off_after(&heads), None, "{heads:?}");
        }
    }

    #[test]
    fn frames_are_counted_anew_in_every_window() {
        let mut tally = Tally::default();
        let start = Instant::now();
        for window in 0..5 {
            for _ in 0..MAX_CONTROL_FRAMES {
                tally.received(head(6, 0, 8), start + WINDOW * window).expect("within the bound");
            }
        }
    }

    #[test]
    fn window_updates_follow_the_data_that_was_sent() {
        let mut tally = Tally::default();
        for _ in 0..100 {
            tally.sent(head(DATA, 0, 16_384));
            for _ in 0..2 * MAX_WINDOW_UPDATES_PER_DATA {
                tally
                    .received(head(WINDOW_UPDATE, 0, 4), Instant::now())
                    .expect("within the bound");
            }
        }
    }

    #[test]
    fn heads_are_found_however_the_bytes_are_cut() {
        let mut bytes = vec![b'x'; PREFACE];
        for (kind, payload) in [(4, 0), (1, 5), (0, 300)] {
            bytes.extend_from_slice(&[0, (payload >> 8) as u8, payload as u8, kind, 1, 0, 0, 0, 1]);
            bytes.extend(std::iter::repeat_n(0xff, payload));
        }
        for size in [1, 2, 8, 9, 10, 333] {
            let mut heads = Heads { skip: PREFACE, ..Heads::default() };
            let mut found = Vec::new();
            for piece in bytes.chunks(size) {
                heads.pass(piece, |head| found.push((head.kind, head.payload)));
            }
            assert_eq!(found, [(4, 0), (1, 5), (0, 300)], "{size}");
        }
    }
}
