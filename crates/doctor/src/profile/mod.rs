//! pprof profiles: what they say about cleanup.
//!
//! Why ours: `go tool pprof` knows nothing of the source but its lines. A deferred call looks like any
//! other on a stack; only with the source beside it can time in cleanup, goroutines that are blocked
//! in it, and the holder of a lock be named.
//!
//! Entry points: [`read`] for the profile, [`SourceIndex::new`] for the source, [`Report::new`] for
//! what they say together, [`flame_graph`] for a picture.
//!
//! * `read`, `proto`, `goroutine_text`, `kind`, `wait`: from bytes to a [`Profile`].
//! * `symbol`: what Go's names of functions say.
//! * `source`: functions of the source, their defers, returns and locks.
//! * `join`, `handler`: which calls on a stack are deferred, and which is the handler.
//! * `summary`, `cleanup`, `blocked`, `lock_holders`, `growth`, `rank`, `suspect`: one
//!   question each.
//! * `report`, `flame`: the answers, printed.

mod blocked;
#[cfg(test)]
mod by_hand;
mod cleanup;
mod data;
mod flame;
mod goroutine_text;
mod growth;
mod handler;
mod join;
mod kind;
mod lock_holders;
mod place;
mod proto;
mod rank;
mod read;
mod report;
mod source;
mod summary;
mod suspect;
mod symbol;
mod wait;

pub use blocked::{Blocked, CleanupCall, UNSAID};
pub use cleanup::{Cleanup, CleanupSite, HandlerCleanup};
pub use data::{Frame, Function, Kind, Profile, Sample, ValueType, Wait};
pub use flame::flame_graph;
pub use growth::{Grown, growth};
pub use join::Site;
pub use lock_holders::{ContendedLock, Holder};
pub use place::Place;
pub use proto::decode;
pub use rank::Ranked;
pub use read::{Error, MAX_PROFILE_BYTES, read};
pub use report::{Question, Report};
pub use source::{LockKind, SourceIndex};
pub use summary::{BOOKKEEPING, Row, bookkeeping, by_function};
pub use suspect::{Certainty, Suspect, suspect};
