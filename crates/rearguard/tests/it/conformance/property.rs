//! Random trees of scopes against a plain model: every cleanup runs exactly once and in the
//! model's order, every capture is dropped exactly once and at the model's moment, and the scope
//! ends as the model says.
//!
//! A plan is run twice: by [`real`] with scopes, and by [`Model`] with a vector. Both write down
//! what happens; the two lists must be equal.

use std::panic::{AssertUnwindSafe, catch_unwind};

use proptest::prelude::*;
use rearguard::{Key, Outcome, Scope, scope, scope_reported};

use crate::support::{Log, panic_with};

type R = Result<u32, u32>;

/// What a cleanup does when it runs. Its number, unique in the plan, is its error or its payload.
#[derive(Clone, Debug)]
enum Act {
    Nothing,
    Fail,
    Panic,
    SetOk,
    SetError,
    Recover,
    RecoverAndPanic,
    Nest(Plan),
}

/// When a cleanup applies.
#[derive(Clone, Copy, Debug)]
enum When {
    Always,
    Success,
    Failure,
}

/// How much room a cleanup's captures take.
#[derive(Clone, Copy, Debug)]
enum Size {
    Small,
    Large,
    Huge,
    Aligned,
}

#[derive(Clone, Debug)]
enum Step {
    Defer(When, Size, Act),
    Keyed(Size, Act),
    /// These name the scope's keys that are left, modulo their number; without any, nothing.
    Disarm(usize),
    RunNow(usize),
    /// To the ancestor so many levels up, the scope itself being the first.
    Transfer(usize, usize),
    /// A scope within the body. Its error is ignored, or ends the body.
    Nest(Plan, OnError),
}

#[derive(Clone, Copy, Debug)]
enum OnError {
    Ignore,
    Return,
}

#[derive(Clone, Copy, Debug)]
enum End {
    Ok,
    Error,
    Panic,
}

#[derive(Clone, Debug)]
struct Plan {
    steps: Vec<Step>,
    end: End,
    reported: Reported,
    /// Tells what happens in it from what happens elsewhere.
    number: u32,
}

#[derive(Clone, Copy, Debug)]
enum Reported {
    Yes,
    No,
}

/// How a scope ended.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Ended {
    Returned(R),
    Panicked(u32),
}

/// Owned by a cleanup; says when it is dropped.
struct Token<'a>(u32, &'a Log);

impl Drop for Token<'_> {
    fn drop(&mut self) {
        self.1.note(format!("drop {}", self.0));
    }
}

/// The number of a cleanup: that of its plan, and of its step.
fn number_of(plan: &Plan, step: usize) -> u32 {
    plan.number * 100 + u32::try_from(step).expect("few steps")
}

fn describe(outcome: Outcome, panics: bool, result: Option<R>, failures: usize) -> String {
    format!("{outcome} {panics} {result:?} {failures}")
}

// Reality.

fn register<'env, const SIZE: usize>(
    s: &Scope<'env, R>,
    when: When,
    number: u32,
    act: &'env Act,
    log: &'env Log,
) {
    let (token, room) = (Token(number, log), [7_u8; SIZE]);
    match when {
        When::Always => s.defer_with(move |exit| {
            let _token = &token;
            assert_eq!(room, [7; SIZE]);
            let (panics, outcome) = (exit.panic().is_some(), exit.outcome());
            let result = exit.result().map(|result| *result);
            let seen = describe(outcome, panics, result, exit.failures().len());
            log.note(format!("run {number}: {seen}"));
            match act {
                Act::Nothing => Ok(()),
                Act::Fail => Err(number),
                Act::Panic => panic_with(number),
                Act::SetOk | Act::SetError => {
                    if let Some(result) = exit.result() {
                        *result = if matches!(act, Act::SetOk) { Ok(number) } else { Err(number) };
                    }
                    Ok(())
                }
                Act::Recover => {
                    exit.recover(|_| Ok(number));
                    Ok(())
                }
                Act::RecoverAndPanic => {
                    exit.recover(|_| panic_with(number));
                    Ok(())
                }
                Act::Nest(plan) => real(plan, &[], log).map(drop),
            }
        }),
        When::Success => s.on_success(move || simple(&token, &room, act)),
        When::Failure => s.on_failure(move || simple(&token, &room, act)),
    }
}

/// A cleanup that is told nothing.
fn simple<const SIZE: usize>(token: &Token<'_>, room: &[u8; SIZE], act: &Act) -> Result<(), u32> {
    let Token(number, log) = token;
    assert_eq!(*room, [7; SIZE]);
    log.note(format!("run {number}"));
    match act {
        Act::Fail => Err(*number),
        Act::Panic => panic_with(*number),
        Act::Nest(plan) => real(plan, &[], log).map(drop),
        _ => Ok(()),
    }
}

