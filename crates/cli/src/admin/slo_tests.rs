//! The page of error budgets, as a person sees it in Chromium.

use std::sync::Arc;

use control::slo::Engine;

use super::{
    browser::{Browser, Scheme},
    fake::Fake,
    page_tests::{DESKTOP, PHONE, assert_no_overflow, bound, shows},
    server::start,
};
use crate::slo::watch::{
    Standing, Watcher,
    tests::{START, objective, tally},
};

/// Two hours of good traffic, then ten minutes in which 15 % fail, and nobody takes the letters.
pub(super) fn standing() -> Standing {
    let quiet = model::slo::Objective {
        service: "inventory.warehouse.internal.example".into(),
        title: "".into(),
        agreement: None,
        ..objective("an-objective-with-a-rather-long-name-of-its-own")
    };
    let part = |name: &str, weight| model::slo::Objective {
        slo: "checkout-as-a-whole".into(),
        weight,
        ..objective(name)
    };
    let parts = [part("checkout-as-a-whole/served", 1.0), part("checkout-as-a-whole/fast", 0.5)];
    let [served, fast] = parts;
    let engine = Engine::new(vec![objective("payments"), quiet, served, fast]);
    let receiver = "slack=http://127.0.0.1:1/services/T0SECRET".parse().unwrap();
    let mut watcher =
        Watcher::new(engine, vec![0, 1, 2, 3], vec![receiver], String::new(), None).unwrap();
    let mut sum = tally(0, 0);
    for second in 1..=7_800 {
        let bad = if second > 7_200 { 15 } else { 0 };
        sum.merge(&tally(100 - bad, bad));
        let (few, none) = (tally(second * 100 - second / 100, second / 100), tally(0, 0));
        watcher.tick(START + second, vec![sum.clone(), none.clone(), few, none]);
    }
    watcher.standing()
}

#[test]
fn budgets_are_readable_on_a_phone_and_on_a_desk() {
    let fake = Arc::new(Fake::default());
    fake.set_objectives(standing());
    let (listener, address) = bound();
    let server = start(listener, fake.clone()).unwrap();
    let mut browser = Browser::start();
    for (name, (width, height)) in [("phone", PHONE), ("desktop", DESKTOP)] {
        for scheme in [Scheme::Light, Scheme::Dark] {
            let what = format!("budgets-{name}-{scheme:?}").to_lowercase();
            browser.show(width, height, scheme);
            browser.open(&format!("http://{address}/slo"));
            let text = browser.text();
            for words in [
                "Payments are served",
                "% over",
                "requests overspent",
                "Fires",
                "page at a burn of 14.4 over 1h and 5m",
                "150.00",
                "upstream.reset",
                "It is spent.",
                "Contract 99.5 %",
                "Nothing has counted yet.",
                "3 waiting",
                "Composites",
                "checkout-as-a-whole",
                "times their weights",
                "× 0.5",
                "90.0 % left",
            ] {
                assert!(text.contains(words), "{what}: {words:?} in\n{text}");
            }
            let lines = browser.evaluate("document.querySelectorAll('.plot .line[d^=M]').length");
            assert_eq!(lines, 4, "{what}: plots of what was counted");
            let heights = browser.evaluate(
                "[...document.querySelectorAll('.plot svg')].map((e) => e.getBoundingClientRect())
                   .every((box) => box.height >= 60 && box.width >= 120)",
            );
            assert_eq!(heights, true, "{what}: plots are large enough to read");
            assert_no_overflow(&mut browser, &what);
            assert_eq!(browser.problems(), [""; 0], "{what}");
            browser.picture(&what);
        }
    }
    server.stop().unwrap();
}

#[test]
fn the_first_page_leads_to_the_budgets_and_back() {
    let fake = Arc::new(Fake::default());
    let (listener, address) = bound();
    let server = start(listener, fake.clone()).unwrap();
    let mut browser = Browser::start();
    browser.show(PHONE.0, PHONE.1, Scheme::Light);
    browser.open(&format!("http://{address}/"));
    let link = browser.evaluate("document.querySelector('header a[href=\"/slo\"]').href");
    browser.open(link.as_str().unwrap());
    browser.wait_for(&shows("Budgets live in memory"));
    assert_no_overflow(&mut browser, "no objectives");
    let back = browser.evaluate("document.querySelector('.trail a[href=\"/\"]').href");
    browser.open(back.as_str().unwrap());
    browser.wait_for(&shows("No traffic yet"));
    assert_eq!(browser.problems(), [""; 0]);
    server.stop().unwrap();
}

/// A suggestion with traffic, and an objective that nobody asks and that is told of.
fn suggested() -> Standing {
    let suggestion = model::slo::Objective {
        origin: model::slo::Origin::Suggested,
        alerts: [].into(),
        agreement: None,
        title: "A suggestion: requests are served".into(),
        ..objective("orders")
    };
    let when = model::slo::AlertWhen { no_data: true, ..model::slo::AlertWhen::default() };
    let silent = objective("silence");
    let alerts = silent.alerts.iter();
    let alerts = alerts.map(|alert| model::slo::BurnAlert { when, ..*alert }).collect();
    let engine = Engine::new(vec![suggestion, model::slo::Objective { alerts, ..silent }]);
    let mut watcher = Watcher::new(engine, vec![0, 1], vec![], String::new(), None).unwrap();
    for second in 1..=3_600 {
        watcher.tick(START + second, vec![tally(100 * second, 0), tally(0, 0)]);
    }
    let mut standing = watcher.standing();
    standing.objectives[0].observed_p99 = Some(std::time::Duration::from_micros(2_500));
    standing
}

#[test]
fn a_suggestion_shows_what_was_observed_and_missing_data_is_an_alert() {
    let fake = Arc::new(Fake::default());
    fake.set_objectives(suggested());
    let (listener, address) = bound();
    let server = start(listener, fake.clone()).unwrap();
    let mut browser = Browser::start();
    for (name, (width, height)) in [("phone", PHONE), ("desktop", DESKTOP)] {
        let what = format!("suggestions-{name}");
        browser.show(width, height, Scheme::Light);
        browser.open(&format!("http://{address}/slo"));
        let text = browser.text();
        for words in [
            "these are suggestions. They alarm nobody.",
            "P99 as observed: 99 % of requests took at most 2.5 ms since the start.",
            "latencyBelow: 2.5ms",
            "100.0 % left",
            "No data, since",
        ] {
            assert!(text.contains(words), "{what}: {words:?} in\n{text}");
        }
        assert_no_overflow(&mut browser, &what);
        assert_eq!(browser.problems(), [""; 0], "{what}");
        browser.picture(&what);
    }
    server.stop().unwrap();
}
