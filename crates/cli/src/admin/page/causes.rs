//! Causes by service, the list of all causes, and the page of one.

use maud::{Markup, html};
use model::{Cause, Party};

use super::{Script, View, format, service_name, shell};
use crate::admin::{
    failures::sentence,
    help,
    query::Filter,
    summary::{CauseRow, fault},
};

pub(super) fn render(view: &View) -> Markup {
    let rows = &view.summary.causes;
    html! {
        section aria-labelledby="causes" {
            h2 id="causes" { "Causes by service" }
            @if rows.is_empty() && !view.failures.is_empty() {
                p.quiet { "The first ones are being counted." }
            } @else if rows.is_empty() {
                p.quiet { "None: no request has failed since the start." }
            } @else {
                (table(rows))
                @if view.summary.causes_left_out > 0 {
                    p.quiet {
                        "And " (view.summary.causes_left_out) " rows more."
                    }
                }
            }
        }
    }
}

// The roles are written out because a table that is laid out as cards loses its own.
fn table(rows: &[CauseRow]) -> Markup {
    html! {
        table.causes role="table" {
            thead role="rowgroup" {
                tr role="row" {
                    th role="columnheader" scope="col" { "Service" }
                    th role="columnheader" scope="col" { "What happened" }
                    th role="columnheader" scope="col" { "Whose fault" }
                    th.n role="columnheader" scope="col" { "Last minute" }
                    th.n role="columnheader" scope="col" { "5 minutes" }
                    th.n role="columnheader" scope="col"
                        title="of the service's requests in the last 5 minutes" { "Share" }
                }
            }
            tbody role="rowgroup" { @for row in rows { (table_row(row)) } }
        }
    }
}

fn table_row(row: &CauseRow) -> Markup {
    let only = Filter { service: Some(row.service.to_string()), cause: Some(row.cause) };
    let share = format!("{:.1}", row.share_ratio * 100.0);
    // The ratio was worked out from counts; a millionth is exact enough to write it.
    let percent = format::percent((row.share_ratio * 1e6) as u64, 1_000_000);
    html! {
        tr role="row" data-key={ (row.service) " " (row.cause) } .none[row.last_5_minutes == 0] {
            th role="rowheader" scope="row" { (service_name(&row.service)) }
            td.what role="cell" {
                (sentence(row.sentence))
                span.links {
                    a href=(row.help) { code { (row.cause) } }
                    a href=(only.link()) { "Its failures" }
                }
            }
            td role="cell" data-label="Whose fault" { (fault_chip(row.cause)) }
            td.n role="cell" data-label="Last minute" { (format::count(row.last_minute)) }
            td.n role="cell" data-label="5 minutes" { (format::count(row.last_5_minutes)) }
            td.n role="cell" data-label="Share" {
                (percent)
                svg.share viewBox="0 0 100 6" preserveAspectRatio="none" aria-hidden="true" {
                    rect.track width="100" height="6" {}
                    rect.(row.fault) width=(share) height="6" {}
                }
            }
        }
    }
}

/// Whose fault it is, in a word that also has a colour.
pub(super) fn fault_chip(cause: Cause) -> Markup {
    let fault = fault(cause);
    html! { span.chip.(fault) { (fault) } }
}

/// The list of all causes.
pub(in crate::admin) fn index() -> Markup {
    let parties = [
        (Party::Client, "The client"),
        (Party::Gateway, "The gateway"),
        (Party::Upstream, "The service behind the gateway"),
    ];
    let body = html! {
        main.prose {
            h1 { "Why a request was not served well" }
            p { "The list is closed: every failure has one of these causes." }
            @for (party, name) in parties {
                h2 { (name) }
                dl.causes {
                    @for &cause in Cause::ALL.iter().filter(|cause| cause.party() == party) {
                        dt { a href=(help::path(cause)) { code { (cause) } } }
                        dd { (sentence(cause.sentence())) }
                    }
                }
            }
        }
    };
    shell("Causes · Rearguard", Script::Absent, &html! {}, &body)
}

/// The page of one cause around its explanation.
pub(in crate::admin) fn cause_page(cause: Cause, content: &Markup) -> Markup {
    let only = Filter { service: None, cause: Some(cause) };
    let body = html! {
        main.prose.cause-page {
            nav.trail aria-label="Where you are" {
                a href="/" { "Overview" } a href="/causes" { "All causes" }
            }
            (content)
            p { a href=(only.link()) { "The latest failures of this cause" } }
        }
    };
    shell(&format!("{cause} · Rearguard"), Script::Absent, &html! {}, &body)
}
