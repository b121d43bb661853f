//! Scopes within scopes: in bodies, in cleanups, in drops while a thread unwinds, in many threads
//! and as a thread ends.

use std::{
    cell::{Cell, RefCell},
    panic::Location,
    sync::atomic::{AtomicU32, Ordering::Relaxed},
    thread,
};

use rearguard::{Outcome, Scope, scope};

use crate::support::{Log, caught, panic_with};

type R = Result<u32, String>;

#[test]
fn an_inner_scope_ends_before_the_outer_one_goes_on() {
    let log = Log::default();
    let result = scope(|outer| -> R {
        outer.defer(|| log.note("outer"));
        let inner = scope(|inner| -> R {
            inner.defer(|| log.note("inner"));
            outer.defer(|| log.note("outer, from within"));
            Err("inner".to_owned())
        });
        log.note("between");
        inner.or(Ok(1))
    });
    assert_eq!(result, Ok(1));
    log.expect(&["inner", "between", "outer, from within", "outer"]);
}

#[test]
fn a_cleanup_of_an_inner_scope_registers_with_the_outer_one() {
    let log = Log::default();
    scope(|outer| {
        scope(|inner| {
            inner.defer(|| outer.defer(|| log.note("late")));
            log.note("body");
        });
        log.note("between");
    });
    log.expect(&["body", "between", "late"]);
}

#[test]
fn a_cleanup_opens_a_scope_on_every_way_out() {
    for way_out in [|| R::Ok(1), || Err("body".to_owned()), || panic_with("body")] {
        let log = Log::default();
        let run = || {
            scope(|s| {
                s.defer(|| log.note("older"));
                s.defer(|| {
                    scope(|inner| -> R {
                        inner.defer(|| log.note("deeper 1"));
                        inner.defer(|| log.note("deeper 2"));
                        Err("deep".to_owned())
                    })
                    .map(drop)
                });
                way_out()
            })
        };
        let ended = std::panic::catch_unwind(std::panic::AssertUnwindSafe(run));
        log.expect(&["deeper 2", "deeper 1", "older"]);
        match ended {
            Ok(Ok(value)) => panic!("{value}: the cleanup's error was lost"),
            Ok(Err(error)) => assert!(error == "deep" || error == "body"),
            Err(payload) => assert_eq!(payload.downcast_ref(), Some(&"body")),
        }
    }
}

/// Opens scopes in cleanups of scopes, each of which panics as well.
fn deeper(depth: u32, log: &Log) -> R {
    scope(|s| -> R {
        s.defer(|| log.note(format!("older {depth}")));
        if depth > 0 {
            s.defer(move || deeper(depth - 1, log).map(drop));
        }
        panic_with(depth)
    })
}

#[test]
fn scopes_in_cleanups_while_unwinding_run_all_and_keep_the_outer_panic() {
    let log = Log::default();
    let panic = caught(|| deeper(50, &log));
    assert_eq!(panic.payload().downcast_ref(), Some(&50_u32));
    let expected: Vec<String> = (0..=50).map(|depth| format!("older {depth}")).collect();
    assert_eq!(log.lines(), expected);
}

/// With `catch_unwind` in the drop, nothing panics twice: the process goes on.
#[test]
fn a_scope_in_a_drop_while_unwinding_contains_its_own_panics() {
    struct Cleaner<'a>(&'a Log);
    impl Drop for Cleaner<'_> {
        fn drop(&mut self) {
            let result = scope(|s| -> R {
                s.defer(|| self.0.note("older"));
                s.recover(|panic| Err(panic.message().to_owned()));
                s.defer(|| panic_with("cleanup"));
                panic_with("body of the drop")
            });
            self.0.note(result.expect_err("the panic was recovered from"));
        }
    }
    let log = Log::default();
    let panic = caught(|| {
        scope(|s| -> Outcome {
            s.defer(|| log.note("outer"));
            let _cleaner = Cleaner(&log);
            panic_with("outer panic")
        })
    });
    assert_eq!(panic.message(), "outer panic");
    log.expect(&["older", "body of the drop", "outer"]);
}

/// Go: `TestIssue37688`: deep stacks below and above.
#[test]
fn a_deep_recursion_of_scopes_runs_each_once() {
    fn descend(depth: u32, ran: &Cell<u32>) -> u32 {
        let Ok(depth) = scope(|s| {
            s.defer(|| ran.set(ran.get() + 1));
            Ok::<_, std::convert::Infallible>(if depth == 0 {
                0
            } else {
                descend(depth - 1, ran) + 1
            })
        });
        depth
    }
    let ran = Cell::new(0);
    assert_eq!(descend(300, &ran), 300);
    assert_eq!(ran.get(), 301);
}

/// Every thread opens scopes that outgrow their buffers, some of them panicking.
#[test]
fn threads_keep_their_scopes_apart() {
    let ran = AtomicU32::new(0);
    thread::scope(|threads| {
        for thread in 0..8_u32 {
            let ran = &ran;
            threads.spawn(move || {
                for turn in 0..50_u32 {
                    let order = RefCell::new(Vec::new());
                    let result = scope(|s| -> R {
                        s.recover(|_| Ok(turn));
                        for number in 0..100_u32 {
                            let (order, room) = (&order, [thread, turn, number]);
                            s.defer(move || {
                                ran.fetch_add(1, Relaxed);
                                order.borrow_mut().push(room);
                            });
                        }
                        if turn % 5 == 0 { panic_with("body") } else { Ok(turn) }
                    });
                    assert_eq!(result, Ok(turn));
                    let expected: Vec<_> =
                        (0..100).rev().map(|number| [thread, turn, number]).collect();
                    assert_eq!(*order.borrow(), expected);
                }
            });
        }
    });
    assert_eq!(ran.load(Relaxed), 8 * 50 * 100);
}

/// The blocks that a thread keeps may be gone by then.
#[test]
fn a_scope_works_while_its_thread_is_ending() {
    static RAN: AtomicU32 = AtomicU32::new(0);
    struct AtExit;
    impl Drop for AtExit {
        fn drop(&mut self) {
            use_blocks();
        }
    }
    fn use_blocks() {
        scope(|s| {
            for _ in 0..100 {
                let room = [1_u32; 20];
                s.defer(move || {
                    RAN.fetch_add(room[0], Relaxed);
                });
            }
        });
    }
    thread_local! {
        static FIRST: RefCell<Option<AtExit>> = const { RefCell::new(None) };
        static LAST: RefCell<Option<AtExit>> = const { RefCell::new(None) };
    }
    thread::spawn(|| {
        // One is registered before the thread's blocks and one after: one is dropped after them.
        FIRST.with(|cell| *cell.borrow_mut() = Some(AtExit));
        use_blocks();
        LAST.with(|cell| *cell.borrow_mut() = Some(AtExit));
    })
    .join()
    .expect("the thread does not panic");
    assert_eq!(RAN.load(Relaxed), 300);
}

/// A function that registers for its caller names the line of its own call, unless it says
/// `#[track_caller]`.
#[test]
fn the_place_of_registration_can_be_the_callers() {
    #[track_caller]
    fn helper(s: &Scope<'_, R>) -> &'static Location<'static> {
        s.defer(|| Err::<(), _>("cleanup".to_owned()));
        Location::caller()
    }
    let place = Cell::new(None);
    let ended = rearguard::scope_reported("helped", |s| -> R {
        place.set(Some(helper(s)));
        Ok(1)
    });
    let place = place.get().expect("the body ran");
    assert_eq!(ended.report.failures()[0].registered_at, place);
    assert_eq!(place.line(), line!() - 5);
}
