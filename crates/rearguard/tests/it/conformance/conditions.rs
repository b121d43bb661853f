//! Cleanups that apply to some ways out only.

use rearguard::{Outcome, Scope, scope};

use crate::support::{Log, caught, panic_with};

type R = Result<u32, String>;

fn register<'env>(s: &Scope<'env, R>, log: &'env Log) {
    s.on_cancel(|| log.note("cancel"));
    s.on_failure(|| log.note("failure"));
    s.on_success(|| log.note("success"));
}

#[test]
fn each_applies_to_its_way_out() {
    let log = Log::default();
    assert_eq!(
        scope(|s| {
            register(s, &log);
            Ok(1)
        }),
        Ok(1)
    );
    log.expect(&["success"]);

    let log = Log::default();
    assert!(
        scope(|s| {
            register(s, &log);
            R::Err("body".to_owned())
        })
        .is_err()
    );
    log.expect(&["failure"]);

    let log = Log::default();
    drop(caught(|| {
        scope(|s| -> R {
            register(s, &log);
            panic_with("body")
        })
    }));
    log.expect(&["failure"]);
}

/// The body succeeded, and that stands: an undo of what a later step did is for the body's ends.
#[test]
fn a_cleanup_that_fails_does_not_turn_success_into_failure() {
    let log = Log::default();
    let result = scope(|s| -> R {
        register(s, &log);
        s.defer(|| Err::<(), _>("cleanup".to_owned()));
        Ok(1)
    });
    assert_eq!(result, Err("cleanup".to_owned()));
    log.expect(&["success"]);
}

/// rust-lang/rust#143612, and scopeguard's `on_success`, which misfires here.
#[test]
fn a_scope_that_succeeds_while_its_thread_unwinds_has_succeeded() {
    struct Cleaner<'a>(&'a Log);
    impl Drop for Cleaner<'_> {
        fn drop(&mut self) {
            assert!(std::thread::panicking());
            scope(|s| {
                s.on_success(|| self.0.note("success"));
                s.on_failure(|| self.0.note("failure"));
                s.defer_with(|exit| self.0.note(exit.outcome()));
            });
        }
    }
    let log = Log::default();
    let panic = caught(|| {
        let _cleaner = Cleaner(&log);
        panic_with("outer")
    });
    assert_eq!(panic.message(), "outer");
    log.expect(&["succeeded", "success"]);
}

#[test]
fn they_may_fail_too() {
    let result = scope(|s| -> R {
        s.on_success(|| Err::<(), _>("commit".to_owned()));
        Ok(1)
    });
    assert_eq!(result, Err("commit".to_owned()));
    let outcome = scope(|s| {
        s.on_cancel(|| {});
        Outcome::Cancelled
    });
    assert_eq!(outcome, Outcome::Cancelled);
}
