//! The layers that bound what is called: breaker, fallback, retry, limit. Time is paused.
#![expect(clippy::unwrap_used, reason = "what cannot go on in a test fails it")]

mod breaker;
mod error_answer;
mod every_poll;
mod fallback;
mod limit;
mod retry;
mod stack;
mod support;
