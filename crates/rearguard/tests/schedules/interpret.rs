//! Does what a program says.

use std::{
    future::Future,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::Pin,
    sync::Arc,
    time::Duration,
};

use rearguard::{Ended, Held, Options, Outcome, OwnedKey, OwnedScope, scope_async};

use crate::{
    program::{
        Awaited, Bounds, Cleanup, End, Face, Fate, Panics, ScopeProgram, SideFate, Step, Task,
        Timed, Wait,
    },
    script::{self, Scripted, caught, ended, polled, send, waited},
    world::{Ending, Record, ScopeRecord, Token, Value, What, World, lock, name, now},
};

pub(crate) type Boxed<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

type Keys = Vec<(OwnedKey, Arc<Record>)>;

/// Runs a scope from its beginning to its end. Panics as its face does.
pub(crate) fn run_scope(world: Arc<World>, program: ScopeProgram) -> Boxed<'static, ()> {
    Box::pin(async move {
        let number = world.scope();
        let options = options(&program.bounds, number.number);
        // How it ended stands in its report.
        let _: Option<()> = caught(run_face(&world, &program, &number, options)).await;
    })
}

async fn run_face(
    world: &Arc<World>,
    program: &ScopeProgram,
    record: &Arc<ScopeRecord>,
    options: Options,
) {
    match program.face {
        Face::Body => {
            let body = async |s: &mut OwnedScope| {
                let _gone = Gone(record);
                steps(s, world, program, record).await;
                end_body(program.end, record)
            };
            check_ended(world, &scope_async(options, body).await);
        }
        Face::Run => {
            let mut scope = OwnedScope::with(options);
            steps(&mut scope, world, program, record).await;
            let body = async {
                let _gone = Gone(record);
                waited(Wait::Yield(1)).await;
                end_body(program.end, record)
            };
            check_ended(world, &scope.run(body).await);
        }
        Face::Owned => {
            let mut scope = OwnedScope::with(options);
            {
                let _gone = Gone(record);
                steps(&mut scope, world, program, record).await;
            }
            let outcome = match ended(program.end) {
                Ok(()) => Outcome::Succeeded,
                Err(_) => Outcome::Failed,
            };
            lock(&record.state).ended_as = Some(outcome);
            drop(scope.end(outcome).await);
        }
    }
}

fn options(bounds: &Bounds, number: usize) -> Options {
    let mut options = Options::new().named(name(number)).overrun(bounds.overrun);
    if let Some(deadline) = bounds.deadline {
        options = options.deadline(Duration::from_millis(deadline));
    }
    if let Some(deadline) = bounds.cleanup {
        options = options.cleanup_deadline(Duration::from_millis(deadline));
    }
    if let Some(deadline) = bounds.each {
        options = options.each_cleanup_deadline(Duration::from_millis(deadline));
    }
    if bounds.timed == Timed::Yes { options.timed() } else { options }
}

/// Is a local of the body.
struct Gone<'a>(&'a ScopeRecord);

impl Drop for Gone<'_> {
    fn drop(&mut self) {
        lock(&self.0.state).body_gone = Some(now());
    }
}

fn end_body(end: End, record: &ScopeRecord) -> Result<(), String> {
    lock(&record.state).ended_as = Some(match end {
        End::Well => Outcome::Succeeded,
        End::Error => Outcome::Failed,
        End::Panic => Outcome::Panicked,
    });
    ended(end)
}

fn check_ended(world: &World, ended: &Ended<Result<(), String>>) {
    let outcome = match &ended.end {
        rearguard::End::Returned(Ok(())) => Outcome::Succeeded,
        rearguard::End::Returned(Err(_)) => Outcome::Failed,
        rearguard::End::Panicked(_) => Outcome::Panicked,
        rearguard::End::TimedOut => Outcome::TimedOut,
    };
    if outcome != ended.report.outcome {
        world.wrong(format!("it ended as {outcome}, and its report says {:?}", ended.report));
    }
}

/// What a body has in its hands.
#[derive(Default)]
struct Hands {
    held: Vec<Held<Value>>,
    keys: Keys,
    sides: Vec<(OwnedScope, Arc<ScopeRecord>, SideFate)>,
}

