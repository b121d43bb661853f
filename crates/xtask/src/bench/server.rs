//! A server that runs for the length of a measurement: what it uses, and its end.

use std::{
    collections::BTreeSet,
    ffi::OsString,
    fs::{self, File},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail};
use rustix::process::{Pid, Signal, kill_process};

use super::client;

/// How long a server may take to answer its first request, unless it is told otherwise, or to end.
const PATIENCE: Duration = Duration::from_secs(20);

/// What a server is started under.
#[derive(Clone, Debug)]
pub(super) enum Under {
    /// Any core.
    Nothing,
    /// These cores only, as `taskset` writes them.
    Cores(String),
    /// valgrind, which counts instructions into this file.
    Callgrind(PathBuf),
}

impl Under {
    /// The command that runs `words` in this way.
    pub(super) fn command(&self, words: &[OsString]) -> Command {
        let mut prefix: Vec<OsString> = Vec::new();
        match self {
            Self::Nothing => {}
            Self::Cores(cores) => prefix.extend(["taskset".into(), "-c".into(), cores.into()]),
            Self::Callgrind(file) => {
                let mut out = OsString::from("--callgrind-out-file=");
                out.push(file);
                prefix.extend(["valgrind".into(), "--tool=callgrind".into(), out]);
            }
        }
        prefix.extend_from_slice(words);
        let mut command = Command::new(&prefix[0]);
        command.args(&prefix[1..]);
        command
    }
}

/// A running server. Dropping it ends it and all its processes.
#[derive(Debug)]
pub(super) struct Server {
    name: String,
    child: Child,
    port: u16,
    said: PathBuf,
}

impl Server {
    /// Starts a server and waits until it answers on `port`. What it prints goes to files in
    /// `folder`.
    pub(super) fn start(
        name: &str,
        words: &[OsString],
        under: &Under,
        port: u16,
        folder: &Path,
    ) -> Result<Self> {
        let mut server = Self::spawn(name, words, under, port, folder)?;
        server.wait_until(|| client::request_once(port), PATIENCE)?;
        Ok(server)
    }

    /// Starts one without waiting for it.
    pub(super) fn spawn(
        name: &str,
        words: &[OsString],
        under: &Under,
        port: u16,
        folder: &Path,
    ) -> Result<Self> {
        let said = folder.join(format!("{name}.stderr"));
        let child = under
            .command(words)
            .stdin(Stdio::null())
            .stdout(File::create(folder.join(format!("{name}.stdout")))?)
            .stderr(File::create(&said)?)
            .spawn()
            .with_context(|| format!("cannot start {name}"))?;
        Ok(Self { name: name.to_owned(), child, port, said })
    }

    /// Waits until something succeeds, while the server runs.
    pub(super) fn wait_until(
        &mut self,
        mut attempt: impl FnMut() -> Result<()>,
        patience: Duration,
    ) -> Result<()> {
        let begin = Instant::now();
        loop {
            let Err(error) = attempt() else { return Ok(()) };
            let ended = self.child.try_wait()?;
            if ended.is_some() || begin.elapsed() > patience {
                let said = fs::read_to_string(&self.said).unwrap_or_default();
                let state = if ended.is_some() { "ended at once" } else { "does not answer" };
                bail!("{} {state}: {error:#}\n{}", self.name, said.trim_end());
            }
            thread::sleep(Duration::from_millis(20));
        }
    }

    pub(super) fn port(&self) -> u16 {
        self.port
    }

    /// The server and all processes that it has started.
    pub(super) fn processes(&self) -> Result<BTreeSet<u32>> {
        let mut parents = Vec::new();
        for entry in fs::read_dir("/proc")? {
            let name = entry?.file_name();
            if let Some(process) = name.to_str().and_then(|name| name.parse().ok()) {
                // A process may end while the list is read.
                if let Ok(fields) = stat(process) {
                    parents.push((process, field(&fields, PARENT)? as u32));
                }
            }
        }
        let mut family = BTreeSet::from([self.child.id()]);
        while let Some((process, _)) = parents
            .iter()
            .find(|(process, parent)| family.contains(parent) && !family.contains(process))
        {
            family.insert(*process);
        }
        Ok(family)
    }

    /// User and system time of all processes and threads so far, those that have ended included.
    pub(super) fn processor_time(&self) -> Result<Duration> {
        let mut ticks = 0;
        for process in self.processes()? {
            let fields = stat(process)?;
            for index in TIMES {
                ticks += field(&fields, index)?;
            }
        }
        let seconds = ticks as f64 / rustix::param::clock_ticks_per_second() as f64;
        Ok(Duration::from_secs_f64(seconds))
    }

    /// Resident memory of all processes, in bytes.
    pub(super) fn resident(&self) -> Result<u64> {
        self.memory("status", "VmRSS:")?.context("/proc tells no resident memory")
    }

    /// Resident memory with shared pages divided among those that share them, where the kernel
    /// tells it.
    pub(super) fn proportional(&self) -> Option<u64> {
        self.memory("smaps_rollup", "Pss:").ok()?
    }

    fn memory(&self, file: &str, key: &str) -> Result<Option<u64>> {
        let mut sum = None;
        for process in self.processes()? {
            let text = fs::read_to_string(format!("/proc/{process}/{file}"))?;
            let line = text.lines().find_map(|line| line.strip_prefix(key));
            if let Some(size) = line.and_then(|line| line.split_whitespace().next()) {
                *sum.get_or_insert(0) += size.parse::<u64>()? * 1024;
            }
        }
        Ok(sum)
    }

    /// Asks the server to end, and waits until it has.
    pub(super) fn stop(mut self) -> Result<()> {
        self.ask_to_end();
        if !self.wait_for_end()? {
            bail!("{} did not end within {PATIENCE:?}", self.name);
        }
        Ok(())
    }

    fn ask_to_end(&mut self) {
        // Its master ends the workers; killing it outright would leave them behind.
        kill_process(Pid::from_child(&self.child), Signal::TERM).ok();
    }

    fn wait_for_end(&mut self) -> Result<bool> {
        let begin = Instant::now();
        while begin.elapsed() < PATIENCE {
            if self.child.try_wait()?.is_some() {
                return Ok(true);
            }
            thread::sleep(Duration::from_millis(10));
        }
        Ok(false)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(Some(_))) {
            return;
        }
        self.ask_to_end();
        if matches!(self.wait_for_end(), Ok(true)) {
            return;
        }
        for process in self.processes().unwrap_or_default() {
            let process = i32::try_from(process).ok().and_then(Pid::from_raw);
            if let Some(process) = process {
                kill_process(process, Signal::KILL).ok();
            }
        }
        drop(self.child.wait());
    }
}

/// Places in `/proc/PID/stat` after the name of the program, see proc_pid_stat(5): field 4, and
/// 14 to 17 (user and system time, own and of children that have ended).
const PARENT: usize = 1;
const TIMES: [usize; 4] = [11, 12, 13, 14];

fn stat(process: u32) -> Result<String> {
    let text = fs::read_to_string(format!("/proc/{process}/stat"))?;
    // The name stands in brackets and may hold anything.
    let (_, fields) = text.rsplit_once(") ").context("/proc/PID/stat has no name")?;
    Ok(fields.to_owned())
}

fn field(fields: &str, index: usize) -> Result<u64> {
    let field = fields.split_whitespace().nth(index).context("/proc/PID/stat is too short")?;
    field.parse().context("/proc/PID/stat holds no number where one is expected")
}
