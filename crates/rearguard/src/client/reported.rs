//! What a service reports of its own work, in band.

use std::time::Duration;

use http::HeaderMap;

use crate::Outcome;

/// Metrics of one `Server-Timing` that are looked at.
const MAX_METRICS: usize = 32;

/// What the service said of the request: in the headers of the response while it was still buffered
/// there, else in its trailers.
///
/// ```
/// use std::time::Duration;
///
/// use http::Response;
/// use rearguard::{Outcome, client::Reported};
///
/// let response = Response::builder()
///     .header("server-timing", "work;dur=12.1, cleanup;dur=300.4")
///     .header("rearguard-outcome", "panicked")
///     .body(())
///     .unwrap();
/// let reported = Reported::of(response.headers());
/// assert_eq!(reported.work, Some(Duration::from_micros(12_100)));
/// assert_eq!(reported.cleanup, Some(Duration::from_micros(300_400)));
/// assert_eq!(reported.outcome, Some(Outcome::Panicked));
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Reported {
    /// The time of the work.
    pub work: Option<Duration>,
    /// The time of what was deferred.
    pub cleanup: Option<Duration>,
    /// How it ended, where it did not succeed.
    pub outcome: Option<Outcome>,
}

impl Reported {
    /// Reads `Server-Timing` (W3C, milliseconds) and `rearguard-outcome`. What is not well-formed is
    /// not reported.
    #[must_use]
    pub fn of(headers: &HeaderMap) -> Self {
        let outcome = headers.get("rearguard-outcome").and_then(|value| value.to_str().ok());
        let mut reported =
            Self { outcome: outcome.and_then(|text| text.parse().ok()), ..Self::default() };
        let lists = headers.get_all("server-timing").into_iter();
        let lists = lists.filter_map(|value| value.to_str().ok());
        for metric in lists.flat_map(|list| list.split(',')).take(MAX_METRICS) {
            let mut fields = metric.split(';').map(str::trim);
            let name = fields.next().unwrap_or_default();
            let took = fields.find_map(duration);
            match name {
                "work" => reported.work = reported.work.or(took),
                "cleanup" => reported.cleanup = reported.cleanup.or(took),
                _ => {}
            }
        }
        reported
    }
}

fn duration(field: &str) -> Option<Duration> {
    let (name, value) = field.split_once('=')?;
    if !name.trim().eq_ignore_ascii_case("dur") {
        return None;
    }
    let millis: f64 = value.trim().trim_matches('"').parse().ok()?;
    Duration::try_from_secs_f64(millis / 1000.0).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_well_formed_is_not_reported() {
        for text in
            ["work;dur=soon", "work;dur=-1", "work;dur=NaN", "work;dur=1e300", "work", ";;,="]
        {
            let mut headers = HeaderMap::new();
            headers.insert("server-timing", text.parse().unwrap());
            headers.insert("rearguard-outcome", "perhaps".parse().unwrap());
            assert_eq!(Reported::of(&headers), Reported::default(), "{text}");
        }
    }
}
