//! The memory that scopes take: their own buffer first, then blocks that the thread keeps.

use std::{cell::Cell, thread};

use rearguard::{Scope, blocks_allocated, scope, scope_local};

use crate::support::{alone, caught, finish, panic_with};

/// How many blocks came from the allocator meanwhile. No other thread may use scopes.
fn blocks_of(work: impl FnOnce()) -> u64 {
    let before = blocks_allocated();
    work();
    blocks_allocated() - before
}

/// Registers cleanups that capture three words.
fn register<'env>(s: &Scope<'env, ()>, ran: &'env Cell<u64>, count: u64) {
    for number in 0..count {
        let room = [number, 1];
        s.defer(move || ran.set(ran.get() + room[1]));
    }
}

#[test]
fn ten_cleanups_with_three_words_fit_into_the_buffer() {
    alone("conformance::room::ten_cleanups_with_three_words_fit_into_the_buffer", || {
        let ran = Cell::new(0);
        let blocks = blocks_of(|| scope(|s| register(s, &ran, 10)));
        assert_eq!((blocks, ran.get()), (0, 10));
    });
}

#[test]
fn twenty_cleanups_with_one_word_fit_into_the_buffer() {
    alone("conformance::room::twenty_cleanups_with_one_word_fit_into_the_buffer", || {
        let ran = Cell::new(0);
        let blocks = blocks_of(|| {
            scope(|s| {
                for _ in 0..20 {
                    s.defer(|| ran.set(ran.get() + 1));
                }
            });
        });
        assert_eq!((blocks, ran.get()), (0, 20));
    });
}

#[test]
fn room_of_withdrawn_cleanups_is_used_again() {
    alone("conformance::room::room_of_withdrawn_cleanups_is_used_again", || {
        let ran = Cell::new(0_u64);
        let blocks = blocks_of(|| {
            scope(|s| {
                let first = s.defer_keyed(|| ran.set(ran.get() + 1));
                for number in 0..10_000_u64 {
                    let (ran, room) = (&ran, [number; 3]);
                    let key = s.defer_keyed(move || ran.set(ran.get() + room[0]));
                    if number % 2 == 0 {
                        key.disarm()
                    } else {
                        key.transfer(s)
                    }
                    if number % 2 == 1 {
                        // What was transferred to the scope itself is on top, and has no key.
                        break;
                    }
                }
                for number in 0..10_000_u64 {
                    let (ran, room) = (&ran, [number; 3]);
                    s.defer_keyed(move || ran.set(ran.get() + room[0])).disarm();
                }
                for _ in 0..10_000 {
                    let (below, above) = (s.defer_keyed(|| {}), s.defer_keyed(|| {}));
                    below.disarm();
                    above.disarm();
                    let Ok(()) = s.defer_keyed(|| ran.set(ran.get() + 1)).run_now();
                }
                for number in 0..10_000_u64 {
                    let room = [number; 9];
                    let large = s.defer_keyed(move || assert_eq!(room[0], room[8]));
                    let small = s.defer_keyed(move || assert_eq!(number, 0));
                    if number % 2 == 0 {
                        large.disarm();
                        small.disarm();
                    } else {
                        small.disarm();
                        large.disarm();
                    }
                }
                first.disarm();
            });
        });
        assert_eq!((blocks, ran.get()), (0, 10_001));
    });
}

/// Also where the withdrawn one is the first of a new chunk.
#[test]
fn room_is_used_again_at_the_edge_of_a_chunk() {
    alone("conformance::room::room_is_used_again_at_the_edge_of_a_chunk", || {
        let ran = Cell::new(0);
        for below in 0..60 {
            let blocks = blocks_of(|| {
                scope(|s| {
                    register(s, &ran, below);
                    for number in 0..10_000_u64 {
                        let (ran, room) = (&ran, [number; 6]);
                        s.defer_keyed(move || ran.set(room[5])).disarm();
                    }
                });
            });
            assert!(blocks <= 2, "{below} below: {blocks} blocks");
        }
        assert_eq!(ran.get(), (0..60).sum::<u64>());
    });
}

#[test]
fn a_scope_that_outgrows_its_buffer_takes_blocks_of_doubling_size() {
    alone(
        "conformance::room::a_scope_that_outgrows_its_buffer_takes_blocks_of_doubling_size",
        || {
            let ran = Cell::new(0);
            // 48 bytes a cleanup. After the buffer: 1024, 8192, 16,384 and 32,768 bytes.
            let blocks = blocks_of(|| scope(|s| register(s, &ran, 1000)));
            assert_eq!((blocks, ran.get()), (4, 1000));
            // The first two are kept, and the larger one is taken first.
            let again = blocks_of(|| scope(|s| register(s, &ran, 1000)));
            assert_eq!((again, ran.get()), (2, 2000));
            let hundred = blocks_of(|| scope(|s| register(s, &ran, 100)));
            assert_eq!((hundred, ran.get()), (0, 2100));
        },
    );
}

#[test]
fn blocks_are_kept_by_the_thread_on_every_way_out() {
    alone("conformance::room::blocks_are_kept_by_the_thread_on_every_way_out", || {
        let ran = Cell::new(0);
        scope(|s| register(s, &ran, 20));
        let blocks = blocks_of(|| {
            for turn in 0..1000 {
                scope(|s| register(s, &ran, 20));
                drop(caught(|| {
                    scope(|s| {
                        register(s, &ran, 20);
                        panic_with(turn)
                    })
                }));
                finish(std::pin::pin!(scope_local(async |s| register(s, &ran, 1))));
            }
        });
        assert_eq!((blocks, ran.get()), (0, 20 + 41_000));
    });
}

/// Scopes within scopes each take a block; a thread keeps eight.
#[test]
fn a_thread_keeps_eight_blocks_and_no_more() {
    fn descend(depth: u32, ran: &Cell<u64>) {
        scope(|s| {
            register(s, ran, 20);
            if depth > 1 {
                descend(depth - 1, ran);
            }
        });
    }
    alone("conformance::room::a_thread_keeps_eight_blocks_and_no_more", || {
        let ran = Cell::new(0);
        let blocks: Vec<u64> =
            [1, 8, 8, 8, 10, 10].iter().map(|depth| blocks_of(|| descend(*depth, &ran))).collect();
        assert_eq!(blocks, [1, 7, 0, 0, 2, 2]);
        assert_eq!(ran.get(), 20 * 45);
    });
}

#[test]
fn a_thread_that_ends_gives_its_blocks_back() {
    alone("conformance::room::a_thread_that_ends_gives_its_blocks_back", || {
        let blocks = blocks_of(|| {
            for _ in 0..3 {
                let work = || {
                    let ran = Cell::new(0);
                    scope(|s| register(s, &ran, 20));
                    ran.get()
                };
                assert_eq!(thread::spawn(work).join().expect("it does not panic"), 20);
            }
        });
        assert_eq!(blocks, 3, "none is handed to another thread");
    });
}
