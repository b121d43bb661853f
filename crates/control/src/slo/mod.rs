//! Objectives that are watched: counts come in once a second, alarms go out, and all of it survives
//! the death of the process.
//!
//! [`Engine`] keeps the state and decides; it is plain code, with time as an argument. [`Store`] writes
//! it down. [`Notice`], [`Receiver`] and [`Outbox`] tell somebody.

mod composite;
mod engine;
mod notify;
mod prometheus;
mod status;
mod store;
mod tracked;

pub use composite::{CompositeKind, CompositeStatus};
pub use engine::{Engine, Event};
pub use notify::{
    Delivery, FIRST_PAUSE, Format, InvalidReceiver, LONGEST_PAUSE, Letter, LetterState,
    MAX_ATTEMPTS, MAX_DEAD, MAX_WAITING, Notice, Outbox, REPEAT_HOLDS, REPEAT_INTERVAL, Receiver,
    span,
};
pub use prometheus::{AnswerError, NotExported, parse_answer, rules};
pub use status::{AlertStatus, BURN_WINDOWS, Burn, Status};
pub use store::{FLUSH_INTERVAL, Store, StoreError};
pub use tracked::{Polled, Tracked};
