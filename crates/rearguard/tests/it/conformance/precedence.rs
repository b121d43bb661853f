//! Which failure is the scope's own: the body's panic, then its error, then the first cleanup
//! that failed. All others are kept beside it, with the place where they were registered.

use std::error::Error;

use rearguard::{
    CleanupFailure, Completion, End, Ended, Exit, FailureKind, Outcome, ScopeError, scope,
    scope_reported,
};

use crate::support::{Log, caught, panic_with};

type R = Result<u32, String>;

fn failing(error: &str) -> Result<(), String> {
    Err(error.to_owned())
}

/// The message and line of each failure.
fn failures(list: &[CleanupFailure]) -> Vec<(String, u32)> {
    list.iter()
        .map(|failure| {
            assert_eq!(failure.registered_at.file(), file!());
            let message = match &failure.kind {
                FailureKind::Error(error) => format!("error {error}"),
                FailureKind::Panic(message) => format!("panic {message}"),
                other => format!("unknown {other:?}"),
            };
            (message, failure.registered_at.line())
        })
        .collect()
}

fn messages(exit: &Exit<R>) -> Vec<String> {
    failures(exit.failures()).into_iter().map(|(message, _)| message).collect()
}

#[test]
fn the_first_error_of_a_cleanup_is_the_result_of_a_body_that_succeeded() {
    let result = scope(|s| -> R {
        s.defer(|| failing("second"));
        s.defer(|| failing("first"));
        Ok(1)
    });
    assert_eq!(result, Err("first".to_owned()));
}

#[test]
fn the_error_of_the_body_goes_before_those_of_cleanups() {
    let result = scope(|s| -> R {
        s.defer(|| failing("cleanup"));
        s.defer(|| panic_with("cleanup"));
        Err("body".to_owned())
    });
    assert_eq!(result, Err("body".to_owned()));
}

#[test]
fn the_panic_of_the_body_goes_before_all() {
    let panic = caught(|| {
        scope(|s| -> R {
            s.defer(|| failing("cleanup"));
            s.defer(|| panic_with("cleanup"));
            panic_with("body")
        })
    });
    assert_eq!(panic.message(), "body");
}

#[test]
fn the_first_failure_among_cleanups_counts_be_it_an_error_or_a_panic() {
    let result = scope(|s| -> R {
        s.defer(|| panic_with("second"));
        s.defer(|| failing("first"));
        Ok(1)
    });
    assert_eq!(result, Err("first".to_owned()));
    let panic = caught(|| {
        scope(|s| -> R {
            s.defer(|| failing("second"));
            s.defer(|| panic_with("first"));
            Ok(1)
        })
    });
    assert_eq!(panic.message(), "first");
}

#[test]
fn a_cleanup_that_fails_after_a_recover_fails_the_scope() {
    let result = scope(|s| -> R {
        s.defer(|| failing("cleanup"));
        s.recover(|_| Ok(1));
        panic_with("body")
    });
    assert_eq!(result, Err("cleanup".to_owned()));
    let panic = caught(|| {
        scope(|s| -> R {
            s.defer(|| panic_with("cleanup"));
            s.recover(|_| Ok(1));
            panic_with("body")
        })
    });
    assert_eq!(panic.message(), "cleanup");
    let result = scope(|s| -> R {
        s.defer(|| panic_with("cleanup"));
        s.recover(|panic| Err(panic.message().to_owned()));
        panic_with("body")
    });
    assert_eq!(result, Err("body".to_owned()), "it failed already");
}

#[test]
fn an_error_of_a_cleanup_converts_into_that_of_the_body() {
    let result = scope(|s| -> Result<(), Box<dyn Error>> {
        s.defer(|| "x".parse::<u32>().map(drop));
        Ok(())
    });
    assert_eq!(
        result.map_err(|error| error.to_string()),
        Err("invalid digit found in string".into())
    );
}

#[test]
fn every_failure_is_seen_by_older_cleanups() {
    let log = Log::default();
    let result = scope(|s| -> R {
        s.defer_with(|exit| log.note(messages(exit).join(", ")));
        s.defer(|| panic_with("third"));
        s.defer_with(|exit| log.note(messages(exit).join(", ")));
        s.defer(|| failing("second"));
        s.defer(|| failing("first"));
        s.defer_with(|exit| log.note(messages(exit).len()));
        Ok(1)
    });
    assert_eq!(result, Err("first".to_owned()));
    log.expect(&["0", "error first, error second", "error first, error second, panic third"]);
}

