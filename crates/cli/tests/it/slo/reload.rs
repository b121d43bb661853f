//! SIGHUP reads objectives again.

use std::fs;

use serde_json::Value;

use super::{EXAMPLE, bad, folder, objective, servers::receiver, with_quick_page};
use crate::support::{Gateway, PATIENCE, file, wait_for};

/// The example, with other objectives than that of served payments.
fn other(path: &std::path::Path, change: impl FnOnce(String) -> String) {
    fs::write(path, change(fs::read_to_string(EXAMPLE).unwrap())).unwrap();
}

fn names(gateway: &Gateway) -> Vec<String> {
    let slo = gateway.api("/api/v1/slo");
    let objectives = slo["objectives"].as_array().unwrap().iter();
    objectives.map(|objective| objective["objective"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn what_stays_keeps_its_budget_what_comes_begins_and_what_goes_is_gone() {
    let path = file("slo-reload.yaml", "");
    other(&path, |text| text);
    let state = folder("slo-reload");
    let gateway = Gateway::up(&[path.to_str().unwrap(), "--state", state.to_str().unwrap()]);
    for _ in 0..7 {
        gateway.get("/pay/error");
    }
    wait_for("seven failures", || (bad(&gateway) == 7).then_some(()));
    other(&path, |text| text.replace("payments-are-fast\n", "payments-are-quick\n"));
    gateway.hang_up();
    wait_for("the other objectives", || {
        names(&gateway).contains(&"payments-are-quick".to_owned()).then_some(())
    });
    assert!(!names(&gateway).contains(&"payments-are-fast".to_owned()));
    assert_eq!(names(&gateway).len(), 4);
    assert_eq!(bad(&gateway), 7);
    let counts = objective(&gateway, "payments-are-quick")["counts"].clone();
    assert_eq!((&counts["good"], &counts["bad"]), (&Value::from(0), &Value::from(0)));

    // Both go on counting.
    gateway.get("/pay/error");
    gateway.get("/pay/ok");
    let good = || objective(&gateway, "payments-are-quick")["counts"]["good"] == 1;
    wait_for("one more of each", || (bad(&gateway) == 8 && good()).then_some(()));
    let metrics = gateway.admin_text("/metrics");
    assert!(metrics.contains("slo=\"payments-are-quick\""), "{metrics}");
    assert!(!metrics.contains("slo=\"payments-are-fast\""), "{metrics}");
}

#[test]
fn a_file_with_errors_changes_nothing_and_says_what_to_do() {
    let path = file("slo-reload-bad.yaml", "");
    other(&path, |text| text);
    let gateway = Gateway::up(&[path.to_str().unwrap()]);
    gateway.get("/pay/error");
    wait_for("a failure", || (bad(&gateway) == 1).then_some(()));
    let before = names(&gateway);
    // One objective is good and renamed, and another has no budget: neither is taken.
    other(&path, |text| {
        text.replace("payments-are-fast\n", "payments-are-quick\n")
            .replace("target: 0.99}", "target: 1}")
    });
    gateway.hang_up();
    let said = wait_for("a complaint", || {
        let said = gateway.complaints();
        said.contains("not reloaded").then_some(said)
    });
    for words in [
        "slo-reload-bad.yaml:",
        "a target of 100 % leaves no budget",
        "expected a share below 1",
        "the old routes and objectives stay: there are errors; correct them and send SIGHUP again",
    ] {
        assert!(said.contains(words), "{words:?} in\n{said}");
    }
    assert_eq!(names(&gateway), before);
    gateway.get("/pay/error");
    wait_for("what is watched goes on", || (bad(&gateway) == 2).then_some(()));
}

#[test]
fn an_alert_that_goes_while_it_fires_is_told_to_be_over() {
    let path = file("slo-reload-alert.yaml", "");
    other(&path, |text| text);
    let (url, letters) = receiver(0);
    let notify = format!("webhook={url}");
    let gateway = Gateway::up(&[path.to_str().unwrap(), "--notify", &notify]);
    let status = || {
        let (_, letter) = letters.recv_timeout(PATIENCE).unwrap();
        let labels = letter["alerts"][0]["labels"].clone();
        (letter["status"].as_str().unwrap().to_owned(), labels)
    };
    // Half of the short window must have been looked at: of 1 h it is 5 minutes, of a minute 5 s.
    fs::write(&path, with_quick_page(14.4)).unwrap();
    gateway.hang_up();
    wait_for("the short alert", || {
        let alerts = objective(&gateway, "payments-are-served")["alerts"].clone();
        (alerts[0]["long_window_ms"] == 60_000).then_some(())
    });
    wait_for("the page", || {
        gateway.get("/pay/error");
        let alerts = objective(&gateway, "payments-are-served")["alerts"].clone();
        (alerts[0]["is_firing"] == true).then_some(())
    });
    assert_eq!(status().0, "firing");
    other(&path, |text| text.replace("payments-are-served\n", "payments-work\n"));
    gateway.hang_up();
    let (over, labels) = status();
    assert_eq!((over.as_str(), &labels["slo"]), ("resolved", &Value::from("payments-are-served")));
}
