//! Numbers and times as people read them.

use std::time::Duration;

use jiff::Timestamp;

/// A duration with its unit, as exact as a glance can use.
pub(super) fn duration(duration: Duration) -> String {
    let micros = duration.as_micros();
    let millis = micros as f64 / 1e3;
    match micros {
        0 => "0 ms".to_owned(),
        1..=999 => format!("{micros} µs"),
        1_000..=9_949 => format!("{millis:.1} ms"),
        9_950..=999_499 => format!("{millis:.0} ms"),
        999_500..=59_999_999 => format!("{:.2} s", millis / 1e3),
        _ => format!("{} min {} s", duration.as_secs() / 60, duration.as_secs() % 60),
    }
}

/// A whole number with its thousands apart.
pub(super) fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// A rate per second: a digit after the point where it says something.
pub(super) fn rate(per_second: f64) -> String {
    match per_second {
        0.0 => "0".to_owned(),
        rate if rate < 0.1 => "< 0.1".to_owned(),
        rate if rate < 99.95 => format!("{rate:.1}"),
        // A rate is never negative, and far from the end of u64.
        rate => count(rate.round() as u64),
    }
}

/// A ratio as a percentage that says 0% and 100% only where it is so.
pub(super) fn percent(part: u64, whole: u64) -> String {
    if part == 0 || whole == 0 {
        return "0%".to_owned();
    }
    if part >= whole {
        return "100%".to_owned();
    }
    let percent = part as f64 / whole as f64 * 100.0;
    if percent < 0.1 {
        "< 0.1%".to_owned()
    } else if percent < 9.95 {
        format!("{percent:.1}%")
    } else if percent < 99.0 {
        format!("{percent:.0}%")
    } else {
        format!("{:.1}%", percent.min(99.9))
    }
}

/// A time of day in UTC, after its date where that is not today's.
pub(super) fn clock(unix_micros: u64, now_unix_micros: u64) -> String {
    const DAY_MICROS: u64 = 86_400_000_000;
    let same_day = unix_micros / DAY_MICROS == now_unix_micros / DAY_MICROS;
    written(unix_micros, if same_day { "%H:%M:%S%.3f" } else { "%Y-%m-%d %H:%M:%S%.3f" })
}

/// RFC 3339, for `<time datetime>`.
pub(super) fn machine_time(unix_micros: u64) -> String {
    written(unix_micros, "%Y-%m-%dT%H:%M:%S%.3fZ")
}

fn written(unix_micros: u64, format: &str) -> String {
    let micros = i64::try_from(unix_micros).unwrap_or(i64::MAX);
    Timestamp::from_microsecond(micros).unwrap_or(Timestamp::MAX).strftime(format).to_string()
}

/// How long ago something was.
pub(super) fn ago(unix_micros: u64, now_unix_micros: u64) -> String {
    match now_unix_micros.saturating_sub(unix_micros) / 1_000_000 {
        0 => "just now".to_owned(),
        seconds @ 1..=119 => format!("{seconds} s ago"),
        seconds @ 120..=7_199 => format!("{} min ago", seconds / 60),
        seconds @ 7_200..=172_799 => format!("{} h ago", seconds / 3_600),
        seconds => format!("{} days ago", seconds / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_as_exact_as_a_glance_can_use() {
        for (micros, expected) in [
            (0, "0 ms"),
            (80, "80 µs"),
            (999, "999 µs"),
            (1_000, "1.0 ms"),
            (3_249, "3.2 ms"),
            (9_949, "9.9 ms"),
            (9_950, "10 ms"),
            (999_499, "999 ms"),
            (999_500, "1.00 s"),
            (10_020_000, "10.02 s"),
            (61_500_000, "1 min 1 s"),
        ] {
            assert_eq!(duration(Duration::from_micros(micros)), expected, "{micros}");
        }
    }

    #[test]
    fn counts_rates_and_percentages_read_well() {
        for (number, expected) in
            [(0, "0"), (999, "999"), (1_000, "1,000"), (12_345_678, "12,345,678")]
        {
            assert_eq!(count(number), expected);
        }
        for (number, expected) in
            [(0.0, "0"), (0.02, "< 0.1"), (0.2, "0.2"), (12.44, "12.4"), (1234.5, "1,235")]
        {
            assert_eq!(rate(number), expected);
        }
        for (part, whole, expected) in [
            (0, 0, "0%"),
            (1, 10_000, "< 0.1%"),
            (31, 1000, "3.1%"),
            (1, 4, "25%"),
            (99_999, 100_000, "99.9%"),
            (5, 5, "100%"),
        ] {
            assert_eq!(percent(part, whole), expected, "{part} of {whole}");
        }
    }

    #[test]
    fn times_say_their_date_where_it_is_not_todays() {
        let time = 1_795_298_400_123_456;
        assert_eq!(clock(time, time + 5), "22:00:00.123");
        assert_eq!(clock(time, time + 7_200_000_000), "2026-11-21 22:00:00.123");
        assert_eq!(machine_time(time), "2026-11-21T22:00:00.123Z");
    }

    #[test]
    fn ages_grow_coarse() {
        for (seconds, expected) in [
            (0, "just now"),
            (119, "119 s ago"),
            (120, "2 min ago"),
            (7_200, "2 h ago"),
            (259_200, "3 days ago"),
        ] {
            assert_eq!(ago(0, seconds * 1_000_000), expected);
        }
        assert_eq!(ago(5_000_000, 0), "just now", "a clock that went back");
    }
}
