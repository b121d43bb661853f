//! The sample shop at 100 requests a second, of which 15 % fail for a while; a webhook and a real
//! Alertmanager are told.

use std::{
    sync::mpsc,
    thread,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use serde_json::{Value, json};

use super::{
    folder, objective,
    servers::{Program, Received, receiver},
    with_quick_page,
};
use crate::support::{Gateway, PATIENCE, file, get, wait_for};

/// At a target of 99.9 % this is reached when 6 % of a window's requests are bad.
const BURN: f64 = 60.0;
const THRESHOLD: f64 = BURN * 0.001;
/// The windows.
const LONG: f64 = 60.0;
const SHORT: f64 = 5.0;

/// How far a time may be off: seconds are counted whole, and the machine has other work.
const OFF_SECONDS: f64 = 1.5;

/// A request: when it was answered, and whether well.
type Sent = (f64, bool);

/// 100 requests a second for so many seconds. Of each 20, so many fail.
fn traffic(gateway: &Gateway, seconds: u32, failing: u32) -> Vec<Sent> {
    let begin = Instant::now();
    let request = |number: u32| {
        let due = begin + Duration::from_millis(10) * number;
        thread::sleep(due.saturating_duration_since(Instant::now()));
        let is_bad = number % 20 < failing;
        gateway.get(if is_bad { "/pay/error" } else { "/pay/ok" });
        (unix(SystemTime::now()), is_bad)
    };
    (0..seconds * 100).map(request).collect()
}

/// Whether the budget burns at the threshold over a window that ends then.
fn burns(sent: &[Sent], at: f64, window: f64) -> bool {
    let of_window = || sent.iter().filter(|(time, _)| (at - window..=at).contains(time));
    let bad = of_window().filter(|(_, is_bad)| *is_bad).count() as f64;
    bad >= THRESHOLD * of_window().count() as f64 && bad > 0.0
}

/// When it burns over both windows for the first time, and when no longer.
fn stated(sent: &[Sent]) -> [f64; 2] {
    let times = || sent.iter().map(|(time, _)| *time);
    let is_over = |at: f64| !burns(sent, at, LONG) || !burns(sent, at, SHORT);
    let fires = times().find(|at| !is_over(*at)).unwrap();
    let over = times().find(|at| *at > fires && is_over(*at)).unwrap();
    [fires, over]
}

fn unix(time: SystemTime) -> f64 {
    time.duration_since(UNIX_EPOCH).unwrap().as_secs_f64()
}

/// A time in the alert of a letter.
fn second(letter: &Value, field: &str) -> f64 {
    let time: jiff::Timestamp = letter["alerts"][0][field].as_str().unwrap().parse().unwrap();
    time.as_second() as f64
}

/// What Alertmanager has, while the alert fires.
fn assert_held(alertmanager: &Program) {
    let alert = wait_for("the alert at Alertmanager", || {
        let answer = get(alertmanager.address, "/api/v2/alerts");
        let alerts: Value = serde_json::from_slice(&answer.body).unwrap();
        Some(alerts[0].clone()).filter(Value::is_object)
    });
    assert_eq!(alert["labels"]["alertname"], "ErrorBudgetBurn", "{alert:#}");
    assert_eq!(alert["labels"]["slo"], "payments-are-served");
    assert_eq!(alert["labels"]["severity"], "page");
    assert_eq!(alert["status"]["state"], "active");
    let ends: jiff::Timestamp = alert["endsAt"].as_str().unwrap().parse().unwrap();
    let left = ends.duration_since(SystemTime::now().try_into().unwrap());
    assert!(left.as_secs() > 240, "it does not end by itself: {left:?}");
}

fn next(letters: &mpsc::Receiver<Received>, status: &str) -> Received {
    let (at, letter) = letters.recv_timeout(PATIENCE).unwrap();
    assert_eq!(letter["status"], status, "{letter:#}");
    (at, letter)
}

#[test]
fn fifteen_per_cent_fire_and_clear_at_the_stated_times_and_each_receiver_is_told_once() {
    let state = folder("slo-shop");
    let path = file("slo-shop.yaml", &with_quick_page(BURN));
    let ((url, letters), (hook, by_way_of_alertmanager)) = (receiver(0), receiver(0));
    let alertmanager = Program::alertmanager(&hook, &state);
    let notify =
        [format!("webhook={url}"), format!("alertmanager=http://{}", alertmanager.address)];
    let [path, state] = [&path, &state].map(|it| it.to_str().unwrap());
    let gateway =
        Gateway::up(&[path, "--state", state, "--notify", &notify[0], "--notify", &notify[1]]);
    let (sent, fired, over) = thread::scope(|scope| {
        let gateway = &gateway;
        let phase = move |(seconds, failing)| traffic(gateway, seconds, failing);
        let sent = scope.spawn(move || [(5, 0), (5, 3), (4, 0)].map(phase));
        let fired = next(&letters, "firing");
        assert_held(&alertmanager);
        let over = next(&letters, "resolved");
        (sent.join().unwrap().concat(), fired, over)
    });

    let stated = stated(&sent);
    let found = [second(&fired.1, "startsAt"), second(&over.1, "endsAt")];
    for (stated, found) in stated.into_iter().zip(found) {
        assert!((found - stated).abs() <= OFF_SECONDS, "{found}, and not {stated}");
    }
    assert_eq!(second(&over.1, "startsAt"), second(&fired.1, "startsAt"));
    // And each was told at once.
    for ((at, letter), field) in [(&fired, "startsAt"), (&over, "endsAt")] {
        let late = unix(*at) - second(letter, field);
        assert!((-1.0..=1.0 + OFF_SECONDS).contains(&late), "told {late} s later");
    }

    let fired = next(&by_way_of_alertmanager, "firing").1;
    let over = next(&by_way_of_alertmanager, "resolved").1;
    for field in ["labels", "startsAt", "fingerprint"] {
        assert_eq!(over["alerts"][0][field], fired["alerts"][0][field], "{field}");
    }
    wait_for("every request to be counted, and no letter to wait", || {
        let counts = objective(&gateway, "payments-are-served")["counts"].clone();
        let letters = gateway.api("/api/v1/slo")["letters"].clone();
        let all = counts["good"] == 1_325 && counts["bad"] == 75;
        (all && letters["waiting"] == json!([]) && letters["died"] == 0).then_some(())
    });
    let more = [&letters, &by_way_of_alertmanager].map(|letters| letters.try_recv().is_ok());
    assert_eq!(more, [false; 2], "once each");
}
