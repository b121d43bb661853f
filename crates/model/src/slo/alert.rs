use std::{error::Error, fmt, time::Duration};

use super::{AlertWhen, Counts, Evidence, Seconds, Target, burn};

const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(86_400);

/// Below this share of the short window looked at, nothing is decided.
const LEAST_COVERAGE: f64 = 0.5;

/// How soon somebody must look.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Severity {
    /// In the next working hours.
    Ticket,
    /// Now.
    Page,
}

impl Severity {
    /// The name used in labels.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ticket => "ticket",
            Self::Page => "page",
        }
    }
}

/// An alert on a budget that burns at least so fast, over a long window (that it matters) and a
/// short one (that it still does).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BurnAlert {
    /// How soon somebody must look.
    pub severity: Severity,
    /// The threshold.
    pub burn: f64,
    /// The window that says that it matters.
    pub long: Duration,
    /// The window that says that it goes on, a twelfth of the other by convention.
    pub short: Duration,
    /// How long both must burn before it fires (OpenSLO's `alertAfter`).
    pub after: Duration,
    /// Of what somebody is told.
    pub when: AlertWhen,
}

/// Why an alert is none.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum InvalidAlert {
    /// At this target the budget cannot burn so fast, even if everything fails.
    NeverFires {
        /// Its threshold.
        burn: f64,
        /// The burn when everything fails.
        highest: f64,
    },
    /// The short window is not shorter than the long one, or is shorter than a second.
    Windows {
        /// The long one.
        long: Duration,
        /// The short one.
        short: Duration,
    },
    /// The threshold is not above 0.
    Threshold(f64),
}

impl fmt::Display for InvalidAlert {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NeverFires { burn, highest } => write!(
                f,
                "an alert at a burn of {burn} can never fire: if everything fails, this target \
                 burns at {highest}; expected a threshold below that, or a stricter target"
            ),
            Self::Windows { long, short } => write!(
                f,
                "expected a short window of a second or more, below the long one of {long:?}, \
                 found {short:?}"
            ),
            Self::Threshold(burn) => write!(f, "expected a threshold above 0, found {burn}"),
        }
    }
}

impl Error for InvalidAlert {}

impl BurnAlert {
    /// The Site Reliability Workbook's alerts (chapter 5, "Multiwindow, Multi-Burn-Rate Alerts"), for
    /// a period of any length: pages when 2 % of the budget goes in an hour or 5 % in 6 hours, tickets
    /// when 10 % go in a day or in 3 days. For 30 days those burn at 14.4, 6, 3 and 1.
    #[must_use]
    pub fn workbook(period: Duration) -> [Self; 4] {
        let alert = |severity, share: f64, long: Duration| Self {
            severity,
            burn: share * period.as_secs_f64() / long.as_secs_f64(),
            long,
            short: long / 12,
            after: Duration::ZERO,
            when: AlertWhen::default(),
        };
        [
            alert(Severity::Page, 0.02, HOUR),
            alert(Severity::Page, 0.05, 6 * HOUR),
            alert(Severity::Ticket, 0.10, DAY),
            alert(Severity::Ticket, 0.10, 3 * DAY),
        ]
    }

    /// Looks whether it can ever fire at this target.
    ///
    /// # Errors
    /// Where it cannot, or its windows make no sense.
    pub fn check(&self, target: Target) -> Result<(), InvalidAlert> {
        if !(self.burn > 0.0 && self.burn.is_finite()) {
            return Err(InvalidAlert::Threshold(self.burn));
        }
        if self.short >= self.long || self.short < Duration::from_secs(1) {
            return Err(InvalidAlert::Windows { long: self.long, short: self.short });
        }
        let highest = target.highest_burn();
        if self.burn > highest {
            return Err(InvalidAlert::NeverFires { burn: self.burn, highest });
        }
        Ok(())
    }

    fn burns(&self, counts: Counts, target: Target) -> bool {
        // Sums of decimal fractions: at the threshold it must not depend on the last bit.
        burn(counts, target).is_some_and(|burn| burn >= self.burn * (1.0 - 1e-9))
    }
}

