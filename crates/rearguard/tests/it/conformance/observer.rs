//! The process's observer.

use std::sync::Mutex;

use rearguard::{Observer, Outcome, Report, scope, scope_local, scope_reported, set_observer};

use crate::support::{Pending, alone, caught, finish, panic_with, poll};

static SEEN: Mutex<Vec<String>> = Mutex::new(Vec::new());

struct Seeing;

impl Observer for Seeing {
    fn scope_ended(&self, report: &Report) {
        let line = format!("{:?} {} {}", report.name, report.outcome, report.failures().len());
        SEEN.lock().expect("nothing panics here").push(line);
        // Whatever an observer does, the scope is not harmed.
        panic_with("the observer");
    }
}

fn seen() -> Vec<String> {
    std::mem::take(&mut SEEN.lock().expect("nothing panics here"))
}

#[test]
fn it_is_told_of_reported_scopes_and_of_failures_in_plain_ones() {
    alone(
        "conformance::observer::it_is_told_of_reported_scopes_and_of_failures_in_plain_ones",
        || {
            assert!(set_observer(Seeing).is_ok());
            assert!(set_observer(Seeing).is_err(), "it is set for good");

            scope(|s| s.defer(|| {}));
            assert_eq!(scope(|_| Err::<(), _>("body")), Err("body"));
            assert_eq!(seen(), [""; 0], "nothing failed but the body");

            let fail = || Err::<(), _>("cleanup");
            assert_eq!(
                scope(|s| {
                    s.defer(fail);
                    Ok(1)
                }),
                Err("cleanup")
            );
            assert_eq!(seen(), [r#""" succeeded 1"#]);

            let panic = caught(|| {
                scope(|s| -> Result<(), &str> {
                    s.defer(fail);
                    s.defer(|| panic_with("cleanup"));
                    panic_with("body")
                })
            });
            assert_eq!(panic.message(), "body");
            assert_eq!(seen(), [r#""" panicked 2"#]);

            let ended = scope_reported("named", |s| s.defer(|| {}));
            assert_eq!(ended.report.outcome, Outcome::Succeeded);
            assert_eq!(seen(), [r#""named" succeeded 0"#]);
        },
    );
}

#[test]
fn it_is_told_of_failures_when_a_local_scope_was_dropped() {
    alone("conformance::observer::it_is_told_of_failures_when_a_local_scope_was_dropped", || {
        assert!(set_observer(Seeing).is_ok());
        let body = async |s: &rearguard::Scope<'_, Result<(), String>>| {
            s.defer(|| Err::<(), _>("cleanup".to_owned()));
            s.defer(|| panic_with("cleanup"));
            Pending(1).await;
            Ok(())
        };
        {
            let mut dropped = std::pin::pin!(scope_local(body));
            assert!(poll(dropped.as_mut()).is_pending());
        }
        assert_eq!(seen(), [r#""" cancelled 2"#]);
        assert_eq!(caught(|| finish(std::pin::pin!(scope_local(body)))).message(), "cleanup");
        assert_eq!(seen(), [r#""" succeeded 2"#]);
    });
}
