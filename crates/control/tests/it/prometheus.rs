//! A real Prometheus, over a folder of data that its own tool has written.

use std::{
    collections::BTreeMap,
    env, fs,
    io::{Read as _, Write as _},
    net::{Ipv4Addr, TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use model::slo::Seconds;
use serde_json::Value;

/// How long a Prometheus may take to start, and to answer.
const PATIENCE: Duration = Duration::from_secs(60);

/// One of its programs: named by a variable, or on `PATH`.
fn program(name: &str, variable: &str) -> PathBuf {
    let named = env::var_os(variable).map(PathBuf::from);
    let path = env::var_os("PATH").unwrap_or_default();
    let all = named.into_iter().chain(env::split_paths(&path).map(|folder| folder.join(name)));
    all.into_iter().find(|file| file.is_file()).unwrap_or_else(|| {
        panic!("{name} is missing: `apt-get install prometheus`, or name it in {variable}")
    })
}

/// Runs its tool in a folder; it must succeed.
pub(crate) fn run_promtool(folder: &Path, arguments: &[&str]) -> String {
    let mut command = Command::new(program("promtool", "REARGUARD_PROMTOOL"));
    let output = command.args(arguments).current_dir(folder).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned()
        + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "promtool {arguments:?}: {said}");
    said
}

/// Values by time.
pub(crate) type Samples = BTreeMap<Seconds, f64>;

fn encoded(query: &str) -> String {
    query.bytes().map(|byte| format!("%{byte:02x}")).collect()
}

/// A server on a free port, which ends with this value, and with the test's process.
pub(crate) struct Prometheus {
    child: Child,
    port: u16,
}

impl Prometheus {
    /// Serves what is in the folder. An instant finds samples of the last second only: data that was
    /// written afterwards has no marks that say where a series ends.
    pub(crate) fn start(data: &Path, folder: &Path) -> Self {
        let port =
            TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port();
        let config = folder.join("prometheus.yaml");
        fs::write(&config, "{}\n").unwrap();
        let child = Command::new("setpriv")
            .args(["--pdeathsig", "KILL"])
            .arg(program("prometheus", "REARGUARD_PROMETHEUS"))
            .arg(format!("--config.file={}", config.display()))
            .arg(format!("--storage.tsdb.path={}", data.display()))
            .arg(format!("--web.listen-address=127.0.0.1:{port}"))
            .args(["--storage.tsdb.retention.time=100y", "--query.lookback-delta=1s"])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(fs::File::create(folder.join("prometheus.log")).unwrap())
            .spawn()
            .unwrap();
        let mut server = Self { child, port };
        let begin = Instant::now();
        while server.get("/-/ready").is_none_or(|(status, _)| status != 200) {
            let log = || fs::read_to_string(folder.join("prometheus.log")).unwrap_or_default();
            let ended = server.child.try_wait().unwrap();
            assert!(ended.is_none() && begin.elapsed() < PATIENCE, "{ended:?}\n{}", log());
            // Between two looks; what is waited for is the answer.
            thread::sleep(Duration::from_millis(50));
        }
        server
    }

    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// The samples of the only series, as they were recorded between two instants, by their second.
    pub(crate) fn samples(&self, series: &str, from: Seconds, to: Seconds) -> Samples {
        let query = encoded(&format!("{series}[{}s]", to - from));
        self.query(&format!("query?query={query}&time={to}"))
    }

    /// The value of the only series that an expression has, at each step that has one.
    pub(crate) fn range(
        &self,
        query: &str,
        (from, to): (Seconds, Seconds),
        step: Seconds,
    ) -> Samples {
        let query = encoded(query);
        self.query(&format!("query_range?query={query}&start={from}&end={to}&step={step}"))
    }

    fn query(&self, query: &str) -> Samples {
        let (status, body) = self.get(&format!("/api/v1/{query}")).unwrap();
        let answer: Value = serde_json::from_str(&body).unwrap();
        assert!(status == 200 && answer["status"] == "success", "{body}");
        let all = answer["data"]["result"].as_array().unwrap();
        assert!(all.len() <= 1, "{} series", all.len());
        let samples = all.iter().flat_map(|series| series["values"].as_array().unwrap());
        let sample = |it: &Value| {
            (it[0].as_f64().unwrap() as Seconds, it[1].as_str().unwrap().parse::<f64>().unwrap())
        };
        samples.map(sample).collect()
    }

    fn get(&self, path: &str) -> Option<(u16, String)> {
        let mut connection = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).ok()?;
        connection.set_read_timeout(Some(PATIENCE)).ok()?;
        // HTTP/1.0: the end of the connection is that of the answer.
        write!(connection, "GET {path} HTTP/1.0\r\nHost: localhost\r\n\r\n").ok()?;
        let mut answer = String::new();
        connection.read_to_string(&mut answer).ok()?;
        let (head, body) = answer.split_once("\r\n\r\n")?;
        Some((head.split(' ').nth(1)?.parse().ok()?, body.to_owned()))
    }
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}
