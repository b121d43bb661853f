//! Whether a canary is worse, and how fast it may grow, decided while looking all the time.
//!
//! ```text
//! bad events by side ─▶ OneSided ─▶ EValue ─┐
//!                                           ├─▶ decide ─▶ roll back, go on, promote
//! canary's requests  ─▶ Prior::upper_bound ─┘
//!                          └─▶ Growth::next ─▶ the next weight, and what holds it
//! ```
//!
//! * [`OneSided`] is the test that decides; [`TwoSided`] says whether the sides differ at all.
//! * [`EValue`] is what both give. It may be compared after every event: the chance that a canary
//!   that is no worse is ever rejected is at most the [`Level`].
//! * [`Prior::upper_bound`] says how bad the canary may be at most, also at every moment.
//! * [`Growth`] gives the next weight: what may fail until the next decision is bounded.
//! * [`NormalMixture`] and [`bernoulli_interval`] are the general boundaries behind such bounds.
//!
//! What the caller sees to, because the numbers cannot show it:
//!
//! * A **sticky key** (a user, a session) counts at most one bad event, and the share is that of keys.
//!   Five failing users who stay on one side are five events, whatever they repeat.
//! * A **retry** charges the side of the first try. A dead canary otherwise hides behind the retries
//!   that land on the other side.
//! * The **share** is that of each event's own time. Events of the time before a change of weights
//!   are given with the share of that time.
//!
//! Ours, because the statistics of the field's tools (Kayenta's Mann-Whitney test, Flagger's and Argo
//! Rollouts' thresholds) are for one look: looking after every event makes them err far more often than
//! they say.

mod boundary;
mod decision;
mod e_value;
mod exposure;
mod failure_rate;
mod one_sided;
#[cfg(test)]
mod simulation;
mod special;
mod two_sided;

pub use boundary::{NormalMixture, bernoulli_interval};
pub use decision::{Decision, Findings, decide};
pub use e_value::{EValue, Level};
pub use exposure::{Growth, HeldBy, Pace, Proof, Situation, Step, exposed};
pub use failure_rate::Prior;
pub use one_sided::OneSided;
pub use two_sided::TwoSided;

/// Bad events that came since the last look, by the side that made them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BadEvents {
    /// Of the canary.
    pub canary: u64,
    /// Of the stable version.
    pub stable: u64,
}

impl BadEvents {
    /// One of the canary.
    pub const CANARY: Self = Self { canary: 1, stable: 0 };
    /// One of the stable version.
    pub const STABLE: Self = Self { canary: 0, stable: 1 };

    fn total(self) -> f64 {
        self.canary as f64 + self.stable as f64
    }
}

/// The canary's share of the traffic: above 0 and below 1. With all of it or none there is nothing to
/// compare.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
pub struct TrafficShare(f64);

impl TrafficShare {
    /// `None` where it is no share, or one side has no traffic.
    #[must_use]
    pub fn new(share: f64) -> Option<Self> {
        (share > 0.0 && share < 1.0).then_some(Self(share))
    }

    const fn of_canary(self) -> f64 {
        self.0
    }

    const fn of_stable(self) -> f64 {
        1.0 - self.0
    }
}
