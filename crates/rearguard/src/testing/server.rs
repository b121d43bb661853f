//! Real servers on free loopback ports.

use std::{
    ffi::OsString,
    fs, io,
    net::{Ipv4Addr, SocketAddr, TcpListener},
    os::unix::fs::chown,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread::sleep,
    time::{Duration, Instant},
};

use rustix::process::Signal;
use tempfile::TempDir;

use super::{
    probe::{self, Probe},
    process::{User, bound_to_us, find, signal, spawn, unprivileged},
};
use crate::{Error, ErrorKind};

/// How long a server has to begin or to end.
const PATIENCE: Duration = Duration::from_secs(60);

/// How often one that may have lost its port to somebody else is started again.
const STARTS: usize = 3;

/// What is particular to a kind of server.
#[derive(Debug)]
struct Kind {
    program: &'static str,
    package: &'static str,
    variable: &'static str,
    folders: &'static [&'static str],
    scheme: &'static str,
    probe: Probe,
    /// Ends it in good order.
    stop: Signal,
    arguments: fn(&Path, u16) -> Vec<OsString>,
    /// Makes what must be there before the first start.
    prepare: fn(&Path, &Path, Option<User>) -> io::Result<()>,
}

static POSTGRES: Kind = Kind {
    program: "postgres",
    package: "postgresql",
    variable: "REARGUARD_POSTGRES",
    folders: &["/usr/lib/postgresql"],
    scheme: "postgres://postgres@",
    probe: probe::POSTGRES,
    stop: Signal::INT,
    arguments: |folder, port| {
        let mut arguments = vec!["-D".into(), folder.join("data").into()];
        for setting in [
            "listen_addresses=127.0.0.1".to_owned(),
            format!("port={port}"),
            "unix_socket_directories=".to_owned(),
            // Outlives the death of the process, not that of the machine; tests kill processes.
            "fsync=off".to_owned(),
            "max_connections=200".to_owned(),
        ] {
            arguments.extend(["-c".into(), setting.into()]);
        }
        arguments
    },
    prepare: |program, folder, user| {
        let mut command = bound_to_us(&program.with_file_name("initdb"), user);
        command.arg("-D").arg(folder.join("data"));
        command.args(["-U", "postgres", "-A", "trust", "--locale=C", "-E", "UTF8", "--no-sync"]);
        run(command)
    },
};

static REDIS: Kind = Kind {
    program: "redis-server",
    package: "redis-server",
    variable: "REARGUARD_REDIS",
    folders: &[],
    scheme: "redis://",
    probe: probe::REDIS,
    stop: Signal::TERM,
    arguments: |folder, port| {
        let port = port.to_string();
        let fixed = ["--bind", "127.0.0.1", "--port", &port, "--save", "", "--dir"];
        fixed.map(OsString::from).into_iter().chain([folder.into()]).collect()
    },
    prepare: |_, _, _| Ok(()),
};

static NATS: Kind = Kind {
    program: "nats-server",
    package: "nats-server",
    variable: "REARGUARD_NATS",
    folders: &[],
    scheme: "nats://",
    probe: probe::NATS,
    stop: Signal::TERM,
    arguments: |folder, port| {
        let port = port.to_string();
        let fixed = ["--addr", "127.0.0.1", "--port", &port, "--jetstream", "--store_dir"];
        fixed.map(OsString::from).into_iter().chain([folder.into()]).collect()
    },
    prepare: |_, _, _| Ok(()),
};

/// A server that a test has for itself: on a free port of 127.0.0.1, with a folder of its own, both
/// gone when it is dropped, and also when the test's process is killed.
///
/// The programs are found on `PATH`, or named by `REARGUARD_POSTGRES`, `REARGUARD_REDIS` and
/// `REARGUARD_NATS`. Linux only.
///
/// ```no_run
/// use rearguard::testing::TestServer;
///
/// # fn main() -> Result<(), rearguard::Error> {
/// let mut redis = TestServer::redis().arg("--appendonly").arg("yes").start()?;
/// println!("{}", redis.url()); // redis://127.0.0.1:41234
/// redis.kill()?; // as a crash would
/// redis.start_again()?; // on the same port, with what it had written
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct TestServer {
    builder: ServerBuilder,
    program: PathBuf,
    user: Option<User>,
    folder: TempDir,
    port: u16,
    child: Option<Child>,
}

/// What a [`TestServer`] is started with.
#[derive(Clone, Debug)]
pub struct ServerBuilder {
    kind: &'static Kind,
    arguments: Vec<OsString>,
    variables: Vec<(OsString, OsString)>,
}

impl ServerBuilder {
    /// Adds an argument of the server's own.
    #[must_use]
    pub fn arg(mut self, argument: impl Into<OsString>) -> Self {
        self.arguments.push(argument.into());
        self
    }

    /// Sets a variable of its environment.
    #[must_use]
    pub fn env(mut self, name: impl Into<OsString>, value: impl Into<OsString>) -> Self {
        self.variables.push((name.into(), value.into()));
        self
    }

