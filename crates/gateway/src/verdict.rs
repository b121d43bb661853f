//! The outcome and the cause of a request that the service answered to the end.

use std::time::Duration;

use model::{Cause, Outcome};

use crate::{failure::Failure, reported::InBand};

/// Judges a complete answer; `None` where it was served well.
///
/// `deadline` is the time that the service's handlers have, by its own word or by the route's.
pub(crate) fn of_answer(
    status: u16,
    in_band: &InBand,
    deadline: Option<Duration>,
) -> Option<Failure> {
    let failed = |outcome, detail: String| {
        Some(Failure { outcome: Some(outcome), ..Failure::new(Cause::UpstreamFailed, detail) })
    };
    if in_band.outcome == Some(Outcome::Panicked) {
        return Some(Failure::new(
            Cause::UpstreamPanicked,
            format!("the service answered {status} and reported a panic"),
        ));
    }
    if let Some(failure) = cleanup_overran(in_band, deadline) {
        return Some(failure);
    }
    if status >= 500 {
        let outcome = in_band.outcome.filter(|outcome| *outcome != Outcome::Succeeded);
        return failed(
            outcome.unwrap_or(Outcome::Failed),
            format!("the service itself answered {status}"),
        );
    }
    if let Some(code) = in_band.grpc_status {
        return match Outcome::from_grpc_status(code) {
            Outcome::Succeeded => None,
            // Who cancelled was the caller; that is nobody's failure.
            Outcome::Cancelled => None,
            outcome => failed(outcome, format!("the service itself answered gRPC status {code}")),
        };
    }
    match in_band.outcome {
        None | Some(Outcome::Succeeded | Outcome::Cancelled) => None,
        Some(outcome) => {
            failed(outcome, format!("the service answered {status} and reported {outcome}"))
        }
    }
}

/// The service reported work ≤ deadline < work + cleanup.
fn cleanup_overran(in_band: &InBand, deadline: Option<Duration>) -> Option<Failure> {
    let (work, cleanup) = (in_band.timing.work?, in_band.timing.cleanup?);
    let deadline = deadline?;
    (work <= deadline && deadline < work + cleanup).then(|| {
        Failure::new(
            Cause::UpstreamCleanupOverran,
            format!(
                "work took {work:?}, within the deadline of {deadline:?}, but cleanup took \
                 {cleanup:?} more"
            ),
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn in_band(outcome: Option<Outcome>, grpc_status: Option<u32>) -> InBand {
        InBand { outcome, grpc_status, ..InBand::default() }
    }

    fn judged(status: u16, in_band: &InBand) -> Option<(Cause, Outcome)> {
        of_answer(status, in_band, None).map(|failure| (failure.cause, failure.outcome()))
    }

    #[test]
    fn a_status_below_500_without_a_report_is_served_well() {
        for status in [200, 204, 304, 404, 429] {
            assert_eq!(judged(status, &InBand::default()), None, "{status}");
        }
        for status in [500, 503, 599] {
            let expected = Some((Cause::UpstreamFailed, Outcome::Failed));
            assert_eq!(judged(status, &InBand::default()), expected, "{status}");
        }
    }

    #[test]
    fn a_reported_panic_is_one_whatever_the_status() {
        for status in [200, 500] {
            let expected = Some((Cause::UpstreamPanicked, Outcome::Panicked));
            assert_eq!(judged(status, &in_band(Some(Outcome::Panicked), None)), expected);
        }
    }

    #[test]
    fn a_failing_grpc_status_inside_a_200_is_a_failure() {
        let failed = |outcome| Some((Cause::UpstreamFailed, outcome));
        assert_eq!(judged(200, &in_band(None, Some(0))), None);
        assert_eq!(judged(200, &in_band(None, Some(5))), None);
        assert_eq!(judged(200, &in_band(None, Some(1))), None);
        assert_eq!(judged(200, &in_band(None, Some(13))), failed(Outcome::Failed));
        assert_eq!(judged(200, &in_band(None, Some(4))), failed(Outcome::TimedOut));
    }

    #[test]
    fn cleanup_overran_only_where_the_work_itself_was_in_time() {
        let report = |work, cleanup| {
            let mut report = InBand::default();
            report.timing.work = Some(Duration::from_millis(work));
            report.timing.cleanup = Some(Duration::from_millis(cleanup));
            of_answer(200, &report, Some(Duration::from_millis(100))).map(|failure| failure.cause)
        };
        assert_eq!(report(50, 50), None);
        assert_eq!(report(50, 51), Some(Cause::UpstreamCleanupOverran));
        assert_eq!(report(101, 50), None);
    }
}
