//! A service with so many workers and a queue before them, and callers who come as they like.

use std::{
    cmp::Reverse,
    collections::{BinaryHeap, VecDeque},
    time::Duration,
};

/// What is tried: a limit that hears of calls.
pub(super) trait Algorithm {
    fn limit(&self) -> usize;
    fn began(&mut self, in_flight: usize);
    fn ended(&mut self, began: Duration, now: Duration, in_flight: usize, timed_out: bool);
}

/// How the service is, from a time on.
#[derive(Clone, Copy, Debug)]
pub(super) struct Phase {
    pub(super) until: Duration,
    pub(super) workers: usize,
    pub(super) service_time: Duration,
    /// Calls per second.
    pub(super) rate: f64,
}

/// What came of a phase's second half, when the limit had time to settle.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Measured {
    pub(super) served_per_second: f64,
    pub(super) mean_latency: Duration,
    pub(super) limit: usize,
}

/// Callers give up after this.
pub(super) const PATIENCE: Duration = Duration::from_secs(5);

#[derive(Clone, Copy, Debug)]
pub(super) enum Spread {
    /// Every call takes as long.
    None,
    /// Between a half and one and a half of it.
    Even,
    /// Exponentially distributed.
    Exponential,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Event {
    Arrival,
    /// Of the call that began then.
    Done(Duration),
}

struct Service<'a> {
    algorithm: &'a mut dyn Algorithm,
    random: fastrand::Rng,
    spread: Spread,
    events: BinaryHeap<Reverse<(Duration, Event)>>,
    queue: VecDeque<Duration>,
    busy: usize,
    in_flight: usize,
    served: u32,
    latencies: Duration,
}

/// Runs the phases one after the other.
pub(super) fn run(
    algorithm: &mut dyn Algorithm,
    phases: &[Phase],
    spread: Spread,
    seed: u64,
) -> Vec<Measured> {
    let mut service = Service {
        algorithm,
        random: fastrand::Rng::with_seed(seed),
        spread,
        events: BinaryHeap::from([Reverse((Duration::ZERO, Event::Arrival))]),
        queue: VecDeque::new(),
        busy: 0,
        in_flight: 0,
        served: 0,
        latencies: Duration::ZERO,
    };
    let mut from = Duration::ZERO;
    phases
        .iter()
        .map(|phase| {
            let half = (phase.until - from) / 2;
            from = phase.until;
            service.until(phase.until - half, phase);
            (service.served, service.latencies) = (0, Duration::ZERO);
            service.until(phase.until, phase);
            Measured {
                served_per_second: f64::from(service.served) / half.as_secs_f64(),
                mean_latency: service.latencies / service.served.max(1),
                limit: service.algorithm.limit(),
            }
        })
        .collect()
}

impl Service<'_> {
    fn until(&mut self, until: Duration, phase: &Phase) {
        while self.events.peek().is_some_and(|Reverse((at, _))| *at < until) {
            let Some(Reverse((now, event))) = self.events.pop() else { return };
            match event {
                Event::Arrival => {
                    let gap = self.exponential() / phase.rate;
                    self.events.push(Reverse((now + Duration::from_secs_f64(gap), Event::Arrival)));
                    if self.in_flight < self.algorithm.limit() {
                        self.in_flight += 1;
                        self.algorithm.began(self.in_flight);
                        self.queue.push_back(now);
                    }
                }
                Event::Done(began) => {
                    self.busy -= 1;
                    self.end(began, now);
                }
            }
            while self.busy < phase.workers {
                let Some(began) = self.queue.pop_front() else { break };
                self.busy += 1;
                let took = phase.service_time.mul_f64(self.factor());
                self.events.push(Reverse((now + took, Event::Done(began))));
            }
        }
    }

    fn end(&mut self, began: Duration, now: Duration) {
        let latency = now - began;
        let timed_out = latency > PATIENCE;
        self.algorithm.ended(began, now, self.in_flight, timed_out);
        self.in_flight -= 1;
        if !timed_out {
            self.served += 1;
            self.latencies += latency;
        }
    }

    fn factor(&mut self) -> f64 {
        match self.spread {
            Spread::None => 1.0,
            Spread::Even => 0.5 + self.random.f64(),
            Spread::Exponential => self.exponential(),
        }
    }

    fn exponential(&mut self) -> f64 {
        -(1.0 - self.random.f64()).ln()
    }
}
