//! Error budgets: a section for each service, and in it a panel for each objective.

use std::fmt::Write as _;

use control::slo::{AlertStatus, Burn, CompositeKind, CompositeStatus, span};
use maud::{Markup, html};
use model::{
    Cause,
    slo::{Forecast, Origin, Seconds},
};

use super::{Script, format, shell};
use crate::{
    admin::{help, objectives},
    slo::{
        spoken,
        watch::{ObjectiveStanding, Point, Standing},
    },
};

/// A plot in its own units.
const WIDTH: f64 = 300.0;
const HEIGHT: f64 = 60.0;

/// So many causes are shown; the API has all.
const CAUSES_SHOWN: usize = 6;
/// So many letters are shown.
const LETTERS_SHOWN: usize = 20;

/// The page.
pub(in crate::admin) fn document(standing: &Standing) -> Markup {
    let firing = standing.objectives.iter().filter(|it| it.is_firing()).count();
    let title = match firing {
        0 => "Error budgets · Rearguard".to_owned(),
        firing => format!("{firing} burning · Error budgets · Rearguard"),
    };
    let bar = html! {
        p.connection {
            time datetime=(objectives::time(standing.now)) {
                (objectives::time(standing.now)[11..19]) " UTC"
            }
        }
    };
    let body = html! {
        main.budgets {
            nav.trail aria-label="Where you are" { a href="/" { "Overview" } }
            h1 { "Error budgets" }
            (introduction(standing))
            @for service in services(standing) {
                section aria-label=(service) {
                    h2 { (service) }
                    div.budgets-of {
                        @for objective in &standing.objectives {
                            @if *objective.status.service == *service { (panel(objective, standing.now)) }
                        }
                    }
                }
            }
            (composites(&standing.composites))
            (letters(standing))
        }
    };
    shell(&title, Script::Refresh, &bar, &body)
}

fn introduction(standing: &Standing) -> Markup {
    let is_suggested = standing.objectives.iter().any(|it| it.status.origin == Origin::Suggested);
    html! {
        @if let Some(trouble) = &standing.trouble {
            p.banner role="alert" { "Budgets are not written down: " (trouble) }
        }
        @if standing.objectives.is_empty() {
            p.quiet { "There are no services yet, and no objectives." }
        }
        @if is_suggested {
            p.quiet {
                "Nobody has said what is good enough, so these are suggestions. They alarm nobody. \
                 Write your own in OpenSLO's words and name the file: "
                code { "rearguard up slo.yaml …" }
            }
        }
        @if !standing.is_written {
            p.quiet {
                "Budgets live in memory, and end with the process. To keep them: "
                code { "rearguard up --state DIR" }
            }
        }
    }
}

/// Each once, in the order of their objectives.
fn services(standing: &Standing) -> Vec<&str> {
    let mut services: Vec<&str> = Vec::new();
    for objective in &standing.objectives {
        if !services.contains(&&*objective.status.service) {
            services.push(&objective.status.service);
        }
    }
    services
}

fn panel(objective: &ObjectiveStanding, now: Seconds) -> Markup {
    let status = &objective.status;
    let title = if status.title.is_empty() { &status.name } else { &status.title };
    let remaining = status.budget.remaining_ratio();
    let state = match remaining {
        _ if objective.is_firing() => "failing",
        Some(left) if left < 0.0 => "failing",
        Some(_) => "well",
        None => "idle",
    };
    html! {
        article.panel.budget.(state) data-key=(status.name) {
            h3 { (title) }
            p.quiet { (status.target) " over " (spoken(objective.length.as_secs_f64())) " · " code { (status.name) } }
            p.number { (left(remaining)) }
            p.quiet { (amount(objective)) }
            @for alert in &status.alerts { (alert_line(alert)) }
            div.plots {
                (plot("Last 24 hours", &objective.day, now, 86_400))
                (plot("Last 30 days", &objective.month, now, 30 * 86_400))
            }
            (burns(&status.burns, &status.alerts))
            (causes(objective))
            @if remaining.is_some() { p.quiet { (forecast(&status.forecast)) } }
            @if let Some((target, budget)) = &status.agreement {
                p { "Contract " (target) ": "
                    @if budget.remaining() < 0.0 { strong { "broken" } } @else { "kept so far" }
                }
            }
            @if let Some(p99) = objective.observed_p99 {
                p { "P99 as observed: 99 % of requests took at most " (format::duration(p99)) " since the start. \
                     As an objective of latency: " code { "latencyBelow: " (p99.as_secs_f64() * 1e3) "ms" } ", "
                     code { "target: 0.99" } "." }
            }
            @if status.coverage < 0.995 {
                p.quiet { "Watched for " (percent(status.coverage)) " of the period so far." }
            }
        }
    }
}

