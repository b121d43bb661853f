//! Prometheus and Alertmanager as they are, and receivers on plain and on encrypted sockets.

use std::{
    fs::{self, File},
    io::{BufRead as _, BufReader, Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{Arc, mpsc},
    thread,
    time::SystemTime,
};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::{
    ServerConfig, ServerConnection, StreamOwned,
    pki_types::{PrivateKeyDer, pem::PemObject as _},
};
use serde_json::Value;

use crate::support::{get, wait_for};

/// A program with a port of its own, killed when dropped.
pub(super) struct Program {
    child: Child,
    pub(super) address: SocketAddr,
}

/// A port that nobody listens on just now.
pub(super) fn free_address() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

impl Program {
    /// Starts it in a folder, and waits until it says that it is ready.
    fn start(
        variable: &str,
        program: &str,
        address: SocketAddr,
        arguments: &[&str],
        at: &Path,
    ) -> Self {
        let program = std::env::var(variable).unwrap_or_else(|_| program.to_owned());
        let complaints = File::create(at.join("stderr")).unwrap();
        let child = Command::new(&program)
            .args(arguments)
            .arg(format!("--web.listen-address={address}"))
            .current_dir(at)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(complaints)
            .spawn()
            .unwrap_or_else(|error| {
                panic!("{program} does not start ({error}); on Debian: apt-get install prometheus prometheus-alertmanager")
            });
        let server = Self { child, address };
        wait_for(&program, || {
            TcpStream::connect(address).ok()?;
            (get(address, "/-/ready").status == 200).then_some(())
        });
        server
    }

    /// A Prometheus at this address that looks at a gateway each second.
    pub(super) fn prometheus(address: SocketAddr, gateway: &str, at: &Path) -> Self {
        let target = gateway.trim_start_matches("http://");
        let configuration = format!(
            "global: {{scrape_interval: 1s, evaluation_interval: 1s}}\nscrape_configs:\n\
             - job_name: gateway\n  static_configs: [{{targets: ['{target}']}}]\n"
        );
        fs::write(at.join("prometheus.yaml"), configuration).unwrap();
        let arguments =
            ["--config.file=prometheus.yaml", "--storage.tsdb.path=data", "--log.level=warn"];
        Self::start("REARGUARD_PROMETHEUS", "prometheus", address, &arguments, at)
    }

    /// An Alertmanager that tells this webhook at once.
    pub(super) fn alertmanager(webhook: &str, at: &Path) -> Self {
        let configuration = format!(
            "route: {{receiver: hook, group_by: ['...'], group_wait: 0s, group_interval: 500ms, repeat_interval: 1h}}\n\
             receivers:\n- name: hook\n  webhook_configs: [{{url: '{webhook}', send_resolved: true}}]\n"
        );
        fs::write(at.join("alertmanager.yaml"), configuration).unwrap();
        let arguments = [
            "--config.file=alertmanager.yaml",
            "--storage.path=data",
            "--cluster.listen-address=",
            "--log.level=warn",
        ];
        let program = "prometheus-alertmanager";
        Self::start("REARGUARD_ALERTMANAGER", program, free_address(), &arguments, at)
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        self.child.kill().unwrap_or_default();
        self.child.wait().map(|_| ()).unwrap_or_default();
    }
}

/// A letter, and when it came.
pub(super) type Received = (SystemTime, Value);

/// Reads one request, and answers it; gives its body.
fn answer(stream: &mut (impl Read + Write), status: &str) -> std::io::Result<Value> {
    let mut length = 0;
    let mut reader = BufReader::new(&mut *stream);
    loop {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        if let Some(value) = line.to_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().unwrap();
        }
        if line.trim().is_empty() {
            break;
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    let answer = format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
    stream.write_all(answer.as_bytes())?;
    stream.flush()?;
    Ok(serde_json::from_slice(&body)?)
}

/// Says no to the first so many letters, and then takes each. Gives its URL.
pub(super) fn receiver(refused: usize) -> (String, mpsc::Receiver<Received>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let (sender, letters) = mpsc::channel();
    thread::spawn(move || {
        for (number, stream) in listener.incoming().enumerate() {
            let status = if number < refused { "503 Busy" } else { "200 OK" };
            let Ok(letter) = answer(&mut stream.unwrap(), status) else { continue };
            // Nobody asks any more when the test is over.
            if number >= refused && sender.send((SystemTime::now(), letter)).is_err() {
                return;
            }
        }
    });
    (url, letters)
}

/// The same over TLS, with an authority of its own. Gives the file with that too.
pub(super) fn encrypted_receiver(at: &Path) -> (String, PathBuf, mpsc::Receiver<Received>) {
    let mut params = CertificateParams::new([]).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new(["localhost".to_owned()]).unwrap();
    let certificate = params.signed_by(&key, &authority).unwrap();
    let file = at.join("authority.pem");
    fs::write(&file, authority.pem()).unwrap();

    let key = PrivateKeyDer::from_pem_slice(key.serialize_pem().as_bytes()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], key)
        .unwrap();
    let config = Arc::new(config);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("https://localhost:{}/", listener.local_addr().unwrap().port());
    let (sender, letters) = mpsc::channel();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let tls = ServerConnection::new(Arc::clone(&config)).unwrap();
            let mut stream = StreamOwned::new(tls, stream.unwrap());
            // Who does not trust us goes.
            let Ok(letter) = answer(&mut stream, "200 OK") else { continue };
            stream.conn.send_close_notify();
            stream.flush().unwrap_or_default();
            if sender.send((SystemTime::now(), letter)).is_err() {
                return;
            }
        }
    });
    (url, file, letters)
}
