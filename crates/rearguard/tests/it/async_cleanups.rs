//! Conformance, row 15: cleanups that fail in every way, and the report that says so.

use std::{
    convert::Infallible,
    future::{Future, pending, poll_fn},
    panic::{AssertUnwindSafe, catch_unwind, panic_any, resume_unwind},
    pin::Pin,
    task::{Context, Poll},
};

use rearguard::{
    CleanupFailure, Completion, Ended, FailureKind, Options, Outcome, OwnedScope, Report,
    ScopeError, scope_async,
};
use tokio::task::yield_now;

use crate::async_support::{Log, PanicsWhenDropped, paused, reaped};

/// A scope that succeeds, with `register` between two cleanups that go well.
fn between(register: impl FnOnce(&mut OwnedScope)) -> (Report, String) {
    let log = Log::default();
    let report = paused(async {
        let mut scope = OwnedScope::new();
        scope.defer_with(log.told("older"));
        register(&mut scope);
        scope.defer_with(log.told("newer"));
        scope.end(Outcome::Succeeded).await
    });
    (report, log.said())
}

/// The others run, and see no failure; this one stands in the report with its line.
#[track_caller]
fn check_fails(at: u32, what: &str, register: impl FnOnce(&mut OwnedScope)) {
    let (report, said) = between(register);
    assert_eq!(said, "newer succeeded, older succeeded");
    assert_eq!(report.outcome, Outcome::Succeeded);
    assert_eq!(report.completion, Completion::InPlace);
    assert_eq!(report.cleanups, 3);
    assert!(report.unfinished().is_empty());
    assert!(!report.is_clean());
    let [failure] = report.failures() else { panic!("{report:?}") };
    assert_eq!(describe(failure), what);
    assert_eq!(failure.registered_at.file(), file!());
    assert_eq!(failure.registered_at.line(), at);
}

