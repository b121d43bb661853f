//! What a socket is, by its inode: `proc_net(5)` has the tables.

use std::{
    fs,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
};

/// The states of TCP, by their number in `/proc/net/tcp` (the kernel's `tcp_states.h`).
const STATES: [&str; 12] = [
    "unknown",
    "established",
    "syn sent",
    "syn received",
    "fin wait 1",
    "fin wait 2",
    "time wait",
    "closed",
    "close wait: the other side has closed",
    "last ack",
    "listening",
    "closing",
];

const LISTENING: usize = 10;

/// A socket with its addresses, as far as the kernel tells.
pub(super) fn describe(inode: u64) -> String {
    for (table, protocol) in [("tcp", "TCP"), ("tcp6", "TCP"), ("udp", "UDP"), ("udp6", "UDP")] {
        let text = fs::read_to_string(format!("/proc/self/net/{table}")).unwrap_or_default();
        if let Some(found) = text.lines().find_map(|line| describe_inet(line, protocol, inode)) {
            return found;
        }
    }
    let text = fs::read_to_string("/proc/self/net/unix").unwrap_or_default();
    let found = text.lines().find_map(|line| describe_unix(line, inode));
    found.unwrap_or_else(|| "a socket that is not connected".to_owned())
}

/// A line is `sl local_address rem_address st tx:rx tr:tm retrnsmt uid timeout inode …`.
fn describe_inet(line: &str, protocol: &str, inode: u64) -> Option<String> {
    let mut fields = line.split_ascii_whitespace().skip(1);
    let (local, remote) = (fields.next()?, fields.next()?);
    let state = fields.next()?;
    if fields.nth(5)?.parse() != Ok(inode) {
        return None;
    }
    let local = parse_address(local)?;
    let number = usize::from_str_radix(state, 16).unwrap_or_default();
    let state = STATES.get(number).unwrap_or(&STATES[0]);
    Some(match (protocol, number) {
        ("TCP", LISTENING) => format!("{protocol} listener on {local}"),
        ("TCP", _) => {
            format!("{protocol} connection from {local} to {} ({state})", parse_address(remote)?)
        }
        _ => format!("{protocol} socket on {local}"),
    })
}

/// A line is `Num RefCount Protocol Flags Type St Inode Path`.
fn describe_unix(line: &str, inode: u64) -> Option<String> {
    let mut fields = line.split_ascii_whitespace().skip(6);
    if fields.next()?.parse() != Ok(inode) {
        return None;
    }
    Some(match fields.next() {
        Some(path) => format!("unix socket {path}"),
        None => "unix socket without a name".to_owned(),
    })
}

/// `0100007F:1538`: each 32-bit word of the address as the machine has it in memory, read as a
/// number, and the port.
fn parse_address(text: &str) -> Option<SocketAddr> {
    let (address, port) = text.split_once(':')?;
    let mut bytes = [0; 16];
    let words = address.len() / 8;
    for (index, word) in bytes.chunks_exact_mut(4).enumerate().take(words) {
        let text = address.get(8 * index..8 * (index + 1))?;
        word.copy_from_slice(&u32::from_str_radix(text, 16).ok()?.to_ne_bytes());
    }
    let address = match words {
        1 => IpAddr::V4(Ipv4Addr::new(bytes[0], bytes[1], bytes[2], bytes[3])),
        4 => IpAddr::V6(Ipv6Addr::from(bytes)),
        _ => return None,
    };
    Some(SocketAddr::new(address, u16::from_str_radix(port, 16).ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(target_endian = "little")]
    fn addresses_are_read_as_the_kernel_writes_them() {
        assert_eq!(parse_address("0100007F:1538"), "127.0.0.1:5432".parse().ok());
        let six = "00000000000000000000000001000000:0050";
        assert_eq!(parse_address(six), "[::1]:80".parse().ok());
        assert_eq!(parse_address("0100007F"), None);
        assert_eq!(parse_address("01:02"), None);
    }

    #[test]
    #[cfg(target_endian = "little")]
    fn a_connection_is_told_with_both_ends_and_its_state() {
        let line = "   3: 0100007F:A0F2 0100007F:1538 08 00000000:00000000 00:00000000 00000000  \
                    1000        0 77123 1 0000000000000000 20 4 30 10 -1";
        assert_eq!(
            describe_inet(line, "TCP", 77123).as_deref(),
            Some(
                "TCP connection from 127.0.0.1:41202 to 127.0.0.1:5432 \
                 (close wait: the other side has closed)"
            )
        );
        assert_eq!(describe_inet(line, "TCP", 1), None);
    }
}