/// Whether anything can be said of an alert's burn.
///
/// [`Self::of`] decides. The time in which the process itself did not run is not held against
/// whoever sends data: it says [`Self::Unknown`] of that, and so for a while after a start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Data {
    /// There is a burn.
    Some,
    /// There is none, although somebody was there to see it.
    None,
    /// Nobody was there for long enough.
    Unknown,
}

impl Data {
    /// Of what is seen, and of the shares of the short and of the long window in which the process
    /// ran. There is no burn without an answer for half of the short window, nor without any event in
    /// the long one.
    #[must_use]
    pub fn of(seen: &Observation, ran_short: f64, ran_long: f64) -> Self {
        let is_blind = seen.coverage < LEAST_COVERAGE;
        let is_empty = seen.long == Counts::NONE;
        if !is_blind && !is_empty {
            Self::Some
        } else if (is_blind && ran_short >= LEAST_COVERAGE)
            || (is_empty && ran_long >= LEAST_COVERAGE)
        {
            Self::None
        } else {
            Self::Unknown
        }
    }
}

/// What is seen in the two windows of an alert.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Observation {
    /// The events of the long window.
    pub long: Counts,
    /// The events of the short one.
    pub short: Counts,
    /// The share of the short window during which somebody looked, 0 to 1.
    pub coverage: f64,
}

/// What has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Alarm {
    /// It fires from now on.
    Fired,
    /// It is over.
    Resolved,
    /// Nothing can be said of it from now on.
    NoData,
    /// Something can be said again.
    DataAgain,
}

impl Alarm {
    /// What ends what this begins.
    #[must_use]
    pub const fn end(self) -> Self {
        match self {
            Self::Fired | Self::Resolved => Self::Resolved,
            Self::NoData | Self::DataAgain => Self::DataAgain,
        }
    }
}

/// An alert as it stands.
///
/// It fires when both windows burn, and the long one's events are [`Evidence`], for as long as
/// [`BurnAlert::after`] says. It is over when one of them no longer burns. While nobody looked for half of the short window it stays what it is: missing
/// data is neither good nor bad.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AlertState {
    since: Option<Seconds>,
    /// Since when it would fire, if it need not last.
    pending: Option<Seconds>,
    is_blind: bool,
    no_data_since: Option<Seconds>,
}

impl AlertState {
    /// One that has been firing, as it was written down.
    #[must_use]
    pub const fn firing_since(since: Seconds) -> Self {
        Self { since: Some(since), pending: None, is_blind: false, no_data_since: None }
    }

    /// The same, and without data since then, as it was written down.
    #[must_use]
    pub const fn without_data_since(self, since: Seconds) -> Self {
        Self { no_data_since: Some(since), ..self }
    }

    /// Since when it fires, if it does.
    #[must_use]
    pub const fn since(&self) -> Option<Seconds> {
        self.since
    }

    /// Whether too little was looked at to decide.
    #[must_use]
    pub const fn is_blind(&self) -> bool {
        self.is_blind
    }

    /// Since when somebody is told that nothing can be said of it.
    #[must_use]
    pub const fn no_data_since(&self) -> Option<Seconds> {
        self.no_data_since
    }

    /// Looks whether anything can be said of the burn, where somebody is to be told if it cannot.
    pub fn look_for_data(&mut self, now: Seconds, data: Data) -> Option<Alarm> {
        match (self.no_data_since, data) {
            (None, Data::None) => {
                self.no_data_since = Some(now);
                Some(Alarm::NoData)
            }
            (Some(_), Data::Some) => {
                self.no_data_since = None;
                Some(Alarm::DataAgain)
            }
            _ => None,
        }
    }

