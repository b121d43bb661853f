//! Conformance, row 15: cleanups that hang past a deadline, under every [`Overrun`].

use std::{future::pending, time::Duration};

use rearguard::{
    Completion, Ended, Options, Outcome, Overrun, OwnedScope, Report, ScopeError,
    UnfinishedReason::{self, Abandoned, TimedOut},
    scope_async,
};
use tokio::time::{Instant, sleep};

use crate::async_support::{Log, PanicsWhenDropped, millis, paused, reaped};

/// Runs `a`, `b` and `c`, of which `b`, the second to run, hangs. Says who ran, what did not finish
/// and for how long the scope was kept.
fn hang(options: Options) -> (String, Vec<UnfinishedReason>, Duration, Report) {
    let log = Log::default();
    let (report, took) = paused(async {
        let began = Instant::now();
        let mut scope = OwnedScope::with(options);
        scope.defer(log.cleanup("a"));
        scope.defer(log.hangs("b"));
        scope.defer(log.cleanup("c"));
        let report = scope.end(Outcome::Succeeded).await;
        log.say("ended");
        let took = began.elapsed();
        reaped().await;
        (report, took)
    });
    let unfinished = report.unfinished().iter().map(|unfinished| unfinished.reason).collect();
    assert_eq!(report.outcome, Outcome::Succeeded);
    assert!(report.failures().is_empty());
    (log.said(), unfinished, took, report)
}

#[test]
fn past_the_deadline_of_one_the_rest_run() {
    for overrun in [Overrun::RunRest, Overrun::Background] {
        let options = Options::new().each_cleanup_deadline(millis(50)).overrun(overrun);
        let (said, unfinished, took, report) = hang(options);
        assert_eq!(said, "c, b dropped, a, ended");
        assert_eq!(unfinished, [TimedOut]);
        assert_eq!(took, millis(50));
        assert_eq!((report.cleanups, report.completion), (2, Completion::InPlace));
    }
}

#[test]
fn past_the_deadline_of_one_the_rest_are_abandoned_if_asked() {
    let options = Options::new().each_cleanup_deadline(millis(50)).overrun(Overrun::Abandon);
    let (said, unfinished, took, report) = hang(options);
    assert_eq!(said, "c, b dropped, ended");
    assert_eq!(unfinished, [TimedOut, Abandoned]);
    assert_eq!(took, millis(50));
    assert_eq!((report.cleanups, report.completion), (1, Completion::InPlace));
}

#[test]
fn past_the_deadline_of_all_the_rest_are_abandoned() {
    for overrun in [Overrun::RunRest, Overrun::Abandon] {
        let options = Options::new().cleanup_deadline(millis(50)).overrun(overrun);
        let (said, unfinished, took, report) = hang(options);
        assert_eq!(said, "c, b dropped, ended");
        assert_eq!(unfinished, [TimedOut, Abandoned]);
        assert_eq!(took, millis(50));
        assert_eq!((report.cleanups, report.completion), (1, Completion::InPlace));
    }
}

#[test]
fn past_the_deadline_of_all_the_rest_are_handed_over_if_asked() {
    let options = Options::new().cleanup_deadline(millis(50)).overrun(Overrun::Background);
    let (said, unfinished, took, report) = hang(options);
    // The scope goes on; the reaper gives it as much time again.
    assert_eq!(said, "c, ended, b dropped");
    assert_eq!(unfinished, []);
    assert_eq!(took, millis(50));
    assert_eq!((report.cleanups, report.completion), (1, Completion::HandedOver));
    assert!(report.is_clean());
}

#[test]
fn what_is_handed_over_goes_on_where_it_was() {
    let log = Log::default();
    paused(async {
        let options = Options::new().cleanup_deadline(millis(50)).overrun(Overrun::Background);
        let mut scope = OwnedScope::with(options);
        scope.defer_with(log.told("older"));
        let slow = log.clone();
        scope.defer(async move {
            for step in ["30", "60", "90"] {
                sleep(millis(30)).await;
                slow.say(step);
            }
        });
        scope.defer(async { Err("known before") });
        let report = scope.end(Outcome::Failed).await;
        assert_eq!(report.completion, Completion::HandedOver);
        assert_eq!(report.failures().len(), 1);
        assert_eq!(log.said(), "30");
        reaped().await;
        assert_eq!(log.said(), "60, 90, older failed");
    });
}

#[test]
fn the_deadline_is_counted_from_the_first_wait() {
    paused(async {
        let options = Options::new().each_cleanup_deadline(millis(50));
        let ended = scope_async(options, async |s| {
            for _ in 0..3 {
                s.defer(async { sleep(millis(40)).await });
            }
            sleep(millis(500)).await;
        });
        assert!(ended.await.report.is_clean());
        // Together they overrun; the one that waits is reported, and so are those behind it.
        let options = Options::new().cleanup_deadline(millis(100));
        let ended = scope_async(options, async |s| {
            for _ in 0..4 {
                s.defer(async { sleep(millis(40)).await });
            }
        });
        let report = ended.await.report;
        let reasons: Vec<_> =
            report.unfinished().iter().map(|unfinished| unfinished.reason).collect();
        assert_eq!((report.cleanups, reasons), (2, vec![TimedOut, Abandoned]));
    });
}

#[test]
fn a_cleanup_that_is_ready_at_its_deadline_has_run() {
    paused(async {
        let options = Options::new().cleanup_deadline(millis(40)).each_cleanup_deadline(millis(40));
        let ended =
            scope_async(options, async |s| s.defer(async { sleep(millis(40)).await })).await;
        assert!(ended.report.is_clean());
    });
}

