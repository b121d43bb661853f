//! What the tests promise over whole rollouts: exactly, by going through all that may come, where the
//! shares stay; by simulation, with a fixed seed, where they change or events depend on one another.

use fastrand::Rng;

use super::{BadEvents, Level, OneSided, TrafficShare};

const SEED: u64 = 20_260_711;
const ROLLOUTS: u32 = 1_000;
/// Bad events that a rollout is looked at for.
const EVENTS: usize = 2_000;

fn share(share: f64) -> TrafficShare {
    TrafficShare::new(share).unwrap()
}

/// The canary's part of the bad events, if its requests fail so many times as often.
fn part(share: f64, ratio: f64) -> f64 {
    share * ratio / (1.0 - share + share * ratio)
}

/// The chance to have rejected by each event up to [`EVENTS`], the first of them at 0, if each is the
/// canary's with a chance of `part`. `rejects` is asked with how many of how many were the canary's.
fn chances(part: f64, rejects: impl Fn(u64, u64) -> bool) -> Vec<f64> {
    // Of those rollouts that go on: how likely it is that so many events were the canary's.
    let mut going_on = vec![1.0];
    let (mut rejected, mut least) = (0.0, 0);
    (1..=EVENTS as u64)
        .map(|total| {
            let mut next = vec![0.0; going_on.len() + 1];
            for (canary, chance) in going_on.iter().enumerate() {
                next[canary] += chance * (1.0 - part);
                next[canary + 1] += chance * part;
            }
            // More events never lower the least that rejects.
            while least <= total && !rejects(least, total) {
                least += 1;
            }
            rejected += next.iter().skip(least as usize).sum::<f64>();
            next.truncate(least as usize);
            going_on = next;
            rejected
        })
        .collect()
}

fn sequential(theta: f64) -> impl Fn(u64, u64) -> bool {
    move |canary, total| {
        let mut test = OneSided::default();
        test.observe(share(theta), BadEvents { canary, stable: total - canary });
        test.e_value().rejects_at(Level::FIVE_PER_CENT)
    }
}

#[test]
fn false_alarms_stay_below_the_level_however_often_one_looks() {
    for (theta, at_100, at_500, at_2000) in
        [(0.1, 0.028, 0.032, 0.034), (0.2, 0.026, 0.030, 0.032), (0.5, 0.034, 0.037, 0.039)]
    {
        let chances = chances(theta, sequential(theta));
        for (events, expected) in [(100, at_100), (500, at_500), (2_000, at_2000)] {
            let chance = chances[events - 1];
            assert!((chance - expected).abs() < 0.001, "{theta}, {events} events: {chance}");
        }
    }
}

#[test]
fn half_of_the_worse_canaries_are_found_after_so_many_bad_events() {
    for (theta, medians) in
        [(0.1, [115, 35, 12, 5]), (0.2, [72, 23, 10, 5]), (0.5, [59, 24, 10, 6])]
    {
        for (ratio, expected) in [2.0, 3.0, 5.0, 10.0].into_iter().zip(medians) {
            let chances = chances(part(theta, ratio), sequential(theta));
            let median = 1 + chances.partition_point(|chance| *chance < 0.5);
            assert_eq!(median, expected, "{ratio} times as bad at {theta}");
        }
    }
}

/// The same chance for a test that is made for one look, the exact binomial one.
#[test]
fn a_test_for_one_look_cries_wolf_in_a_third_of_all_rollouts() {
    let theta: f64 = 0.5;
    // Whether so many or more of the canary's come with a chance of 5 % or less.
    let one_look = |canary: u64, total: u64| {
        let ln_choose = |k: u64| {
            -super::special::ln_beta(k as f64 + 1.0, (total - k) as f64 + 1.0)
                - (total as f64 + 1.0).ln()
        };
        let of = |k: u64| (ln_choose(k) + total as f64 * theta.ln()).exp();
        (canary..=total).map(of).sum::<f64>() <= 0.05
    };
    let chance = *chances(theta, one_look).last().unwrap();
    assert!((0.33..0.39).contains(&chance), "{chance}");
}

#[test]
fn weights_that_change_during_a_rollout_change_no_level() {
    let mut random = Rng::with_seed(SEED);
    let weights = [0.05, 0.1, 0.2, 0.5, 0.9].map(share);
    let alarms = (0..ROLLOUTS).filter(|_| {
        let mut test = OneSided::default();
        (0..200).any(|event: usize| {
            let theta = weights[event / 40];
            let bad = if random.f64() < theta.0 { BadEvents::CANARY } else { BadEvents::STABLE };
            test.observe(theta, bad);
            test.e_value().rejects_at(Level::FIVE_PER_CENT)
        })
    });
    let rate = alarms.count() as f64 / f64::from(ROLLOUTS);
    assert!((0.01..0.05).contains(&rate), "{rate}");
}

/// Five users whose requests always fail, each of whom stays on one side: with a tenth of the traffic
/// one of them is on the canary's in 41 % of all rollouts.
#[test]
fn what_sticks_to_a_side_counts_once_or_the_level_is_lost() {
    let mut random = Rng::with_seed(SEED);
    let mut alarms = [0; 2];
    for _ in 0..ROLLOUTS {
        let sides: [bool; 5] = std::array::from_fn(|_| random.f64() < 0.1);
        let bad = |canary: bool| if canary { BadEvents::CANARY } else { BadEvents::STABLE };
        let mut each = OneSided::default();
        let repeats = (0..300).any(|_| rejects(&mut each, bad(sides[random.usize(..sides.len())])));
        let mut once = OneSided::default();
        let keys = sides.iter().any(|canary| rejects(&mut once, bad(*canary)));
        for (alarms, rejected) in alarms.iter_mut().zip([repeats, keys]) {
            *alarms += u32::from(rejected);
        }
    }
    let [repeats, keys] = alarms.map(|alarms| f64::from(alarms) / f64::from(ROLLOUTS));
    assert!((0.36..0.48).contains(&repeats), "{repeats}");
    assert!(keys <= 0.05, "{keys}");
}

fn rejects(test: &mut OneSided, bad: BadEvents) -> bool {
    test.observe(share(0.1), bad);
    test.e_value().rejects_at(Level::FIVE_PER_CENT)
}
