//! Conformance, row 15: cleanups registered late, transferred, disarmed, run early, adopted.

use std::{
    future::pending,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    thread,
};

use rearguard::{Options, Outcome, OwnedScope, scope_async};
use tokio::{task::yield_now, time::sleep};

use crate::{
    async_support::{Log, PanicsWhenDropped, millis, paused, reaped},
    every_poll::{Run, at_every_poll, drop_after},
};

#[test]
fn newest_first_with_none_one_eight_nine_and_a_thousand() {
    for count in [0, 1, 8, 9, 1000] {
        let log = Log::default();
        paused(async {
            let mut scope = OwnedScope::new();
            for index in 0..count {
                let log = log.clone();
                // One in three has to wait, one in three does not apply.
                match index % 3 {
                    0 => scope.defer(async move { log.say(index.to_string()) }),
                    1 => scope.on_failure(async move { log.say("never") }),
                    _ => scope.defer_with(move |_| async move {
                        yield_now().await;
                        log.say(index.to_string());
                    }),
                }
            }
            let report = scope.end(Outcome::Succeeded).await;
            assert_eq!(report.cleanups, (0..count).filter(|index| index % 3 != 1).count());
        });
        let all: Vec<_> = (0..count)
            .rev()
            .filter(|index| index % 3 != 1)
            .map(|index| index.to_string())
            .collect();
        assert_eq!(log.said(), all.join(", "));
    }
}

#[test]
fn each_outcome_has_its_cleanups() {
    for (outcome, expected) in [
        (Outcome::Succeeded, "success, always succeeded"),
        (Outcome::Failed, "failure, always failed"),
        (Outcome::TimedOut, "failure, always timed_out"),
        (Outcome::Panicked, "failure, always panicked"),
        (Outcome::Lost, "failure, always lost"),
        (Outcome::Cancelled, "cancel, failure, always cancelled"),
    ] {
        let log = Log::default();
        paused(async {
            let mut scope = OwnedScope::new();
            scope.defer_with(log.told("always"));
            scope.on_success(log.cleanup("success"));
            scope.on_failure(log.cleanup("failure"));
            scope.on_cancel(log.cleanup("cancel"));
            let report = scope.end(outcome).await;
            assert_eq!(report.outcome, outcome);
            assert_eq!(report.cleanups, expected.split(", ").count());
        });
        assert_eq!(log.said(), expected);
    }
}

// By a handle.

#[test]
fn by_a_handle_newest_first_as_all_others() {
    let log = Log::default();
    paused(async {
        let mut scope = OwnedScope::new();
        let handle = scope.handle();
        scope.defer(log.cleanup("1"));
        handle.defer(log.cleanup("2"));
        scope.defer(log.cleanup("3"));
        handle.clone().defer_with(log.told("4"));
        let from_thread = (handle.clone(), log.clone());
        thread::spawn(move || from_thread.0.defer(from_thread.1.cleanup("5"))).join().unwrap();
        assert_eq!(scope.end(Outcome::Succeeded).await.cleanups, 5);
    });
    assert_eq!(log.said(), "5, 4 succeeded, 3, 2, 1");
}

#[test]
fn from_a_cleanup_it_runs_next() {
    let log = Log::default();
    let scope = || async {
        let ended = scope_async(Options::new(), async |s| {
            let (handle, log) = (s.handle(), log.clone());
            s.defer(log.cleanup("oldest"));
            s.defer(async move {
                handle.defer_with(log.told("late"));
                yield_now().await;
                log.say("newest");
            });
        });
        drop(ended.await);
    };
    at_every_poll(scope, |run| {
        let expected = if run == Run::Dropped(0) { "" } else { "newest, late succeeded, oldest" };
        assert_eq!(log.said(), expected, "{run:?}");
    });
}

#[test]
fn from_the_last_cleanup_it_runs_still_in_place() {
    let log = Log::default();
    paused(async {
        let mut scope = OwnedScope::new();
        let (handle, inner) = (scope.handle(), log.clone());
        scope.defer(async move { handle.defer(inner.cleanup("late")) });
        assert_eq!(scope.end(Outcome::Succeeded).await.cleanups, 2);
        assert_eq!(log.said(), "late");
    });
}