#[test]
fn the_default_is_half_a_minute_in_all() {
    let (_, unfinished, took, _) = hang(Options::new());
    assert_eq!(unfinished, [TimedOut, Abandoned]);
    assert_eq!(took, rearguard::DEFAULT_CLEANUP_DEADLINE);
    assert_eq!(took, Duration::from_secs(30));
}

#[test]
fn a_cleanup_of_another_outcome_is_not_missed() {
    paused(async {
        let options = Options::new().cleanup_deadline(millis(50));
        let mut scope = OwnedScope::with(options);
        scope.on_failure(pending::<()>());
        scope.on_success(pending::<()>());
        scope.defer(pending::<()>());
        let report = scope.end(Outcome::Succeeded).await;
        let reasons: Vec<_> =
            report.unfinished().iter().map(|unfinished| unfinished.reason).collect();
        assert_eq!(reasons, [TimedOut, Abandoned]);
    });
}

#[test]
fn a_cleanup_that_panics_while_its_deadline_drops_it_has_also_failed() {
    let log = Log::default();
    paused(async {
        let mut scope = OwnedScope::with(Options::new().each_cleanup_deadline(millis(5)));
        scope.defer(log.cleanup("older"));
        let panics = PanicsWhenDropped;
        scope.defer(async move {
            let _panics = panics;
            pending::<()>().await;
        });
        let report = scope.end(Outcome::Succeeded).await;
        assert_eq!(log.said(), "older");
        assert_eq!((report.failures().len(), report.unfinished().len()), (1, 1));
    });
}

#[test]
fn one_that_panics_while_it_is_abandoned_has_also_failed() {
    let log = Log::default();
    paused(async {
        let mut scope = OwnedScope::with(Options::new().cleanup_deadline(millis(5)));
        let (dropped, panics) = (log.dropped("oldest"), PanicsWhenDropped);
        scope.defer(async move { drop(dropped) });
        scope.defer(async move { drop(panics) });
        scope.defer(pending::<()>());
        let report = scope.end(Outcome::Succeeded).await;
        assert_eq!(log.said(), "oldest dropped");
        assert_eq!((report.failures().len(), report.unfinished().len()), (1, 3));
        assert_eq!(report.cleanups, 0);
    });
}

#[test]
fn in_the_reaper_the_same_deadlines_hold() {
    for (overrun, expected) in [
        (Overrun::RunRest, "c, b dropped, a"),
        (Overrun::Abandon, "c, b dropped"),
        (Overrun::Background, "c, b dropped, a"),
    ] {
        let log = Log::default();
        paused(async {
            let options = Options::new().each_cleanup_deadline(millis(50)).overrun(overrun);
            let mut scope = OwnedScope::with(options);
            scope.defer(log.cleanup("a"));
            scope.defer(log.hangs("b"));
            scope.defer(log.cleanup("c"));
            drop(scope);
            let began = Instant::now();
            sleep(millis(49)).await;
            assert_eq!(log.said(), "c", "{overrun:?}");
            sleep(millis(2)).await;
            log.say(format!("{:?}", began.elapsed()));
        });
        assert_eq!(log.said(), format!("{}, 51ms", &expected[3..]), "{overrun:?}");
    }
}

#[test]
fn a_scope_that_is_cancelled_in_a_cleanup_has_the_time_that_is_left() {
    let log = Log::default();
    paused(async {
        let mut scope = OwnedScope::with(Options::new().cleanup_deadline(millis(50)));
        scope.defer(log.hangs("cleanup"));
        let closing = scope.end(Outcome::Succeeded);
        assert!(tokio::time::timeout(millis(30), closing).await.is_err());
        sleep(millis(19)).await;
        assert_eq!(log.said(), "");
        sleep(millis(2)).await;
        assert_eq!(log.said(), "cleanup dropped");
    });
}

/// A deadline that was set on one runtime counts on another: the first may have stopped.
#[test]
fn a_scope_that_is_cancelled_on_another_runtime_has_the_time_that_is_left() {
    let log = Log::default();
    let first = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let mut scope = OwnedScope::with(Options::new().cleanup_deadline(millis(50)));
    scope.defer_with(log.told("older"));
    // Waits for nothing of a runtime's own.
    scope.defer(log.steps("newer", 2));
    let mut closing = scope.end(Outcome::Succeeded);
    first.block_on(async {
        let polled = std::future::poll_fn(|context| {
            std::task::Poll::Ready(std::pin::Pin::new(&mut closing).poll(context))
        });
        assert!(polled.await.is_pending());
    });
    drop(first);
    paused(async {
        drop(closing);
        reaped().await;
    });
    assert_eq!(log.said(), "newer1, newer2, newer3, older succeeded");
}

#[test]
fn where_the_body_succeeded_a_cleanup_that_did_not_finish_is_the_first_failure() {
    paused(async {
        let options = Options::new().cleanup_deadline(millis(5));
        let ended: Ended<Result<u8, &str>> = scope_async(options, async |s| {
            s.defer(async {});
            s.defer(pending::<()>());
            Ok(1)
        })
        .await;
        let text = ended.report.unfinished()[0].to_string();
        assert!(text.ends_with("did not finish: it overran its deadline"), "{text}");
        assert!(matches!(ended.into_result(), Err(ScopeError::Unfinished(2))));
    });
}

#[test]
fn without_a_timer_cleanups_run_all_the_same() {
    let log = Log::default();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        let mut scope = OwnedScope::with(Options::new().each_cleanup_deadline(millis(5)));
        scope.defer(log.steps("a", 1));
        assert!(scope.end(Outcome::Succeeded).await.is_clean());
    });
    assert_eq!(log.said(), "a1, a2");
}
