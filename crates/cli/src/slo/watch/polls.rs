//! Asking servers that answer PromQL.

use std::{
    collections::HashMap,
    sync::Arc,
    time::{SystemTime, UNIX_EPOCH},
};

use control::slo::{Engine, parse_answer};
use model::slo::{Counted, Counts, Indicator, Parts, Query, Samples};
use ureq::Agent;

use super::http;

/// An objective whose numbers come from a server.
#[derive(Debug)]
pub(super) struct Polled {
    pub(super) place: usize,
    name: Arc<str>,
    asked: Asked,
    /// What was wrong with the last answer, so that it is said once.
    complaint: Option<String>,
}

/// What is asked, and what is kept between two answers.
#[derive(Debug)]
enum Asked {
    /// The counters at the last answer.
    Counters { query: Query, last: Option<Counts> },
    /// What rounding left of the last ratio.
    Samples { samples: Samples, parts: Parts },
}

/// An answer that tells of nothing.
const NO_NUMBER: &str = "there is no such number (yet)";

impl Asked {
    fn of(indicator: &Indicator) -> Option<Self> {
        match indicator {
            Indicator::Requests(_) => None,
            Indicator::Prometheus(query) => {
                Some(Self::Counters { query: query.clone(), last: None })
            }
            Indicator::Samples(samples) => {
                Some(Self::Samples { samples: samples.clone(), parts: Parts::default() })
            }
        }
    }

    fn is_same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Counters { query, .. }, Self::Counters { query: other, .. }) => query == other,
            (Self::Samples { samples, .. }, Self::Samples { samples: other, .. }) => {
                samples == other
            }
            (Self::Counters { .. }, Self::Samples { .. })
            | (Self::Samples { .. }, Self::Counters { .. }) => false,
        }
    }

    /// What came since the last answer, if that is known. An answer that is the first of its kind is
    /// none that tells of the time before, and is no mistake.
    fn ask(&mut self, agent: &Agent) -> Result<Option<Counts>, String> {
        match self {
            Self::Counters { query, last } => {
                let now = counters(agent, query)?.ok_or(NO_NUMBER)?;
                Ok(last.replace(now).and_then(|last| since(now, last)))
            }
            Self::Samples { samples, parts } => {
                let answers = numbers(agent, &samples.server, &samples.sample.queries())?;
                if answers.contains(&None) {
                    return Err(NO_NUMBER.to_owned());
                }
                let bad = samples.sample.bad_ratio(&answers).map_err(|error| error.to_string())?;
                // Where there was nothing that could be good or bad, that is known.
                Ok(Some(bad.map_or(Counts::NONE, |bad| parts.of(bad))))
            }
        }
    }
}

impl Polled {
    /// Those of an engine. Those that were polled before go on.
    pub(super) fn of(engine: &Engine, before: Vec<Self>) -> Vec<Self> {
        let mut before: HashMap<_, _> =
            before.into_iter().map(|it| (Arc::clone(&it.name), it)).collect();
        let all = engine.tracked().iter().enumerate();
        let polled = all.filter_map(|(place, tracked)| {
            let (name, asked) =
                (&tracked.objective().name, Asked::of(&tracked.objective().indicator)?);
            let known = before.remove(name).filter(|known| known.asked.is_same(&asked));
            Some(match known {
                Some(known) => Self { place, ..known },
                None => Self { place, name: Arc::clone(name), asked, complaint: None },
            })
        });
        polled.collect()
    }

    /// Asks. Gives what came since the last answer, if the two together tell of that, and what is
    /// wrong, where that is new.
    pub(super) fn ask(&mut self, agent: &Agent) -> (Option<Counts>, Option<String>) {
        let (counts, complaint) = match self.asked.ask(agent) {
            Ok(counts) => (counts, None),
            Err(error) => (None, Some(error)),
        };
        let news = complaint.clone().filter(|it| self.complaint.as_ref() != Some(it));
        self.complaint = complaint;
        (counts, news)
    }
}

/// What came in between. Nothing is known where the sum of all events shrank: some of the series that
/// it is of have gone or begun anew, and the rest of it is not new.
fn since(now: Counts, last: Counts) -> Option<Counts> {
    let total = now.total().checked_sub(last.total())?;
    // The two numbers may be of different scrapes.
    let bad = now.bad.saturating_sub(last.bad).min(total);
    Some(Counts { good: total - bad, bad })
}

fn counters(agent: &Agent, query: &Query) -> Result<Option<Counts>, String> {
    let (Counted::Good(counted) | Counted::Bad(counted)) = &query.counted;
    let answers = numbers(agent, &query.server, &[counted, &query.total])?;
    let [Some(counted), Some(total)] = *answers else { return Ok(None) };
    // Counts of events: a fraction comes of extrapolating.
    let [counted, total] = [counted, total].map(|number| number.max(0.0).round() as u64);
    let counted = counted.min(total);
    Ok(Some(match &query.counted {
        Counted::Good(_) => Counts { good: counted, bad: total - counted },
        Counted::Bad(_) => Counts { good: total - counted, bad: counted },
    }))
}

/// All numbers as they were at one moment.
fn numbers(agent: &Agent, server: &str, queries: &[&Arc<str>]) -> Result<Vec<Option<f64>>, String> {
    let time = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let address = format!("{}/api/v1/query", server.trim_end_matches('/'));
    let number = |query: &&Arc<str>| {
        let parameters = [("query", &***query), ("time", &time.to_string())];
        let answer = http::get(agent, &address, &parameters)?;
        parse_answer(&answer).map_err(|error| error.to_string())
    };
    queries.iter().map(number).collect()
}

#[cfg(test)]
mod tests {
    use model::slo::Objective;

    use super::{super::tests::objective, *};

    fn polled(name: &str, total: &str) -> Objective {
        let (server, counted) = ("http://127.0.0.1:1".into(), Counted::Bad("bad".into()));
        let query = Query { server, counted, total: total.into() };
        Objective { indicator: Indicator::Prometheus(query), ..objective(name) }
    }

    #[test]
    fn after_an_exchange_what_is_asked_as_before_goes_on_from_its_last_answer() {
        let engine = Engine::new(vec![polled("staying", "all"), polled("changing", "all")]);
        let mut before = Polled::of(&engine, vec![]);
        for polled in &mut before {
            let Asked::Counters { last, .. } = &mut polled.asked else { panic!("{polled:?}") };
            *last = Some(Counts { good: 9, bad: 1 });
        }
        let next = vec![objective("served"), polled("changing", "some"), polled("staying", "all")];
        let after = Polled::of(&Engine::new(next), before);
        let found: Vec<_> = after
            .iter()
            .map(|polled| match &polled.asked {
                Asked::Counters { last, .. } => (polled.place, &*polled.name, last.is_some()),
                Asked::Samples { .. } => panic!("{polled:?}"),
            })
            .collect();
        assert_eq!(found, [(1, "changing", false), (2, "staying", true)]);
    }

    #[test]
    fn what_came_in_between_is_a_difference_and_a_sum_that_shrank_says_nothing() {
        let at = |good, bad| Counts { good, bad };
        assert_eq!(since(at(90, 10), at(80, 5)), Some(at(10, 5)));
        assert_eq!(since(at(90, 10), at(90, 10)), Some(at(0, 0)));
        assert_eq!(since(at(50, 10), at(80, 5)), None);
        assert_eq!(since(at(95, 4), at(80, 5)), Some(at(14, 0)), "of different scrapes");
    }
}
