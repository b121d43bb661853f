//! Objectives whose numbers come from a server.

use control::slo::{Engine, Outbox, Polled, Store};
use model::slo::{Counted, Indicator, Objective, Query};

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