fn left(remaining: Option<f64>) -> String {
    match remaining {
        None => "–".to_owned(),
        Some(left) if left < 0.0 => format!("{} over", percent(-left)),
        Some(left) => format!("{} left", percent(left)),
    }
}

fn percent(ratio: f64) -> String {
    format!("{:.1} %", ratio * 100.0)
}

/// What is left, in requests and in time.
fn amount(objective: &ObjectiveStanding) -> String {
    let budget = objective.status.budget;
    let Some(seconds) = objective.remaining_seconds().filter(|_| budget.allowed > 0.0) else {
        return "Nothing has counted yet.".to_owned();
    };
    let word = if seconds < 0.0 { "overspent" } else { "left" };
    let time = spoken(seconds.abs());
    if objective.status.slice.is_some() {
        return format!("{time} {word} of {}", spoken(budget.allowed));
    }
    let (remaining, allowed) = (budget.remaining().abs(), budget.allowed);
    let unit = if objective.status.is_sampled { "samples" } else { "requests" };
    format!("{remaining:.1} of {allowed:.1} {unit} {word}, or {time} of failure")
}

fn alert_line(status: &AlertStatus) -> Markup {
    let alert = &status.alert;
    let what = format!(
        "{} at a burn of {:.1} over {} and {}",
        alert.severity.as_str(),
        alert.burn,
        span(alert.long),
        span(alert.short)
    );
    html! {
        @if let Some(since) = status.no_data_since {
            p.alert { strong { "No data" } ", since " time datetime=(objectives::time(since)) { (objectives::time(since)) } ": " (what) }
        }
        @if let Some(since) = status.since {
            p.alert { strong { "Fires" } ", since " time datetime=(objectives::time(since)) { (objectives::time(since)) } ": " (what) }
        } @else if status.is_blind {
            p.quiet { "Cannot be decided, for data is missing: " (what) }
        }
    }
}

/// What was left over time: the line at the bottom of the frame is nothing, and below it overspent.
fn plot(label: &str, points: &[Point], now: Seconds, span: Seconds) -> Markup {
    let lowest = points.iter().map(|(_, left)| *left).fold(0.0, f64::min).max(-9.0);
    let path = path(points, now, span, lowest);
    let said = match points.last() {
        Some((_, last)) => format!("Budget left, {label}: {} now", percent(*last)),
        None => format!("Budget left, {label}: nothing yet"),
    };
    html! {
        figure.plot {
            svg role="img" aria-label=(said) viewBox={ "0 0 " (WIDTH) " " (HEIGHT) } preserveAspectRatio="none" {
                line.zero x1="0" x2=(WIDTH) y1=(y(0.0, lowest)) y2=(y(0.0, lowest)) vector-effect="non-scaling-stroke" {}
                path.line d=(path) vector-effect="non-scaling-stroke" {}
            }
            figcaption { span { (label) } span { "100 % to " (percent(lowest)) } }
        }
    }
}

/// From 100 % at the top to the lowest at the bottom.
fn y(left: f64, lowest: f64) -> f64 {
    let share = (1.0 - left.clamp(lowest, 1.0)) / (1.0 - lowest);
    (2.0 + share * (HEIGHT - 4.0)).round()
}

fn path(points: &[Point], now: Seconds, span: Seconds, lowest: f64) -> String {
    let begin = now.saturating_sub(span);
    let mut path = String::new();
    let mut before: Option<(i64, f64)> = None;
    for (at, left) in points.iter().filter(|(at, _)| *at >= begin) {
        let x = ((at - begin) as f64 / span as f64 * WIDTH).round().min(WIDTH);
        let point = (x as i64, y(*left, lowest));
        // Several points of one place that say the same are one.
        if before == Some(point) {
            continue;
        }
        let letter = if path.is_empty() { 'M' } else { 'L' };
        write!(path, "{letter}{} {}", point.0, point.1).unwrap_or_default();
        before = Some(point);
    }
    if points.len() == 1 || path.matches('L').count() == 0 && !path.is_empty() {
        path.push_str("h2");
    }
    path
}

/// A bar for each window, to the scale of the fastest alert.
fn burns(burns: &[Burn], alerts: &[AlertStatus]) -> Markup {
    let known = burns.iter().filter_map(|burn| burn.burn);
    let most = alerts.iter().map(|it| it.alert.burn).chain(known).fold(1.0, f64::max);
    html! {
        table.burns {
            caption { "Burn by window " small { "1 spends the budget in just its period" } }
            tbody {
                @for burn in burns {
                    @let share = burn.burn.unwrap_or_default() / most * 100.0;
                    @let is_fast = burn.burn.is_some_and(|burn| burn > 1.0);
                    tr {
                        th scope="row" { (span(burn.window)) }
                        td {
                            svg.stack viewBox="0 0 100 10" preserveAspectRatio="none" aria-hidden="true" {
                                rect.track width="100" height="10" {}
                                rect.(if is_fast { "failed" } else { "succeeded" }) width=(format!("{share:.1}")) height="10" {}
                            }
                        }
                        td.n { (burn.burn.map_or("–".to_owned(), |burn| format!("{burn:.2}"))) }
                    }
                }
            }
        }
    }
}

