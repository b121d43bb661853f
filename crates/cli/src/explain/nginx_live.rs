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

/// Answers a TLS greeting in plain HTTP.
fn answer_in_plain(mut stream: TcpStream) {
    stream.read(&mut [0; 16]).map(drop).unwrap_or_default();
    finish(stream, b"HTTP/1.1 400 Bad Request\r\n\r\n");
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
    ("tls", answer_in_plain, Cause::UpstreamTlsFailed),
];

/// A folder with an `nginx.conf`, removed on every way out.
struct Folder(PathBuf);

impl Drop for Folder {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).unwrap_or_default();
    }
}

impl Folder {
    /// `{folder}` in the `http` block stands for the folder.
    fn with_configuration(name: &str, http: &str) -> Self {
        let name = format!("rearguard-nginx-{name}-{}", std::process::id());
        let folder = Self(std::env::temp_dir().join(name));
        fs::create_dir_all(&folder.0).unwrap();
        let configuration = format!(
            "daemon off; master_process off; pid {{folder}}/pid; error_log {{folder}}/error.log info;\n\
             events {{}}\n\
             http {{ access_log off; client_body_temp_path {{folder}}/a; proxy_temp_path {{folder}}/b;\n\
             fastcgi_temp_path {{folder}}/c; uwsgi_temp_path {{folder}}/d; scgi_temp_path {{folder}}/e;\n\
             {http} }}\n"
        );
        let at = folder.0.display().to_string();
        fs::write(folder.0.join("nginx.conf"), configuration.replace("{folder}", &at)).unwrap();
        folder
    }

    fn nginx(&self) -> Command {
        let mut command = Command::new("nginx");
        command.arg("-e").arg(self.0.join("error.log")).arg("-c").arg(self.0.join("nginx.conf"));
        command.stdin(Stdio::null()).stderr(Stdio::null());
        command
    }
}

const MISSING: &str = "nginx could not be started; install it (Debian: apt-get install nginx)";

/// A running nginx, ended on every way out.
struct Nginx {
    process: Child,
    folder: Folder,
}

impl Drop for Nginx {
    fn drop(&mut self) {
        self.process.kill().unwrap_or_default();
        self.process.wait().map(drop).unwrap_or_default();
    }
}

impl Nginx {
    fn start(locations: &str) -> Self {
        let http = format!(
            "proxy_read_timeout 200ms; proxy_next_upstream off; client_max_body_size 1k;\n\
             lingering_timeout 100ms;\n\
             server {{ listen unix:{{folder}}/socket; {locations} }}"
        );
        let folder = Folder::with_configuration("live", &http);
        let nginx = Self { process: folder.nginx().spawn().expect(MISSING), folder };
        nginx.connect();
        nginx
    }

    fn connect(&self) -> UnixStream {
        let start = Instant::now();
        loop {
            match UnixStream::connect(self.folder.0.join("socket")) {
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
    let mut locations = String::new();
    for &(path, behaviour, _) in CASES {
        let scheme = if path == "tls" { "https" } else { "http" };
        let port = listen(behaviour);
        locations += &format!("location /{path} {{ proxy_pass {scheme}://127.0.0.1:{port}; }}\n");
    }
    // Bound and dropped: nothing listens there.
    let refused = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    locations += &format!("location /refused {{ proxy_pass http://127.0.0.1:{refused}; }}");
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

    let log = nginx.folder.0.join("error.log");
    let mut found = causes(&log);
    found.sort();
    expected.sort();
    assert_eq!(found, expected, "{}", fs::read_to_string(&log).unwrap());
}

/// The `nginx` blocks of a page.
fn blocks(page: &str) -> Vec<&str> {
    let blocks = page.split("```nginx\n").skip(1);
    blocks.map(|block| block.split("```").next().unwrap()).collect()
}

#[test]
fn the_documented_configuration_is_one_that_nginx_takes() {
    let page = include_str!("../../../../docs/nginx.md");
    let [whole, share, back] = blocks(page)[..] else { panic!("docs/nginx.md has other blocks") };
    const PASS: &str = "proxy_pass http://rearguard;";
    assert!(whole.contains(PASS));
    for (name, http) in [
        ("whole", whole.to_owned()),
        ("share", format!("{share}\n{}", whole.replace(PASS, "proxy_pass http://$backend;"))),
        ("back", whole.replace(PASS, back)),
    ] {
        let http = http
            .replace("listen 80;", "listen unix:{folder}/socket;")
            .replace("/var/log/nginx/", "{folder}/");
        let folder = Folder::with_configuration(name, &http);
        let taken = folder.nginx().arg("-t").status().expect(MISSING).success();
        let log = fs::read_to_string(folder.0.join("error.log")).unwrap_or_default();
        assert!(taken, "{name}: {log}");
    }
}
