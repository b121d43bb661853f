//! Row 3: deferred code reads and edits the result.

use std::convert::Infallible;

use rearguard::{Outcome, scope};

use crate::support::{Log, panic_with};

/// Go: `recover.go`, test 5: deferred code sets the named result.
#[test]
fn a_cleanup_changes_the_value() {
    let result = scope(|s| -> Result<u32, String> {
        s.defer_with(|exit| {
            if let Some(Ok(number)) = exit.result() {
                *number += 1;
            }
        });
        s.defer_with(|exit| {
            if let Some(Ok(number)) = exit.result() {
                *number *= 10;
            }
        });
        Ok(4)
    });
    assert_eq!(result, Ok(41));
}

#[test]
fn a_cleanup_wraps_the_error() {
    let result = scope(|s| -> Result<u32, String> {
        s.defer_with(|exit| {
            if let Some(Err(error)) = exit.result() {
                error.insert_str(0, "while reading: ");
            }
        });
        Err("too short".to_owned())
    });
    assert_eq!(result, Err("while reading: too short".to_owned()));
}

#[test]
fn a_cleanup_turns_an_error_into_a_value_and_the_outcome_stays() {
    let log = Log::default();
    let result = scope(|s| -> Result<u32, String> {
        s.defer_with(|exit| log.note(exit.outcome()));
        s.on_failure(|| log.note("undo"));
        s.defer_with(|exit| {
            if let Some(result) = exit.result() {
                *result = Ok(0);
            }
        });
        Err("ignored".to_owned())
    });
    assert_eq!(result, Ok(0));
    log.expect(&["undo", "failed"]);
}

#[test]
fn there_is_no_result_after_a_panic_of_the_body() {
    let log = Log::default();
    let result = scope(|s| -> Result<u32, String> {
        s.defer_with(|exit| log.note(format!("{:?}", exit.result())));
        s.recover(|_| Ok(1));
        s.defer_with(|exit| log.note(format!("{:?}", exit.result())));
        panic_with("body")
    });
    assert_eq!(result, Ok(1));
    log.expect(&["None", "Some(Ok(1))"]);
}

#[test]
fn a_body_may_return_nothing() {
    let log = Log::default();
    scope(|s| {
        s.defer_with(|exit| log.note(format!("{} {:?}", exit.outcome(), exit.result())));
    });
    log.expect(&["succeeded Some(())"]);
}

#[test]
fn a_body_that_cannot_fail_is_taken_without_an_error() {
    let Ok(number) = scope(|s| {
        s.defer(|| {});
        Ok::<_, Infallible>(1)
    });
    assert_eq!(number, 1);
}

#[test]
fn a_body_may_return_its_outcome() {
    for outcome in Outcome::ALL {
        let log = Log::default();
        let returned = scope(|s| {
            s.defer_with(|exit| log.note(exit.outcome()));
            s.on_success(|| log.note("success"));
            s.on_failure(|| log.note("failure"));
            s.on_cancel(|| log.note("cancel"));
            outcome
        });
        assert_eq!(returned, outcome);
        let expected: &[&str] = match outcome {
            Outcome::Succeeded => &["success"],
            Outcome::Cancelled => &["cancel", "failure"],
            _ => &["failure"],
        };
        log.expect(&[expected, &[outcome.as_str()]].concat());
    }
}