fn keyed<'s, 'env, const SIZE: usize>(
    s: &'s Scope<'env, R>,
    number: u32,
    act: &'env Act,
    log: &'env Log,
) -> Key<'s, 'env, R> {
    let (token, room) = (Token(number, log), [7_u8; SIZE]);
    s.defer_keyed(move || simple(&token, &room, act))
}

fn keyed_aligned<'s, 'env>(
    s: &'s Scope<'env, R>,
    number: u32,
    act: &'env Act,
    log: &'env Log,
) -> Key<'s, 'env, R> {
    let (token, room) = (Token(number, log), 7_u128);
    s.defer_keyed(move || {
        assert_eq!(room, 7);
        simple(&token, &[7_u8; 0], act)
    })
}

/// Runs a plan with scopes. `above` are those that a cleanup can be handed to, nearest first.
fn real<'env>(plan: &'env Plan, above: &[&Scope<'env, R>], log: &'env Log) -> R {
    let body = |s: &Scope<'env, R>| body(plan, s, above, log);
    match plan.reported {
        Reported::No => scope(body),
        Reported::Yes => {
            let ended = scope_reported("property", body);
            let report = &ended.report;
            let (cleanups, failures) = (report.cleanups, report.failures().len());
            log.note(format!("end {}: {cleanups} {failures}", report.outcome));
            ended.into_returned().expect("there is no deadline")
        }
    }
}

fn body<'env>(
    plan: &'env Plan,
    s: &Scope<'env, R>,
    above: &[&Scope<'env, R>],
    log: &'env Log,
) -> R {
    let targets: Vec<&Scope<'env, R>> = [s].into_iter().chain(above.iter().copied()).collect();
    let mut keys = Vec::new();
    for (index, step) in plan.steps.iter().enumerate() {
        let number = number_of(plan, index);
        match step {
            Step::Defer(when, Size::Small, act) => register::<1>(s, *when, number, act, log),
            Step::Defer(when, Size::Large, act) => register::<300>(s, *when, number, act, log),
            Step::Defer(when, _, act) => register::<3000>(s, *when, number, act, log),
            Step::Keyed(Size::Small, act) => keys.push(keyed::<1>(s, number, act, log)),
            Step::Keyed(Size::Large, act) => keys.push(keyed::<300>(s, number, act, log)),
            Step::Keyed(Size::Huge, act) => keys.push(keyed::<3000>(s, number, act, log)),
            Step::Keyed(Size::Aligned, act) => keys.push(keyed_aligned(s, number, act, log)),
            Step::Nest(inner, on_error) => match (real(inner, &targets, log), on_error) {
                (Err(error), OnError::Return) => return Err(error),
                (result, _) => log.note(format!("nested {result:?}")),
            },
            _ if keys.is_empty() => {}
            Step::Disarm(which) => keys.remove(which % keys.len()).disarm(),
            Step::RunNow(which) => {
                let result = keys.remove(which % keys.len()).run_now();
                log.note(format!("early {result:?}"));
            }
            Step::Transfer(which, level) => {
                keys.remove(which % keys.len()).transfer(targets[level % targets.len()]);
            }
        }
    }
    match plan.end {
        End::Ok => Ok(plan.number),
        End::Error => Err(plan.number),
        End::Panic => panic_with(plan.number),
    }
}

// The model.

/// A cleanup of the model.
#[derive(Clone)]
struct Entry<'a> {
    number: u32,
    /// `None` for one that is told how the scope ends.
    when: Option<When>,
    act: &'a Act,
}

/// A scope of the model: the cleanups that are left, oldest first, and how it ends.
struct Model {
    outcome: Outcome,
    result: Option<R>,
    panic: Option<u32>,
    failures: usize,
    cleanups: usize,
}

/// What a cleanup did.
enum Did {
    Nothing,
    Failed(u32),
    Panicked(u32),
}

