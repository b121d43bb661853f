//! A process that ends with this one, however this one ends.

use std::{
    env, fs, io,
    path::{Path, PathBuf},
    process::{Child, Command},
    sync::{OnceLock, mpsc},
    thread,
};

use rustix::process::{Pid, Signal, geteuid, kill_process};

/// The name of the thread that starts servers.
pub(super) const SPAWNER_NAME: &str = "test-servers";

/// Where a program is: named by a variable, on `PATH`, or in one of these folders.
pub(super) fn find(variable: &str, program: &str, folders: &[&str]) -> Option<PathBuf> {
    if let Some(named) = env::var_os(variable).map(PathBuf::from) {
        return named.is_file().then_some(named);
    }
    let path = env::var_os("PATH").unwrap_or_default();
    let versions = folders.iter().filter_map(|folder| newest(Path::new(folder)));
    env::split_paths(&path).chain(versions).map(|it| it.join(program)).find(|it| it.is_file())
}

/// `FOLDER/VERSION/bin` of the highest version there.
fn newest(folder: &Path) -> Option<PathBuf> {
    let entries = fs::read_dir(folder).ok()?.flatten();
    let numbered = entries.filter_map(|entry| {
        let version: u32 = entry.file_name().to_str()?.parse().ok()?;
        Some((version, entry.path().join("bin")))
    });
    numbered.max().map(|(_, bin)| bin)
}

/// A user and a group, by number.
pub(super) type User = (u32, u32);

/// Whom a server runs as that refuses to be root: the user `postgres` or `nobody`. `None` where we
/// are not root ourselves.
pub(super) fn unprivileged() -> Option<User> {
    if !geteuid().is_root() {
        return None;
    }
    let users = fs::read_to_string("/etc/passwd").unwrap_or_default();
    let numbers = |name: &str| {
        let line = users.lines().find(|line| line.split(':').next() == Some(name))?;
        let mut fields = line.split(':').skip(2).map(str::parse);
        Some((fields.next()?.ok()?, fields.next()?.ok()?))
    };
    Some(numbers("postgres").or_else(|| numbers("nobody")).unwrap_or((65_534, 65_534)))
}

/// Starts it so that the kernel kills it when this process ends, even by SIGKILL.
///
/// The kernel watches the thread that started it, not the process, so one thread starts all of
/// them and never ends.
pub(super) fn spawn(command: Command) -> io::Result<Child> {
    type Request = (Command, mpsc::SyncSender<io::Result<Child>>);
    static SPAWNER: OnceLock<mpsc::Sender<Request>> = OnceLock::new();
    let spawner = SPAWNER.get_or_init(|| {
        let (sender, receiver) = mpsc::channel::<Request>();
        let serve = move || {
            for (mut command, reply) in receiver {
                // Who asked waits for it.
                drop(reply.send(command.spawn()));
            }
        };
        // Without the thread there is nobody to receive, and that is told below.
        drop(thread::Builder::new().name(SPAWNER_NAME.to_owned()).spawn(serve));
        sender
    });
    let (reply, answer) = mpsc::sync_channel(1);
    let gone = || io::Error::other("the thread that starts servers is gone");
    spawner.send((command, reply)).map_err(|_| gone())?;
    answer.recv().map_err(|_| gone())?
}

/// A command that becomes `program`, as another user where it is given, and dies with who spawned it.
pub(super) fn bound_to_us(program: &Path, user: Option<User>) -> Command {
    let mut command = Command::new("setpriv");
    command.arg("--pdeathsig=KILL");
    if let Some((user, group)) = user {
        command.arg(format!("--reuid={user}")).arg(format!("--regid={group}"));
        command.arg("--clear-groups");
    }
    command.arg("--").arg(program);
    command
}

/// Signals a child that has not been waited for, so its id is still its own.
pub(super) fn signal(child: &Child, signal: Signal) -> io::Result<()> {
    let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
    let pid = pid.ok_or_else(|| io::Error::other("the process has no usable id"))?;
    Ok(kill_process(pid, signal)?)
}
