//! The tasks of a scope: waited for, cancelled, and never outlived.

use std::{
    convert::Infallible,
    future::pending,
    panic::Location,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering::SeqCst},
        mpsc,
    },
};

use rearguard::{
    Child, ChildError, Completion, Ended, Options, Outcome, Overrun, OwnedScope, UnfinishedReason,
    scope_async,
};
use tokio::{sync::Notify, task::yield_now, time::sleep};

use crate::{
    async_support::{Log, PanicsWhenDropped, eventually, millis, paused, reaped},
    every_poll::{Run, at_every_poll},
};

/// A task that takes ten milliseconds, and says whether it got through.
fn task(log: &Log) -> impl Future<Output = u8> + Send + use<> {
    let (log, dropped) = (log.clone(), log.dropped("task"));
    async move {
        let _dropped = dropped;
        sleep(millis(10)).await;
        log.say("task done");
        7
    }
}

#[test]
fn success_waits_for_the_tasks_before_the_cleanups() {
    let log = Log::default();
    paused(async {
        let ended = scope_async(Options::new(), async |s| {
            s.defer_with(log.told("cleanup"));
            drop(s.spawn(task(&log)));
            log.say("body done");
        });
        assert!(ended.await.report.is_clean());
        assert_eq!(log.said(), "body done, task done, task dropped, cleanup succeeded");

        // So does a scope that is told of its success.
        let mut scope = OwnedScope::new();
        scope.defer_with(log.told("cleanup"));
        drop(scope.spawn(task(&log)));
        assert!(scope.end(Outcome::Succeeded).await.is_clean());
        assert_eq!(log.said(), "task done, task dropped, cleanup succeeded");
    });
}

#[test]
fn a_task_is_a_future_of_its_value() {
    let log = Log::default();
    paused(async {
        let ended = scope_async(Options::new(), async |s| -> Result<u8, ChildError> {
            s.spawn(task(&log)).await
        });
        assert_eq!(ended.await.into_result().unwrap(), 7);
    });
}

/// Ends a scope that has a task otherwise than by success: the task is cancelled, and gone before
/// the first cleanup.
async fn check_cancels(
    outcome: Outcome,
    options: Options,
    body: impl AsyncFnOnce() -> Result<(), &'static str>,
) {
    let log = Log::default();
    let ended = scope_async(options, async |s| {
        s.defer_with(log.told("cleanup"));
        drop(s.spawn(task(&log)));
        yield_now().await;
        body().await
    })
    .await;
    assert_eq!(log.said(), format!("task dropped, cleanup {outcome}"));
    assert!(ended.report.is_clean() && ended.report.children().is_empty());
}

#[test]
fn failure_panic_and_timeout_cancel_the_tasks_and_wait_for_them() {
    paused(async {
        let options = Options::new().deadline(millis(5));
        check_cancels(Outcome::Failed, options, async || Err("no")).await;
        check_cancels(Outcome::Panicked, options, async || panic!("no")).await;
        check_cancels(Outcome::TimedOut, options, async || pending().await).await;
    });
}

#[test]
fn a_cancelled_scope_cancels_its_tasks_wherever_it_stands() {
    let log = Log::default();
    let scope = || async {
        let ended = scope_async(Options::new(), async |s| {
            s.defer_with(log.told("cleanup"));
            drop(s.spawn(task(&log)));
            yield_now().await;
        });
        drop(ended.await);
    };
    at_every_poll(scope, |run| {
        let expected = match run {
            Run::Dropped(0) => "",
            // The task is a part of the work: while it runs, the outcome is open.
            Run::Dropped(_) => "task dropped, cleanup cancelled",
            Run::Finished => "task done, task dropped, cleanup succeeded",
        };
        assert_eq!(log.said(), expected, "{run:?}");
    });
}

#[test]
fn the_deadline_covers_the_tasks() {
    let log = Log::default();
    paused(async {
        let options = Options::new().deadline(millis(5));
        let ended: Ended<()> = scope_async(options, async |s| {
            s.defer_with(log.told("cleanup"));
            drop(s.spawn(task(&log)));
        })
        .await;
        assert_eq!(log.said(), "task dropped, cleanup timed_out");
        assert_eq!(ended.report.outcome, Outcome::TimedOut);
        assert!(ended.into_returned().is_none());
    });
}

