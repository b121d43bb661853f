//! `rearguard up`: the gateway with its admin page.

use std::{
    fmt,
    io::{self, Write},
    net::{SocketAddr, TcpListener},
    path::PathBuf,
    process::ExitCode,
    str::FromStr,
    sync::{Arc, mpsc},
    time::Duration,
};

use anyhow::{Context as _, bail};
use config::{Source, Upstream, routing::Routing};
use control::slo::Receiver;
use gateway::{AccessLog, Gateway, Handle, Listeners, Settings, Timeouts, observe::RequestCount};
use model::{
    RequestRecord,
    slo::{Objective, Origin},
};

use crate::{
    admin::{self, Observed},
    doctor::profile::sources,
    documents,
    process::{self, Wish},
    shop::Shop,
    slo::{
        self, Prepared,
        watch::{Standing, View, Watch},
    },
    timeout_profile::{Amendment, TimeoutProfiler, UrlPattern},
    tuning::Tuning,
};

/// Fewer descriptors than this are worth a warning: each request in flight needs two.
const FEW_DESCRIPTORS: u64 = 4096;

/// Descriptors that no client's connection takes: listeners, the log, the admin address.
const RESERVED_DESCRIPTORS: u64 = 128;

/// What `up` is given.
#[derive(Debug, clap::Args)]
pub(crate) struct UpArguments {
    /// YAML files, or folders of them: Istio's Gateway, ServiceEntry, DestinationRule and
    /// VirtualService, and objectives in OpenSLO's words
    #[arg(value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// A service: `http://127.0.0.1:3000` for everything, `shop.local=http://…` for one host,
    /// `shop.local/v2=http://…` for one version of it; also https, h2c and grpc
    #[arg(long, value_name = "[HOST[/SUBSET]=]URL")]
    upstream: Vec<Upstream>,
    /// Where traffic comes in, unless a Gateway document says so
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8080")]
    listen: SocketAddr,
    /// Where the page, the metrics and the failures API are
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:9900")]
    admin: SocketAddr,
    /// One line of JSON for each request: to a file, to standard output (`-`), or not at all
    #[arg(long, value_name = "PATH|-|off", default_value = "off")]
    access_log: LogTarget,
    /// How many workers; one for each core by default
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    workers: Option<u16>,
    /// A folder to keep error budgets and letters in, so that they outlive a restart
    #[arg(long, value_name = "DIR")]
    state: Option<PathBuf>,
    /// Who is told of alerts: `webhook=URL`, `slack=URL` or `alertmanager=URL`; may be repeated
    #[arg(long, value_name = "FORMAT=URL")]
    notify: Vec<Receiver>,
    /// How often a Prometheus is asked for the objectives whose numbers it has: 1s to 60s
    #[arg(long, value_name = "TIME", default_value = "15s", value_parser = poll_interval)]
    prometheus_interval: Duration,
    /// Asks a service for a goroutine profile where a request waited for it in vain, and names the
    /// line it is blocked in: `auto` (the endpoint's own port, then 6060 of its host), or a URL such
    /// as `http://{host}:6060/debug/pprof`; {port} and {service} are known too
    #[arg(long, value_name = "URL|auto")]
    profile_on_timeout: Option<UrlPattern>,
    /// The Go source of the services, which tells deferred calls from others; may be repeated
    #[arg(long, value_name = "DIR", requires = "profile_on_timeout")]
    profile_source: Vec<PathBuf>,
    #[command(flatten)]
    tuning: Tuning,
}

fn poll_interval(text: &str) -> Result<Duration, String> {
    let expected = || format!("expected a time from 1s to 60s, such as 15s, found {text:?}");
    let interval = config::parse_duration(text).map_err(|_| expected())?;
    let allowed = Duration::from_secs(1)..=Duration::from_secs(60);
    if allowed.contains(&interval) { Ok(interval) } else { Err(expected()) }
}

