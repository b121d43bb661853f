//! Tasks: those of scopes by name, the others by number, and those that end within the time.

use std::{future::pending, time::Duration};

use rearguard::{
    Options, Outcome, OwnedScope,
    testing::{LeakGuard, LeakKind, leak_checked},
};
use tokio::{spawn, time::sleep};

use crate::{assert_one, guard};

#[tokio::test]
async fn a_task_that_nobody_ends_is_found() {
    let guard = guard().await;
    let task = spawn(pending::<()>());
    let leaks = guard.check().await.unwrap_err();
    assert_one(&leaks, LeakKind::Task, &["a task of the runtime, spawned outside of any scope"]);
    task.abort();
}

#[tokio::test]
async fn several_are_counted() {
    let guard = guard().await;
    let tasks = [spawn(pending::<()>()), spawn(pending::<()>())];
    let leaks = guard.check().await.unwrap_err();
    assert_one(&leaks, LeakKind::Task, &["2 tasks of the runtime"]);
    tasks.iter().for_each(tokio::task::JoinHandle::abort);
}

#[tokio::test]
async fn a_task_of_a_scope_is_named_by_its_place() {
    let turn = LeakGuard::exclusive().await;
    let mut scope = OwnedScope::with(Options::new().named("session"));
    let guard = LeakGuard::begin().settle_time(crate::SHORT);
    let (child, line) = (scope.spawn(pending::<()>()), line!());
    let leaks = guard.check().await.unwrap_err();
    let place = format!("task of scope `session`, spawned at {}:{line}", file!());
    assert_one(&leaks, LeakKind::Task, &[&place]);
    drop((child, scope));
    turn.finish().await;
}

#[tokio::test]
async fn a_task_that_ends_in_time_is_not_left_behind() {
    let guard = LeakGuard::exclusive().await;
    spawn(sleep(Duration::from_millis(20)));
    let mut scope = OwnedScope::new();
    drop(scope.spawn(sleep(Duration::from_secs(3600))));
    assert!(scope.end(Outcome::Failed).await.is_clean());
    guard.finish().await;
}

#[tokio::test(start_paused = true)]
async fn paused_time_goes_on_while_the_guard_waits() {
    let guard = LeakGuard::exclusive().await;
    spawn(sleep(Duration::from_millis(500)));
    guard.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_runtime_of_several_threads_is_watched_as_well() {
    let guard = LeakGuard::exclusive().await;
    for _ in 0..100 {
        spawn(tokio::task::yield_now());
    }
    guard.finish().await;
    let guard = crate::guard().await;
    let task = spawn(pending::<()>());
    assert_one(&guard.check().await.unwrap_err(), LeakKind::Task, &["a task"]);
    task.abort();
}

#[tokio::test]
async fn a_body_is_checked_and_its_value_returned() {
    let turn = LeakGuard::exclusive().await;
    let value = leak_checked(async {
        spawn(tokio::task::yield_now());
        "parsed".parse::<u32>().map_err(|error| error.to_string())
    });
    assert!(value.await.unwrap_err().contains("invalid digit"));
    turn.finish().await;
}

#[tokio::test]
async fn tests_side_by_side_do_not_see_each_others_things() {
    let turn = LeakGuard::exclusive().await;
    let guard = LeakGuard::begin();
    let other = std::thread::spawn(|| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let guard = LeakGuard::begin().settle_time(crate::SHORT);
            let scope = OwnedScope::new();
            spawn(pending::<()>());
            let leaks = guard.check().await.unwrap_err();
            drop(scope);
            leaks.iter().count()
        })
    });
    guard.finish().await;
    assert_eq!(other.join().unwrap(), 2);
    turn.finish().await;
}