impl Model {
    /// Runs a plan. `above` are the cleanups of the scopes that enclose it, outermost first.
    fn run<'a>(plan: &'a Plan, above: &mut Vec<Vec<Entry<'a>>>, log: &Log) -> Ended {
        above.push(Vec::new());
        let ended = Self::body(plan, above, log);
        let entries = above.pop().expect("it was pushed");
        let (outcome, result, panic) = match ended {
            Ended::Returned(Ok(value)) => (Outcome::Succeeded, Some(Ok(value)), None),
            Ended::Returned(Err(error)) => (Outcome::Failed, Some(Err(error)), None),
            Ended::Panicked(payload) => (Outcome::Panicked, None, Some(payload)),
        };
        let mut model = Self { outcome, result, panic, failures: 0, cleanups: 0 };
        for entry in entries.into_iter().rev() {
            model.cleanups += 1;
            let did = model.cleanup(&entry, log);
            log.note(format!("drop {}", entry.number));
            model.settle(did);
        }
        if matches!(plan.reported, Reported::Yes) {
            log.note(format!("end {outcome}: {} {}", model.cleanups, model.failures));
        }
        match (model.panic, model.result) {
            (Some(payload), _) => Ended::Panicked(payload),
            (None, Some(result)) => Ended::Returned(result),
            (None, None) => unreachable!("a panic is replaced by a result or another panic"),
        }
    }

    fn body<'a>(plan: &'a Plan, above: &mut Vec<Vec<Entry<'a>>>, log: &Log) -> Ended {
        // A key is found by its number, for a cleanup that was handed on has none.
        let mut keys: Vec<u32> = Vec::new();
        for (index, step) in plan.steps.iter().enumerate() {
            let number = number_of(plan, index);
            let own = above.len() - 1;
            match step {
                Step::Defer(when, _, act) => {
                    let when = Some(*when).filter(|when| !matches!(when, When::Always));
                    above[own].push(Entry { number, when, act });
                }
                Step::Keyed(_, act) => {
                    above[own].push(Entry { number, when: Some(When::Always), act });
                    keys.push(number);
                }
                Step::Nest(inner, on_error) => match (Self::run(inner, above, log), on_error) {
                    (Ended::Panicked(payload), _) => return Ended::Panicked(payload),
                    (Ended::Returned(Err(error)), OnError::Return) => {
                        return Ended::Returned(Err(error));
                    }
                    (Ended::Returned(result), _) => log.note(format!("nested {result:?}")),
                },
                _ if keys.is_empty() => {}
                Step::Disarm(which) => {
                    let entry = take(&mut above[own], &mut keys, *which);
                    log.note(format!("drop {}", entry.number));
                }
                Step::RunNow(which) => {
                    let entry = take(&mut above[own], &mut keys, *which);
                    let did = simple_model(&entry, log);
                    log.note(format!("drop {}", entry.number));
                    let result: Result<(), u32> = match did {
                        Did::Panicked(payload) => return Ended::Panicked(payload),
                        Did::Failed(error) => Err(error),
                        Did::Nothing => Ok(()),
                    };
                    log.note(format!("early {result:?}"));
                }
                Step::Transfer(which, level) => {
                    let entry = take(&mut above[own], &mut keys, *which);
                    let to = own - level % above.len();
                    above[to].push(entry);
                }
            }
        }
        match plan.end {
            End::Ok => Ended::Returned(Ok(plan.number)),
            End::Error => Ended::Returned(Err(plan.number)),
            End::Panic => Ended::Panicked(plan.number),
        }
    }

    fn cleanup(&mut self, entry: &Entry<'_>, log: &Log) -> Did {
        let number = entry.number;
        match entry.when {
            Some(When::Success) if self.outcome != Outcome::Succeeded => return Did::Nothing,
            Some(When::Failure) if self.outcome == Outcome::Succeeded => return Did::Nothing,
            Some(_) => return simple_model(entry, log),
            None => {}
        }
        let seen = describe(self.outcome, self.panic.is_some(), self.result, self.failures);
        log.note(format!("run {number}: {seen}"));
        match entry.act {
            Act::Nothing => {}
            Act::SetOk => self.result = self.result.map(|_| Ok(number)),
            Act::SetError => self.result = self.result.map(|_| Err(number)),
            Act::Recover => {
                if self.panic.take().is_some() {
                    self.result = Some(Ok(number));
                }
            }
            Act::RecoverAndPanic => {
                if self.panic.take().is_some() {
                    return Did::Panicked(number);
                }
            }
            Act::Fail => return Did::Failed(number),
            Act::Panic => return Did::Panicked(number),
            Act::Nest(plan) => return nested_model(plan, log),
        }
        Did::Nothing
    }

    /// The body's panic goes first, then its error, then the first failure of a cleanup.
    fn settle(&mut self, did: Did) {
        let succeeded = self.panic.is_none() && !matches!(self.result, Some(Err(_)));
        match did {
            Did::Nothing => return,
            Did::Failed(error) if succeeded => self.result = Some(Err(error)),
            Did::Panicked(payload) if succeeded => self.panic = Some(payload),
            Did::Failed(_) | Did::Panicked(_) => {}
        }
        self.failures += 1;
    }
}

