//! The first lines: how things stand, in words.

use maud::{Markup, html};

use super::{View, command_line, format, service_name};
use crate::admin::{failures::sentence, help, summary::CauseRow};

/// How things stand.
enum State {
    NoTrafficYet,
    NoTrafficNow,
    Well,
    /// Failures there are, but none counts against a service or the gateway.
    OthersFault,
    Failing,
}

fn state(view: &View) -> State {
    let minute = view.summary.last_minute;
    if view.summary.requests_total == 0 {
        State::NoTrafficYet
    } else if minute.requests == 0 {
        State::NoTrafficNow
    } else if minute.failures == 0 {
        State::Well
    } else if minute.against_services + minute.against_gateway == 0 {
        State::OthersFault
    } else {
        State::Failing
    }
}

/// The share of the last minute's requests that count against a service or the gateway.
fn failing_percent(view: &View) -> String {
    let minute = view.summary.last_minute;
    format::percent(minute.against_services + minute.against_gateway, minute.requests)
}

/// The title of the window, so that a tab says how things stand.
pub(super) fn title(view: &View) -> String {
    match state(view) {
        State::NoTrafficYet | State::NoTrafficNow => "No traffic · Rearguard".to_owned(),
        State::Well | State::OthersFault => "Served well · Rearguard".to_owned(),
        State::Failing => format!("{} failing · Rearguard", failing_percent(view)),
    }
}

pub(super) fn render(view: &View) -> Markup {
    let (class, mark, words) = match state(view) {
        State::NoTrafficYet => ("idle", "–", "No traffic yet".to_owned()),
        State::NoTrafficNow => ("idle", "–", "No traffic in the last minute".to_owned()),
        State::Well => ("well", "✓", "Every request was served well".to_owned()),
        State::OthersFault => ("well", "✓", "Services and gateway serve well".to_owned()),
        State::Failing => {
            ("failing", "!", format!("{} of requests are not served well", failing_percent(view)))
        }
    };
    html! {
        @if let Some(reason) = &view.not_ready {
            p.banner { strong { "Not ready for traffic. " } (sentence(reason)) }
        }
        @if view.summary.sampled_seconds_ago > STALE_SECONDS {
            p.banner {
                strong { "These numbers are old. " }
                "The counters were last read " (view.summary.sampled_seconds_ago) " s ago."
            }
        }
        section.headline.(class) {
            span.mark aria-hidden="true" { (mark) }
            div {
                h1 { (words) }
                (explanation(view))
            }
        }
    }
}

/// The counters are read once a second; older ones than this are called old.
const STALE_SECONDS: u64 = 5;

fn explanation(view: &View) -> Markup {
    let minute = view.summary.last_minute;
    let requests = format::count(minute.requests);
    html! {
        @match state(view) {
            State::NoTrafficYet => {
                p { "Send a request through the gateway, and it shows up here within two seconds:" }
                (command_line(&format!("curl -i {}/", view.traffic_url)))
            }
            State::NoTrafficNow => p {
                (format::count(view.summary.requests_total)) " requests since the start."
            },
            State::Well => p { "All " (requests) " requests of the last minute." },
            State::OthersFault => p {
                (format::count(minute.failures)) " of " (requests)
                " requests of the last minute failed, and none of these counts against a service \
                 or the gateway."
            },
            State::Failing => {
                p { (blamed(view)) }
                @if let Some(row) = most_frequent(view) {
                    p {
                        "Most often, " (format::count(row.last_minute)) " of them, "
                        strong { (service_name(&row.service)) } ": " (row.sentence) "."
                    }
                    p.links {
                        a href=(help::path(row.cause)) { "What that means" }
                        a href="#failures" { "Latest failures" }
                    }
                }
            }
        }
    }
}

