//! What watches objectives beside the gateway: three threads, none of which the data plane waits for.
//!
//! * `objectives` looks at the gateway's tallies once a second, at every alert, and writes down.
//! * `letters` tells receivers.
//! * `prometheus` asks servers, where an objective's numbers come from one.
//!
//! They share a [`Watcher`], which is plain code with time as an argument. Entry point: [`Watch::start`].

mod clock;
mod http;
mod plots;
mod polls;
mod standing;
#[cfg(test)]
pub(crate) mod tests;
mod watcher;

use std::{
    fmt,
    io::{self, Write as _},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread::{self, JoinHandle},
    time::Duration,
};

use model::slo::{Objective, Tally};

use self::{clock::Clock, polls::Polled};
pub(crate) use http::{agent, agent_within, get};
pub(crate) use plots::Point;
pub(crate) use standing::{ObjectiveStanding, Standing};
pub(crate) use watcher::Watcher;

/// How often the outbox is looked at.
const LETTERS_INTERVAL: Duration = Duration::from_secs(1);

/// Threads that watch, until it is stopped.
#[derive(Debug)]
pub(crate) struct Watch {
    shared: Arc<Shared>,
    ticks: Option<JoinHandle<()>>,
}

struct Shared {
    watcher: Mutex<Watcher>,
    clock: Clock,
    poll_interval: Duration,
    /// The gateway's counts of objectives, in the order of the watcher's. Asked for while the watcher
    /// is held, so that they are of the same objectives.
    tallies: Box<dyn Fn() -> Vec<Tally> + Send + Sync>,
    is_stopped: Mutex<bool>,
    stopped: Condvar,
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared").field("watcher", &self.watcher).finish_non_exhaustive()
    }
}

impl Shared {
    fn watcher(&self) -> MutexGuard<'_, Watcher> {
        // Whole between any two calls, so a panic elsewhere does not spoil it.
        self.watcher.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for so long; true when it is to stop.
    fn rest(&self, time: Duration) -> bool {
        let guard = self.is_stopped.lock().unwrap_or_else(PoisonError::into_inner);
        let rested = self.stopped.wait_timeout_while(guard, time, |is_stopped| !*is_stopped);
        let (is_stopped, _) = rested.unwrap_or_else(PoisonError::into_inner);
        *is_stopped
    }
}

/// Shows how everything stands; cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct View(Arc<Shared>);

impl View {
    pub(crate) fn standing(&self) -> Standing {
        self.0.watcher().standing()
    }
}

impl Watch {
    /// Begins to watch. `tallies` gives the gateway's counts of objectives, and `poll_interval` is how
    /// often servers are asked for those whose numbers they have.
    pub(crate) fn start(
        watcher: Watcher,
        tallies: impl Fn() -> Vec<Tally> + Send + Sync + 'static,
        poll_interval: Duration,
    ) -> io::Result<Self> {
        let clock = Clock::start(watcher.now());
        let (is_stopped, stopped) = (Mutex::new(false), Condvar::new());
        let tallies = Box::new(tallies);
        let watcher = Mutex::new(watcher);
        let shared =
            Arc::new(Shared { watcher, clock, poll_interval, tallies, is_stopped, stopped });
        let spawn = |name: &str, work: fn(&Shared)| {
            let shared = Arc::clone(&shared);
            thread::Builder::new().name(name.to_owned()).spawn(move || work(&shared))
        };
        let ticks = spawn("objectives", tick)?;
        spawn("letters", deliver)?;
        spawn("prometheus", poll)?;
        Ok(Self { shared, ticks: Some(ticks) })
    }

    pub(crate) fn view(&self) -> View {
        View(Arc::clone(&self.shared))
    }

    /// Watches these objectives from now on. `apply` has the gateway count for them; it must not take
    /// long, as nobody looks meanwhile.
    pub(crate) fn exchange<R>(
        &self,
        objectives: Vec<Objective>,
        places: Vec<usize>,
        apply: impl FnOnce() -> R,
    ) -> R {
        let shared = &self.shared;
        let mut watcher = shared.watcher();
        // What has been counted until now counts for the objectives until now.
        watcher.tick(shared.clock.now(), (shared.tallies)());
        let applied = apply();
        if let Err(error) = watcher.exchange(objectives, places) {
            note(format_args!(
                "warning: {error}; all objectives are watched, and what cannot be read begins anew"
            ));
        }
        applied
    }

    /// Looks a last time and writes everything down. A letter under way is not waited for: where
    /// there is a store, it is tried again after the next start.
    pub(crate) fn stop(mut self) {
        self.halt();
    }

    fn halt(&mut self) {
        *self.shared.is_stopped.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.shared.stopped.notify_all();
        if let Some(ticks) = self.ticks.take() {
            // A panic of that thread has been shown.
            ticks.join().unwrap_or_default();
        }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.halt();
    }
}

fn tick(shared: &Shared) {
    let mut complaint = None;
    loop {
        let is_last = shared.rest(shared.clock.until_next());
        let mut watcher = shared.watcher();
        watcher.tick(shared.clock.now(), (shared.tallies)());
        if is_last {
            watcher.flush();
        }
        let trouble = watcher.trouble().map(str::to_owned);
        drop(watcher);
        if trouble != complaint {
            if let Some(trouble) = &trouble {
                note(format_args!("error: {trouble}"));
            }
            complaint = trouble;
        }
        if is_last {
            return;
        }
    }
}

fn deliver(shared: &Shared) {
    let (agent, problems) = agent();
    for problem in problems {
        note(format_args!(
            "warning: certificates that HTTPS would be checked against cannot be read: {problem}; \
             expected PEM files of the system, or in SSL_CERT_FILE"
        ));
    }
    while !shared.rest(LETTERS_INTERVAL) {
        loop {
            let due = shared.watcher().outbox().due(shared.clock.now());
            let Some(delivery) = due else { break };
            let sent = http::post(&agent, &delivery.address, &delivery.body);
            let mut watcher = shared.watcher();
            match sent {
                Ok(()) => watcher.delivered(delivery.number),
                Err(error) => {
                    watcher.outbox().failed(delivery.number, &error, shared.clock.now());
                }
            }
        }
    }
}

fn poll(shared: &Shared) {
    // Whoever delivers letters has said what is wrong with certificates.
    let (agent, _) = agent();
    let (mut polled, mut of_exchange) = (Vec::new(), None);
    loop {
        let watcher = shared.watcher();
        if of_exchange.replace(watcher.exchanges()) != Some(watcher.exchanges()) {
            polled = Polled::of(watcher.engine(), polled);
        }
        drop(watcher);
        for objective in &mut polled {
            let (counts, news) = objective.ask(&agent);
            let mut watcher = shared.watcher();
            if of_exchange != Some(watcher.exchanges()) {
                // Places are others now, and this may be of an objective that is gone.
                break;
            }
            watcher.poll(objective.place, shared.clock.now(), counts);
            if let Some(news) = news {
                let name = &watcher.engine().tracked()[objective.place].objective().name;
                note(format_args!("warning: objective {name} has no numbers: {news}"));
            }
        }
        if shared.rest(shared.poll_interval) {
            return;
        }
    }
}

/// To standard error; where that is closed there is nobody to tell.
fn note(words: std::fmt::Arguments<'_>) {
    writeln!(io::stderr(), "{words}").unwrap_or_default();
}
