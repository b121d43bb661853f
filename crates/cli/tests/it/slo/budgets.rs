//! `rearguard up` with objectives: what counts, what outlives kill -9, who is told.

use std::{
    fs,
    path::Path,
    time::{SystemTime, UNIX_EPOCH},
};

use config::Source;
use control::slo::{Engine, Outbox, Store};
use model::{
    Cause,
    slo::{Alarm, Tally},
};
use serde_json::Value;

use super::{EXAMPLE, bad, command, folder, objective, servers::receiver};
use crate::support::{Gateway, PATIENCE, file, wait_for};

#[test]
fn a_budget_that_was_spent_is_shown_and_outlives_kill_9() {
    let folder = folder("slo-state");
    let state = folder.to_str().unwrap();
    let gateway = Gateway::up(&[EXAMPLE, "--state", state]);
    for _ in 0..7 {
        assert_eq!(gateway.get("/pay/error").status, 500);
    }
    wait_for("seven failures", || (bad(&gateway) == 7).then_some(()));
    let shown = objective(&gateway, "payments-are-served");
    assert_eq!(shown["causes"][0]["cause"], "upstream.failed", "{shown:#}");
    assert!(shown["budget"]["remaining_ratio"].as_f64().unwrap() < 0.0, "{shown:#}");
    assert_eq!(shown["agreement"]["is_broken"], true);

    let (is_ok, said, complaint) = command(&["slo", "status", "--admin", &gateway.admin()]);
    assert!(is_ok, "{complaint}");
    for words in [
        "payments-are-served (payment-service): 99.9 % over 30d",
        "overspent",
        "upstream.failed 100.0 % (7)",
    ] {
        assert!(said.contains(words), "{words:?} in\n{said}");
    }
    let (is_ok, json, _) = command(&["slo", "status", "--json", "--admin", &gateway.admin()]);
    assert!(is_ok && serde_json::from_str::<Value>(&json).unwrap()["is_written"] == true);

    // What it says is written down every 2 s.
    let second = || -> jiff::Timestamp {
        gateway.api("/api/v1/slo")["time"].as_str().unwrap().parse().unwrap()
    };
    let counted = second();
    wait_for("the next flush", || (second().as_second() > counted.as_second() + 3).then_some(()));
    drop(gateway);
    let gateway = Gateway::up(&[EXAMPLE, "--state", state]);
    assert_eq!(bad(&gateway), 7);
    drop(gateway);

    let month = jiff::Timestamp::now().strftime("%Y-%m").to_string();
    let (is_ok, report, complaint) =
        command(&["slo", "report", "--month", &month, "--state", state, EXAMPLE]);
    assert!(is_ok, "{complaint}");
    assert!(report.contains("| Bad | 7 |") && report.contains("upstream.failed"), "{report}");
}

#[test]
fn without_objectives_they_are_suggested_and_alarm_nobody() {
    let gateway = Gateway::up(&[]);
    gateway.get("/pay/error");
    let suggested = || objective(&gateway, "payment-service");
    wait_for("a failure that counts", || (suggested()["counts"]["bad"] == 1).then_some(()));
    let suggested = suggested();
    assert_eq!(suggested["is_suggested"], true);
    assert_eq!(suggested["alerts"], serde_json::json!([]));
    let p99 = suggested["observed_p99_ms"].as_f64().unwrap();
    let (is_ok, said, _) = command(&["slo", "status", "--admin", &gateway.admin()]);
    let observed = format!("99 % of requests took at most {p99} ms since the start");
    assert!(is_ok && said.contains(&observed), "{observed} in\n{said}");
    let page = gateway.admin_text("/slo");
    assert!(page.contains("P99 as observed") && page.contains("these are suggestions"));
    // What it proposes is what OpenSLO documents take.
    let objective = format!("latencyBelow: {p99}ms");
    assert!(said.contains(&objective) && page.contains(&objective), "{objective}");
    let text = fs::read_to_string(EXAMPLE).unwrap();
    let text =
        text.replacen("rearguard, spec: {}", &format!("rearguard, spec: {{{objective}}}"), 1);
    let path = file("slo-suggested.yaml", &text);
    assert!(command(&["slo", "check", path.to_str().unwrap()]).0);
    assert_eq!(gateway.api("/api/v1/slo")["is_written"], false);
}

