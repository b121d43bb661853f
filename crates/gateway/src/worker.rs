//! One worker: a thread with a runtime, a listener and connection pools of its own.

use std::{
    cell::{Cell, RefCell},
    rc::Rc,
    sync::{Arc, atomic::Ordering::Relaxed},
    task::{Poll, Waker},
};

use crate::{
    observe::{LogBuffer, Observatory, Series, SeriesBook, Watching},
    router::{CompiledAction, Router},
    settings::Settings,
    upstream::{SharedTarget, Target},
};
use model::RequestRecord;

/// What the gateway serves, as all workers share it.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) router: Router,
    /// In the order of the router's targets.
    pub(crate) targets: Vec<Arc<SharedTarget>>,
    /// The objectives that requests are counted for.
    pub(crate) watching: Arc<Watching>,
}

/// How far stopping has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Stage {
    /// Serving.
    Running,
    /// No new connections; requests in flight go on, connections close after them.
    Draining,
    /// The time for draining is over: what is still in flight is answered `gateway.draining`.
    Ending,
}

/// What a worker's connections share.
pub(crate) struct Worker {
    pub(crate) settings: Arc<Settings>,
    pub(crate) observatory: Arc<Observatory>,
    /// The name by which this gateway signs `Via`.
    pub(crate) pseudonym: Arc<str>,
    stage: Cell<Stage>,
    /// The tasks of connections and streams, to be woken when the stage changes.
    tasks: RefCell<Tasks>,
    serving: RefCell<Rc<Serving>>,
    book: RefCell<SeriesBook>,
    unrouted: Arc<Series>,
    log: RefCell<Option<LogBuffer>>,
    has_log: Cell<bool>,
}

impl std::fmt::Debug for Worker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Worker").field("stage", &self.stage.get()).finish_non_exhaustive()
    }
}

/// A plan with this worker's pools and series.
#[derive(Debug)]
pub(crate) struct Serving {
    pub(crate) plan: Arc<Plan>,
    /// In the order of the router's targets.
    pub(crate) targets: Vec<Rc<Target>>,
    /// For each route, a series for each destination, or one where it has none.
    series: Vec<Vec<Arc<Series>>>,
}

impl Serving {
    /// The series of a route's destination.
    pub(crate) fn series(&self, route: usize, destination: usize) -> Arc<Series> {
        Arc::clone(&self.series[route][destination])
    }

    fn new(plan: Arc<Plan>, book: &mut SeriesBook) -> Self {
        let none: Arc<str> = "".into();
        let watching = &plan.watching;
        let series = plan
            .router
            .routes
            .iter()
            .map(|route| match &route.action {
                CompiledAction::Forward { destinations, .. } => destinations
                    .iter()
                    .map(|to| {
                        let key = &plan.router.targets[to.target];
                        let subset = key.subset.as_ref().unwrap_or(&none);
                        book.series(&key.service, &route.name, subset, watching)
                    })
                    .collect(),
                CompiledAction::Redirect(_) | CompiledAction::DirectResponse { .. } => {
                    vec![book.series(&none, &route.name, &none, watching)]
                }
            })
            .collect();
        let targets = plan.targets.iter().map(|shared| Rc::new(Target::new(Arc::clone(shared))));
        Self { targets: targets.collect(), series, plan }
    }
}

impl Worker {
    pub(crate) fn new(
        settings: Arc<Settings>,
        observatory: Arc<Observatory>,
        pseudonym: Arc<str>,
        plan: Arc<Plan>,
        log: Option<LogBuffer>,
    ) -> Self {
        let mut book = SeriesBook::new(Arc::clone(&observatory));
        let none: Arc<str> = "".into();
        let unrouted = book.series(&none, &none, &none, &plan.watching);
        let serving = Rc::new(Serving::new(plan, &mut book));
        Self {
            settings,
            observatory,
            pseudonym,
            stage: Cell::new(Stage::Running),
            tasks: RefCell::default(),
            serving: RefCell::new(serving),
            book: RefCell::new(book),
            unrouted,
            has_log: Cell::new(log.is_some()),
            log: RefCell::new(log),
        }
    }

    /// What is served now; a request keeps what it began with.
    pub(crate) fn serving(&self) -> Rc<Serving> {
        Rc::clone(&self.serving.borrow())
    }

    /// Serves another plan from now on; requests in flight end by the old one.
    pub(crate) fn serve(&self, plan: Arc<Plan>) {
        let next = Rc::new(Serving::new(plan, &mut self.book.borrow_mut()));
        let before = self.serving.replace(next);
        for target in &before.targets {
            target.close_idle();
        }
    }

    /// The series of requests that met no route.
    pub(crate) fn unrouted(&self) -> Arc<Series> {
        Arc::clone(&self.unrouted)
    }

    pub(crate) fn logs(&self) -> bool {
        self.has_log.get()
    }

    pub(crate) fn log(&self, record: &RequestRecord) {
        if let Some(log) = &mut *self.log.borrow_mut() {
            log.write(record);
        }
    }

    /// Tells whoever listens for failures of this kind.
    pub(crate) fn tell(&self, record: &Arc<RequestRecord>) {
        let Some(listener) = &self.settings.failure_listener else { return };
        if record.cause == Some(listener.cause)
            && listener.sender.try_send(Arc::clone(record)).is_err()
        {
            self.observatory.gauges.failures_untold.fetch_add(1, Relaxed);
        }
    }

    pub(crate) fn flush_log(&self) {
        if let Some(log) = &mut *self.log.borrow_mut() {
            log.flush();
        }
    }

    pub(crate) fn stage(&self) -> Stage {
        self.stage.get()
    }

    /// Stopping has come further: every connection looks at it again.
    pub(crate) fn enter(&self, stage: Stage) {
        self.stage.set(stage);
        for waker in self.tasks.borrow().wakers.iter().flatten() {
            waker.wake_by_ref();
        }
    }

    /// Has the current task woken when the stage changes, for as long as the guard lives.
    pub(crate) async fn registered(self: &Rc<Self>) -> Registered {
        let waker = std::future::poll_fn(|cx| Poll::Ready(cx.waker().clone())).await;
        let mut tasks = self.tasks.borrow_mut();
        let place = match tasks.free.pop() {
            Some(place) => {
                tasks.wakers[place] = Some(waker);
                place
            }
            None => {
                tasks.wakers.push(Some(waker));
                tasks.wakers.len() - 1
            }
        };
        drop(tasks);
        Registered { worker: Rc::clone(self), place }
    }

    /// How many connections and streams there are.
    pub(crate) fn tasks(&self) -> usize {
        let tasks = self.tasks.borrow();
        tasks.wakers.len() - tasks.free.len()
    }
}

#[derive(Default)]
struct Tasks {
    wakers: Vec<Option<Waker>>,
    free: Vec<usize>,
}

/// A task that is woken when the stage changes.
pub(crate) struct Registered {
    worker: Rc<Worker>,
    place: usize,
}

impl Drop for Registered {
    fn drop(&mut self) {
        let mut tasks = self.worker.tasks.borrow_mut();
        tasks.wakers[self.place] = None;
        tasks.free.push(self.place);
    }
}
