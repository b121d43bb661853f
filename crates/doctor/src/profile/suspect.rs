//! Which goroutine serves a request that is late.
//!
//! A goroutine profile carries no URL. Labels that the service sets (`pprof.Do`) may name the request;
//! else the goroutines that serve requests and wait are looked at, and the more of them wait at one
//! place, the likelier it is this request's too.

use super::{
    Profile, Sample, SourceIndex,
    blocked::{Blocked, blocked},
    join::Join,
};

/// Where a request probably waits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Suspect {
    /// The goroutines that wait there.
    pub blocked: Blocked,
    /// How sure it is.
    pub certainty: Certainty,
}

/// How sure it is that a goroutine serves the request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Certainty {
    /// A label says so.
    Labelled {
        /// The label's key.
        key: String,
        /// What of the request it has: "trace id", "path".
        mark: String,
    },
    /// Every goroutine that serves a request and waits stands here; so many there are.
    All(i64),
    /// Most of those goroutines stand elsewhere or here, and here more than anywhere else.
    Most {
        /// How many stand here.
        here: i64,
        /// How many serve a request and wait.
        of: i64,
    },
}

impl Certainty {
    /// In words.
    #[must_use]
    pub fn sentence(&self) -> String {
        match self {
            Self::Labelled { key, mark } => {
                format!("by its pprof label {key}, which is the request's {mark}")
            }
            Self::All(1) => {
                "likely: it is the only goroutine that serves a request and waits".to_owned()
            }
            Self::All(goroutines) => {
                format!("likely: all {goroutines} goroutines that serve a request wait there")
            }
            Self::Most { here, of } => format!(
                "a guess: {here} of the {of} goroutines that serve a request and wait are there, more \
                 than anywhere else"
            ),
        }
    }
}

/// Where a request waits. `marks` are what labels may say of it, the most telling first: what it is
/// ("trace id") and its value. `None` where no goroutine that serves a request waits.
#[must_use]
pub fn suspect(
    profile: &Profile,
    source: Option<&SourceIndex>,
    marks: &[(&str, &str)],
) -> Option<Suspect> {
    let labelled = marks.iter().find_map(|mark| labelled(profile, source, *mark));
    labelled.or_else(|| most_common(profile, source))
}

fn labelled(
    profile: &Profile,
    source: Option<&SourceIndex>,
    (mark, value): (&str, &str),
) -> Option<Suspect> {
    let key = |sample: &Sample| {
        let label = sample.labels.iter().find(|(_, label)| !label.is_empty() && label == value);
        label.map(|(key, _)| key.clone())
    };
    let samples: Vec<_> =
        profile.samples.iter().filter(|sample| key(sample).is_some()).cloned().collect();
    let certainty =
        Certainty::Labelled { key: samples.first().and_then(key)?, mark: mark.to_owned() };
    let only = Profile { samples, ..profile.clone_without_samples() };
    let groups = blocked(&mut Join::new(&only, source)).into_iter();
    let blocked = groups.max_by_key(|group| (group.serves, group.goroutines))?;
    Some(Suspect { blocked, certainty })
}

fn most_common(profile: &Profile, source: Option<&SourceIndex>) -> Option<Suspect> {
    let groups = blocked(&mut Join::new(profile, source)).into_iter().filter(|it| it.serves);
    let groups: Vec<Blocked> = groups.collect();
    let of = groups.iter().fold(0_i64, |sum, group| sum.saturating_add(group.goroutines));
    let places: std::collections::HashSet<_> = groups.iter().map(|group| &group.place).collect();
    let is_one_place = places.len() == 1;
    let blocked = groups.into_iter().max_by_key(|it| (it.goroutines, it.cleanup.is_some()))?;
    let here = blocked.goroutines;
    let certainty = if is_one_place { Certainty::All(of) } else { Certainty::Most { here, of } };
    Some(Suspect { blocked, certainty })
}

#[cfg(test)]
mod tests {
    use super::{super::by_hand::goroutines, *};

    const SERVE: (&str, u32) = ("net/http.HandlerFunc.ServeHTTP", 1);

    #[test]
    fn a_label_goes_before_the_most_common_place_and_that_before_nothing() {
        let pay = [("main.pay", 7), SERVE];
        let list = [("main.list", 9), SERVE];
        let idle = [("main.worker", 3)];
        let mut profile = goroutines(&[&pay, &list, &list, &idle]);
        let marks = [("trace id", "4bf9"), ("path", "/pay")];
        let found = suspect(&profile, None, &marks).unwrap();
        assert_eq!(found.certainty, Certainty::Most { here: 2, of: 3 });
        assert_eq!(found.blocked.place.function, "main.list");
        profile.samples[0].labels = vec![("trace".to_owned(), "4bf9".to_owned())];
        let found = suspect(&profile, None, &marks).unwrap();
        assert_eq!(found.blocked.place.function, "main.pay");
        assert!(
            found.certainty.sentence().contains("label trace, which is the request's trace id")
        );
        profile.samples.drain(..3);
        assert_eq!(suspect(&profile, None, &marks), None);
    }

    #[test]
    fn where_all_wait_at_one_place_it_is_likely() {
        let pay = [("main.pay", 7), SERVE];
        let found = suspect(&goroutines(&[&pay, &pay]), None, &[]).unwrap();
        assert_eq!(found.certainty, Certainty::All(2));
        assert!(found.certainty.sentence().starts_with("likely: all 2"));
    }
}
