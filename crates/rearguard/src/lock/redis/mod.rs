//! Locks in Redis 6 or later, and what speaks its protocol: one server, or a quorum of them.

mod node;
mod quorum;
mod scripts;
mod single;

pub use quorum::{MAX_SERVERS, RedisQuorumStore};
pub use single::RedisStore;