#[test]
fn a_tasks_panic_is_its_own_outcome_and_stands_in_the_report() {
    paused(async {
        let mut spawned_at = 0;
        let ended = scope_async(Options::new(), async |s| -> Result<(), Infallible> {
            spawned_at = line!() + 1;
            let panics = s.spawn(async { panic!("no") });
            let panics: Child<()> = panics;
            let Err(ChildError::Panicked(panic)) = panics.await else { panic!("it panicked") };
            assert_eq!(panic.message(), "no");
            Ok(())
        })
        .await;
        assert_eq!(ended.report.outcome, Outcome::Succeeded);
        let [child] = ended.report.children() else { panic!("{:?}", ended.report) };
        assert_eq!((child.message.as_str(), child.spawned_at.line()), ("no", spawned_at));
        assert_eq!(child.spawned_at.file(), Location::caller().file());
        assert!(ended.report.is_clean());
        assert!(ended.into_result().is_ok());
    });
}

#[test]
fn a_task_that_panics_while_it_is_cancelled_stands_in_the_report() {
    paused(async {
        let ended = scope_async(Options::new(), async |s| -> Result<(), &str> {
            let panics = PanicsWhenDropped;
            drop(s.spawn(async move {
                let _panics = panics;
                pending::<()>().await;
            }));
            yield_now().await;
            Err("no")
        })
        .await;
        let [child] = ended.report.children() else { panic!("{:?}", ended.report) };
        assert_eq!(child.message, "dropped");
        assert_eq!(ended.report.outcome, Outcome::Failed);
    });
}

#[test]
fn a_task_whose_panics_payload_panics_when_it_is_dropped() {
    paused(async {
        let ended = scope_async(Options::new(), async |s| {
            drop(s.spawn(async { std::panic::panic_any(PanicsWhenDropped) }));
        })
        .await;
        assert_eq!(ended.report.children()[0].message, "a payload that is not text");
        assert_eq!(ended.report.outcome, Outcome::Succeeded);
    });
}

#[test]
fn who_waits_for_a_cancelled_task_is_told() {
    paused(async {
        let mut scope = OwnedScope::new();
        let child = scope.spawn(pending::<()>());
        assert!(scope.end(Outcome::Failed).await.is_clean());
        let error = child.await.unwrap_err();
        assert!(matches!(error, ChildError::Cancelled));
        assert_eq!(error.to_string(), "the task was cancelled before it was done");
    });
}

#[test]
fn a_deadline_of_single_cleanups_is_none_of_the_tasks() {
    let log = Log::default();
    paused(async {
        let options = Options::new().each_cleanup_deadline(millis(5));
        let mut scope = OwnedScope::with(options);
        scope.defer_with(log.told("cleanup"));
        drop(scope.spawn(task(&log)));
        assert!(scope.end(Outcome::Succeeded).await.is_clean());
        assert_eq!(log.said(), "task done, task dropped, cleanup succeeded");
    });
}

#[test]
fn a_task_that_blocks_does_not_hold_up_the_cleanups_for_good() {
    let log = Log::default();
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let runtime = runtime.unwrap();
    let (release, blocked) = mpsc::channel::<()>();
    let (begun, begins) = mpsc::channel();
    let mut spawned_at = 0;
    runtime.block_on(async {
        let options = Options::new().cleanup_deadline(millis(20));
        let ended = scope_async(options, async |s| -> Result<(), &str> {
            s.defer_with(log.told("cleanup"));
            spawned_at = line!() + 1;
            drop(s.spawn(async move {
                begun.send(()).unwrap();
                assert!(blocked.recv().is_err());
            }));
            tokio::task::spawn_blocking(move || begins.recv()).await.unwrap().unwrap();
            Err("no")
        })
        .await;
        assert_eq!(log.said(), "cleanup failed");
        let [unfinished] = ended.report.unfinished() else { panic!("{:?}", ended.report) };
        assert_eq!(unfinished.reason, UnfinishedReason::ChildRunning);
        assert_eq!(unfinished.registered_at.line(), spawned_at);
        assert!(unfinished.to_string().ends_with("did not stop in time"));
        assert_eq!(ended.report.cleanups, 1);
    });
    drop(release);
}

/// Counts how many there are.
struct Alive(Arc<AtomicUsize>);

impl Alive {
    fn new(count: &Arc<AtomicUsize>) -> Self {
        count.fetch_add(1, SeqCst);
        Self(Arc::clone(count))
    }
}

impl Drop for Alive {
    fn drop(&mut self) {
        self.0.fetch_sub(1, SeqCst);
    }
}

