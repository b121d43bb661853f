//! The protocol against a server whose clock runs at another speed, in a network that delays and
//! loses. Everything is arithmetic on made-up times.

use std::time::Duration;

use proptest::prelude::*;

use super::{Loss, MAX_POLL, MIN_POLL, Step, Tenure, cancel_margin, poll_pause, validity};
use crate::lock::{Renewal, clock::Moment};

const MS: Duration = Duration::from_millis(1);

fn at(micros: u64) -> Moment {
    Moment::new(Duration::from_micros(micros))
}

#[test]
fn rule_1_the_deadline_counts_from_before_sending() {
    let ttl = Duration::from_secs(10);
    let (sent, answered) = (at(1_000_000), at(5_000_000));
    let tenure = Tenure::granted(ttl, sent, answered).expect("in time");
    assert_eq!(tenure.deadline, sent.saturating_add(ttl - 102 * MS));
    let late = sent.saturating_add(validity(ttl) - cancel_margin(ttl));
    assert!(Tenure::granted(ttl, sent, late).is_none());
}

#[test]
fn rule_2_renewals_go_out_each_third_and_twice_more_when_unknown() {
    let ttl = Duration::from_millis(1200);
    let mut tenure = Tenure::granted(ttl, at(0), at(0)).expect("in time");
    assert_eq!(tenure.next(at(0)), Step::Wait(400 * MS));
    assert_eq!(tenure.next(at(400_000)), Step::Renew { within: 200 * MS });
    tenure.renewed(at(400_000), at(600_000), None);
    assert_eq!(tenure.next(at(600_000)), Step::Wait(100 * MS));
    tenure.renewed(at(700_000), at(900_000), None);
    assert_eq!(tenure.next(at(1_000_000)), Step::Renew { within: 162 * MS });
    assert_eq!(tenure.next(at(1_162_000)), Step::Lost(Loss::Unrenewed));
}

#[test]
fn rule_2_a_renewal_that_is_refused_is_a_loss_at_once() {
    let mut tenure = Tenure::granted(300 * MS, at(0), at(0)).expect("in time");
    tenure.renewed(at(100_000), at(101_000), Some(Renewal::Refused));
    assert_eq!(tenure.next(at(101_000)), Step::Lost(Loss::Refused));
    assert_eq!(tenure.remaining(at(101_000)), Duration::ZERO);
}

/// What becomes of one renewal on its way.
#[derive(Clone, Copy, Debug)]
struct Trip {
    /// Until the server reads it; `None`: lost on the way.
    there: Option<u64>,
    /// Until the holder reads the answer; `None`: lost on the way.
    back: Option<u64>,
    /// How long the holder's process is paused before it looks at its clock again.
    pause: u64,
}

fn trip(ttl: u64) -> impl Strategy<Value = Trip> {
    let delay = || prop_oneof![4 => (0..ttl / 10).prop_map(Some), 1 => (0..ttl * 2).prop_map(Some), 1 => Just(None)];
    let pause = prop_oneof![6 => Just(0), 1 => 0..ttl * 2];
    (delay(), delay(), pause).prop_map(|(there, back, pause)| Trip { there, back, pause })
}

/// A server's lease, in true time. Its clock may be up to 1 % fast.
struct Server {
    expires: u64,
    ttl: u64,
}

impl Server {
    fn granted(now: u64, ttl: u64, fast_ppm: u64) -> Self {
        let ttl = ttl - ttl * fast_ppm / 1_000_000;
        Self { expires: now + ttl, ttl }
    }

    fn renew(&mut self, now: u64) -> Renewal {
        if now >= self.expires {
            return Renewal::Refused;
        }
        self.expires = now + self.ttl;
        Renewal::Renewed
    }
}

proptest! {
    /// The whole point: whenever the holder may believe that it holds the lock, it does.
    #[test]
    fn who_believes_to_hold_the_lock_holds_it(
        (ttl, first, trips) in (20_000_u64..60_000_000).prop_flat_map(|ttl| {
            (Just(ttl), trip(ttl), proptest::collection::vec(trip(ttl), 0..20))
        }),
        fast_ppm in 0_u64..10_000,
    ) {
        let length = Duration::from_micros(ttl);
        let (Some(there), Some(back)) = (first.there, first.back) else { return Ok(()) };
        let mut server = Server::granted(there, ttl, fast_ppm);
        let mut now = there + back + first.pause;
        let Some(mut tenure) = Tenure::granted(length, at(0), at(now)) else { return Ok(()) };
        let mut lost = false;
        for trip in trips {
            loop {
                let held = tenure.loss(at(now)).is_none();
                prop_assert!(!held || now < server.expires, "believed at {now} µs");
                prop_assert!(!(lost && held), "what was lost was held again");
                lost |= !held;
                match tenure.next(at(now)) {
                    Step::Wait(wait) => {
                        prop_assert!(wait > Duration::ZERO && wait <= length);
                        now += u64::try_from(wait.as_micros()).expect("small").max(1);
                    }
                    Step::Lost(_) => break,
                    Step::Renew { within } => {
                        let within = u64::try_from(within.as_micros()).expect("small");
                        let sent = now;
                        let answer = trip.there.map(|there| server.renew(sent + there));
                        let took = trip.there.zip(trip.back).map(|(there, back)| there + back);
                        let known = took.filter(|took| *took <= within);
                        now += known.unwrap_or(within).max(1) + trip.pause;
                        let before = tenure.deadline;
                        let known = known.and(answer);
                        tenure.renewed(at(sent), at(now), known);
                        // Rule 2.
                        if known.is_none() {
                            prop_assert_eq!(tenure.deadline, before);
                        }
                        prop_assert!(tenure.deadline >= before, "a deadline went back");
                        break;
                    }
                }
            }
        }
    }

    #[test]
    fn rule_6_the_pause_of_a_waiter_is_bounded_by_the_ttl(
        ttl in 20_u64..86_400_000, free_in in proptest::option::of(0_u64..86_400_000), jitter in 0.0..=1.0,
    ) {
        let ttl = Duration::from_millis(ttl);
        let pause = poll_pause(ttl, free_in.map(Duration::from_millis), jitter);
        let most = ttl.min(MAX_POLL);
        prop_assert!(pause >= MIN_POLL && pause <= most + most / 5);
    }
}
