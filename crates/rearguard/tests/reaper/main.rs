//! The reaper, of which a process has one: what it reports, counts, bounds and waits for.
//!
//! A binary of its own, whose tests run one after the other: they look at the process's counts, and
//! set its observer.
#![cfg(feature = "tokio")]
#![expect(clippy::unwrap_used, reason = "what cannot go on in a test fails it")]

mod observed;

use std::{future::pending, pin::pin, task::Poll, time::Duration};

use rearguard::{
    Completion, DEFAULT_REAPER_CAPACITY, Options, Outcome, OwnedScope, Reaper, ReaperStats,
    UnfinishedReason::{ChildRunning, NoRuntime, ReaperFull, RuntimeStopped, TimedOut},
    scope_async,
};
use tokio::{runtime::Builder, sync::oneshot, task::yield_now, time::sleep};

use self::observed::{alone, observed, paused};

const fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// What was finished and lost since.
fn since(before: ReaperStats) -> (u64, u64) {
    let now = Reaper::global().stats();
    (now.finished - before.finished, now.lost - before.lost)
}

/// A scope of three cleanups, of which the middle one waits.
fn three(name: &'static str) -> OwnedScope {
    let mut scope = OwnedScope::with(Options::new().named(name));
    scope.defer(async {});
    scope.defer(pending::<()>());
    scope.on_success(async {});
    scope.defer(async {});
    scope
}

#[test]
fn a_cancelled_scope_is_finished_and_told_of() {
    let before = alone();
    paused(async {
        let body = scope_async(Options::new().named("cancelled").timed(), async |s| {
            s.defer(sleep(millis(5)));
            s.defer(async { Err("no") });
            sleep(millis(100)).await;
        });
        assert!(tokio::time::timeout(millis(20), body).await.is_err());
        assert_eq!(Reaper::global().drain(millis(1000)).await.waiting, 0);
    });
    let [told] = &observed("cancelled")[..] else { panic!("told once") };
    assert_eq!((told.outcome, told.completion), (Outcome::Cancelled, Completion::Reaped));
    assert_eq!((told.cleanups, told.failures), (2, 1));
    assert!(told.unfinished.is_empty());
    assert_eq!(told.work, Some(millis(20)));
    assert_eq!(since(*before), (1, 0));
}

#[test]
fn outside_a_runtime_it_is_lost_and_told_of() {
    let before = alone();
    drop(three("outside"));
    let [told] = &observed("outside")[..] else { panic!("told once") };
    assert_eq!((told.outcome, told.completion), (Outcome::Cancelled, Completion::Reaped));
    // What would not have applied is not missed.
    assert_eq!(told.unfinished, [NoRuntime; 3]);
    assert_eq!(told.cleanups, 0);
    assert_eq!(since(*before), (0, 3));
    // In the middle of a cleanup as well.
    let runtime = Builder::new_current_thread().enable_time().build().unwrap();
    let mut closing = three("outside").end(Outcome::Failed);
    runtime.block_on(async {
        let mut closing = pin!(&mut closing);
        std::future::poll_fn(|context| {
            assert!(closing.as_mut().poll(context).is_pending());
            Poll::Ready(())
        })
        .await;
    });
    drop(closing);
    let [told] = &observed("outside")[..] else { panic!("told once") };
    assert_eq!((told.outcome, told.cleanups), (Outcome::Failed, 1));
    assert_eq!(told.unfinished, [NoRuntime; 2]);
    assert_eq!(since(*before), (0, 5));
}

#[test]
fn when_the_runtime_stops_what_waits_is_lost_and_told_of() {
    for multi_thread in [false, true] {
        let before = alone();
        let mut builder =
            if multi_thread { Builder::new_multi_thread() } else { Builder::new_current_thread() };
        let runtime = builder.enable_time().build().unwrap();
        runtime.block_on(async {
            // One is in the reaper when it stops, and begun; one has still its owner.
            let (begun, begins) = oneshot::channel();
            let mut scope = three("stopped");
            scope.defer(async { begun.send(()).unwrap() });
            drop(scope);
            begins.await.unwrap();
            let (begun, begins) = oneshot::channel();
            drop(tokio::spawn(async {
                let ended = scope_async(Options::new().named("stopped"), async |s| {
                    s.defer(async {});
                    s.defer(async {});
                    begun.send(()).unwrap();
                    pending::<()>().await;
                });
                drop(ended.await);
            }));
            begins.await.unwrap();
        });
        drop(runtime);
        let mut told = observed("stopped");
        told.sort_by_key(|told| told.cleanups);
        let [owned, reaped] = &told[..] else { panic!("{told:?}") };
        assert_eq!(owned.unfinished, [RuntimeStopped; 2]);
        assert_eq!((reaped.cleanups, &reaped.unfinished[..]), (2, &[RuntimeStopped; 2][..]));
        for told in [owned, reaped] {
            assert_eq!((told.outcome, told.completion), (Outcome::Cancelled, Completion::Reaped));
        }
        let stats = Reaper::global().stats();
        assert_eq!((since(*before), stats.waiting), ((0, 4), 0));
    }
}

