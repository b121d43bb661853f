//! Where messages begin and end in a stream of the PostgreSQL protocol, version 3: a byte for the
//! type, four for the length, which counts itself, and the body.
//!
//! Reading goes on with any split of the stream into pieces. Nothing is kept of a message but the
//! first bytes of its body.

/// How much of a message's body is kept: a command's tag, the code of an error.
pub(super) const KEPT_BYTES: usize = 512;

const HEADER_BYTES: usize = 5;

/// Follows one direction of a connection.
#[derive(Debug)]
pub(super) struct Frames {
    header: [u8; HEADER_BYTES],
    header_filled: usize,
    body_left: usize,
    kept: Vec<u8>,
}

/// What is seen of a message.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Frame<'a> {
    /// Its header was read.
    Begun(u8),
    /// All of it was read; what is kept of its body.
    Ended(u8, &'a [u8]),
}

impl Frames {
    /// Begins where a message begins.
    pub(super) const fn new() -> Self {
        Self { header: [0; HEADER_BYTES], header_filled: 0, body_left: 0, kept: Vec::new() }
    }

    /// Reads on.
    pub(super) fn read(&mut self, mut bytes: &[u8], mut seen: impl FnMut(Frame<'_>)) {
        while !bytes.is_empty() {
            if self.header_filled < HEADER_BYTES {
                let count = bytes.len().min(HEADER_BYTES - self.header_filled);
                self.header[self.header_filled..][..count].copy_from_slice(&bytes[..count]);
                self.header_filled += count;
                bytes = &bytes[count..];
                if self.header_filled < HEADER_BYTES {
                    return;
                }
                let [kind, length @ ..] = self.header;
                self.body_left = (u32::from_be_bytes(length) as usize).saturating_sub(4);
                self.kept.clear();
                seen(Frame::Begun(kind));
            }
            let count = bytes.len().min(self.body_left);
            let keep = count.min(KEPT_BYTES - self.kept.len());
            self.kept.extend_from_slice(&bytes[..keep]);
            self.body_left -= count;
            bytes = &bytes[count..];
            if self.body_left == 0 {
                self.header_filled = 0;
                seen(Frame::Ended(self.header[0], &self.kept));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*};

    use super::*;

    fn message(kind: u8, body: &[u8]) -> Vec<u8> {
        let mut bytes = vec![kind];
        bytes.extend(u32::try_from(body.len() + 4).unwrap().to_be_bytes());
        bytes.extend(body);
        bytes
    }

    fn ended(pieces: &[&[u8]]) -> Vec<(u8, Vec<u8>)> {
        let mut frames = Frames::new();
        let mut all = Vec::new();
        for piece in pieces {
            frames.read(piece, |frame| {
                if let Frame::Ended(kind, kept) = frame {
                    all.push((kind, kept.to_vec()));
                }
            });
        }
        all
    }

    proptest! {
        #[test]
        fn any_split_of_a_stream_reads_the_same(
            messages in vec((any::<u8>(), vec(any::<u8>(), 0..1200)), 0..8),
            size in 1_usize..70,
        ) {
            let stream: Vec<u8> =
                messages.iter().flat_map(|(kind, body)| message(*kind, body)).collect();
            let expected: Vec<_> = messages
                .into_iter()
                .map(|(kind, mut body)| { body.truncate(KEPT_BYTES); (kind, body) })
                .collect();
            prop_assert_eq!(&ended(&[&stream]), &expected);
            prop_assert_eq!(&ended(&stream.chunks(size).collect::<Vec<_>>()), &expected);
        }
    }

    #[test]
    fn a_message_is_begun_before_it_has_ended() {
        let mut seen = Vec::new();
        Frames::new().read(&message(b'B', b"long")[..6], |frame| seen.push(format!("{frame:?}")));
        assert_eq!(seen, ["Begun(66)"]);
    }
}