#[test]
fn after_the_end_it_runs_at_once_with_the_outcome_of_the_scope() {
    let log = Log::default();
    paused(async {
        // A scope that ended, one that had nothing to do, and one that was cancelled.
        let mut scope = OwnedScope::new();
        let ended = scope.handle();
        scope.defer(async {});
        assert!(scope.end(Outcome::Failed).await.is_clean());
        let mut scope = OwnedScope::new();
        let dropped = scope.handle();
        drop(scope);
        let mut scope = OwnedScope::new();
        let reaped_one = scope.handle();
        scope.defer(log.steps("older", 1));
        drop(scope);
        reaped().await;
        assert_eq!(log.said(), "older1, older2");
        for handle in [ended, dropped, reaped_one] {
            handle.defer_with(log.told("late"));
            reaped().await;
            handle.defer_with(log.told("later"));
            reaped().await;
        }
    });
    let expected = [
        "late failed, later failed, late cancelled, later cancelled",
        "late cancelled, later cancelled",
    ];
    assert_eq!(log.said(), expected.join(", "));
}

#[test]
fn from_other_tasks_while_the_scope_ends_none_is_forgotten() {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(4).enable_all().build();
    let runtime = runtime.unwrap();
    let ran = Arc::new(AtomicUsize::new(0));
    runtime.block_on(async {
        for _ in 0..100 {
            let mut scope = OwnedScope::new();
            let tasks: Vec<_> = (0..4)
                .map(|_| {
                    let (handle, ran) = (scope.handle(), Arc::clone(&ran));
                    tokio::spawn(async move {
                        for _ in 0..10 {
                            let ran = Arc::clone(&ran);
                            handle.defer(async move { assert!(ran.fetch_add(1, SeqCst) < 4000) });
                            yield_now().await;
                        }
                    })
                })
                .collect();
            yield_now().await;
            drop(scope.end(Outcome::Succeeded).await);
            for task in tasks {
                task.await.unwrap();
            }
        }
    });
    crate::async_support::eventually(|| ran.load(SeqCst) == 100 * 4 * 10);
    drop(runtime);
    assert_eq!(ran.load(SeqCst), 100 * 4 * 10);
}

// By a key.

#[test]
fn a_cleanup_that_is_disarmed_never_runs_and_is_dropped_at_once() {
    let log = Log::default();
    paused(async {
        let mut scope = OwnedScope::new();
        scope.defer(log.cleanup("older"));
        let key = scope.defer_keyed(log.hangs("disarmed"));
        scope.defer(log.cleanup("newer"));
        assert!(scope.disarm(key));
        assert_eq!(log.said(), "disarmed dropped");
        assert!(!scope.disarm(key));
        assert!(scope.run_now(key, Outcome::Failed).is_none());
        assert_eq!(scope.end(Outcome::Succeeded).await.cleanups, 2);
    });
    assert_eq!(log.said(), "newer, older");
}

#[test]
fn one_that_panics_while_it_is_disarmed_panics_there_and_leaves_the_rest() {
    let log = Log::default();
    paused(async {
        let mut scope = OwnedScope::new();
        scope.defer(log.cleanup("older"));
        let panics = PanicsWhenDropped;
        let key = scope.defer_keyed(async move { drop(panics) });
        let disarm = std::panic::AssertUnwindSafe(|| scope.disarm(key));
        assert!(std::panic::catch_unwind(disarm).is_err());
        assert!(!scope.disarm(key));
        assert!(scope.end(Outcome::Succeeded).await.is_clean());
    });
    assert_eq!(log.said(), "older");
}

#[test]
fn a_cleanup_that_runs_early_runs_once_and_also_when_that_is_dropped() {
    let log = Log::default();
    paused(async {
        let mut scope = OwnedScope::new();
        scope.defer(log.cleanup("older"));
        let key = scope.defer_keyed(log.steps("early", 3));
        let early = scope.run_now(key, Outcome::Succeeded).unwrap();
        assert_eq!(drop_after(2, early).await, Run::Dropped(2));
        assert_eq!(log.said(), "early1, early2");
        assert!(scope.run_now(key, Outcome::Succeeded).is_none());
        assert!(!scope.disarm(key));
        reaped().await;
        assert_eq!(log.said(), "early3, early4");
        let unpolled = scope.defer_keyed(log.steps("unpolled", 1));
        drop(scope.run_now(unpolled, Outcome::Failed));
        reaped().await;
        assert_eq!(log.said(), "unpolled1, unpolled2");
        assert_eq!(scope.end(Outcome::Succeeded).await.cleanups, 1);
        assert_eq!(log.said(), "older");
    });
}

