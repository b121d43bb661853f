use control::slo::{Engine, Notice, Receiver};
use model::slo::Alarm;
use serde_json::Value;

use crate::support::{HOUR, START, go_on, objective};

/// What is said when the first page fires.
fn notice(alarm: Alarm) -> Notice {
    let mut engine = Engine::new(vec![objective("checkout-availability")]);
    let fired = go_on(&mut engine, START, HOUR, 15);
    let event = fired.into_iter().find(|event| event.alert == 0).unwrap();
    Notice::of(&engine, &control::slo::Event { alarm, at: START + HOUR - 1, ..event }).unwrap()
}

fn body(receiver: &str, alarm: Alarm) -> Value {
    let receiver: Receiver = receiver.parse().unwrap();
    serde_json::from_str(&receiver.body(&notice(alarm), "http://127.0.0.1:9900/slo")).unwrap()
}

#[test]
fn it_says_what_burns_how_fast_what_is_left_and_what_spent_it() {
    let notice = notice(Alarm::Fired);
    assert_eq!(
        notice.summary(),
        "pay: the error budget of checkout-availability burns 150.0 times too fast"
    );
    assert_eq!(
        notice.description(),
        "Objective 99.9 %: alert at 14.4 over 1h and 5m. It burns at 150.0 and 150.0. \
         -14900.0 % of the budget is left. Spent by: upstream.reset 100 %."
    );
}

#[test]
fn alertmanager_gets_alerts_of_its_api() {
    let fired = body("alertmanager=http://127.0.0.1:9093", Alarm::Fired);
    let alert = &fired[0];
    assert_eq!(alert["labels"]["alertname"], "ErrorBudgetBurn");
    assert_eq!(alert["labels"]["severity"], "page");
    assert_eq!(alert["labels"]["slo"], "checkout-availability");
    // Told again each minute, it goes on; not told again, it is over in 5 minutes.
    let time = |field: &str| -> jiff::Timestamp { alert[field].as_str().unwrap().parse().unwrap() };
    assert_eq!(time("endsAt").as_second() as u64, START + HOUR - 1 + 300);
    assert!(time("startsAt") < time("endsAt"));
    assert!(alert["startsAt"].as_str().unwrap().ends_with('Z'));
    let over = body("alertmanager=http://127.0.0.1:9093/", Alarm::Resolved);
    assert_eq!(over[0]["labels"], alert["labels"], "the same alert, so that it ends");
    assert!(over[0]["endsAt"].is_string());
}

#[test]
fn a_webhook_gets_what_alertmanager_would_send() {
    let fired = body("webhook=http://127.0.0.1:5001/x", Alarm::Fired);
    assert_eq!((fired["version"].as_str(), fired["status"].as_str()), (Some("4"), Some("firing")));
    assert_eq!(fired["alerts"][0]["status"], "firing");
    let over = body("webhook=http://127.0.0.1:5001/x", Alarm::Resolved);
    assert_eq!(over["status"], "resolved");
    assert_eq!(over["alerts"][0]["fingerprint"], fired["alerts"][0]["fingerprint"]);
}

#[test]
fn slack_gets_a_line_and_an_attachment() {
    let fired = body("slack=https://hooks.slack.com/services/T/B/x", Alarm::Fired);
    assert!(fired["text"].as_str().unwrap().starts_with("[page] pay: the error budget"));
    assert_eq!(fired["attachments"][0]["color"], "danger");
    let over = body("slack=https://hooks.slack.com/services/T/B/x", Alarm::Resolved);
    assert_eq!(over["attachments"][0]["color"], "good");
}

#[test]
fn missing_data_is_an_alert_of_its_own_in_every_format() {
    let none = body("alertmanager=http://127.0.0.1:9093", Alarm::NoData);
    assert_eq!(none[0]["labels"]["alertname"], "ErrorBudgetNoData");
    let again = body("webhook=http://127.0.0.1:5001/x", Alarm::DataAgain);
    assert_eq!(again["status"], "resolved");
    assert_eq!(again["alerts"][0]["labels"], none[0]["labels"]);
    let slack = body("slack=https://hooks.slack.com/services/T/B/x", Alarm::NoData);
    let text = slack["text"].as_str().unwrap();
    assert!(text.contains("there is no data for checkout-availability"), "{text}");
    assert_ne!(notice(Alarm::NoData).key(), notice(Alarm::Fired).key());
    assert_eq!(notice(Alarm::NoData).key(), notice(Alarm::DataAgain).key());
}

#[test]
fn what_names_no_receiver_says_what_was_expected() {
    for text in
        ["", "http://127.0.0.1", "pager=http://127.0.0.1", "slack=ftp://x", "webhook=http:///x"]
    {
        let error = text.parse::<Receiver>().unwrap_err().to_string();
        assert!(error.contains("expected alertmanager=URL, webhook=URL or slack=URL"), "{text}");
    }
}