fn steps<'a>(
    scope: &'a mut OwnedScope,
    world: &'a Arc<World>,
    program: &'a ScopeProgram,
    record: &'a Arc<ScopeRecord>,
) -> Boxed<'a, ()> {
    Box::pin(async move {
        let mut hands = Hands::default();
        for each in &program.steps {
            step(scope, world, each, record, &mut hands).await;
        }
        for (side, side_record, fate) in std::mem::take(&mut hands.sides) {
            match fate {
                SideFate::Dropped => drop(side),
                SideFate::Adopted => adopt(world, scope, record.number, side, &side_record),
                SideFate::Ended => {
                    lock(&side_record.state).ended_as = Some(Outcome::Failed);
                    drop(side.end(Outcome::Failed).await);
                }
            }
        }
    })
}

async fn step(
    scope: &mut OwnedScope,
    world: &Arc<World>,
    step: &Step,
    record: &Arc<ScopeRecord>,
    hands: &mut Hands,
) {
    let number = record.number;
    match step {
        Step::Register { kind, site, cleanup } => {
            hands.keys.extend(script::register(world, scope, number, (*kind, *site), cleanup));
        }
        Step::Hold { cleanup, fate } => hold(scope, world, number, cleanup, *fate, hands),
        Step::Acquire { get, end, polls, cleanup, fate } => {
            acquire(scope, world, number, (get, *end, *polls), cleanup, *fate, hands).await;
        }
        Step::Adopt(program) => {
            let side_record = world.scope();
            let mut side = OwnedScope::with(options(&program.bounds, side_record.number));
            for each in &program.steps {
                if let Step::Register { kind, site, cleanup } = each {
                    let of = side_record.number;
                    drop(script::register(world, &mut side, of, (*kind, *site), cleanup));
                }
            }
            adopt(world, scope, number, side, &side_record);
        }
        Step::Nested(program) => run_scope(Arc::clone(world), program.clone()).await,
        Step::Spawn { task, awaited } => spawn(scope, world, record, task, *awaited).await,
        Step::Foreign { waits, cleanup } => {
            let (handle, world) = (scope.handle(), Arc::clone(world));
            let (waits, cleanup) = (waits.clone(), cleanup.clone());
            drop(tokio::spawn(async move {
                for wait in waits {
                    waited(wait).await;
                }
                send(&world, &handle, number, &cleanup, false);
            }));
        }
        Step::Disarm { which } => disarm(scope, world, *which, &mut hands.keys),
        Step::RunNow { which, polls } => {
            run_now(scope, world, *which, *polls, &mut hands.keys).await;
        }
        Step::Transfer { which, fate } => transfer(scope, world, *which, *fate, hands),
        Step::Wait(wait) => waited(*wait).await,
    }
}

/// The key that is meant, which is used up.
fn key(keys: &mut Keys, which: usize) -> Option<(OwnedKey, Arc<Record>)> {
    (!keys.is_empty()).then(|| keys.swap_remove(which % keys.len()))
}

fn disarm(scope: &mut OwnedScope, world: &World, which: usize, keys: &mut Keys) {
    let Some((key, record)) = key(keys, which) else { return };
    record.state().disarmed = true;
    // Its capture may panic when it is dropped.
    let disarmed = catch_unwind(AssertUnwindSafe(|| scope.disarm(key)));
    if disarmed.is_ok() == (record.panics == Panics::Dropped) || scope.disarm(key) {
        world.wrong(format!("disarmed: {record:?}"));
    }
    if record.state().dropped.len() != 1 {
        world.wrong(format!("disarmed and not dropped at once: {record:?}"));
    }
}

async fn run_now(
    scope: &mut OwnedScope,
    world: &World,
    which: usize,
    polls: Option<usize>,
    keys: &mut Keys,
) {
    let Some((key, record)) = key(keys, which) else { return };
    record.state().early = true;
    // No scope ends with this outcome by itself, so its report can be told.
    let closing = scope.run_now(key, Outcome::Lost);
    let Some(closing) = closing else {
        return world.wrong(format!("the key is not listed: {record:?}"));
    };
    match polls {
        None => drop(closing.await),
        Some(polls) => drop(polled(closing, polls).await),
    }
}

fn transfer(
    scope: &mut OwnedScope,
    world: &World,
    which: usize,
    fate: SideFate,
    hands: &mut Hands,
) {
    let Some((key, record)) = key(&mut hands.keys, which) else { return };
    if hands.sides.is_empty() {
        let side_record = world.scope();
        let side = OwnedScope::with(Options::new().named(name(side_record.number)));
        hands.sides.push((side, side_record, fate));
    }
    let (side, side_record, _) = &mut hands.sides[0];
    {
        let mut state = record.state();
        (state.scope, state.registered) = (side_record.number, now());
    }
    if !scope.transfer(key, side) || scope.transfer(key, side) {
        world.wrong(format!("transferred: {record:?}"));
    }
}

