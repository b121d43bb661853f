//! The parameters of the failures API and of the page.

use jiff::Timestamp;
use model::Cause;

/// How many failures an answer holds unless asked otherwise.
pub(super) const DEFAULT_LIMIT: usize = 50;
/// How many failures an answer holds at most.
pub(super) const MAX_LIMIT: usize = 1000;

/// Which failures are asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct FailureQuery {
    pub(super) limit: usize,
    pub(super) since_unix_micros: Option<u64>,
    pub(super) filter: Filter,
}

/// Which service and which cause, where only one is to be seen.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Filter {
    /// An empty name means the requests that no route took.
    pub(super) service: Option<String>,
    pub(super) cause: Option<Cause>,
}

impl Filter {
    pub(super) fn admits(&self, service: &str, cause: Option<Cause>) -> bool {
        self.service.as_deref().is_none_or(|wanted| wanted == service)
            && self.cause.is_none_or(|wanted| Some(wanted) == cause)
    }

    pub(super) const fn is_set(&self) -> bool {
        self.service.is_some() || self.cause.is_some()
    }
}

/// Reads the parameters of `/api/v1/failures`; an error says what was found and what is expected.
pub(super) fn failure_query(
    parameters: &[(String, String)],
    now_unix_micros: u64,
) -> Result<FailureQuery, String> {
    let mut query =
        FailureQuery { limit: DEFAULT_LIMIT, since_unix_micros: None, filter: Filter::default() };
    let mut seen: Vec<&str> = Vec::new();
    for (name, value) in parameters {
        if seen.contains(&name.as_str()) {
            return Err(format!("found {name} more than once, expected it once"));
        }
        seen.push(name);
        match name.as_str() {
            "limit" => query.limit = limit(value)?,
            "since" => query.since_unix_micros = Some(since(value, now_unix_micros)?),
            "service" => query.filter.service = Some(value.clone()),
            "cause" => query.filter.cause = Some(cause(value)?),
            _ => {
                return Err(format!(
                    "found the parameter {name:?}, expected limit, since, service or cause"
                ));
            }
        }
    }
    Ok(query)
}

/// Reads the filter of the page. A value that means nothing is passed over, so that a link always
/// shows a page.
pub(super) fn page_filter(parameters: &[(String, String)]) -> Filter {
    let mut filter = Filter::default();
    for (name, value) in parameters {
        match name.as_str() {
            // The choice "every service" sends `all`; an empty name means no route.
            "service" if value != ALL_SERVICES => filter.service = Some(value.clone()),
            "cause" => filter.cause = value.parse().ok(),
            _ => {}
        }
    }
    filter
}

/// What the page's form sends for every service. Names of services are host names, never this.
pub(super) const ALL_SERVICES: &str = "*";

fn limit(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(limit) if (1..=MAX_LIMIT).contains(&limit) => Ok(limit),
        _ => Err(format!("found limit={text:?}, expected a whole number from 1 to {MAX_LIMIT}")),
    }
}

fn cause(text: &str) -> Result<Cause, String> {
    text.parse().map_err(|error| format!("found cause={text:?}, {error}"))
}

/// A moment, in microseconds since the Unix epoch: RFC 3339, Unix seconds, or a span before now.
fn since(text: &str, now_unix_micros: u64) -> Result<u64, String> {
    let found = span_micros(text)
        .map(|span| now_unix_micros.saturating_sub(span))
        .or_else(|| text.parse::<u64>().ok()?.checked_mul(1_000_000))
        .or_else(|| timestamp_micros(text))
        // In a query a bare `+` means a space, which breaks `+02:00`.
        .or_else(|| timestamp_micros(&text.replace(' ', "+")));
    found.ok_or_else(|| {
        format!(
            "found since={text:?}, expected a time such as 2026-01-31T03:00:00Z, Unix seconds, \
             or a span such as 90s, 5m, 2h or 1d"
        )
    })
}

fn timestamp_micros(text: &str) -> Option<u64> {
    let timestamp: Timestamp = text.parse().ok()?;
    u64::try_from(timestamp.as_microsecond()).ok()
}

