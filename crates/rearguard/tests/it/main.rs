//! The tests of the scope, as its users see it.
#![expect(clippy::unwrap_used, reason = "what cannot go on in a test fails it")]

#[cfg(feature = "tokio")]
mod async_acquire;
#[cfg(feature = "tokio")]
mod async_cancel;
#[cfg(feature = "tokio")]
mod async_children;
#[cfg(feature = "tokio")]
mod async_cleanups;
#[cfg(feature = "tokio")]
mod async_deadlines;
#[cfg(feature = "tokio")]
mod async_memory;
#[cfg(feature = "tokio")]
mod async_registered;
#[cfg(feature = "tokio")]
mod async_support;
#[cfg(feature = "tokio")]
mod every_poll;
#[cfg(feature = "tokio")]
mod users;
