//! Rows 6, 7 and 8: a cleanup that panics keeps no other from running, a panic that goes on is
//! the same one, and nothing stale is left behind however often that happens.

use std::{cell::Cell, sync::Arc};

use rearguard::{Outcome, Panic, Scope, scope, scope_reported};

use crate::support::{Log, caught, panic_with};

type R = Result<u32, String>;

/// A payload whose drop panics.
struct Bomb(#[expect(dead_code, reason = "it is counted")] Arc<()>);

impl Drop for Bomb {
    fn drop(&mut self) {
        panic_with("dropped");
    }
}

#[test]
fn every_other_cleanup_runs_when_one_panics() {
    for which in 0..5 {
        let log = Log::default();
        let panic = caught(|| {
            scope(|s| {
                for number in 0..5 {
                    let log = &log;
                    s.defer(move || {
                        log.note(number);
                        if number == which {
                            panic_with(number);
                        }
                    });
                }
            });
        });
        assert_eq!(panic.payload().downcast_ref(), Some(&which));
        log.expect(&["4", "3", "2", "1", "0"]);
    }
}

#[test]
fn every_cleanup_runs_when_all_panic() {
    let ran = Cell::new(0);
    let panic = caught(|| {
        scope(|s| {
            for number in 0..1000_u32 {
                let ran = &ran;
                s.defer(move || {
                    ran.set(ran.get() + 1);
                    panic_with(number)
                });
            }
        });
    });
    assert_eq!((panic.payload().downcast_ref(), ran.get()), (Some(&999_u32), 1000));
}

/// Go: `DoublePanic`: the message of the first is not clobbered. There the newest wins; here the
/// body's does, and the other one is reported.
#[test]
fn the_panic_of_the_body_goes_on_and_that_of_a_cleanup_is_kept_beside_it() {
    let log = Log::default();
    let panic = caught(|| {
        scope(|s| -> Outcome {
            s.defer_with(|exit| {
                log.note(exit.panic().map_or("none", |panic| panic.message()));
                log.note(exit.failures().len());
            });
            s.defer(|| panic_with("YYY"));
            panic_with("XXX")
        })
    });
    assert_eq!(panic.message(), "XXX");
    log.expect(&["XXX", "1"]);
}

/// Go: `TestAbortedPanic`: what was recovered from is gone. The older one wins here too, so that
/// it is the second panic that is aborted.
#[test]
fn after_two_panics_one_recover_leaves_none() {
    let log = Log::default();
    let result = scope(|s| -> R {
        s.recover(|_| unreachable!("the panic was recovered from already"));
        s.recover(|panic| Err(panic.message().to_owned()));
        s.defer(|| panic_with("panic2"));
        s.defer(|| log.note("first"));
        panic_with("panic1")
    });
    assert_eq!(result, Err("panic1".to_owned()));
    log.expect(&["first"]);
}

/// Go: `RecursivePanic`: a cleanup recovers and panics with something else, through 8 KiB that
/// were passed by value; the outer one gets that, and a later panic has nothing of it.
#[test]
fn a_recover_that_panics_replaces_the_panic() {
    let log = Log::default();
    let panic = caught(|| {
        scope(|_| -> R {
            let outer = scope(|s| -> R {
                s.recover(|panic| Err(panic.message().to_owned()));
                let nested = |room: [u8; 8192]| {
                    scope(|s| -> R {
                        s.defer(|| log.note("older"));
                        s.recover(|panic| panic_with(format!("wrap: {}", panic.message())));
                        let log = &log;
                        s.defer(move || log.note(room.len()));
                        panic_with("bad")
                    })
                };
                nested([0; 8192])
            });
            assert_eq!(outer, Err("wrap: bad".to_owned()));
            panic_with("again")
        })
    });
    assert_eq!(panic.message(), "again");
    log.expect(&["8192", "older"]);
}

/// Go: `RecursivePanic2`: the first recover and the second panic in cleanups of their own.
#[test]
fn a_panic_after_a_recover_is_a_new_one() {
    let log = Log::default();
    let outer = scope(|s| -> R {
        s.recover(|panic| Err(panic.message().to_owned()));
        scope(|s| -> R {
            s.defer(|| panic_with("second panic"));
            s.recover(|panic| {
                log.note(panic.message());
                Ok(1)
            });
            panic_with("first panic")
        })
    });
    assert_eq!(outer, Err("second panic".to_owned()));
    log.expect(&["first panic"]);
}

/// Go: `RecursivePanic3`: the first panic goes on although a second one was recovered from.
#[test]
fn a_panic_that_is_caught_within_a_cleanup_changes_nothing() {
    let panic = caught(|| {
        scope(|s| -> Outcome {
            s.defer(|| drop(caught(|| panic_with("second panic"))));
            panic_with("first panic")
        })
    });
    assert_eq!(panic.message(), "first panic");
}

/// Go: `RepanickedPanic`.
#[test]
fn a_panic_that_goes_on_keeps_its_payload() {
    let token = Arc::new(());
    let address = Cell::new(std::ptr::null::<u8>());
    let payload = Box::new((Arc::clone(&token), [7_u8; 100]));
    let sent = std::ptr::from_ref(payload.as_ref()).cast::<u8>();
    let panic = caught(|| {
        scope(|s| -> R {
            s.defer_with(|exit| {
                let payload = exit.panic().expect("the body panicked").payload();
                address.set(std::ptr::from_ref(payload).cast());
            });
            s.recover(|panic| panic.resume());
            s.defer(|| {});
            std::panic::resume_unwind(payload)
        })
    });
    assert_eq!(address.get(), sent, "seen by a cleanup");
    let payload = panic.into_payload();
    assert_eq!(std::ptr::from_ref(payload.as_ref()).cast::<u8>(), sent, "caught outside");
    let (arc, bytes) = *payload.downcast::<(Arc<()>, [u8; 100])>().expect("the same type");
    assert!(Arc::ptr_eq(&arc, &token));
    assert_eq!(bytes, [7; 100]);
    drop(arc);
    assert_eq!(Arc::strong_count(&token), 1);
}

/// Go: `RepanickedMiddlePanic`, `RepanickedPanicSandwich`.
#[test]
fn a_panic_taken_and_raised_again_after_another_is_the_first_one() {
    let kept = Cell::new(None);
    let panic = caught(|| {
        scope(|s| -> R {
            s.recover(|inner| {
                assert_eq!(inner.message(), "inner");
                match kept.take() {
                    Some(outer) => Panic::resume(outer),
                    None => Ok(0),
                }
            });
            scope(|s| -> R {
                s.recover(|outer| {
                    kept.set(Some(outer));
                    panic_with("inner")
                });
                panic_with("outer")
            })
        })
    });
    assert_eq!(panic.message(), "outer");
}

/// Panics at the deepest level, and recovers at `level`, as an interpreter does.
fn interpret(depth: u32, deepest: u32, level: u32, log: &Log) -> R {
    scope(|s| -> R {
        s.defer(|| log.note(format!("older {depth}")));
        s.recover(move |panic| {
            if panic.payload().downcast_ref() == Some(&depth) {
                return Ok(depth);
            }
            panic.resume()
        });
        s.defer(|| log.note(format!("newer {depth}")));
        if depth < deepest { interpret(depth + 1, deepest, level, log) } else { panic_with(level) }
    })
}

/// Writes over the stack that the scopes before used, and panics.
fn overwrite(depth: u32) -> u32 {
    let room = std::hint::black_box([u32::MAX; 40]);
    if depth == 0 { panic_with("overwritten") } else { overwrite(depth - 1) + room[4] }
}

/// Go: `TestDeferWithRepeatedRepanics`.
#[test]
fn repeated_panics_leave_no_stale_cleanups() {
    for (deepest, level) in [(5, 2), (4, 1), (5, 3), (40, 0)] {
        let log = Log::default();
        assert_eq!(interpret(0, deepest, level, &log), Ok(level));
        let expected: Vec<String> = (0..=deepest)
            .rev()
            .flat_map(|depth| [format!("newer {depth}"), format!("older {depth}")])
            .collect();
        assert_eq!(log.lines(), expected);
        let result = scope(|s| -> R {
            s.recover(|panic| Err(panic.message().to_owned()));
            Ok(overwrite(10))
        });
        assert_eq!(result, Err("overwritten".to_owned()));
        assert_eq!(log.lines(), expected, "nothing ran again");
    }
}

fn suppressed(s: &Scope<'_, R>, token: &Arc<()>) {
    for _ in 0..3 {
        let token = Arc::clone(token);
        s.defer(move || panic_with(Bomb(token)));
    }
}

#[test]
fn a_suppressed_panic_whose_payload_panics_when_dropped_is_contained() {
    let token = Arc::new(());
    let log = Log::default();
    let panic = caught(|| {
        scope(|s| -> R {
            s.defer(|| log.note("oldest"));
            suppressed(s, &token);
            panic_with("body")
        })
    });
    assert_eq!(panic.message(), "body");
    log.expect(&["oldest"]);
    assert_eq!(Arc::strong_count(&token), 1, "what the payloads held was dropped");

    let failed = scope(|s| -> R {
        suppressed(s, &token);
        Err("body".to_owned())
    });
    assert_eq!(failed, Err("body".to_owned()));
    assert_eq!(Arc::strong_count(&token), 1);
}

#[test]
fn a_panic_is_recovered_from_though_its_payload_panics_when_dropped() {
    let token = Arc::new(());
    let result = scope(|s| -> R {
        s.recover(|_| Ok(1));
        panic_with(Bomb(Arc::clone(&token)))
    });
    assert_eq!(result, Ok(1));
    assert_eq!(Arc::strong_count(&token), 1);
}

#[test]
fn the_outcome_of_a_body_that_panicked_is_seen_by_all() {
    let ended = scope_reported("panics", |s| -> R {
        s.defer_with(|exit| assert_eq!(exit.outcome(), Outcome::Panicked));
        s.defer(|| panic_with("cleanup"));
        s.defer_with(|exit| assert_eq!(exit.outcome(), Outcome::Panicked));
        panic_with("body")
    });
    assert_eq!(ended.report.outcome, Outcome::Panicked);
    assert_eq!(ended.report.failures().len(), 1, "{:?}", ended.report.failures());
}
