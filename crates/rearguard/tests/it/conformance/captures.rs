//! Rows 2 and 13: what cleanups capture, when it is read, and that it is dropped exactly once.

use std::{
    cell::{Cell, RefCell},
    rc::{Rc, Weak},
};

use rearguard::{Scope, scope};

use crate::support::{Counted, Log, caught, panic_with};

/// Go: `deferprint.go`, and the first half of `TestNonSSAableArgs`.
#[test]
fn captured_by_value_is_what_it_was_at_registration() {
    let log = Log::default();
    let mut number = 1;
    scope(|s| {
        for _ in 0..3 {
            let (log, now) = (&log, number);
            s.defer(move || log.note(now));
            number *= 10;
        }
    });
    assert_eq!(number, 1000);
    log.expect(&["100", "10", "1"]);
}

/// Go: `recover4.go`, without the hole in memory: what the body did until it stopped is seen.
#[test]
fn captured_by_reference_is_what_the_body_left() {
    let (seen, copied) = (Cell::new(0), Cell::new(0));
    let panic = caught(|| {
        scope(|s| {
            s.defer(|| seen.set(copied.get()));
            let source = [7; 16];
            for index in 0.. {
                if index == source.len() {
                    panic_with("a hole");
                }
                copied.set(copied.get() + 1);
            }
        })
    });
    assert_eq!((panic.message(), seen.get()), ("a hole", 16));
}

#[test]
fn a_cleanup_may_borrow_mutably_what_the_body_leaves_alone() {
    let mut lines = Vec::new();
    scope(|s| s.defer(|| lines.push("closed")));
    assert_eq!(lines, ["closed"]);
}

/// Go: `TestNonSSAableArgs`: an argument is evaluated once, at registration.
#[test]
fn what_a_cleanup_is_given_is_evaluated_once() {
    let evaluated = Cell::new(0);
    let make = || {
        evaluated.set(evaluated.get() + 1);
        [0_u8, 0, 0, 0, 5]
    };
    let seen = Cell::new(0);
    scope(|s| {
        let (made, seen) = (make(), &seen);
        s.defer(move || seen.set(made[4]));
    });
    assert_eq!((evaluated.get(), seen.get()), (1, 5));
}

/// Go: `deferfin.go`: a cleanup that has run keeps nothing alive.
#[test]
fn a_capture_is_dropped_when_its_cleanup_has_run() {
    let log = Log::default();
    let value = Rc::new(String::from("value"));
    let watch: RefCell<Weak<String>> = RefCell::new(Rc::downgrade(&value));
    scope(|s| {
        s.defer(|| log.note(format!("older: alive {}", watch.borrow().upgrade().is_some())));
        let (log, watch) = (&log, &watch);
        s.defer(move || log.note(format!("{value}: alive {}", watch.borrow().upgrade().is_some())));
    });
    log.expect(&["value: alive true", "older: alive false"]);
}

