//! The descriptors of the process, by what they refer to.

use std::{collections::BTreeMap, fs};

use super::{
    leak::{Leak, LeakKind},
    proc::numbered,
    sockets,
};

/// How many descriptors refer to each target, as `/proc/self/fd` names targets.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Descriptors(BTreeMap<String, usize>);

/// Every runtime has these; what is registered with them has descriptors of its own.
const OF_RUNTIMES: [&str; 2] = ["anon_inode:[eventpoll]", "anon_inode:[eventfd]"];

impl Descriptors {
    pub(super) fn now() -> Self {
        let mut targets = BTreeMap::new();
        for (_, path) in numbered("fd") {
            // One is that by which the folder is read, and is closed by now.
            let Ok(target) = fs::read_link(path) else { continue };
            let target = target.to_string_lossy().into_owned();
            let of_proc = target.starts_with("/proc/") && target.ends_with("/fd");
            if !of_proc && !OF_RUNTIMES.contains(&target.as_str()) {
                *targets.entry(target).or_default() += 1;
            }
        }
        Self(targets)
    }

    /// What is open and was not then. Each runtime has a duplicate of the process's socket for
    /// signals, so a socket counts once.
    pub(super) fn since(&self, then: &Self) -> Vec<Leak> {
        let mut leaks = Vec::new();
        for (target, count) in &self.0 {
            let before = then.0.get(target).copied().unwrap_or_default();
            let is_socket = target.starts_with("socket:");
            if *count <= before || (is_socket && before > 0) {
                continue;
            }
            let what = describe(target);
            let what = match count - before {
                1 => what,
                more if is_socket => format!("{what}, {more} times"),
                more => format!("{more} of {what}"),
            };
            leaks.push(Leak::of_process(LeakKind::Descriptor, what));
        }
        leaks
    }
}

fn describe(target: &str) -> String {
    let inode = target.strip_prefix("socket:[").and_then(|rest| rest.strip_suffix(']'));
    match inode.and_then(|inode| inode.parse().ok()) {
        Some(inode) => sockets::describe(inode),
        None if target.starts_with("pipe:") => format!("an end of {target}"),
        None if target.starts_with('/') => format!("file {target}"),
        None => format!("descriptor of {target}"),
    }
}
