use std::io::Write as _;

use flate2::{Compression, write::GzEncoder};
use proptest::prelude::*;

use super::super::{Kind, MAX_PROFILE_BYTES, Wait, read};

/// A message, written field by field.
#[derive(Clone, Default)]
struct Message(Vec<u8>);

impl Message {
    fn number(mut self, field: u64, mut value: u64) -> Self {
        self.0.push((field << 3) as u8);
        while value >= 0x80 {
            self.0.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.0.push(value as u8);
        self
    }

    fn bytes(mut self, field: u64, bytes: &[u8]) -> Self {
        assert!(bytes.len() < 128, "a test's fields are short");
        self.0.extend([(field << 3 | 2) as u8, bytes.len() as u8]);
        self.0.extend(bytes);
        self
    }
}

/// Two goroutines in `main.wait`, inlined into `main.run`, with a label.
fn sample_profile() -> Message {
    let texts = [
        "",
        "goroutine",
        "count",
        "main.wait",
        "/app/main.go",
        "main.run",
        "runtime.gopark",
        "job",
        "mail",
        "runtime.chanrecv1",
    ];
    let line = |function, line| Message::default().number(1, function).number(2, line).0;
    let function =
        |id, name, file| Message::default().number(1, id).number(2, name).number(4, file).0;
    let mut profile = Message::default()
        .bytes(1, &Message::default().number(1, 1).number(2, 2).0)
        .bytes(
            2,
            &Message::default()
                .bytes(1, &[7, 9, 8])
                .bytes(2, &[2])
                .bytes(3, &Message::default().number(1, 7).number(2, 8).0)
                .0,
        )
        .bytes(4, &Message::default().number(1, 7).bytes(4, &line(3, 0)).0)
        .bytes(4, &Message::default().number(1, 9).bytes(4, &line(4, 0)).0)
        .bytes(4, &Message::default().number(1, 8).bytes(4, &line(1, 24)).bytes(4, &line(2, 50)).0)
        .bytes(5, &function(1, 3, 4))
        .bytes(5, &function(2, 5, 4))
        .bytes(5, &function(3, 6, 0))
        .bytes(5, &function(4, 9, 0));
    for text in texts {
        profile = profile.bytes(6, text.as_bytes());
    }
    profile
}

fn zipped(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

#[test]
fn inlined_calls_are_frames_and_what_a_goroutine_waits_for_is_told_by_them() {
    let plain = sample_profile().0;
    for profile in [read(&plain).unwrap(), read(&zipped(&plain)).unwrap()] {
        assert_eq!((profile.kind, profile.total()), (Kind::Goroutine, 2));
        let sample = &profile.samples[0];
        let names: Vec<_> = sample
            .stack
            .iter()
            .map(|frame| (profile.function(*frame).name.as_str(), frame.line))
            .collect();
        assert_eq!(
            names,
            [("runtime.gopark", 0), ("runtime.chanrecv1", 0), ("main.wait", 24), ("main.run", 50)]
        );
        assert_eq!(sample.labels, [("job".to_owned(), "mail".to_owned())]);
        assert_eq!(sample.wait, Wait::For { reason: "chan receive".to_owned(), minutes: None });
    }
}

#[test]
fn what_is_damaged_or_no_profile_is_an_error_that_says_so() {
    let plain = sample_profile().0;
    let zip = zipped(&plain);
    for (bytes, said) in [
        (&b""[..], "is empty"),
        (b"<!doctype html><title>404</title>", "found a web page"),
        (b"heap profile: 1: 2 [3: 4] @ heap/1048576", "leave out debug=1"),
        (b"\x7fELF\x02\x01\x01", "another kind of file"),
        (&plain[..plain.len() - 3], "cut short"),
        (&zip[..zip.len() / 2], "cut short"),
        (&[0x0a, 2, 8, 99], "found the text 99"),
    ] {
        let error = read(bytes).unwrap_err().to_string();
        assert!(error.contains(said), "{error}");
    }
    let lost = Message(plain).bytes(2, &Message::default().bytes(1, &[77]).bytes(2, &[1]).0).0;
    let error = read(&lost).unwrap_err().to_string();
    assert!(error.contains("names the location 77, which is not there"), "{error}");
}

#[test]
fn what_unpacks_to_more_than_the_bound_is_refused() {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    let block = vec![0; 1 << 20];
    for _ in 0..=MAX_PROFILE_BYTES >> 20 {
        encoder.write_all(&block).unwrap();
    }
    let error = read(&encoder.finish().unwrap()).unwrap_err().to_string();
    assert!(error.contains("more than 256 MiB"), "{error}");
}

proptest! {
    #[test]
    fn a_damaged_profile_is_read_or_refused(at in 0..200_usize, byte: u8, cut in 0..300_usize) {
        let mut bytes = sample_profile().0;
        let length = bytes.len();
        bytes[at % length] = byte;
        bytes.truncate(cut.max(1));
        if let Ok(profile) = read(&bytes) {
            prop_assert!(profile.samples.iter().all(|it| it.values.len() == profile.values.len()));
        }
    }
}
