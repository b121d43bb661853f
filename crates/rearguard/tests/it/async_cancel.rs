//! Conformance, row 14: a scope that is cancelled, wherever it stands.

use std::{
    convert::Infallible,
    future::pending,
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
};

use rearguard::{Completion, End, Options, Outcome, OwnedScope, Reaper, ScopeError, scope_async};
use tokio::{task::yield_now, time::timeout};

use crate::{
    async_support::{Log, eventually, millis, paused, reaped},
    every_poll::{Run, at_every_poll, drop_after},
};

/// A body of three waits and three cleanups, each of three polls.
async fn three(log: Log) -> Outcome {
    let ended = scope_async(Options::new(), async |s| {
        for name in ["a", "b", "c"] {
            s.defer(log.steps(name, 2));
            yield_now().await;
        }
    });
    ended.await.report.outcome
}

#[test]
fn dropped_at_any_poll_each_cleanup_runs_to_its_end_once_newest_first() {
    let log = Log::default();
    let polls = at_every_poll(
        || three(log.clone()),
        |run| {
            let expected = match run {
                // Dropped before its first poll, it has registered nothing.
                Run::Dropped(0) => "",
                Run::Dropped(1) => "a1, a2, a3",
                Run::Dropped(2) => "b1, b2, b3, a1, a2, a3",
                Run::Dropped(_) | Run::Finished => "c1, c2, c3, b1, b2, b3, a1, a2, a3",
            };
            assert_eq!(log.said(), expected, "{run:?}");
        },
    );
    // Three of the body, and two of each cleanup.
    assert_eq!(polls, 10);
}

#[test]
fn the_outcome_is_frozen_when_the_body_ends() {
    let log = Log::default();
    let scope = || async {
        let ended = scope_async(Options::new(), async |s| -> Result<(), &str> {
            s.defer_with(log.told("older"));
            s.defer(log.steps("newer", 2));
            yield_now().await;
            Err("no")
        });
        drop(ended.await.into_result());
    };
    at_every_poll(scope, |run| {
        let expected = match run {
            Run::Dropped(0) => "",
            Run::Dropped(1) => "newer1, newer2, newer3, older cancelled",
            // In the middle of a cleanup, and between two: it had failed by then.
            Run::Dropped(_) | Run::Finished => "newer1, newer2, newer3, older failed",
        };
        assert_eq!(log.said(), expected, "{run:?}");
    });
}

#[test]
fn the_half_done_cleanup_goes_on_where_it_was() {
    let log = Log::default();
    paused(async {
        let ending = scope_async(Options::new(), async |s| {
            s.defer(log.steps("a", 1));
            s.defer(log.steps("b", 3));
        });
        assert_eq!(drop_after(2, ending).await, Run::Dropped(2));
        assert_eq!(log.said(), "b1, b2");
        reaped().await;
        assert_eq!(log.said(), "b3, b4, a1, a2");
    });
}

#[test]
fn the_locals_of_the_body_are_dropped_before_the_cleanups_run() {
    let log = Log::default();
    let scope = || async {
        let ended = scope_async(Options::new(), async |s| {
            s.defer(log.cleanup("cleanup"));
            let _local = log.dropped("local");
            yield_now().await;
        });
        drop(ended.await);
    };
    at_every_poll(scope, |run| {
        let expected = if run == Run::Dropped(0) { "" } else { "local dropped, cleanup" };
        assert_eq!(log.said(), expected, "{run:?}");
    });
    // So it is where the body runs out of time, and where it panics.
    paused(async {
        let options = Options::new().deadline(millis(5));
        let late = scope_async(options, async |s| {
            s.defer(log.cleanup("cleanup"));
            let _local = log.dropped("local");
            pending::<()>().await;
        });
        assert!(matches!(late.await.end, End::TimedOut));
        assert_eq!(log.said(), "local dropped, cleanup");
        let panicked = scope_async(options, async |s| {
            s.defer(log.cleanup("cleanup"));
            let _local = log.dropped("local");
            panic!("no");
        });
        let panicked: rearguard::Ended<()> = panicked.await;
        assert!(matches!(panicked.end, End::Panicked(_)));
        assert_eq!(log.said(), "local dropped, cleanup");
    });
}

