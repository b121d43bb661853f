//! Locks that several processes share: in Redis, in a quorum of Redis servers, in PostgreSQL.
//!
//! [`LockManager::with_lock`] waits for a lock, renews it while the work runs, and releases it on
//! every way out. A lock that has a time to live can be lost while it is held: the holder is paused,
//! the network is, the store forgets. Then the work is cancelled at once, its undos run, and a
//! [`FencingToken`] keeps what it may still write from being accepted.
//!
//! Ours, because of the libraries for Rust none joins *lost → cancelled → fenced → undone* in one
//! path: rslock cancels and does not fence, and its lock is not released by a dropped future.
//!
//! ```
//! use std::time::Duration;
//!
//! use rearguard::{Error, lock::{LockManager, Store}};
//!
//! async fn charge(store: impl Store) -> Result<(), Error> {
//!     let locks = LockManager::new(store);
//!     locks
//!         .with_lock("orders/7", Duration::from_secs(30), async |lease| {
//!             let token = lease.token(); // goes with all that is written here
//!             lease.on_failure(async move { println!("taken back, with {token:?}") });
//!             Ok(())
//!         })
//!         .await
//! }
//! ```
//!
//! # The rules
//! The code says where each is kept, and a test is named after each.
//!
//! 1. The deadline of a grant is the time **before** it was asked for, plus the time to live, less
//!    the [`drift_allowance`], on a clock that counts the machine's sleep. A grant that arrives late is
//!    released, not used.
//! 2. It is renewed at each third of the time to live. A renewal of which it is unknown whether it was
//!    done never moves the deadline, and the work is cancelled before that. A lost lock is never
//!    made anew under its old token.
//! 3. First the renewing stops, then the lock is released if it is still the owner's.
//! 4. A fencing token goes with every grant, and is checked at the resource.
//! 5. A token comes from what survives a crash, or there is none.
//! 6. Who waits is told, and asks all the same, at least once a time to live.
//!
//! `docs/locks.md` says what each store does and does not guarantee.

mod acquire;
mod clock;
#[cfg(feature = "postgres")]
pub mod fence;
mod lease;
mod manager;
#[cfg(test)]
mod memory;
mod metrics;
mod options;
mod owned;
mod owner;
#[cfg(feature = "postgres")]
mod postgres;
mod protected;
#[cfg(feature = "redis")]
mod redis;
mod silence;
mod store;
#[cfg(test)]
mod tests;
mod timing;
mod token;
mod wait;
mod wakeups;
mod watchdog;

#[cfg(feature = "redis")]
pub use self::redis::{MAX_SERVERS, RedisQuorumStore, RedisStore};
pub use acquire::MAX_RELEASE;
pub use lease::Lease;
pub use manager::{LockManager, MAX_PLACES};
pub use metrics::{Holder, LockMetrics};
pub use options::{DEFAULT_WAIT, LockOptions, MAX_NAME_BYTES};
pub use owned::OwnedLease;
pub use owner::OwnerId;
#[cfg(feature = "postgres")]
pub use postgres::PostgresStore;
pub use store::{Answer, BoxFuture, Claim, Release, Renewal, Reply, Store};
pub use timing::{Loss, MAX_POLL, MAX_TTL, MIN_POLL, MIN_TTL, drift_allowance};
pub use token::{FencingToken, TokenSource};
pub use wait::FIRST_RETRY;
