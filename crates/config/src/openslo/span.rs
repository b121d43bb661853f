//! OpenSLO's duration shorthand: a whole number and a unit, `5m`, `1h`, `28d`, `1w`, and for calendar
//! windows `1M`, `1Q`, `1Y`.

use std::time::Duration;

/// The seconds of units that always have as many.
const FIXED: [(char, u64); 5] = [('s', 1), ('m', 60), ('h', 3_600), ('d', 86_400), ('w', 604_800)];

/// Reads one; `None` where it is none, or of a unit whose length differs.
pub(super) fn parse(text: &str) -> Option<Duration> {
    let unit = text.chars().last()?;
    let number: u64 = text[..text.len() - unit.len_utf8()].parse().ok()?;
    let (_, seconds) = FIXED.iter().find(|(name, _)| *name == unit)?;
    number.checked_mul(*seconds).filter(|seconds| *seconds > 0).map(Duration::from_secs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_and_a_unit_are_read() {
        for (text, seconds) in
            [("30s", 30), ("5m", 300), ("1h", 3_600), ("28d", 2_419_200), ("1w", 604_800)]
        {
            assert_eq!(parse(text), Some(Duration::from_secs(seconds)), "{text}");
        }
        for text in ["", "m", "0d", "1M", "1.5h", "-1d", "1 d", "99999999999999999999d"] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
