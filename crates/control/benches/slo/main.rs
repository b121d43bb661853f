//! What watching objectives costs. `cargo xtask bench slo` runs it; each mode prints one line of JSON.
//!
//! * `evaluate SERVICES SECONDS`: five objectives a service, each with traffic every second, and written
//!   down every 2 s.
//! * `peer SERVICES NOW FOLDER`: writes what a Prometheus needs to watch as much: `rules.yaml` and
//!   `samples`.

#![expect(clippy::print_stdout, reason = "a program of the bench, which reads it")]

mod peer;

use std::{env, fs, hint::black_box, path::Path, time::Duration};

use control::slo::{Engine, FLUSH_INTERVAL, Outbox, Store};
use model::{
    Cause,
    slo::{BurnAlert, Good, Indicator, Method, Objective, Origin, Rule, Seconds, Tally, Window},
};
use serde_json::json;

const START: Seconds = 1_700_000_000;
const PERIOD: Duration = Duration::from_secs(30 * 86_400);

fn main() {
    let arguments: Vec<String> = env::args().collect();
    let number = |place: usize| arguments.get(place).and_then(|text| text.parse::<u64>().ok());
    match (arguments.get(1).map(String::as_str), number(2), number(3)) {
        (Some("evaluate"), Some(services), Some(seconds)) => evaluate(services, seconds),
        (Some("peer"), Some(services), Some(now)) => {
            let folder = arguments.get(4).map(Path::new).expect("a folder");
            peer::write(services, now, folder).expect("the folder can be written to");
        }
        // `cargo bench` and `cargo test` call it without a mode: a small run of each shows that it works.
        _ => {
            evaluate(10, 10);
            let folder = tempfile::tempdir().expect("a folder");
            peer::write(1, START, folder.path()).expect("the folder can be written to");
        }
    }
}

/// Availability, latency, cleanup, one route, and latency by the minute.
fn rules() -> [(Rule, Method); 5] {
    let millis = Duration::from_millis;
    let slices = Method::Timeslices { target: target("99%"), width: Duration::from_secs(60) };
    [
        (Rule::new(Good::Served), Method::Occurrences),
        (Rule::new(Good::Faster(millis(300))), Method::Occurrences),
        (Rule::new(Good::CleanupFaster(millis(50))), Method::Occurrences),
        (Rule::new(Good::Served).of_routes(["pay"]), Method::Occurrences),
        (Rule::new(Good::Faster(millis(300))), slices),
    ]
}

fn target(text: &str) -> model::slo::Target {
    text.parse().unwrap_or_else(|error| panic!("{text}: {error}"))
}

fn objectives(services: u64, rules: impl Fn() -> [(Rule, Method); 5]) -> Vec<Objective> {
    let all = (0..services).flat_map(|service| {
        rules().into_iter().enumerate().map(move |(index, (rule, method))| Objective {
            name: format!("service-{service}/{index}").into(),
            slo: format!("service-{service}").into(),
            service: format!("service-{service}").into(),
            title: "".into(),
            target: target("99.9%"),
            agreement: None,
            indicator: Indicator::Requests(rule),
            window: Window::Rolling(PERIOD),
            method,
            alerts: BurnAlert::workbook(PERIOD).into(),
            weight: 1.0,
            origin: Origin::Declared,
        })
    });
    all.collect()
}

fn evaluate(services: u64, seconds: u64) {
    let mut engine = Engine::new(objectives(services, rules));
    let places = engine.tracked().len();
    let mut events = Tally { good: 100, ..Tally::default() };
    events.bad[Tally::place(Some(Cause::UpstreamReset))] = 1;
    // The first seconds fill the caches.
    let second = |engine: &mut Engine, at: Seconds| {
        engine.look(at);
        for place in 0..places {
            engine.record(place, at, &events);
        }
        black_box(engine.evaluate());
    };
    second(&mut engine, START);
    let (mut evaluating, mut writing) = (0.0, 0.0);
    let folder = tempfile::tempdir().expect("a folder for the file");
    let mut store = Store::open(&folder.path().join("slo.db")).expect("a new file");
    for at in 1..=seconds {
        let before = cpu_seconds();
        second(&mut engine, START + at);
        let evaluated = cpu_seconds();
        evaluating += evaluated - before;
        if at.is_multiple_of(FLUSH_INTERVAL.as_secs()) {
            store.flush(&mut engine, &Outbox::default()).expect("the file can be written");
            writing += cpu_seconds() - evaluated;
        }
    }
    let value = json!({
        "objectives": places,
        "evaluating_core_ratio": evaluating / seconds as f64,
        "writing_core_ratio": writing / seconds as f64,
        "engine_bytes": engine.bytes(),
        "resident_bytes": resident_bytes(),
    });
    println!("{value}");
}

/// What this thread, the only one, had of a core.
fn cpu_seconds() -> f64 {
    let text = fs::read_to_string("/proc/self/schedstat").unwrap_or_default();
    let nanos = text.split(' ').next().and_then(|text| text.parse::<f64>().ok());
    nanos.unwrap_or_default() / 1e9
}

fn resident_bytes() -> u64 {
    let text = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kilobytes = line.and_then(|line| line.trim().strip_suffix(" kB")?.trim().parse().ok());
    kilobytes.unwrap_or(0_u64) * 1024
}
