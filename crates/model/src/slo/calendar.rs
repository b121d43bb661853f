use std::{error::Error, fmt, time::Duration};

use jiff::{Span, Timestamp, ToSpan as _, Zoned, civil::DateTime, tz::TimeZone};

use super::Seconds;

/// Periods that follow the calendar of a place: every month from the first, in New York.
///
/// A month has its own length, and a day on which clocks change has 23 or 25 hours; so has the
/// budget in seconds.
#[derive(Clone, Debug)]
pub struct Calendar {
    start: DateTime,
    zone: TimeZone,
    unit: Unit,
    count: i64,
}

/// What a calendar counts in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Unit {
    Days,
    Months,
}

/// From its first second to the first that is no longer in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Period {
    /// The first second.
    pub start: Seconds,
    /// The first second after it.
    pub end: Seconds,
}

impl Period {
    /// How long it is.
    #[must_use]
    pub const fn length(self) -> Duration {
        Duration::from_secs(self.end - self.start)
    }
}

/// Why there is no such calendar.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvalidCalendar(String);

impl fmt::Display for InvalidCalendar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Error for InvalidCalendar {}

impl Calendar {
    /// From this time on the wall of a place, every so many days (`d`), weeks (`w`), months (`M`),
    /// quarters (`Q`) or years (`Y`), in the words of OpenSLO.
    ///
    /// # Errors
    /// Where the length is none of these.
    pub fn new(start: DateTime, zone: TimeZone, every: &str) -> Result<Self, InvalidCalendar> {
        let unknown = || {
            InvalidCalendar(format!(
                "expected the length of a calendar window as a number with d, w, M, Q or Y, such \
                 as 1M, found {every:?}"
            ))
        };
        let unit = every.chars().last().ok_or_else(unknown)?;
        let number = &every[..every.len() - unit.len_utf8()];
        let number: i64 =
            number.parse().ok().filter(|it| (1..=1000).contains(it)).ok_or_else(unknown)?;
        let (unit, count) = match unit {
            'd' => (Unit::Days, number),
            'w' => (Unit::Days, 7 * number),
            'M' => (Unit::Months, number),
            'Q' => (Unit::Months, 3 * number),
            'Y' => (Unit::Months, 12 * number),
            _ => return Err(unknown()),
        };
        Ok(Self { start, zone, unit, count })
    }

    /// The period that this second is in. `None` before the first one, or past what calendars know.
    #[must_use]
    pub fn period(&self, now: Seconds) -> Option<Period> {
        let instant = Timestamp::from_second(i64::try_from(now).ok()?).ok()?;
        let local = instant.to_zoned(self.zone.clone()).datetime();
        let passed = match self.unit {
            Unit::Days => local.since((jiff::Unit::Day, self.start)).ok()?.get_days().into(),
            Unit::Months => local.since((jiff::Unit::Month, self.start)).ok()?.get_months().into(),
        };
        // On the day of a change of clocks, or at the end of a short month, it is a neighbour.
        let guess: i64 = i64::div_euclid(passed, self.count);
        (guess - 1..=guess + 1).find_map(|number| {
            let (start, end) = (self.begin(number)?, self.begin(number + 1)?);
            (number >= 0 && start <= now && now < end).then_some(Period { start, end })
        })
    }