fn span_micros(text: &str) -> Option<u64> {
    let (number, unit) = text.split_at(text.find(|c: char| !c.is_ascii_digit())?);
    let micros = match unit {
        "ms" => 1_000,
        "s" => 1_000_000,
        "m" => 60_000_000,
        "h" => 3_600_000_000,
        "d" => 86_400_000_000,
        _ => return None,
    };
    number.parse::<u64>().ok()?.checked_mul(micros)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: u64 = 1_800_000_000_000_000;

    fn asked(text: &str) -> Result<FailureQuery, String> {
        let pairs: Vec<_> = text
            .split('&')
            .filter_map(|pair| pair.split_once('='))
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect();
        failure_query(&pairs, NOW)
    }

    #[test]
    fn since_is_a_time_or_unix_seconds_or_a_span_before_now() {
        for (text, expected) in [
            ("5m", NOW - 300_000_000),
            ("90s", NOW - 90_000_000),
            ("250ms", NOW - 250_000),
            ("2h", NOW - 7_200_000_000),
            ("1d", NOW - 86_400_000_000),
            ("99999d", 0),
            ("0", 0),
            ("1700000000", 1_700_000_000_000_000),
            ("2026-11-21T22:00:00Z", 1_795_298_400_000_000),
            ("2026-11-21T22:00:00.000001Z", 1_795_298_400_000_001),
            ("2026-11-22T00:00:00+02:00", 1_795_298_400_000_000),
            ("2026-11-22T00:00:00 02:00", 1_795_298_400_000_000),
        ] {
            let query = asked(&format!("since={text}"));
            assert_eq!(query.map(|q| q.since_unix_micros), Ok(Some(expected)), "{text}");
        }
    }

    #[test]
    fn bad_parameters_say_what_was_found_and_what_is_expected() {
        for (text, found, expected) in [
            ("limit=0", "limit=\"0\"", "from 1 to 1000"),
            ("limit=1001", "limit=\"1001\"", "from 1 to 1000"),
            ("limit=-1", "limit=\"-1\"", "from 1 to 1000"),
            ("limit=", "limit=\"\"", "from 1 to 1000"),
            ("limit=5&limit=5", "limit more than once", "once"),
            ("since=yesterday", "since=\"yesterday\"", "5m"),
            ("since=5w", "since=\"5w\"", "5m"),
            ("since=m", "since=\"m\"", "5m"),
            ("since=99999999999999999999d", "since=", "5m"),
            ("since=1960-01-01T00:00:00Z", "since=", "5m"),
            ("cause=upstream.unknown", "cause=\"upstream.unknown\"", "upstream.connect_refused"),
            ("until=5m", "\"until\"", "limit, since, service or cause"),
        ] {
            let message = asked(text).unwrap_err();
            assert!(message.contains(found) && message.contains(expected), "{text}: {message}");
        }
    }

    #[test]
    fn without_parameters_the_defaults_hold() {
        let query = asked("").unwrap();
        assert_eq!((query.limit, query.since_unix_micros), (DEFAULT_LIMIT, None));
        assert!(!query.filter.is_set());
    }

    #[test]
    fn a_filter_admits_only_what_it_names() {
        let filter = asked("service=pay&cause=upstream.reset").unwrap().filter;
        assert!(filter.admits("pay", Some(Cause::UpstreamReset)));
        assert!(!filter.admits("cart", Some(Cause::UpstreamReset)));
        assert!(!filter.admits("pay", Some(Cause::UpstreamFailed)));
        assert!(!filter.admits("pay", None));
        assert!(asked("service=").unwrap().filter.admits("", None));
    }

    #[test]
    fn the_pages_filter_passes_over_what_means_nothing() {
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let filter = page_filter(&[pair("service", "*"), pair("cause", ""), pair("x", "y")]);
        assert!(!filter.is_set());
        let filter = page_filter(&[pair("service", ""), pair("cause", "upstream.reset")]);
        assert_eq!(filter.service.as_deref(), Some(""));
        assert_eq!(filter.cause, Some(Cause::UpstreamReset));
    }
}