fn describe(failure: &CleanupFailure) -> String {
    match &failure.kind {
        FailureKind::Error(error) => format!("error: {error}"),
        FailureKind::Panic(message) => format!("panic: {message}"),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_cleanup_that_errs() {
    check_fails(line!(), "error: no", |s| s.defer(async { Err("no") }));
    check_fails(line!(), "error: no", |s| s.defer_with(|_| async { Err("no") }));
    check_fails(line!(), "error: no", |s| s.on_success(async { Err("no") }));
    check_fails(line!() + 1, "error: no", |s| {
        let _key = s.defer_keyed(async { Err("no") });
    });
    let waits = async {
        yield_now().await;
        Err("no")
    };
    check_fails(line!(), "error: no", |s| s.defer(waits));
}

#[test]
fn a_cleanup_that_panics() {
    check_fails(line!(), "panic: no", |s| s.defer(async { panic!("no") }));
    let late = async {
        yield_now().await;
        panic!("{}", "no");
    };
    check_fails(line!(), "panic: no", |s| s.defer(late));
    let waits = |_| async {
        yield_now().await;
        panic!("no")
    };
    check_fails(line!(), "panic: no", |s| s.defer_with(waits));
}

#[test]
fn a_cleanup_that_panics_while_it_is_made() {
    fn made(_: Outcome) -> std::future::Ready<()> {
        panic!("no")
    }
    check_fails(line!(), "panic: no", |s| s.defer_with(made));
}

#[test]
fn a_cleanup_that_panics_while_it_is_dropped() {
    let panics = PanicsWhenDropped;
    let at_once = poll_fn(move |_| {
        let _kept = &panics;
        Poll::Ready(())
    });
    check_fails(line!(), "panic: dropped", |s| s.defer(at_once));
    let (panics, mut polled) = (PanicsWhenDropped, false);
    let later = poll_fn(move |context| {
        let _kept = &panics;
        context.waker().wake_by_ref();
        if std::mem::replace(&mut polled, true) { Poll::Ready(()) } else { Poll::Pending }
    });
    check_fails(line!(), "panic: dropped", |s| s.defer(later));
}

#[test]
fn a_cleanup_of_another_outcome_that_panics_while_it_is_dropped() {
    let panics = PanicsWhenDropped;
    let never = async move {
        let _kept = panics;
        pending::<()>().await;
    };
    check_fails(line!(), "panic: dropped", |s| s.on_failure(never));
}

#[test]
fn a_cleanup_that_errs_and_then_panics_while_it_is_dropped_has_failed_twice() {
    let (panics, mut polled) = (PanicsWhenDropped, false);
    let (report, said) = between(|s| {
        s.defer(poll_fn(move |context| -> Poll<Result<(), &str>> {
            let _kept = &panics;
            context.waker().wake_by_ref();
            if std::mem::replace(&mut polled, true) {
                Poll::Ready(Err("no"))
            } else {
                Poll::Pending
            }
        }));
    });
    assert_eq!(said, "newer succeeded, older succeeded");
    let failures: Vec<_> = report.failures().iter().map(describe).collect();
    assert_eq!(failures, ["error: no", "panic: dropped"]);
    assert_eq!(report.cleanups, 3);
}

#[test]
fn a_cleanup_that_errs_at_once_and_then_panics_while_it_is_dropped_has_failed_twice() {
    let panics = PanicsWhenDropped;
    let (report, said) = between(|s| {
        s.defer(poll_fn(move |_| -> Poll<Result<(), &str>> {
            let _kept = &panics;
            Poll::Ready(Err("no"))
        }));
    });
    assert_eq!(said, "newer succeeded, older succeeded");
    let failures: Vec<_> = report.failures().iter().map(describe).collect();
    assert_eq!(failures, ["error: no", "panic: dropped"]);
}

#[test]
fn a_cleanup_whose_panics_payload_panics_when_it_is_dropped() {
    let text = "panic: a payload that is not text";
    check_fails(line!(), text, |s| s.defer(async { panic_any(PanicsWhenDropped) }));
    let late = async {
        yield_now().await;
        panic_any(PanicsWhenDropped)
    };
    check_fails(line!(), text, |s| s.defer(late));
}

#[test]
fn any_payload_is_a_panic() {
    let payloads: [Box<dyn FnOnce() + Send>; 3] = [
        Box::new(|| panic_any(7_u64)),
        Box::new(|| resume_unwind(Box::new(()))),
        Box::new(|| panic_any(String::from("text"))),
    ];
    let expected = ["a payload that is not text", "a payload that is not text", "text"];
    for (payload, expected) in payloads.into_iter().zip(expected) {
        let (report, said) = between(|s| s.defer(async { payload() }));
        assert_eq!(said, "newer succeeded, older succeeded");
        assert_eq!(describe(&report.failures()[0]), format!("panic: {expected}"));
    }
}

#[test]
fn all_failures_are_kept_in_the_order_in_which_they_came() {
    let (report, said) = between(|s| {
        s.defer(async { Err("third") });
        s.defer(async { panic!("second") });
        s.defer(async { Err("first") });
    });
    assert_eq!(said, "newer succeeded, older succeeded");
    let failures: Vec<_> = report.failures().iter().map(describe).collect();
    assert_eq!(failures, ["error: first", "panic: second", "error: third"]);
    assert_eq!(report.cleanups, 5);
    let first = report.into_result().unwrap_err();
    let text = first.to_string();
    assert!(text.starts_with("the cleanup of ") && text.ends_with(" failed: first"), "{text}");
    assert_eq!(first.source().unwrap().to_string(), "first");
}

#[test]
fn a_cleanup_that_opens_a_scope() {
    let log = Log::default();
    let (report, said) = between(|s| {
        let inner = log.clone();
        s.defer(async move {
            rearguard::scope(|s| {
                s.defer(|| inner.say("sync cleanup"));
                inner.say("sync body");
            });
            let ended = scope_async(Options::new(), async |s| -> Result<(), Infallible> {
                s.defer(inner.steps("async cleanup ", 1));
                inner.say("async body");
                yield_now().await;
                Ok(())
            });
            ended.await.into_result()
        });
    });
    assert_eq!(said, "newer succeeded, older succeeded");
    assert!(report.is_clean());
    let expected = "sync body, sync cleanup, async body, async cleanup 1, async cleanup 2";
    assert_eq!(log.said(), expected);
}

#[test]
fn what_fails_in_a_scope_that_a_cleanup_opened_is_that_cleanups_failure() {
    let (report, _) = between(|s| {
        s.defer(async {
            let ended = scope_async(Options::new(), async |s| -> Result<(), Infallible> {
                s.defer(async { Err("inner") });
                Ok(())
            });
            ended.await.into_result()
        });
    });
    let failure = describe(&report.failures()[0]);
    assert!(failure.starts_with("error: the cleanup of "), "{failure}");
    assert!(failure.ends_with("failed: inner"), "{failure}");
}

#[test]
fn a_scope_that_a_cleanup_opened_ends_also_when_the_cleanup_runs_in_the_reaper() {
    let log = Log::default();
    paused(async {
        let mut scope = OwnedScope::new();
        let inner = log.clone();
        scope.defer(async move {
            let ended = scope_async(Options::new(), async |s| {
                s.defer_with(inner.told("inner"));
                yield_now().await;
            });
            drop(ended.await);
            inner.say("outer");
        });
        drop(scope);
        reaped().await;
    });
    assert_eq!(log.said(), "inner succeeded, outer");
}

// The body's own failures.

/// Waits for ever, and panics when it is dropped.
struct Fragile(PanicsWhenDropped);

impl Future for Fragile {
    type Output = ();

    fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<()> {
        Poll::Pending
    }
}

#[test]
fn a_body_that_panics_while_it_is_dropped_has_panicked() {
    let log = Log::default();
    paused(async {
        let options = Options::new().deadline(crate::async_support::millis(5));
        let ended = scope_async(options, async |s| {
            s.defer_with(log.told("cleanup"));
            let _local = PanicsWhenDropped;
            pending::<()>().await;
        })
        .await;
        assert_eq!(log.said(), "cleanup panicked");
        assert_eq!(ended.report.completion, Completion::InPlace);
        let payload = catch_unwind(AssertUnwindSafe(|| ended.into_returned())).unwrap_err();
        assert_eq!(payload.downcast_ref(), Some(&"dropped"));

        let mut scope = OwnedScope::with(options);
        scope.defer_with(log.told("cleanup"));
        let ended = scope.run(Fragile(PanicsWhenDropped)).await;
        assert_eq!(log.said(), "cleanup panicked");
        assert_eq!(ended.report.outcome, Outcome::Panicked);
    });
}

#[test]
fn a_body_that_panics_while_it_is_made_has_panicked() {
    let log = Log::default();
    paused(async {
        let ended: Ended<()> = scope_async(Options::new(), |s: &mut OwnedScope| {
            s.defer_with(log.told("cleanup"));
            if log.said().is_empty() {
                panic!("no");
            }
            std::future::ready(())
        })
        .await;
        assert_eq!(log.said(), "cleanup panicked");
        assert_eq!(ended.report.outcome, Outcome::Panicked);
        assert_eq!(ended.report.completion, Completion::InPlace);
    });
}

#[test]
fn a_value_that_panics_when_it_is_dropped_does_not_keep_the_cleanups_from_running() {
    let log = Log::default();
    paused(async {
        let options = Options::new().deadline(crate::async_support::millis(5));
        // Its task outlives the deadline, so the value is lost.
        let ended = scope_async(options, async |s| -> Result<PanicsWhenDropped, Infallible> {
            s.defer_with(log.told("cleanup"));
            drop(s.spawn(pending::<()>()));
            Ok(PanicsWhenDropped)
        });
        let ended = ended.await;
        assert_eq!(log.said(), "cleanup timed_out");
        assert_eq!(ended.report.completion, Completion::InPlace);
        assert!(matches!(ended.into_result(), Err(ScopeError::TimedOut)));
    });
}