    /// The first second of the period with this number.
    fn begin(&self, number: i64) -> Option<Seconds> {
        let passed = number.checked_mul(self.count)?;
        let span: Span = match self.unit {
            Unit::Days => 0.days().try_days(passed).ok()?,
            Unit::Months => 0.months().try_months(passed).ok()?,
        };
        // A time that clocks leave out is the one after.
        let begin: Zoned = self.start.checked_add(span).ok()?.to_zoned(self.zone.clone()).ok()?;
        begin.timestamp().as_second().try_into().ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NEW_YORK: &str = "EST5EDT,M3.2.0,M11.1.0";

    fn calendar(start: &str, zone: &str, every: &str) -> Calendar {
        Calendar::new(start.parse().unwrap(), TimeZone::posix(zone).unwrap(), every).unwrap()
    }

    fn second(text: &str) -> Seconds {
        text.parse::<Timestamp>().unwrap().as_second().try_into().unwrap()
    }

    fn days(period: Period) -> f64 {
        period.length().as_secs_f64() / 86_400.0
    }

    #[test]
    fn months_have_their_own_lengths() {
        let months = calendar("2024-01-01 00:00:00", "UTC0", "1M");
        for (now, length) in [
            ("2024-01-31T23:59:59Z", 31.0),
            ("2024-02-29T12:00:00Z", 29.0),
            ("2025-02-01T00:00:00Z", 28.0),
        ] {
            assert_eq!(days(months.period(second(now)).unwrap()), length, "{now}");
        }
        let february = months.period(second("2024-02-15T00:00:00Z")).unwrap();
        assert_eq!(february.start, second("2024-02-01T00:00:00Z"));
        assert_eq!(february.end, second("2024-03-01T00:00:00Z"));
    }

    #[test]
    fn days_on_which_clocks_change_have_23_or_25_hours() {
        let daily = calendar("2026-01-01 00:00:00", NEW_YORK, "1d");
        for (now, hours) in [
            ("2026-03-08T12:00:00-04:00", 23),
            ("2026-11-01T12:00:00-05:00", 25),
            ("2026-11-02T00:00:00-05:00", 24),
            ("2026-11-01T23:59:59-05:00", 25),
        ] {
            let day = daily.period(second(now)).unwrap();
            assert_eq!(day.length(), Duration::from_secs(hours * 3600), "{now}");
        }
    }

    #[test]
    fn a_start_at_the_end_of_a_month_is_kept_within_shorter_ones() {
        let months = calendar("2024-01-31 00:00:00", "UTC0", "1M");
        let period = months.period(second("2024-03-01T00:00:00Z")).unwrap();
        assert_eq!(period.start, second("2024-02-29T00:00:00Z"));
        assert_eq!(period.end, second("2024-03-31T00:00:00Z"));
    }

    #[test]
    fn weeks_quarters_and_years_count_from_the_start() {
        let weeks = calendar("2024-01-01 09:00:00", "UTC0", "2w");
        let period = weeks.period(second("2024-01-15T08:59:59Z")).unwrap();
        assert_eq!(period.start, second("2024-01-01T09:00:00Z"));
        let quarters = calendar("2024-01-01 00:00:00", "UTC0", "1Q");
        assert_eq!(days(quarters.period(second("2024-05-01T00:00:00Z")).unwrap()), 91.0);
        let years = calendar("2024-01-01 00:00:00", "UTC0", "1Y");
        assert_eq!(days(years.period(second("2024-05-01T00:00:00Z")).unwrap()), 366.0);
    }

    #[test]
    fn every_second_is_in_just_one_period() {
        let months = calendar("2024-01-31 02:30:00", NEW_YORK, "1M");
        let mut now = second("2024-02-01T00:00:00Z");
        let mut last = months.period(now).unwrap();
        while now < second("2026-12-01T00:00:00Z") {
            let period = months.period(now).unwrap();
            assert!(period == last || period.start == last.end, "{period:?} after {last:?}");
            last = period;
            now += 3571;
        }
    }

    #[test]
    fn before_the_first_there_is_none() {
        let months = calendar("2024-01-01 00:00:00", "UTC0", "1M");
        assert_eq!(months.period(second("2023-12-31T23:59:59Z")), None);
    }

    #[test]
    fn what_is_no_length_says_what_was_expected() {
        for every in ["", "M", "0M", "1h", "-1d", "1x", "99999999M"] {
            let zone = TimeZone::UTC;
            let error = Calendar::new("2024-01-01".parse().unwrap(), zone, every).unwrap_err();
            assert!(error.to_string().contains("such as 1M"), "{every}");
        }
    }
}