type Body = fn(&Scope<'_, Result<(), ()>>) -> Result<(), ()>;

/// How a scope with one counted capture is left.
const WAYS_OUT: [Body; 3] = [|_| Ok(()), |_| Err(()), |_| panic_with("body")];

/// Registers `make`'s value on each way out, between neighbours, and asks that it is dropped once.
#[track_caller]
fn dropped_once<T>(make: impl for<'a> Fn(Counted<'a>) -> (T, Counted<'a>)) {
    for way_out in WAYS_OUT {
        for panics in [false, true] {
            let (dropped, ran) = (Cell::new(0), Cell::new(0));
            let run = || {
                scope(|s| {
                    s.defer(|| assert_eq!(dropped.get(), 1, "promptly"));
                    let (capture, ran) = (make(Counted(&dropped)), &ran);
                    s.defer(move || {
                        let _capture = &capture;
                        ran.set(ran.get() + 1);
                        if panics {
                            panic_with("cleanup");
                        }
                    });
                    s.defer(|| assert_eq!(dropped.get(), 0, "not before"));
                    way_out(s)
                })
            };
            drop(std::panic::catch_unwind(std::panic::AssertUnwindSafe(run)));
            assert_eq!((dropped.get(), ran.get()), (1, 1));
        }
    }
}

#[derive(Clone, Copy, Debug)]
#[repr(align(16))]
struct Align16(#[expect(dead_code, reason = "it takes room")] u8);

#[derive(Clone, Copy, Debug)]
#[repr(align(64))]
struct Align64(u8);

#[test]
fn dropped_once_when_small() {
    dropped_once(|counted| (1_u8, counted));
    dropped_once(|counted| ([1_u64; 3], counted));
}

#[test]
fn dropped_once_when_aligned_to_more_than_a_word() {
    dropped_once(|counted| (Align16(1), counted));
    dropped_once(|counted| (Align64(1), counted));
    dropped_once(|counted| (1_u128, counted));
}

#[test]
fn dropped_once_when_larger_than_the_buffer_and_than_a_block() {
    dropped_once(|counted| ([1_u8; 500], counted));
    dropped_once(|counted| ([1_u8; 513], counted));
    dropped_once(|counted| ([1_u8; 1024], counted));
    dropped_once(|counted| ([1_u8; 5000], counted));
    dropped_once(|counted| ([1_u8; 100_000], counted));
    dropped_once(|counted| ([Align64(1); 100], counted));
}

/// Go: `TestIssue37688`: a large cleanup is as good as a small one, again and again.
#[test]
fn every_size_around_the_edges_of_buffer_and_block_keeps_its_bytes() {
    fn one<const SIZE: usize>() {
        let sum = Cell::new(0_u64);
        scope(|s| {
            for number in 1..=5_u8 {
                let (bytes, sum) = ([number; SIZE], &sum);
                s.defer(move || {
                    sum.set(sum.get() + bytes.iter().map(|byte| u64::from(*byte)).sum::<u64>());
                });
            }
        });
        assert_eq!(sum.get(), 15 * SIZE as u64);
    }
    macro_rules! sizes { ($($size:literal)*) => { $( one::<$size>(); )* } }
    sizes!(0 1 7 8 9 63 64 65 470 479 480 481 487 488 489 511 512 513);
    sizes!(950 959 960 961 967 968 983 984 991 992 993 1000 1023 1024 1025 2047 2048 4096);
    sizes!(8128 8135 8136 8137 8160 8161 8192);
}

/// Go: `TestRecursivePanic` passes 8 KiB by value through a panic.
#[test]
fn a_capture_with_its_own_alignment_is_where_it_must_be() {
    let addresses = RefCell::new(Vec::new());
    scope(|s| {
        for number in 0..20_u8 {
            let (value, addresses) = (Align64(number), &addresses);
            s.defer(move || {
                let value = &value;
                addresses.borrow_mut().push((std::ptr::from_ref(value).addr() % 64, value.0));
            });
        }
    });
    let expected: Vec<_> = (0..20).rev().map(|number| (0, number)).collect();
    assert_eq!(*addresses.borrow(), expected);
}

#[test]
fn zero_sized_captures_are_dropped_once_each() {
    thread_local!(static DROPPED: Cell<u32> = const { Cell::new(0) });
    struct Nothing;
    impl Drop for Nothing {
        fn drop(&mut self) {
            DROPPED.set(DROPPED.get() + 1);
        }
    }
    #[repr(align(64))]
    struct AlignedNothing(Nothing);
    scope(|s| {
        for _ in 0..100 {
            let nothing = Nothing;
            s.defer(move || drop(nothing));
            let aligned = AlignedNothing(Nothing);
            s.defer(move || drop(aligned.0));
        }
        assert_eq!(DROPPED.get(), 0);
    });
    assert_eq!(DROPPED.get(), 200);
}

/// A capture that panics when it is dropped is a cleanup that panics.
#[test]
fn a_capture_whose_drop_panics_does_not_keep_others_from_running() {
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
            s.defer(|| {
                let _bad = bad;
                log.note("ran");
            });
        });
    });
    assert_eq!(panic.message(), "dropped");
    log.expect(&["ran", "older"]);
}
