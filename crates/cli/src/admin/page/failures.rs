//! The latest failures, each with what happened, where the time went and how to find its trace.

use std::{collections::BTreeSet, time::Duration};

use maud::{Markup, html};
use model::{Cause, ConnectionUse, RequestRecord};

use super::{
    SHOWN_FAILURES, View, causes::fault_chip, command_line, copy_button, format, service_name,
    traffic,
};
use crate::{
    admin::{
        failures::sentence,
        help,
        query::{ALL_SERVICES, Filter},
    },
    timeout_profile::Amendment,
};

pub(super) fn render(view: &View) -> Markup {
    html! {
        section aria-labelledby="failures" {
            h2 id="failures" { "Latest failures" }
            @if !view.summary.causes.is_empty() { (filter_form(view)) }
            @if view.failures.is_empty() {
                (nothing(view))
            } @else {
                ol.latest {
                    @for (record, amendment) in view.failures.iter().zip(&view.amendments) {
                        @if let Some(cause) = record.cause {
                            (card(view, record, cause, amendment.as_deref()))
                        }
                    }
                }
                @if view.failures.len() == SHOWN_FAILURES {
                    p.quiet {
                        "These are the latest " (SHOWN_FAILURES) ". "
                        a href="/api/v1/failures?limit=1000" { "All that are kept, as JSON" }
                    }
                }
            }
        }
    }
}

fn nothing(view: &View) -> Markup {
    let url = &view.traffic_url;
    let (line, what) = match &view.failing_path {
        Some(path) => (format!("curl -i {url}{path}"), "this request fails:"),
        None => {
            (format!("curl -i -H 'Host:' {url}/"), "this request lacks its Host, so it is refused:")
        }
    };
    html! {
        div.panel.nothing {
            @if view.filter.is_set() {
                p { "No failure that is kept matches. " a href="/#failures" { "Show all" } }
            } @else {
                p { strong { "Nothing has failed yet." } " To see what a failure looks like, " (what) }
                (command_line(&line))
            }
        }
    }
}

fn filter_form(view: &View) -> Markup {
    let rows = &view.summary.causes;
    let mut services: BTreeSet<&str> = rows.iter().map(|row| &*row.service).collect();
    services.extend(view.filter.service.as_deref());
    let mut causes: BTreeSet<Cause> = rows.iter().map(|row| row.cause).collect();
    causes.extend(view.filter.cause);
    let chosen_service = view.filter.service.as_deref();
    html! {
        form.filter id="filter" action="/#failures" method="get" {
            label {
                "Service"
                select name="service" {
                    option value=(ALL_SERVICES) selected[chosen_service.is_none()] { "all" }
                    @for service in services {
                        option value=(service) data-key=(service)
                            selected[chosen_service == Some(service)] { (service_name(service)) }
                    }
                }
            }
            label {
                "Cause"
                select name="cause" {
                    option value="" selected[view.filter.cause.is_none()] { "all" }
                    @for cause in causes {
                        option value=(cause) data-key=(cause)
                            selected[view.filter.cause == Some(cause)] { (cause) }
                    }
                }
            }
            button type="submit" { "Show" }
            @if view.filter.is_set() { a href="/#failures" { "Show all" } }
        }
    }
}

