//! What a scope that has ended tells: precedence, the report's fields, the result.

use std::{
    convert::Infallible,
    error::Error,
    fmt, io,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, Mutex},
};

use rearguard::{
    Completion, End, Ended, Options, Outcome, OwnedScope, Panic, ScopeError, scope_async,
};
use tokio::{task::yield_now, time::sleep};

use crate::async_support::{Log, PanicsWhenDropped, millis, paused};

/// A scope with two cleanups that fail, whose body does as it is told.
fn fail(body: impl AsyncFnOnce() -> Result<u8, &'static str>) -> Ended<Result<u8, &'static str>> {
    paused(scope_async(Options::new().deadline(millis(5)), async |s| {
        s.defer(async { panic!("second") });
        s.defer(async { Err("first") });
        body().await
    }))
}

#[test]
fn the_bodys_panic_goes_before_all() {
    let ended = fail(async || panic!("body"));
    assert_eq!(ended.report.outcome, Outcome::Panicked);
    assert_eq!(ended.report.failures().len(), 2);
    let payload = catch_unwind(AssertUnwindSafe(|| ended.into_result())).unwrap_err();
    assert_eq!(payload.downcast_ref(), Some(&"body"));
}

#[test]
fn the_bodys_error_goes_before_the_cleanups() {
    let ended = fail(async || Err("body"));
    assert_eq!(ended.report.outcome, Outcome::Failed);
    assert_eq!(ended.report.failures().len(), 2);
    assert!(matches!(ended.into_result(), Err(ScopeError::Failed("body"))));
}

#[test]
fn the_deadline_goes_before_the_cleanups() {
    let ended = fail(async || std::future::pending().await);
    assert_eq!(ended.report.outcome, Outcome::TimedOut);
    assert_eq!(ended.report.failures().len(), 2);
    let error = ended.into_result().unwrap_err();
    assert!(matches!(error, ScopeError::TimedOut));
    assert_eq!(error.to_string(), "the scope's deadline passed");
}

#[test]
fn after_success_it_is_the_first_cleanup_that_failed() {
    let ended = fail(async || Ok(1));
    // What a cleanup does changes the result, but not how the body ended.
    assert_eq!(ended.report.outcome, Outcome::Succeeded);
    let Err(ScopeError::Cleanup(failure)) = ended.into_result() else { panic!("it failed") };
    assert!(failure.to_string().ends_with("failed: first"), "{failure}");
    // The value is there all the same for who wants it.
    assert_eq!(fail(async || Ok(1)).into_returned(), Some(Ok(1)));
}

#[test]
fn a_panic_is_recovered_from_once_the_cleanups_have_run() {
    let recovered = |panic: Panic| if panic.message() == "body" { Ok(7) } else { Err("other") };
    let ended = fail(async || panic!("body")).recover(recovered);
    assert!(matches!(ended.end, End::Returned(Ok(7))));
    assert_eq!(ended.report.outcome, Outcome::Panicked);
    // Nothing else is touched.
    let ended = fail(async || Err("body")).recover(recovered);
    assert_eq!(ended.into_returned(), Some(Err("body")));
    let ended = fail(async || std::future::pending().await).recover(recovered);
    assert_eq!(ended.into_returned(), None);
}

#[test]
fn a_panic_goes_on_with_the_same_payload() {
    #[derive(Debug, PartialEq)]
    struct Payload(u8);
    let ended = paused(scope_async(Options::new(), async |_| -> Result<(), Infallible> {
        yield_now().await;
        std::panic::panic_any(Payload(3))
    }));
    let payload = catch_unwind(AssertUnwindSafe(|| ended.into_returned())).unwrap_err();
    assert_eq!(payload.downcast_ref(), Some(&Payload(3)));
    // One that panics itself when it is dropped does no harm.
    let ended: Ended<()> =
        paused(scope_async(Options::new(), async |_| std::panic::panic_any(PanicsWhenDropped)));
    assert_eq!(ended.report.outcome, Outcome::Panicked);
    drop(ended);
}

#[test]
fn the_outcome_is_what_the_body_returns_and_not_whether_the_thread_unwinds() {
    /// Uses a scope while the thread unwinds.
    struct Unwinding(Arc<Mutex<Vec<(Outcome, bool)>>>);
    impl Drop for Unwinding {
        fn drop(&mut self) {
            let seen = Arc::clone(&self.0);
            let at_cleanup = Arc::clone(&self.0);
            let ended = paused(scope_async(Options::new(), async |s| {
                s.defer_with(|outcome| async move {
                    at_cleanup.lock().unwrap().push((outcome, std::thread::panicking()));
                });
                s.on_failure(async { unreachable!("it succeeded") });
                yield_now().await;
            }));
            seen.lock().unwrap().push((ended.report.outcome, ended.report.is_clean()));
            let ended: Ended<()> =
                paused(scope_async(Options::new(), async |_| panic!("while it unwinds")));
            seen.lock().unwrap().push((ended.report.outcome, ended.report.is_clean()));
        }
    }
    let seen = Arc::new(Mutex::new(Vec::new()));
    let unwinding = Unwinding(Arc::clone(&seen));
    let panic = catch_unwind(AssertUnwindSafe(move || {
        let _unwinding = unwinding;
        panic!("outer");
    }));
    assert_eq!(panic.unwrap_err().downcast_ref(), Some(&"outer"));
    let expected =
        [(Outcome::Succeeded, true), (Outcome::Succeeded, true), (Outcome::Panicked, true)];
    assert_eq!(*seen.lock().unwrap(), expected);
}

#[test]
fn a_scope_that_is_dropped_while_the_thread_unwinds_is_cancelled() {
    let log = Log::default();
    paused(async {
        let told = log.told("cleanup");
        let panic = catch_unwind(AssertUnwindSafe(move || {
            let mut scope = OwnedScope::new();
            scope.defer_with(told);
            panic!("no");
        }));
        assert!(panic.is_err());
        crate::async_support::reaped().await;
    });
    assert_eq!(log.said(), "cleanup cancelled");
}

#[test]
fn a_body_may_return_nothing_a_result_or_the_outcome() {
    paused(async {
        let nothing = scope_async(Options::new(), async |_| {}).await;
        assert_eq!(nothing.report.outcome, Outcome::Succeeded);
        for outcome in [Outcome::Lost, Outcome::Cancelled, Outcome::Succeeded] {
            let log = Log::default();
            let told = scope_async(Options::new(), async |s| {
                s.defer_with(log.told("it"));
                outcome
            });
            assert_eq!(told.await.report.outcome, outcome);
            assert_eq!(log.said(), format!("it {outcome}"));
        }
    });
}

#[test]
fn the_report_tells_the_name_the_count_and_the_times() {
    paused(async {
        let options = Options::new().named("checkout").timed();
        let ended = scope_async(options, async |s| {
            s.defer(async { sleep(millis(300)).await });
            s.on_failure(async {});
            s.defer(async { sleep(millis(4)).await });
            sleep(millis(12)).await;
        });
        let report = ended.await.report;
        let times = report.times.unwrap();
        assert_eq!((times.work, times.cleanup), (millis(12), millis(304)));
        assert_eq!((report.name, report.cleanups), ("checkout", 2));
        assert_eq!(report.completion, Completion::InPlace);
        assert!(report.is_clean());
        assert!(report.into_result().is_ok());

        // Tasks of a body that succeeded are work; those that are cancelled are not.
        let ended = scope_async(options, async |s| drop(s.spawn(sleep(millis(20)))));
        let times = ended.await.report.times.unwrap();
        assert_eq!((times.work, times.cleanup), (millis(20), millis(0)));

        // Without being asked it reads no clock.
        let ended = scope_async(Options::new(), async |_| sleep(millis(12)).await);
        let report = ended.await.report;
        assert_eq!((report.name, report.times), ("", None));
    });
}

#[test]
fn each_way_to_register_tells_its_line() {
    paused(async {
        let mut scope = OwnedScope::new();
        let first = line!();
        scope.defer(async { Err("1") });
        scope.defer_with(|_| async { Err("2") });
        scope.on_failure(async { Err("3") });
        scope.on_cancel(async { Err("4") });
        let _key = scope.defer_keyed(async { Err("5") });
        scope.handle().defer(async { Err("6") });
        scope.handle().defer_with(|_| async { Err("7") });
        drop(scope.hold((), |(), _| async { Err("8") }));
        let mut inner = OwnedScope::new();
        inner.defer(async { Err("9") });
        scope.adopt(inner);
        let report = scope.end(Outcome::Cancelled).await;
        let lines: Vec<_> =
            report.failures().iter().map(|failure| failure.registered_at.line() - first).collect();
        assert_eq!(lines, [11, 8, 7, 6, 5, 4, 3, 2, 1]);
        let files = report.failures().iter().map(|failure| failure.registered_at.file());
        assert!({ files }.all(|file| file == file!()));
    });
}

#[test]
fn an_error_keeps_its_chain() {
    #[derive(Debug)]
    struct Outer(io::Error);
    impl fmt::Display for Outer {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("outer")
        }
    }
    impl Error for Outer {
        fn source(&self) -> Option<&(dyn Error + 'static)> {
            Some(&self.0)
        }
    }
    let ended = paused(scope_async(Options::new(), async |s| -> Result<(), Outer> {
        s.defer(async { Err(Outer(io::Error::other("inner"))) });
        Ok(())
    }));
    let error = ended.into_result().unwrap_err();
    let chain: Vec<_> = std::iter::successors(error.source(), |&error| error.source())
        .map(ToString::to_string)
        .collect();
    assert_eq!(chain, ["outer", "inner"]);
    // The body's own error is not told twice.
    let ended = paused(scope_async(Options::new(), async |_| -> Result<(), Outer> {
        Err(Outer(io::Error::other("inner")))
    }));
    let error = ended.into_result().unwrap_err();
    assert_eq!(
        (error.to_string(), error.source().unwrap().to_string()),
        ("outer".into(), "inner".into())
    );
}

#[test]
fn a_scope_that_is_polled_after_its_end_panics() {
    paused(async {
        let mut closing = OwnedScope::new().end(Outcome::Succeeded);
        assert!((&mut closing).await.is_clean());
        let again = tokio::spawn(closing).await;
        assert!(again.unwrap_err().is_panic());
    });
}
