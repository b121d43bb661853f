//! Starting and stopping: listeners, workers, the resolver.

use std::{
    io,
    net::{SocketAddr, TcpListener as StdListener},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    thread::JoinHandle,
    time::Duration,
};

use config::routing::{HostPattern, Listener, Routing};
use model::{RequestRecord, slo::Tally};
use tokio::sync::watch;

use crate::{
    observe::{LogThread, Observatory, RequestCount, Watched, Watching, lock},
    router::{BadPattern, Router},
    run::{self, Entry},
    settings::Settings,
    tls::{self, TlsError},
    upstream::SharedTarget,
    worker::{Plan, Stage, Worker},
};

/// How often names are resolved again.
const RESOLVE_EVERY: Duration = Duration::from_secs(5);
/// Connections that may wait to be accepted, for each worker.
const BACKLOG: i32 = 1024;

/// The gateway cannot start, or cannot serve a configuration.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The address is taken.
    #[error("{address} is in use by another process; choose another address with {option}")]
    InUse {
        /// The address.
        address: SocketAddr,
        /// How another is chosen.
        option: &'static str,
    },
    /// The address cannot be listened on.
    #[error("cannot listen on {address}: {error}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// Why not.
        error: io::Error,
    },
    /// The access log cannot be opened.
    #[error("cannot open the access log: {0}")]
    AccessLog(io::Error),
    /// A certificate or key cannot be used.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// A regular expression does not compile.
    #[error(transparent)]
    Pattern(#[from] BadPattern),
    /// A name does not resolve.
    #[error(
        "cannot resolve the endpoint of {service}: {problem}; check the name, or give an address"
    )]
    Unresolvable {
        /// The service.
        service: String,
        /// What the resolver said.
        problem: String,
    },
    /// A thread cannot be started.
    #[error("cannot start a worker: {0}")]
    Thread(io::Error),
}

/// A gateway that is running. Dropping it stops it at once; [`Gateway::stop`] lets requests finish.
#[derive(Debug)]
pub struct Gateway {
    handle: Handle,
    stage: watch::Sender<Stage>,
    plan: watch::Sender<Arc<Plan>>,
    workers: Vec<JoinHandle<()>>,
    log: Option<LogThread>,
    addresses: Vec<SocketAddr>,
    /// As the configuration had them at the start.
    listeners: Vec<Listener>,
    drain: Duration,
}

/// Whether a configuration that was reloaded has the listeners that the gateway started with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Listeners {
    /// It has.
    Same,
    /// It has others, which need a restart.
    Differ,
}

/// A configuration that is ready to be served.
#[derive(Debug)]
pub struct Next {
    plan: Arc<Plan>,
    listeners: Listeners,
}

/// Watches a gateway; cheap to clone.
#[derive(Clone, Debug)]
pub struct Handle {
    observatory: Arc<Observatory>,
    stage: watch::Receiver<Stage>,
}

impl Handle {
    /// Appends every metric in the text format of Prometheus.
    pub fn write_metrics(&self, out: &mut String) {
        self.observatory.write_metrics(out);
    }

    /// Cumulative counts of requests.
    #[must_use]
    pub fn counts(&self) -> Vec<RequestCount> {
        self.observatory.counts()
    }

    /// Cumulative counts of the objectives in [`Settings::watched`], or of those that were
    /// [prepared](Gateway::prepare) last, in their order.
    #[must_use]
    pub fn tallies(&self) -> Vec<Tally> {
        self.observatory.tallies()
    }

    /// No more than the rest of a service's requests since the start took longer than this: a bound
    /// of the histogram. `None` without requests, or above the last bound.
    #[must_use]
    pub fn latency_quantile(&self, service: &str, share: f64) -> Option<Duration> {
        self.observatory.latency_quantile(service, share)
    }

    /// The recent failures at or after a time, newest first.
    #[must_use]
    pub fn failures(&self, since_unix_micros: u64, limit: usize) -> Vec<Arc<RequestRecord>> {
        self.observatory.failures.recent(since_unix_micros, limit)
    }

    /// Whether it serves: it listens with a good configuration, and is not stopping.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        *self.stage.borrow() == Stage::Running
    }
}

