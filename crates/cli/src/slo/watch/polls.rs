//! Asking servers that answer PromQL.

use std::{
    collections::HashMap,
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use control::slo::{Engine, parse_answer};
use model::slo::{Counted, Counts, Indicator, Query};
use ureq::Agent;

use super::http;

/// How often servers are asked.
pub(crate) const POLL_INTERVAL: Duration = Duration::from_secs(15);

/// An objective whose numbers come from a server.
#[derive(Debug)]
pub(super) struct Polled {
    pub(super) place: usize,
    name: Arc<str>,
    query: Query,
    /// The counters at the last answer.
    last: Option<Counts>,
    /// What was wrong with the last answer, so that it is said once.
    complaint: Option<String>,
}

impl Polled {
    /// Those of an engine. Those that were polled before go on.
    pub(super) fn of(engine: &Engine, before: Vec<Self>) -> Vec<Self> {
        let mut before: HashMap<_, _> =
            before.into_iter().map(|it| (Arc::clone(&it.name), it)).collect();
        let all = engine.tracked().iter().enumerate();
        let polled = all.filter_map(|(place, tracked)| match &tracked.objective().indicator {
            Indicator::Prometheus(query) => {
                let name = Arc::clone(&tracked.objective().name);
                let known = before.remove(&name).filter(|known| known.query == *query);
                let (last, complaint) =
                    known.map_or((None, None), |known| (known.last, known.complaint));
                Some(Self { place, name, query: query.clone(), last, complaint })
            }
            Indicator::Requests(_) => None,
        });
        polled.collect()
    }

    /// Asks. Gives what came since the last answer, if the two together tell of that, and what is
    /// wrong, where that is new.
    pub(super) fn ask(&mut self, agent: &Agent) -> (Option<Counts>, Option<String>) {
        let answer = ask(agent, &self.query);
        let complaint = match &answer {
            Ok(Some(_)) => None,
            Ok(None) => Some("there is no such number (yet)".to_owned()),
            Err(error) => Some(error.clone()),
        };
        let news = complaint.clone().filter(|it| self.complaint.as_ref() != Some(it));
        self.complaint = complaint;
        let Ok(Some(now)) = answer else { return (None, news) };
        let since = self.last.replace(now).and_then(|last| since(now, last));
        (since, news)
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

/// Both numbers as they were at one moment.
fn ask(agent: &Agent, query: &Query) -> Result<Option<Counts>, String> {
    let time = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let number = |text: &Arc<str>| -> Result<Option<u64>, String> {
        let address = format!("{}/api/v1/query", query.server.trim_end_matches('/'));
        let parameters = [("query", &**text), ("time", &time.to_string())];
        let answer = http::get(agent, &address, &parameters)?;
        let number = parse_answer(&answer).map_err(|error| error.to_string())?;
        // Counts of events: a fraction comes of extrapolating.
        Ok(number.map(|number| number.max(0.0).round() as u64))
    };
    let Some(total) = number(&query.total)? else { return Ok(None) };
    let counts = match &query.counted {
        Counted::Good(text) => number(text)?.map(|good| {
            let good = good.min(total);
            Counts { good, bad: total - good }
        }),
        Counted::Bad(text) => number(text)?.map(|bad| {
            let bad = bad.min(total);
            Counts { good: total - bad, bad }
        }),
    };
    Ok(counts)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_came_in_between_is_a_difference_and_a_sum_that_shrank_says_nothing() {
        let at = |good, bad| Counts { good, bad };
        assert_eq!(since(at(90, 10), at(80, 5)), Some(at(10, 5)));
        assert_eq!(since(at(90, 10), at(90, 10)), Some(at(0, 0)));
        assert_eq!(since(at(50, 10), at(80, 5)), None);
        assert_eq!(since(at(95, 4), at(80, 5)), Some(at(14, 0)), "of different scrapes");
    }
}
