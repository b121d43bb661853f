//! The tables of a profile: strings, functions, locations and samples, as they stand in the file.

use std::collections::HashMap;

use super::{
    super::{Error, Function},
    wire::{Fields, Value, numbers},
};

/// No table has more rows than this.
const MAX_ROWS: usize = 4 << 20;

/// A sample has at most this many locations. Go keeps 128, and its limit may be raised to 1024.
const MAX_LOCATIONS: usize = 4096;

/// A sample has at most this many values and labels.
const MAX_VALUES: usize = 64;

/// What a file says, with numbers in place of names.
#[derive(Debug, Default)]
pub(super) struct Tables<'t> {
    strings: Vec<&'t [u8]>,
    functions: HashMap<u64, (u64, u64, u64)>,
    locations: HashMap<u64, Vec<(u64, u32)>>,
    pub(super) value_types: Vec<(u64, u64)>,
    pub(super) samples: Vec<RawSample>,
    pub(super) default_type: u64,
    pub(super) duration_nanos: i64,
}

/// A sample as it stands in the file.
#[derive(Debug, Default)]
pub(super) struct RawSample {
    pub(super) locations: Vec<u64>,
    pub(super) values: Vec<i64>,
    pub(super) labels: Vec<(u64, u64)>,
}

impl<'t> Tables<'t> {
    pub(super) fn read(bytes: &'t [u8]) -> Result<Self, Error> {
        let mut tables = Self::default();
        let mut fields = Fields::new(bytes);
        while let Some((number, value)) = fields.next()? {
            match (number, value) {
                (1, Value::Bytes(bytes)) => {
                    let [name, unit] = integers(bytes, [1, 2])?;
                    tables.value_types.push((name, unit));
                }
                (2, Value::Bytes(bytes)) => tables.samples.push(RawSample::read(bytes)?),
                (4, Value::Bytes(bytes)) => {
                    let (id, lines) = location(bytes)?;
                    tables.locations.insert(id, lines);
                }
                (5, Value::Bytes(bytes)) => {
                    let [id, name, file, line] = integers(bytes, [1, 2, 4, 5])?;
                    tables.functions.insert(id, (name, file, line));
                }
                (6, Value::Bytes(bytes)) => tables.strings.push(bytes),
                (10, Value::Integer(nanos)) => tables.duration_nanos = nanos.cast_signed(),
                (14, Value::Integer(index)) => tables.default_type = index,
                _ => {}
            }
            tables.check_rows()?;
        }
        Ok(tables)
    }

    fn check_rows(&self) -> Result<(), Error> {
        let sizes =
            [self.strings.len(), self.functions.len(), self.locations.len(), self.samples.len()];
        if sizes.into_iter().max() > Some(MAX_ROWS) || self.value_types.len() > MAX_VALUES {
            return Err(Error::new(format!(
                "found a table of more than {MAX_ROWS} rows or {MAX_VALUES} types, the most that are \
                 read"
            )));
        }
        Ok(())
    }

    /// The text at an index; the index 0 is the empty text even where there is no table.
    pub(super) fn text(&self, index: u64) -> Result<&'t str, Error> {
        let found = usize::try_from(index).ok().and_then(|index| self.strings.get(index));
        match found {
            Some(bytes) => std::str::from_utf8(bytes)
                .map_err(|_| Error::new(format!("the text {index} is not UTF-8"))),
            None if index == 0 => Ok(""),
            None => Err(Error::new(format!(
                "found the text {index}, expected one of {} texts; the profile is damaged",
                self.strings.len()
            ))),
        }
    }

    pub(super) fn lines(&self, location: u64) -> Result<&[(u64, u32)], Error> {
        self.locations.get(&location).map(Vec::as_slice).ok_or_else(|| {
            Error::new(format!("a sample names the location {location}, which is not there"))
        })
    }

    pub(super) fn function(&self, id: u64) -> Result<Function, Error> {
        let (name, file, line) = self.functions.get(&id).ok_or_else(|| {
            Error::new(format!("a location names the function {id}, which is not there"))
        })?;
        let (name, file) = (self.text(*name)?.to_owned(), self.text(*file)?.to_owned());
        Ok(Function { name, file, first_line: u32::try_from(*line).unwrap_or_default() })
    }
}

impl RawSample {
    fn read(bytes: &[u8]) -> Result<Self, Error> {
        let (mut sample, mut values) = (Self::default(), Vec::new());
        let mut fields = Fields::new(bytes);
        while let Some((number, value)) = fields.next()? {
            match (number, value) {
                (1, value) => numbers(value, MAX_LOCATIONS, &mut sample.locations)?,
                (2, value) => numbers(value, MAX_VALUES, &mut values)?,
                (3, Value::Bytes(bytes)) if sample.labels.len() < MAX_VALUES => {
                    let [key, text] = integers(bytes, [1, 2])?;
                    // A label with a number instead of a text says nothing that is asked for here.
                    if text != 0 {
                        sample.labels.push((key, text));
                    }
                }
                _ => {}
            }
        }
        sample.values = values.into_iter().map(u64::cast_signed).collect();
        Ok(sample)
    }
}

/// A location's number, and the function and line of each call there.
fn location(bytes: &[u8]) -> Result<(u64, Vec<(u64, u32)>), Error> {
    let (mut id, mut lines) = (0, Vec::new());
    let mut fields = Fields::new(bytes);
    while let Some((number, value)) = fields.next()? {
        match (number, value) {
            (1, Value::Integer(number)) => id = number,
            (4, Value::Bytes(bytes)) if lines.len() < MAX_LOCATIONS => {
                let [function, line] = integers(bytes, [1, 2])?;
                lines.push((function, u32::try_from(line).unwrap_or_default()));
            }
            _ => {}
        }
    }
    Ok((id, lines))
}

/// The integers of a message at these field numbers; 0 for those that are left out.
fn integers<const N: usize>(bytes: &[u8], wanted: [u64; N]) -> Result<[u64; N], Error> {
    let mut found = [0; N];
    let mut fields = Fields::new(bytes);
    while let Some((number, value)) = fields.next()? {
        if let (Some(at), Value::Integer(value)) =
            (wanted.iter().position(|wanted| *wanted == number), value)
        {
            found[at] = value;
        }
    }
    Ok(found)
}
