//! The tests of the scope, as its users see it.

#![expect(clippy::unwrap_used, reason = "what cannot go on in a test fails it")]

#[cfg(feature = "tokio")]
mod every_poll;
#[cfg(all(feature = "tokio", target_os = "linux"))]
mod patterns;
#[cfg(feature = "tokio")]
mod users;
