//! Rows 10, 11 and 12: ways out that are none, panics with any payload, bodies without an end.

use std::{cell::Cell, process};

use rearguard::{Outcome, scope};

use crate::support::{caught, child, is_child, panic_with};

/// What the child says in its exit code.
const BODY: i32 = 7;
const CLEANUP: i32 = 9;

#[test]
fn process_exit_in_the_body_runs_no_cleanup() {
    if is_child() {
        scope(|s| {
            s.defer(|| process::exit(CLEANUP));
            process::exit(BODY);
        })
    }
    let output = child("conformance::ways_out::process_exit_in_the_body_runs_no_cleanup");
    assert_eq!(output.status.code(), Some(BODY));
}

#[test]
fn process_exit_in_a_cleanup_ends_it_there() {
    if is_child() {
        scope(|s| {
            s.defer(|| process::exit(BODY));
            s.defer(|| process::exit(CLEANUP));
        });
    }
    let output = child("conformance::ways_out::process_exit_in_a_cleanup_ends_it_there");
    assert_eq!(output.status.code(), Some(CLEANUP));
}

/// Go: `TestDeferForFuncWithNoExit`.
#[test]
fn a_body_that_loops_until_it_panics_is_cleaned_up() {
    fn use_the_stack(depth: u32) -> u32 {
        let room = std::hint::black_box([depth; 8]);
        if depth == 0 { 0 } else { room[0].min(1) + use_the_stack(depth - 1) }
    }
    let (turns, seen) = (Cell::new(0), Cell::new(0));
    let panic = caught(|| {
        scope(|s| -> Outcome {
            s.defer(|| seen.set(turns.get()));
            assert_eq!(use_the_stack(1000), 1000);
            loop {
                turns.set(turns.get() + 1);
                if turns.get() == 10 {
                    panic_with("Test panic");
                }
            }
        })
    });
    assert_eq!((panic.message(), seen.get()), ("Test panic", 10));
}

#[test]
fn a_body_that_only_panics_says_what_it_would_return() {
    let ran = Cell::new(false);
    let panic = caught(|| {
        scope(|s| -> Outcome {
            s.defer(|| ran.set(true));
            panic_with("at once")
        })
    });
    assert_eq!((panic.message(), ran.get()), ("at once", true));
}

/// Go: `recover.go` panics with numbers, `NilPanic` with nothing.
#[test]
fn a_panic_may_carry_anything() {
    #[derive(Debug, PartialEq)]
    struct Large([u64; 100]);
    #[track_caller]
    fn carried<T: std::any::Any + Send + PartialEq + std::fmt::Debug>(make: fn() -> T, text: &str) {
        let outside = caught(|| {
            scope(|s| -> Outcome {
                s.defer(|| {});
                panic_with(make())
            })
        });
        assert_eq!(outside.message(), text);
        assert_eq!(outside.payload().downcast_ref::<T>(), Some(&make()));
        let recovered = scope(|s| -> Result<(), String> {
            s.recover(|panic| {
                assert_eq!(panic.message(), text);
                assert_eq!(panic.into_payload().downcast_ref::<T>(), Some(&make()));
                Ok(())
            });
            panic_with(make())
        });
        assert_eq!(recovered, Ok(()));
    }
    carried(|| "a text", "a text");
    carried(|| String::from("a string"), "a string");
    carried(|| (), "a payload that is not text");
    carried(|| 7_u8, "a payload that is not text");
    carried(|| Large([3; 100]), "a payload that is not text");
    carried(|| None::<Box<u32>>, "a payload that is not text");
}

/// With the hook, and a message that is put together.
#[test]
fn the_message_of_an_ordinary_panic_is_kept() {
    let number = 3;
    let panic = caught(|| {
        scope(|s| -> Outcome {
            s.defer(|| {});
            panic!("the number is {number}")
        })
    });
    assert_eq!(panic.message(), "the number is 3");
    assert_eq!(format!("{panic:?}"), r#"Panic("the number is 3")"#);
}
