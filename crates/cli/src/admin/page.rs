//! The first page.

use std::sync::Arc;

use maud::{DOCTYPE, Markup, html};
use model::{Cause, RequestRecord};

use super::{
    failures, help,
    query::Filter,
    router::{App, now_unix_micros},
    summary::Summary,
};

/// How many of the latest failures the page shows.
const SHOWN_FAILURES: usize = 20;

/// What the first page shows.
pub(super) struct View {
    pub(super) now_unix_micros: u64,
    pub(super) summary: Summary,
    pub(super) failures: Vec<Arc<RequestRecord>>,
    pub(super) filter: Filter,
    pub(super) not_ready: Option<String>,
    pub(super) traffic_url: String,
    pub(super) failing_path: Option<String>,
}

impl App {
    /// What the first page shows now.
    pub(super) fn view(&self, filter: Filter) -> View {
        let observed = self.observed.as_ref();
        View {
            now_unix_micros: now_unix_micros(),
            summary: self.summary(),
            failures: failures::latest(observed, &filter, SHOWN_FAILURES),
            filter,
            not_ready: observed.ready().err(),
            traffic_url: observed.traffic_url(),
            failing_path: observed.failing_path(),
        }
    }
}

pub(super) fn document(view: &View) -> Markup {
    html! { (DOCTYPE) html lang="en" { body { (live(view)) } } }
}

pub(super) fn live(view: &View) -> Markup {
    html! { p { (view.summary.requests_total) } }
}

pub(super) fn cause_index() -> Markup {
    html! { (DOCTYPE) ul { @for &cause in Cause::ALL { li { a href=(help::path(cause)) { (cause) } } } } }
}

pub(super) fn cause(cause: Cause, content: Markup) -> Markup {
    html! { (DOCTYPE) title { (cause) } (content) }
}
