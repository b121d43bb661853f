use proptest::prelude::*;

use super::{
    simulation::{Algorithm, Measured, Phase, Spread, run},
    *,
};

const SECOND: Duration = Duration::from_secs(1);

fn gradient() -> Gradient {
    Gradient::new(Bounds { least: 3.0, most: 1000.0 }, 20.0)
}

impl Algorithm for Gradient {
    fn limit(&self) -> usize {
        self.limit()
    }

    fn began(&mut self, in_flight: usize) {
        self.began(in_flight);
    }

    fn ended(&mut self, began: Duration, now: Duration, _: usize, timed_out: bool) {
        self.ended(began, now, timed_out);
    }
}

/// Netflix's `AIMDLimit`: one more for each call that was answered, a tenth less for one that was not.
struct Aimd(f64);

impl Algorithm for Aimd {
    fn limit(&self) -> usize {
        self.0 as usize
    }

    fn began(&mut self, _: usize) {}

    fn ended(&mut self, _: Duration, _: Duration, in_flight: usize, timed_out: bool) {
        if timed_out {
            self.0 *= 0.9;
        } else if in_flight as f64 * 2.0 >= self.0 {
            self.0 += 1.0;
        }
        self.0 = self.0.clamp(3.0, 1000.0);
    }
}

/// Netflix's `Gradient2Limit`, updated each second as its `WindowedLimit` does.
struct Gradient2 {
    limit: f64,
    long: f64,
    window: Duration,
    sum: f64,
    calls: f64,
}

impl Algorithm for Gradient2 {
    fn limit(&self) -> usize {
        self.limit as usize
    }

    fn began(&mut self, _: usize) {}

    fn ended(&mut self, began: Duration, now: Duration, in_flight: usize, _: bool) {
        self.sum += (now - began).as_secs_f64();
        self.calls += 1.0;
        if now - self.window < SECOND || self.calls < 10.0 {
            return;
        }
        let short = self.sum / self.calls;
        (self.window, self.sum, self.calls) = (now, 0.0, 0.0);
        self.long =
            if self.long == 0.0 { short } else { self.long + (short - self.long) * 2.0 / 601.0 };
        if self.long / short > 2.0 {
            self.long *= 0.9;
        }
        if in_flight as f64 * 2.0 < self.limit {
            return;
        }
        let gradient = (1.5 * self.long / short).clamp(0.5, 1.0);
        let limit = self.limit * gradient + 4.0;
        self.limit = (self.limit * 0.8 + limit * 0.2).clamp(3.0, 1000.0);
    }
}

/// Twice what 20 workers of 50 ms can serve, for so long.
fn overload(seconds: u32) -> Phase {
    let service_time = Duration::from_millis(50);
    Phase { until: seconds * SECOND, workers: 20, service_time, rate: 800.0 }
}

fn of(mut algorithm: impl Algorithm, phase: Phase) -> Measured {
    run(&mut algorithm, &[phase], Spread::Even, 7)[0]
}

#[test]
fn under_overload_it_serves_what_can_be_served_with_the_shortest_queue_of_the_three() {
    let phase = overload(600);
    let ours = of(gradient(), phase);
    let aimd = of(Aimd(20.0), phase);
    let gradient2 = of(
        Gradient2 { limit: 20.0, long: 0.0, window: Duration::ZERO, sum: 0.0, calls: 0.0 },
        phase,
    );
    let table = format!("ours {ours:?}\naimd {aimd:?}\ngradient2 {gradient2:?}");
    // 400 a second is the most there is.
    assert!(ours.served_per_second > 380.0, "{table}");
    assert!(ours.mean_latency < Duration::from_millis(100), "{table}");
    // No call times out, so nothing tells AIMD to stop: it queues up to its bound.
    assert_eq!(aimd.limit, 1000, "{table}");
    assert!(aimd.mean_latency > 20 * ours.mean_latency, "{table}");
    // It takes the queue for what calls take.
    assert!(gradient2.mean_latency > 2 * ours.mean_latency, "{table}");
}

