//! `SLI`: what is measured, and what of it is good.

use model::slo::Indicator;

use super::{documents::Documents, ratio, threshold};
use crate::{report::Report, source::At, yaml::Node};

/// The comparison of a threshold metric.
#[derive(Clone, Debug)]
pub(super) struct Comparison {
    pub(super) op: Option<At<String>>,
    pub(super) value: Option<At<f64>>,
    /// What people call the objective, which must not say the opposite.
    pub(super) words: String,
}

/// An indicator, and the service that it names where it is not the SLO's.
pub(super) type Found = (Indicator, Option<String>);

/// Reads the `spec` of an SLI; an error has been reported where there is none.
pub(super) fn indicator(
    spec: &Node,
    comparison: &Comparison,
    documents: &Documents,
    report: &mut Report,
) -> Option<Found> {
    match (spec.get("ratioMetric"), spec.get("thresholdMetric")) {
        (Some(ratio), None) => ratio::ratio(ratio, documents, report),
        (None, Some(metric)) => threshold::threshold(metric, comparison, documents, report),
        (Some(_), Some(both)) => {
            let hint = "keep `ratioMetric` or `thresholdMetric`";
            report.error("two-metrics", both.place, "an indicator with two metrics", hint);
            None
        }
        (None, None) => {
            let hint = "write `ratioMetric:` with `good` and `total`, or `thresholdMetric:`";
            report.error("missing-field", spec.place, "this indicator has no metric", hint);
            None
        }
    }
}
