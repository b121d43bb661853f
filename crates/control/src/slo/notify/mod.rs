//! Telling somebody: what is said, in whose format, and a queue that does not forget.
//!
//! [`Notice`] is what an alert has to say. A [`Receiver`] has an address and a format. The [`Outbox`]
//! holds what each has still to be told: again with growing pauses, never twice, and when it was
//! tried too often it stands among the dead letters, where somebody can see it.

mod format;
mod notice;
mod outbox;

pub use format::{Format, InvalidReceiver, REPEAT_HOLDS, REPEAT_INTERVAL, Receiver};
pub use notice::Notice;
pub use notice::span;
pub use outbox::{
    Delivery, FIRST_PAUSE, LONGEST_PAUSE, Letter, LetterState, MAX_ATTEMPTS, MAX_DEAD, MAX_WAITING,
    Outbox,
};
