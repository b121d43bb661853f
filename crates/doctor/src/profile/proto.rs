//! pprof's `profile.proto`, decoded by hand: a handful of messages, of which most fields are left.
//!
//! Field numbers are those of <https://github.com/google/pprof/blob/main/proto/profile.proto>.

mod tables;
mod wire;

use super::{
    Error, Frame, Profile, Sample,
    data::{Functions, ValueType},
    kind::{guess_kind, shown_value},
    read::MAX_FRAMES,
    wait,
};
use tables::{RawSample, Tables};

/// Reads a profile that is not gzipped.
///
/// # Errors
/// Where it is malformed.
pub fn decode(bytes: &[u8]) -> Result<Profile, Error> {
    let tables = Tables::read(bytes)?;
    if tables.value_types.is_empty() {
        return Err(Error::new(
            "found no sample type, expected a pprof profile; is it another kind of file?",
        ));
    }
    let text = |index: u64| tables.text(index);
    let mut values = Vec::with_capacity(tables.value_types.len());
    for (name, unit) in &tables.value_types {
        values.push(ValueType { name: text(*name)?.to_owned(), unit: text(*unit)?.to_owned() });
    }
    let mut frames = FrameTable::new(&tables);
    let mut samples = Vec::with_capacity(tables.samples.len());
    for raw in &tables.samples {
        samples.push(sample(raw, values.len(), &tables, &mut frames)?);
    }
    let functions = frames.functions.into_list();
    let kind = guess_kind(&values, &functions, &samples);
    if kind.counts_goroutines() {
        for sample in &mut samples {
            sample.wait = wait::of_stack(&functions, &sample.stack);
        }
    }
    let shown = shown_value(&values, text(tables.default_type)?);
    let duration_nanos = tables.duration_nanos;
    Ok(Profile { kind, values, shown, functions, samples, duration_nanos })
}

fn sample(
    raw: &RawSample,
    values: usize,
    tables: &Tables<'_>,
    frames: &mut FrameTable<'_>,
) -> Result<Sample, Error> {
    if raw.values.len() != values {
        return Err(Error::new(format!(
            "found a sample with {} values, expected {values}, one for each type",
            raw.values.len()
        )));
    }
    let mut stack = Vec::new();
    for location in &raw.locations {
        frames.push(*location, &mut stack)?;
    }
    let mut labels = Vec::new();
    for &(key, value) in &raw.labels {
        labels.push((tables.text(key)?.to_owned(), tables.text(value)?.to_owned()));
    }
    Ok(Sample { values: raw.values.clone(), stack, labels, ..Sample::default() })
}

/// Locations as frames, worked out once each.
struct FrameTable<'t> {
    tables: &'t Tables<'t>,
    functions: Functions,
    known: std::collections::HashMap<u64, Vec<Frame>>,
    used: usize,
}

impl<'t> FrameTable<'t> {
    fn new(tables: &'t Tables<'t>) -> Self {
        Self { tables, functions: Functions::default(), known: Default::default(), used: 0 }
    }

    fn push(&mut self, location: u64, stack: &mut Vec<Frame>) -> Result<(), Error> {
        if !self.known.contains_key(&location) {
            let frames = self.frames(location)?;
            self.known.insert(location, frames);
        }
        let frames = &self.known[&location];
        self.used += frames.len();
        if self.used > MAX_FRAMES {
            return Err(Error::new(format!(
                "the stacks have more than {MAX_FRAMES} frames, the most that are read"
            )));
        }
        stack.extend_from_slice(frames);
        Ok(())
    }

    /// The calls at a location, the innermost inlined one first.
    fn frames(&mut self, location: u64) -> Result<Vec<Frame>, Error> {
        let lines = self.tables.lines(location)?;
        let mut frames = Vec::with_capacity(lines.len());
        for &(function, line) in lines {
            let function = self.functions.number(self.tables.function(function)?);
            frames.push(Frame { function, line });
        }
        Ok(frames)
    }
}

#[cfg(test)]
mod tests;