    /// Starts it, and waits until it answers.
    ///
    /// # Errors
    /// Where the program is missing, and says how to install it, or where it does not come up.
    pub fn start(self) -> Result<TestServer, Error> {
        let kind = self.kind;
        let program = find(kind.variable, kind.program, kind.folders).ok_or_else(|| {
            failed("there is no such program").with("program", kind.program).with(
                "install it",
                format!("apt-get install {}, or name it in {}", kind.package, kind.variable),
            )
        })?;
        let folder = tempfile::tempdir().map_err(failed)?;
        let user = unprivileged();
        if let Some((user, group)) = user {
            chown(folder.path(), Some(user), Some(group)).map_err(failed)?;
        }
        (kind.prepare)(&program, folder.path(), user).map_err(failed)?;
        let mut server = TestServer { builder: self, program, user, folder, port: 0, child: None };
        let mut attempt = 1;
        loop {
            server.port = free_port().map_err(failed)?;
            match server.start_again() {
                Err(_) if attempt < STARTS => attempt += 1,
                started => return started.map(|()| server),
            }
        }
    }
}

impl TestServer {
    /// A PostgreSQL with the database and the superuser `postgres`, without a password.
    #[must_use]
    pub fn postgres() -> ServerBuilder {
        Self::of(&POSTGRES)
    }

    /// A Redis that keeps nothing on disk unless an argument says so.
    #[must_use]
    pub fn redis() -> ServerBuilder {
        Self::of(&REDIS)
    }

    /// A NATS server with JetStream.
    #[must_use]
    pub fn nats() -> ServerBuilder {
        Self::of(&NATS)
    }

    fn of(kind: &'static Kind) -> ServerBuilder {
        ServerBuilder { kind, arguments: Vec::new(), variables: Vec::new() }
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.port).into()
    }

    /// The same as clients write it: `postgres://postgres@127.0.0.1:PORT`, `redis://127.0.0.1:PORT`.
    #[must_use]
    pub fn url(&self) -> String {
        format!("{}{}", self.builder.kind.scheme, self.address())
    }

    /// Its folder, which outlasts a [`kill`](Self::kill).
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The process, while it runs.
    #[must_use]
    pub fn pid(&self) -> Option<u32> {
        self.child.as_ref().map(Child::id)
    }

    /// Stops its process where it stands (SIGSTOP): it neither answers nor closes connections. A
    /// PostgreSQL stops accepting; sessions that are open are processes of their own.
    ///
    /// # Errors
    /// Where it does not run.
    pub fn pause(&self) -> Result<(), Error> {
        self.signal(Signal::STOP)
    }

    /// Lets it go on (SIGCONT).
    ///
    /// # Errors
    /// Where it does not run.
    pub fn resume(&self) -> Result<(), Error> {
        self.signal(Signal::CONT)
    }

    /// Kills it (SIGKILL), as a crash would. Its folder stays.
    ///
    /// # Errors
    /// Where it does not run.
    pub fn kill(&mut self) -> Result<(), Error> {
        self.end(Signal::KILL)
    }

    /// Ends it in good order. Its folder stays.
    ///
    /// # Errors
    /// Where it does not run.
    pub fn stop(&mut self) -> Result<(), Error> {
        self.end(self.builder.kind.stop)
    }

    /// Starts it on the same port, with what its folder has, and waits until it answers.
    ///
    /// # Errors
    /// Where it does not come up; what it said is in the error.
    pub fn start_again(&mut self) -> Result<(), Error> {
        let said = self.folder.path().join("said");
        let output = || fs::File::options().create(true).append(true).open(&said);
        let kind = self.builder.kind;
        let mut command = bound_to_us(&self.program, self.user);
        command.args((kind.arguments)(self.folder.path(), self.port));
        command.args(&self.builder.arguments).envs(self.builder.variables.iter().cloned());
        command.current_dir(self.folder.path()).stdin(Stdio::null());
        command.stdout(output().map_err(failed)?).stderr(output().map_err(failed)?);
        self.child = Some(spawn(command).map_err(failed)?);
        let begin = Instant::now();
        while begin.elapsed() < PATIENCE && self.is_running() {
            if kind.probe.is_ready(self.address()) {
                return Ok(());
            }
            sleep(Duration::from_millis(10));
        }
        // Ended by itself, or to be ended by the drop.
        let text = fs::read_to_string(&said).unwrap_or_default();
        Err(failed("it does not answer").with("program", kind.program).with("it said", text))
    }

    fn is_running(&mut self) -> bool {
        self.child.as_mut().is_some_and(|child| matches!(child.try_wait(), Ok(None)))
    }

    fn signal(&self, which: Signal) -> Result<(), Error> {
        let child = self.child.as_ref().ok_or_else(|| failed("it does not run"))?;
        signal(child, which).map_err(failed)
    }

    fn end(&mut self, which: Signal) -> Result<(), Error> {
        self.signal(which)?;
        let begin = Instant::now();
        while self.is_running() && begin.elapsed() < PATIENCE {
            sleep(Duration::from_millis(2));
        }
        let Some(mut child) = self.child.take() else { return Ok(()) };
        // Ended already, or too slow to.
        drop(child.kill());
        child.wait().map(drop).map_err(failed)
    }
}

impl Drop for TestServer {
    fn drop(&mut self) {
        // A process that is stopped where it stands can be killed all the same. PostgreSQL's own
        // processes end when they see that their parent has.
        if self.child.is_some() {
            drop(self.end(Signal::KILL));
        }
    }
}

fn failed(source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
    Error::new(ErrorKind::Failed, "testing.server").because(source)
}

fn free_port() -> io::Result<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port())
}

fn run(mut command: Command) -> io::Result<()> {
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let output = spawn(command)?.wait_with_output()?;
    if output.status.success() {
        return Ok(());
    }
    Err(io::Error::other(String::from_utf8_lossy(&output.stderr).into_owned()))
}
