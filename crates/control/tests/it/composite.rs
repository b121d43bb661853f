//! SLOs of several objectives.

use std::time::Duration;

use control::slo::{CompositeKind, CompositeStatus, Engine, Outbox, Store};
use model::slo::{Method, Objective, Seconds};

use crate::support::{DAY, START, objective, tally};

const WIDTH: Duration = Duration::from_secs(60);

/// A part of "shop", with this target, weight and method.
fn part(name: &str, target: &str, weight: f64, method: Method) -> Objective {
    let target = target.parse().unwrap();
    Objective { slo: "shop".into(), target, weight, method, ..objective(name) }
}

fn one(engine: &Engine) -> CompositeStatus {
    let [composite] = engine.composites().try_into().unwrap();
    composite
}

fn about(found: Option<f64>, expected: f64) {
    let found = found.unwrap();
    assert!((found - expected).abs() < 1e-9, "{found}, not {expected}");
}

#[test]
fn a_composite_burns_as_its_objectives_do_together_times_their_weights() {
    let parts = vec![
        part("fast", "0.9", 1.0, Method::Occurrences),
        part("served", "0.99", 0.5, Method::Occurrences),
        objective("apart"),
    ];
    let mut engine = Engine::new(parts);
    assert_eq!(one(&engine).used_ratio, None);
    engine.look(START);
    // 1 of 100 uses a tenth of a budget of 10 %, and all of one of 1 %.
    engine.record(0, START, &tally(99, 1));
    engine.record(1, START, &tally(99, 1));
    engine.record(2, START, &tally(0, 1_000));
    engine.evaluate();
    let composite = one(&engine);
    assert_eq!((&*composite.name, composite.kind), ("shop", CompositeKind::Sum));
    assert_eq!(composite.parts, [("fast".into(), 1.0), ("served".into(), 0.5)]);
    about(composite.used_ratio, 0.1 + 0.5);
    about(composite.remaining_ratio(), 0.4);
    about(composite.burns[0].burn, 0.1 + 0.5);
    // One burns, and so does the whole.
    engine.record(1, START, &tally(0, 100));
    about(one(&engine).burns[0].burn, 0.1 + 0.5 * 101.0 / 2.0);
}

#[test]
fn two_averages_of_95_per_cent_are_one_of_90() {
    let method = Method::RatioTimeslices { width: WIDTH };
    let parts = ["a", "b"].map(|name| part(name, "0.9", 1.0, method));
    let mut engine = Engine::new(parts.to_vec());
    minutes(&mut engine, START, &[[5, 5], [5, 5]]);
    // Of what may be missing, 10 %, all is.
    about(one(&engine).burns[2].burn, 1.0);
}

/// Minutes in which of 100 requests so many were bad, for each of the objectives.
fn minutes(engine: &mut Engine, from: Seconds, bad: &[[u64; 2]]) {
    for (bad, at) in bad.iter().zip((from..).step_by(60)) {
        for second in at..at + 60 {
            engine.look(second);
            for (place, bad) in bad.iter().enumerate() {
                engine.record(place, second, &tally(100 - bad, *bad));
            }
            engine.evaluate();
        }
    }
    engine.look(from + 60 * bad.len() as Seconds);
    engine.evaluate();
}

fn judged() -> Vec<Objective> {
    let method = Method::Timeslices { target: "0.99".parse().unwrap(), width: WIDTH };
    vec![part("a", "0.99", 1.0, method), part("b", "0.999", 7.0, method)]
}

#[test]
fn a_minute_that_was_bad_for_one_is_bad_for_the_whole_and_outlives_the_process() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = Store::open(&folder.path().join("slo.db")).unwrap();
    let mut engine = Engine::new(judged());
    // Bad for the first, for the second, for both, for neither, whatever the weights.
    minutes(&mut engine, START, &[[9, 0], [0, 9], [9, 9], [0, 0]]);
    let composite = one(&engine);
    let strictest = "0.999".parse().unwrap();
    assert_eq!(composite.kind, CompositeKind::AnyBadSlice(strictest));
    about(composite.burns[0].burn, 0.75 / 0.001);
    about(composite.used_ratio, 180.0 / 2_592.0);

    store.flush(&mut engine, &Outbox::default()).unwrap();
    let mut again = Engine::new(judged());
    store.load(&mut again).unwrap();
    about(one(&again).used_ratio, 180.0 / 2_592.0);
    // Asked for again by SIGHUP, which goes on, and after a while without it, which reads it back.
    again.exchange(judged());
    about(one(&again).used_ratio, 180.0 / 2_592.0);
    again.exchange(vec![]);
    assert_eq!(again.composites(), []);
    again.exchange(judged());
    assert_eq!(one(&again).used_ratio, None);
    store.load_composites(&mut again).unwrap();
    about(one(&again).used_ratio, 180.0 / 2_592.0);
    minutes(&mut again, START + DAY, &[[9, 0]]);
    about(one(&again).used_ratio, 240.0 / 2_592.0);
}
