//! A service and a caller that others wrote: grpcio.

use std::{
    env,
    path::{Path, PathBuf},
    process::Stdio,
};

use config::routing::UpstreamProtocol::Http2;
use model::{Cause, Outcome};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader},
    process::Command,
};

use crate::support::{Setup, within};

/// A Python that has grpcio: `REARGUARD_GRPCIO`, else the one that `cargo xtask test` installs.
fn python() -> PathBuf {
    if let Some(python) = env::var_os("REARGUARD_GRPCIO") {
        return python.into();
    }
    let cache = env::var_os("XDG_CACHE_HOME")
        .map(PathBuf::from)
        .or_else(|| Some(PathBuf::from(env::var_os("HOME")?).join(".cache")));
    cache
        .map(|cache| cache.join("rearguard/tools/grpcio/bin/python3"))
        .filter(|python| python.is_file())
        .expect(
            "no grpcio found: run `cargo xtask test`, which installs it, or name a Python that has \
             it in REARGUARD_GRPCIO",
        )
}

#[tokio::test]
async fn calls_of_grpcio_pass_as_they_would_without_a_gateway() {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/h2/grpcio.py");
    let mut peer = Command::new(python())
        .arg(script)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .expect("python starts");
    let mut lines = BufReader::new(peer.stdout.take().expect("piped")).lines();
    let port = within(lines.next_line()).await.expect("a line").expect("a port");
    let address = ([127, 0, 0, 1], port.parse().expect("a number")).into();
    let gateway = Setup::new(Http2, address).start();
    let told = format!("{}\n", gateway.address);
    peer.stdin.take().expect("piped").write_all(told.as_bytes()).await.expect("written");
    let mut came = Vec::new();
    while let Some(line) = within(lines.next_line()).await.expect("a line") {
        came.push(line);
    }
    assert_eq!(
        came,
        [
            "unary <hi> 2",
            "several m0 m1 m2",
            "gather a,b",
            "talk A B",
            "fail INTERNAL broken",
            "missing UNIMPLEMENTED Method not found!",
            "large 2",
            "many 300",
            "deadline DEADLINE_EXCEEDED True",
            "dead UNAVAILABLE upstream.connect_refused",
        ]
    );
    let seen = |path: &str| {
        let records = gateway.gateway.handle().failures(0, 100);
        let found = records.into_iter().find(|record| &*record.path == path);
        found.map(|record| (record.cause, record.outcome, record.grpc_status))
    };
    let failed = Some(Cause::UpstreamFailed);
    assert_eq!(seen("/p.S/Fail"), Some((failed, Outcome::Failed, Some(13))));
    let refused = Some(Cause::UpstreamConnectRefused);
    assert_eq!(seen("/p.S/Unary"), Some((refused, Outcome::Failed, Some(14))));
    // Whether the caller, the service or the gateway saw first that the time was over.
    let (cause, outcome, _) = seen("/p.S/Hang").expect("a failure");
    assert!(matches!(outcome, Outcome::TimedOut | Outcome::Cancelled), "{cause:?} {outcome:?}");
}
