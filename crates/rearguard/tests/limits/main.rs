//! The layers that bound what is called: breaker, fallback, retry, limit. Time is paused.

mod breaker;
mod every_poll;
mod fallback;
mod limit;
mod retry;
mod stack;
mod support;