/// Against whom the failures of the last minute count.
fn blamed(view: &View) -> String {
    let minute = view.summary.last_minute;
    let nobody = minute.failures - minute.against_services - minute.against_gateway;
    let parties = [
        (minute.against_services, "a service"),
        (minute.against_gateway, "the gateway"),
        (nobody, "nobody"),
    ];
    let mut text = format!(
        "{} of the last minute's {} requests failed: ",
        format::count(minute.failures),
        format::count(minute.requests)
    );
    for (at, (count, party)) in parties.iter().filter(|(count, _)| *count > 0).enumerate() {
        let verb = match (at, count) {
            (0, 1) => " counts",
            (0, _) => " count",
            _ => "",
        };
        let comma = if at > 0 { ", " } else { "" };
        text.push_str(&format!("{comma}{}{verb} against {party}", format::count(*count)));
    }
    text.push('.');
    text
}

/// The most frequent cause of the last minute that counts against a service or the gateway.
fn most_frequent(view: &View) -> Option<&CauseRow> {
    let blamed = |row: &&CauseRow| row.fault == "service" || row.fault == "gateway";
    let rows = view.summary.causes.iter().filter(blamed);
    rows.max_by_key(|row| row.last_minute).filter(|row| row.last_minute > 0)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use model::{Cause, Outcome};

    use super::*;
    use crate::admin::{
        fake::{Fake, count},
        history::History,
        query::Filter,
        router::App,
    };

    /// The view at `now` after these requests came in the first second.
    fn view(requests: &[(Option<Cause>, u64)], now: u64) -> (Arc<Fake>, View) {
        let counts: Vec<_> = requests
            .iter()
            .map(|&(cause, requests)| {
                let outcome = cause.map_or(Outcome::Succeeded, Cause::outcome);
                count("pay", outcome, cause, requests)
            })
            .collect();
        let mut history = History::default();
        history.record(0, &[]);
        for second in 1..=now {
            history.record(second, &counts);
        }
        let fake = Arc::new(Fake::default());
        let view = App::resumed(fake.clone(), history, now).view(Filter::default());
        (fake, view)
    }

    #[test]
    fn it_says_how_things_stand() {
        let reset = Some(Cause::UpstreamReset);
        for (requests, now, heading, text) in [
            (&[][..], 1, "No traffic yet", "curl -i http://127.0.0.1:8080/"),
            (&[(None, 1234)], 90, "No traffic in the last minute", "1,234 requests since"),
            (&[(None, 12)], 1, "Every request was served well", "All 12 requests of the last"),
            (
                &[(None, 8), (Some(Cause::ClientTooSlow), 2)],
                1,
                "Services and gateway serve well",
                "2 of 10 requests of the last minute failed, and none",
            ),
            (
                &[(None, 9), (reset, 1)],
                1,
                "10% of requests are not served well",
                "1 of the last minute's 10 requests failed: 1 counts against a service.",
            ),
            (
                &[
                    (None, 90),
                    (reset, 6),
                    (Some(Cause::GatewayInternal), 3),
                    (Some(Cause::ClientTooSlow), 1),
                ],
                1,
                "9.0% of requests are not served well",
                "10 of the last minute's 100 requests failed: 6 count against a service, \
                 3 against the gateway, 1 against nobody.",
            ),
            (
                &[(reset, 7)],
                1,
                "100% of requests",
                "7 of them, <strong>pay</strong>: the service reset",
            ),
        ] {
            let html = render(&view(requests, now).1).into_string();
            let html = html.replace("&#39;", "'");
            assert!(html.contains(heading) && html.contains(text), "{requests:?}: {html}");
            assert!(!html.contains("banner"), "{html}");
        }
    }

    #[test]
    fn a_gateway_that_is_not_ready_and_numbers_that_are_old_are_said_first() {
        let (_, mut view) = view(&[(None, 1)], 1);
        view.not_ready = Some("no listener is <open>".to_owned());
        view.summary.sampled_seconds_ago = 12;
        let html = render(&view).into_string();
        assert!(html.contains("No listener is &lt;open&gt;."), "{html}");
        assert!(html.contains("last read 12 s ago"), "{html}");
    }
}
