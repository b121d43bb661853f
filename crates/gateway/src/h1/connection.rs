use crate::message::list_members;

/// The options of `Connection` that the codec obeys (RFC 9110 section 7.6.1), from all its fields.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct ConnectionOptions {
    close: bool,
    keep_alive: bool,
    /// Whether `Upgrade` is meant for this connection.
    pub(super) upgrade: bool,
}

impl ConnectionOptions {
    /// Takes in a field's value.
    pub(super) fn read(&mut self, value: &[u8]) {
        // What nearly every message says needs no look at a list.
        if value.eq_ignore_ascii_case(b"keep-alive") {
            self.keep_alive = true;
            return;
        }
        for option in list_members(value) {
            self.close |= option.eq_ignore_ascii_case(b"close");
            self.keep_alive |= option.eq_ignore_ascii_case(b"keep-alive");
            self.upgrade |= option.eq_ignore_ascii_case(b"upgrade");
        }
    }

    /// Whether the connection is kept, where `by_default` says what the version has by itself.
    pub(super) const fn keeps_alive(self, by_default: bool) -> bool {
        !self.close && (by_default || self.keep_alive)
    }
}
