use std::time::Duration;

use control::slo::Engine;
use model::{
    Cause,
    slo::{Alarm, AlertWhen, BurnAlert, Method, Objective, Origin},
};

use crate::support::{DAY, HOUR, MINUTE, START, go_on, objective, tally};

#[test]
fn fifteen_per_cent_for_ten_minutes_fire_and_clear_at_the_stated_times() {
    let mut engine = Engine::new(vec![objective("pay")]);
    assert_eq!(go_on(&mut engine, START, 2 * HOUR, 0), []);
    let bad = START + 2 * HOUR;
    let fired = go_on(&mut engine, bad, 600, 15);
    // Both windows must burn, so the hour decides: 345.6 s. Where it begins is known to 10 s, in which
    // there are 0.3 % more requests.
    let page = fired.iter().find(|event| event.alert == 0).unwrap();
    assert_eq!(page.alarm, Alarm::Fired);
    assert!((345..=347).contains(&(page.at + 1 - bad)), "{}", page.at - bad);
    // And of the two the 5 minutes are over first: 271.2 s.
    let over = bad + 600;
    let cleared = go_on(&mut engine, over, HOUR, 0);
    let page = cleared.iter().find(|event| event.alert == 0).unwrap();
    assert_eq!(page.alarm, Alarm::Resolved);
    assert!((271..=272).contains(&(page.at + 1 - over)), "{}", page.at - over);
    let each: Vec<_> = fired.iter().chain(&cleared).filter(|event| event.alert == 0).collect();
    assert_eq!(each.len(), 2, "once each");
}

#[test]
fn what_spent_a_budget_and_how_much_is_left_is_told() {
    let mut engine = Engine::new(vec![objective("pay")]);
    go_on(&mut engine, START, 1000, 0);
    go_on(&mut engine, START + 1000, 20, 1);
    let status = engine.status(0).unwrap();
    assert_eq!(status.counts.total(), 102_000);
    assert_eq!(status.causes, [(Some(Cause::UpstreamReset), 20)]);
    // 102 of 102,000 may be bad.
    assert!((status.budget.remaining_ratio().unwrap() - 82.0 / 102.0).abs() < 1e-9);
    assert!(status.coverage < 0.001, "nobody looked before");
    assert!(status.forecast.likely.is_some());
}

#[test]
fn seconds_in_which_nobody_looked_are_missing() {
    let mut engine = Engine::new(vec![objective("pay")]);
    go_on(&mut engine, START, 10 * MINUTE, 0);
    assert_eq!(engine.coverage(Duration::from_secs(300)), 1.0);
    // The process was dead for 4 minutes.
    go_on(&mut engine, START + 14 * MINUTE, MINUTE, 50);
    let coverage = engine.coverage(Duration::from_secs(300));
    assert!((coverage - 0.2).abs() < 0.02, "{coverage}");
    let status = engine.status(0).unwrap();
    assert!(status.alerts[0].is_blind && status.alerts[0].since.is_none());
}

#[test]
fn a_clock_set_back_makes_no_budget_grow() {
    let mut engine = Engine::new(vec![objective("pay")]);
    go_on(&mut engine, START + DAY, HOUR, 10);
    let before = engine.status(0).unwrap().budget.remaining();
    go_on(&mut engine, START, 10, 0);
    let after = engine.status(0).unwrap();
    assert_eq!(after.now, START + DAY + HOUR - 1);
    assert!(after.budget.used == 36_000.0 && after.budget.remaining() <= before + 1.0);
}

#[test]
fn slices_of_time_are_a_budget_of_their_own() {
    let slices = Objective {
        method: Method::Timeslices {
            target: "0.99".parse().unwrap(),
            width: Duration::from_secs(60),
        },
        ..objective("pay")
    };
    let mut engine = Engine::new(vec![slices]);
    go_on(&mut engine, START, 10 * MINUTE, 1);
    go_on(&mut engine, START + 10 * MINUTE, 3 * MINUTE, 2);
    go_on(&mut engine, START + 13 * MINUTE, 1, 0);
    let status = engine.status(0).unwrap();
    assert_eq!((status.counts.good, status.counts.bad), (10, 3));
    assert_eq!(status.budget.used, 180.0);
    assert!((status.budget.allowed - 2592.0).abs() < 1e-6);
}

#[test]
fn a_suggestion_alarms_nobody() {
    let suggested = Objective { origin: Origin::Suggested, ..objective("pay") };
    let mut engine = Engine::new(vec![suggested]);
    assert_eq!(go_on(&mut engine, START, HOUR, 100), []);
    assert!(engine.status(0).unwrap().burns[0].burn.is_some_and(|burn| burn > 900.0));
}

#[test]
fn a_contract_has_a_budget_beside_the_objectives() {
    let agreement = Some("0.99".parse().unwrap());
    let mut engine = Engine::new(vec![Objective { agreement, ..objective("pay") }]);
    engine.look(START);
    engine.record(0, START, &tally(990, 10));
    engine.evaluate();
    let status = engine.status(0).unwrap();
    assert_eq!(status.budget.remaining_ratio(), Some(-9.0));
    assert_eq!(status.agreement.unwrap().1.remaining_ratio(), Some(0.0));
}

/// The events of an alert that is told of when there is no data, of which this is the policy.
fn with(when: AlertWhen) -> Objective {
    let alerts = objective("pay").alerts.iter().map(|alert| BurnAlert { when, ..*alert }).collect();
    Objective { alerts, ..objective("pay") }
}

#[test]
fn an_hour_without_a_request_is_told_where_the_policy_says_so() {
    let no_data = AlertWhen { no_data: true, ..AlertWhen::default() };
    for (when, told) in [(no_data, true), (AlertWhen::default(), false)] {
        let mut engine = Engine::new(vec![with(when)]);
        assert_eq!(go_on(&mut engine, START, HOUR, 0), []);
        // Nobody asks for anything.
        let mut events = Vec::new();
        for at in START + HOUR..START + 3 * HOUR {
            engine.look(at);
            events.extend(engine.evaluate());
        }
        let of_the_hour: Vec<_> = events.iter().filter(|event| event.alert == 0).collect();
        assert_eq!(of_the_hour.len(), usize::from(told));
        let status = engine.status(0).unwrap();
        assert_eq!(status.alerts[0].no_data_since.is_some(), told);
        if let [event] = *of_the_hour {
            assert_eq!(event.alarm, Alarm::NoData);
            let after = event.at - (START + HOUR);
            assert!((HOUR - 10..=HOUR + 10).contains(&after), "{after}");
            let back = go_on(&mut engine, START + 3 * HOUR, 60, 0);
            let back = back.iter().find(|back| back.alert == 0).unwrap();
            assert_eq!((back.alarm, back.since), (Alarm::DataAgain, event.at));
        }
    }
}

#[test]
fn a_start_without_requests_is_no_missing_data_before_its_time() {
    let no_data = AlertWhen { no_data: true, ..AlertWhen::default() };
    let mut engine = Engine::new(vec![with(no_data)]);
    let mut events = Vec::new();
    for at in START..START + HOUR {
        engine.look(at);
        events.extend(engine.evaluate());
    }
    let first = &events[0];
    assert_eq!((first.alarm, first.alert), (Alarm::NoData, 0));
    assert!(first.at >= START + HOUR / 2 - 10, "{}", first.at - START);
}