fn observed_waiting() -> usize {
    Reaper::global().stats().waiting
}

#[test]
fn tasks_that_stopped_with_their_runtime_are_not_said_to_run() {
    let _before = alone();
    let runtime = Builder::new_current_thread().enable_time().build().unwrap();
    runtime.block_on(async {
        let mut scope = OwnedScope::with(Options::new().named("tasks"));
        scope.defer(async {});
        drop(scope.spawn(pending::<()>()));
        drop(scope);
    });
    drop(runtime);
    let [told] = &observed("tasks")[..] else { panic!("told once") };
    assert!(!told.unfinished.contains(&ChildRunning), "{told:?}");
    assert_eq!(told.unfinished, [RuntimeStopped]);
}

#[test]
fn a_full_reaper_refuses_tells_and_counts() {
    let before = alone();
    paused(async {
        Reaper::global().set_capacity(2);
        drop(three("kept"));
        drop(three("kept"));
        drop(three("refused"));
        assert_eq!(observed_waiting(), 2);
        let [told] = &observed("refused")[..] else { panic!("told once") };
        assert_eq!(told.unfinished, [ReaperFull; 3]);
        assert_eq!((told.completion, told.cleanups), (Completion::Reaped, 0));
        assert_eq!(since(*before), (0, 3));
        // One that has nothing to do asks for no room.
        drop(OwnedScope::with(Options::new().named("refused")));
        assert!(observed("refused").is_empty());
        // What is handed over is refused as well.
        let options = Options::new().named("handed over").cleanup_deadline(millis(5));
        let mut scope = OwnedScope::with(options.overrun(rearguard::Overrun::Background));
        scope.defer(async {});
        scope.defer(pending::<()>());
        let report = scope.end(Outcome::Succeeded).await;
        assert_eq!(report.completion, Completion::HandedOver);
        let [refused, first] = &observed("handed over")[..] else { panic!("told twice") };
        assert_eq!((first.completion, first.unfinished.len()), (Completion::HandedOver, 0));
        assert_eq!(refused.unfinished, [ReaperFull; 2]);
        assert_eq!(since(*before), (0, 5));
        // There is room again when those that were kept have overrun.
        Reaper::global().drain(Duration::from_secs(60)).await;
        drop(three("kept"));
        assert_eq!(observed_waiting(), 1);
        Reaper::global().drain(Duration::from_secs(60)).await;
        Reaper::global().set_capacity(DEFAULT_REAPER_CAPACITY);
    });
    let told = observed("kept");
    assert_eq!(told.len(), 3);
    assert!(told.iter().all(|told| told.unfinished[0] == TimedOut && told.cleanups == 1));
    assert_eq!(since(*before), (3, 11));
}

#[test]
fn draining_waits_until_it_is_empty_or_the_deadline_passes() {
    let before = alone();
    paused(async {
        let began = tokio::time::Instant::now();
        assert_eq!(Reaper::global().drain(millis(50)).await.waiting, 0);
        assert_eq!(began.elapsed(), millis(0));
        drop(three("drained"));
        sleep(millis(10)).await;
        let mut scope = OwnedScope::with(Options::new().named("drained"));
        scope.defer(async { sleep(millis(20)).await });
        drop(scope);

        let stats = Reaper::global().drain(millis(50)).await;
        assert_eq!(began.elapsed(), millis(60));
        assert_eq!((stats.waiting, stats.oldest), (1, Some(millis(60))));
        assert_eq!(since(*before), (1, 0));
        let text =
            format!("1 scopes waiting, {} finished, {} cleanups lost", stats.finished, stats.lost);
        assert_eq!(stats.to_string(), text);

        // Two may wait; both are woken.
        let (one, other) = tokio::join!(
            Reaper::global().drain(Duration::from_secs(60)),
            Reaper::global().drain(Duration::from_secs(60)),
        );
        assert_eq!((one.waiting, other.waiting, one.oldest), (0, 0, None));
        assert_eq!(began.elapsed(), Duration::from_secs(30));
    });
    assert_eq!(since(*before), (2, 2));
    assert_eq!(observed("drained").len(), 2);
}

