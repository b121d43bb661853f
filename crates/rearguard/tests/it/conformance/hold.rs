//! A value that the scope keeps and lends to the body.

use std::cell::Cell;

use rearguard::scope;

use crate::support::{Counted, Log, caught, panic_with};

type R = Result<u32, String>;

#[test]
fn the_cleanup_gets_the_value_as_the_body_left_it() {
    let log = Log::default();
    let result = scope(|s| -> R {
        let line = s.hold(String::from("opened"), |line, exit| {
            log.note(format!("{line}, {}", exit.outcome()));
        });
        line.push_str(", used");
        Ok(1)
    });
    assert_eq!(result, Ok(1));
    log.expect(&["opened, used, succeeded"]);
}

#[test]
fn many_values_are_lent_at_once_and_stay_where_they_are() {
    let log = Log::default();
    scope(|s| {
        let mut held: Vec<&mut Vec<usize>> = Vec::new();
        for number in 0..100 {
            let log = &log;
            held.push(s.hold(vec![number], move |list, _| log.note(list.len())));
            s.defer_keyed(|| {}).disarm();
        }
        for (number, list) in held.iter_mut().enumerate() {
            assert_eq!(**list, [number]);
            list.resize(number, 0);
        }
    });
    let expected: Vec<String> = (0..100).rev().map(|number| number.to_string()).collect();
    assert_eq!(log.lines(), expected);
}

#[test]
fn the_value_is_dropped_once_on_every_way_out() {
    for way_out in [|| R::Ok(1), || Err(String::new()), || panic_with("body")] {
        let (dropped, ran) = (Cell::new(0), Cell::new(0));
        let run = || {
            scope(|s| {
                let held = s.hold(Counted(&dropped), |_, _| ran.set(ran.get() + 1));
                assert_eq!(held.0.get(), 0);
                way_out()
            })
        };
        drop(std::panic::catch_unwind(std::panic::AssertUnwindSafe(run)));
        assert_eq!((dropped.get(), ran.get()), (1, 1));
    }
}

#[test]
fn a_value_may_be_large_or_aligned_or_nothing() {
    #[repr(align(64))]
    struct Aligned(u8);
    let log = Log::default();
    scope(|s| {
        let nothing = s.hold((), |(), _| log.note("nothing"));
        let aligned = s.hold(Aligned(1), |aligned, _| log.note(aligned.0));
        let large = s.hold([0_u64; 1000], |large, _| log.note(large.iter().sum::<u64>()));
        assert_eq!(std::ptr::from_ref(aligned).addr() % 64, 0);
        aligned.0 += 1;
        large.fill(2);
        *nothing = ();
    });
    log.expect(&["2000", "2", "nothing"]);
}

#[test]
fn the_body_may_replace_the_value() {
    let (dropped, other) = (Cell::new(0), Cell::new(0));
    scope(|s| {
        let held = s.hold(Counted(&dropped), |held, _| {
            assert_eq!((dropped.get(), other.get()), (1, 0));
            drop(held);
        });
        *held = Counted(&other);
    });
    assert_eq!((dropped.get(), other.get()), (1, 1));
}

#[test]
fn a_cleanup_that_panics_drops_the_value() {
    let dropped = Cell::new(0);
    let panic = caught(|| {
        scope(|s| {
            s.hold(Counted(&dropped), |_held, _| panic_with("cleanup"));
        });
    });
    assert_eq!((panic.message(), dropped.get()), ("cleanup", 1));
}

/// A transaction: committed by the body's success, rolled back otherwise.
#[test]
fn the_cleanup_acts_by_the_outcome() {
    let log = Log::default();
    let transact = |succeeds: bool| {
        scope(|s| -> R {
            let transaction = s.hold(Vec::new(), |steps, exit| {
                let what =
                    if exit.outcome().as_str() == "succeeded" { "commit" } else { "roll back" };
                log.note(format!("{what} {steps:?}"));
            });
            transaction.push(1);
            if succeeds { Ok(1) } else { Err("no".to_owned()) }
        })
    };
    assert!(transact(true).is_ok());
    assert!(transact(false).is_err());
    log.expect(&["commit [1]", "roll back [1]"]);
}
