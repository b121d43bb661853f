//! A day's events, through our engine and through a real Prometheus with the rules that are exported.
//!
//! Nothing here is tuned: what may differ follows from the interval at which Prometheus looks.
//!
//! * It knows counters at its looks only. So its window begins up to an interval later and ends up to
//!   an interval earlier than it says. Ours begins up to a bucket earlier.
//! * `rate` extends what it saw to the window's ends, for each series by itself: by at most 1.1
//!   intervals at an end, and not below zero at the beginning. Between the two ends of a ratio that can
//!   differ.
//! * A counter appears when it has counted. What it counted before Prometheus first saw it is lost.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
    thread,
    time::Duration,
};

use control::slo::{Engine, rules};
use model::slo::{Alarm, Counts, Objective, Seconds};

use crate::{
    day::Day,
    prometheus::{Prometheus, Samples, run_promtool},
    support::{DAY, HOUR, START, objective},
};

/// How often Prometheus asks the gateway.
const INTERVAL: Seconds = 15;
/// It asks so many seconds after each quarter of a minute.
const PHASE: Seconds = 7;
/// How often it evaluates rules; when in that time it chooses itself.
const EVALUATION: Seconds = 30;
/// The first comparison, when windows hold something and our engine has looked at half of each short
/// one.
const BEGIN: Seconds = 3 * HOUR;

/// The width of buckets at which ours reads a window.
fn bucket(window: Duration) -> Seconds {
    match window.as_secs() {
        0..=330 => 1,
        331..=3_600 => 10,
        3_601..=21_600 => 60,
        _ => 600,
    }
}

/// The lowest and the highest ratio that can be read at an instant of the day, if any.
fn admissible(day: &Day, at: Seconds, window: Duration) -> Option<(f64, f64)> {
    let (at, interval) = (at as i64, INTERVAL as i64);
    let begin = at - window.as_secs() as i64;
    let (mut low, mut high) = (f64::MAX, f64::MIN);
    // What was counted before a counter was first seen, of those that appear inside of the window.
    let born: Vec<i64> = (1..5).map(|place| day.first(place) as i64).collect();
    let is_young = |born: &&i64| **born > begin - 2 * interval && **born <= at;
    let lost: u64 =
        born.iter().filter(is_young).map(|it| day.between(*it, it + interval).bad).sum();
    for from in begin - bucket(window) as i64..=begin + interval {
        for to in at - interval..=at {
            let Counts { good, bad } = day.between(from, to);
            if good + bad > 0 {
                high = high.max(bad as f64 / (good + bad) as f64);
                let seen = bad.saturating_sub(lost);
                low = low.min(seen as f64 / (good + seen) as f64);
            }
        }
    }
    if low > high {
        return None;
    }
    let youngest = born.iter().filter(is_young).map(|born| at - born).min().unwrap_or(i64::MAX);
    let sampled = youngest.min(window.as_secs() as i64 - 2 * interval) - interval;
    let ends = if youngest == i64::MAX { 1.0 } else { 2.0 };
    let factor = 1.0 + ends * 1.1 * interval as f64 / sampled.max(1) as f64;
    Some((low / factor, high * factor))
}

/// What ours says at the end of each second: the ratio by window, and which alerts fire.
struct Ours {
    ratios: Vec<BTreeMap<Duration, f64>>,
    firing: Vec<[bool; 4]>,
}

impl Ours {
    /// As it is known when a second begins.
    fn ratio(&self, window: Duration, at: Seconds) -> Option<&f64> {
        self.ratios[at as usize - 1].get(&window)
    }

    fn fires(&self, alert: usize, at: Seconds) -> bool {
        self.firing[at as usize - 1][alert]
    }
}

fn through_ours(day: &Day, objective: &Objective) -> Ours {
    let mut engine = Engine::new(vec![objective.clone()]);
    let mut ours = Ours { ratios: Vec::new(), firing: Vec::new() };
    let mut firing = [false; 4];
    let windows = windows(objective);
    for second in 0..DAY {
        let at = START + second;
        engine.look(at);
        engine.record(0, at, &day.tally(second));
        for event in engine.evaluate() {
            firing[event.alert] = event.alarm == Alarm::Fired;
        }
        let ratio = |window: &Duration| {
            engine.tracked()[0].over(*window).bad_ratio().map(|ratio| (*window, ratio))
        };
        ours.ratios.push(windows.iter().filter_map(ratio).collect());
        ours.firing.push(firing);
    }
    ours
}

fn windows(objective: &Objective) -> BTreeSet<Duration> {
    objective.alerts.iter().flat_map(|alert| [alert.long, alert.short]).collect()
}