#[test]
fn many_scopes_cancelled_at_once_on_many_threads_are_all_finished() {
    const SCOPES: usize = 5000;
    let before = alone();
    let runtime = Builder::new_multi_thread().worker_threads(4).enable_all().build().unwrap();
    runtime.block_on(async {
        let tasks: Vec<_> = (0..SCOPES)
            .map(|_| {
                let (registered, known) = oneshot::channel();
                let task = tokio::spawn(async move {
                    let ended = scope_async(Options::new().named("many"), async |s| {
                        s.defer(async {});
                        s.defer(async { sleep(millis(1)).await });
                        s.defer(yield_now());
                        registered.send(()).unwrap();
                        pending::<()>().await;
                    });
                    drop(ended.await);
                });
                (task, known)
            })
            .collect();
        let mut running = Vec::new();
        for (task, known) in tasks {
            known.await.unwrap();
            running.push(task);
        }
        running.iter().for_each(tokio::task::JoinHandle::abort);
        for task in running {
            assert!(task.await.unwrap_err().is_cancelled());
        }
        assert_eq!(Reaper::global().drain(Duration::from_secs(30)).await.waiting, 0);
    });
    let told = observed("many");
    assert_eq!(told.len(), SCOPES);
    assert!(told.iter().all(|told| told.cleanups == 3 && told.unfinished.is_empty()));
    assert_eq!(since(*before), (SCOPES as u64, 0));
}

#[test]
fn whoever_ends_a_scope_the_observer_is_told_once() {
    let _before = alone();
    paused(async {
        let options = Options::new().named("told");
        drop(scope_async(options, async |_| {}).await);
        assert_eq!(observed("told").len(), 1);
        drop(OwnedScope::with(options).run(async {}).await);
        assert_eq!(observed("told").len(), 1);
        drop(OwnedScope::with(options).end(Outcome::Succeeded).await);
        assert_eq!(observed("told").len(), 1);
        let mut outer = OwnedScope::new();
        outer.adopt(OwnedScope::with(options));
        drop(outer.end(Outcome::Succeeded).await);
        assert_eq!(observed("told").len(), 1);
        // An observer that panics does no harm.
        drop(scope_async(Options::new().named("observer panics"), async |_| {}).await);
    });
}

#[test]
fn a_scope_that_is_cancelled_with_nothing_to_undo_is_told_of() {
    let _before = alone();
    paused(async {
        let options = Options::new().named("idle");
        let body = scope_async(options, async |_| pending::<()>().await);
        assert!(tokio::time::timeout(millis(5), body).await.is_err());
        let [told] = &observed("idle")[..] else { panic!("told once") };
        assert_eq!((told.outcome, told.completion), (Outcome::Cancelled, Completion::InPlace));
        let run = OwnedScope::with(options).run(pending::<()>());
        assert!(tokio::time::timeout(millis(5), run).await.is_err());
        assert_eq!(observed("idle").len(), 1);
        // One that nothing was done with is no scope that ended.
        drop(OwnedScope::with(options));
        assert_eq!(observed("idle").len(), 0);
    });
}

#[test]
fn a_cleanup_that_panics_in_the_reaper_is_told_of_and_the_rest_run() {
    let before = alone();
    paused(async {
        let mut scope = three("panics");
        scope.defer(async { panic!("no") });
        scope.defer(async {
            yield_now().await;
            panic!("no")
        });
        drop(scope);
        Reaper::global().drain(Duration::from_secs(60)).await;
    });
    let [told] = &observed("panics")[..] else { panic!("told once") };
    assert_eq!((told.failures, told.cleanups), (2, 3));
    assert_eq!(since(*before), (1, 2));
}

#[test]
fn a_task_that_is_aborted_before_its_first_poll_is_not_told_of() {
    let before = alone();
    paused(async {
        let task = tokio::spawn(async {
            drop(scope_async(Options::new().named("aborted"), async |_| {}).await);
        });
        task.abort();
        assert!(task.await.unwrap_err().is_cancelled());
    });
    assert!(observed("aborted").is_empty());
    assert_eq!(since(*before), (0, 0));
}
