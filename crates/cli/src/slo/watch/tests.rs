//! The watcher with simulated seconds, and a receiver that is a real socket.

use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::TcpListener,
    sync::{Arc, mpsc},
    thread,
    time::Duration,
};

use control::slo::{Engine, LetterState, Receiver, Store};
use model::{
    Cause,
    slo::{
        AlertWhen, BurnAlert, Good, Indicator, Method, Objective, Origin, Rule, Seconds, Tally,
        Window,
    },
};
use serde_json::Value;

use super::{Watcher, agent, http::post};

pub(crate) const START: Seconds = 1_700_000_000 / 86_400 * 86_400;

/// 99.9 % of requests over 30 days.
pub(crate) fn objective(name: &str) -> Objective {
    let period = Duration::from_secs(30 * 86_400);
    Objective {
        name: name.into(),
        slo: name.into(),
        service: "payment-service".into(),
        title: Arc::from("Payments are served"),
        target: "0.999".parse().unwrap(),
        agreement: Some("0.995".parse().unwrap()),
        indicator: Indicator::Requests(Rule::new(Good::Served)),
        window: Window::Rolling(period),
        method: Method::Occurrences,
        alerts: BurnAlert::workbook(period).into(),
        weight: 1.0,
        origin: Origin::Declared,
    }
}

pub(crate) fn tally(good: u64, bad: u64) -> Tally {
    let mut tally = Tally { good, ..Tally::default() };
    tally.bad[Tally::place(Some(Cause::UpstreamReset))] = bad;
    tally
}

/// Takes each letter and answers 200.
fn receiver() -> (Receiver, mpsc::Receiver<Value>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("webhook=http://{}/alerts", listener.local_addr().unwrap());
    let (sender, letters) = mpsc::channel();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut reader = BufReader::new(stream.try_clone().unwrap());
            let mut length = 0;
            loop {
                let mut line = String::new();
                reader.read_line(&mut line).unwrap();
                if let Some(value) = line.to_lowercase().strip_prefix("content-length:") {
                    length = value.trim().parse().unwrap();
                }
                if line.trim().is_empty() {
                    break;
                }
            }
            let mut body = vec![0; length];
            reader.read_exact(&mut body).unwrap();
            let answer = "HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
            stream.write_all(answer.as_bytes()).unwrap();
            if sender.send(serde_json::from_slice(&body).unwrap()).is_err() {
                return;
            }
        }
    });
    (url.parse().unwrap(), letters)
}

struct Simulated {
    watcher: Watcher,
    at: Seconds,
    sum: Tally,
    agent: ureq::Agent,
}

impl Simulated {
    fn new(receivers: Vec<Receiver>, store: Option<Store>) -> Self {
        let engine = Engine::new(vec![objective("payments-are-served")]);
        let page = "http://127.0.0.1:9900/slo".to_owned();
        let watcher = Watcher::new(engine, vec![0], receivers, page, store).unwrap();
        let at = watcher.now().max(START);
        Self { watcher, at, sum: tally(0, 0), agent: agent().0 }
    }

    /// Seconds with 100 requests each; what is due is posted.
    fn go_on(&mut self, seconds: u64, bad: u64) {
        for _ in 0..seconds {
            self.at += 1;
            self.sum.merge(&tally(100 - bad, bad));
            self.watcher.tick(self.at, vec![self.sum.clone()]);
            while let Some(delivery) = self.watcher.outbox().due(self.at) {
                post(&self.agent, &delivery.address, &delivery.body).unwrap();
                self.watcher.delivered(delivery.number);
            }
        }
    }
}

/// The seconds since the start at which the page at 14.4 was told of, by its state.
fn told(letters: &mpsc::Receiver<Value>, state: &str) -> Vec<u64> {
    let page = letters.try_iter().filter(|letter| {
        let labels = &letter["alerts"][0]["labels"];
        letter["status"] == state && labels["long_window"] == "1h"
    });
    let field = if state == "firing" { "startsAt" } else { "endsAt" };
    page.map(|letter| {
        let at: jiff::Timestamp = letter["alerts"][0][field].as_str().unwrap().parse().unwrap();
        at.as_second() as u64 - START
    })
    .collect()
}

