//! Starts processes, speaks raw HTTP/1.1, reads what the gateway recorded.

use std::{
    fs::{self, File},
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    os::unix::fs::FileExt as _,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

/// How long anything may take before a test gives up on it.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// A process whose first line of output says where it listens; killed when dropped.
pub(crate) struct Server {
    child: Child,
    /// Its standard error, shown when the test fails.
    complaints: File,
    /// The first line of its standard output.
    pub(crate) first_line: String,
}

impl Server {
    /// Starts it and waits for its first line.
    pub(crate) fn start(command: &mut Command) -> Self {
        let complaints = tempfile::tempfile().unwrap();
        let child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(complaints.try_clone().unwrap())
            .spawn()
            .unwrap_or_else(|error| panic!("{command:?} does not start: {error}"));
        let mut server = Self { child, complaints, first_line: String::new() };
        let mut out = BufReader::new(server.child.stdout.take().unwrap());
        let (sender, lines) = mpsc::channel();
        thread::spawn(move || {
            let mut line = String::new();
            if out.read_line(&mut line).is_ok() {
                // Both fail only when the test is over.
                sender.send(line).unwrap_or_default();
            }
            // Whatever else it prints must not fill the pipe.
            std::io::copy(&mut out, &mut std::io::sink()).unwrap_or_default();
        });
        match lines.recv_timeout(PATIENCE) {
            Ok(line) if !line.is_empty() => line.trim_end().clone_into(&mut server.first_line),
            _ => panic!("{command:?} printed nothing; it is {:?}", server.child.try_wait()),
        }
        server
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended already, as one does that a test has killed.
        self.child.kill().unwrap_or_default();
        self.child.wait().map(|_| ()).unwrap_or_default();
        if thread::panicking() {
            self.complain();
        }
    }
}

impl Server {
    #[expect(clippy::print_stderr, reason = "a failed test shows what its processes said")]
    fn complain(&self) {
        eprintln!("standard error of {:?}:\n{}", self.first_line, self.complaints());
    }

    /// All that it has written to standard error.
    pub(crate) fn complaints(&self) -> String {
        let length = self.complaints.metadata().unwrap().len();
        let mut said = vec![0; length.try_into().unwrap()];
        // Its own place in the file is where the process writes next.
        self.complaints.read_exact_at(&mut said, 0).unwrap();
        String::from_utf8_lossy(&said).into_owned()
    }

    /// Sends it a signal.
    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }
}

/// A running `rearguard up`.
pub(crate) struct Gateway {
    server: Server,
    pub(crate) data: SocketAddr,
    admin: SocketAddr,
}

impl Gateway {
    /// `rearguard up` on free ports, with these further arguments.
    pub(crate) fn up(arguments: &[&str]) -> Self {
        Self::up_with(arguments, &[])
    }

    /// The same, with these variables set.
    pub(crate) fn up_with(arguments: &[&str], variables: &[(&str, &Path)]) -> Self {
        let server = Server::start(
            Command::new(env!("CARGO_BIN_EXE_rearguard"))
                .args(["up", "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0"])
                .args(arguments)
                .envs(variables.iter().copied()),
        );
        let (data, admin) = server
            .first_line
            .strip_prefix("gateway on http://")
            .and_then(|rest| rest.split_once(", page and metrics on http://"))
            .unwrap_or_else(|| panic!("unexpected first line: {}", server.first_line));
        let (data, admin) = (data.parse().unwrap(), admin.parse().unwrap());
        Self { server, data, admin }
    }

    /// Its number.
    pub(crate) fn process(&self) -> u32 {
        self.server.child.id()
    }

    /// Has it read its files again.
    pub(crate) fn hang_up(&self) {
        self.server.signal(Signal::HUP);
    }

    /// All that it has written to standard error.
    pub(crate) fn complaints(&self) -> String {
        self.server.complaints()
    }

    /// What the admin address answers, as text.
    pub(crate) fn admin_text(&self, path: &str) -> String {
        let answer = get(self.admin, path);
        assert_eq!(answer.status, 200, "{}", answer.text());
        answer.text()
    }

    /// The admin address, as a command takes it.
    pub(crate) fn admin(&self) -> String {
        format!("http://{}", self.admin)
    }

    /// What the admin API answers.
    pub(crate) fn api(&self, path: &str) -> Value {
        let answer = get(self.admin, path);
        assert_eq!(answer.status, 200, "{}", answer.text());
        serde_json::from_slice(&answer.body).unwrap()
    }

    /// A page of the admin address, as text.
    pub(crate) fn page(&self, path: &str) -> String {
        get(self.admin, path).text()
    }

    /// Asks for a path on a connection of its own.
    pub(crate) fn get(&self, path: &str) -> Answer {
        get(self.data, path)
    }

