//! The wire format of protocol buffers (<https://protobuf.dev/programming-guides/encoding/>):
//! fields, one after the other.

use super::super::Error;

/// A field's value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Value<'t> {
    /// A varint.
    Integer(u64),
    /// Text, a message, or numbers packed together.
    Bytes(&'t [u8]),
}

/// Reads a message's fields.
#[derive(Debug)]
pub(super) struct Fields<'t> {
    rest: &'t [u8],
}

impl<'t> Fields<'t> {
    pub(super) fn new(bytes: &'t [u8]) -> Self {
        Self { rest: bytes }
    }

    /// The next field's number and value; fields of fixed width are passed over.
    pub(super) fn next(&mut self) -> Result<Option<(u64, Value<'t>)>, Error> {
        while !self.rest.is_empty() {
            let tag = varint(&mut self.rest)?;
            match tag & 7 {
                0 => return Ok(Some((tag >> 3, Value::Integer(varint(&mut self.rest)?)))),
                1 => self.take(8).map(|_| ())?,
                2 => {
                    let length = varint(&mut self.rest)?;
                    return Ok(Some((tag >> 3, Value::Bytes(self.take(length)?))));
                }
                5 => self.take(4).map(|_| ())?,
                other => {
                    return Err(Error::new(format!(
                        "found a field of wire type {other}, expected a pprof profile; is it \
                         another kind of file?"
                    )));
                }
            }
        }
        Ok(None)
    }

    fn take(&mut self, length: u64) -> Result<&'t [u8], Error> {
        let split =
            usize::try_from(length).ok().and_then(|length| self.rest.split_at_checked(length));
        let (taken, rest) = split.ok_or_else(|| {
            Error::new(format!(
                "found {} bytes where a field of {length} was expected; the profile is cut short, or \
                 is another kind of file",
                self.rest.len()
            ))
        })?;
        self.rest = rest;
        Ok(taken)
    }
}

/// Takes a varint off the front.
fn varint(bytes: &mut &[u8]) -> Result<u64, Error> {
    let mut value = 0;
    for place in 0..10 {
        let Some((&byte, rest)) = bytes.split_first() else {
            return Err(Error::new("the profile ends within a number: it is cut short"));
        };
        *bytes = rest;
        value |= u64::from(byte & 0x7f) << (7 * place);
        if byte < 0x80 {
            return Ok(value);
        }
    }
    Err(Error::new("found a number of more than ten bytes, expected a pprof profile"))
}

/// Appends a repeated number: one, or many packed together.
pub(super) fn numbers(value: Value<'_>, most: usize, into: &mut Vec<u64>) -> Result<(), Error> {
    match value {
        Value::Integer(number) => into.push(number),
        Value::Bytes(mut bytes) => {
            while !bytes.is_empty() && into.len() <= most {
                into.push(varint(&mut bytes)?);
            }
        }
    }
    if into.len() > most {
        return Err(Error::new(format!("found more than {most} numbers in one list")));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn encoded(mut value: u64) -> Vec<u8> {
        let mut bytes = Vec::new();
        while value >= 0x80 {
            bytes.push((value & 0x7f) as u8 | 0x80);
            value >>= 7;
        }
        bytes.push(value as u8);
        bytes
    }

    proptest! {
        #[test]
        fn a_number_comes_back_from_its_bytes(value: u64) {
            let bytes = encoded(value);
            let mut rest = bytes.as_slice();
            prop_assert_eq!(varint(&mut rest), Ok(value));
            prop_assert!(rest.is_empty());
        }

        #[test]
        fn any_bytes_are_fields_or_an_error(bytes: Vec<u8>) {
            let mut fields = Fields::new(&bytes);
            while let Ok(Some(_)) = fields.next() {}
        }
    }

    #[test]
    fn what_is_cut_short_is_an_error() {
        for bytes in [&[0x08][..], &[0x0a, 5, 1], &[0x80], &[0x09, 1], &[0x0b]] {
            assert!(Fields::new(bytes).next().is_err(), "{bytes:?}");
        }
        assert!(Fields::new(&[0x80; 11]).next().is_err());
    }
}
