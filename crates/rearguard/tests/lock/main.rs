//! Locks against real servers: Redis, a quorum of them, PostgreSQL.
//!
//! `REARGUARD_LOCK_ROUNDS` is the number of rounds of the fenced register, 1,000 unless it is set;
//! the long run has 10,000, and takes one to five minutes.
//! `REARGUARD_LOCK_SEED` is the seed of its pauses, which a failure prints. The tests of the server's
//! clock need libfaketime (Debian's package `faketime`) and say so where it is missing.

mod clock;
mod every_poll;
mod fence;
mod forwarder;
mod holder;
mod postgres;
mod quorum;
mod redis;
mod register;
mod support;
mod wire;
