//! `scope_local`: an async body whose cleanups are plain closures. Row 9 of the table, and what
//! becomes of the other rows when the future is dropped half way.

use std::{
    cell::{Cell, RefCell},
    future::{Future, poll_fn},
    pin::pin,
    rc::Rc,
    task::Poll,
};

use rearguard::{Key, Outcome, Scope, scope, scope_local};

use crate::support::{Counted, Log, Pending, caught, finish, panic_with, poll};

type R = Result<u32, String>;

/// Polls this many times, none of which is the last, and drops.
#[track_caller]
fn cancel_after(polls: u32, future: impl Future) {
    let mut future = Box::pin(future);
    for _ in 0..polls {
        assert!(poll(future.as_mut()).is_pending());
    }
}

/// Registers a cleanup of each kind before each of three awaits, and notes what ran.
async fn three_steps(log: &Log) -> R {
    scope_local(async |s: &Scope<'_, R>| {
        for step in 0..3 {
            s.defer_with(move |exit| log.note(format!("{step} {}", exit.outcome())));
            s.on_success(move || log.note(format!("{step} success")));
            s.on_failure(move || log.note(format!("{step} failure")));
            s.on_cancel(move || log.note(format!("{step} cancel")));
            s.recover(|_| unreachable!("a cancellation is not a panic"));
            Pending(1).await;
        }
        Ok(3)
    })
    .await
}

#[test]
fn a_future_that_is_never_polled_registers_and_runs_nothing() {
    let log = Log::default();
    cancel_after(0, three_steps(&log));
    log.expect(&[]);
}

#[test]
fn cancelled_at_each_poll_it_runs_what_was_registered_and_knows_why() {
    for polls in 1..=3 {
        let log = Log::default();
        cancel_after(polls, three_steps(&log));
        let expected: Vec<String> = (0..polls)
            .rev()
            .flat_map(|step| {
                ["cancel", "failure", "cancelled"].map(|what| format!("{step} {what}"))
            })
            .collect();
        assert_eq!(log.lines(), expected);
    }
}

#[test]
fn a_body_that_ends_runs_its_cleanups_in_place() {
    let log = Log::default();
    assert_eq!(finish(pin!(three_steps(&log))), Ok(3));
    let expected: Vec<String> = (0..3)
        .rev()
        .flat_map(|step| ["success", "succeeded"].map(|what| format!("{step} {what}")))
        .collect();
    assert_eq!(log.lines(), expected);
}

#[test]
fn a_future_that_was_ready_runs_nothing_again_when_it_is_dropped() {
    let log = Log::default();
    {
        let mut future = Box::pin(three_steps(&log));
        assert_eq!(finish(future.as_mut()), Ok(3));
        assert_eq!(log.lines().len(), 6);
    }
    assert_eq!(log.lines().len(), 6);
}

/// Takes what is ready first, and drops the other before it goes on, as `select!` does.
async fn first<T>(left: impl Future<Output = T>, right: impl Future<Output = T>) -> T {
    let (mut left, mut right) = (pin!(left), pin!(right));
    poll_fn(|context| match left.as_mut().poll(context) {
        Poll::Pending => right.as_mut().poll(context),
        ready => ready,
    })
    .await
}

#[test]
fn the_loser_of_a_race_is_cleaned_up_before_the_winner_goes_on() {
    let log = Log::default();
    let race = async {
        let winner = async {
            Pending(2).await;
            Ok(0)
        };
        let result = first(three_steps(&log), winner).await;
        log.note("after");
        result
    };
    assert_eq!(finish(pin!(race)), Ok(0));
    let lines = log.lines();
    assert_eq!(lines.last().map(String::as_str), Some("after"));
    assert_eq!(lines.iter().filter(|line| line.ends_with("cancel")).count(), 3);
}

#[test]
fn a_body_that_panics_is_recovered_from_or_goes_on_panicking() {
    let log = Log::default();
    let body = |recovers: bool| {
        let log = &log;
        scope_local(async move |s: &Scope<'_, R>| {
            s.defer_with(|exit| log.note(exit.outcome()));
            if recovers {
                s.recover(|panic| Err(panic.message().to_owned()));
            }
            s.defer(|| panic_with("cleanup"));
            Pending(2).await;
            panic_with("body")
        })
    };
    assert_eq!(finish(pin!(body(true))), Err("body".to_owned()));
    assert_eq!(caught(|| finish(pin!(body(false)))).message(), "body");
    log.expect(&["panicked", "panicked"]);
}

