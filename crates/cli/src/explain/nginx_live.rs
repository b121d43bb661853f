//! Failures brought about with the nginx of this machine, to see that its messages are known.

use std::{
    fs,
    io::{Read, Write},
    net::{Shutdown, TcpListener, TcpStream},
    os::unix::net::UnixStream,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use rearguard::Cause;

use super::nginx_log;

/// How long nginx may take to start, and to answer.
const BOUND: Duration = Duration::from_secs(20);

/// What an upstream does with each connection.
type Behaviour = fn(TcpStream);

fn read_head(stream: &mut TcpStream) {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") && matches!(stream.read(&mut byte), Ok(1)) {
        head.push(byte[0]);
    }
}

fn send(mut stream: TcpStream, answer: &[u8]) {
    read_head(&mut stream);
    finish(stream, answer);
}

/// Sends and closes in an orderly way.
fn finish(mut stream: TcpStream, answer: &[u8]) {
    stream.write_all(answer).unwrap_or_default();
    stream.shutdown(Shutdown::Write).unwrap_or_default();
    // Until nginx closes: an earlier close could become a reset.
    stream.read_to_end(&mut Vec::new()).unwrap_or_default();
}

/// Keeps the connection open until nginx gives up.
fn hold(mut stream: TcpStream, answer: &[u8]) {
    read_head(&mut stream);
    stream.write_all(answer).unwrap_or_default();
    stream.read_to_end(&mut Vec::new()).unwrap_or_default();
}

/// Closing a socket with unread bytes makes the kernel reset the connection.
fn reset_unread(stream: TcpStream) {
    stream.peek(&mut [0]).unwrap_or_default();
}

const CUT: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhello";

/// A path, what its upstream does, and the cause that nginx's line must be taken for first.
const CASES: &[(&str, Behaviour, Cause)] = &[
    ("closed", |stream| send(stream, b""), Cause::UpstreamClosedBeforeResponse),
    ("cut", |stream| send(stream, CUT), Cause::UpstreamClosedMidResponse),
    ("reset", reset_unread, Cause::UpstreamReset),
    ("silent", |stream| hold(stream, b""), Cause::UpstreamResponseTimedOut),
    ("stalled", |stream| hold(stream, CUT), Cause::UpstreamBodyTimedOut),
    (
        "rubbish",
        |stream| send(stream, b"HTTP/1.1 200 OK\r\na\0b: c\r\n\r\n"),
        Cause::UpstreamProtocolError,
    ),
    ("tls", |stream| finish(stream, b"HTTP/1.1 400 Bad Request\r\n\r\n"), Cause::UpstreamTlsFailed),
];

/// A running nginx in a folder of its own, ended and removed on every way out.
struct Nginx {
    process: Child,
    folder: PathBuf,
}

impl Drop for Nginx {
    fn drop(&mut self) {
        self.process.kill().unwrap_or_default();
        self.process.wait().map(drop).unwrap_or_default();
        fs::remove_dir_all(&self.folder).unwrap_or_default();
    }
}

impl Nginx {
    fn start(locations: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("rearguard-nginx-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let at = folder.display();
        let configuration = format!(
            "daemon off; master_process off; pid {at}/pid; error_log {at}/error.log info;\n\
             events {{}}\n\
             http {{ access_log off; client_body_temp_path {at}/a; proxy_temp_path {at}/b;\n\
             fastcgi_temp_path {at}/c; uwsgi_temp_path {at}/d; scgi_temp_path {at}/e;\n\
             proxy_read_timeout 200ms; proxy_next_upstream off; client_max_body_size 1k; lingering_timeout 100ms;\n\
             server {{ listen unix:{at}/socket; {locations} }} }}\n"
        );
        fs::write(folder.join("nginx.conf"), configuration).unwrap();
        let process = Command::new("nginx")
            .arg("-e")
            .arg(folder.join("error.log"))
            .arg("-c")
            .arg(folder.join("nginx.conf"))
            .stdin(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("nginx could not be started; install it (Debian: apt-get install nginx)");
        let nginx = Self { process, folder };
        nginx.connect();
        nginx
    }

    fn connect(&self) -> UnixStream {
        let start = Instant::now();
        loop {
            match UnixStream::connect(self.folder.join("socket")) {
                Ok(stream) => return stream,
                Err(error) => {
                    assert!(start.elapsed() < BOUND, "nginx does not listen: {error}");
                    thread::yield_now();
                }
            }
        }
    }

    /// Sends the bytes and waits until nginx has answered and closed.
    fn ask(&self, request: &[u8]) {
        let mut stream = self.connect();
        stream.set_read_timeout(Some(BOUND)).unwrap();
        stream.write_all(request).unwrap();
        stream.read_to_end(&mut Vec::new()).unwrap();
    }
}

fn listen(behaviour: Behaviour) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            behaviour(stream);
        }
    });
    port
}

/// The first candidates of the log's groups.
fn causes(log: &Path) -> Vec<Cause> {
    let file = fs::File::open(log).unwrap();
    let summary = nginx_log::read(&mut std::io::BufReader::new(file)).unwrap();
    assert_eq!(summary.unknown, 0, "{:?}", summary.unknown_shapes);
    summary.groups.iter().map(|group| group.causes[0]).collect()
}

#[test]
fn what_nginx_logs_about_each_failure_is_taken_for_its_cause() {
    // Bound and dropped: nothing listens there.
    let refused = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let mut locations = format!("location /refused {{ proxy_pass http://127.0.0.1:{refused}; }}");
    for &(path, behaviour, _) in CASES {
        let scheme = if path == "tls" { "https" } else { "http" };
        let port = listen(behaviour);
        locations += &format!("location /{path} {{ proxy_pass {scheme}://127.0.0.1:{port}; }}\n");
    }
    let nginx = Nginx::start(&locations);
    let mut expected =
        vec![Cause::UpstreamConnectRefused, Cause::ClientTooLarge, Cause::ClientBadRequest];
    for path in CASES.iter().map(|&(path, ..)| path).chain(["refused"]) {
        nginx.ask(
            format!("GET /{path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").as_bytes(),
        );
    }
    nginx
        .ask(b"POST /cut HTTP/1.1\r\nHost: a\r\nContent-Length: 9999\r\nConnection: close\r\n\r\n");
    nginx.ask(b"GET / HTTP/1.1\r\n\r\n");
    expected.extend(CASES.iter().map(|&(.., cause)| cause));

    let mut found = causes(&nginx.folder.join("error.log"));
    found.sort();
    expected.sort();
    assert_eq!(found, expected);
}