impl Gateway {
    /// Binds every address and starts the workers. Nothing has been served before this returns.
    ///
    /// # Errors
    /// What keeps it from serving; nothing is left running then.
    pub fn start(settings: Settings, routing: &Routing) -> Result<Self, StartError> {
        let observatory = Arc::new(Observatory::new(settings.limits.failures, &settings.watched));
        let settings = Arc::new(settings);
        let watching = Arc::clone(&lock(&observatory.watching));
        let plan = Arc::new(make_plan(routing, &observatory, watching)?);
        for target in plan.targets.iter().filter(|target| target.has_names()) {
            target.resolve().map_err(|problem| StartError::Unresolvable {
                service: target.key.service.to_string(),
                problem,
            })?;
        }
        let listeners = if routing.listeners.is_empty() {
            vec![default_listener(settings.listen)]
        } else {
            routing.listeners.clone()
        };
        let entries = listeners
            .iter()
            .map(|listener| make_entry(listener, &settings))
            .collect::<Result<Vec<_>, _>>()?;
        let log =
            LogThread::start(&settings.access_log, &observatory).map_err(StartError::AccessLog)?;
        let (stage, stage_seen) = watch::channel(Stage::Running);
        let (plan_sender, plan_seen) = watch::channel(Arc::clone(&plan));
        let addresses = entries.iter().map(|entry| entry.address).collect();
        let mut gateway = Self {
            handle: Handle { observatory: Arc::clone(&observatory), stage: stage_seen.clone() },
            stage,
            plan: plan_sender,
            workers: Vec::new(),
            log,
            addresses,
            listeners: routing.listeners.clone(),
            drain: settings.timeouts.drain,
        };
        let pseudonym: Arc<str> = format!("rearguard-{:08x}", fastrand::u32(..)).into();
        let connections = Arc::new(AtomicUsize::new(0));
        let mut entries = entries;
        for index in 0..settings.workers.max(1) {
            let own = entries.iter_mut().map(Entry::take).collect::<Result<Vec<_>, _>>()?;
            let parts = (Arc::clone(&settings), Arc::clone(&observatory), Arc::clone(&pseudonym));
            let log = gateway.log.as_ref().and_then(LogThread::buffer);
            let (plan, stage, plans) = (Arc::clone(&plan), stage_seen.clone(), plan_seen.clone());
            let connections = Arc::clone(&connections);
            let thread =
                std::thread::Builder::new().name(format!("worker-{index}")).spawn(move || {
                    let (settings, observatory, pseudonym) = parts;
                    let worker = Worker::new(settings, observatory, pseudonym, plan, log);
                    run::worker(worker, own, connections, stage, plans);
                });
            gateway.workers.push(thread.map_err(StartError::Thread)?);
        }
        gateway.start_resolver(plan_seen)?;
        Ok(gateway)
    }

    /// Resolves names again and again; the data plane never waits for it.
    fn start_resolver(&self, plans: watch::Receiver<Arc<Plan>>) -> Result<(), StartError> {
        let stage = self.handle.stage.clone();
        let run = move || {
            let every = Duration::from_millis(250);
            let mut waited = Duration::ZERO;
            // Ends with the gateway: its sender is gone then, or has said so.
            while *stage.borrow() == Stage::Running && stage.has_changed().is_ok() {
                std::thread::sleep(every);
                waited += every;
                if waited < RESOLVE_EVERY {
                    continue;
                }
                waited = Duration::ZERO;
                let plan = Arc::clone(&plans.borrow());
                for target in plan.targets.iter().filter(|target| target.has_names()) {
                    // A failure is kept with the target, and shows in requests' causes.
                    target.resolve().unwrap_or_default();
                }
            }
        };
        std::thread::Builder::new()
            .name("resolver".to_owned())
            .spawn(run)
            .map(drop)
            .map_err(StartError::Thread)
    }

    /// Where it listens, in the order of the configuration.
    #[must_use]
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// A handle to watch it by.
    #[must_use]
    pub fn handle(&self) -> Handle {
        self.handle.clone()
    }

    /// Serves another configuration from now on. Requests in flight end by the old one. Listeners
    /// stay as they are; whether the configuration has them so is returned.
    ///
    /// # Errors
    /// What keeps it from being served; the old one goes on being served then.
    pub fn reload(&self, routing: &Routing) -> Result<Listeners, StartError> {
        let watching = Arc::clone(&lock(&self.handle.observatory.watching));
        Ok(self.serve(self.next(routing, watching)?))
    }

    /// Makes ready to [serve](Self::serve) another configuration, and to count for these objectives:
    /// everything that may fail or take long. Nothing has changed when it returns.
    ///
    /// # Errors
    /// What keeps it from being served.
    pub fn prepare(&self, routing: &Routing, watched: &[Watched]) -> Result<Next, StartError> {
        let watching = lock(&self.handle.observatory.watching).followed_by(watched);
        self.next(routing, Arc::new(watching))
    }

