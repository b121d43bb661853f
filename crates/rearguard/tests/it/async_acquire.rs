//! Conformance, row 14: cancelled during `acquire`; and what is held and lent.

use std::{
    convert::Infallible,
    future::pending,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering::SeqCst},
    },
};

use rearguard::{
    Ended, Held, Options, Outcome, OwnedScope, ScopeError, UnfinishedReason, scope_async,
};
use tokio::time::{sleep, timeout};

use crate::{
    async_support::{Log, PanicsWhenDropped, millis, paused, reaped},
    every_poll::{Run, at_every_poll},
};

/// Gets in ten milliseconds what says when it is released, and how.
async fn get(log: Log) -> Result<&'static str, Infallible> {
    sleep(millis(10)).await;
    log.say("got");
    Ok("it")
}

fn release(log: &Log) -> impl FnOnce(&'static str, Outcome) -> Said + Send + use<> {
    let log = log.clone();
    move |value, outcome| {
        Box::pin(async move {
            sleep(millis(10)).await;
            log.say(format!("released {value} {outcome}"));
        })
    }
}

type Said = std::pin::Pin<Box<dyn Future<Output = ()> + Send>>;

#[test]
fn what_was_acquired_is_released_with_the_outcome() {
    let log = Log::default();
    let scope = || async {
        let ended = scope_async(Options::new(), async |s| -> Result<(), Infallible> {
            s.defer_with(log.told("older"));
            let it = s.acquire(get(log.clone()), release(&log)).await?;
            assert_eq!(*it, "it");
            s.defer_with(log.told("newer"));
            sleep(millis(10)).await;
            Ok(())
        });
        ended.await.into_result().unwrap();
    };
    at_every_poll(scope, |run| {
        let said = log.said();
        let expected = match run {
            Run::Dropped(0) => "",
            // It goes on to get it, and releases it; the older cleanup waits for that.
            Run::Dropped(1) => "got, released it cancelled, older cancelled",
            Run::Dropped(2) => "got, newer cancelled, released it cancelled, older cancelled",
            Run::Dropped(_) | Run::Finished => {
                "got, newer succeeded, released it succeeded, older succeeded"
            }
        };
        assert_eq!(said, expected, "{run:?}");
    });
}

#[test]
fn what_could_not_be_acquired_is_not_released() {
    let log = Log::default();
    let scope = || async {
        let ended: Ended<Result<(), &str>> = scope_async(Options::new(), async |s| {
            s.defer_with(log.told("older"));
            let get = async {
                sleep(millis(10)).await;
                Err("no")
            };
            let held: Held<()> = s.acquire(get, |(), _| async { unreachable!() }).await?;
            drop(held);
            Ok(())
        })
        .await;
        assert!(matches!(ended.into_result(), Err(ScopeError::Failed("no"))));
    };
    at_every_poll(scope, |run| {
        let expected = match run {
            Run::Dropped(0) => "",
            Run::Dropped(_) => "older cancelled",
            Run::Finished => "older failed",
        };
        assert_eq!(log.said(), expected, "{run:?}");
    });
}

#[test]
fn getting_that_panics_panics_the_body() {
    let log = Log::default();
    let scope = || async {
        let ended: Ended<Result<(), Infallible>> = scope_async(Options::new(), async |s| {
            s.defer_with(log.told("older"));
            let get = async {
                sleep(millis(10)).await;
                if true {
                    panic!("no")
                }
                Ok::<_, Infallible>(())
            };
            let held: Held<()> = s.acquire(get, |(), _| async { unreachable!() }).await?;
            drop(held);
            Ok(())
        })
        .await;
        assert_eq!(ended.report.outcome, Outcome::Panicked);
        assert!(ended.report.is_clean());
    };
    at_every_poll(scope, |run| {
        let expected = match run {
            Run::Dropped(0) => "",
            Run::Dropped(_) => "older cancelled",
            Run::Finished => "older panicked",
        };
        assert_eq!(log.said(), expected, "{run:?}");
    });
}

#[test]
fn getting_under_a_timeout_goes_on_while_the_scope_lives_on() {
    let log = Log::default();
    paused(async {
        let ended = scope_async(Options::new(), async |s| -> Result<(), Infallible> {
            s.defer_with(log.told("older"));
            let late = timeout(millis(5), s.acquire(get(log.clone()), release(&log))).await;
            assert!(late.is_err());
            s.defer_with(log.told("newer"));
            sleep(millis(100)).await;
            log.say("body done");
            Ok(())
        });
        assert!(ended.await.report.is_clean());
    });
    let expected = "got, released it cancelled, body done, newer succeeded, older succeeded";
    assert_eq!(log.said(), expected);
}

#[test]
fn a_scope_that_ends_meanwhile_waits_for_it_before_its_older_cleanups() {
    let log = Log::default();
    paused(async {
        let ended = scope_async(Options::new(), async |s| -> Result<(), Infallible> {
            s.defer_with(log.told("older"));
            let late = timeout(millis(5), s.acquire(get(log.clone()), release(&log))).await;
            assert!(late.is_err());
            s.defer_with(log.told("newer"));
            Ok(())
        });
        assert!(ended.await.report.is_clean());
    });
    let expected = "newer succeeded, got, released it cancelled, older succeeded";
    assert_eq!(log.said(), expected);
}