#[test]
fn the_examples_have_neither_errors_nor_warnings() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../examples/openslo");
    let (is_ok, said, complaint) = command(&["slo", "check", folder]);
    assert!(is_ok && said.ends_with("ok: 3 files, 9 objectives\n"), "{said}\n{complaint}");
    assert!(!said.contains("warning"), "{said}");
}

#[test]
fn objectives_with_errors_refuse_the_start() {
    let path = file("slo-bad.yaml", &fs::read_to_string(EXAMPLE).unwrap().replace("0.999", "1"));
    let (is_ok, _, complaint) = command(&["up", path.to_str().unwrap(), "--listen", "127.0.0.1:0"]);
    assert!(!is_ok && complaint.contains("leaves no budget"), "{complaint}");
    let (is_ok, _, complaint) = command(&["up", "--prometheus-interval", "100ms"]);
    assert!(!is_ok && complaint.contains("expected a time from 1s to 60s"), "{complaint}");
    let (is_ok, _, complaint) = command(&["up", "--notify", "pigeon=http://127.0.0.1"]);
    assert!(!is_ok && complaint.contains("expected alertmanager=URL"), "{complaint}");
}

#[test]
fn nobody_to_ask_is_said() {
    let (is_ok, _, complaint) = command(&["slo", "status", "--admin", "http://127.0.0.1:1"]);
    assert!(!is_ok && complaint.contains("expected a running `rearguard up`"), "{complaint}");
}

/// An hour with a request each second, of which a part failed from 20 to 8 minutes ago; the alert that
/// fired then was not looked at since.
pub(super) fn seed(folder: &Path) {
    let sources = [Source::new("shop.yaml", fs::read_to_string(EXAMPLE).unwrap())];
    let loaded = config::load_objectives(&sources, &|name| jiff::tz::TimeZone::get(name).ok());
    assert!(!loaded.has_errors(), "{:?}", loaded.diagnostics);
    let mut engine = Engine::new(loaded.objectives);
    let place = engine.place("payments-are-served").unwrap();
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let mut has_fired = false;
    for at in now - 3_600..now {
        let mut events = Tally { good: 1, ..Tally::default() };
        if (now - 1_200..now - 480).contains(&at) {
            events.bad[Tally::place(Some(Cause::UpstreamReset))] = 1;
        }
        engine.look(at);
        engine.record(place, at, &events);
        if !has_fired {
            let fired = engine.evaluate();
            has_fired = fired.iter().any(|it| it.alert == 0 && it.alarm == Alarm::Fired);
        }
    }
    assert!(has_fired);
    let mut store = Store::open(&folder.join("slo.db")).unwrap();
    store.flush(&mut engine, &Outbox::default()).unwrap();
}

#[test]
fn a_webhook_is_told_once_that_an_alert_is_over_and_once_that_it_fires_again() {
    let folder = folder("slo-webhook");
    seed(&folder);
    let (url, letters) = receiver(1);
    let state = folder.to_str().unwrap();
    let gateway = Gateway::up(&[EXAMPLE, "--state", state, "--notify", &format!("webhook={url}")]);
    let next = || {
        loop {
            let (_, letter) = letters.recv_timeout(PATIENCE).unwrap();
            let labels = &letter["alerts"][0]["labels"];
            if labels["slo"] == "payments-are-served" && labels["long_window"] == "1h" {
                return letter;
            }
        }
    };
    let over = next();
    assert_eq!(over["status"], "resolved", "{over:#}");
    for _ in 0..20 {
        gateway.get("/pay/error");
    }
    let fired = next();
    assert_eq!(fired["status"], "firing", "{fired:#}");
    assert_eq!(fired["alerts"][0]["labels"]["service"], "payment-service");
    wait_for("all letters taken", || {
        let slo = gateway.api("/api/v1/slo");
        (slo["letters"]["waiting"] == serde_json::json!([])).then_some(())
    });
    let again: Vec<_> = letters
        .try_iter()
        .filter(|(_, letter)| letter["alerts"][0]["labels"]["long_window"] == "1h")
        .collect();
    assert!(again.is_empty(), "{again:#?}");
}
