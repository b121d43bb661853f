//! What grew between two profiles.

use std::collections::HashMap;

use super::{Place, Profile, SourceIndex, join::Join};

/// A place at which more was counted than before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grown {
    /// Where: the innermost call that is not the standard library's.
    pub place: Place,
    /// What was counted in the earlier profile.
    pub before: i64,
    /// What was counted in the later one.
    pub after: i64,
}

impl Grown {
    /// By how much.
    #[must_use]
    pub const fn by(&self) -> i64 {
        self.after.saturating_sub(self.before)
    }
}

/// The places at which `after` counts more than `before`, the most grown first.
#[must_use]
pub fn growth(before: &Profile, after: &Profile, source: Option<&SourceIndex>) -> Vec<Grown> {
    let mut earlier = by_place(before, source);
    let mut grown: Vec<Grown> = by_place(after, source)
        .into_iter()
        .map(|(place, after)| {
            let before = earlier.remove(&place).unwrap_or_default();
            Grown { place, before, after }
        })
        .filter(|grown| grown.by() > 0)
        .collect();
    grown.sort_by(|a, b| b.by().cmp(&a.by()).then_with(|| a.place.cmp(&b.place)));
    grown
}

fn by_place(profile: &Profile, source: Option<&SourceIndex>) -> HashMap<Place, i64> {
    let mut join = Join::new(profile, source);
    let mut sums: HashMap<Place, i64> = HashMap::new();
    for sample in &profile.samples {
        if let Some(place) = Place::innermost(&mut join, &sample.stack) {
            let sum = sums.entry(place).or_default();
            *sum = sum.saturating_add(profile.value(sample));
        }
    }
    sums
}