#[derive(Clone, Debug)]
struct LogTarget(AccessLog);

impl FromStr for LogTarget {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(Self(match text {
            "off" => AccessLog::Off,
            "-" => AccessLog::Stdout,
            path => AccessLog::File(path.into()),
        }))
    }
}

impl fmt::Display for LogTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            AccessLog::Off => f.write_str("off"),
            AccessLog::Stdout => f.write_str("-"),
            AccessLog::File(path) => path.display().fmt(f),
        }
    }
}

/// Runs until a signal ends it.
pub(crate) fn run(arguments: &UpArguments) -> anyhow::Result<ExitCode> {
    let descriptors = process::raise_descriptor_limit();
    let wishes = process::wishes().context("cannot listen for signals")?;
    let shop = if names_no_service(arguments)? {
        Some(Shop::start().context("cannot start the sample shop")?)
    } else {
        None
    };
    let mut settings = Settings {
        listen: arguments.listen,
        access_log: arguments.access_log.0.clone(),
        ..Settings::default()
    };
    arguments.tuning.apply(&mut settings);
    settings.limits.connections = connections_within(descriptors, settings.limits.connections);
    if let Some(workers) = arguments.workers {
        settings.workers = usize::from(workers);
    }
    let profiler = profiler(arguments, &mut settings)?;
    let Some((routing, objectives)) = load(arguments, shop.as_ref(), &settings)? else {
        return Ok(ExitCode::FAILURE);
    };
    let prepared = Prepared::new(objectives, &routing)?;
    settings.watched = prepared.watched.clone();
    warn(arguments, descriptors, &prepared.idle(&routing))?;
    let page = bind_admin(arguments.admin)?;
    let page_address = page.local_addr().context("cannot read the admin address")?;
    let receivers = arguments.notify.clone();
    let see = format!("http://{page_address}/slo");
    let watcher = prepared.watcher(arguments.state.as_deref(), receivers, see)?;
    let gateway = Gateway::start(settings.clone(), &routing)?;
    let handle = gateway.handle();
    let watch = Watch::start(watcher, move || handle.tallies(), arguments.prometheus_interval)
        .context("cannot start to watch objectives")?;
    let traffic = gateway.addresses().first().copied().unwrap_or(arguments.listen);
    let observed = Watched {
        handle: gateway.handle(),
        view: watch.view(),
        traffic,
        failing_path: shop.as_ref().map(|_| "/pay/panic".to_owned()),
        profiler,
    };
    let admin = admin::start(page, Arc::new(observed)).context("cannot start the admin server")?;
    greet(arguments, shop.as_ref(), &gateway, page_address)?;
    serve(arguments, shop.as_ref(), &settings, gateway, &watch, &wishes)?;
    watch.stop();
    admin.stop().context("the admin server failed")?;
    Ok(ExitCode::SUCCESS)
}

/// Starts what looks at requests that timed out, where that is asked for.
fn profiler(
    arguments: &UpArguments,
    settings: &mut Settings,
) -> anyhow::Result<Option<TimeoutProfiler>> {
    let Some(pattern) = arguments.profile_on_timeout.clone() else { return Ok(None) };
    let source = match arguments.profile_source.as_slice() {
        [] => Vec::new(),
        folders => sources::read(folders).context("--profile-source")?,
    };
    let (profiler, listener) = TimeoutProfiler::start(pattern, source)
        .context("cannot start to look at requests that time out")?;
    settings.failure_listener = Some(listener);
    Ok(Some(profiler))
}

/// As many client connections as leave a reserve of descriptors for the admin address, the log and
/// the connections to services.
fn connections_within(descriptors: u64, most: usize) -> usize {
    let share = descriptors.saturating_sub(RESERVED_DESCRIPTORS) / 4 * 3;
    usize::try_from(share).unwrap_or(usize::MAX).clamp(1, most)
}