    /// Looks again; says what has changed.
    pub fn look(
        &mut self,
        now: Seconds,
        alert: &BurnAlert,
        target: Target,
        evidence: Evidence,
        seen: Observation,
    ) -> Option<Alarm> {
        self.is_blind = seen.coverage < LEAST_COVERAGE;
        if self.is_blind {
            return None;
        }
        let burns = alert.burns(seen.long, target) && alert.burns(seen.short, target);
        match self.since {
            None if burns && evidence.suffices(seen.long, target, alert.burn) => {
                let pending = *self.pending.get_or_insert(now);
                if now.saturating_sub(pending) < alert.after.as_secs() {
                    return None;
                }
                self.pending = None;
                self.since = Some(now);
                Some(Alarm::Fired)
            }
            Some(_) if !burns => {
                self.since = None;
                Some(Alarm::Resolved)
            }
            _ => {
                self.pending = None;
                None
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::slo::{Series, time_to_detect, time_to_reset};

    const START: Seconds = 1_700_000_000;
    const RATE: u64 = 1000;

    fn target() -> Target {
        "0.999".parse().unwrap()
    }

    /// How long after the first bad event an alert fires, and after the last it clears, in simulated
    /// seconds, at 1,000 requests a second with this many bad of 100,000.
    fn clock(alert: &BurnAlert, bad_of_100_000: u64, lasts: u64) -> (Option<u64>, Option<u64>) {
        let mut series = Series::new(30 * DAY);
        let quiet = alert.long.as_secs() + 3600;
        // What happened before, in buckets of the long window: the same as by the second, and quicker.
        for before in (0..quiet).step_by(10) {
            series.record(START + before, Counts { good: RATE * 10, bad: 0 });
        }
        let begin = START + quiet;
        let mut state = AlertState::default();
        let (mut fired, mut cleared, mut carry) = (None, None, 0);
        let end = lasts + alert.long.as_secs() + 3600;
        for second in 0..end {
            let bad = if second < lasts {
                carry += RATE * bad_of_100_000;
                let bad = carry / 100_000;
                carry %= 100_000;
                bad
            } else {
                0
            };
            series.record(begin + second, Counts { good: RATE - bad, bad });
            let seen = Observation {
                long: series.over(alert.long),
                short: series.over(alert.short),
                coverage: 1.0,
            };
            match state.look(second, alert, target(), Evidence::default(), seen) {
                Some(Alarm::Fired) => fired = fired.or(Some(second + 1)),
                Some(Alarm::Resolved) => {
                    cleared = Some((second + 1).saturating_sub(lasts));
                    break;
                }
                _ => {}
            }
        }
        (fired, cleared)
    }

    /// The width of buckets at which a window is read.
    fn bucket(window: Duration) -> f64 {
        match window.as_secs() {
            0..=330 => 1.0,
            331..=3_600 => 10.0,
            3_601..=21_600 => 60.0,
            21_601..=260_000 => 600.0,
            _ => 3600.0,
        }
    }

    #[test]
    fn alerts_fire_and_clear_when_the_formula_says() {
        for alert in &BurnAlert::workbook(30 * DAY)[..2] {
            for bad in [700, 1_500, 2_000, 5_000, 15_000, 50_000, 100_000] {
                let error = bad as f64 / 100_000.0;
                let long = time_to_detect(error, target(), alert.long, alert.burn);
                let lasts = long.map_or(7200, |time| time.as_secs() + 600);
                let (fired, cleared) = clock(alert, bad, lasts);
                assert_eq!(fired.is_some(), long.is_some(), "{error} at {}", alert.burn);
                let (Some(fired), Some(expected)) = (fired, long) else { continue };
                let off = fired as f64 - expected.as_secs_f64();
                assert!(off.abs() <= bucket(alert.long), "{error}: {fired}, not {expected:?}");
                let lasted = Duration::from_secs(lasts);
                let short = time_to_reset(error, target(), alert.short, alert.burn, lasted);
                let off = cleared.unwrap() as f64 - short.as_secs_f64();
                assert!(off.abs() <= bucket(alert.short), "{error}: {cleared:?}, not {short:?}");
            }
        }
    }

    #[test]
    fn an_error_rate_below_the_threshold_never_fires() {
        let [page, ..] = BurnAlert::workbook(30 * DAY);
        assert_eq!(clock(&page, 50, 7200).0, None);
        assert_eq!(clock(&page, 1_400, 7200).0, None);
    }

    #[test]
    fn ten_requests_an_hour_with_one_failure_do_not_page() {
        let [page, ..] = BurnAlert::workbook(30 * DAY);
        let seen = |bad| Observation {
            long: Counts { good: 10 - bad, bad },
            short: Counts { good: 0, bad: 1 },
            coverage: 1.0,
        };
        let mut state = AlertState::default();
        let mut look = |bad| state.look(START, &page, target(), Evidence::default(), seen(bad));
        assert_eq!(look(1), None);
        assert_eq!(look(3), Some(Alarm::Fired));
    }

    #[test]
    fn missing_data_neither_fires_nor_resolves() {
        let [page, ..] = BurnAlert::workbook(30 * DAY);
        let bad = Counts { good: 0, bad: 1000 };
        let mut state = AlertState::default();
        let mut look = |long, short, coverage| {
            let seen = Observation { long, short, coverage };
            let change = state.look(START, &page, target(), Evidence::default(), seen);
            (change, state.is_blind())
        };
        assert_eq!(look(bad, bad, 0.2), (None, true));
        assert_eq!(look(bad, bad, 0.9), (Some(Alarm::Fired), false));
        assert_eq!(look(bad, Counts::NONE, 0.0), (None, true));
        assert_eq!(look(bad, Counts::NONE, 1.0), (Some(Alarm::Resolved), false));
    }

    #[test]
    fn an_alert_that_must_last_fires_when_it_has() {
        let [page, ..] = BurnAlert::workbook(30 * DAY);
        let page = BurnAlert { after: Duration::from_secs(60), ..page };
        let bad = Counts { good: 0, bad: 1000 };
        let good = Counts { good: 1000, bad: 0 };
        let mut state = AlertState::default();
        let mut look = |at, short| {
            let seen = Observation { long: bad, short, coverage: 1.0 };
            state.look(START + at, &page, target(), Evidence::default(), seen)
        };
        assert_eq!([look(0, bad), look(59, bad), look(59, good)], [None; 3]);
        // A pause has it begin anew.
        assert_eq!([look(60, bad), look(119, bad)], [None; 2]);
        assert_eq!(look(120, bad), Some(Alarm::Fired));
        assert_eq!(look(121, good), Some(Alarm::Resolved), "its end need not last");
    }

    #[test]
    fn no_data_is_told_once_and_so_is_its_end_and_a_start_is_neither() {
        let some = Counts { good: 10, bad: 0 };
        let data = |long, coverage, ran: [f64; 2]| {
            Data::of(&Observation { long, short: Counts::NONE, coverage }, ran[0], ran[1])
        };
        assert_eq!(data(some, 1.0, [1.0, 0.1]), Data::Some);
        assert_eq!(data(some, 0.2, [1.0, 0.1]), Data::None, "no answer");
        assert_eq!(data(some, 0.2, [0.2, 0.1]), Data::Unknown, "a start");
        assert_eq!(data(Counts::NONE, 1.0, [1.0, 0.1]), Data::Unknown, "too early for the hour");
        assert_eq!(data(Counts::NONE, 1.0, [1.0, 0.5]), Data::None, "no event");
        let mut state = AlertState::default();
        let mut look = |at, data| state.look_for_data(at, data);
        assert_eq!(look(1, Data::Unknown), None);
        assert_eq!([look(2, Data::None), look(3, Data::None)], [Some(Alarm::NoData), None]);
        assert_eq!(look(4, Data::Unknown), None, "it stays what it is");
        assert_eq!([look(5, Data::Some), look(6, Data::Some)], [Some(Alarm::DataAgain), None]);
    }

    #[test]
    fn the_workbooks_numbers_for_thirty_and_other_days() {
        for (days, expected) in
            [(30, [14.4, 6.0, 3.0, 1.0]), (28, [13.44, 5.6, 2.8, 0.933_333_333])]
        {
            for (alert, burn) in BurnAlert::workbook(days * DAY).iter().zip(expected) {
                assert!((alert.burn - burn).abs() < 1e-6, "{alert:?}");
            }
        }
        let shorts = BurnAlert::workbook(30 * DAY).map(|alert| alert.short.as_secs());
        assert_eq!(shorts, [300, 1800, 7200, 21_600]);
    }

    #[test]
    fn what_can_never_fire_is_refused() {
        let loose = "0.9".parse().unwrap();
        let [page, six, ..] = BurnAlert::workbook(30 * DAY);
        let error = page.check(loose).unwrap_err();
        assert!(error.to_string().contains("burns at 10;"), "{error}");
        assert_eq!(six.check(loose), Ok(()));
        let turned = BurnAlert { long: page.short, short: page.long, ..page };
        assert!(turned.check(target()).unwrap_err().to_string().contains("below the long one"));
        assert!(BurnAlert { burn: 0.0, ..page }.check(target()).is_err());
    }
}