/// Takes out the entry that a key names.
fn take<'a>(entries: &mut Vec<Entry<'a>>, keys: &mut Vec<u32>, which: usize) -> Entry<'a> {
    let number = keys.remove(which % keys.len());
    let index = entries.iter().position(|entry| entry.number == number).expect("it is there");
    entries.remove(index)
}

fn simple_model(entry: &Entry<'_>, log: &Log) -> Did {
    log.note(format!("run {}", entry.number));
    match entry.act {
        Act::Fail => Did::Failed(entry.number),
        Act::Panic => Did::Panicked(entry.number),
        Act::Nest(plan) => nested_model(plan, log),
        _ => Did::Nothing,
    }
}

fn nested_model(plan: &Plan, log: &Log) -> Did {
    match Model::run(plan, &mut Vec::new(), log) {
        Ended::Panicked(payload) => Did::Panicked(payload),
        Ended::Returned(Err(error)) => Did::Failed(error),
        Ended::Returned(Ok(_)) => Did::Nothing,
    }
}

// Plans.

fn size() -> impl Strategy<Value = Size> {
    prop_oneof![4 => Just(Size::Small), 1 => Just(Size::Large), 1 => Just(Size::Huge), 1 => Just(Size::Aligned)]
}

fn step(inner: BoxedStrategy<Plan>) -> impl Strategy<Value = Step> {
    let act = prop_oneof![
        5 => Just(Act::Nothing),
        2 => Just(Act::Fail),
        2 => Just(Act::Panic),
        1 => Just(Act::SetOk),
        1 => Just(Act::SetError),
        2 => Just(Act::Recover),
        1 => Just(Act::RecoverAndPanic),
        2 => inner.clone().prop_map(Act::Nest),
    ];
    let act = act.boxed();
    let when =
        prop_oneof![4 => Just(When::Always), 1 => Just(When::Success), 1 => Just(When::Failure)];
    let on_error = prop_oneof![Just(OnError::Ignore), Just(OnError::Return)];
    prop_oneof![
        6 => (when, size(), act.clone()).prop_map(|(when, size, act)| Step::Defer(when, size, act)),
        6 => (size(), act).prop_map(|(size, act)| Step::Keyed(size, act)),
        2 => (0_usize..8).prop_map(Step::Disarm),
        2 => (0_usize..8).prop_map(Step::RunNow),
        3 => (0_usize..8, 0_usize..4).prop_map(|(which, level)| Step::Transfer(which, level)),
        3 => (inner, on_error).prop_map(|(plan, on_error)| Step::Nest(plan, on_error)),
    ]
}

fn plan_of(steps: impl Strategy<Value = Vec<Step>>) -> impl Strategy<Value = Plan> {
    let end = prop_oneof![3 => Just(End::Ok), 1 => Just(End::Error), 1 => Just(End::Panic)];
    let reported = prop_oneof![Just(Reported::No), Just(Reported::Yes)];
    (steps, end, reported).prop_map(|(steps, end, reported)| Plan {
        steps,
        end,
        reported,
        number: 0,
    })
}

/// Gives each plan in the tree a number of its own.
fn count(mut plan: Plan, next: &mut u32) -> Plan {
    *next += 1;
    plan.number = *next;
    for step in &mut plan.steps {
        if let Step::Nest(inner, _)
        | Step::Defer(_, _, Act::Nest(inner))
        | Step::Keyed(_, Act::Nest(inner)) = step
        {
            *inner = count(inner.clone(), next);
        }
    }
    plan
}

fn plan() -> impl Strategy<Value = Plan> {
    let leaf = plan_of(Just(Vec::new())).boxed();
    leaf.prop_recursive(4, 60, 12, |inner| {
        plan_of(prop::collection::vec(step(inner.boxed()), 0..24))
    })
    .prop_map(|plan| count(plan, &mut 0))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_cleanup_runs_once_and_every_capture_is_dropped_once_as_in_the_model(plan in plan()) {
        let (happened, expected) = (Log::default(), Log::default());
        let ended = match catch_unwind(AssertUnwindSafe(|| real(&plan, &[], &happened))) {
            Ok(result) => Ended::Returned(result),
            Err(payload) => match payload.downcast::<u32>() {
                Ok(number) => Ended::Panicked(*number),
                Err(payload) => std::panic::resume_unwind(payload),
            },
        };
        let modelled = Model::run(&plan, &mut Vec::new(), &expected);
        prop_assert_eq!(happened.lines(), expected.lines());
        prop_assert_eq!(ended, modelled);
        let mut drops: Vec<String> =
            happened.lines().into_iter().filter(|line| line.starts_with("drop")).collect();
        drops.sort_unstable();
        let count = drops.len();
        drops.dedup();
        prop_assert_eq!(drops.len(), count);
    }
}
