//! Numbers that go up and down, taken now and then: each is a sample, judged by itself.

use std::{fmt, sync::Arc};

use super::{Counted, Counts, PARTS};

/// What a server that answers PromQL is asked where each answer is judged by itself.
#[derive(Clone, Debug, PartialEq)]
pub struct Samples {
    /// Its address, such as `http://127.0.0.1:9090`.
    pub server: Arc<str>,
    /// What is asked for, and when it is good.
    pub sample: Sample,
}

/// A number, or two, and when they are good (OpenSLO v1, "SLI").
#[derive(Clone, Debug, PartialEq)]
pub enum Sample {
    /// The share of the good or of the bad ones in all there are, such as two rates.
    Ratio {
        /// What the first number means.
        counted: Counted,
        /// All.
        total: Arc<str>,
    },
    /// A share that somebody else has worked out: of the good ones, or of the bad ones.
    Raw(Counted),
    /// Good as a whole, or bad as a whole, by a comparison.
    Threshold {
        /// The number.
        query: Arc<str>,
        /// How it is compared.
        op: Operator,
        /// With what.
        value: f64,
    },
}

/// OpenSLO's comparisons: the number first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operator {
    /// `lte`
    AtMost,
    /// `lt`
    Below,
    /// `gte`
    AtLeast,
    /// `gt`
    Above,
}

/// Numbers that cannot be what was asked for.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum InvalidSample {
    /// A share below 0 or above 1.
    NoShare(f64),
    /// A part that is greater than the whole.
    PartOfLess {
        /// The part.
        part: f64,
        /// The whole.
        total: f64,
    },
}

/// Sums of decimal fractions are off by less.
const ROUNDING: f64 = 1e-6;

impl fmt::Display for InvalidSample {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoShare(ratio) => {
                write!(f, "expected a ratio from 0 to 1, found {ratio}")?;
                if (1.0..=100.0).contains(ratio) {
                    f.write_str("; of a percentage write `… / 100`")?;
                }
                Ok(())
            }
            Self::PartOfLess { part, total } => {
                write!(f, "expected a part of the total {total}, found {part}")
            }
        }
    }
}

impl std::error::Error for InvalidSample {}

impl Operator {
    /// Whether a number stands so to a value.
    #[must_use]
    pub fn holds(self, number: f64, value: f64) -> bool {
        match self {
            Self::AtMost => number <= value,
            Self::Below => number < value,
            Self::AtLeast => number >= value,
            Self::Above => number > value,
        }
    }

    /// As PromQL has it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::AtMost => "<=",
            Self::Below => "<",
            Self::AtLeast => ">=",
            Self::Above => ">",
        }
    }
}

impl Sample {
    /// What is asked for: one number, or two.
    #[must_use]
    pub fn queries(&self) -> Vec<&Arc<str>> {
        match self {
            Self::Ratio { counted: Counted::Good(query) | Counted::Bad(query), total } => {
                vec![query, total]
            }
            Self::Raw(Counted::Good(query) | Counted::Bad(query))
            | Self::Threshold { query, .. } => vec![query],
        }
    }

    /// The share of the sample that is bad, of the answers in the order of [`Self::queries`]. `None`
    /// where an answer is missing, and where there was nothing to be good or bad: a total of 0.
    ///
    /// # Errors
    /// Where the numbers cannot be what was asked for.
    ///
    /// ```
    /// use model::slo::{Counted, Operator, Sample};
    ///
    /// let fast = Sample::Threshold { query: "p99".into(), op: Operator::AtMost, value: 0.3 };
    /// assert_eq!(fast.bad_ratio(&[Some(0.2)]), Ok(Some(0.0)));
    /// assert_eq!(fast.bad_ratio(&[Some(0.4)]), Ok(Some(1.0)));
    /// assert_eq!(fast.bad_ratio(&[None]), Ok(None));
    /// let success = Sample::Raw(Counted::Good("ratio".into()));
    /// assert_eq!(success.bad_ratio(&[Some(0.75)]), Ok(Some(0.25)));
    /// ```
    pub fn bad_ratio(&self, answers: &[Option<f64>]) -> Result<Option<f64>, InvalidSample> {
        let Some(numbers) = answers.iter().copied().collect::<Option<Vec<f64>>>() else {
            return Ok(None);
        };
        let (counted, ratio) = match (self, numbers.as_slice()) {
            (Self::Threshold { op, value, .. }, [number]) => {
                return Ok(Some(f64::from(!op.holds(*number, *value))));
            }
            (Self::Raw(counted), [ratio]) => (counted, *ratio),
            (Self::Ratio { counted, .. }, [part, total]) => {
                if *total == 0.0 {
                    return Ok(None);
                }
                let (part, total) = (*part, *total);
                if !(0.0..=total * (1.0 + ROUNDING)).contains(&part) {
                    return Err(InvalidSample::PartOfLess { part, total });
                }
                (counted, part / total)
            }
            _ => return Ok(None),
        };
        if !(-ROUNDING..=1.0 + ROUNDING).contains(&ratio) {
            return Err(InvalidSample::NoShare(ratio));
        }
        let ratio = ratio.clamp(0.0, 1.0);
        Ok(Some(match counted {
            Counted::Good(_) => 1.0 - ratio,
            Counted::Bad(_) => ratio,
        }))
    }
}

