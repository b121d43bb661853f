//! Cleanups that are named: withdrawn, run early, handed to another scope.

use std::cell::Cell;

use rearguard::{Key, Scope, ScopeError, scope};

use crate::support::{Counted, Log, caught, panic_with};

type R = Result<u32, String>;

/// Registers a cleanup that notes its number and owns one capture.
fn numbered<'s, 'env>(
    s: &'s Scope<'env, R>,
    log: &'env Log,
    dropped: &'env Cell<u32>,
    number: u32,
) -> Key<'s, 'env, R> {
    let counted = Counted(dropped);
    s.defer_keyed(move || {
        let _counted = &counted;
        log.note(number);
    })
}

#[test]
fn a_cleanup_that_was_disarmed_never_runs_and_its_captures_are_dropped_at_once() {
    let (log, dropped) = (Log::default(), Cell::new(0));
    let result = scope(|s| -> R {
        s.defer(|| log.note("older"));
        let key = numbered(s, &log, &dropped, 1);
        s.defer(|| log.note("newer"));
        key.disarm();
        assert_eq!(dropped.get(), 1);
        Ok(1)
    });
    assert_eq!((result, dropped.get()), (Ok(1), 1));
    log.expect(&["newer", "older"]);
}

#[test]
fn a_key_that_is_dropped_leaves_its_cleanup() {
    let (log, dropped) = (Log::default(), Cell::new(0));
    let result = scope(|s| -> R {
        drop(numbered(s, &log, &dropped, 1));
        assert_eq!(dropped.get(), 0);
        Ok(1)
    });
    assert_eq!((result, dropped.get()), (Ok(1), 1));
    log.expect(&["1"]);
}

#[test]
fn a_cleanup_that_ran_early_does_not_run_again() {
    let (log, dropped) = (Log::default(), Cell::new(0));
    let result = scope(|s| -> R {
        let key = numbered(s, &log, &dropped, 1);
        s.defer(|| log.note("newer"));
        key.run_now()?;
        assert_eq!(dropped.get(), 1);
        log.note("body");
        Ok(1)
    });
    assert_eq!((result, dropped.get()), (Ok(1), 1));
    log.expect(&["1", "body", "newer"]);
}

#[test]
fn the_error_of_a_cleanup_that_ran_early_is_returned() {
    let result = scope(|s| -> R {
        let key = s.defer_keyed(|| Err::<(), _>("early".to_owned()));
        assert_eq!(key.run_now(), Err("early".to_owned()));
        Ok(1)
    });
    assert_eq!(result, Ok(1), "the body saw the error, and went on");
}

#[test]
fn the_panic_of_a_cleanup_that_ran_early_is_the_bodys() {
    let (log, ran) = (Log::default(), Cell::new(0));
    let result = scope(|s| -> R {
        s.defer_with(|exit| log.note(exit.failures().len()));
        s.recover(|panic| Err(panic.message().to_owned()));
        s.defer_with(|exit| log.note(exit.outcome()));
        let key = s.defer_keyed(|| -> () {
            ran.set(ran.get() + 1);
            panic_with("early")
        });
        key.run_now()?;
        Ok(1)
    });
    assert_eq!((result, ran.get()), (Err("early".to_owned()), 1));
    log.expect(&["panicked", "0"]);
}

#[test]
fn any_order_of_withdrawing_leaves_the_others() {
    for order in [[0, 1, 2, 3], [3, 2, 1, 0], [1, 3, 0, 2], [2, 0, 3, 1]] {
        for count in 0..=4 {
            let (log, dropped) = (Log::default(), Cell::new(0));
            let result = scope(|s| -> R {
                let mut keys: Vec<_> =
                    (0..4).map(|number| Some(numbered(s, &log, &dropped, number))).collect();
                for index in &order[..count] {
                    keys[*index].take().expect("each once").disarm();
                }
                assert_eq!(dropped.get() as usize, count);
                numbered(s, &log, &dropped, 9).disarm();
                drop(numbered(s, &log, &dropped, 4));
                Ok(1)
            });
            let mut expected = vec!["4".to_owned()];
            let left = (0..4).rev().filter(|number| !order[..count].contains(number));
            expected.extend(left.map(|number| number.to_string()));
            assert_eq!((result, log.lines(), dropped.get()), (Ok(1), expected, 6));
        }
    }
}