/// Prometheus with the day and with what the rules record of it.
fn through_prometheus(day: &Day, page: &str, folder: &Path) -> Prometheus {
    let data = folder.join("data");
    fs::write(folder.join("day"), day.scraped(START, INTERVAL, PHASE)).unwrap();
    fs::write(folder.join("rules.yaml"), page).unwrap();
    let run = |command: &str| run_promtool(folder, &command.split(' ').collect::<Vec<_>>());
    run("tsdb create-blocks-from openmetrics --quiet day data");
    let server = Prometheus::start(&data, folder);
    run(&format!(
        "tsdb create-blocks-from rules --quiet --start={} --end={} --url={} \
         --eval-interval={EVALUATION}s --output-dir=data rules.yaml",
        START + BEGIN,
        START + DAY,
        server.url()
    ));
    drop(server);
    Prometheus::start(&data, folder)
}

/// The expressions of the alerts, in the order of the rules.
fn expressions(page: &str) -> Vec<String> {
    let alerts = page.split("- alert: ").skip(1);
    let line = |alert: &str| {
        let line = alert.lines().find_map(|line| line.trim().strip_prefix("expr: ")).unwrap();
        serde_json::from_str(line).unwrap()
    };
    alerts.map(line).collect()
}

#[test]
fn a_day_burns_alike_in_prometheus_and_here() {
    let (day, objective) = (Day::new(), objective("pay"));
    let (page, _) = rules(std::slice::from_ref(&objective));
    let folder = tempfile::tempdir().unwrap();
    let (ours, server) = thread::scope(|scope| {
        let ours = scope.spawn(|| through_ours(&day, &objective));
        let server = through_prometheus(&day, &page, folder.path());
        (ours.join().unwrap(), server)
    });
    let recorded = |name: &str| {
        let series = format!(r#"slo:sli_error:ratio_rate{name}{{slo="pay"}}"#);
        server.samples(&series, START + BEGIN, START + DAY)
    };
    let first = *recorded("3d").keys().next().unwrap();
    let instants: BTreeSet<Seconds> =
        (first..START + DAY).step_by(EVALUATION as usize).map(|at| at - START).collect();
    for (window, name) in
        windows(&objective).into_iter().zip(["5m", "30m", "1h", "2h", "6h", "1d", "3d"])
    {
        compare(&day, window, &instants, &ours, &recorded(name));
    }
    for (place, expression) in expressions(&page).iter().enumerate() {
        // It evaluates within a second, so a sample is found at the next full one.
        let theirs = server.range(expression, (first + 1, START + DAY), EVALUATION);
        let there = theirs.keys().map(|at| at - 1 - START).collect();
        let here = instants.iter().copied().filter(|at| ours.fires(place, *at)).collect();
        compare_alert(&day, &objective, place, &instants, [&here, &there]);
    }
}

/// At an instant of each evaluation and each bucket both ratios are among those that can be read.
fn compare(
    day: &Day,
    window: Duration,
    instants: &BTreeSet<Seconds>,
    ours: &Ours,
    theirs: &Samples,
) {
    assert!(theirs.len() + 100 > instants.len(), "{window:?}: {} samples", theirs.len());
    let step = (bucket(window) / EVALUATION).max(1) as usize;
    for at in instants.iter().step_by(step) {
        let (one, other) = (ours.ratio(window, *at), theirs.get(&(START + at)));
        let Some((low, high)) = admissible(day, *at, window) else {
            assert_eq!((one, other), (None, None), "{window:?} at {at}");
            continue;
        };
        for ratio in [one, other].into_iter().flatten() {
            assert!(
                (low..=high).contains(ratio),
                "{window:?} at {at}: {one:?} here, {other:?} there, {low} to {high} can be read"
            );
        }
    }
}

/// Both fire as often and at the same times, but for a look, an evaluation and a bucket; they differ
/// only while one of the windows can be read as either.
fn compare_alert(
    day: &Day,
    objective: &Objective,
    place: usize,
    instants: &BTreeSet<Seconds>,
    firing: [&BTreeSet<Seconds>; 2],
) {
    let alert = objective.alerts[place];
    let threshold = alert.burn * objective.target.budget_ratio();
    let differ = instants.iter().filter(|at| firing[0].contains(at) != firing[1].contains(at));
    for at in differ {
        let unclear = [alert.long, alert.short].into_iter().any(|window| {
            admissible(day, *at, window).is_none_or(|(low, high)| (low..=high).contains(&threshold))
        });
        assert!(unclear, "{alert:?} at {at}: {} here", firing[0].contains(at));
    }
    let [here, there] = firing.map(spans);
    assert!(!here.is_empty() && here.len() == there.len(), "{alert:?}: {here:?}, {there:?}");
    let late = INTERVAL + EVALUATION + bucket(alert.long);
    for (here, there) in here.iter().zip(&there) {
        let off = [here.0.abs_diff(there.0), here.1.abs_diff(there.1)];
        assert!(off.iter().all(|off| *off <= late), "{alert:?}: {here:?} here, {there:?} there");
    }
}

/// From when to when it fires.
fn spans(instants: &BTreeSet<Seconds>) -> Vec<(Seconds, Seconds)> {
    let mut spans: Vec<(Seconds, Seconds)> = Vec::new();
    for at in instants {
        match spans.last_mut() {
            Some((_, end)) if *end + EVALUATION == *at => *end = *at,
            _ => spans.push((*at, *at)),
        }
    }
    spans
}