fn causes(objective: &ObjectiveStanding) -> Markup {
    let causes = &objective.status.causes;
    let all: u64 = causes.iter().map(|(_, bad)| bad).sum();
    html! {
        @if !causes.is_empty() {
            table.spending {
                caption { "Spent by cause" }
                tbody {
                    @for (cause, bad) in causes.iter().take(CAUSES_SHOWN) {
                        tr {
                            th scope="row" { (cause_link(*cause)) }
                            td.n { (format::count(*bad)) }
                            td.n { (format::percent(*bad, all)) }
                        }
                    }
                }
            }
        }
    }
}

fn cause_link(cause: Option<Cause>) -> Markup {
    html! {
        @if let Some(cause) = cause { a href=(help::path(cause)) { code { (cause) } } }
        @else { "no cause" }
    }
}

fn forecast(forecast: &Forecast) -> String {
    let Some(likely) = forecast.likely else {
        return "Nothing was bad in the last hour.".to_owned();
    };
    if likely.is_zero() {
        return "It is spent.".to_owned();
    }
    let time = |it: Option<std::time::Duration>| {
        it.map_or("never".to_owned(), |it| spoken(it.as_secs_f64()))
    };
    format!(
        "Spent in {} if it goes on as in the last hour ({} to {}, 90 %).",
        time(Some(likely)),
        time(forecast.earliest),
        time(forecast.latest)
    )
}

/// SLOs of several objectives, which stand in their services' sections too.
fn composites(composites: &[CompositeStatus]) -> Markup {
    html! {
        @if !composites.is_empty() {
            section aria-labelledby="composites" {
                h2 id="composites" { "Composites" }
                div.budgets-of { @for composite in composites { (composite_panel(composite)) } }
            }
        }
    }
}

fn composite_panel(composite: &CompositeStatus) -> Markup {
    let remaining = composite.remaining_ratio();
    let state = match remaining {
        Some(left) if left < 0.0 => "failing",
        Some(_) => "well",
        None => "idle",
    };
    let kind = match composite.kind {
        CompositeKind::Sum => "What its objectives have used, times their weights.".to_owned(),
        CompositeKind::AnyBadSlice(target) => {
            format!("{target}: a slice that is bad for any objective is bad.")
        }
    };
    html! {
        article.panel.budget.(state) data-key=(composite.name) {
            h3 { (composite.name) }
            p.quiet { (kind) }
            p.number { (left(remaining)) }
            (burns(&composite.burns, &[]))
            table.spending {
                caption { "Its objectives" }
                tbody {
                    @for (name, weight) in &composite.parts {
                        tr { th scope="row" { code { (name) } } td.n { "× " (weight) } }
                    }
                }
            }
        }
    }
}

fn letters(standing: &Standing) -> Markup {
    html! {
        @if !standing.waiting.is_empty() || standing.died > 0 {
            section aria-labelledby="letters" {
                h2 id="letters" { "Letters " small { (standing.waiting.len()) " waiting, " (standing.died) " given up" } }
                ul.letters {
                    @for letter in standing.waiting.iter().take(LETTERS_SHOWN) {
                        li { "Waiting: " (letter.state.as_str()) " to " (objectives::receiver(letter))
                            @if letter.attempts > 0 { ", tried " (letter.attempts) " times: " (letter.error) } }
                    }
                    @for letter in standing.dead.iter().rev().take(LETTERS_SHOWN) {
                        li { strong { "Given up: " } (letter.state.as_str()) " to " (objectives::receiver(letter))
                            ", written " (objectives::time(letter.written)) ": " (letter.error) }
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_top_is_the_whole_budget_and_the_line_is_nothing() {
        assert_eq!((y(1.0, 0.0), y(0.0, 0.0)), (2.0, 58.0));
        assert_eq!((y(0.0, -1.0), y(-1.0, -1.0)), (30.0, 58.0));
    }

    #[test]
    fn the_newest_point_is_at_the_right_edge_and_old_ones_are_left_out() {
        let points = [(0, 1.0), (1_000, 1.0), (1_050, 0.5), (1_100, 0.0)];
        assert_eq!(path(&points, 1_100, 100, 0.0), "M0 2L150 30L300 58");
        assert_eq!(path(&points[3..], 1_100, 100, 0.0), "M300 58h2");
        assert_eq!(path(&[], 1_100, 100, 0.0), "");
    }
}
