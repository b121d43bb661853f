//! `thresholdMetric`: a number that is compared with the objective's `value`.

use model::slo::{Indicator, Operator, Sample, Samples};

use super::{
    documents::Documents,
    indicator::{Comparison, Found},
    metric_source::{Kind, MetricSource},
    requests,
};
use crate::{report::Report, source::At, yaml::Node};

pub(super) fn threshold(
    metric: &Node,
    comparison: &Comparison,
    documents: &Documents,
    report: &mut Report,
) -> Option<Found> {
    let source = MetricSource::read(metric, documents, report)?;
    let (Some(op), Some(value)) = (&comparison.op, &comparison.value) else {
        let hint = "write `op: lte` and `value:` in the objective";
        let message = "a threshold metric needs `op` and `value`";
        report.error("missing-field", metric.place, message, hint);
        return None;
    };
    contradiction(op, comparison, report)?;
    if source.kind == Kind::Requests {
        return requests::threshold(&source.spec, op, value, report);
    }
    if !value.value.is_finite() {
        let hint = "write a number, such as `0.3`";
        report.error("bad-value", value.place, "`value` is not a number to compare with", hint);
        return None;
    }
    let query = source.query(report)?;
    let sample = Sample::Threshold { query, op: operator(&op.value)?, value: value.value };
    Some((Indicator::Samples(Samples { server: source.server?, sample }), None))
}

/// Other words have been refused with the table of fields.
fn operator(word: &str) -> Option<Operator> {
    match word {
        "lte" => Some(Operator::AtMost),
        "lt" => Some(Operator::Below),
        "gte" => Some(Operator::AtLeast),
        "gt" => Some(Operator::Above),
        _ => None,
    }
}

/// `op: gt` in an objective that is called "below 300 ms".
fn contradiction(op: &At<String>, comparison: &Comparison, report: &mut Report) -> Option<()> {
    const LESS: [&str; 7] = ["below", "under", "less than", "faster", "at most", "within", "<"];
    const MORE: [&str; 6] = ["above", "over", "more than", "slower", "at least", ">"];
    let words = comparison.words.to_lowercase();
    let says = |list: &[&'static str]| list.iter().copied().find(|word| words.contains(word));
    let (wrong, right) = if op.value.starts_with('g') {
        (says(&LESS).filter(|_| says(&MORE).is_none()), "lte")
    } else {
        (says(&MORE).filter(|_| says(&LESS).is_none()), "gte")
    };
    let Some(word) = wrong else { return Some(()) };
    let message = format!(
        "`op: {}`, and the objective is called \"{}\", which says `{word}`",
        op.value, comparison.words
    );
    let hint = format!("write `op: {right}`, or call it otherwise");
    report.error("op-contradicts", op.place, message, hint);
    None
}
