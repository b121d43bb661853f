//! Scopes and their cleanups.

use std::{future::pending, time::Duration};

use rearguard::{
    Options, Outcome, Overrun, OwnedScope, Reaper, UnfinishedReason, scope_async,
    testing::{LeakGuard, LeakKind},
};
use tokio::time::{sleep, timeout};

use crate::{assert_one, guard};

const NAMED: Options = Options::new().named("order");

/// Cleanups that hang, and are given up soon.
const HANGS: Options = NAMED.cleanup_deadline(Duration::from_millis(1));

#[tokio::test]
async fn a_scope_that_never_ends_is_named_by_its_place() {
    let guard = guard().await;
    let (mut scope, line) = (OwnedScope::with(NAMED), line!());
    scope.defer(async {});
    let leaks = guard.check().await.unwrap_err();
    let place = format!("scope `order`, not ended, opened at {}:{line}", file!());
    assert_one(&leaks, LeakKind::Scope, &[&place]);
    drop(scope);
    Reaper::global().drain(Duration::from_secs(5)).await;
}

#[tokio::test]
async fn a_scope_in_the_reaper_is_told_as_such_and_not_as_a_task() {
    let guard = guard().await;
    let (work, line) = (
        scope_async(NAMED, async |s| -> Result<(), String> {
            s.defer(pending::<()>());
            pending().await
        }),
        line!() - 4,
    );
    assert!(timeout(Duration::from_millis(1), work).await.is_err());
    let leaks = guard.check().await.unwrap_err();
    let place =
        format!("scope `order`, its cleanups not done in the reaper, opened at {}:{line}", file!());
    assert_one(&leaks, LeakKind::Cleanup, &[&place]);
}

#[tokio::test]
async fn a_cleanup_that_was_given_up_is_named_by_its_place() {
    let guard = guard().await;
    let mut scope = OwnedScope::with(HANGS);
    let line = line!() + 1;
    scope.defer(pending::<()>());
    let report = scope.end(Outcome::Succeeded).await;
    assert_eq!(report.unfinished()[0].reason, UnfinishedReason::TimedOut);
    let leaks = guard.check().await.unwrap_err();
    let place = format!("in scope `order`, the cleanup of {}:{line}", file!());
    assert_one(&leaks, LeakKind::Cleanup, &[&place, "did not finish: it overran its deadline"]);
}

#[tokio::test]
async fn a_cleanup_that_the_reaper_gave_up_is_named_as_well() {
    let guard = guard().await;
    let mut scope = OwnedScope::with(HANGS.overrun(Overrun::Background));
    scope.defer(pending::<()>());
    drop(scope.end(Outcome::Succeeded).await);
    let leaks = guard.check().await.unwrap_err();
    assert_one(&leaks, LeakKind::Cleanup, &["did not finish: it overran its deadline"]);
}

#[tokio::test]
async fn a_scope_dropped_outside_of_its_runtime_counts_where_it_was_opened() {
    let turn = LeakGuard::exclusive().await;
    let guard = LeakGuard::begin().settle_time(crate::SHORT);
    let mut scope = OwnedScope::with(NAMED);
    scope.defer(async {});
    std::thread::spawn(move || drop(scope)).join().unwrap();
    let leaks = guard.check().await.unwrap_err();
    assert_one(&leaks, LeakKind::Cleanup, &["did not finish: no runtime was at hand"]);
    let leaks = turn.settle_time(crate::SHORT).check().await.unwrap_err();
    assert_one(&leaks, LeakKind::Cleanup, &["no runtime was at hand"]);
}

#[tokio::test]
async fn what_the_reaper_finishes_in_time_is_not_left_behind() {
    let guard = LeakGuard::exclusive().await;
    let work = scope_async(NAMED, async |s| -> Result<(), String> {
        s.defer(sleep(Duration::from_millis(20)));
        pending().await
    });
    assert!(timeout(Duration::from_millis(1), work).await.is_err());
    let unused = OwnedScope::new();
    drop(unused);
    guard.finish().await;
}
