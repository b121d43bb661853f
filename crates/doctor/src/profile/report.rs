//! What a profile says, all of it, as data; `text` and `json` print it.

mod json;
mod text;

use super::{
    Kind, Profile, SourceIndex,
    blocked::{Blocked, blocked},
    cleanup::{Cleanup, cleanup},
    data::ValueType,
    growth::{Grown, growth},
    join::Join,
    lock_holders::{ContendedLock, contended},
    rank::{Ranked, rank},
    summary::{Row, bookkeeping, by_function},
};
use crate::finding::Finding;

/// What is asked about a profile.
#[derive(Clone, Copy, Debug)]
pub struct Question<'a> {
    /// The profile.
    pub profile: &'a Profile,
    /// The source that it was built from.
    pub source: Option<&'a SourceIndex>,
    /// An earlier profile of the same kind.
    pub base: Option<&'a Profile>,
    /// What the rules found in the source, each with its file.
    pub findings: &'a [(String, Finding)],
}

/// What a profile says.
#[derive(Clone, Debug)]
pub struct Report<'a> {
    /// What was sampled.
    pub kind: Kind,
    /// The same in words.
    pub heading: String,
    /// What is counted.
    pub value: ValueType,
    /// All of it.
    pub total: i64,
    /// Whether there is a source to tell deferred calls by.
    pub has_source: bool,
    /// How many different stacks there are.
    pub samples: usize,
    /// What functions cost, the largest flat value first.
    pub functions: Vec<Row>,
    /// What was counted in defer bookkeeping.
    pub bookkeeping: i64,
    /// What was counted in deferred calls.
    pub cleanup: Cleanup,
    /// Goroutines that wait, those in deferred calls first; for profiles of goroutines.
    pub blocked: Vec<Blocked>,
    /// Locks that goroutines wait for; likewise.
    pub locks: Vec<ContendedLock>,
    /// What grew since the earlier profile.
    pub growth: Option<Vec<Grown>>,
    /// The findings, those first that hurt now.
    pub findings: Vec<Ranked<'a>>,
    /// What the reader has to know about the numbers.
    pub notes: Vec<String>,
}

impl<'a> Report<'a> {
    /// Works everything out.
    #[must_use]
    pub fn new(question: &Question<'a>) -> Self {
        let Question { profile, source, base, findings } = *question;
        let mut join = Join::new(profile, source);
        let (mut waiting, mut locks) = (Vec::new(), Vec::new());
        if profile.kind.counts_goroutines() {
            waiting = blocked(&mut join);
            locks = contended(&mut join);
        }
        let ranked = source
            .map(|source| rank(findings, source, profile, &waiting, &locks))
            .unwrap_or_default();
        Self {
            kind: profile.kind,
            heading: profile.heading(),
            value: profile.values[profile.shown].clone(),
            total: profile.total(),
            has_source: source.is_some(),
            samples: profile.samples.len(),
            functions: by_function(profile),
            bookkeeping: bookkeeping(profile),
            cleanup: cleanup(&mut join),
            blocked: waiting,
            locks,
            growth: base.map(|base| growth(base, profile, source)),
            findings: ranked,
            notes: notes(profile, &mut join),
        }
    }

    /// Goroutines that wait in a deferred call.
    pub fn blocked_in_cleanup(&self) -> impl Iterator<Item = &Blocked> {
        self.blocked.iter().filter(|group| group.cleanup.is_some())
    }
}

/// What limits the numbers.
fn notes(profile: &Profile, join: &mut Join<'_>) -> Vec<String> {
    let mut notes = Vec::new();
    if !join.has_source() {
        notes.push(
            "without --source only deferred calls under a panic are known as such".to_owned(),
        );
    } else if let Some(note) = note_about_source(profile, join) {
        notes.push(note);
    }
    if profile.samples.is_empty() && profile.values.iter().any(|it| it.name == "contentions") {
        notes.push(
            "nothing was sampled: a service samples waiting once it has called \
             runtime.SetMutexProfileFraction or runtime.SetBlockProfileRate"
                .to_owned(),
        );
    }
    if profile.kind == Kind::Cpu {
        notes.push(
            "a CPU profile leaves waiting out: goroutine profiles show what is blocked".to_owned(),
        );
    }
    if profile.kind == Kind::GoroutineLeak {
        notes.push(
            "goroutineleak finds goroutines that wait for what nothing can reach; those that wait \
             for a package's variable, a held mutex or a timer are not among them"
                .to_owned(),
        );
    }
    if profile.kind.counts_goroutines()
        && profile.samples.iter().any(|it| it.wait == super::Wait::Unknown)
    {
        notes.push(
            "this dump does not say what goroutines wait for; debug=2 does, and for how long"
                .to_owned(),
        );
    }
    notes
}

/// How many of the program's own functions the source has.
fn note_about_source(profile: &Profile, join: &mut Join<'_>) -> Option<String> {
    let mut own = std::collections::HashMap::new();
    for frame in profile.samples.iter().flat_map(|sample| &sample.stack) {
        if !super::symbol::is_standard(join.symbol(*frame)) && !own.contains_key(&frame.function) {
            own.insert(frame.function, join.found(*frame).is_some());
        }
    }
    let found = own.values().filter(|found| **found).count();
    (found < own.len()).then(|| {
        format!(
            "the source has {found} of the {} functions outside the standard library; the others are \
             of modules that were not given, or have changed since",
            own.len()
        )
    })
}