/// Makes [`PARTS`] counts of each ratio. What rounding leaves goes to the next, so that the sum is
/// right however small each is.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Parts {
    carry: f64,
}

impl Parts {
    /// One whole, of which this share is bad.
    pub fn of(&mut self, bad_ratio: f64) -> Counts {
        let exact = bad_ratio * PARTS as f64 + self.carry;
        // Within 0 and the whole, so it fits.
        let bad = exact.round().clamp(0.0, PARTS as f64);
        self.carry = exact - bad;
        Counts { good: PARTS - bad as u64, bad: bad as u64 }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn good() -> Counted {
        Counted::Good("good".into())
    }

    fn ratio(counted: Counted) -> Sample {
        Sample::Ratio { counted, total: "total".into() }
    }

    #[test]
    fn each_operator_keeps_to_its_border() {
        for (op, holds) in [
            (Operator::AtMost, [true, true, false]),
            (Operator::Below, [true, false, false]),
            (Operator::AtLeast, [false, true, true]),
            (Operator::Above, [false, false, true]),
        ] {
            let found = [0.2, 0.3, 0.4].map(|number| op.holds(number, 0.3));
            assert_eq!(found, holds, "{}", op.as_str());
        }
    }

    #[test]
    fn a_part_of_nothing_is_neither_good_nor_bad() {
        assert_eq!(ratio(good()).bad_ratio(&[Some(0.0), Some(0.0)]), Ok(None));
        assert_eq!(ratio(good()).bad_ratio(&[Some(9.0), None]), Ok(None));
        assert_eq!(ratio(good()).bad_ratio(&[Some(9.0), Some(12.0)]), Ok(Some(0.25)));
        let bad = Counted::Bad("bad".into());
        assert_eq!(ratio(bad).bad_ratio(&[Some(0.0), Some(12.0)]), Ok(Some(0.0)));
    }

    #[test]
    fn what_is_no_ratio_says_what_was_expected() {
        for (sample, answers, says) in [
            (Sample::Raw(good()), vec![Some(97.5)], "from 0 to 1, found 97.5; of a percentage"),
            (Sample::Raw(good()), vec![Some(-0.5)], "from 0 to 1, found -0.5"),
            (ratio(good()), vec![Some(13.0), Some(12.0)], "a part of the total 12, found 13"),
            (ratio(good()), vec![Some(1.0), Some(-1.0)], "a part of the total -1, found 1"),
        ] {
            let error = sample.bad_ratio(&answers).unwrap_err().to_string();
            assert!(error.contains(says), "{error}");
        }
        let rounded = Sample::Raw(good()).bad_ratio(&[Some(1.000_000_000_2)]);
        assert_eq!(rounded, Ok(Some(0.0)));
    }

    proptest! {
        #[test]
        fn parts_add_up_to_what_they_are_of(
            ratios in prop::collection::vec(0.0_f64..=1.0, 1..200),
        ) {
            let mut parts = Parts::default();
            let sum = ratios.iter().fold(Counts::NONE, |sum, ratio| sum + parts.of(*ratio));
            let exact = ratios.iter().sum::<f64>() * PARTS as f64;
            prop_assert_eq!(sum.total(), ratios.len() as u64 * PARTS);
            prop_assert!((sum.bad as f64 - exact).abs() <= 1.0, "{} {}", sum.bad, exact);
        }
    }

    #[test]
    fn a_share_below_a_part_counts_in_the_end() {
        let mut parts = Parts::default();
        let bad: u64 = (0..1_000_000).map(|_| parts.of(1e-6).bad).sum();
        assert_eq!(bad, PARTS);
    }
}
