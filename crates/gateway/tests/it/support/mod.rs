//! What the tests stand on: a gateway with its log, a client and a service on plain sockets.

mod client;
mod process;
mod rig;
mod service;
mod wire;

pub(crate) use client::Client;
pub(crate) use process::{in_own_process, is_own_process};
pub(crate) use rig::{Expect, Rig, destination, route, service_at, virtual_host};
pub(crate) use service::{Conversation, Service};
pub(crate) use wire::{Message, Wire};

use std::time::{Duration, Instant};

/// The longest that anything is waited for.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);

/// Waits until `reached` says so; says what was waited for where it never does.
pub(crate) fn wait_for(what: &str, mut reached: impl FnMut() -> bool) {
    let started = Instant::now();
    while !reached() {
        assert!(started.elapsed() < PATIENCE, "waited in vain for {what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// Milliseconds.
pub(crate) const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}