#[test]
fn a_slow_spell_does_not_make_it_collapse_and_it_recovers() {
    let normal = overload(60);
    let slow = Phase { until: 80 * SECOND, service_time: 10 * normal.service_time, ..normal };
    let after = Phase { until: 140 * SECOND, ..normal };
    for spread in [Spread::None, Spread::Even, Spread::Exponential] {
        let measured = run(&mut gradient(), &[normal, slow, after], spread, 7);
        // 40 a second is the most that there is while it is slow.
        assert!(measured[1].served_per_second > 30.0, "{spread:?} {measured:?}");
        assert!(measured[2].served_per_second > 360.0, "{spread:?} {measured:?}");
        assert!(measured[2].mean_latency < Duration::from_millis(150), "{spread:?} {measured:?}");
    }
}

#[test]
fn when_workers_are_lost_it_follows() {
    let normal = overload(60);
    let fewer = Phase { until: 120 * SECOND, workers: 4, ..normal };
    let measured = run(&mut gradient(), &[normal, fewer], Spread::Even, 7);
    assert!(measured[1].served_per_second > 72.0, "{measured:?}");
    assert!(measured[1].mean_latency < Duration::from_millis(150), "{measured:?}");
}

#[test]
fn where_the_limit_is_not_reached_it_does_not_move() {
    let light = Phase { rate: 20.0, ..overload(120) };
    assert_eq!(of(gradient(), light).limit, 20);
}

#[test]
fn timeouts_lower_it() {
    let mut it = gradient();
    let mut now = Duration::ZERO;
    it.began(20);
    for _ in 0..WINDOW_LEAST_CALLS {
        now += Duration::from_millis(10);
        it.ended(now, now + Duration::from_millis(10), true);
    }
    assert_eq!(it.limit(), 18);
}

#[test]
fn after_an_unlucky_base_it_finds_its_way_back() {
    // In its first 10 s, before the next base, it serves 73 % of what could be served.
    let service_time = Duration::from_millis(30);
    let capacity = 14.0 / service_time.as_secs_f64();
    let phase = Phase { until: 120 * SECOND, workers: 14, service_time, rate: capacity * 1.2 };
    let spread = Spread::Exponential;
    let measured = run(&mut gradient(), &[phase], spread, 13_340_773_325_553_236_218)[0];
    assert!(measured.served_per_second > 0.8 * capacity, "{measured:?} of {capacity}");
    assert!(measured.mean_latency < service_time * 4, "{measured:?}");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, ..ProptestConfig::default() })]

    #[test]
    fn whatever_the_service_it_serves_most_of_what_can_be_served(
        workers in 5_usize..60,
        millis in 10_u64..150,
        overload in 1.2_f64..4.0,
        spread in prop_oneof![Just(Spread::None), Just(Spread::Even), Just(Spread::Exponential)],
        seed in any::<u64>(),
    ) {
        let service_time = Duration::from_millis(millis);
        let capacity = workers as f64 / service_time.as_secs_f64();
        // A hundred windows and more, and four bases: an unlucky one holds for 30 s, in which a service
        // whose times are exponential may be held to three quarters of what it could serve.
        let until = Duration::from_secs_f64((5_000.0 / capacity).max(0.3 * millis as f64).max(120.0));
        let phase = Phase { until, workers, service_time, rate: capacity * overload };
        let measured = run(&mut gradient(), &[phase], spread, seed)[0];
        prop_assert!(measured.served_per_second > 0.8 * capacity, "{measured:?} of {capacity}");
        prop_assert!(measured.mean_latency < service_time * 4, "{measured:?}");
    }

    #[test]
    fn whatever_it_hears_it_stays_within_its_bounds(
        calls in prop::collection::vec((0_u64..500, 0_u64..3_000, any::<bool>(), 0_usize..200), 0..2000),
    ) {
        let mut it = gradient();
        let mut now = Duration::ZERO;
        for (step, took, timed_out, in_flight) in calls {
            now += Duration::from_millis(step);
            it.began(in_flight);
            it.ended(now.saturating_sub(Duration::from_millis(took)), now, timed_out);
            prop_assert!((3..=1000).contains(&it.limit()));
        }
    }
}