fn adopt(
    world: &World,
    scope: &mut OwnedScope,
    number: usize,
    side: OwnedScope,
    side_record: &ScopeRecord,
) {
    let record = Record::new(What::Adopted(side_record.number), Panics::No, number);
    world.register(&record);
    lock(&side_record.state).adopted_by = Some(number);
    let line = (scope.adopt(side), line!()).1;
    record.state().line = line;
}

fn settle(held: Held<Value>, fate: Fate, world: &World, hands: &mut Hands) {
    match fate {
        Fate::DroppedAtOnce => drop(held),
        Fate::DroppedWithBody => hands.held.push(held),
        Fate::Taken => drop(Held::into_inner(held)),
        Fate::Kept => lock(&world.held).push(held),
    }
}

fn hold(
    scope: &mut OwnedScope,
    world: &Arc<World>,
    number: usize,
    cleanup: &Cleanup,
    fate: Fate,
    hands: &mut Hands,
) {
    let record = Record::new(What::Held(fate), cleanup.panics, number);
    {
        let mut state = record.state();
        (state.wild, state.lent) = (fate != Fate::DroppedAtOnce, true);
    }
    let handle = cleanup.more.is_some().then(|| (scope.handle(), number));
    let scripted = Scripted::<[u64; 4]>::new(&record, world, cleanup, handle);
    world.register(&record);
    let value = Value::new(&record);
    let release = |value, outcome| scripted.made(outcome).with(value);
    let (held, line) = (scope.hold(value, release), line!());
    record.state().line = line;
    settle(held, fate, world, hands);
}

async fn acquire(
    scope: &mut OwnedScope,
    world: &Arc<World>,
    number: usize,
    (waits, end, polls): (&[Wait], End, Option<usize>),
    cleanup: &Cleanup,
    fate: Fate,
    hands: &mut Hands,
) {
    let record = Record::new(What::Acquired(fate), cleanup.panics, number);
    record.state().wild = true;
    let scripted = Scripted::<[u64; 2]>::new(&record, world, cleanup, None);
    world.register(&record);
    let (getting, waits) = (Arc::clone(&record), waits.to_vec());
    let get = async move {
        getting.state().getting = true;
        for wait in waits {
            waited(wait).await;
        }
        getting.state().got = Some(match end {
            End::Well => Ending::Well,
            End::Error => Ending::Error,
            End::Panic => Ending::Panic,
        });
        ended(end).map(|()| Value::new(&getting))
    };
    let release = |value, outcome| scripted.made(outcome).with(value);
    let (acquiring, line) = (scope.acquire(get, release), line!());
    record.state().line = line;
    let kept: Arc<std::sync::Mutex<Option<Held<Value>>>> = Arc::default();
    let acquiring = Box::pin(caught(async {
        let got = acquiring.await;
        if let Ok(held) = got {
            record.state().lent = true;
            *lock(&kept) = Some(held);
        }
    }));
    drop(polled(acquiring, polls.unwrap_or(usize::MAX)).await);
    let held = lock(&kept).take();
    if let Some(held) = held {
        settle(held, fate, world, hands);
    }
}

async fn spawn(
    scope: &mut OwnedScope,
    world: &Arc<World>,
    scope_record: &ScopeRecord,
    task: &Task,
    awaited: Awaited,
) {
    let number = scope_record.number;
    let record = Record::new(What::Task, Panics::No, number);
    lock(&scope_record.state).spawned = true;
    world.register(&record);
    let (token, handle, world, task) =
        (Token(Arc::clone(&record)), scope.handle(), Arc::clone(world), task.clone());
    let future = async move {
        let token = token;
        token.0.state().begun.push(now());
        for wait in task.waits {
            waited(wait).await;
        }
        if let Some(cleanup) = task.cleanup {
            send(&world, &handle, number, &cleanup, false);
        }
        let ending = if task.end == End::Panic { Ending::Panic } else { Ending::Well };
        token.0.state().ended.push((now(), ending));
        ended(task.end)
    };
    let (child, line) = (scope.spawn(future), line!());
    record.state().line = line;
    if awaited == Awaited::Yes {
        drop(child.await);
    }
}