#[test]
fn a_cleanup_that_is_transferred_ends_with_the_other_scope() {
    let log = Log::default();
    paused(async {
        let (mut one, mut other) = (OwnedScope::new(), OwnedScope::new());
        one.defer(log.cleanup("of one"));
        other.defer(log.cleanup("of the other"));
        let key = one.defer_keyed(log.cleanup("transferred"));
        let stays = one.defer_keyed(log.cleanup("stays"));
        assert!(one.transfer(key, &mut other));
        assert!(!one.transfer(key, &mut other));
        assert!(!one.disarm(key));
        // The key is good there, and only there.
        assert!(!other.disarm(stays));
        assert!(other.transfer(key, &mut one));
        assert!(one.transfer(key, &mut other));
        assert!(one.end(Outcome::Succeeded).await.is_clean());
        assert_eq!(log.said(), "stays, of one");
        drop(other);
        reaped().await;
        assert_eq!(log.said(), "transferred, of the other");
    });
}

#[test]
fn a_thousand_keys_in_any_order() {
    paused(async {
        let (mut scope, mut other) = (OwnedScope::new(), OwnedScope::new());
        let ran = Arc::new(AtomicUsize::new(0));
        let keys: Vec<_> = (0..1000)
            .map(|_| {
                let ran = Arc::clone(&ran);
                scope.defer_keyed(async move { assert!(ran.fetch_add(1, SeqCst) < 4000) })
            })
            .collect();
        // 7 and 1000 have no common divisor, so each is met once.
        for index in (0..1000).map(|step| step * 7 % 1000) {
            match index % 4 {
                0 => assert!(scope.disarm(keys[index])),
                1 => assert!(scope.transfer(keys[index], &mut other)),
                2 => {
                    let early = scope.run_now(keys[index], Outcome::Failed).unwrap();
                    assert_eq!(early.await.cleanups, 1);
                }
                _ => {}
            }
        }
        assert_eq!(scope.end(Outcome::Succeeded).await.cleanups, 250);
        assert_eq!(other.end(Outcome::Succeeded).await.cleanups, 250);
        assert_eq!((ran.load(SeqCst), Arc::strong_count(&ran)), (750, 1));
    });
}

// Adopted.

#[test]
fn an_adopted_scope_ends_in_its_turn_with_its_owners_outcome() {
    let log = Log::default();
    let scope = || async {
        let mut outer = OwnedScope::new();
        outer.defer_with(log.told("older"));
        let mut inner = OwnedScope::with(Options::new().named("inner"));
        inner.defer_with(log.told("inner older"));
        inner.defer(log.steps("inner newer", 1));
        outer.adopt(inner);
        outer.defer_with(log.told("newer"));
        drop(outer.end(Outcome::Failed).await);
    };
    at_every_poll(scope, |run| {
        let expected = match run {
            Run::Dropped(0) => "",
            _ => "newer failed, inner newer1, inner newer2, inner older failed, older failed",
        };
        assert_eq!(log.said(), expected, "{run:?}");
    });
}

#[test]
fn what_fails_in_an_adopted_scope_is_a_failure_of_its_owner() {
    paused(async {
        let mut outer = OwnedScope::new();
        let mut inner = OwnedScope::with(Options::new().cleanup_deadline(millis(5)));
        inner.defer(async { Err("no") });
        let adopted_at = line!() + 1;
        outer.adopt(inner);
        let mut hangs = OwnedScope::with(Options::new().cleanup_deadline(millis(5)));
        hangs.defer(pending::<()>());
        outer.adopt(hangs);
        let report = outer.end(Outcome::Succeeded).await;
        let [first, second] = report.failures() else { panic!("{report:?}") };
        assert!(first.to_string().ends_with("did not finish: it overran its deadline"), "{first}");
        assert!(second.to_string().ends_with("failed: no"), "{second}");
        assert_eq!(second.registered_at.line(), adopted_at);
    });
}

#[test]
fn tasks_of_an_adopted_scope_end_with_it() {
    let log = Log::default();
    paused(async {
        let mut outer = OwnedScope::new();
        let mut inner = OwnedScope::new();
        let dropped = log.dropped("task");
        drop(inner.spawn(async move {
            let _dropped = dropped;
            sleep(millis(50)).await;
        }));
        inner.defer(log.cleanup("inner"));
        outer.adopt(inner);
        yield_now().await;
        drop(outer);
        reaped().await;
    });
    assert_eq!(log.said(), "task dropped, inner");
}
