use std::{error::Error, fmt, str::FromStr};

/// Parts of a whole in which a budget is kept.
const BILLION: u64 = 1_000_000_000;

/// The share of events, or of slices of time, that must be good: above 0 and below 1.
///
/// Kept as what may be bad, in parts per billion, so that 99.9 % leaves 0.001 and not
/// 0.0010000000000000009.
///
/// ```
/// use model::slo::Target;
///
/// let target: Target = "99.9%".parse().unwrap();
/// assert_eq!(target, "0.999".parse().unwrap());
/// assert_eq!(target.budget_ratio(), 0.001);
/// assert_eq!(target.highest_burn(), 1000.0);
/// assert!("100%".parse::<Target>().is_err());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Target {
    /// Lower means stricter.
    budget: std::cmp::Reverse<u64>,
}

/// Why a number is no target.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum InvalidTarget {
    /// It is no decimal number.
    NotANumber(String),
    /// 1 or 100 %: it leaves no budget, so the first bad event would be the end of it.
    NoBudget,
    /// Below or at 0, or above 1.
    OutOfRange(String),
    /// More digits than the ninth after the point.
    TooFine(String),
}

impl fmt::Display for InvalidTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotANumber(text) => {
                write!(f, "expected a share such as 0.999 or 99.9%, found {text:?}")
            }
            Self::NoBudget => f.write_str(
                "a target of 100 % leaves no budget: every failure would break it; expected a \
                 share below 1, such as 0.9999",
            ),
            Self::OutOfRange(text) => {
                write!(f, "expected a share above 0 and below 1, found {text}")?;
                let percentage = text.parse().ok().filter(|it: &f64| (1.0..100.0).contains(it));
                match percentage {
                    Some(_) => write!(f, "; for a percentage write {text}%"),
                    None => Ok(()),
                }
            }
            Self::TooFine(text) => {
                write!(f, "expected at most nine digits after the point of a share, found {text}")
            }
        }
    }
}

impl Error for InvalidTarget {}

impl Target {
    /// From the share that must be good, rounded to a part per billion.
    ///
    /// # Errors
    /// Where it leaves no budget, or is no share.
    pub fn from_ratio(ratio: f64) -> Result<Self, InvalidTarget> {
        if !ratio.is_finite() {
            return Err(InvalidTarget::NotANumber(ratio.to_string()));
        }
        if !(0.0..=1.0).contains(&ratio) {
            return Err(InvalidTarget::OutOfRange(ratio.to_string()));
        }
        // Within range, so it fits.
        Self::of_good((ratio * BILLION as f64).round() as u64, &ratio.to_string())
    }

    fn of_good(good: u64, text: &str) -> Result<Self, InvalidTarget> {
        match good {
            BILLION => Err(InvalidTarget::NoBudget),
            1..BILLION => Ok(Self { budget: std::cmp::Reverse(BILLION - good) }),
            _ => Err(InvalidTarget::OutOfRange(text.to_owned())),
        }
    }

    /// The share that may be bad.
    #[must_use]
    pub fn budget_ratio(self) -> f64 {
        self.budget.0 as f64 / BILLION as f64
    }

    /// The share that must be good.
    #[must_use]
    pub fn ratio(self) -> f64 {
        (BILLION - self.budget.0) as f64 / BILLION as f64
    }

    /// The burn when everything fails: no alert above it can ever fire.
    #[must_use]
    pub fn highest_burn(self) -> f64 {
        BILLION as f64 / self.budget.0 as f64
    }
}

impl fmt::Display for Target {
    /// As a percentage, without needless zeros: `99.9 %`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let good = BILLION - self.budget.0;
        let (whole, part) = (good / 10_000_000, good % 10_000_000);
        let digits = format!("{part:07}");
        match digits.trim_end_matches('0') {
            "" => write!(f, "{whole} %"),
            digits => write!(f, "{whole}.{digits} %"),
        }
    }
}

impl FromStr for Target {
    type Err = InvalidTarget;

    /// Reads `0.999` or `99.9%`, exactly.
    fn from_str(text: &str) -> Result<Self, InvalidTarget> {
        let trimmed = text.trim();
        let (number, places) = match trimmed.strip_suffix('%') {
            Some(number) => (number.trim_end(), 7),
            None => (trimmed, 9),
        };
        let (whole, part) = number.split_once('.').unwrap_or((number, ""));
        let is_number = |digits: &str| digits.bytes().all(|byte| byte.is_ascii_digit());
        if whole.len() + part.len() == 0 || !is_number(whole) || !is_number(part) {
            return Err(InvalidTarget::NotANumber(text.to_owned()));
        }
        let part = part.trim_end_matches('0');
        if part.len() > places {
            return Err(InvalidTarget::TooFine(text.to_owned()));
        }
        let out_of_range = || InvalidTarget::OutOfRange(text.to_owned());
        // Longer numbers are out of range in any case.
        let whole = whole.trim_start_matches('0');
        if whole.len() > 3 {
            return Err(out_of_range());
        }
        let digits: u64 =
            format!("0{whole}{part:0<places$}").parse().map_err(|_| out_of_range())?;
        Self::of_good(digits, text)
    }
}

#[cfg(test)]
mod tests {
    use super::{InvalidTarget, Target};

    #[test]
    fn shares_and_percentages_are_read_exactly() {
        for (text, budget, shown) in [
            ("0.999", 0.001, "99.9 %"),
            ("99.9%", 0.001, "99.9 %"),
            ("99.95 %", 0.0005, "99.95 %"),
            ("99.99%", 0.0001, "99.99 %"),
            ("0.9", 0.1, "90 %"),
            (".5", 0.5, "50 %"),
            ("0.999999999", 0.000_000_001, "99.9999999 %"),
        ] {
            let target: Target = text.parse().unwrap();
            assert_eq!(target.budget_ratio(), budget, "{text}");
            assert_eq!(target.to_string(), shown);
            assert_eq!(Target::from_ratio(target.ratio()), Ok(target));
        }
    }

    #[test]
    fn what_is_no_target_says_why() {
        for (text, says) in [
            ("1", "leaves no budget"),
            ("1.000", "leaves no budget"),
            ("100%", "leaves no budget"),
            ("0", "above 0 and below 1"),
            ("99.9", "write 99.9%"),
            ("1234567890123456789012", "above 0 and below 1"),
            ("0.9999999999", "nine digits"),
            ("-0.9", "such as 0.999 or 99.9%"),
            ("", "such as 0.999 or 99.9%"),
            ("0,999", "such as 0.999 or 99.9%"),
        ] {
            let error = text.parse::<Target>().unwrap_err().to_string();
            assert!(error.contains(says), "{text}: {error}");
        }
        assert_eq!(Target::from_ratio(1.0), Err(InvalidTarget::NoBudget));
        assert!(Target::from_ratio(f64::NAN).is_err());
        assert!(Target::from_ratio(-0.1).is_err());
    }

    #[test]
    fn a_stricter_target_is_greater() {
        let [loose, strict] = ["0.99", "0.999"].map(|text| text.parse::<Target>().unwrap());
        assert!(strict > loose);
    }

    #[test]
    fn at_ninety_per_cent_nothing_burns_above_ten() {
        assert_eq!("0.9".parse::<Target>().unwrap().highest_burn(), 10.0);
    }
}