#[test]
fn getting_that_never_ends_is_given_up_at_the_deadline_of_cleanups() {
    let log = Log::default();
    paused(async {
        let options = Options::new().cleanup_deadline(millis(50));
        let mut scope = OwnedScope::with(options);
        let get = pending::<Result<(), Infallible>>();
        let at = line!() + 1;
        let never = scope.acquire(get, |(), _| async {});
        assert!(timeout(millis(5), never).await.is_err());
        scope.defer_with(log.told("newer"));
        let report = scope.end(Outcome::Succeeded).await;
        assert_eq!(log.said(), "newer succeeded");
        // The reaper was given as long as the scope, and began before it.
        for unfinished in report.unfinished() {
            assert_eq!(unfinished.registered_at.line(), at);
            assert_eq!(unfinished.reason, UnfinishedReason::TimedOut);
        }
        reaped().await;
    });
}

#[test]
fn an_acquisition_that_was_not_polled_gets_nothing() {
    let log = Log::default();
    paused(async {
        let mut scope = OwnedScope::new();
        let acquiring = scope.acquire(get(log.clone()), release(&log));
        drop(acquiring);
        assert!(scope.end(Outcome::Succeeded).await.is_clean());
        reaped().await;
    });
    assert_eq!(log.said(), "");
}

#[test]
fn a_held_value_that_is_taken_for_good_is_not_released() {
    let log = Log::default();
    paused(async {
        let mut scope = OwnedScope::new();
        let held = scope.hold("it", release(&log));
        assert_eq!(Held::into_inner(held), "it");
        assert!(scope.end(Outcome::Succeeded).await.is_clean());
        // Nor is one that outlived its scope.
        let mut scope = OwnedScope::new();
        let held = scope.hold("it", release(&log));
        assert!(scope.end(Outcome::Succeeded).await.is_clean());
        assert_eq!(Held::into_inner(held), "it");
        reaped().await;
    });
    assert_eq!(log.said(), "");
}

#[test]
fn a_held_value_that_outlives_its_scope_is_released_when_it_is_dropped() {
    let log = Log::default();
    paused(async {
        let mut scope = OwnedScope::new();
        scope.defer_with(log.told("older"));
        let mut held = scope.hold("it", release(&log));
        assert!(scope.end(Outcome::Failed).await.is_clean());
        assert_eq!(log.said(), "older failed");
        *held = "it, changed";
        reaped().await;
        assert_eq!(log.said(), "");
        drop(held);
        reaped().await;
        assert_eq!(log.said(), "released it, changed failed");
    });
}

#[test]
fn a_held_value_that_a_newer_cleanup_uses_is_released_after_it() {
    let log = Log::default();
    paused(async {
        let mut scope = OwnedScope::new();
        let held = scope.hold("it", release(&log));
        let used = log.clone();
        scope.defer(async move {
            sleep(millis(5)).await;
            used.say(format!("{held:?}"));
        });
        assert!(scope.end(Outcome::Succeeded).await.is_clean());
    });
    assert_eq!(log.said(), "Held(Some(\"it\")), released it succeeded");
}

#[test]
fn a_release_that_fails_stands_in_the_report_with_the_line_of_its_hold() {
    paused(async {
        let mut scope = OwnedScope::new();
        let at = line!() + 1;
        drop(scope.hold((), |(), _| async { Err("no") }));
        drop(scope.hold(1, |_, _| async { panic!("no") }));
        let report = scope.end(Outcome::Succeeded).await;
        let lines: Vec<_> = report.failures().iter().map(|at| at.registered_at.line()).collect();
        assert_eq!(lines, [at + 1, at]);
        let got: Result<Held<()>, Infallible> = {
            scope = OwnedScope::new();
            scope.acquire(async { Ok(()) }, |(), _| async { Err("no") }).await
        };
        let at = line!() - 2;
        drop(got);
        let report = scope.end(Outcome::Succeeded).await;
        assert_eq!(report.failures()[0].registered_at.line(), at);
    });
}

#[test]
fn a_held_value_that_panics_when_it_is_dropped_fails_its_release() {
    paused(async {
        let mut scope = OwnedScope::new();
        drop(scope.hold(PanicsWhenDropped, |value, _| async move { drop(value) }));
        assert_eq!(scope.end(Outcome::Succeeded).await.failures().len(), 1);
    });
}

#[test]
fn many_values_are_each_released_once_wherever_it_is_dropped() {
    let open = Arc::new(AtomicI64::new(0));
    let scope = || async {
        let ended = scope_async(Options::new(), async |s| -> Result<(), Infallible> {
            let mut kept = Vec::new();
            for _ in 0..20 {
                let (opened, closed) = (Arc::clone(&open), Arc::clone(&open));
                let get = async move {
                    tokio::task::yield_now().await;
                    opened.fetch_add(1, SeqCst);
                    Ok::<_, Infallible>(())
                };
                let held = s.acquire(get, |(), _| async move {
                    tokio::task::yield_now().await;
                    closed.fetch_sub(1, SeqCst);
                });
                kept.push(held.await?);
            }
            Ok(())
        });
        drop(ended.await);
    };
    let polls = at_every_poll(scope, |run| assert_eq!(open.load(SeqCst), 0, "{run:?}"));
    assert_eq!(polls, 41);
}