/// Follows signals until one stops the gateway.
fn serve(
    arguments: &UpArguments,
    shop: Option<&Shop>,
    settings: &Settings,
    gateway: Gateway,
    watch: &Watch,
    wishes: &mpsc::Receiver<Wish>,
) -> anyhow::Result<()> {
    let mut notes = io::stderr();
    while let Ok(Wish::Reload) = wishes.recv() {
        gateway.reopen_log();
        match reload(arguments, shop, settings, &gateway, watch) {
            Ok(Listeners::Same) => writeln!(notes, "serving the configuration as it is now")?,
            Ok(Listeners::Differ) => writeln!(
                notes,
                "serving the routes as they are now; warning: Gateway documents have changed, and \
                 their listeners and certificates stay as they were until a restart"
            )?,
            Err(error) => {
                writeln!(
                    notes,
                    "error: not reloaded, the old routes and objectives stay: {error:#}"
                )?;
            }
        }
    }
    let drain = settings.timeouts.drain;
    writeln!(notes, "stopping: requests in flight have {drain:?}; a second signal stops at once")?;
    gateway.stop(|| wishes.try_recv() == Ok(Wish::Stop));
    Ok(())
}

/// Serves and watches what the files say now, or all of what they said before.
fn reload(
    arguments: &UpArguments,
    shop: Option<&Shop>,
    settings: &Settings,
    gateway: &Gateway,
    watch: &Watch,
) -> anyhow::Result<Listeners> {
    let Some((routing, objectives)) = load(arguments, shop, settings)? else {
        bail!("there are errors; correct them and send SIGHUP again");
    };
    let prepared = Prepared::new(objectives, &routing)?;
    let next = gateway.prepare(&routing, &prepared.watched)?;
    for warning in prepared.idle(&routing) {
        writeln!(io::stderr(), "warning: {warning}")?;
    }
    let Prepared { objectives, places, .. } = prepared;
    Ok(watch.exchange(objectives, places, || gateway.serve(next)))
}

/// Reads and checks the configuration; `None` where it has errors, which have been shown.
fn load(
    arguments: &UpArguments,
    shop: Option<&Shop>,
    settings: &Settings,
) -> anyhow::Result<Option<(Routing, Vec<Objective>)>> {
    let mut sources = documents::read(&arguments.paths)?;
    if let Some(shop) = shop {
        sources.push(Source::new("the sample shop", shop.configuration()));
    }
    let loaded = documents::load(&sources, &arguments.upstream, &settings.timeouts);
    let color = documents::stderr_color();
    documents::show(&loaded.diagnostics, &sources, color, &mut io::stderr())?;
    if loaded.has_errors() {
        return Ok(None);
    }
    let objectives = slo::load(&sources);
    documents::show(&objectives.diagnostics, &sources, color, &mut io::stderr())?;
    Ok((!objectives.has_errors()).then_some((loaded.routing, objectives.objectives)))
}

/// Whether there is nothing to serve but the sample shop: no file, or only objectives.
fn names_no_service(arguments: &UpArguments) -> anyhow::Result<bool> {
    if arguments.paths.is_empty() || !arguments.upstream.is_empty() {
        return Ok(arguments.upstream.is_empty());
    }
    let sources = documents::read(&arguments.paths)?;
    let routing = documents::load(&sources, &[], &Timeouts::default()).routing;
    let is_empty = routing.services.is_empty() && routing.virtual_hosts.is_empty();
    Ok(is_empty && !slo::load(&sources).objectives.is_empty())
}

/// Weak settings, once and in words.
fn warn(arguments: &UpArguments, descriptors: u64, idle: &[String]) -> io::Result<()> {
    let mut notes = io::stderr();
    if !arguments.admin.ip().is_loopback() {
        writeln!(
            notes,
            "warning: the admin address {} can be reached from other machines, and asks nobody who \
             they are; keep it to 127.0.0.1 or behind a firewall",
            arguments.admin
        )?;
    }
    for warning in idle {
        writeln!(notes, "warning: {warning}")?;
    }
    for warning in arguments.tuning.warnings() {
        writeln!(notes, "warning: {warning}")?;
    }
    if descriptors < FEW_DESCRIPTORS {
        writeln!(
            notes,
            "warning: only {descriptors} file descriptors are allowed; each request in flight needs \
             two. Raise the limit with `ulimit -n 65536` or LimitNOFILE="
        )?;
    }
    Ok(())
}

