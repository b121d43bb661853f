//! The tests of the scope, as its users see it.
//!
//! `conformance` reads like the table of what a scope promises, one file for one or more rows;
//! `local` is the same for an async body whose cleanups are plain closures; `async_*` have its rows
//! for scopes that own async cleanups, which `every_poll` drops at each await; `users` has five such
//! users; `misuse` shows what does not compile, and what the compiler says of it; `patterns` runs the
//! programs of `docs/patterns.md`.
#![cfg(feature = "std")]
#![cfg_attr(
    feature = "tokio",
    expect(clippy::unwrap_used, reason = "what cannot go on in a test fails it")
)]

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
mod async_report;
#[cfg(feature = "tokio")]
mod async_support;
mod conformance;
#[cfg(feature = "tokio")]
mod every_poll;
mod local;
mod misuse;
#[cfg(all(feature = "tokio", target_os = "linux"))]
mod patterns;
mod support;
#[cfg(feature = "tokio")]
mod users;
