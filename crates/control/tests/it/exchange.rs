//! Other objectives while the process runs.

use std::time::Duration;

use control::slo::{Engine, Outbox, Store};
use model::slo::{Alarm, BurnAlert, Counts, Method, Objective, Window};

use crate::support::{DAY, HOUR, START, go_on, objective};

fn bad(engine: &Engine, name: &str) -> u64 {
    engine.tracked()[engine.place(name).unwrap()].over(Duration::from_secs(30 * DAY)).bad
}

#[test]
fn what_stays_goes_on_what_comes_begins_and_what_goes_is_gone() {
    let mut engine = Engine::new(vec![objective("staying"), objective("going")]);
    go_on(&mut engine, START, HOUR, 15);
    let since = engine.status(0).unwrap().alerts[0].since;
    assert!(since.is_some());
    let before = engine.exchange(vec![objective("coming"), objective("staying")]);
    assert_eq!(before, [None, Some(0)]);
    assert_eq!((engine.place("staying"), engine.place("going")), (Some(1), None));
    assert_eq!((bad(&engine, "staying"), bad(&engine, "coming")), (15 * HOUR, 0));
    assert_eq!(engine.status(1).unwrap().alerts[0].since, since, "it fires as before");
    // Places are those of now.
    go_on(&mut engine, START + HOUR, 1, 7);
    assert_eq!((bad(&engine, "staying"), bad(&engine, "coming")), (15 * HOUR, 7));
}

#[test]
fn another_target_is_another_judgement_of_the_same_counts() {
    let mut engine = Engine::new(vec![objective("pay")]);
    go_on(&mut engine, START, HOUR, 15);
    let looser = Objective { target: "0.5".parse().unwrap(), ..objective("pay") };
    assert_eq!(engine.exchange(vec![looser]), [Some(0)]);
    let status = engine.status(0).unwrap();
    assert_eq!(status.counts, Counts { good: 85 * HOUR, bad: 15 * HOUR });
    assert_eq!(status.budget.remaining_ratio(), Some(0.7));
}

#[test]
fn what_is_counted_otherwise_begins_anew() {
    let slices = Objective {
        method: Method::Timeslices {
            target: "0.99".parse().unwrap(),
            width: Duration::from_secs(60),
        },
        ..objective("pay")
    };
    let folder = tempfile::tempdir().unwrap();
    let mut store = Store::open(&folder.path().join("slo.db")).unwrap();
    let mut engine = Engine::new(vec![objective("pay")]);
    go_on(&mut engine, START, 60, 15);
    store.flush(&mut engine, &Outbox::default()).unwrap();
    assert_eq!(engine.exchange(vec![slices.clone()]), [None]);
    assert_eq!(bad(&engine, "pay"), 0);
    // Requests that were written down are no minutes, neither now nor after a restart.
    store.load_objective(&mut engine, 0).unwrap();
    assert_eq!(bad(&engine, "pay"), 0);
    go_on(&mut engine, START + 60, 61, 15);
    assert_eq!(bad(&engine, "pay"), 1);
    store.flush(&mut engine, &Outbox::default()).unwrap();
    for (objectives, expected) in [(slices, 1), (objective("pay"), 60 * 15)] {
        let mut again = Engine::new(vec![objectives]);
        store.load(&mut again).unwrap();
        assert_eq!(bad(&again, "pay"), expected);
    }
}

#[test]
fn an_alert_that_goes_while_it_fires_is_over() {
    let page = objective("pay").alerts[0];
    let mut engine = Engine::new(vec![objective("pay"), objective("other")]);
    go_on(&mut engine, START, 4 * HOUR, 15);
    let fires = |alert: usize| engine.status(0).unwrap().alerts[alert].since.is_some();
    assert!(fires(0) && fires(1));
    let only_the_first = Objective { alerts: [page].into(), ..objective("pay") };
    let ending = engine.ending(std::slice::from_ref(&only_the_first));
    assert!(ending.iter().all(|event| event.objective == 0 && event.alarm == Alarm::Resolved));
    assert!(ending.iter().all(|event| event.alert > 0) && ending.len() == 3, "{ending:?}");
    assert_eq!(engine.ending(&[objective("pay")]), [], "what stays does not end");
    assert_eq!(engine.ending(&[]).len(), 4);
    engine.exchange(vec![only_the_first]);
    assert!(engine.status(0).unwrap().alerts[0].since.is_some());
}

#[test]
fn what_was_watched_before_is_read_back() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = Store::open(&folder.path().join("slo.db")).unwrap();
    let period = Duration::from_secs(7 * DAY);
    let shorter = Objective {
        window: Window::Rolling(period),
        alerts: BurnAlert::workbook(period).into(),
        ..objective("pay")
    };
    let mut engine = Engine::new(vec![objective("pay")]);
    go_on(&mut engine, START, HOUR, 15);
    store.flush(&mut engine, &Outbox::default()).unwrap();
    assert_eq!(engine.exchange(vec![shorter]), [None], "its window has another length");
    store.load_objective(&mut engine, 0).unwrap();
    assert_eq!(bad(&engine, "pay"), 15 * HOUR);
    assert_eq!(engine.now(), START + HOUR - 1);
}