#[test]
fn a_body_that_panics_before_its_first_await_is_one_that_panicked() {
    let log = Log::default();
    let body = scope_local(async |s: &Scope<'_, R>| {
        s.defer_with(|exit| log.note(exit.outcome()));
        panic_with("body")
    });
    assert_eq!(caught(|| finish(pin!(body))).message(), "body");
    log.expect(&["panicked"]);
}

/// The other half of an `AsyncFnOnce`: a closure that panics before it has made its future.
#[test]
fn a_body_that_panics_before_it_is_a_future_is_cleaned_up() {
    fn body(s: &Scope<'_, R>) -> std::future::Ready<R> {
        s.defer(|| {});
        panic_with("no future")
    }
    assert_eq!(caught(|| finish(pin!(scope_local(body)))).message(), "no future");
    let log = Rc::new(Log::default());
    let noted = Rc::clone(&log);
    let eager = scope_local(move |s: &Scope<'static, R>| -> std::future::Ready<R> {
        s.defer_with(move |exit| noted.note(exit.outcome()));
        panic_with("no future")
    });
    assert_eq!(caught(|| finish(pin!(eager))).message(), "no future");
    log.expect(&["panicked"]);
}

#[test]
fn cleanups_that_panic_or_fail_when_cancelled_are_contained_and_the_others_run() {
    let log = Log::default();
    cancel_after(
        1,
        scope_local(async |s: &Scope<'_, R>| {
            s.defer_with(|exit| {
                log.note(exit.failures().len());
                log.note(exit.panic().is_none());
                log.note(exit.result().is_none());
            });
            s.defer(|| Err::<(), _>("second".to_owned()));
            s.defer(|| panic_with("panic"));
            s.defer(|| Err::<(), _>("first".to_owned()));
            Pending(1).await;
            Ok(1)
        }),
    );
    log.expect(&["3", "true", "true"]);
}

#[test]
fn a_cleanup_that_fails_after_the_body_is_the_result() {
    let body = async |s: &Scope<'_, R>| {
        s.defer(|| Err::<(), _>("second".to_owned()));
        s.defer(|| Err::<(), _>("first".to_owned()));
        Pending(1).await;
        Ok(1)
    };
    assert_eq!(finish(pin!(scope_local(body))), Err("first".to_owned()));
    let body = async |s: &Scope<'_, R>| {
        s.defer_with(|exit| {
            if let Some(Ok(number)) = exit.result() {
                *number += 1;
            }
        });
        Pending(1).await;
        Ok(1)
    };
    assert_eq!(finish(pin!(scope_local(body))), Ok(2));
}

#[test]
fn a_held_value_is_lent_across_awaits() {
    for polls in 0..=3 {
        let (log, dropped) = (Log::default(), Cell::new(0));
        let future = scope_local(async |s: &Scope<'_, R>| {
            let (counted, list) = s.hold((Counted(&dropped), vec![0]), |(_, list), exit| {
                log.note(format!("{list:?} {}", exit.outcome()));
            });
            for step in 1..=3 {
                Pending(1).await;
                assert_eq!(counted.0.get(), 0);
                list.push(step);
                // Makes the scope outgrow its first block while the value is lent.
                let room = [step; 300];
                s.defer(move || assert_eq!(room[299], step));
            }
            Ok(1)
        });
        cancel_after(polls, future);
        let expected =
            ["", "[0] cancelled", "[0, 1] cancelled", "[0, 1, 2] cancelled"][polls as usize];
        assert_eq!(log.lines().concat(), expected);
        assert_eq!(dropped.get(), u32::from(polls > 0));
    }
}