/// Has cleanups that fail in each way of registering them, and the lines where they stand.
fn fail_everywhere(end: fn() -> R) -> (Ended<R>, Vec<u32>) {
    let mut lines = Vec::new();
    let ended = scope_reported("everywhere", |s| {
        lines.push(line!() + 1);
        s.defer(|| failing("defer"));
        lines.push(line!() + 1);
        s.defer_with(|_| failing("defer_with"));
        lines.push(line!() + 1);
        s.hold(1, |_, _| failing("hold"));
        lines.push(line!() + 1);
        drop(s.defer_keyed(|| failing("defer_keyed")));
        lines.push(line!() + 1);
        s.defer(|| panic_with("panic"));
        lines.push(line!() + 1);
        s.on_success(|| failing("on_success"));
        lines.push(line!() + 1);
        s.on_failure(|| failing("on_failure"));
        end()
    });
    lines.reverse();
    (ended, lines)
}

#[test]
fn a_report_names_each_failure_and_where_it_was_registered() {
    let (ended, lines) = fail_everywhere(|| Ok(1));
    assert_eq!(ended.report.name, "everywhere");
    assert_eq!(ended.report.outcome, Outcome::Succeeded);
    assert_eq!(ended.report.completion, Completion::InPlace);
    assert!(ended.report.unfinished().is_empty());
    assert!(!ended.report.is_clean());
    let expected = [
        ("error on_success".to_owned(), lines[1]),
        ("panic panic".to_owned(), lines[2]),
        ("error defer_keyed".to_owned(), lines[3]),
        ("error hold".to_owned(), lines[4]),
        ("error defer_with".to_owned(), lines[5]),
        ("error defer".to_owned(), lines[6]),
    ];
    assert_eq!(failures(ended.report.failures()), expected);
    assert!(matches!(&ended.end, End::Returned(Err(error)) if error == "on_success"));

    let (ended, lines) = fail_everywhere(|| panic_with("body"));
    assert_eq!(ended.report.outcome, Outcome::Panicked);
    let first = failures(ended.report.failures()).into_iter().next();
    assert_eq!(first, Some(("error on_failure".to_owned(), lines[0])));
    assert!(matches!(&ended.end, End::Panicked(panic) if panic.message() == "body"));
}

#[test]
fn a_failure_says_where_and_what() {
    let (ended, lines) = fail_everywhere(|| Err("body".to_owned()));
    let texts: Vec<String> = ended.report.failures().iter().map(ToString::to_string).collect();
    assert_eq!(texts.len(), 6);
    let start = format!("the cleanup of {}:{}:", file!(), lines[0]);
    assert!(texts[0].starts_with(&start), "{}", texts[0]);
    assert!(texts[0].ends_with(" failed: on_failure"), "{}", texts[0]);
    assert!(texts[1].ends_with(" panicked: panic"), "{}", texts[1]);
    let source = ended.report.failures()[0].source().map(ToString::to_string);
    assert_eq!(source.as_deref(), Some("on_failure"));
    assert!(ended.report.failures()[1].source().is_none());
    assert!(matches!(ended.into_result(), Err(ScopeError::Failed(error)) if error == "body"));
}

#[test]
fn a_report_of_a_scope_in_which_all_went_well_is_clean() {
    let ended = scope_reported("well", |s| -> R {
        s.defer(|| {});
        s.defer(|| Ok::<(), String>(()));
        Ok(1)
    });
    assert!(ended.report.is_clean(), "{:?}", ended.report);
    assert_eq!(ended.report.outcome, Outcome::Succeeded);
    assert!(ended.report.times.is_some());
    assert!(matches!(ended.into_result(), Ok(1)));
}

#[test]
fn a_report_counts_the_cleanups_that_ran() {
    let ended = scope_reported("counted", |s| -> R {
        s.defer(|| {});
        s.defer(|| failing("cleanup"));
        s.defer(|| panic_with("cleanup"));
        s.defer_keyed(|| {}).disarm();
        let below = s.defer_keyed(|| {});
        s.defer(|| {});
        below.disarm();
        Ok(1)
    });
    assert_eq!(ended.report.cleanups, 4);
}

#[test]
fn work_and_cleanup_are_timed_apart() {
    use std::{thread::sleep, time::Duration};
    let (short, long) = (Duration::from_millis(5), Duration::from_millis(20));
    for panics in [false, true] {
        let ended = scope_reported("timed", |s| -> R {
            s.defer(|| sleep(long));
            sleep(short);
            if panics { panic_with("body") } else { Ok(1) }
        });
        let times = ended.report.times.expect("a reported scope is timed");
        assert!(times.work >= short && times.cleanup >= long, "{times:?}");
    }
}

#[test]
fn an_ended_scope_is_recovered_from_outside() {
    let ended = scope_reported("outside", |_| -> R { panic_with("body") });
    let ended = ended.recover(|panic| Err(panic.message().to_owned()));
    assert_eq!(ended.into_returned(), Some(Err("body".to_owned())));
    let panic = caught(|| scope_reported("outside", |_| -> R { panic_with("x") }).into_returned());
    assert_eq!(panic.message(), "x");
    let panic = caught(|| scope_reported("outside", |_| -> R { panic_with("y") }).into_result());
    assert_eq!(panic.message(), "y");
}