#[test]
fn the_loser_of_a_select_is_cancelled() {
    let log = Log::default();
    paused(async {
        let loser = scope_async(Options::new(), async |s| {
            s.defer_with(log.told("cleanup"));
            pending::<()>().await;
        });
        tokio::select! {
            _ = loser => unreachable!("it waits for ever"),
            () = tokio::time::sleep(millis(5)) => log.say("winner"),
        }
        reaped().await;
    });
    assert_eq!(log.said(), "winner, cleanup cancelled");
}

#[test]
fn a_task_that_is_aborted_is_cancelled() {
    let log = Log::default();
    paused(async {
        let body = log.clone();
        let task = tokio::spawn(async move {
            let ended = scope_async(Options::new(), async |s| {
                s.defer_with(body.told("cleanup"));
                s.defer(body.steps("slow", 1));
                pending::<()>().await;
            });
            drop(ended.await);
        });
        yield_now().await;
        task.abort();
        assert!(task.await.unwrap_err().is_cancelled());
        reaped().await;
    });
    assert_eq!(log.said(), "slow1, slow2, cleanup cancelled");
}

#[test]
fn a_task_that_is_aborted_before_its_first_poll_has_registered_nothing() {
    let log = Log::default();
    paused(async {
        let body = log.clone();
        let task = tokio::spawn(async move {
            let ended =
                scope_async(Options::new(), async |s| s.defer_with(body.told("never registered")));
            drop(ended.await);
        });
        task.abort();
        assert!(task.await.unwrap_err().is_cancelled());
        reaped().await;
    });
    assert_eq!(log.said(), "");
}

#[test]
fn a_run_that_is_dropped_before_its_first_poll_cancels_what_its_scope_held() {
    let log = Log::default();
    paused(async {
        let mut scope = OwnedScope::new();
        scope.defer_with(log.told("cleanup"));
        let body = log.dropped("body");
        let run = scope.run(async {
            let _body = body;
            pending::<()>().await;
        });
        drop(run);
        assert_eq!(log.said(), "body dropped");
        reaped().await;
    });
    assert_eq!(log.said(), "cleanup cancelled");
}

#[test]
fn an_outer_timeout_cancels() {
    let log = Log::default();
    paused(async {
        let body = scope_async(Options::new(), async |s| {
            s.defer_with(log.told("cleanup"));
            pending::<()>().await;
        });
        assert!(timeout(millis(5), body).await.is_err());
        reaped().await;
    });
    assert_eq!(log.said(), "cleanup cancelled");
}

#[test]
fn the_scopes_own_deadline_times_it_out_in_place() {
    let log = Log::default();
    paused(async {
        let options = Options::new().deadline(millis(5));
        let ended = scope_async(options, async |s| -> Result<(), Infallible> {
            s.defer_with(log.told("cleanup"));
            s.on_failure(log.cleanup("undo"));
            s.on_cancel(log.cleanup("never"));
            pending().await
        })
        .await;
        assert_eq!(log.said(), "undo, cleanup timed_out");
        assert_eq!(ended.report.outcome, Outcome::TimedOut);
        assert_eq!(ended.report.completion, Completion::InPlace);
        assert!(matches!(ended.into_result(), Err(ScopeError::TimedOut)));

        let mut scope = OwnedScope::with(options);
        scope.defer_with(log.told("cleanup"));
        let ended = scope.run(pending::<()>()).await;
        assert_eq!(log.said(), "cleanup timed_out");
        assert!(ended.into_returned().is_none());
    });
}

