//! What is made of the numbers of several rounds.

/// The middle value; of an even number of values, the mean of the two in the middle. 0 for none.
pub(super) fn median(values: impl IntoIterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.into_iter().collect();
    values.sort_by(f64::total_cmp);
    match (values.len() / 2, values.len() % 2) {
        (0, 0) => 0.0,
        (middle, 0) => f64::midpoint(values[middle - 1], values[middle]),
        (middle, _) => values[middle],
    }
}

/// The least and the greatest value.
pub(super) fn range(values: impl IntoIterator<Item = f64>) -> (f64, f64) {
    let begin = (f64::INFINITY, f64::NEG_INFINITY);
    values.into_iter().fold(begin, |(least, most), value| (least.min(value), most.max(value)))
}

#[cfg(test)]
mod tests {
    use super::{median, range};

    #[test]
    fn the_median_is_the_middle_or_the_mean_of_the_two_beside_it() {
        assert_eq!(median([]), 0.0);
        assert_eq!(median([3.0]), 3.0);
        assert_eq!(median([9.0, 1.0, 2.0]), 2.0);
        assert_eq!(median([4.0, 1.0, 2.0, 9.0]), 3.0);
    }

    #[test]
    fn the_range_spans_all_values() {
        assert_eq!(range([2.0, 9.0, 1.0]), (1.0, 9.0));
    }
}
