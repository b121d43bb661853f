//! What the tests share.

use std::{
    any::Any,
    cell::{Cell, RefCell},
    env,
    future::Future,
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    pin::Pin,
    process::{Command, Output, exit},
    task::{Context, Poll, Waker},
};

use rearguard::Panic;

/// What was done, in order.
#[derive(Debug, Default)]
pub(crate) struct Log(RefCell<Vec<String>>);

impl Log {
    pub(crate) fn note(&self, what: impl ToString) {
        self.0.borrow_mut().push(what.to_string());
    }

    #[track_caller]
    pub(crate) fn expect(&self, expected: &[&str]) {
        assert_eq!(*self.0.borrow(), expected);
    }

    pub(crate) fn lines(&self) -> Vec<String> {
        self.0.borrow().clone()
    }
}

/// A capture that counts how often it is dropped.
#[derive(Debug)]
pub(crate) struct Counted<'a>(pub(crate) &'a Cell<u32>);

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        self.0.set(self.0.get() + 1);
    }
}

/// Panics with `payload`; the panic hook prints nothing.
pub(crate) fn panic_with(payload: impl Any + Send) -> ! {
    resume_unwind(Box::new(payload))
}

/// The panic that `work` ends in.
#[track_caller]
pub(crate) fn caught<T>(work: impl FnOnce() -> T) -> Panic {
    match catch_unwind(AssertUnwindSafe(work)) {
        Ok(_) => panic!("it did not panic"),
        Err(payload) => Panic::new(payload),
    }
}

/// Polls once, with a waker that does nothing.
pub(crate) fn poll<F: Future>(future: Pin<&mut F>) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(Waker::noop()))
}

/// Polls until it is ready.
#[track_caller]
pub(crate) fn finish<F: Future>(mut future: Pin<&mut F>) -> F::Output {
    for _ in 0..1000 {
        if let Poll::Ready(value) = poll(future.as_mut()) {
            return value;
        }
    }
    panic!("not ready after a thousand polls");
}

/// Is pending this many times.
pub(crate) struct Pending(pub(crate) u32);

impl Future for Pending {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<()> {
        match self.0.checked_sub(1) {
            None => Poll::Ready(()),
            Some(left) => {
                self.0 = left;
                Poll::Pending
            }
        }
    }
}

const CHILD: &str = "REARGUARD_TEST_CHILD";

/// What the child exits with when its work is done. Any other code means that it was not: that
/// there is no such test, that it panicked, or that a sanitizer found something.
const DONE: i32 = 42;

/// Whether this process is the child of [`child`].
pub(crate) fn is_child() -> bool {
    env::var_os(CHILD).is_some()
}

/// Runs one test of this binary, named by its path, in a process of its own.
pub(crate) fn child(test: &str) -> Output {
    let program = env::current_exe().expect("this program has a path");
    Command::new(program)
        .args(["--exact", test, "--nocapture", "--test-threads=1"])
        .env(CHILD, "1")
        .output()
        .expect("it starts again")
}

/// Does `work` in a process in which no other test runs, so that what is global stands still.
#[track_caller]
pub(crate) fn alone(test: &str, work: impl FnOnce()) {
    if is_child() {
        work();
        exit(DONE);
    }
    let output = child(test);
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(DONE), "{test}: {said}");
}