fn bind_admin(address: SocketAddr) -> anyhow::Result<TcpListener> {
    TcpListener::bind(address).map_err(|error| match error.kind() {
        io::ErrorKind::AddrInUse => anyhow::anyhow!(
            "{address} is in use by another process; choose another address with --admin"
        ),
        _ => anyhow::anyhow!("cannot listen on {address} for the page and the metrics: {error}"),
    })
}

/// Says in a few lines what was done, what to try, and what to do next.
fn greet(
    arguments: &UpArguments,
    shop: Option<&Shop>,
    gateway: &Gateway,
    page: SocketAddr,
) -> io::Result<()> {
    // Standard output belongs to the access log where that goes there.
    let mut out: Box<dyn Write> = match arguments.access_log.0 {
        AccessLog::Stdout => Box::new(io::stderr()),
        _ => Box::new(io::stdout()),
    };
    let addresses: Vec<_> =
        gateway.addresses().iter().map(|address| format!("http://{address}")).collect();
    writeln!(out, "gateway on {}, page and metrics on http://{page}", addresses.join(", "))?;
    let first = addresses.first().map_or("", String::as_str);
    match shop {
        Some(shop) => {
            let paths: Vec<_> = shop.urls_to_try().iter().map(|(path, _)| *path).collect();
            writeln!(
                out,
                "serving the embedded sample shop; try curl -i {first}/pay/panic, or {}",
                paths.join(" ")
            )?;
            writeln!(out, "your own service: rearguard up --upstream http://127.0.0.1:3000")?;
        }
        None => {
            writeln!(out, "send traffic: curl -i {first}/")?;
            writeln!(out, "what failed, and why: http://{page}/api/v1/failures")?;
        }
    }
    if arguments.state.is_none() {
        writeln!(out, "error budgets live in memory: --state DIR keeps them over a restart")?;
    }
    out.flush()
}

/// The gateway as the admin server sees it.
#[derive(Debug)]
struct Watched {
    handle: Handle,
    view: View,
    traffic: SocketAddr,
    failing_path: Option<String>,
    profiler: Option<TimeoutProfiler>,
}

impl Observed for Watched {
    fn metrics(&self, out: &mut String) {
        self.handle.write_metrics(out);
        if let Some(profiler) = &self.profiler {
            profiler.write_metrics(out);
        }
    }

    fn counts(&self) -> Vec<RequestCount> {
        self.handle.counts()
    }

    fn failures(&self, since_unix_micros: Option<u64>, limit: usize) -> Vec<Arc<RequestRecord>> {
        self.handle.failures(since_unix_micros.unwrap_or_default(), limit)
    }

    fn amendment(&self, failure: &RequestRecord) -> Option<Arc<Amendment>> {
        self.profiler.as_ref()?.amendment(failure)
    }

    fn ready(&self) -> Result<(), String> {
        if self.handle.is_ready() { Ok(()) } else { Err("the gateway is stopping".to_owned()) }
    }

    fn objectives(&self) -> Standing {
        let mut standing = self.view.standing();
        for objective in &mut standing.objectives {
            if objective.status.origin == Origin::Suggested {
                let service = &objective.status.service;
                objective.observed_p99 = self.handle.latency_quantile(service, 0.99);
            }
        }
        standing
    }

    fn traffic_url(&self) -> String {
        format!("http://{}", self.traffic)
    }

    fn failing_path(&self) -> Option<String> {
        self.failing_path.clone()
    }
}
