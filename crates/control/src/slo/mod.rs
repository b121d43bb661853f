//! Objectives that are watched: counts come in once a second, alarms go out, and all of it survives
//! the death of the process.
//!
//! [`Engine`] keeps the state and decides; it is plain code, with time as an argument. [`Store`] writes
//! it down.

mod engine;
mod status;
mod store;
mod tracked;

pub use engine::{Engine, Event};
pub use status::{AlertStatus, BURN_WINDOWS, Burn, Status};
pub use store::{FLUSH_INTERVAL, Store, StoreError};
pub use tracked::Tracked;
