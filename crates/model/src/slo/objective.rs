use std::{sync::Arc, time::Duration};

use super::{
    Budget, BurnAlert, Calendar, Counts, Evidence, Period, Rule, Samples, Seconds, Target,
};

/// So many counts make a whole where ratios are counted, of samples and of slices that are averaged.
///
/// A window of 6 hours of slices of a second fits in the 32 bits that a [`Series`](super::Series)
/// has for it.
pub const PARTS: u64 = 100_000;

/// An objective: which events, which share of them must be good, over which time, and when somebody
/// is told.
#[derive(Clone, Debug)]
pub struct Objective {
    /// Its name, unique.
    pub name: Arc<str>,
    /// The SLO that it is a part of; several of one are a [composite](super::composite), by their weights.
    pub slo: Arc<str>,
    /// The service that it is of.
    pub service: Arc<str>,
    /// What people call it; may be empty.
    pub title: Arc<str>,
    /// The share that must be good.
    pub target: Target,
    /// The share that a contract promises, if there is one: looser than the target, as it is what
    /// the target protects.
    pub agreement: Option<Target>,
    /// Where its events come from, and which are good.
    pub indicator: Indicator,
    /// Over which time.
    pub window: Window,
    /// What is counted.
    pub method: Method,
    /// When somebody is told.
    pub alerts: Arc<[BurnAlert]>,
    /// Its part in a composite; 1 unless said otherwise.
    pub weight: f64,
    /// Whether it was asked for. One that was not is a suggestion, and alarms nobody.
    pub origin: Origin,
}

/// Where an objective's events come from.
#[derive(Clone, Debug)]
pub enum Indicator {
    /// The gateway's requests.
    Requests(Rule),
    /// Counters of a server that answers PromQL: what comes in between two answers counts.
    Prometheus(Query),
    /// Other numbers of such a server: each answer counts.
    Samples(Samples),
}

/// What a server that answers PromQL is asked.
#[derive(Clone, Debug, PartialEq)]
pub struct Query {
    /// Its address, such as `http://127.0.0.1:9090`.
    pub server: Arc<str>,
    /// What the numbers mean.
    pub counted: Counted,
    /// All events.
    pub total: Arc<str>,
}

/// Which of two numbers is asked for beside the total.
#[derive(Clone, Debug, PartialEq)]
pub enum Counted {
    /// The good ones.
    Good(Arc<str>),
    /// The bad ones.
    Bad(Arc<str>),
}

/// Over which time an objective holds.
#[derive(Clone, Debug)]
pub enum Window {
    /// The last so much time.
    Rolling(Duration),
    /// The present period of a calendar.
    Calendar(Calendar),
}

/// What of an objective is counted.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Method {
    /// Each event.
    Occurrences,
    /// Slices of time, good if this share of their events is.
    Timeslices {
        /// The share of a slice's events.
        target: Target,
        /// How wide a slice is.
        width: Duration,
    },
    /// Slices of time, each by the share of its events that is bad: their average.
    RatioTimeslices {
        /// How wide a slice is.
        width: Duration,
    },
}

/// Whether an objective was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// In a file.
    Declared,
    /// By default.
    Suggested,
}

impl Method {
    /// How wide a slice is, if slices are counted.
    #[must_use]
    pub const fn slice_width(self) -> Option<Duration> {
        match self {
            Self::Occurrences => None,
            Self::Timeslices { width, .. } | Self::RatioTimeslices { width } => Some(width),
        }
    }
}

impl Window {
    /// The time that is looked at.
    ///
    /// A calendar before its first period is looked at as if that were a rolling one of no length.
    #[must_use]
    pub fn period(&self, now: Seconds) -> Period {
        match self {
            Self::Rolling(length) => {
                Period { start: now.saturating_sub(length.as_secs()), end: now }
            }
            Self::Calendar(calendar) => {
                calendar.period(now).unwrap_or(Period { start: now, end: now })
            }
        }
    }

    /// How long it is: for a calendar, the present period from its first second to its last.
    #[must_use]
    pub fn length(&self, now: Seconds) -> Duration {
        match self {
            Self::Rolling(length) => *length,
            Self::Calendar(_) => self.period(now).length(),
        }
    }

    /// How far back one must look: for a calendar, to the beginning of the period.
    #[must_use]
    pub fn elapsed(&self, now: Seconds) -> Duration {
        match self {
            Self::Rolling(length) => *length,
            Self::Calendar(_) => {
                Duration::from_secs(now.saturating_sub(self.period(now).start) + 1)
            }
        }
    }
}

impl Objective {
    /// How many counts make one event, sample or slice: [`PARTS`] where their ratios are counted.
    #[must_use]
    pub const fn parts(&self) -> u64 {
        match (&self.method, &self.indicator) {
            (Method::RatioTimeslices { .. }, _) | (Method::Occurrences, Indicator::Samples(_)) => {
                PARTS
            }
            (Method::Timeslices { .. } | Method::Occurrences, _) => 1,
        }
    }

    /// What these counts of a whole period leave of a target's budget: in events or samples, or in
    /// seconds if slices are counted. `length` is that of the period.
    #[must_use]
    pub fn budget(&self, counts: Counts, target: Target, length: Duration) -> Budget {
        let parts = self.parts();
        match self.method.slice_width() {
            Some(width) => {
                // Parts of a whole number of seconds: exact in microseconds.
                let width = width / u32::try_from(parts).unwrap_or(u32::MAX);
                Budget::of_slices(counts, width, length, target)
            }
            None => {
                let Budget { allowed, used } = Budget::of_events(counts, target);
                Budget { allowed: allowed / parts as f64, used: used / parts as f64 }
            }
        }
    }

    /// What is asked of these counts before anybody is told: a ratio counts as one event, not as its
    /// [parts](Self::parts).
    #[must_use]
    pub fn evidence(&self, evidence: Evidence) -> Evidence {
        evidence.of_parts(self.parts())
    }

    /// Where a contract asks for as much as the objective, or more: then nothing warns before it is
    /// broken.
    #[must_use]
    pub fn agreement_is_unprotected(&self) -> bool {
        self.agreement.is_some_and(|agreement| agreement >= self.target)
    }
}
