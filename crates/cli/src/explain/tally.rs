use std::collections::HashMap;

/// Counts texts in bounded memory: when it holds twice [`Tally::KEPT`] of them, the rarer half is
/// forgotten, and counted as such.
#[derive(Debug, Default)]
pub(super) struct Tally {
    counts: HashMap<String, u64>,
    forgotten: u64,
}

impl Tally {
    /// How many texts survive a pruning.
    const KEPT: usize = 1024;
    /// The longest text that is kept whole, in bytes.
    const LONGEST: usize = 200;

    pub(super) fn add(&mut self, text: &str) {
        let text = clip(text, Self::LONGEST);
        if let Some(count) = self.counts.get_mut(text) {
            *count += 1;
            return;
        }
        if self.counts.len() >= 2 * Self::KEPT {
            self.prune();
        }
        self.counts.insert(text.to_owned(), 1);
    }

    fn prune(&mut self) {
        let mut counts: Vec<u64> = self.counts.values().copied().collect();
        let (_, &mut least, _) = counts.select_nth_unstable_by(Self::KEPT, |a, b| b.cmp(a));
        let before: u64 = self.counts.values().sum();
        self.counts.retain(|_, count| *count > least);
        self.forgotten += before - self.counts.values().sum::<u64>();
    }

    /// The `limit` most frequent texts with their counts, ties by the alphabet.
    pub(super) fn top(&self, limit: usize) -> Vec<(&str, u64)> {
        let mut all: Vec<(&str, u64)> =
            self.counts.iter().map(|(text, &count)| (text.as_str(), count)).collect();
        all.sort_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(b.0)));
        all.truncate(limit);
        all
    }

    /// How many additions were forgotten; above 0, every count is a lower bound.
    pub(super) const fn forgotten(&self) -> u64 {
        self.forgotten
    }

    /// How many different texts there are.
    pub(super) fn len(&self) -> usize {
        self.counts.len()
    }
}

/// The beginning of `text`, at most `longest` bytes, cut between characters.
pub(super) fn clip(text: &str, longest: usize) -> &str {
    &text[..text.floor_char_boundary(longest)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_frequent_ones_survive_any_number_of_rare_ones() {
        let mut tally = Tally::default();
        for index in 0..100_000 {
            tally.add(&format!("rare {index}"));
            if index % 10 == 0 {
                tally.add("frequent");
            }
        }
        assert!(tally.len() <= 2 * Tally::KEPT);
        assert_eq!(tally.top(1), [("frequent", 10_000)]);
        let counted: u64 = tally.top(usize::MAX).iter().map(|(_, count)| count).sum();
        assert_eq!(counted + tally.forgotten(), 110_000);
    }

    #[test]
    fn the_top_is_ordered_by_count_and_then_by_text() {
        let mut tally = Tally::default();
        for text in ["b", "a", "c", "c"] {
            tally.add(text);
        }
        assert_eq!(tally.top(2), [("c", 2), ("a", 1)]);
        assert_eq!(tally.forgotten(), 0);
    }

    #[test]
    fn texts_are_cut_between_characters() {
        assert_eq!(clip("naïve", 3), "na");
        assert_eq!(clip("naïve", 4), "naï");
        assert_eq!(clip("a", 9), "a");
    }
}