#[test]
fn ten_minutes_of_errors_fire_and_clear_at_the_stated_times_and_are_told_once() {
    let (receiver, letters) = receiver();
    let mut simulated = Simulated::new(vec![receiver], None);
    simulated.go_on(2 * 3_600, 0);
    simulated.go_on(600, 15);
    // 345.6 s, to a bucket of 10 s; the long window may reach that much further back.
    let fired = told(&letters, "firing");
    assert_eq!(fired.len(), 1);
    assert!((7_200 + 345..=7_200 + 356).contains(&fired[0]), "{fired:?}");
    simulated.go_on(2 * 3_600, 0);
    // 271.2 s after the last error, to a second.
    let over = told(&letters, "resolved");
    assert_eq!(over.len(), 1);
    assert!((7_800 + 270..=7_800 + 273).contains(&over[0]), "{over:?}");
    let standing = simulated.watcher.standing();
    assert!(standing.waiting.is_empty() && standing.dead.is_empty());
    assert_eq!(standing.objectives[0].status.counts.bad, 9_000);
}

#[test]
fn letters_outlive_the_process_and_are_not_written_twice() {
    let folder = tempfile::tempdir().unwrap();
    let open = || Some(Store::open(&folder.path().join("slo.db")).unwrap());
    // Nobody listens there.
    let nobody: Receiver = "webhook=http://127.0.0.1:1/".parse().unwrap();
    let new = || {
        let engine = Engine::new(vec![objective("payments-are-served")]);
        Watcher::new(engine, vec![0], vec![nobody.clone()], String::new(), open()).unwrap()
    };
    let mut watcher = new();
    let mut sum = tally(0, 0);
    for second in 1..=400 {
        sum.merge(&tally(50, 50));
        watcher.tick(START + second, vec![sum.clone()]);
    }
    let before = watcher.standing();
    assert_eq!(before.waiting.len(), 1, "{before:?}");
    // As kill -9 does: nothing more is written.
    drop(watcher);
    let mut watcher = new();
    assert_eq!(watcher.standing().waiting, before.waiting);
    assert_eq!(watcher.standing().objectives[0].status.counts.bad, 50 * 400);
    watcher.tick(START + 401, vec![tally(50, 50)]);
    assert_eq!(watcher.standing().waiting, before.waiting);
    let delivery = watcher.outbox().due(START + 401).unwrap();
    watcher.outbox().failed(delivery.number, "connection refused", START + 401);
    watcher.flush();
    drop(watcher);
    let waiting = new().standing().waiting;
    assert_eq!((waiting[0].attempts, waiting[0].error.as_str()), (1, "connection refused"));
}

#[test]
fn nothing_is_posted_to_whom_does_not_take_it() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}/", listener.local_addr().unwrap());
    let answering = thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut seen = [0; 1024];
        let _read = stream.read(&mut seen).unwrap();
        let answer = "HTTP/1.1 503 Busy\r\ncontent-length: 4\r\nconnection: close\r\n\r\nbusy";
        stream.write_all(answer.as_bytes()).unwrap();
    });
    let error = post(&agent().0, &address, "{}").unwrap_err();
    assert!(error.contains("503") && error.contains("busy"), "{error}");
    answering.join().unwrap();
}

#[test]
fn nobody_is_told_of_what_the_policy_leaves_out() {
    for (breaching, resolved) in [(true, false), (false, true)] {
        let when = AlertWhen { breaching, resolved, no_data: false };
        let usual = objective("pay");
        let alerts = usual.alerts.iter().map(|alert| BurnAlert { when, ..*alert }).collect();
        let engine = Engine::new(vec![Objective { alerts, ..usual }]);
        let nobody: Receiver = "webhook=http://127.0.0.1:1/".parse().unwrap();
        let mut watcher = Watcher::new(engine, vec![0], vec![nobody], String::new(), None).unwrap();
        let mut sum = tally(0, 0);
        for second in 1..=1_200 {
            let bad = if second < 600 { 50 } else { 0 };
            sum.merge(&tally(100 - bad, bad));
            watcher.tick(START + second, vec![sum.clone()]);
        }
        let letters = watcher.standing().waiting;
        let states: Vec<_> =
            letters.iter().filter(|it| it.key.contains("/3600/")).map(|it| it.state).collect();
        let expected = if breaching { LetterState::Firing } else { LetterState::Resolved };
        assert_eq!(states, [expected]);
    }
}

