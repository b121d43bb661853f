//! What a schedule is: a program that uses scopes, and what is done to it from outside. It is data,
//! so that it can be printed and made smaller.

use rearguard::{Outcome, Overrun};

/// A program, and how it is driven.
#[derive(Clone, Debug)]
pub(crate) struct Schedule {
    pub(crate) root: ScopeProgram,
    pub(crate) drive: Drive,
    pub(crate) threads: Threads,
    /// How many scopes the reaper may hold.
    pub(crate) capacity: Option<usize>,
    pub(crate) observer: ObserverDoes,
    /// When what the program still holds is given back.
    pub(crate) held_until: HeldUntil,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Threads {
    /// One, whose clock is paused.
    One,
    /// Two, and the real clock.
    Two,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ObserverDoes {
    Return,
    Panic,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum HeldUntil {
    /// The program has ended.
    Ended,
    /// The runtime is gone.
    RuntimeGone,
}

/// What is done to the program.
#[derive(Clone, Debug)]
pub(crate) enum Drive {
    ToEnd,
    DroppedAfter(usize),
    Timeout(u64),
    /// It loses against this.
    Selected(Wait),
    /// It is a task, which is aborted after this.
    Aborted(Wait),
    /// It is a task, and its runtime is dropped after this.
    RuntimeDropped(Wait),
    /// It is polled so often, and then dropped where there is no runtime.
    DroppedOutside {
        polls: usize,
    },
    /// It is polled so often, and then dropped in another runtime, when its own is gone.
    DroppedElsewhere {
        polls: usize,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wait {
    Yield(u8),
    /// Milliseconds.
    Sleep(u64),
    Hang,
}

/// A scope and what is done in it.
#[derive(Clone, Debug)]
pub(crate) struct ScopeProgram {
    pub(crate) face: Face,
    pub(crate) bounds: Bounds,
    pub(crate) steps: Vec<Step>,
    pub(crate) end: End,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Face {
    /// `scope_async`.
    Body,
    /// `OwnedScope::run`.
    Run,
    /// `OwnedScope::end`.
    Owned,
}

/// In milliseconds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    pub(crate) deadline: Option<u64>,
    pub(crate) cleanup: Option<u64>,
    pub(crate) each: Option<u64>,
    pub(crate) overrun: Overrun,
    pub(crate) timed: Timed,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Timed {
    No,
    Yes,
}

/// How a body, a cleanup, a task or an acquisition ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    Well,
    Error,
    Panic,
}

#[derive(Clone, Debug)]
pub(crate) enum Step {
    Register {
        kind: Kind,
        site: usize,
        cleanup: Cleanup,
    },
    Hold {
        cleanup: Cleanup,
        fate: Fate,
    },
    Acquire {
        get: Vec<Wait>,
        end: End,
        polls: Option<usize>,
        cleanup: Cleanup,
        fate: Fate,
    },
    /// A scope made part of this one; only its registrations count.
    Adopt(ScopeProgram),
    Nested(ScopeProgram),
    Spawn {
        task: Task,
        awaited: Awaited,
    },
    /// A task that is not the scope's, and knows a handle.
    Foreign {
        waits: Vec<Wait>,
        cleanup: Cleanup,
    },
    Disarm {
        which: usize,
    },
    /// Awaited to its end, or dropped after so many polls.
    RunNow {
        which: usize,
        polls: Option<usize>,
    },
    /// To another scope, and what becomes of that one.
    Transfer {
        which: usize,
        fate: SideFate,
    },
    Wait(Wait),
}

/// How a cleanup is registered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Defer,
    DeferWith,
    OnSuccess,
    OnFailure,
    OnCancel,
    Keyed,
    Handle,
    HandleWith,
}

impl Kind {
    pub(crate) const ALL: [Self; 8] = [
        Self::Defer,
        Self::DeferWith,
        Self::OnSuccess,
        Self::OnFailure,
        Self::OnCancel,
        Self::Keyed,
        Self::Handle,
        Self::HandleWith,
    ];

    /// Whether a cleanup of this kind has anything to do.
    pub(crate) fn applies(self, outcome: Outcome) -> bool {
        match self {
            Self::OnSuccess => outcome == Outcome::Succeeded,
            Self::OnFailure => outcome != Outcome::Succeeded,
            Self::OnCancel => outcome == Outcome::Cancelled,
            _ => true,
        }
    }

    /// Whether it is made when it begins.
    pub(crate) fn is_made(self) -> bool {
        matches!(self, Self::DeferWith | Self::HandleWith)
    }
}

/// What becomes of something held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    DroppedAtOnce,
    DroppedWithBody,
    Taken,
    /// It outlives the scope.
    Kept,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SideFate {
    Ended,
    Dropped,
    Adopted,
}

#[derive(Clone, Debug)]
pub(crate) struct Task {
    pub(crate) waits: Vec<Wait>,
    /// Registered by a handle.
    pub(crate) cleanup: Option<Cleanup>,
    pub(crate) end: End,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Awaited {
    No,
    Yes,
}

#[derive(Clone, Debug)]
pub(crate) struct Cleanup {
    pub(crate) size: Size,
    pub(crate) waits: Vec<Wait>,
    pub(crate) end: End,
    /// Panics when it is made, or when it is dropped.
    pub(crate) panics: Panics,
    /// Registered by a handle when this one has waited.
    pub(crate) more: Option<Box<Cleanup>>,
    /// Run when this one has waited.
    pub(crate) nested: Option<Box<ScopeProgram>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Panics {
    No,
    Made,
    Dropped,
}

/// How large a cleanup's capture is, or how aligned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Size {
    Small,
    Words,
    Large,
    /// Larger than the block that a running cleanup gets.
    Oversized,
    Align16,
    Align64,
}

impl Schedule {
    /// What differs from this one in that something is left out.
    pub(crate) fn smaller(&self) -> Vec<Self> {
        let mut all = Vec::new();
        if !matches!(self.drive, Drive::ToEnd) {
            all.push(Self { drive: Drive::ToEnd, ..self.clone() });
        }
        if self.capacity.is_some() || self.observer == ObserverDoes::Panic {
            all.push(Self { capacity: None, observer: ObserverDoes::Return, ..self.clone() });
        }
        all.extend(self.root.smaller().into_iter().map(|root| Self { root, ..self.clone() }));
        all
    }
}

impl ScopeProgram {
    fn smaller(&self) -> Vec<Self> {
        let mut all = Vec::new();
        for index in 0..self.steps.len() {
            let mut program = self.clone();
            program.steps.remove(index);
            all.push(program);
        }
        for (index, step) in self.steps.iter().enumerate() {
            for smaller in step.smaller() {
                let mut program = self.clone();
                program.steps[index] = smaller;
                all.push(program);
            }
        }
        if self.end != End::Well {
            all.push(Self { end: End::Well, ..self.clone() });
        }
        all
    }
}

impl Step {
    fn smaller(&self) -> Vec<Self> {
        match self {
            Self::Register { kind, site, cleanup } => cleanup
                .smaller()
                .into_iter()
                .map(|cleanup| Self::Register { kind: *kind, site: *site, cleanup })
                .collect(),
            Self::Hold { cleanup, fate } => cleanup
                .smaller()
                .into_iter()
                .map(|cleanup| Self::Hold { cleanup, fate: *fate })
                .collect(),
            Self::Adopt(program) => program.smaller().into_iter().map(Self::Adopt).collect(),
            Self::Nested(program) => program.smaller().into_iter().map(Self::Nested).collect(),
            _ => Vec::new(),
        }
    }
}

impl Cleanup {
    fn smaller(&self) -> Vec<Self> {
        let mut all = Vec::new();
        if !self.waits.is_empty() {
            all.push(Self { waits: self.waits[1..].to_vec(), ..self.clone() });
        }
        if self.end != End::Well {
            all.push(Self { end: End::Well, ..self.clone() });
        }
        if self.panics != Panics::No {
            all.push(Self { panics: Panics::No, ..self.clone() });
        }
        if self.more.is_some() {
            all.push(Self { more: None, ..self.clone() });
        }
        if let Some(nested) = &self.nested {
            all.push(Self { nested: None, ..self.clone() });
            all.extend(
                nested
                    .smaller()
                    .into_iter()
                    .map(|nested| Self { nested: Some(Box::new(nested)), ..self.clone() }),
            );
        }
        if self.size != Size::Small {
            all.push(Self { size: Size::Small, ..self.clone() });
        }
        all
    }
}
