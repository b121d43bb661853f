use std::{
    any::Any,
    fmt, mem,
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
};

/// A panic that was caught, with what it was raised with.
///
/// Dropping it lets no panic out, even where dropping its payload panics.
///
/// ```
/// use std::panic::{AssertUnwindSafe, catch_unwind};
///
/// use rearguard::Panic;
///
/// let number = 3;
/// let payload = catch_unwind(|| panic!("the number is {number}")).expect_err("it panics");
/// let panic = Panic::new(payload);
/// assert_eq!(panic.message(), "the number is 3");
/// assert!(panic.payload().is::<String>());
/// let again = catch_unwind(AssertUnwindSafe(|| panic.resume()));
/// assert!(again.is_err_and(|payload| payload.is::<String>()));
/// ```
pub struct Panic {
    payload: Option<Box<dyn Any + Send>>,
}

impl Panic {
    /// Wraps what [`std::panic::catch_unwind`] returned.
    ///
    /// ```
    /// use std::panic::catch_unwind;
    ///
    /// use rearguard::Panic;
    ///
    /// let payload = catch_unwind(|| panic!("boom")).expect_err("it panics");
    /// assert_eq!(Panic::new(payload).message(), "boom");
    /// ```
    #[must_use]
    pub fn new(payload: Box<dyn Any + Send>) -> Self {
        Self { payload: Some(payload) }
    }

    /// Its message, where the payload is text, as that of `panic!` is.
    ///
    /// ```
    /// use rearguard::Panic;
    ///
    /// assert_eq!(Panic::new(Box::new("boom")).message(), "boom");
    /// assert_eq!(Panic::new(Box::new(7)).message(), "a payload that is not text");
    /// ```
    #[must_use]
    pub fn message(&self) -> &str {
        let payload = self.payload();
        payload
            .downcast_ref::<&'static str>()
            .copied()
            .or_else(|| payload.downcast_ref::<String>().map(String::as_str))
            .unwrap_or("a payload that is not text")
    }

    /// What it was raised with.
    ///
    /// ```
    /// use rearguard::Panic;
    ///
    /// let panic = Panic::new(Box::new(7_u32));
    /// assert_eq!(panic.payload().downcast_ref::<u32>(), Some(&7));
    /// ```
    #[must_use]
    pub fn payload(&self) -> &(dyn Any + Send) {
        self.payload.as_deref().unwrap_or(&())
    }

    /// What it was raised with, as a value.
    ///
    /// ```
    /// use rearguard::Panic;
    ///
    /// let payload = Panic::new(Box::new(7_u32)).into_payload();
    /// assert_eq!(*payload.downcast::<u32>().unwrap(), 7);
    /// ```
    #[must_use]
    pub fn into_payload(mut self) -> Box<dyn Any + Send> {
        self.payload.take().unwrap_or_else(|| Box::new(()))
    }

    /// Goes on panicking with the same payload; the panic hook is not called again.
    ///
    /// ```
    /// use std::panic::{AssertUnwindSafe, catch_unwind};
    ///
    /// use rearguard::Panic;
    ///
    /// let panic = Panic::new(Box::new(7_u32));
    /// let payload = catch_unwind(AssertUnwindSafe(|| panic.resume())).expect_err("it panics");
    /// assert_eq!(*payload.downcast::<u32>().unwrap(), 7);
    /// ```
    pub fn resume(self) -> ! {
        resume_unwind(self.into_payload())
    }
}

impl Drop for Panic {
    fn drop(&mut self) {
        if let Some(payload) = self.payload.take() {
            contained(|| drop(payload));
        }
    }
}

impl fmt::Debug for Panic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Panic").field(&self.message()).finish()
    }
}

/// Runs what may panic, and lets no panic out.
pub(crate) fn contained(work: impl FnOnce()) {
    let Err(payload) = catch_unwind(AssertUnwindSafe(work)) else { return };
    // Dropping it may panic as well, with a payload whose drop panics, and so on: that one is kept.
    if let Err(payload) = catch_unwind(AssertUnwindSafe(|| drop(payload))) {
        mem::forget(payload);
    }
}