#[test]
fn a_transferred_cleanup_is_the_newest_of_the_other_scope() {
    let (log, dropped) = (Log::default(), Cell::new(0));
    let result = scope(|outer| -> R {
        outer.defer(|| log.note("outer"));
        let inner = scope(|inner| -> R {
            let key = numbered(inner, &log, &dropped, 1);
            inner.defer(|| log.note("inner"));
            key.transfer(outer);
            Ok(2)
        });
        assert_eq!(dropped.get(), 0, "it lives on");
        log.note("body");
        inner
    });
    assert_eq!((result, dropped.get()), (Ok(2), 1));
    log.expect(&["inner", "body", "1", "outer"]);
}

/// All of what was opened is handed on when all has gone well, as Python's `pop_all` does.
#[test]
fn what_was_opened_is_handed_on_together_or_closed_together() {
    for fails in [false, true] {
        let (log, dropped) = (Log::default(), Cell::new(0));
        let result = scope(|outer| -> R {
            let opened = scope(|inner| -> R {
                let keys: Vec<_> =
                    (0..3).map(|number| numbered(inner, &log, &dropped, number)).collect();
                if fails {
                    return Err("the fourth".to_owned());
                }
                for key in keys {
                    key.transfer(outer);
                }
                Ok(3)
            });
            log.note("between");
            opened
        });
        assert_eq!(result.is_err(), fails);
        let expected = if fails { ["2", "1", "0", "between"] } else { ["between", "2", "1", "0"] };
        log.expect(&expected);
        assert_eq!(dropped.get(), 3);
    }
}

/// Its failure is then the other scope's, and names the place where it was registered.
#[test]
fn a_transferred_cleanup_fails_the_scope_that_runs_it() {
    let ended = rearguard::scope_reported("outer", |outer| -> R {
        scope(|inner| -> R {
            inner.defer_keyed(|| Err::<(), _>("cleanup".to_owned())).transfer(outer);
            Ok(1)
        })
    });
    let at = ended.report.failures()[0].registered_at;
    assert_eq!((at.file(), at.line()), (file!(), line!() - 5));
    assert!(matches!(ended.into_result(), Err(ScopeError::Failed(error)) if error == "cleanup"));
}

#[test]
fn a_cleanup_transferred_to_its_own_scope_becomes_the_newest() {
    let (log, dropped) = (Log::default(), Cell::new(0));
    let result = scope(|s| -> R {
        let first = numbered(s, &log, &dropped, 1);
        drop(numbered(s, &log, &dropped, 2));
        first.transfer(s);
        numbered(s, &log, &dropped, 3).transfer(s);
        Ok(1)
    });
    assert_eq!((result, dropped.get()), (Ok(1), 3));
    log.expect(&["3", "1", "2"]);
}

/// The room of neighbours is free by then, so that the cleanup moves over itself.
#[test]
fn a_cleanup_transferred_over_withdrawn_neighbours_keeps_its_bytes() {
    fn bytes<const SIZE: usize>(below: usize) {
        let (log, dropped) = (Log::default(), Cell::new(0));
        let seen = Cell::new(0_usize);
        let result = scope(|s| -> R {
            let neighbours: Vec<_> = (0..below).map(|_| numbered(s, &log, &dropped, 0)).collect();
            let (room, counted, seen) = ([5_u8; SIZE], Counted(&dropped), &seen);
            let key = s.defer_keyed(move || {
                let _counted = &counted;
                seen.set(room.iter().filter(|byte| **byte == 5).count());
            });
            let above: Vec<_> = (0..below).map(|_| numbered(s, &log, &dropped, 0)).collect();
            neighbours.into_iter().chain(above).for_each(Key::disarm);
            key.transfer(s);
            drop(numbered(s, &log, &dropped, 1));
            Ok(1)
        });
        assert_eq!(result, Ok(1));
        assert_eq!((seen.get(), dropped.get() as usize), (SIZE, 2 * below + 2));
        log.expect(&["1"]);
    }
    for below in [0, 1, 2, 10, 100] {
        bytes::<0>(below);
        bytes::<8>(below);
        bytes::<100>(below);
        bytes::<400>(below);
        bytes::<600>(below);
        bytes::<3000>(below);
    }
}

