//! How long to wait before a request is sent again.

use std::time::{Duration, SystemTime};

use http::HeaderMap;

/// Exponential backoff with full jitter: before try *n* + 1 a time is drawn from 0 to
/// min(`at_most`, `base` · 2ⁿ⁻¹). Source: AWS Architecture Blog, "Exponential Backoff And Jitter".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Backoff {
    pub(super) base: Duration,
    pub(super) at_most: Duration,
}

impl Backoff {
    /// The wait after this many tries; `chance` is from 0 to 1.
    pub(super) fn after(self, tries: u32, chance: f64) -> Duration {
        let doubled = 2_u32.checked_pow(tries.saturating_sub(1)).unwrap_or(u32::MAX);
        self.base.saturating_mul(doubled).min(self.at_most).mul_f64(chance)
    }
}

/// What the other side says of when it may be asked again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pushback {
    /// Nothing.
    None,
    /// After this long.
    After(Duration),
    /// It wants no retry.
    Never,
}

/// Reads `grpc-retry-pushback-ms` (gRPC proposal A6), else `Retry-After` (RFC 9110, section 10.2.3). A
/// pushback of gRPC that is negative, or no number, forbids the retry; a `Retry-After` that cannot be
/// read says nothing.
pub(super) fn pushback(headers: &HeaderMap, now: SystemTime) -> Pushback {
    if let Some(value) = headers.get("grpc-retry-pushback-ms") {
        let millis = value.to_str().ok().and_then(|text| text.parse().ok());
        return millis.map_or(Pushback::Never, |it| Pushback::After(Duration::from_millis(it)));
    }
    let text = headers.get(http::header::RETRY_AFTER).and_then(|value| value.to_str().ok());
    let Some(text) = text.map(str::trim) else { return Pushback::None };
    if let Ok(seconds) = text.parse() {
        return Pushback::After(Duration::from_secs(seconds));
    }
    match parse_date(text) {
        Some(at) => Pushback::After(at.duration_since(now).unwrap_or_default()),
        None => Pushback::None,
    }
}

/// Reads an HTTP date in the one form that may still be sent (RFC 9110, section 5.6.7):
/// `Sun, 06 Nov 1994 08:49:37 GMT`.
fn parse_date(text: &str) -> Option<SystemTime> {
    const MONTHS: [&str; 12] =
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let (_, date) = text.strip_suffix(" GMT")?.split_once(", ")?;
    let [day, month, year, time] = fields(date, ' ')?;
    let [hour, minute, second] = fields(time, ':')?;
    let month = MONTHS.iter().position(|it| *it == month)? as u64 + 1;
    let number = |text: &str, most: u64| text.parse().ok().filter(|it: &u64| *it <= most);
    let days = days_since_1970(number(year, 9999)?, month, number(day, 31)?)?;
    let seconds = number(hour, 23)? * 3600 + number(minute, 59)? * 60 + number(second, 60)?;
    SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(days * 86_400 + seconds))
}

fn fields<const N: usize>(text: &str, by: char) -> Option<[&str; N]> {
    text.split(by).collect::<Vec<_>>().try_into().ok()
}

/// Of the Gregorian calendar (Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms",
/// `days_from_civil`). `None` before 1970.
fn days_since_1970(year: u64, month: u64, day: u64) -> Option<u64> {
    let year = if month <= 2 { year.checked_sub(1)? } else { year };
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day.checked_sub(1)?;
    let of_era = (year % 400) * 365 + (year % 400) / 4 - (year % 400) / 100 + day_of_year;
    (year / 400 * 146_097 + of_era).checked_sub(719_468)
}

#[cfg(test)]
mod tests {
    use http::{HeaderName, HeaderValue};
    use proptest::prelude::*;

    use super::*;

    fn read(name: &'static str, value: &'static str, now: u64) -> Pushback {
        let field = (HeaderName::from_static(name), HeaderValue::from_static(value));
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(now);
        pushback(&HeaderMap::from_iter([field]), now)
    }

    #[test]
    fn a_retry_after_is_seconds_or_a_date() {
        let after = |seconds| Pushback::After(Duration::from_secs(seconds));
        assert_eq!(read("retry-after", "120", 0), after(120));
        let date = "Sun, 06 Nov 1994 08:49:37 GMT";
        assert_eq!(read("retry-after", date, 784_111_777 - 30), after(30));
        assert_eq!(read("retry-after", date, 784_111_777 + 30), after(0));
        assert_eq!(
            read("retry-after", "Thu, 29 Feb 2024 00:00:00 GMT", 1_709_164_800 - 1),
            after(1)
        );
        for odd in ["soon", "-1", "Sun, 06 Nov 1994 08:49:37", "Sun, 00 Nov 1994 08:49:37 GMT", ""]
        {
            assert_eq!(read("retry-after", odd, 0), Pushback::None, "{odd}");
        }
    }

    #[test]
    fn a_grpc_pushback_is_milliseconds_and_a_negative_one_forbids() {
        let name = "grpc-retry-pushback-ms";
        assert_eq!(read(name, "250", 0), Pushback::After(Duration::from_millis(250)));
        assert_eq!(read(name, "-1", 0), Pushback::Never);
        assert_eq!(read(name, "soon", 0), Pushback::Never);
    }

    proptest! {
        #[test]
        fn a_wait_is_within_what_has_doubled_and_within_the_bound(
            tries in 1_u32..100, chance in 0.0_f64..1.0,
        ) {
            let backoff =
                Backoff { base: Duration::from_millis(50), at_most: Duration::from_secs(2) };
            let wait = backoff.after(tries, chance);
            prop_assert!(wait <= backoff.at_most);
            prop_assert!(wait.as_secs_f64() <= 0.05 * 2_f64.powi(tries as i32 - 1));
            prop_assert!(wait <= backoff.after(tries + 1, chance));
        }

        #[test]
        fn no_text_makes_it_panic(text in "[ -~]{0,40}|[A-Z][a-z]{2}, [0-9]{1,3} (Jan|Feb) [0-9]{1,5} [0-9]{1,2}:[0-9]{2}:[0-9]{2} GMT") {
            let value = HeaderValue::from_str(&text).unwrap();
            let headers = HeaderMap::from_iter([(http::header::RETRY_AFTER, value)]);
            pushback(&headers, SystemTime::UNIX_EPOCH);
        }
    }
}
