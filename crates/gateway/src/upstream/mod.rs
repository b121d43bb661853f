//! The services behind the gateway: their endpoints, the connections to them, who gets one.
//!
//! [`SharedTarget`] is what all workers share about a service or subset: its limits, what its
//! names resolve to. [`Target`] is one worker's side: its endpoints with their pools.

mod connect;
mod endpoint;
mod learned;
mod multiplexed;
mod target;

pub(crate) use connect::Connection;
pub(crate) use endpoint::Endpoint;
pub(crate) use multiplexed::{Lease, Stake};
pub(crate) use target::{Place, SharedTarget, Target};