/// A value that is aligned to more than a word is kept aside, and moves by its pointer.
/// What captures one word or nothing lies elsewhere than what captures more.
#[test]
fn small_and_large_captures_are_named_side_by_side() {
    thread_local!(static SUM: Cell<u64> = const { Cell::new(0) });
    fn add(number: u64) {
        SUM.set(SUM.get() + number);
    }
    fn register<'s, 'env>(s: &'s Scope<'env, ()>, count: u64) -> Vec<Key<'s, 'env, ()>> {
        let one = |number: u64| match number % 4 {
            0 => s.defer_keyed(|| add(1)),
            1 => s.defer_keyed(move || add(number)),
            2 => {
                let owned = Box::new(number);
                s.defer_keyed(move || add(*owned))
            }
            _ => {
                let large = [number; 9];
                s.defer_keyed(move || add(large.iter().sum()))
            }
        };
        (0..count).map(one).collect()
    }
    const fn value(number: u64) -> u64 {
        match number % 4 {
            0 => 1,
            1 | 2 => number,
            _ => 9 * number,
        }
    }
    // An order and an operation for each, different in every round.
    for round in 0..500_u64 {
        SUM.set(0);
        let count = 1 + round % 37;
        let mut expected = 0;
        scope(|outer| {
            register(outer, 3);
            scope(|s| {
                let mut left: Vec<_> = (0..).zip(register(s, count)).collect();
                let mut random = fastrand::Rng::with_seed(round);
                while !left.is_empty() {
                    let (number, key) = left.swap_remove(random.usize(..left.len()));
                    match random.u32(..5) {
                        0 => {
                            key.disarm();
                            continue;
                        }
                        1 => key.run_now().unwrap_or_else(|never| match never {}),
                        2 => key.transfer(outer),
                        3 => key.transfer(s),
                        _ => s.defer(move || add(0)),
                    }
                    expected += value(number);
                }
            });
        });
        assert_eq!(SUM.get(), expected + value(0) + value(1) + value(2), "round {round}");
    }
}

#[test]
fn a_cleanup_with_its_own_alignment_is_named_as_any_other() {
    #[repr(align(64))]
    struct Aligned<'a>(Counted<'a>);
    let (log, dropped) = (Log::default(), Cell::new(0));
    let result = scope(|outer| -> R {
        scope(|s| -> R {
            let make = |number: u32| {
                let (log, aligned) = (&log, Aligned(Counted(&dropped)));
                s.defer_keyed(move || {
                    let _aligned = &aligned.0;
                    assert_eq!(std::ptr::from_ref(&aligned).addr() % 64, 0);
                    log.note(number);
                })
            };
            let (disarmed, early, handed) = (make(1), make(2), make(3));
            disarmed.disarm();
            early.run_now()?;
            handed.transfer(outer);
            assert_eq!(dropped.get(), 2);
            drop(make(4));
            Ok(1)
        })
    });
    assert_eq!((result, dropped.get()), (Ok(1), 4));
    log.expect(&["2", "4", "3"]);
}

#[test]
fn a_capture_whose_drop_panics_when_disarmed_panics_in_the_body() {
    struct Bad;
    impl Drop for Bad {
        fn drop(&mut self) {
            panic_with("dropped");
        }
    }
    let log = Log::default();
    let panic = caught(|| {
        scope(|s| {
            s.defer(|| log.note("older"));
            let bad = Bad;
            let key = s.defer_keyed(move || drop(bad));
            key.disarm();
        });
    });
    assert_eq!(panic.message(), "dropped");
    log.expect(&["older"]);
}

/// A key in a value that the body drops while it unwinds.
#[test]
fn a_key_is_good_while_the_body_unwinds() {
    struct Disarms<'s, 'env>(Vec<Key<'s, 'env, R>>);
    impl Drop for Disarms<'_, '_> {
        fn drop(&mut self) {
            self.0.drain(..).for_each(Key::disarm);
        }
    }
    let (log, dropped) = (Log::default(), Cell::new(0));
    let panic = caught(|| {
        scope(|s| {
            s.defer(|| log.note("older"));
            let _disarms = Disarms(vec![numbered(s, &log, &dropped, 1)]);
            panic_with("body")
        })
    });
    assert_eq!((panic.message(), dropped.get()), ("body", 1));
    log.expect(&["older"]);
}
