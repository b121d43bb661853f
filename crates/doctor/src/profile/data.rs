//! A profile as the rest works with it, whatever it was read from.

use std::collections::HashMap;

/// A profile.
#[derive(Clone, Debug, Default)]
pub struct Profile {
    /// What was sampled.
    pub kind: Kind,
    /// What each value of a sample counts; never empty.
    pub values: Vec<ValueType>,
    /// Which of the values is shown: the profile's own choice, else the last, as `go tool pprof` does.
    pub shown: usize,
    /// Every function that occurs, each once.
    pub functions: Vec<Function>,
    /// The samples.
    pub samples: Vec<Sample>,
    /// How long was sampled, in nanoseconds; 0 where it is not said.
    pub duration_nanos: i64,
}

/// What a profile samples.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Kind {
    /// Where processors spend their time.
    Cpu,
    /// Every goroutine, once.
    Goroutine,
    /// Goroutines that nothing can wake (Go 1.26 and later).
    GoroutineLeak,
    /// Who made others wait for a lock.
    Mutex,
    /// Who waited.
    Block,
    /// Memory in use, or allocated since the start.
    Heap,
    /// Anything else.
    #[default]
    Other,
}

impl Kind {
    /// Its name, as `/debug/pprof/` spells it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Cpu => "cpu",
            Self::Goroutine => "goroutine",
            Self::GoroutineLeak => "goroutineleak",
            Self::Mutex => "mutex",
            Self::Block => "block",
            Self::Heap => "heap",
            Self::Other => "other",
        }
    }

    /// Whether a sample stands for goroutines.
    #[must_use]
    pub const fn counts_goroutines(self) -> bool {
        matches!(self, Self::Goroutine | Self::GoroutineLeak)
    }
}

/// What a value counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ValueType {
    /// `cpu`, `inuse_space`, `goroutine` …
    pub name: String,
    /// `nanoseconds`, `bytes`, `count`
    pub unit: String,
}

/// A function.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Function {
    /// Its symbol: `example.com/shop/pay.(*Server).Charge`.
    pub name: String,
    /// Its file, as the compiler wrote it down.
    pub file: String,
    /// The line that it begins on; 0 where the profile does not say it.
    pub first_line: u32,
}

/// A call on a stack.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Frame {
    /// The index of its function in [`Profile::functions`].
    pub function: u32,
    /// The line that it stands on, from 1; 0 where it is not known.
    pub line: u32,
}

/// A stack and what was counted there.
#[derive(Clone, Debug, Default)]
pub struct Sample {
    /// What was counted, one for each of [`Profile::values`].
    pub values: Vec<i64>,
    /// The calls, the innermost first; inlined ones are calls too.
    pub stack: Vec<Frame>,
    /// Labels, as `pprof.Do` sets them.
    pub labels: Vec<(String, String)>,
    /// What a goroutine waits for.
    pub wait: Wait,
}

/// What a goroutine was doing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Wait {
    /// The profile does not say, and its stack does not either.
    #[default]
    Unknown,
    /// It runs, or could.
    Running,
    /// It waits.
    For {
        /// In the runtime's words: `chan receive`, `sync.Mutex.Lock`.
        reason: String,
        /// For so long at least, in minutes. Only dumps with `debug=2` say it, from one minute on.
        minutes: Option<u64>,
    },
}

impl Profile {
    /// The function of a frame.
    #[must_use]
    pub fn function(&self, frame: Frame) -> &Function {
        &self.functions[frame.function as usize]
    }

    /// The value of a sample that is shown.
    #[must_use]
    pub fn value(&self, sample: &Sample) -> i64 {
        sample.values.get(self.shown).copied().unwrap_or_default()
    }

    /// What it is, and which of its values is shown where that does not go without saying: "heap
    /// profile, inuse_space".
    #[must_use]
    pub fn heading(&self) -> String {
        let (kind, value) = (self.kind.as_str(), &self.values[self.shown].name);
        if kind == value { format!("{kind} profile") } else { format!("{kind} profile, {value}") }
    }

    /// All samples together. It saturates, like every sum of values here.
    #[must_use]
    pub fn total(&self) -> i64 {
        self.samples.iter().fold(0, |sum, sample| sum.saturating_add(self.value(sample)))
    }

    /// The same profile with no sample in it.
    pub(super) fn clone_without_samples(&self) -> Self {
        Self {
            values: self.values.clone(),
            functions: self.functions.clone(),
            samples: Vec::new(),
            ..*self
        }
    }

    /// Adds another profile's samples: several goroutine profiles make shares of goroutines shares of
    /// time. False, and nothing is added, where the other counts something else.
    pub fn add(&mut self, other: Self) -> bool {
        if (self.kind, &self.values) != (other.kind, &other.values) {
            return false;
        }
        let mut functions = Functions::of(std::mem::take(&mut self.functions));
        let numbers: Vec<u32> =
            other.functions.into_iter().map(|function| functions.number(function)).collect();
        self.functions = functions.into_list();
        for mut sample in other.samples {
            for frame in &mut sample.stack {
                frame.function = numbers[frame.function as usize];
            }
            self.samples.push(sample);
        }
        self.duration_nanos = self.duration_nanos.saturating_add(other.duration_nanos);
        true
    }

    /// Shows another of its values; false where it has none of this name.
    pub fn show(&mut self, name: &str) -> bool {
        let found = self.values.iter().position(|value| value.name == name);
        self.shown = found.unwrap_or(self.shown);
        found.is_some()
    }
}

/// Gives each function one number.
#[derive(Debug, Default)]
pub(super) struct Functions {
    known: HashMap<Function, u32>,
}

impl Functions {
    fn of(list: Vec<Function>) -> Self {
        let mut functions = Self::default();
        for function in list {
            functions.number(function);
        }
        functions
    }

    pub(super) fn number(&mut self, function: Function) -> u32 {
        let next = u32::try_from(self.known.len()).unwrap_or(u32::MAX);
        *self.known.entry(function).or_insert(next)
    }

    pub(super) fn into_list(self) -> Vec<Function> {
        let mut list: Vec<_> = self.known.into_iter().collect();
        list.sort_unstable_by_key(|(_, number)| *number);
        list.into_iter().map(|(function, _)| function).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::super::by_hand::{goroutines, seconds};

    #[test]
    fn profiles_of_one_kind_add_up_and_others_are_refused() {
        let mut profile = goroutines(&[&[("main.f", 1), ("main.g", 2)]]);
        assert!(profile.add(goroutines(&[&[("main.g", 2)], &[("main.h", 3), ("main.f", 1)]])));
        let names = |at: usize| -> Vec<&str> {
            let stack = profile.samples[at].stack.iter();
            stack.map(|frame| profile.function(*frame).name.as_str()).collect()
        };
        assert_eq!(profile.total(), 3);
        assert_eq!((names(1), names(2)), (vec!["main.g"], vec!["main.h", "main.f"]));
        assert!(!profile.add(seconds(&[(1, &[("main.f", 1)])])));
        assert_eq!(profile.samples.len(), 3);
    }
}
