//! Which calls on a stack are deferred calls.
//!
//! Deferred calls run where their function ends, and the compiler gives that place the line of the
//! closing brace, or of the `return` that is taken. So a callee whose caller stands on one of these
//! lines is a deferred call, unless something else is called on that line too: then its name must be
//! among the function's defers, and not among the other calls.
//!
//! Under a panic the runtime calls them itself, and then no source is needed. Once the panic is
//! recovered, the others run from a place that the compiler gives the line of whatever it wrote last:
//! any line, so that the name decides again.

use std::collections::HashMap;

use super::{
    Frame, Profile, SourceIndex,
    source::{Deferred, Found},
    symbol,
};

/// The runtime's functions that call what was deferred.
const CALLS_DEFERRED: &[&str] = &[
    "runtime.gopanic",
    "runtime.Goexit",
    "runtime.deferreturn",
    "runtime.deferCallSave",
    "runtime.runOpenDeferFrame",
];

/// A deferred call on a stack.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct DeferredCall {
    /// The index of the callee's frame; what is below it runs in the cleanup.
    pub(super) at: usize,
    /// The `defer` statement, where the source has it.
    pub(super) site: Option<Site>,
    /// Whether a panic runs it.
    pub(super) by_panic: bool,
}

/// A `defer` statement.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Site {
    /// The file, as the source was given.
    pub path: String,
    /// The line of `defer`.
    pub line: u32,
    /// What is deferred, as it is written: `rows.Close`.
    pub text: String,
}

/// A profile beside its source.
#[derive(Debug)]
pub(super) struct Join<'a> {
    pub(super) profile: &'a Profile,
    source: Option<&'a SourceIndex>,
    known: HashMap<Frame, Option<Found<'a>>>,
}

impl<'a> Join<'a> {
    pub(super) fn new(profile: &'a Profile, source: Option<&'a SourceIndex>) -> Self {
        Self { profile, source, known: HashMap::new() }
    }

    pub(super) fn has_source(&self) -> bool {
        self.source.is_some()
    }

    pub(super) fn symbol(&self, frame: Frame) -> &'a str {
        &self.profile.function(frame).name
    }

    /// The function of a frame in the source.
    pub(super) fn found(&mut self, frame: Frame) -> Option<Found<'a>> {
        let (profile, source) = (self.profile, self.source?);
        *self.known.entry(frame).or_insert_with(|| {
            let function = profile.function(frame);
            source.find(function, frame.line)
        })
    }

    /// The outermost deferred call among the frames before `end`, which is the frame of a handler
    /// or one past the last.
    pub(super) fn deferred(&mut self, stack: &[Frame], end: usize) -> Option<DeferredCall> {
        let outermost = end.min(stack.len().checked_sub(1)?);
        (0..outermost).rev().find_map(|at| self.deferred_at(stack, at))
    }

    /// The innermost deferred call among them.
    pub(super) fn innermost_deferred(
        &mut self,
        stack: &[Frame],
        end: usize,
    ) -> Option<DeferredCall> {
        let outermost = end.min(stack.len().checked_sub(1)?);
        (0..outermost).find_map(|at| self.deferred_at(stack, at))
    }

    /// Whether the frame at `at` is called by a defer.
    pub(super) fn deferred_at(&mut self, stack: &[Frame], at: usize) -> Option<DeferredCall> {
        let (callee, caller) = (stack[at], *stack.get(at + 1)?);
        let (name, caller_name) = (self.symbol(callee), self.symbol(caller));
        if CALLS_DEFERRED.contains(&caller_name) {
            let site = || self.site_further_out(callee, &stack[at + 1..]);
            return (!symbol::is_runtime(name)).then(site).map(|site| DeferredCall {
                at,
                site,
                by_panic: caller_name == "runtime.gopanic",
            });
        }
        let literal = self.found(callee).is_some_and(|it| it.function.is_deferred);
        let Some(outer) = self.found(caller) else {
            let sure = symbol::is_defer_wrapper(name) || literal;
            return sure.then_some(DeferredCall { at, site: None, by_panic: false });
        };
        let deferred = outer.function.deferred(name, callee.line);
        let sure = symbol::is_defer_wrapper(name)
            || (literal && deferred.is_some_and(|it| it.literal.is_some()));
        if !sure && !runs_defers(outer, caller.line, name, deferred) {
            return None;
        }
        let only = match outer.function.defers.as_slice() {
            [one] => Some(one),
            _ => None,
        };
        let site = deferred.or(only).map(|deferred| site(outer, deferred));
        Some(DeferredCall { at, site, by_panic: false })
    }

    /// Under a panic the deferring function is somewhere further out.
    fn site_further_out(&mut self, callee: Frame, outer: &[Frame]) -> Option<Site> {
        let name = self.symbol(callee);
        outer.iter().find_map(|frame| {
            let found = self.found(*frame)?;
            found.function.deferred(name, callee.line).map(|deferred| site(found, deferred))
        })
    }
}

fn site(found: Found<'_>, deferred: &Deferred) -> Site {
    Site { path: found.path.to_owned(), line: deferred.line, text: deferred.text.clone() }
}

/// Whether `callee`, called by the function `outer` on `line`, can only be one of its defers.
fn runs_defers(outer: Found<'_>, line: u32, callee: &str, deferred: Option<&Deferred>) -> bool {
    let function = outer.function;
    if function.defers.is_empty() {
        return false;
    }
    let leaves = line == function.closing_line || function.return_lines.contains(&line);
    let mut called = function.calls_on(line);
    if leaves && called.next().is_none() {
        // What the runtime does there, such as returning an interface, is not deferred.
        return !symbol::is_runtime(callee) || deferred.is_some();
    }
    let name = symbol::declared(callee);
    let may_run = leaves || function.recovers;
    may_run && deferred.is_some() && !function.calls_on(line).any(|called| called == name)
}