/// Nothing here is `Send` or `'static`, which a task that is spawned would have to be.
#[test]
fn cleanups_borrow_what_is_not_send() {
    let shared = Rc::new(RefCell::new(Vec::new()));
    let result = finish(pin!(scope_local(async |s: &Scope<'_, R>| {
        let (borrowed, owned) = (&shared, Rc::clone(&shared));
        s.defer(move || borrowed.borrow_mut().push("borrowed"));
        s.defer(move || owned.borrow_mut().push("owned"));
        Pending(1).await;
        shared.borrow_mut().push("body");
        Ok(1)
    })));
    assert_eq!(result, Ok(1));
    assert_eq!(*shared.borrow(), ["body", "owned", "borrowed"]);
    assert_eq!(Rc::strong_count(&shared), 1);
}

#[test]
fn locals_of_the_body_drop_before_its_cleanups_also_when_cancelled() {
    struct Local<'a>(&'a Log);
    impl Drop for Local<'_> {
        fn drop(&mut self) {
            self.0.note("local");
        }
    }
    let log = Log::default();
    cancel_after(
        1,
        scope_local(async |s: &Scope<'_, R>| {
            s.defer(|| log.note("cleanup"));
            let _local = Local(&log);
            Pending(1).await;
            Ok(1)
        }),
    );
    log.expect(&["local", "cleanup"]);
}

#[test]
fn keys_are_good_across_awaits_and_while_the_body_is_dropped() {
    struct Disarms<'s, 'env>(Vec<Key<'s, 'env, R>>);
    impl Drop for Disarms<'_, '_> {
        fn drop(&mut self) {
            self.0.drain(..).for_each(Key::disarm);
        }
    }
    for polls in 1..=3 {
        let log = Log::default();
        cancel_after(
            polls,
            scope_local(async |s: &Scope<'_, R>| {
                let disarmed = s.defer_keyed(|| log.note("disarmed"));
                let early = s.defer_keyed(|| log.note("early"));
                let _disarms = Disarms(vec![s.defer_keyed(|| log.note("dropped"))]);
                Pending(1).await;
                disarmed.disarm();
                Pending(1).await;
                early.run_now()?;
                Pending(1).await;
                Ok(1)
            }),
        );
        let expected: &[&str] =
            [&["early", "disarmed"][..], &["early"], &["early"]][polls as usize - 1];
        log.expect(expected);
    }
}

#[test]
fn scopes_nest_in_local_ones_and_are_cancelled_from_the_inside() {
    let log = Log::default();
    cancel_after(
        2,
        scope_local(async |outer: &Scope<'_, R>| {
            outer.defer(|| log.note("outer"));
            Pending(1).await;
            scope_local(async |inner: &Scope<'_, R>| {
                inner.defer(|| {
                    scope(|s| s.defer(|| log.note("a scope in a cleanup")));
                });
                inner.defer_keyed(|| log.note("handed on")).transfer(outer);
                Pending(1).await;
                Ok(1)
            })
            .await
        }),
    );
    log.expect(&["a scope in a cleanup", "handed on", "outer"]);
}

#[test]
fn a_future_dropped_while_its_thread_unwinds_was_cancelled() {
    let log = Log::default();
    let panic = caught(|| {
        let mut future = Box::pin(three_steps(&log));
        assert!(poll(future.as_mut()).is_pending());
        panic_with("elsewhere")
    });
    assert_eq!(panic.message(), "elsewhere");
    log.expect(&["0 cancel", "0 failure", "0 cancelled"]);
}

/// It is one state machine: the body's, and little beside it.
#[test]
fn its_future_is_not_much_larger_than_that_of_its_body() {
    async fn body(s: &Scope<'_, R>) -> R {
        let room = [1_u8; 4096];
        s.defer(|| {});
        Pending(1).await;
        Ok(u32::from(room[4095]))
    }
    assert!(size_of_val(&scope_local(body)) < 4096 + 512);
    assert_eq!(finish(pin!(scope_local(body))), Ok(1));
}

#[test]
fn the_outcome_itself_may_be_returned() {
    let log = Log::default();
    let outcome = finish(pin!(scope_local(async |s: &Scope<'_, Outcome>| {
        s.on_cancel(|| log.note("cancel"));
        Pending(1).await;
        Outcome::Cancelled
    })));
    assert_eq!(outcome, Outcome::Cancelled);
    log.expect(&["cancel"]);
}
