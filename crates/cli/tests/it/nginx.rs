//! A real nginx, behind the gateway and in front of it.

use std::{
    fs,
    io::{Read as _, Write as _},
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    path::PathBuf,
    process::{Child, Command, Stdio},
    thread,
    time::Duration,
};

use crate::support::{Gateway, PATIENCE, get, scratch, wait_for};

/// A running nginx with this `server` block's content; killed when dropped.
struct Nginx {
    child: Child,
    address: SocketAddr,
    folder: PathBuf,
}

impl Nginx {
    fn start(name: &str, server: &str) -> Self {
        let folder = scratch(&format!("nginx-{name}"));
        fs::create_dir_all(folder.join("html")).unwrap();
        let address = free_address();
        let at = folder.display();
        let configuration = format!(
            "daemon off; master_process off; pid {at}/pid; error_log {at}/error.log info;\n\
             events {{ worker_connections 256; }}\n\
             http {{\n  access_log off; client_body_temp_path {at}/body; proxy_temp_path {at}/proxy;\n\
             fastcgi_temp_path {at}/fastcgi; uwsgi_temp_path {at}/uwsgi; scgi_temp_path {at}/scgi;\n\
             server {{ listen {address}; root {at}/html;\n{server}\n}} }}\n"
        );
        fs::write(folder.join("nginx.conf"), configuration).unwrap();
        let program = std::env::var("REARGUARD_NGINX").unwrap_or_else(|_| "nginx".to_owned());
        let child = Command::new(&program)
            .args(["-p", &at.to_string(), "-c", "nginx.conf"])
            .stderr(Stdio::null())
            .spawn()
            .unwrap_or_else(|error| {
                panic!("{program} does not start ({error}); on Debian: apt-get install nginx-light")
            });
        wait_for("nginx listens", || TcpStream::connect(address).ok());
        Self { child, address, folder }
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        self.child.kill().unwrap_or_default();
        self.child.wait().map(drop).unwrap_or_default();
    }
}

fn free_address() -> SocketAddr {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap()
}

/// Sends a GET on a kept connection and reads a short answer whole.
fn status_on(connection: &mut TcpStream, path: &str) -> String {
    write!(connection, "GET {path} HTTP/1.1\r\nhost: test\r\n\r\n").unwrap();
    let mut answer = Vec::new();
    let mut bytes = [0; 4096];
    while !answer.ends_with(b"whole\n") {
        let count = connection.read(&mut bytes).unwrap();
        answer.extend_from_slice(&bytes[..count]);
        if count == 0 || answer.windows(10).any(|text| text == b"trace id: ") {
            break;
        }
    }
    String::from_utf8_lossy(&answer).into_owned()
}

#[test]
fn files_of_nginx_arrive_whole_whatever_their_size() {
    let nginx = Nginx::start("files", "");
    let large: Vec<u8> = (0..20_000_000_u32).map(|at| (at % 251) as u8).collect();
    fs::write(nginx.folder.join("html/large"), &large).unwrap();
    fs::write(nginx.folder.join("html/small"), "whole\n").unwrap();
    fs::write(nginx.folder.join("html/empty"), "").unwrap();
    let gateway = Gateway::up(&["--upstream", &format!("http://{}", nginx.address)]);
    for (path, expected) in [("/large", &large[..]), ("/small", b"whole\n"), ("/empty", b"")] {
        let answer = gateway.get(path);
        assert_eq!(answer.status, 200, "{path}");
        assert!(answer.complete && answer.body == expected, "{path}");
    }
    assert_eq!(gateway.get("/none").status, 404);
    assert!(gateway.failures().is_empty(), "a service's own 404 is no failure");
}

/// The service closes idle connections after 50 ms, just as requests go out on them.
#[test]
fn no_get_fails_in_the_idle_race_with_nginx() {
    let server = "keepalive_timeout 50ms; keepalive_requests 1000;";
    let nginx = Nginx::start("idle", server);
    fs::write(nginx.folder.join("html/small"), "whole\n").unwrap();
    let gateway = Gateway::up(&["--upstream", &format!("http://{}", nginx.address)]);
    let clients: Vec<_> = (0..8_u64)
        .map(|client| {
            let address = gateway.data;
            thread::spawn(move || {
                let mut connection = TcpStream::connect(address).unwrap();
                connection.set_read_timeout(Some(PATIENCE)).unwrap();
                for round in 0..40_u64 {
                    let answer = status_on(&mut connection, "/small");
                    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
                    // The load itself, not a wait: pauses on both sides of the keep-alive.
                    thread::sleep(Duration::from_millis(40 + (client * 7 + round * 3) % 20));
                }
            })
        })
        .collect();
    for client in clients {
        client.join().unwrap();
    }
    assert!(gateway.failures().is_empty(), "{:?}", gateway.failures());
}

#[test]
fn nginx_in_front_passes_the_cause_on() {
    let gateway = Gateway::up(&[]);
    let server = format!(
        "location / {{ proxy_pass http://{}; proxy_http_version 1.1; \
         proxy_set_header Connection \"\"; proxy_set_header Host $host; }}",
        gateway.data
    );
    let nginx = Nginx::start("front", &server);
    assert_eq!(get(nginx.address, "/pay").status, 200);
    let answer = get(nginx.address, "/gift");
    assert_eq!(answer.status, 502);
    assert_eq!(
        answer.field("proxy-status"),
        Some("rearguard; error=connection_refused; details=\"upstream.connect_refused\"")
    );
    let failure = gateway.failure("/gift");
    assert_eq!(failure["cause"], "upstream.connect_refused");
    assert_eq!(failure["authority"], "127.0.0.1");
}
