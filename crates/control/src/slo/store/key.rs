//! By which names counts are written down.
//!
//! Events, samples and slices of different widths are different things to count. One that is counted
//! otherwise from now on begins anew, and does not take requests for minutes.

use model::slo::{Indicator, Method, Objective};

/// That of an objective. No name has a tab.
pub(super) fn key(objective: &Objective) -> String {
    let name = &objective.name;
    match (&objective.method, &objective.indicator) {
        (Method::Occurrences, Indicator::Requests(_) | Indicator::Prometheus(_)) => {
            name.to_string()
        }
        (Method::Occurrences, Indicator::Samples(_)) => format!("{name}\tsamples"),
        (Method::Timeslices { width, .. }, _) => format!("{name}\tslices\t{}", width.as_secs()),
        (Method::RatioTimeslices { width }, _) => {
            format!("{name}\taverages\t{}", width.as_secs())
        }
    }
}
