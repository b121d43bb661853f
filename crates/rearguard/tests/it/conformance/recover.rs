//! Rows 4 and 5: a panic becomes a value, once; older cleanups see the value and no panic.

use std::cell::Cell;

use rearguard::{Exit, scope};

use crate::support::{Log, caught, panic_with};

type R = Result<u32, String>;

/// The payload that was recovered from, where it is a number.
fn number(panic: rearguard::Panic) -> R {
    panic.into_payload().downcast::<u32>().map(|number| *number).map_err(|_| "other".to_owned())
}

fn note_panic(log: &Log, exit: &Exit<R>) {
    log.note(exit.panic().map_or("no panic", |panic| panic.message()));
}

/// Go: `recover.go`, tests 1 to 4; `TestUnconditionalPanic`.
#[test]
fn older_cleanups_see_no_panic_and_newer_ones_do() {
    let log = Log::default();
    let result = scope(|s| -> R {
        s.defer_with(|exit| note_panic(&log, exit));
        s.recover(|panic| Err(panic.message().to_owned()));
        s.defer_with(|exit| note_panic(&log, exit));
        panic_with("body")
    });
    assert_eq!(result, Err("body".to_owned()));
    log.expect(&["body", "no panic"]);
}

#[test]
fn the_outcome_stays_frozen() {
    let log = Log::default();
    let result = scope(|s| -> R {
        s.on_failure(|| log.note("undo"));
        s.on_success(|| log.note("commit"));
        s.defer_with(|exit| log.note(exit.outcome()));
        s.recover(|_| Ok(1));
        panic_with("body")
    });
    assert_eq!(result, Ok(1));
    log.expect(&["panicked", "undo"]);
}

/// Go: `recover.go`, test 5.
#[test]
fn nothing_is_recovered_where_nothing_panicked() {
    let attempt = |body: fn() -> R| {
        scope(|s| {
            s.recover(number);
            body()
        })
    };
    assert_eq!(attempt(|| Ok(55)), Ok(55));
    assert_eq!(
        attempt(|| Err("an error is no panic".to_owned())),
        Err("an error is no panic".to_owned())
    );
    assert_eq!(attempt(|| panic_with(5_u32)), Ok(5));
}

/// Go: `recover.go`, test 1: what one took, the next finds gone.
#[test]
fn the_newest_recover_takes_it_and_the_others_are_not_called() {
    let calls = Cell::new(0);
    let result = scope(|s| -> R {
        for value in [1, 2, 3] {
            let calls = &calls;
            s.recover(move |_| {
                calls.set(calls.get() + 1);
                Ok(value)
            });
        }
        panic_with("body")
    });
    assert_eq!((result, calls.get()), (Ok(3), 1));
}

/// Go: `recover.go`, `mustRecoverBody`: within one cleanup as well.
#[test]
fn a_cleanup_recovers_at_most_once() {
    let result = scope(|s| -> R {
        s.defer_with(|exit| {
            exit.recover(number);
            assert!(exit.panic().is_none());
            exit.recover(|_| unreachable!("there is no panic any more"));
        });
        panic_with(7_u32)
    });
    assert_eq!(result, Ok(7));
}

/// Go: `recover.go`, test 7: what is older than the recover still runs.
#[test]
fn older_cleanups_run_after_it() {
    let log = Log::default();
    let result = scope(|s| -> R {
        s.defer(|| log.note("oldest"));
        s.defer(|| log.note("older"));
        s.recover(number);
        panic_with(7_u32)
    });
    assert_eq!(result, Ok(7));
    log.expect(&["older", "oldest"]);
}

/// Go: `recover.go`, tests 6 and 13 to 15: large frames and large captures.
#[test]
fn a_recover_with_a_large_capture_and_a_large_frame() {
    fn frame(byte: u8) -> u32 {
        std::hint::black_box([byte; 100_000]).iter().map(|byte| u32::from(*byte)).sum()
    }
    let capture = [1_u8; 8192];
    let result = scope(|s| -> R {
        s.recover(move |_| Ok(frame(capture[8191])));
        panic_with("body")
    });
    assert_eq!(result, Ok(100_000));
}

/// Go: `TestRecoverMatching`: there it must be called by the deferred function itself; here a
/// scope within a cleanup has its own panics, and sees none of the outer one's.
#[test]
fn a_scope_in_a_cleanup_does_not_take_the_outer_panic() {
    let log = Log::default();
    let result = scope(|s| -> R {
        s.recover(|panic| Err(panic.message().to_owned()));
        s.defer(|| {
            scope(|inner| {
                inner.recover(|_| unreachable!("the inner body does not panic"));
                inner.defer_with(|exit| log.note(exit.outcome()));
            });
        });
        panic_with("outer")
    });
    assert_eq!(result, Err("outer".to_owned()));
    log.expect(&["succeeded"]);
}

/// Go: `TestIssue43921`, `TestIssue43920`: a panic that began and was recovered within a cleanup
/// leaves the one that is under way as it is.
#[test]
fn a_panic_recovered_within_a_cleanup_leaves_the_outer_one() {
    let result = scope(|s| -> R {
        s.recover(number);
        s.defer(|| {
            let inner = scope(|inner| -> R {
                inner.recover(number);
                inner.defer(|| {
                    assert_eq!(caught(|| scope(|_| -> R { panic_with("5") })).message(), "5");
                });
                panic_with(4_u32)
            });
            assert_eq!(inner, Ok(4));
        });
        panic_with(1_u32)
    });
    assert_eq!(result, Ok(1));
}

/// Go: `TestIssue43941`: steps run in order through panics that are recovered on the way.
#[test]
fn steps_keep_their_order_through_nested_panics() {
    let log = Log::default();
    let result = scope(|outer| -> R {
        outer.defer_with(|exit| note_panic(&log, exit));
        outer.recover(number);
        scope(|middle| {
            middle.defer(|| log.note("middle 1"));
            middle.defer(|| {
                assert_eq!(
                    scope(|s| -> R {
                        s.recover(number);
                        panic_with(3_u32)
                    }),
                    Ok(3)
                );
                log.note("middle 2");
            });
            scope(|inner| {
                inner.defer(|| log.note("inner"));
                panic_with(4_u32)
            })
        })
    });
    assert_eq!(result, Ok(4));
    log.expect(&["inner", "middle 2", "middle 1", "no panic"]);
}

/// Also a panic of a cleanup that is the scope's own.
#[test]
fn a_panic_of_a_newer_cleanup_is_recovered_from() {
    let log = Log::default();
    let result = scope(|s| -> R {
        s.defer_with(|exit| log.note(exit.outcome()));
        s.defer_with(|exit| note_panic(&log, exit));
        s.recover(|panic| Err(panic.message().to_owned()));
        s.defer(|| panic_with("cleanup"));
        Ok(1)
    });
    assert_eq!(result, Err("cleanup".to_owned()));
    log.expect(&["no panic", "succeeded"]);
}

#[test]
fn a_panic_of_an_older_cleanup_comes_out() {
    let panic = caught(|| {
        scope(|s| -> R {
            s.defer(|| panic_with("older"));
            s.recover(|_| unreachable!("nothing had panicked yet"));
            Ok(1)
        })
    });
    assert_eq!(panic.message(), "older");
}
