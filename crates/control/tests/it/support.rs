use std::{sync::Arc, time::Duration};

use control::slo::{Engine, Event};
use model::{
    Cause,
    slo::{BurnAlert, Good, Indicator, Method, Objective, Origin, Rule, Seconds, Tally, Window},
};

pub(crate) const START: Seconds = 1_700_000_000 / 86_400 * 86_400;
pub(crate) const MINUTE: Seconds = 60;
pub(crate) const HOUR: Seconds = 3_600;
pub(crate) const DAY: Seconds = 86_400;

/// 99.9 % of requests, over 30 days.
pub(crate) fn objective(name: &str) -> Objective {
    let period = Duration::from_secs(30 * DAY);
    Objective {
        name: name.into(),
        slo: name.into(),
        service: "pay".into(),
        title: Arc::from(""),
        target: "0.999".parse().unwrap(),
        agreement: None,
        indicator: Indicator::Requests(Rule::new(Good::Served)),
        window: Window::Rolling(period),
        method: Method::Occurrences,
        alerts: BurnAlert::workbook(period).into(),
        weight: 1.0,
        origin: Origin::Declared,
    }
}

/// So many requests, of which so many were reset.
pub(crate) fn tally(good: u64, bad: u64) -> Tally {
    let mut tally = Tally { good, ..Tally::default() };
    tally.bad[Tally::place(Some(Cause::UpstreamReset))] = bad;
    tally
}

/// Goes through seconds, each with 100 requests, of which so many are bad, and collects what changes.
pub(crate) fn go_on(engine: &mut Engine, from: Seconds, seconds: u64, bad: u64) -> Vec<Event> {
    let mut events = Vec::new();
    for at in from..from + seconds {
        engine.look(at);
        engine.record(0, at, &tally(100 - bad, bad));
        events.extend(engine.evaluate());
    }
    events
}
