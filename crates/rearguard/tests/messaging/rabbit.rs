//! RabbitMQ on ports and in folders of its own; it ends with the test.
//!
//! It is not a `TestServer`: it needs a second process, epmd, which it would otherwise start by itself and
//! leave behind.

use std::{
    env, fs,
    net::{TcpListener, TcpStream},
    os::unix::fs::chown,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

use rearguard::{Guard, guard};

/// It takes about eight seconds of a processor to start.
const PATIENCE: Duration = Duration::from_secs(120);

pub(crate) struct Rabbit {
    port: u16,
    // Ended in this order.
    _broker: Guard<Child, fn(Child)>,
    _epmd: Guard<Child, fn(Child)>,
    _folder: Guard<PathBuf, fn(PathBuf)>,
}

/// The script itself, past Debian's, which insists on the installation's own folders.
fn find() -> Option<PathBuf> {
    if let Some(named) = env::var_os("REARGUARD_RABBITMQ") {
        return Some(named.into());
    }
    let versions = fs::read_dir("/usr/lib/rabbitmq/lib").ok()?.flatten();
    let mut scripts = versions.map(|version| version.path().join("sbin/rabbitmq-server"));
    scripts.find(|script| script.is_file())
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

fn user() -> Option<(u32, u32)> {
    let users = fs::read_to_string("/etc/passwd").unwrap();
    let line = users.lines().find(|line| line.starts_with("rabbitmq:"))?;
    let mut fields = line.split(':').skip(2);
    Some((fields.next()?.parse().ok()?, fields.next()?.parse().ok()?))
}

/// A command that ends with this thread, as RabbitMQ's user where there is one.
fn bound_to_us(program: impl AsRef<Path>, folder: &Path) -> Command {
    let mut command = Command::new("setpriv");
    command.arg("--pdeathsig=KILL");
    if let Some((user, group)) = user() {
        command.args([format!("--reuid={user}"), format!("--regid={group}")]).arg("--clear-groups");
    }
    command.arg("--").arg(program.as_ref()).current_dir(folder).env("HOME", folder);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command
}

fn start(mut command: Command) -> Guard<Child, fn(Child)> {
    guard(command.spawn().unwrap(), |mut child| {
        drop(child.kill());
        drop(child.wait());
    })
}

impl Rabbit {
    /// `None` where it is not installed.
    #[expect(clippy::print_stderr, reason = "a test that is skipped says so")]
    pub(crate) async fn start() -> Option<Self> {
        let Some(program) = find() else {
            eprintln!("skipped: there is no RabbitMQ; apt-get install rabbitmq-server");
            return None;
        };
        let folder = env::temp_dir().join(format!("rearguard-rabbit-{}", fastrand::u64(..)));
        fs::create_dir(&folder).unwrap();
        if let Some((user, group)) = user() {
            chown(&folder, Some(user), Some(group)).unwrap();
        }
        let folder: Guard<PathBuf, fn(PathBuf)> = guard(folder, |it| drop(fs::remove_dir_all(it)));
        let (port, dist, epmd) = (free_port(), free_port(), free_port());
        let mut command = bound_to_us("epmd", &folder);
        command.args(["-address", "127.0.0.1", "-port", &epmd.to_string()]);
        let epmd_process = start(command);
        crate::until("epmd listens", async || TcpStream::connect(("127.0.0.1", epmd)).is_ok())
            .await;

        let mut command = bound_to_us(program, &folder);
        for (name, value) in [
            ("RABBITMQ_NODENAME", format!("rearguard{port}@localhost")),
            ("RABBITMQ_NODE_IP_ADDRESS", "127.0.0.1".to_owned()),
            ("RABBITMQ_NODE_PORT", port.to_string()),
            ("RABBITMQ_DIST_PORT", dist.to_string()),
            ("ERL_EPMD_ADDRESS", "127.0.0.1".to_owned()),
            ("ERL_EPMD_PORT", epmd.to_string()),
            // Neither a shell nor a process between.
            ("RUNNING_UNDER_SYSTEMD", "1".to_owned()),
        ] {
            command.env(name, value);
        }
        let interface = "-kernel inet_dist_use_interface {127,0,0,1}";
        command.env("RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS", interface);
        command.env("RABBITMQ_LOGS", "-");
        for (name, part) in [
            ("RABBITMQ_MNESIA_BASE", "data"),
            ("RABBITMQ_LOG_BASE", "log"),
            ("RABBITMQ_ENABLED_PLUGINS_FILE", "plugins"),
            ("RABBITMQ_CONF_ENV_FILE", "none"),
            ("RABBITMQ_CONFIG_FILE", "none"),
        ] {
            command.env(name, folder.join(part));
        }
        let broker = start(command);
        let listens = async {
            while TcpStream::connect(("127.0.0.1", port)).is_err() {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        assert!(tokio::time::timeout(PATIENCE, listens).await.is_ok(), "it does not listen");
        Some(Self { port, _broker: broker, _epmd: epmd_process, _folder: folder })
    }

    pub(crate) fn url(&self) -> String {
        format!("amqp://guest:guest@127.0.0.1:{}/%2f", self.port)
    }
}