#[test]
fn ten_thousand_short_tasks_in_one_scope_are_not_kept() {
    let (alive, done) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    paused(async {
        let runtime = tokio::runtime::Handle::current();
        let ended = scope_async(Options::new(), async |s| {
            let mut most = 0;
            for _ in 0..10_000 {
                let (kept, done) = (Alive::new(&alive), Arc::clone(&done));
                drop(s.spawn(async move {
                    let _kept = kept;
                    done.fetch_add(1, SeqCst);
                }));
                yield_now().await;
                most = most.max(runtime.metrics().num_alive_tasks());
            }
            assert!(most <= 64, "{most} tasks were alive");
        });
        assert!(ended.await.report.is_clean());
    });
    assert_eq!((alive.load(SeqCst), done.load(SeqCst)), (0, 10_000));
}

#[test]
fn a_task_registers_cleanups_with_its_scope() {
    let log = Log::default();
    paused(async {
        let ended = scope_async(Options::new(), async |s| {
            s.defer(log.cleanup("of the body"));
            let (handle, log) = (s.handle(), log.clone());
            drop(s.spawn(async move {
                sleep(millis(5)).await;
                handle.defer(log.cleanup("of the task"));
            }));
        });
        assert_eq!(ended.await.report.cleanups, 2);
        assert_eq!(log.said(), "of the task, of the body");
    });
}

#[test]
fn tasks_of_a_scope_that_is_cancelled_on_many_threads_are_gone_before_its_cleanups() {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(4).enable_all().build();
    let runtime = runtime.unwrap();
    let seen = Arc::new(Mutex::new(Vec::new()));
    for _ in 0..200 {
        let (inner, seen) = (Arc::new(AtomicUsize::new(0)), Arc::clone(&seen));
        runtime.block_on(async move {
            let begun = Arc::new(Notify::new());
            let begins = Arc::clone(&begun);
            let task = tokio::spawn(async move {
                let ended = scope_async(Options::new(), async |s| {
                    let at_cleanup = Arc::clone(&inner);
                    s.defer(async move { seen.lock().unwrap().push(at_cleanup.load(SeqCst)) });
                    for _ in 0..3 {
                        let kept = Alive::new(&inner);
                        drop(s.spawn(async move {
                            let _kept = kept;
                            loop {
                                yield_now().await;
                            }
                        }));
                    }
                    begun.notify_one();
                    pending::<()>().await;
                });
                drop(ended.await);
            });
            begins.notified().await;
            task.abort();
            assert!(task.await.unwrap_err().is_cancelled());
        });
    }
    eventually(|| seen.lock().unwrap().len() == 200);
    assert!(seen.lock().unwrap().iter().all(|alive| *alive == 0));
}

#[test]
fn a_scope_whose_tasks_wait_is_dropped_while_it_ends() {
    let log = Log::default();
    paused(async {
        let mut scope = OwnedScope::new();
        scope.defer_with(log.told("cleanup"));
        drop(scope.spawn(task(&log)));
        let closing = scope.end(Outcome::Succeeded);
        assert!(tokio::time::timeout(millis(5), closing).await.is_err());
        reaped().await;
        // It had succeeded, so its task is not cut short.
        assert_eq!(log.said(), "task done, task dropped, cleanup succeeded");
    });
}

#[test]
fn a_task_that_outlives_the_deadline_of_an_ended_scope_is_cut_short_and_reported() {
    let log = Log::default();
    paused(async {
        let options = Options::new().cleanup_deadline(millis(5));
        let mut scope = OwnedScope::with(options);
        scope.defer_with(log.told("cleanup"));
        drop(scope.spawn(async {}));
        let spawned_at = line!() + 1;
        drop(scope.spawn(task(&log)));
        let report = scope.end(Outcome::Succeeded).await;
        // It is gone before the cleanups, as on every other way out.
        assert_eq!(log.said(), "task dropped, cleanup succeeded");
        let [unfinished] = report.unfinished() else { panic!("{report:?}") };
        assert_eq!(unfinished.reason, UnfinishedReason::TimedOut);
        assert_eq!(unfinished.registered_at.line(), spawned_at);
    });
}

#[test]
fn what_is_known_of_the_tasks_stands_in_the_first_report() {
    paused(async {
        let options = Options::new().cleanup_deadline(millis(5)).overrun(Overrun::Background);
        let mut scope = OwnedScope::with(options);
        scope.defer(async { sleep(millis(8)).await });
        drop(scope.spawn(async { panic!("no") }));
        let report = scope.end(Outcome::Succeeded).await;
        assert_eq!(report.completion, Completion::HandedOver);
        assert_eq!(report.children().len(), 1);
        reaped().await;
    });
}
