//! A place in the program, as a person looks it up.

use std::fmt;

use super::{Frame, join::Join, symbol};

/// A line of a function.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Place {
    /// The function: `pay.(*Server).Charge`.
    pub function: String,
    /// The file: as the source was given, else as the profile has it.
    pub path: String,
    /// The line, from 1; 0 where it is not known.
    pub line: u32,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({}:{})", self.function, self.path, self.line)
    }
}

impl Place {
    pub(super) fn of(join: &mut Join<'_>, frame: Frame) -> Self {
        let function = join.profile.function(frame);
        let path = join.found(frame).map_or(function.file.as_str(), |found| found.path);
        Self {
            function: symbol::short(&function.name).to_owned(),
            path: path.to_owned(),
            line: frame.line,
        }
    }

    /// The innermost call of a stack that is not the standard library's; else the innermost that is
    /// not the runtime's, else the innermost.
    pub(super) fn innermost(join: &mut Join<'_>, stack: &[Frame]) -> Option<Self> {
        let frame = innermost_own(join, stack)?;
        Some(Self::of(join, frame))
    }
}

fn innermost_own(join: &Join<'_>, stack: &[Frame]) -> Option<Frame> {
    let first = |is_passed_over: fn(&str) -> bool| {
        stack.iter().find(|frame| !is_passed_over(join.symbol(**frame)))
    };
    first(symbol::is_standard).or_else(|| first(symbol::is_runtime)).or(stack.first()).copied()
}
