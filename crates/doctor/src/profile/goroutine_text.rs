//! Goroutine dumps as text: `debug=2`, which a crash prints too, and `debug=1`.
//!
//! `debug=2` has one paragraph for each goroutine, with its state and for how many minutes it has
//! waited. `debug=1` gathers equal stacks, and says neither.

mod symbol;

use std::str::Lines;

use super::{
    Error, Frame, Kind, Profile, Sample, Wait,
    data::{Function, Functions, ValueType},
    read::MAX_FRAMES,
};
use symbol::{place_of, without_arguments};

/// Whether these bytes are a dump: its heading stands at the beginning, or after what a crashing
/// process printed first.
pub(super) fn looks_like_one(bytes: &[u8]) -> bool {
    const LOOKED_THROUGH: usize = 64 * 1024;
    let head = &bytes[..bytes.len().min(LOOKED_THROUGH)];
    // The strings of a binary profile may have these words, but not at the beginning of a line with
    // what follows.
    head.split(|byte| *byte == b'\n')
        .filter_map(|line| std::str::from_utf8(line).ok())
        .any(|line| total_of(line).is_some() || Header::read(line).is_some())
}

/// Reads either form.
///
/// # Errors
/// Where there is no goroutine in it.
pub(super) fn read(text: &str) -> Result<Profile, Error> {
    let mut reader = Reader::default();
    let mut kind = Kind::Goroutine;
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        if let Some(name) = total_of(line) {
            kind = if name == "goroutineleak" { Kind::GoroutineLeak } else { Kind::Goroutine };
        } else if let Some(header) = Header::read(line) {
            reader.goroutine(header, &mut lines)?;
        } else if let Some(count) = count_of(line) {
            reader.equal_stacks(count, &mut lines)?;
        }
    }
    if reader.samples.is_empty() {
        return Err(Error::new(
            "found no goroutine, expected paragraphs such as `goroutine 1 [running]:` or \
             `1 @ 0x48a2ee …`",
        ));
    }
    Ok(Profile {
        kind,
        values: vec![ValueType { name: kind.as_str().to_owned(), unit: "count".to_owned() }],
        shown: 0,
        functions: reader.functions.into_list(),
        samples: reader.samples,
        duration_nanos: 0,
    })
}

/// The name in `goroutine profile: total 7`.
fn total_of(line: &str) -> Option<&str> {
    let (name, count) = line.split_once(" profile: total ")?;
    let known = ["goroutine", "goroutineleak"].contains(&name);
    (known && count.trim().parse::<u64>().is_ok()).then_some(name)
}

/// The count in `3 @ 0x48a2ee 0x41752e`.
fn count_of(line: &str) -> Option<i64> {
    let (count, addresses) = line.split_once(" @")?;
    (addresses.is_empty() || addresses.starts_with(" 0x")).then(|| count.parse().ok())?
}

/// `goroutine 18 [chan receive, 5 minutes, locked to thread]:`
#[derive(Debug, PartialEq, Eq)]
struct Header {
    wait: Wait,
    labels: Vec<(String, String)>,
}

impl Header {
    fn read(line: &str) -> Option<Self> {
        let rest = line.strip_prefix("goroutine ")?;
        let (before, rest) = rest.split_once('[')?;
        // A crash writes `goroutine 18 gp=0xc000002380 m=nil [running]:`.
        before.split(' ').next()?.parse::<u64>().ok()?;
        let (state, rest) = rest.split_once(']')?;
        let labels = rest.trim().strip_suffix(':')?.trim();
        Some(Self { wait: wait(state), labels: symbol::labels(labels) })
    }
}

fn wait(state: &str) -> Wait {
    let mut parts = state.split(", ");
    let reason = parts.next().unwrap_or_default();
    let reason = reason.strip_suffix(" (leaked)").unwrap_or(reason);
    let reason = reason.strip_suffix(" (scan)").unwrap_or(reason);
    let minutes = parts.find_map(|part| part.strip_suffix(" minutes")?.parse().ok());
    match reason {
        "running" | "runnable" | "syscall" | "idle" | "dead" | "copystack" | "preempted" => {
            Wait::Running
        }
        _ => Wait::For { reason: reason.to_owned(), minutes },
    }
}

#[derive(Debug, Default)]
struct Reader {
    functions: Functions,
    samples: Vec<Sample>,
    frames: usize,
}

impl Reader {
    /// A paragraph of `debug=2`: a line with the call, a line with its place.
    fn goroutine(&mut self, header: Header, lines: &mut Lines<'_>) -> Result<(), Error> {
        let mut sample = Sample { values: vec![1], labels: header.labels, ..Sample::default() };
        sample.wait = header.wait;
        while let Some(call) = lines.next().filter(|line| !line.trim().is_empty()) {
            // Who started it is no call that it will return to.
            if call.starts_with("created by ") {
                continue;
            }
            let Some(name) = without_arguments(call) else { continue };
            let mut after = lines.clone();
            let Some((file, line)) = after.next().and_then(place_of) else { continue };
            *lines = after;
            self.push(name, file, line, &mut sample)?;
        }
        self.samples.push(sample);
        Ok(())
    }

    /// A paragraph of `debug=1`: `# 0x4a1 main.f+0x1b /app/main.go:12`, between tabs.
    fn equal_stacks(&mut self, count: i64, lines: &mut Lines<'_>) -> Result<(), Error> {
        let mut sample = Sample { values: vec![count], ..Sample::default() };
        while let Some(line) = lines.next().filter(|line| line.starts_with('#')) {
            if let Some(labels) = line.strip_prefix("# labels: ") {
                sample.labels = symbol::labels(labels);
                continue;
            }
            let mut parts = line.split('\t').filter(|part| !part.is_empty()).skip(2);
            let (Some(name), Some(place)) = (parts.next(), parts.next()) else { continue };
            let name = name.rsplit_once("+0x").map_or(name, |(name, _)| name);
            let Some((file, line)) = place_of(place) else { continue };
            self.push(name, file, line, &mut sample)?;
        }
        self.samples.push(sample);
        Ok(())
    }

    fn push(
        &mut self,
        name: &str,
        file: &str,
        line: u32,
        sample: &mut Sample,
    ) -> Result<(), Error> {
        self.frames += 1;
        if self.frames > MAX_FRAMES {
            return Err(Error::new(format!(
                "the stacks have more than {MAX_FRAMES} frames, the most that are read"
            )));
        }
        // A dump calls it as the language does.
        let name = if name == "panic" { "runtime.gopanic" } else { name };
        let function = Function { name: name.to_owned(), file: file.to_owned(), first_line: 0 };
        sample.stack.push(Frame { function: self.functions.number(function), line });
        Ok(())
    }
}

#[cfg(test)]
mod tests;
