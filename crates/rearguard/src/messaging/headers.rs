//! Headers of messages, whatever carries them.

use std::collections::BTreeMap;

/// Headers that can be read.
pub trait Headers {
    /// The value of the header with this lower-case name.
    fn get(&self, name: &str) -> Option<&[u8]>;
}

/// Headers that can be written.
pub trait HeadersMut {
    /// Sets a header, in place of one that is there by that name.
    fn set(&mut self, name: &'static str, value: &str);
}

impl Headers for BTreeMap<String, String> {
    fn get(&self, name: &str) -> Option<&[u8]> {
        self.get(name).map(String::as_bytes)
    }
}

impl HeadersMut for BTreeMap<String, String> {
    fn set(&mut self, name: &'static str, value: &str) {
        self.insert(name.to_owned(), value.to_owned());
    }
}

/// A message may have none.
impl<H: Headers> Headers for Option<H> {
    fn get(&self, name: &str) -> Option<&[u8]> {
        self.as_ref()?.get(name)
    }
}

impl<H: HeadersMut + Default> HeadersMut for Option<H> {
    fn set(&mut self, name: &'static str, value: &str) {
        self.get_or_insert_default().set(name, value);
    }
}
