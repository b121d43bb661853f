//! Goroutines: which are blocked in cleanup, who holds a lock, what leaks, what grew.

use std::collections::BTreeMap;

use doctor::profile::{Blocked, Kind, Report, growth};

use crate::go::{Build, line_of, listed, profile, report, run, source};

/// The program blocks so many goroutines in each of its shapes.
const EACH: i64 = 5;

/// Its shapes that block in cleanup, as its own source lists them, and the line of the `defer`.
fn in_cleanup() -> BTreeMap<String, u32> {
    let shapes = listed("shapes.go", "moreInCleanup");
    let mut all: BTreeMap<_, _> = shapes
        .into_iter()
        .map(|name| {
            let line = line_of("shapes.go", &format!("// {name}\n"));
            (format!("main.{name}"), line)
        })
        .collect();
    let first = listed("blocked.go", "inCleanup").into_iter();
    all.extend(first.map(|name| {
        let line = line_of("blocked.go", &format!("// {name}\n"));
        (format!("main.{name}"), line)
    }));
    all
}

/// Its shapes that block elsewhere.
fn in_body() -> Vec<String> {
    let mut all = listed("blocked.go", "inBody");
    all.extend(listed("shapes.go", "moreInBody"));
    all
}

fn by_handler<'r>(groups: impl Iterator<Item = &'r Blocked>) -> BTreeMap<&'r str, i64> {
    let mut counts = BTreeMap::new();
    for group in groups {
        *counts.entry(group.handler.as_str()).or_default() += group.goroutines;
    }
    counts
}

fn check_blocked(report: &Report<'_>) {
    let expected = in_cleanup();
    let counts: BTreeMap<&str, i64> = expected.keys().map(|name| (name.as_str(), EACH)).collect();
    assert_eq!(by_handler(report.blocked_in_cleanup()), counts, "{report}");
    for group in report.blocked_in_cleanup() {
        let site = group.cleanup.as_ref().unwrap().site.as_ref();
        let site = site.unwrap_or_else(|| panic!("no defer for {group:?}"));
        assert_eq!(site.line, expected[&group.handler], "{group:?}");
    }
    let others = by_handler(report.blocked.iter().filter(|group| group.cleanup.is_none()));
    for name in in_body() {
        // One of them is the literal that a shape starts.
        let found = others.iter().find(|(handler, _)| handler.split('.').nth(1) == Some(&*name));
        assert_eq!(found.map(|(_, count)| *count), Some(EACH), "{name}: {report}");
    }
}

#[test]
fn every_goroutine_blocked_in_cleanup_is_named_in_every_form_of_the_profile() {
    for build in [Build::Optimised, Build::Plain] {
        check_build(build);
    }
}

fn check_build(build: Build) {
    let folder = run(build, "blocked", "blocked", &[]);
    let source = source();
    for file in ["blocked.pb", "blocked.1.txt", "blocked.2.txt"] {
        let profile = profile(&folder.join(file));
        let report = report(&profile, &source);
        check_blocked(&report);
        let panicked = report.blocked.iter().find(|it| it.handler == "main.underPanic").unwrap();
        assert!(panicked.cleanup.as_ref().unwrap().by_panic, "{file}: {panicked:?}");
        if file != "blocked.1.txt" {
            let group = report.blocked.iter().find(|it| it.handler == "main.waitGroup").unwrap();
            assert_eq!(group.reason, "sync.WaitGroup.Wait", "{file}");
            let group =
                report.blocked.iter().find(|it| it.handler == "main.withArguments").unwrap();
            assert_eq!(group.reason, "chan send", "{file}");
            let line = line_of("blocked.go", "c.done <- n");
            assert_eq!((group.place.path.as_str(), group.place.line), ("blocked.go", line));
        }
    }
}

#[test]
fn the_holder_of_a_lock_is_found_through_the_source() {
    let folder = run(Build::Optimised, "lock", "lock", &[]);
    let source = source();
    for file in ["lock.pb", "lock.1.txt", "lock.2.txt"] {
        let profile = profile(&folder.join(file));
        let report = report(&profile, &source);
        let [lock] = report.locks.as_slice() else { panic!("{file}: {report}") };
        assert_eq!((lock.lock.as_str(), lock.waiters), ("main.account.mu", 20), "{file}");
        let [holder] = lock.holders.as_slice() else { panic!("{file}: {report}") };
        assert_eq!(
            (holder.taken.function.as_str(), holder.goroutines),
            ("main.(*account).deposit", 1)
        );
        assert_eq!(holder.stands.line, holder.taken.line + 2, "{file}: {holder:?}");
        if file != "lock.1.txt" {
            assert_eq!(holder.reason.as_deref(), Some("chan receive"), "{file}");
        }
    }
}

#[test]
fn goroutines_that_nothing_can_wake_are_counted_where_they_wait() {
    let folder = run(Build::Optimised, "leak", "leak", &[]);
    if !folder.join("leak.pb").exists() {
        // This version of Go has no such profile.
        return;
    }
    let source = source();
    for file in ["leak.pb", "leak.1.txt"] {
        let profile = profile(&folder.join(file));
        assert_eq!(profile.kind, Kind::GoroutineLeak, "{file}");
        let report = report(&profile, &source);
        let [group] = report.blocked.as_slice() else { panic!("{file}: {report}") };
        let line = line_of("leak.go", "answers <- 1");
        assert_eq!((group.goroutines, group.place.line), (7, line), "{file}: {report}");
    }
}

#[test]
fn what_grew_between_two_profiles_is_ranked_by_how_much() {
    let folder = run(Build::Optimised, "growth", "growth", &[]);
    let source = source();
    let grown = |before: &str, after: &str| {
        let (before, after) = (profile(&folder.join(before)), profile(&folder.join(after)));
        growth(&before, &after, Some(&source))
    };
    for end in ["pb", "1.txt", "2.txt"] {
        let grown = grown(&format!("before.{end}"), &format!("after.{end}"));
        let first = &grown[0];
        assert_eq!(first.place.function, "main.waitForever", "{end}: {grown:?}");
        assert_eq!((first.before, first.after), (2, 42), "{end}: {grown:?}");
    }
    let grown = grown("before.heap.pb", "after.heap.pb");
    assert_eq!(grown[0].place.function, "main.keep", "{grown:?}");
    // The slice that keeps the chunks grows too.
    assert!((40 << 20..41 << 20).contains(&grown[0].by()), "{grown:?}");
}

#[test]
fn who_waits_and_who_made_others_wait_are_told_apart_and_waiting_in_cleanup_has_its_defer() {
    let folder = run(Build::Optimised, "contend", "contend", &[]);
    let source = source();
    let mutex = profile(&folder.join("mutex.pb"));
    assert_eq!((mutex.kind, mutex.values[mutex.shown].name.as_str()), (Kind::Mutex, "delay"));
    let block = profile(&folder.join("block.pb"));
    assert_eq!(block.kind, Kind::Block);
    let report = report(&block, &source);
    let handlers = report.cleanup.handlers.iter();
    let sites: Vec<_> = handlers.flat_map(|handler| &handler.sites).collect();
    let [(site, _)] = sites.as_slice() else { panic!("{report}") };
    let line = line_of("contend.go", "defer receive(answers)");
    assert_eq!(site.site.as_ref().map(|site| site.line), Some(line), "{report}");
}
