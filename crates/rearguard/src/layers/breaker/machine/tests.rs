use proptest::prelude::*;

use super::*;
use crate::layers::breaker::Window;

const SECOND: Duration = Duration::from_secs(1);

fn machine(options: impl FnOnce(BreakerOptions) -> BreakerOptions) -> Machine {
    let options = options(BreakerOptions::new("test"));
    options.check().unwrap();
    Machine::new(options)
}

fn call(machine: &mut Machine, verdict: Verdict, took: Duration, now: Duration) {
    let ticket = machine.acquire(now, 0.0).unwrap();
    machine.release(ticket, verdict, took, now, 0.0);
}

fn fail(machine: &mut Machine, now: Duration) {
    call(machine, Verdict::Failed, Duration::ZERO, now);
}

fn succeed(machine: &mut Machine, now: Duration) {
    call(machine, Verdict::Succeeded, Duration::ZERO, now);
}

fn state(machine: &Machine) -> BreakerState {
    machine.state.public()
}

#[test]
fn it_opens_when_half_of_at_least_twenty_calls_failed() {
    let mut machine = machine(|it| it);
    for _ in 0..10 {
        succeed(&mut machine, SECOND);
    }
    for _ in 0..9 {
        fail(&mut machine, SECOND);
        assert_eq!(state(&machine), BreakerState::Closed);
    }
    fail(&mut machine, SECOND);
    assert_eq!(state(&machine), BreakerState::Open);
    let tally = Tally { calls: 20, failed: 10, slow: 0 };
    assert_eq!(machine.reason, Some(OpenReason::FailureRatio(tally)));
    assert_eq!(machine.take_change(), Some((BreakerState::Closed, BreakerState::Open)));
    assert_eq!(machine.acquire(2 * SECOND, 0.0), Err(Some(6 * SECOND)));
}

#[test]
fn failures_that_have_left_the_window_do_not_open_it() {
    let mut machine = machine(|it| it);
    for _ in 0..19 {
        fail(&mut machine, SECOND);
    }
    fail(&mut machine, 20 * SECOND);
    assert_eq!(state(&machine), BreakerState::Closed);
}

#[test]
fn it_opens_on_slow_calls_that_succeed() {
    let mut machine = machine(|it| it.slow_calls(SECOND, 0.8).minimum_calls(5));
    succeed(&mut machine, SECOND);
    for _ in 0..4 {
        assert_eq!(state(&machine), BreakerState::Closed);
        call(&mut machine, Verdict::Succeeded, 2 * SECOND, SECOND);
    }
    let tally = Tally { calls: 5, failed: 0, slow: 4 };
    assert_eq!(machine.reason, Some(OpenReason::SlowRatio(tally)));
    assert_eq!(state(&machine), BreakerState::Open);
}

#[test]
fn it_opens_on_failures_in_a_row_however_few_the_calls() {
    let mut machine = machine(|it| it.consecutive_failures(3));
    for _ in 0..2 {
        fail(&mut machine, SECOND);
    }
    succeed(&mut machine, SECOND);
    for _ in 0..2 {
        fail(&mut machine, SECOND);
    }
    call(&mut machine, Verdict::Uncounted, Duration::ZERO, SECOND);
    assert_eq!(state(&machine), BreakerState::Closed);
    fail(&mut machine, SECOND);
    assert_eq!(machine.reason, Some(OpenReason::ConsecutiveFailures(3)));
}

/// One that has just become half-open, and the ticket of its first probe.
fn half_open() -> (Machine, Ticket) {
    let mut machine = machine(|it| it.consecutive_failures(1).probes(2));
    fail(&mut machine, Duration::ZERO);
    let probe = machine.acquire(5 * SECOND, 0.0).unwrap();
    assert_eq!(state(&machine), BreakerState::HalfOpen);
    (machine, probe)
}

#[test]
fn half_open_it_lets_probes_through_and_closes_when_they_succeed() {
    let (mut machine, first) = half_open();
    let second = machine.acquire(5 * SECOND, 0.0).unwrap();
    assert_eq!(machine.acquire(5 * SECOND, 0.0), Err(None));
    for probe in [first, second] {
        assert_eq!(state(&machine), BreakerState::HalfOpen);
        machine.release(probe, Verdict::Succeeded, Duration::ZERO, 6 * SECOND, 0.0);
    }
    assert_eq!(state(&machine), BreakerState::Closed);
}

#[test]
fn one_probe_that_fails_opens_it_again_and_the_others_come_too_late() {
    let (mut machine, first) = half_open();
    let second = machine.acquire(5 * SECOND, 0.0).unwrap();
    machine.release(first, Verdict::Failed, Duration::ZERO, 6 * SECOND, 0.0);
    assert_eq!(
        (state(&machine), machine.reason),
        (BreakerState::Open, Some(OpenReason::ProbeFailed))
    );
    machine.release(second, Verdict::Succeeded, Duration::ZERO, 6 * SECOND, 0.0);
    assert_eq!(state(&machine), BreakerState::Open);
}