#[test]
fn a_letter_that_was_taken_is_struck_off_before_the_next_flush() {
    let folder = tempfile::tempdir().unwrap();
    let new = || {
        let engine = Engine::new(vec![objective("pay")]);
        let receiver = "webhook=http://127.0.0.1:1/".parse().unwrap();
        let store = Store::open(&folder.path().join("slo.db")).unwrap();
        Watcher::new(engine, vec![0], vec![receiver], String::new(), Some(store)).unwrap()
    };
    let mut watcher = new();
    let mut sum = tally(0, 0);
    for second in 1..=400 {
        sum.merge(&tally(50, 50));
        watcher.tick(START + second, vec![sum.clone()]);
    }
    let delivery = watcher.outbox().due(START + 400).unwrap();
    watcher.delivered(delivery.number);
    // As kill -9 does, in the same second.
    drop(watcher);
    let mut watcher = new();
    assert_eq!((watcher.outbox().due(START + 400), watcher.standing().waiting), (None, vec![]));
}

#[test]
fn who_forgets_is_told_again_each_minute_and_the_others_once() {
    let engine = Engine::new(vec![objective("pay")]);
    let receivers = ["alertmanager=http://127.0.0.1:1", "webhook=http://127.0.0.1:1/"];
    let receivers = receivers.map(|text| text.parse().unwrap()).to_vec();
    let mut watcher = Watcher::new(engine, vec![0], receivers, String::new(), None).unwrap();
    let (mut sum, mut told) = (tally(0, 0), Vec::new());
    for second in 1..=600 {
        sum.merge(&tally(50, 50));
        watcher.tick(START + second, vec![sum.clone()]);
        while let Some(delivery) = watcher.outbox().due(START + second) {
            watcher.delivered(delivery.number);
            let value: Value = serde_json::from_str(&delivery.body).unwrap();
            let alert = value["alerts"].get(0).unwrap_or(&value[0]).clone();
            if alert["labels"]["long_window"] == "1h" {
                told.push((delivery.address.contains("/api/v2"), second, alert));
            }
        }
    }
    let of = |is_forgetful: bool| told.iter().filter(move |(is, ..)| *is == is_forgetful);
    assert_eq!(of(false).count(), 1);
    let times: Vec<_> = of(true).map(|(_, second, _)| *second).collect();
    let pauses: Vec<_> = times.windows(2).skip(1).map(|pair| pair[1] - pair[0]).collect();
    assert!(times.len() >= 7 && pauses.iter().all(|pause| *pause == 60), "{times:?}");
    let first = of(true).next().unwrap().2.clone();
    assert!(of(true).all(|(.., alert)| alert["startsAt"] == first["startsAt"]), "one alert");
}

#[test]
fn an_alert_that_went_while_it_fired_is_told_over_once_and_does_not_come_back() {
    let folder = tempfile::tempdir().unwrap();
    let new = || {
        let engine = Engine::new(vec![objective("pay")]);
        let receiver = "webhook=http://127.0.0.1:1/".parse().unwrap();
        let store = Store::open(&folder.path().join("slo.db")).unwrap();
        Watcher::new(engine, vec![0], vec![receiver], String::new(), Some(store)).unwrap()
    };
    let states = |watcher: &Watcher| -> Vec<LetterState> {
        let letters = watcher.standing().waiting;
        letters.iter().filter(|it| it.key.contains("/3600/")).map(|it| it.state).collect()
    };
    let mut watcher = new();
    let mut sum = tally(0, 0);
    for second in 1..=400 {
        sum.merge(&tally(50, 50));
        watcher.tick(START + second, vec![sum.clone()]);
    }
    assert_eq!(states(&watcher), [LetterState::Firing]);
    watcher.exchange(vec![], vec![]).unwrap();
    assert_eq!(states(&watcher), [LetterState::Firing, LetterState::Resolved]);
    drop(watcher);
    // Asked for again, by a restart and by SIGHUP: its counts are there, and no alert fires.
    for again in ["restart", "exchange"] {
        let mut watcher = new();
        if again == "exchange" {
            watcher.exchange(vec![], vec![]).unwrap();
            watcher.exchange(vec![objective("pay")], vec![0]).unwrap();
        }
        let standing = watcher.standing();
        assert!(!standing.objectives[0].is_firing(), "{again}");
        assert_eq!(standing.objectives[0].status.counts.bad, 400 * 50, "{again}");
        assert_eq!(states(&watcher), [LetterState::Firing, LetterState::Resolved], "{again}");
    }
}
