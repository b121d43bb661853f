//! Rates over the last five minutes, and the outcomes.

use std::fmt::Write as _;

use maud::{Markup, html};
use model::Outcome;

use super::{View, format};
use crate::admin::{
    history::HISTORY_SECONDS,
    summary::{OutcomeRow, Summary},
};

/// The height of a chart in its own units; a second is one unit wide.
const CHART_HEIGHT: f64 = 48.0;

pub(super) fn render(view: &View) -> Markup {
    let Summary { requests_per_second, failures_per_second, per_second, outcomes, .. } =
        &view.summary;
    html! {
        section aria-labelledby="traffic" {
            h2 id="traffic" { "Traffic " small { "over the last 5 minutes" } }
            div.panels {
                (chart("requests", "Requests per second", *requests_per_second, &per_second.requests))
                (chart("failures", "Failures per second", *failures_per_second, &per_second.failures))
                (outcomes_panel(outcomes))
            }
        }
    }
}

fn chart(class: &str, label: &str, now: f64, rates: &[f64]) -> Markup {
    let peak = rates.iter().copied().fold(0.0, f64::max);
    let (area, line) = paths(rates, peak);
    let said = format!(
        "{label} over the last 5 minutes: {} now, {} at most",
        format::rate(now),
        format::rate(peak)
    );
    html! {
        div.panel.chart.(class) {
            h3 { (label) }
            p.number { (format::rate(now)) }
            svg role="img" aria-label=(said) viewBox={ "0 0 " (HISTORY_SECONDS) " " (CHART_HEIGHT) }
                preserveAspectRatio="none" {
                path.area d=(area) {}
                path.line d=(line) vector-effect="non-scaling-stroke" {}
            }
            p.axis aria-hidden="true" {
                span { "5 min ago" } span { "peak " (format::rate(peak)) } span { "now" }
            }
        }
    }
}

/// The filled area and the line above it; the newest second is at the right edge.
fn paths(rates: &[f64], peak: f64) -> (String, String) {
    let left = HISTORY_SECONDS.saturating_sub(rates.len() as u64);
    let mut line = String::new();
    for (second, rate) in (left..).zip(rates) {
        let height = if peak > 0.0 { rate / peak * (CHART_HEIGHT - 4.0) } else { 0.0 };
        let letter = if line.is_empty() { 'M' } else { 'L' };
        let y = CHART_HEIGHT - 1.0 - height;
        write!(line, "{letter}{} {y:.1}", second + 1).unwrap_or_default();
    }
    let area = if line.is_empty() {
        String::new()
    } else {
        format!("{line}V{CHART_HEIGHT}H{}Z", left + 1)
    };
    (area, line)
}

fn outcomes_panel(rows: &[OutcomeRow]) -> Markup {
    let all: u64 = rows.iter().map(|row| row.last_5_minutes).sum();
    // `lost` is no way for a request to end here, so it shows only where it was seen.
    let shown = rows.iter().filter(|row| row.outcome != Outcome::Lost || row.total > 0);
    html! {
        div.panel.outcomes {
            h3 { "Outcomes" }
            (stack(rows.iter().map(|row| (row.outcome.as_str(), row.last_5_minutes)), all))
            table {
                thead {
                    tr {
                        th scope="col" { span.unseen { "Outcome" } }
                        th.n scope="col" { "1 min" }
                        th.n scope="col" { "5 min" }
                        th.n scope="col" { span.unseen { "Share" } }
                    }
                }
                tbody {
                    @for row in shown {
                        tr data-key=(row.outcome) .none[row.last_5_minutes == 0] {
                            th scope="row" { i.swatch.(row.outcome) {} (row.outcome) }
                            td.n { (format::count(row.last_minute)) }
                            td.n { (format::count(row.last_5_minutes)) }
                            td.n { (format::percent(row.last_5_minutes, all)) }
                        }
                    }
                }
            }
        }
    }
}

const STACK_WIDTH: f64 = 1000.0;

/// A bar of parts in proportion. Every part's number stands beside the bar, so that nothing hangs
/// on its colours.
pub(super) fn stack<'a>(parts: impl Iterator<Item = (&'a str, u64)>, whole: u64) -> Markup {
    html! {
        svg.stack viewBox={ "0 0 " (STACK_WIDTH) " 10" } preserveAspectRatio="none"
            aria-hidden="true" {
            rect.track width=(STACK_WIDTH) height="10" {}
            @for (class, x, width) in placed(parts, whole) {
                rect.(class) x=(format!("{x:.1}")) width=(format!("{width:.1}")) height="10" {}
            }
        }
    }
}

/// Where each part begins and how wide it is. One that is there is at least a sliver.
fn placed<'a>(parts: impl Iterator<Item = (&'a str, u64)>, whole: u64) -> Vec<(&'a str, f64, f64)> {
    const SLIVER: f64 = 10.0;
    const GAP: f64 = 4.0;
    let share = |part: u64| part as f64 / whole.max(1) as f64 * STACK_WIDTH;
    let mut placed = Vec::new();
    let mut end = 0.0;
    for (class, part) in parts.filter(|(_, part)| *part > 0) {
        let width = share(part).max(SLIVER);
        placed.push((class, end, width));
        end += width;
    }
    // Slivers push the end past the edge; everything is drawn to that scale.
    let scale = STACK_WIDTH / end.max(STACK_WIDTH);
    for (_, x, width) in &mut placed {
        *x *= scale;
        *width = *width * scale - GAP;
    }
    placed
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_second_is_at_the_right_edge() {
        let (area, line) = paths(&[0.0, 5.0, 10.0], 10.0);
        assert_eq!(line, "M298 47.0L299 25.0L300 3.0");
        assert_eq!(area, "M298 47.0L299 25.0L300 3.0V48H298Z");
        assert_eq!(paths(&[], 0.0), (String::new(), String::new()));
    }

    #[test]
    fn a_stack_never_leaves_its_box_and_hides_no_part() {
        for parts in [&[1, 999_999][..], &[1, 1, 1, 1_000_000], &[5], &[0, 0], &[1, 1]] {
            let placed = placed(parts.iter().map(|part| ("x", *part)), parts.iter().sum());
            assert_eq!(placed.len(), parts.iter().filter(|part| **part > 0).count());
            let mut end = 0.0;
            for (_, x, width) in placed {
                assert!(x >= end && width >= 5.0, "{parts:?}: {x} {width}");
                end = x + width;
            }
            assert!(end <= STACK_WIDTH, "{parts:?}: {end}");
        }
    }

    #[test]
    fn parts_take_their_share_of_the_whole() {
        let placed = placed([("a", 50), ("b", 0), ("c", 25)].into_iter(), 100);
        assert_eq!(placed, [("a", 0.0, 496.0), ("c", 500.0, 246.0)]);
    }
}
