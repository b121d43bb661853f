//! Durations as Istio writes them: `10s`, `1.5s`, `500ms`, `1h30m`.

use std::time::Duration;

/// Units and their length in nanoseconds.
const UNITS: [(&str, f64); 7] =
    [("ns", 1.0), ("us", 1e3), ("µs", 1e3), ("ms", 1e6), ("s", 1e9), ("m", 60e9), ("h", 3600e9)];

/// The longest duration that is taken: ten years.
const LONGEST: Duration = Duration::from_secs(10 * 365 * 24 * 3600);

/// Why a text is not a duration: what was expected, and what may have been meant.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{reason}; {hint}")]
pub struct BadDuration {
    pub(crate) reason: String,
    pub(crate) hint: String,
}

/// Reads a duration as configuration files have it: `10s`, `1.5s`, `500ms`, `1h30m`.
///
/// # Errors
/// What is wrong with the text, and what may have been meant.
pub fn parse(text: &str) -> Result<Duration, BadDuration> {
    let bad = |reason: String, hint: &str| BadDuration { reason, hint: hint.to_owned() };
    let example = "write a number and its unit, such as `10s`, `500ms` or `1m30s`";
    if text.starts_with('-') {
        return Err(bad(format!("`{text}` is negative"), example));
    }
    if text.parse::<f64>().is_ok_and(f64::is_finite) {
        let reason = format!("`{text}` has no unit");
        return Err(bad(reason, &format!("did you mean `{text}s`?")));
    }
    let mut rest = text;
    let mut nanoseconds = 0.0;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(rest.len());
        let unit_end = rest[digits..]
            .find(|c: char| c.is_ascii_digit() || c == '.')
            .map_or(rest.len(), |i| digits + i);
        let (number, unit) = (&rest[..digits], &rest[digits..unit_end]);
        let Ok(number) = number.parse::<f64>() else {
            return Err(bad(format!("`{text}` is not a duration"), example));
        };
        let Some((_, length)) = UNITS.iter().find(|(name, _)| *name == unit) else {
            let reason = if unit.is_empty() {
                format!("`{text}` ends without a unit")
            } else {
                format!("`{unit}` in `{text}` is not a unit")
            };
            return Err(bad(reason, unit_hint(unit).unwrap_or(example)));
        };
        nanoseconds += number * length;
        rest = &rest[unit_end..];
    }
    if text.is_empty() {
        return Err(bad("the duration is empty".to_owned(), example));
    }
    match Duration::try_from_secs_f64(nanoseconds / 1e9) {
        Ok(duration) if duration <= LONGEST => Ok(duration),
        _ => Err(bad(format!("`{text}` is longer than ten years"), example)),
    }
}

fn unit_hint(unit: &str) -> Option<&'static str> {
    match unit.trim().to_ascii_lowercase().as_str() {
        "sec" | "secs" | "second" | "seconds" | "s" => Some("the unit of seconds is `s`"),
        "min" | "mins" | "minute" | "minutes" | "m" => Some("the unit of minutes is `m`"),
        "hour" | "hours" | "h" => Some("the unit of hours is `h`"),
        "d" | "day" | "days" => Some("there is no unit of days; 1 day is `24h`"),
        "msec" | "millis" | "milliseconds" | "ms" => Some("the unit of milliseconds is `ms`"),
        _ => None,
    }
}

/// Writes a duration so that [`parse`] reads it back: `10s`, `1.5s`, `500ms`, `1m30s`.
pub(crate) fn display(duration: Duration) -> String {
    let whole = duration.as_secs();
    let rest = duration.subsec_nanos();
    if rest != 0 {
        if duration < Duration::from_secs(1) && rest.is_multiple_of(1_000_000) {
            return format!("{}ms", rest / 1_000_000);
        }
        return format!("{}s", duration.as_secs_f64());
    }
    if whole < 60 {
        return format!("{whole}s");
    }
    let (hours, minutes, seconds) = (whole / 3600, whole / 60 % 60, whole % 60);
    [(hours, "h"), (minutes, "m"), (seconds, "s")]
        .iter()
        .filter(|(n, _)| *n > 0)
        .map(|(n, unit)| format!("{n}{unit}"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_of_istio_are_read() {
        let cases = [
            ("10s", 10_000_000_000),
            ("1.5s", 1_500_000_000),
            ("500ms", 500_000_000),
            ("1h30m", 5_400_000_000_000),
            ("0s", 0),
            ("0.000001s", 1000),
            ("100us", 100_000),
        ];
        for (text, nanoseconds) in cases {
            assert_eq!(parse(text), Ok(Duration::from_nanos(nanoseconds)), "{text}");
        }
    }

    #[test]
    fn what_is_not_a_duration_is_refused_with_what_may_be_meant() {
        let cases = [
            ("10", "did you mean `10s`?"),
            ("10sec", "the unit of seconds is `s`"),
            ("3d", "there is no unit of days; 1 day is `24h`"),
            ("", "write a number and its unit, such as `10s`, `500ms` or `1m30s`"),
            ("-1s", "write a number and its unit, such as `10s`, `500ms` or `1m30s`"),
            ("s", "write a number and its unit, such as `10s`, `500ms` or `1m30s`"),
            ("1.2.3s", "write a number and its unit, such as `10s`, `500ms` or `1m30s`"),
            ("999999999h", "write a number and its unit, such as `10s`, `500ms` or `1m30s`"),
        ];
        for (text, hint) in cases {
            assert_eq!(parse(text).map_err(|e| e.hint), Err(hint.to_owned()), "{text}");
        }
    }

    #[test]
    fn a_written_duration_is_read_back_as_the_same() {
        for millis in [0, 1, 500, 999, 1000, 1500, 59_000, 60_000, 90_000, 3_600_000, 5_430_000] {
            let duration = Duration::from_millis(millis);
            assert_eq!(parse(&display(duration)), Ok(duration));
        }
    }
}