#[test]
fn a_body_that_is_ready_at_its_deadline_has_succeeded() {
    paused(async {
        let options = Options::new().deadline(millis(5));
        let ended = scope_async(options, async |_| tokio::time::sleep(millis(5)).await).await;
        assert_eq!(ended.report.outcome, Outcome::Succeeded);
        let options = Options::new().deadline(millis(0));
        assert_eq!(scope_async(options, async |_| ()).await.report.outcome, Outcome::Succeeded);
        // One that is too far off to be told is none.
        let options = Options::new().deadline(std::time::Duration::MAX);
        let ended = scope_async(options, async |_| yield_now().await).await;
        assert_eq!(ended.report.outcome, Outcome::Succeeded);
    });
}

/// A body that has always something to do, and gives way to others only because tokio makes it.
async fn busy() {
    loop {
        tokio::task::consume_budget().await;
    }
}

#[test]
fn a_body_that_always_has_something_to_do_runs_out_of_time() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    runtime.block_on(async {
        let options = Options::new().deadline(millis(5));
        let ended = scope_async(options, async |_| busy().await);
        let ended = timeout(std::time::Duration::from_secs(10), ended).await.unwrap();
        assert_eq!(ended.report.outcome, Outcome::TimedOut);
    });
}

#[test]
fn a_cleanup_that_always_has_something_to_do_runs_out_of_time() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    runtime.block_on(async {
        for options in [
            Options::new().cleanup_deadline(millis(5)),
            Options::new().each_cleanup_deadline(millis(5)),
        ] {
            let ended = scope_async(options, async |s| s.defer(busy()));
            let ended = timeout(std::time::Duration::from_secs(10), ended).await.unwrap();
            assert_eq!(ended.report.unfinished().len(), 1);
        }
    });
}

#[test]
fn after_its_end_there_is_nothing_to_cancel() {
    let log = Log::default();
    paused(async {
        let mut scope = OwnedScope::new();
        scope.defer(log.steps("a", 1));
        let mut closing = pin!(scope.end(Outcome::Succeeded));
        assert!(closing.as_mut().await.is_clean());
        assert_eq!(log.said(), "a1, a2");
    });
    assert_eq!(log.said(), "");
}

#[test]
fn a_scope_that_is_dropped_is_cancelled() {
    let log = Log::default();
    paused(async {
        let mut scope = OwnedScope::new();
        scope.defer_with(log.told("cleanup"));
        scope.on_cancel(log.cleanup("cancelled"));
        scope.on_failure(log.cleanup("undo"));
        scope.on_success(log.cleanup("never"));
        drop(scope);
        // It is another task that runs them.
        assert_eq!(log.said(), "");
        reaped().await;
    });
    assert_eq!(log.said(), "undo, cancelled, cleanup cancelled");
}

#[test]
fn many_scopes_cancelled_at_once_are_all_finished() {
    const SCOPES: usize = 2000;
    let finished = Arc::new(AtomicUsize::new(0));
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    let runtime = builder.worker_threads(4).enable_all().build().unwrap();
    let before = Reaper::global().stats();
    runtime.block_on(async {
        let barrier = Arc::new(tokio::sync::Barrier::new(SCOPES + 1));
        let tasks: Vec<_> = (0..SCOPES)
            .map(|_| {
                let (finished, barrier) = (Arc::clone(&finished), Arc::clone(&barrier));
                tokio::spawn(async move {
                    let ended = scope_async(Options::new(), async |s| {
                        for _ in 0..3 {
                            let finished = Arc::clone(&finished);
                            s.defer(async move {
                                yield_now().await;
                                finished.fetch_add(1, SeqCst);
                            });
                        }
                        barrier.wait().await;
                        pending::<()>().await;
                    });
                    drop(ended.await);
                })
            })
            .collect();
        barrier.wait().await;
        tasks.iter().for_each(tokio::task::JoinHandle::abort);
        for task in tasks {
            assert!(task.await.unwrap_err().is_cancelled());
        }
    });
    eventually(|| finished.load(SeqCst) == 3 * SCOPES);
    eventually(|| Reaper::global().stats().finished >= before.finished + SCOPES as u64);
}
