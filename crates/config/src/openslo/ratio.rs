//! `ratioMetric`: good or bad events among all, or a ratio that somebody else has worked out.

use std::sync::Arc;

use model::slo::{Counted, Indicator, Query, Sample, Samples};

use super::{
    documents::Documents,
    indicator::Found,
    metric_source::{Kind, MetricSource},
    requests,
};
use crate::{report::Report, yaml::Node};

/// From a query to what its number means.
type Meaning = fn(Arc<str>) -> Counted;

pub(super) fn ratio(ratio: &Node, documents: &Documents, report: &mut Report) -> Option<Found> {
    if let Some(raw) = ratio.get("raw") {
        return self::raw(raw, ratio, documents, report);
    }
    if ratio.get("rawType").is_some() {
        let (place, hint) = (ratio.key_place("rawType"), "write `raw:`, or leave `rawType` out");
        report.error(
            "missing-field",
            place,
            "`rawType` says what `raw` means, and there is none",
            hint,
        );
        return None;
    }
    let (counted, meaning): (_, Meaning) = match (ratio.get("good"), ratio.get("bad")) {
        (Some(good), None) => (good, Counted::Good),
        (None, Some(bad)) => (bad, Counted::Bad),
        _ => {
            let hint = "keep just one of `good` and `bad`";
            report.error("missing-field", ratio.place, "a ratio needs `good` or `bad`", hint);
            return None;
        }
    };
    let Some(total) = ratio.get("total") else {
        let hint = "write it beside the other";
        report.error("missing-field", ratio.place, "a ratio needs `total`", hint);
        return None;
    };
    let counted = MetricSource::read(counted, documents, report)?;
    let total = MetricSource::read(total, documents, report)?;
    if counted.kind != total.kind || counted.server != total.server {
        let hint = "take both from one source";
        report.error("two-sources", ratio.place, "a ratio of numbers from two sources", hint);
        return None;
    }
    match counted.kind {
        Kind::Requests => {
            let is_bad = ratio.get("bad").is_some();
            requests::ratio(ratio, &counted.spec, &total.spec, is_bad, report)
        }
        Kind::Prometheus => {
            let (one, all) = (counted.query(report)?, total.query(report)?);
            let (server, counted) = (counted.server?, meaning(one));
            // Without a word they are counters, as nearly all are.
            let is_counter = ratio.get("counter").and_then(Node::boolean) != Some(false);
            let indicator = if is_counter {
                Indicator::Prometheus(Query { server, counted, total: all })
            } else {
                let sample = Sample::Ratio { counted, total: all };
                Indicator::Samples(Samples { server, sample })
            };
            Some((indicator, None))
        }
    }
}

/// `raw` with `rawType`.
fn raw(raw: &Node, ratio: &Node, documents: &Documents, report: &mut Report) -> Option<Found> {
    if let Some(other) = ["good", "bad", "total"].into_iter().find(|it| ratio.get(it).is_some()) {
        let message = format!("`raw` is the whole ratio, and `{other}` beside it is a part of one");
        report.error("two-metrics", ratio.key_place(other), message, "keep one of the two");
        return None;
    }
    let meaning: Meaning = match ratio.text_of("rawType").as_ref().map(|it| it.value.as_str()) {
        Some("success") => Counted::Good,
        Some("failure") => Counted::Bad,
        // Other words have been refused with the table of fields.
        Some(_) => return None,
        None => {
            let hint = "write `rawType: success` if 1 means that all is well, else `failure`";
            report.error("missing-field", raw.place, "nothing says what this ratio is of", hint);
            return None;
        }
    };
    let source = MetricSource::read(raw, documents, report)?;
    if source.kind == Kind::Requests {
        let hint = "write `good` and `total`; or name a DataSource of the type Prometheus";
        let message = "the gateway counts requests, and has no ratio that was worked out before";
        report.error("unknown-metric", raw.place, message, hint);
        return None;
    }
    let counted = meaning(source.query(report)?);
    let samples = Samples { server: source.server?, sample: Sample::Raw(counted) };
    Some((Indicator::Samples(samples), None))
}
