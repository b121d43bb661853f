//! Objectives whose numbers come from a server.

use std::time::Duration;

use control::slo::{Engine, Outbox, Polled, Store};
use model::slo::{
    AlertWhen, BurnAlert, Counted, Counts, Indicator, Method, Objective, Operator, PARTS, Parts,
    Query, Sample, Samples, Tally,
};

use crate::support::{START, objective, tally};

fn polled() -> Objective {
    let query = Query {
        server: "http://127.0.0.1:9090".into(),
        counted: Counted::Bad("bad".into()),
        total: "total".into(),
    };
    Objective { indicator: Indicator::Prometheus(query), ..objective("pay") }
}

/// Polls each 15 s of so many seconds, from which `bad` in 1,500 failed.
fn go_on(engine: &mut Engine, from: u64, seconds: u64, polled: Polled, bad: u64) {
    for at in from..from + seconds {
        engine.look(at);
        if at % 15 == 0 {
            engine.poll(0, at, polled);
            if polled == Polled::Known {
                engine.record(0, at, &tally(1_500 - bad, bad));
            }
        }
        engine.evaluate();
    }
}

#[test]
fn what_no_answer_tells_of_was_not_looked_at_although_the_gateway_ran() {
    let mut engine = Engine::new(vec![polled()]);
    go_on(&mut engine, START, 3_600, Polled::Known, 0);
    let coverage = |engine: &Engine| engine.status(0).unwrap().burns[0].coverage;
    assert!(coverage(&engine) > 0.9, "{}", coverage(&engine));
    go_on(&mut engine, START + 3_600, 300, Polled::Missing, 0);
    let status = engine.status(0).unwrap();
    assert!(status.burns[0].coverage < 0.1, "{:?}", status.burns[0]);
    assert!(status.alerts[0].is_blind);
    assert!(status.alerts[0].since.is_none());
    assert!(engine.coverage(std::time::Duration::from_secs(300)) > 0.9);
}

#[test]
fn an_alert_keeps_its_state_while_no_answer_comes() {
    let mut engine = Engine::new(vec![polled()]);
    go_on(&mut engine, START, 3_600, Polled::Known, 500);
    let since = engine.status(0).unwrap().alerts[0].since;
    assert!(since.is_some());
    go_on(&mut engine, START + 3_600, 1_200, Polled::Missing, 0);
    assert_eq!(engine.status(0).unwrap().alerts[0].since, since);
}

#[test]
fn what_was_asked_outlives_the_process() {
    let folder = tempfile::tempdir().unwrap();
    let open = || Store::open(&folder.path().join("slo.db")).unwrap();
    let mut engine = Engine::new(vec![polled()]);
    go_on(&mut engine, START, 3_600, Polled::Known, 0);
    open().flush(&mut engine, &Outbox::default()).unwrap();
    let mut again = Engine::new(vec![polled()]);
    open().load(&mut again).unwrap();
    let hour = |engine: &Engine| engine.status(0).unwrap().burns[2].coverage;
    assert!((hour(&again) - hour(&engine)).abs() < 0.02, "{} {}", hour(&again), hour(&engine));
}

fn sampled(method: Method) -> Objective {
    let sample = Sample::Threshold { query: "p99".into(), op: Operator::AtMost, value: 0.3 };
    let samples = Samples { server: "http://127.0.0.1:9090".into(), sample };
    Objective {
        indicator: Indicator::Samples(samples),
        target: "0.9".parse().unwrap(),
        alerts: [].into(),
        method,
        ..objective("pay")
    }
}

/// Takes a sample each 15 s, of which these shares are bad, one after the other.
fn take(engine: &mut Engine, ratios: &[f64]) {
    let mut parts = Parts::default();
    for (ratio, at) in ratios.iter().zip((START..).step_by(15)) {
        let Counts { good, bad } = parts.of(*ratio);
        let mut events = Tally { good, ..Tally::default() };
        events.bad[Tally::place(None)] = bad;
        engine.look(at);
        engine.poll(0, at, Polled::Known);
        engine.record(0, at, &events);
        engine.evaluate();
    }
    engine.look(START + 15 * ratios.len() as u64);
    engine.evaluate();
}

#[test]
fn each_sample_counts_once_and_has_no_cause() {
    let mut engine = Engine::new(vec![sampled(Method::Occurrences)]);
    take(&mut engine, &[0.0, 1.0, 0.5, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0]);
    let status = engine.status(0).unwrap();
    assert_eq!((status.counts.total(), status.counts.bad), (10 * PARTS, PARTS * 3 / 2));
    assert!((status.budget.used - 1.5).abs() < 1e-9 && (status.budget.allowed - 1.0).abs() < 1e-9);
    assert_eq!(status.causes, []);
}

#[test]
fn slices_are_averaged_or_judged() {
    let width = Duration::from_secs(60);
    // Two slices of four samples each: 1 of 4 bad, and 2 of 4.
    let ratios = [0.0, 0.0, 0.0, 1.0, 1.0, 0.0, 1.0, 0.0];
    let mut averaged = Engine::new(vec![sampled(Method::RatioTimeslices { width })]);
    take(&mut averaged, &ratios);
    let status = averaged.status(0).unwrap();
    assert_eq!(status.counts.bad_ratio(), Some(0.375));
    assert!((status.budget.used - 45.0).abs() < 1e-9, "seconds: {:?}", status.budget);
    let target = "0.7".parse().unwrap();
    let mut judged = Engine::new(vec![sampled(Method::Timeslices { target, width })]);
    take(&mut judged, &ratios);
    let status = judged.status(0).unwrap();
    assert_eq!(status.counts, Counts { good: 1, bad: 1 });
    assert_eq!(status.budget.used, 60.0);
}

#[test]
fn one_bad_sample_pages_nobody_although_it_is_counted_in_parts() {
    let alerts = objective("pay").alerts;
    let strict =
        Objective { target: "0.999".parse().unwrap(), alerts, ..sampled(Method::Occurrences) };
    let mut engine = Engine::new(vec![strict]);
    let mut ratios = vec![0.0; 240];
    ratios[239] = 1.0;
    take(&mut engine, &ratios);
    let status = engine.status(0).unwrap();
    assert!(status.alerts[0].since.is_none() && !status.alerts[0].is_blind);
    assert!(status.burns[0].burn > Some(14.4), "{:?}", status.burns);
}

#[test]
fn a_server_that_stops_to_answer_is_told_and_outlives_the_process() {
    let when = AlertWhen { no_data: true, ..AlertWhen::default() };
    let told = || {
        let alerts = polled().alerts.iter().map(|alert| BurnAlert { when, ..*alert }).collect();
        Objective { alerts, ..polled() }
    };
    let folder = tempfile::tempdir().unwrap();
    let mut store = Store::open(&folder.path().join("slo.db")).unwrap();
    let mut engine = Engine::new(vec![told()]);
    go_on(&mut engine, START, 3_600, Polled::Known, 0);
    assert_eq!(engine.status(0).unwrap().alerts[0].no_data_since, None);
    go_on(&mut engine, START + 3_600, 300, Polled::Missing, 0);
    let since = engine.status(0).unwrap().alerts[0].no_data_since;
    // Half of 5 minutes without an answer.
    let after = since.unwrap() - (START + 3_600);
    assert!((130..=170).contains(&after), "{after}");
    assert_eq!(engine.firing()[0].since, since.unwrap());
    store.flush(&mut engine, &Outbox::default()).unwrap();
    let mut again = Engine::new(vec![told()]);
    store.load(&mut again).unwrap();
    assert_eq!(again.status(0).unwrap().alerts[0].no_data_since, since);
}
