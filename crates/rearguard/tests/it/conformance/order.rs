//! Row 1: cleanups run newest first, once each, whatever their number and wherever registered.

use rearguard::{Outcome, scope};

use crate::support::{Log, caught, panic_with};

/// Registers `count` cleanups in a loop, and says in which order they ran.
fn order_of(count: usize) -> Vec<String> {
    let log = Log::default();
    scope(|s| {
        for number in 0..count {
            let log = &log;
            s.defer(move || log.note(number));
        }
        assert!(log.lines().is_empty(), "before the body has ended");
    });
    log.lines()
}

#[test]
fn newest_first_with_0_1_8_9_and_1000_cleanups() {
    for count in [0, 1, 8, 9, 1000] {
        let expected: Vec<String> = (0..count).rev().map(|number| number.to_string()).collect();
        assert_eq!(order_of(count), expected);
    }
}

/// Go: `TestConditionalDefers`.
#[test]
fn only_what_was_reached_was_registered() {
    let log = Log::default();
    let size = 8;
    let panic = caught(|| {
        scope(|s| -> Outcome {
            s.defer(|| log.note(1));
            if size > 5 {
                s.defer(|| log.note(2));
                if size > 8 {
                    s.defer(|| log.note(3));
                } else {
                    s.defer(|| log.note(4));
                }
            }
            panic_with("conditional")
        })
    });
    assert_eq!(panic.message(), "conditional");
    log.expect(&["4", "2", "1"]);
}

/// Go: `TestDisappearingDefer`.
#[test]
fn a_cleanup_in_dead_code_does_not_run() {
    scope(|s| {
        if cfg!(target_os = "none") {
            s.defer(|| panic!("registered"));
        }
    });
}

/// Go: `TestOpenAndNonOpenDefers`, `TestNonOpenAndOpenDefers`.
#[test]
fn loops_and_straight_code_share_one_order() {
    let log = Log::default();
    scope(|s| {
        s.defer(|| log.note("first"));
        for number in 0..3 {
            let log = &log;
            s.defer(move || log.note(number));
        }
        s.defer(|| log.note("last"));
    });
    log.expect(&["last", "2", "1", "0", "first"]);
}

#[test]
fn cleanups_run_after_an_early_return_and_a_question_mark() {
    let log = Log::default();
    let parse = |text: &str| {
        scope(|s| -> Result<u32, std::num::ParseIntError> {
            s.defer(|| log.note("before"));
            if text.is_empty() {
                return Ok(0);
            }
            let number = text.parse()?;
            s.defer(|| log.note("after"));
            Ok(number)
        })
    };
    assert_eq!(parse(""), Ok(0));
    log.expect(&["before"]);
    assert!(parse("x").is_err());
    log.expect(&["before", "before"]);
    assert_eq!(parse("1"), Ok(1));
    log.expect(&["before", "before", "after", "before"]);
}

/// The locals of the body are gone before the first cleanup runs.
#[test]
fn locals_of_the_body_drop_before_the_cleanups() {
    struct Local<'a>(&'a Log);
    impl Drop for Local<'_> {
        fn drop(&mut self) {
            self.0.note("local");
        }
    }
    for panics in [false, true] {
        let log = Log::default();
        let outer = Local(&log);
        let body = |s: &rearguard::Scope<'_, ()>| {
            let _moved_in = outer;
            let _local = Local(&log);
            s.defer(|| {});
            if panics {
                panic_with("body");
            }
        };
        // The cleanup borrows from outside of the body, as all do.
        let run = || {
            scope(|s| {
                s.defer(|| log.note("cleanup"));
                body(s);
            });
        };
        if panics {
            drop(caught(run));
        } else {
            run();
        }
        log.expect(&["local", "local", "cleanup"]);
    }
}
