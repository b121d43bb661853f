//! A client that sends an exact number of requests and can hold many connections open. The load
//! itself comes from `wrk`.

use std::{
    io::{Read as _, Write as _},
    net::{Ipv4Addr, TcpListener, TcpStream},
    time::Duration,
};

use anyhow::{Context as _, Result, bail};

const REQUEST: &[u8] = b"GET /bench HTTP/1.1\r\nHost: localhost\r\n\r\n";

/// No answer to a request of the bench takes longer, even under valgrind.
const PATIENCE: Duration = Duration::from_secs(20);

/// The largest answer that is expected, head and body.
const MAXIMUM_BYTES: usize = 16 * 1024;

/// The largest page that is expected.
const MAXIMUM_PAGE_BYTES: u64 = 64 * 1024 * 1024;

/// A port that nothing listens on.
pub(super) fn free_port() -> Result<u16> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("cannot bind a port")?;
    Ok(listener.local_addr()?.port())
}

/// Sends one request on a connection of its own.
pub(super) fn request_once(port: u16) -> Result<()> {
    let mut connection = connect(port)?;
    connection.write_all(REQUEST)?;
    read_answer(&mut connection)
}

/// The body of the answer to a GET, which must be a 200.
pub(super) fn get(port: u16, path: &str) -> Result<String> {
    let mut connection = connect(port)?;
    // In HTTP/1.0 the end of the connection is that of the answer.
    write!(connection, "GET {path} HTTP/1.0\r\nHost: localhost\r\n\r\n")?;
    let mut answer = String::new();
    connection.take(MAXIMUM_PAGE_BYTES).read_to_string(&mut answer)?;
    let (head, body) = answer.split_once("\r\n\r\n").context("the answer has no head")?;
    if head.split(' ').nth(1) != Some("200") {
        bail!("expected a 200 for {path}, found {:?}", head.lines().next());
    }
    Ok(body.to_owned())
}

/// Connections that have each had one answer and are kept open.
pub(super) fn open_idle(port: u16, count: usize) -> Result<Vec<TcpStream>> {
    let mut connections = Vec::with_capacity(count);
    for index in 0..count {
        let attempt = || -> Result<TcpStream> {
            let mut connection = connect(port)?;
            connection.write_all(REQUEST)?;
            read_answer(&mut connection)?;
            Ok(connection)
        };
        connections.push(attempt().with_context(|| format!("connection {index} of {count}"))?);
    }
    Ok(connections)
}

/// Sends as many batches, each of one request on every connection at once.
pub(super) fn send_batches(port: u16, connections: usize, batches: usize) -> Result<()> {
    let mut connections = (0..connections).map(|_| connect(port)).collect::<Result<Vec<_>>>()?;
    for _ in 0..batches {
        for connection in &mut connections {
            connection.write_all(REQUEST)?;
        }
        for connection in &mut connections {
            read_answer(connection)?;
        }
    }
    Ok(())
}

fn connect(port: u16) -> Result<TcpStream> {
    let connection = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
    connection.set_nodelay(true)?;
    connection.set_read_timeout(Some(PATIENCE))?;
    Ok(connection)
}

/// Reads one answer and expects it to be a 200 with a Content-Length.
fn read_answer(connection: &mut TcpStream) -> Result<()> {
    let mut bytes = Vec::new();
    let mut chunk = [0; 2048];
    loop {
        let length = connection.read(&mut chunk)?;
        if length == 0 {
            bail!("the connection was closed after {} bytes of the answer", bytes.len());
        }
        bytes.extend_from_slice(&chunk[..length]);
        if let Some(total) = answer_length(&bytes)?
            && bytes.len() >= total
        {
            return Ok(());
        }
        if bytes.len() > MAXIMUM_BYTES {
            bail!("the answer is longer than {MAXIMUM_BYTES} bytes");
        }
    }
}

/// The length of the whole answer, once its head is there.
fn answer_length(bytes: &[u8]) -> Result<Option<usize>> {
    let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") else {
        return Ok(None);
    };
    let head = String::from_utf8_lossy(&bytes[..end]);
    let mut lines = head.split("\r\n");
    let status = lines.next().unwrap_or_default();
    if status.split(' ').nth(1) != Some("200") {
        bail!("expected a 200, found {status:?}");
    }
    let mut headers = lines.filter_map(|line| line.split_once(':'));
    let (_, length) = headers
        .find(|(name, _)| name.eq_ignore_ascii_case("content-length"))
        .context("the answer has no Content-Length")?;
    Ok(Some(end + 4 + length.trim().parse::<usize>()?))
}

#[cfg(test)]
mod tests {
    use super::answer_length;

    #[test]
    fn an_answer_ends_after_the_length_that_its_head_states() {
        let head = "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n";
        assert_eq!(answer_length(head.as_bytes()).expect("valid"), Some(head.len() + 5));
        assert_eq!(answer_length(b"HTTP/1.1 200 OK\r\n").expect("incomplete"), None);
        assert!(answer_length(b"HTTP/1.1 502 Bad Gateway\r\n\r\n").is_err());
    }
}
