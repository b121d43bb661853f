//! The leak guard: each kind of thing that is left behind is named, and what ends is not.
//!
//! Each test has an exclusive guard, as some look at descriptors and threads, which are the
//! process's.
#![expect(clippy::unwrap_used, reason = "what cannot go on in a test fails it")]

mod process;
mod scopes;
mod service;
mod tasks;

use std::time::Duration;

use rearguard::testing::{Leak, LeakGuard, LeakKind, Leaks};

/// How long a guard waits where something is left behind on purpose.
const SHORT: Duration = Duration::from_millis(100);

/// A guard that finds something.
async fn guard() -> LeakGuard {
    LeakGuard::exclusive().await.settle_time(SHORT)
}

/// Fails unless exactly one thing is left behind, of this kind, and is told with all these words.
fn assert_one(leaks: &Leaks, kind: LeakKind, words: &[&str]) {
    let text = leaks.to_string();
    let kinds: Vec<_> = leaks.iter().map(|leak| leak.kind()).collect();
    assert_eq!(kinds, [kind], "{text}");
    let missing: Vec<_> = words.iter().filter(|word| !text.contains(**word)).collect();
    assert!(missing.is_empty(), "{text}\nlacks {missing:?}");
}

/// Fails unless one of what is left behind is of this kind, and is told with all these words.
fn assert_has(leaks: &Leaks, kind: LeakKind, words: &[&str]) {
    let told = |leak: &&Leak| {
        let text = leak.to_string();
        leak.kind() == kind && words.iter().all(|word| text.contains(word))
    };
    assert!(leaks.iter().any(|leak| told(&leak)), "{kind:?} with {words:?} is not in\n{leaks}");
}

#[tokio::test]
async fn a_message_names_the_thing_its_place_its_age_and_its_trace() {
    let guard = guard().await;
    let context = rearguard::CallContext::new();
    let trace = context.trace().trace_id.to_string();
    let (scope, line) = context.sync_scope(|| {
        let options = rearguard::Options::new().named("checkout");
        (rearguard::OwnedScope::with(options), line!())
    });
    let leaks = guard.check().await.unwrap_err();
    let place = format!("left behind: scope `checkout`, not ended, opened at {}:{line}", file!());
    let trace = format!(" s ago, trace {trace}");
    assert_one(&leaks, LeakKind::Scope, &[&place, &trace]);
    assert!(leaks.to_string().contains(" s of waiting, since the leak guard began at "));
    drop(scope);
}

#[tokio::test]
#[should_panic(expected = "left behind: a task of the runtime")]
async fn finish_fails_the_test() {
    let guard = guard().await;
    tokio::spawn(std::future::pending::<()>());
    guard.finish().await;
}

#[tokio::test]
#[should_panic(expected = "was dropped before `finish`")]
async fn a_guard_that_is_forgotten_fails_the_test() {
    let _guard = guard().await;
}

#[tokio::test]
#[should_panic(expected = "the test's own")]
async fn a_test_that_panics_says_its_own() {
    let _guard = guard().await;
    panic!("the test's own");
}

#[tokio::test]
async fn what_was_there_before_is_not_left_behind() {
    // In this order: what is the process's must not be there while the next guard begins.
    let turn = LeakGuard::exclusive().await;
    let _file = std::fs::File::open(std::env::current_exe().unwrap()).unwrap();
    let before = tokio::spawn(std::future::pending::<()>());
    let scope = rearguard::OwnedScope::new();
    LeakGuard::begin().finish().await;
    before.abort();
    drop((scope, _file));
    turn.finish().await;
}
