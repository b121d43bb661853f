//! Locks that functions take, and which of them a function holds at a line.

use super::SourceFunction;

/// A lock or an unlock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in super::super) struct LockUse {
    /// Its line.
    pub(in super::super) line: u32,
    /// Which lock: folder, type and field (`pay: Server.mu`), a variable of the package, or a
    /// variable of one function.
    pub(in super::super) key: String,
    /// As it is written: `s.mu`.
    pub(in super::super) text: String,
    /// What is done to it.
    pub(in super::super) kind: LockKind,
    /// Whether it is deferred.
    pub(in super::super) is_deferred: bool,
    /// The last line that it says anything about: the end of a block that is left for good
    /// (`if bad { mu.Unlock(); return }`), else that of the function.
    pub(in super::super) until: u32,
}

/// What is done to a lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LockKind {
    /// `Lock`
    Lock,
    /// `RLock`
    ReadLock,
    /// `Unlock`
    Unlock,
    /// `RUnlock`
    ReadUnlock,
}

impl LockKind {
    /// The method that does it.
    #[must_use]
    pub fn of_method(name: &str) -> Option<Self> {
        Some(match name {
            "Lock" => Self::Lock,
            "RLock" => Self::ReadLock,
            "Unlock" => Self::Unlock,
            "RUnlock" => Self::ReadUnlock,
            _ => return None,
        })
    }

    /// Whether it takes the lock.
    #[must_use]
    pub const fn takes(self) -> bool {
        matches!(self, Self::Lock | Self::ReadLock)
    }
}

impl SourceFunction {
    /// The locks that it holds while it stands at a line, read in the order of the text: taken
    /// before, and not given back before.
    ///
    /// A deferred unlock holds to the end. On the closing line deferred calls run, the last first:
    /// `running` is the line of the defer statement that runs there; those deferred after it have
    /// run.
    pub(in super::super) fn held_at(&self, line: u32, running: Option<u32>) -> Vec<&LockUse> {
        let mut held: Vec<&LockUse> = Vec::new();
        for lock in self.locks.iter().filter(|lock| lock.line < line && line <= lock.until) {
            if lock.kind.takes() {
                if !lock.is_deferred {
                    held.push(lock);
                }
            } else if !lock.is_deferred {
                held.retain(|taken| taken.key != lock.key);
            }
        }
        if let Some(running) = running {
            let has_run = |taken: &&LockUse| {
                let mut deferred = self.locks.iter().filter(|lock| lock.is_deferred);
                deferred.any(|lock| lock.key == taken.key && lock.line > running)
            };
            held.retain(|taken| !has_run(taken));
        }
        held
    }

    /// The lock that is taken on a line.
    pub(in super::super) fn lock_taken_on(&self, line: u32) -> Option<&LockUse> {
        self.locks.iter().find(|lock| lock.line == line && lock.kind.takes())
    }
}
