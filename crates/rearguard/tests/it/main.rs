//! The tests of the scope, as its users see it.
//!
//! `conformance` reads like the table of what a scope promises, one file for one or more rows;
//! `local` is the same for an async body whose cleanups are plain closures; `misuse` shows what
//! does not compile, and what the compiler says of it; `users` and `every_poll` are of scopes that
//! own async cleanups.
#![cfg(feature = "std")]
#![cfg_attr(
    feature = "tokio",
    expect(clippy::unwrap_used, reason = "what cannot go on in a test fails it")
)]

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
