/// What the objectives of a composite add up to, of one ratio each: how fast it burns, or how much of
/// it is used. `None` where none of them is known; one that is not known adds nothing.
///
/// A composite burns as fast as its objectives do together, each multiplied by its weight: "if SLO
/// burns its budget composite is burning its budget at the same rate. […] Weight multiplies the rate
/// of burning" (OpenSLO v1, "Notes (Composite SLO)"). So it is no mean: two objectives that each have
/// used half leave nothing.
///
/// ```
/// use model::slo::composite;
///
/// assert_eq!(composite([(1.0, Some(0.25)), (0.5, Some(0.5))]), Some(0.5));
/// assert_eq!(composite([(1.0, Some(2.0)), (3.0, None)]), Some(2.0));
/// assert_eq!(composite([(1.0, None)]), None);
/// ```
#[must_use]
pub fn composite(parts: impl IntoIterator<Item = (f64, Option<f64>)>) -> Option<f64> {
    let known = parts.into_iter().filter_map(|(weight, ratio)| Some(weight * ratio?));
    known.reduce(|sum, ratio| sum + ratio)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_composite_burns_if_any_of_its_objectives_does(
            parts in prop::collection::vec((0.01_f64..10.0, 0.0_f64..100.0), 1..8),
        ) {
            let all = composite(parts.iter().map(|(weight, burn)| (*weight, Some(*burn))));
            let all = all.unwrap();
            for (weight, burn) in parts {
                prop_assert!(all >= weight * burn - 1e-9, "{all} {weight} {burn}");
            }
        }
    }
}
