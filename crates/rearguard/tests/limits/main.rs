//! The layers that bound what is called: breaker, fallback, retry, limit, and the answers to their
//! errors. Time is paused, but for what goes over a real connection.
#![expect(clippy::unwrap_used, reason = "what cannot go on in a test fails it")]

mod breaker;
mod error_answer;
mod every_poll;
mod fallback;
mod grpc;
mod limit;
mod retry;
mod stack;
mod support;
