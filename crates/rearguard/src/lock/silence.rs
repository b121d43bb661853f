//! When a connection is given up.

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

/// A connection that has answered nothing for so long, although it was asked, is replaced. One that
/// is only slow is kept, so that a release comes after the grant that it takes back.
pub(super) const MAX_SILENCE: Duration = Duration::from_secs(2);

/// Since when a connection has been asked without any answer. Who asks may be gone before the answer
/// is due, so it is not they who count.
#[derive(Debug, Default)]
pub(super) struct Silence(Mutex<Option<Instant>>);

impl Silence {
    /// Something is about to be asked. False where the connection should be replaced before.
    pub(super) fn ask(&self) -> bool {
        let mut since = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        since.get_or_insert_with(Instant::now).elapsed() < MAX_SILENCE
    }

    /// An answer came, or the connection is a new one.
    pub(super) fn end(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::advance;

    use super::{MAX_SILENCE, Silence};

    #[tokio::test(start_paused = true)]
    async fn a_connection_is_given_up_when_nothing_asked_for_long_was_answered() {
        let silence = Silence::default();
        assert!(silence.ask());
        advance(MAX_SILENCE / 2).await;
        assert!(silence.ask());
        silence.end();
        advance(MAX_SILENCE * 2).await;
        assert!(silence.ask(), "nothing was asked meanwhile");
        advance(MAX_SILENCE).await;
        assert!(!silence.ask() && !silence.ask());
    }
}