    fn next(&self, routing: &Routing, watching: Arc<Watching>) -> Result<Next, StartError> {
        let plan = make_plan(routing, &self.handle.observatory, watching)?;
        for target in plan.targets.iter().filter(|target| target.has_names()) {
            // A name that does not resolve is no reason to refuse what is good about the rest.
            target.resolve().unwrap_or_default();
        }
        let listeners =
            if routing.listeners == self.listeners { Listeners::Same } else { Listeners::Differ };
        Ok(Next { plan: Arc::new(plan), listeners })
    }

    /// Serves what was made ready from now on, and counts for its objectives: [`Handle::tallies`] has
    /// theirs when this returns. Those that are as they were go on counting, and the others begin at
    /// nothing.
    pub fn serve(&self, next: Next) -> Listeners {
        self.handle.observatory.watch(Arc::clone(&next.plan.watching));
        self.plan.send_replace(next.plan);
        next.listeners
    }

    /// Goes on with the access log in a new file, where the old one has been moved away.
    pub fn reopen_log(&self) {
        if let Some(log) = &self.log {
            log.reopen();
        }
    }

    /// Accepts no more, lets requests in flight finish within the drain bound, answers the rest
    /// `gateway.draining`, and waits for the workers. `hurry` ends the wait early.
    pub fn stop(mut self, hurry: impl Fn() -> bool) {
        self.stage.send_replace(Stage::Draining);
        let step = Duration::from_millis(10);
        let mut waited = Duration::ZERO;
        while self.workers.iter().any(|worker| !worker.is_finished())
            && waited < self.drain
            && !hurry()
        {
            std::thread::sleep(step);
            waited += step;
        }
        self.end();
    }

    fn end(&mut self) {
        self.stage.send_replace(Stage::Ending);
        for worker in self.workers.drain(..) {
            // A worker that panicked has told of it through the hook.
            worker.join().unwrap_or_default();
        }
        self.log = None;
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        self.end();
    }
}

fn make_plan(
    routing: &Routing,
    observatory: &Observatory,
    watching: Arc<Watching>,
) -> Result<Plan, StartError> {
    let router = Router::compile(routing)?;
    observatory.forget_pools();
    let mut targets = Vec::new();
    for key in &router.targets {
        let service = routing.services.iter().find(|service| service.name == key.service);
        targets.push(Arc::new(SharedTarget::new(key.clone(), service, observatory)?));
    }
    Ok(Plan { router, targets, watching })
}

fn default_listener(address: SocketAddr) -> Listener {
    Listener {
        name: "--listen".to_owned(),
        gateway: String::new(),
        address: Some(address.ip()),
        port: address.port(),
        hosts: vec![HostPattern::Any],
        tls: None,
        https_redirect: false,
    }
}

/// Binds a listener: once alone, since SO_REUSEPORT would hide that another process has the port,
/// and then with it, once for each worker.
fn make_entry(listener: &Listener, settings: &Settings) -> Result<Entry, StartError> {
    let wanted = SocketAddr::new(listener.address.unwrap_or(settings.listen.ip()), listener.port);
    let failed = |error: io::Error| match error.kind() {
        io::ErrorKind::AddrInUse => StartError::InUse {
            address: wanted,
            option: if listener.gateway.is_empty() { "--listen" } else { "the Gateway's port" },
        },
        _ => StartError::Listen { address: wanted, error },
    };
    let alone = bind(wanted, false).map_err(failed)?;
    let address = alone.local_addr().map_err(failed)?;
    drop(alone);
    let sockets = (0..settings.workers.max(1))
        .map(|_| bind(address, true))
        .collect::<io::Result<Vec<_>>>()
        .map_err(failed)?;
    let tls = listener.tls.as_ref().map(tls::acceptor).transpose()?;
    Ok(Entry {
        address,
        gateway: (!listener.gateway.is_empty()).then(|| listener.gateway.as_str().into()),
        tls,
        https_redirect: listener.https_redirect,
        sockets,
    })
}

fn bind(address: SocketAddr, shared: bool) -> io::Result<StdListener> {
    use socket2::{Domain, Protocol, Socket, Type};
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    // Connections of a process that has ended must not keep the port.
    socket.set_reuse_address(true)?;
    socket.set_reuse_port(shared)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

/// Counts the connections of all workers, so that their bound is one for all.
#[derive(Debug)]
pub(crate) struct Seat(Arc<AtomicUsize>);

impl Seat {
    pub(crate) fn take(taken: &Arc<AtomicUsize>, most: usize) -> Option<Self> {
        if taken.fetch_add(1, Relaxed) >= most {
            taken.fetch_sub(1, Relaxed);
            return None;
        }
        Some(Self(Arc::clone(taken)))
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Relaxed);
    }
}