    /// What stands among the failures, newest first or last as the gateway has it.
    pub(crate) fn failures(&self) -> Vec<Value> {
        let answer = get(self.admin, "/api/v1/failures?limit=1000");
        assert_eq!(answer.status, 200, "{}", answer.text());
        let json: Value = serde_json::from_slice(&answer.body)
            .unwrap_or_else(|error| panic!("{error} in {}", answer.text()));
        json["failures"].as_array().unwrap_or_else(|| panic!("no failures in {json}")).clone()
    }

    /// The failure of the one request for this path. It may be recorded a moment after the answer.
    pub(crate) fn failure(&self, path: &str) -> Value {
        let failures = || {
            self.failures()
                .into_iter()
                .filter(|failure| failure["path"] == path)
                .collect::<Vec<_>>()
        };
        let found = wait_for(&format!("a failure of {path}"), || {
            Some(failures()).filter(|found| !found.is_empty())
        });
        assert_eq!(found.len(), 1, "{path} failed more than once: {found:#?}");
        found[0].clone()
    }
}

/// What came back on a connection until it was closed.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// Names in lower case.
    fields: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
    /// Whether the body ended as its framing promised.
    pub(crate) complete: bool,
}

impl Answer {
    /// A header field, or a trailer field.
    pub(crate) fn field(&self, name: &str) -> Option<&str> {
        self.fields.iter().find(|(field, _)| field == name).map(|(_, value)| value.as_str())
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

/// One GET on a connection of its own.
pub(crate) fn get(address: SocketAddr, path: &str) -> Answer {
    let host = address.to_string();
    exchange(
        address,
        &format!(
            "GET {path} HTTP/1.1\r\nhost: {host}\r\nte: trailers\r\nconnection: close\r\n\r\n"
        ),
    )
}

/// Sends bytes, reads until the other side closes, and takes the answer apart.
pub(crate) fn exchange(address: SocketAddr, request: &str) -> Answer {
    let mut stream = TcpStream::connect_timeout(&address, PATIENCE).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    let mut bytes = Vec::new();
    let end = stream.read_to_end(&mut bytes);
    parse(&bytes).unwrap_or_else(|| {
        panic!("no HTTP answer to {request:?} but {end:?}: {:?}", String::from_utf8_lossy(&bytes))
    })
}

fn parse(bytes: &[u8]) -> Option<Answer> {
    let mut fields = [httparse::EMPTY_HEADER; 100];
    let mut head = httparse::Response::new(&mut fields);
    let httparse::Status::Complete(length) = head.parse(bytes).ok()? else { return None };
    let rest = &bytes[length..];
    let mut answer = Answer {
        status: head.code?,
        fields: head.headers.iter().map(owned).collect(),
        body: rest.to_vec(),
        complete: true,
    };
    if answer.field("transfer-encoding") == Some("chunked") {
        (answer.body, answer.complete) = unchunk(rest, &mut answer.fields);
    } else if let Some(length) = answer.field("content-length") {
        answer.complete = length.parse() == Ok(rest.len());
    }
    Some(answer)
}

fn owned(field: &httparse::Header<'_>) -> (String, String) {
    (field.name.to_ascii_lowercase(), String::from_utf8_lossy(field.value).into_owned())
}

/// The body that chunks carry, and whether the last one came; trailers join the fields.
fn unchunk(mut rest: &[u8], fields: &mut Vec<(String, String)>) -> (Vec<u8>, bool) {
    let mut body = Vec::new();
    loop {
        let Ok(httparse::Status::Complete((used, size))) = httparse::parse_chunk_size(rest) else {
            return (body, false);
        };
        rest = &rest[used..];
        if size == 0 {
            let mut trailers = [httparse::EMPTY_HEADER; 100];
            let parsed = httparse::parse_headers(rest, &mut trailers);
            let Ok(httparse::Status::Complete((_, trailers))) = parsed else {
                return (body, false);
            };
            fields.extend(trailers.iter().map(owned));
            return (body, true);
        }
        let size = usize::try_from(size).unwrap();
        body.extend_from_slice(&rest[..size.min(rest.len())]);
        let Some(next) = rest.get(size + 2..) else { return (body, false) };
        rest = next;
    }
}

/// Asks again until there is something, for at most [`PATIENCE`].
pub(crate) fn wait_for<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let until = Instant::now() + PATIENCE;
    while Instant::now() < until {
        if let Some(found) = look() {
            return found;
        }
        thread::sleep(Duration::from_millis(10));
    }
    panic!("{what} did not come within {PATIENCE:?}")
}

/// A file of the tests' own folder, with this text.
pub(crate) fn file(name: &str, text: &str) -> PathBuf {
    let path = scratch(name);
    fs::write(&path, text).unwrap();
    path
}

/// A path in the tests' own folder.
pub(crate) fn scratch(name: &str) -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join(name)
}