fn card(
    view: &View,
    record: &RequestRecord,
    cause: Cause,
    amendment: Option<&Amendment>,
) -> Markup {
    let trace_id = record.trace_id.to_string();
    let now = view.now_unix_micros;
    // The page's script replaces a card whose key has changed.
    let amended = if amendment.is_some() { "+" } else { "" };
    let clock = format::clock(record.time_unix_micros, now);
    let (seconds, millis) = clock.split_once('.').unwrap_or((&clock, "000"));
    html! {
        li.failure.(crate::admin::summary::fault(cause)) data-key={ (trace_id) (record.time_unix_micros) (amended) } {
            article {
                header {
                    time datetime=(format::machine_time(record.time_unix_micros)) {
                        (seconds) span.millis { "." (millis) } " UTC"
                    }
                    span.ago { (format::ago(record.time_unix_micros, now)) }
                    span.status {
                        i.swatch.(record.outcome) {}
                        (record.outcome) " " b { (record.status) }
                        @if let Some(status) = record.grpc_status { " gRPC " b { (status) } }
                    }
                }
                div.story {
                    h3 {
                        (service_name(&record.service))
                        @if !record.subset.is_empty() { " " span.subset { (record.subset) } }
                    }
                    p.sentence { (sentence(cause.sentence())) }
                    @if let Some(detail) = &record.detail { p.detail { (sentence(detail)) } }
                    @if let Some(amendment) = amendment { p.detail { (sentence(&amendment.sentence)) } }
                    p.cause {
                        a href=(help::path(cause)) { code { (cause) } }
                        (fault_chip(cause))
                    }
                }
                (facts(record))
                (times(record))
                p.trace {
                    span { "Trace" } code { (trace_id) }
                    (copy_button(&trace_id, "Copy the trace id"))
                }
            }
        }
    }
}

/// What was asked, of which endpoint, over which connection.
fn facts(record: &RequestRecord) -> Markup {
    let connection = match record.connection {
        Some(ConnectionUse::Fresh) => "fresh".to_owned(),
        Some(ConnectionUse::Reused { idle }) => {
            format!("reused, idle {}", format::duration(idle))
        }
        None => "none was made".to_owned(),
    };
    html! {
        dl.facts {
            @if !record.method.is_empty() {
                div {
                    dt { "Request" }
                    dd { (record.method) " " (record.authority) wbr; (record.path) }
                }
            }
            div {
                dt { "Endpoint" }
                dd { @match record.endpoint { Some(endpoint) => (endpoint), None => "none" } }
            }
            div { dt { "Connection" } dd { (connection) } }
            @if record.tries > 1 { div { dt { "Tries" } dd { (record.tries) } } }
        }
    }
}

/// Where the time went: a bar, and the numbers that it shows.
fn times(record: &RequestRecord) -> Markup {
    let phases = [
        ("queue", record.phases.queue),
        ("connect", record.phases.connect),
        ("upstream", record.phases.upstream),
        ("transfer", record.phases.transfer),
    ];
    let inside = [("work", record.reported.work), ("cleanup", record.reported.cleanup)];
    let reported: Duration = inside.iter().filter_map(|(_, time)| *time).sum();
    html! {
        div.times {
            p.total { "Took " b { (format::duration(record.phases.total)) } }
            (bar(&phases, record.phases.total))
            @if !reported.is_zero() {
                p.total { "Inside the service " b { (format::duration(reported)) } }
                (bar(&inside, reported.max(record.phases.total)))
            }
        }
    }
}

fn bar(parts: &[(&str, Option<Duration>)], whole: Duration) -> Markup {
    let micros = |time: Duration| u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
    let drawn = parts.iter().map(|(name, time)| (*name, micros(time.unwrap_or_default())));
    html! {
        (traffic::stack(drawn, micros(whole)))
        dl.phases {
            @for (name, time) in parts {
                div {
                    dt { i.swatch.(name) {} (name) }
                    dd { @match time { Some(time) => (format::duration(*time)), None => "–" } }
                }
            }
        }
    }
}

impl Filter {
    /// The page with this filter, at its failures.
    pub(super) fn link(&self) -> String {
        let mut link = String::from("/?");
        if let Some(service) = &self.service {
            link.push_str("service=");
            push_encoded(&mut link, service);
            link.push('&');
        }
        if let Some(cause) = self.cause {
            link.push_str("cause=");
            link.push_str(cause.code());
        }
        link.push_str("#failures");
        link
    }
}

/// Percent-encodes all but what RFC 3986 section 2.3 calls unreserved.
fn push_encoded(out: &mut String, text: &str) {
    use std::fmt::Write as _;
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            write!(out, "%{byte:02X}").unwrap_or_default();
        }
    }
}
