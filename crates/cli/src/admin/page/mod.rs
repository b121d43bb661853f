//! The first page, made for a person at three in the morning.
//!
//! The server renders all of it, so that it says the same with and without JavaScript; the script
//! asks for [`live`] again and again and puts what has changed in place.

mod causes;
mod failures;
mod format;
mod headline;
mod objectives;
mod traffic;

use std::sync::Arc;

use maud::{DOCTYPE, Markup, html};
use model::RequestRecord;

use super::{
    query::Filter,
    router::{App, now_unix_micros},
    summary::Summary,
};
use crate::timeout_profile::Amendment;

pub(super) use causes::{cause_page, index as cause_index};
pub(super) use objectives::document as objectives;

/// How many of the latest failures the page shows.
const SHOWN_FAILURES: usize = 20;

/// What the first page shows.
pub(super) struct View {
    pub(super) now_unix_micros: u64,
    pub(super) summary: Summary,
    pub(super) failures: Vec<Arc<RequestRecord>>,
    /// What was found out about them afterwards, in the same order.
    pub(super) amendments: Vec<Option<Arc<Amendment>>>,
    pub(super) filter: Filter,
    pub(super) not_ready: Option<String>,
    pub(super) traffic_url: String,
    pub(super) failing_path: Option<String>,
}

impl App {
    /// What the first page shows now.
    pub(super) fn view(&self, filter: Filter) -> View {
        let observed = self.observed.as_ref();
        let failures = super::failures::latest(observed, &filter, SHOWN_FAILURES);
        View {
            now_unix_micros: now_unix_micros(),
            summary: self.summary(),
            amendments: failures.iter().map(|failure| observed.amendment(failure)).collect(),
            failures,
            filter,
            not_ready: observed.ready().err(),
            traffic_url: observed.traffic_url(),
            failing_path: observed.failing_path(),
        }
    }
}

/// The whole page.
pub(super) fn document(view: &View) -> Markup {
    let bar = html! {
        p.connection id="connection" role="status" {
            time datetime=(format::machine_time(view.now_unix_micros)) {
                (format::clock(view.now_unix_micros, view.now_unix_micros)) " UTC"
            }
        }
        button id="pause" type="button" aria-pressed="false" hidden { "Pause" }
    };
    let body = html! {
        p.banner.lost id="lost" role="alert" hidden {}
        p.unseen id="announcement" aria-live="polite" {}
        (live(view))
    };
    shell(&headline::title(view), Script::Live, &bar, &body)
}

/// What changes on the first page.
pub(super) fn live(view: &View) -> Markup {
    html! {
        main id="live" data-title=(headline::title(view)) {
            (headline::render(view))
            (traffic::render(view))
            (causes::render(view))
            (failures::render(view))
        }
    }
}

/// Whether a page keeps itself up to date.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Script {
    Live,
    /// It is asked for again as a whole.
    Refresh,
    Absent,
}

/// What every page has around its content.
fn shell(title: &str, script: Script, bar: &Markup, body: &Markup) -> Markup {
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (title) }
                link rel="icon" type="image/svg+xml" href="/assets/icon.svg";
                link rel="stylesheet" href="/assets/app.css";
                @if script == Script::Live {
                    script type="module" src="/assets/app.js" {}
                    noscript { meta http-equiv="refresh" content="10"; }
                }
                @if script == Script::Refresh { meta http-equiv="refresh" content="30"; }
            }
            body {
                header.bar {
                    a.brand href="/" {
                        img src="/assets/icon.svg" alt="" width="24" height="24";
                        "Rearguard"
                    }
                    @if script == Script::Live { a.budgets-link href="/slo" { "Error budgets" } }
                    (bar)
                }
                (body)
                footer {
                    nav aria-label="More" {
                        a href="/slo" { "Error budgets" }
                        a href="/causes" { "All causes" }
                        a href="/metrics" { "Metrics" }
                        a href="/api/v1/failures" { "Failures as JSON" }
                        a href="/api/v1/summary" { "Summary as JSON" }
                        a href="/api/v1/slo" { "Error budgets as JSON" }
                    }
                }
            }
        }
    }
}

/// A line for the terminal, with a button to copy it.
fn command_line(line: &str) -> Markup {
    html! {
        div.command {
            code { (line) }
            (copy_button(line, "Copy the command"))
        }
    }
}

/// A button that copies `text`; without JavaScript it is not there.
fn copy_button(text: &str, label: &str) -> Markup {
    html! { button.copy type="button" data-copy=(text) aria-label=(label) { "Copy" } }
}

/// A service's name, or what stands for it where no route took the request.
fn service_name(service: &str) -> &str {
    if service.is_empty() { "no service" } else { service }
}