#[test]
fn a_probe_that_is_given_up_gives_its_place_back() {
    let (mut machine, first) = half_open();
    let second = machine.acquire(5 * SECOND, 0.0).unwrap();
    machine.release(first, Verdict::Uncounted, Duration::ZERO, 5 * SECOND, 0.0);
    let third = machine.acquire(5 * SECOND, 0.0).unwrap();
    for probe in [second, third] {
        machine.release(probe, Verdict::Succeeded, Duration::ZERO, 5 * SECOND, 0.0);
    }
    assert_eq!(state(&machine), BreakerState::Closed);
}

#[test]
fn probes_that_are_never_answered_open_it_again() {
    let (mut machine, _) = half_open();
    machine.acquire(5 * SECOND, 0.0).unwrap();
    assert_eq!(machine.acquire(64 * SECOND, 0.0), Err(None));
    assert_eq!(machine.acquire(65 * SECOND, 0.0), Err(Some(75 * SECOND)));
    assert_eq!(machine.reason, Some(OpenReason::ProbesUnanswered));
}

#[test]
fn it_is_open_twice_as_long_each_time_up_to_a_bound_and_calm_begins_it_anew() {
    let mut machine =
        machine(|it| it.consecutive_failures(1).probes(1).open_for(SECOND, 5 * SECOND));
    let mut now = Duration::ZERO;
    for expected in [1, 2, 4, 5, 5] {
        fail(&mut machine, now);
        assert_eq!(machine.next_probe(), Some(now + expected * SECOND));
        now += expected * SECOND;
    }
    // Closed, but for less than 5 s.
    succeed(&mut machine, now);
    fail(&mut machine, now + 4 * SECOND);
    assert_eq!(machine.next_probe(), Some(now + 9 * SECOND));
    now += 9 * SECOND;
    succeed(&mut machine, now);
    fail(&mut machine, now + 5 * SECOND);
    assert_eq!(machine.next_probe(), Some(now + 6 * SECOND));
}

#[derive(Clone, Copy, Debug)]
enum Step {
    Acquire,
    Release(usize, Verdict),
    Wait(u64),
}

fn step() -> impl Strategy<Value = Step> {
    let verdict = prop_oneof![
        2 => Just(Verdict::Succeeded),
        2 => Just(Verdict::Failed),
        1 => Just(Verdict::Uncounted),
    ];
    prop_oneof![
        4 => Just(Step::Acquire),
        4 => (any::<usize>(), verdict).prop_map(|(which, verdict)| Step::Release(which, verdict)),
        1 => (0_u64..4_000).prop_map(Step::Wait),
    ]
}

proptest! {
    #[test]
    fn whatever_happens_probes_are_bounded_and_none_is_lost(
        steps in prop::collection::vec(step(), 0..300),
        probes in 1_u32..4,
        chance in 0.0_f64..1.0,
    ) {
        let mut machine = machine(|it| {
            it.window(Window::Calls(10)).minimum_calls(4).probes(probes).open_for(SECOND, 8 * SECOND)
        });
        let mut now = Duration::ZERO;
        let mut held: Vec<Ticket> = Vec::new();
        for step in steps {
            match step {
                Step::Acquire => match machine.acquire(now, chance) {
                    Ok(ticket) => held.push(ticket),
                    Err(Some(at)) => {
                        prop_assert!(at > now, "the next probe is in the past");
                        prop_assert!(at - now <= 8 * SECOND, "it is open longer than the bound");
                    }
                    Err(None) => prop_assert_eq!(state(&machine), BreakerState::HalfOpen),
                },
                Step::Release(which, verdict) if !held.is_empty() => {
                    let ticket = held.swap_remove(which % held.len());
                    machine.release(ticket, verdict, Duration::ZERO, now, chance);
                }
                Step::Release(..) => {}
                Step::Wait(millis) => now += Duration::from_millis(millis),
            }
            if let State::HalfOpen { in_flight, .. } = machine.state {
                let of_now = held.iter().filter(|it| it.generation == machine.generation).count();
                prop_assert_eq!(in_flight as usize, of_now);
                prop_assert!(in_flight <= probes);
            }
        }
        // When all are given up and time has passed, it lets calls through.
        for ticket in held {
            machine.release(ticket, Verdict::Uncounted, Duration::ZERO, now, chance);
        }
        prop_assert!(machine.acquire(now + 8 * SECOND, chance).is_ok());
    }
}
