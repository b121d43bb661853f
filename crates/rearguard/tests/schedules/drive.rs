//! Drives a schedule, takes everything away, and has it judged.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    time::Duration,
};

use rearguard::{DEFAULT_REAPER_CAPACITY, Reaper};
use tokio::runtime::{Builder, Runtime};

use crate::{
    interpret::{Boxed, run_scope},
    oracle,
    program::{Drive, HeldUntil, Schedule, Threads},
    script::{caught, polled, waited},
    world::{World, lock, observe, observed, set_up},
};

/// Longer than all deadlines together where time is virtual.
const LONG: Duration = Duration::from_secs(3600);
/// The same where it is real, and deadlines are of milliseconds.
const REAL: Duration = Duration::from_secs(20);

fn runtime(threads: Threads) -> Runtime {
    let runtime = match threads {
        Threads::One => Builder::new_current_thread().enable_time().start_paused(true).build(),
        Threads::Two => Builder::new_multi_thread().worker_threads(2).enable_time().build(),
    };
    runtime.expect("a runtime can be made")
}

/// Runs a schedule, and says what was wrong.
pub(crate) fn run(schedule: &Schedule) -> Vec<String> {
    set_up();
    observe(schedule.observer);
    let reaper = Reaper::global();
    reaper.set_capacity(schedule.capacity.unwrap_or(DEFAULT_REAPER_CAPACITY));
    let world = Arc::new(World::default());
    let first = runtime(schedule.threads);
    let program = run_scope(Arc::clone(&world), schedule.root.clone());
    let left = first.block_on(drive(program, &schedule.drive));
    match (left, &schedule.drive) {
        (Some(left), Drive::DroppedElsewhere { .. }) => {
            drop(first);
            let second = runtime(schedule.threads);
            second.block_on(async { swallow(left) });
            finish(second, schedule, &world);
        }
        (left, Drive::RuntimeDropped(_)) => {
            drop(first);
            swallow(left);
            finish(runtime(schedule.threads), schedule, &world);
        }
        (left, _) => {
            // Outside of the runtime's context.
            swallow(left);
            finish(first, schedule, &world);
        }
    }
    let mut wrong = oracle::judge(&world, &observed(), schedule.threads);
    let waiting = reaper.stats().waiting;
    if waiting != 0 {
        wrong.push(format!("{waiting} scopes are in the reaper for good"));
    }
    wrong
}

/// Gives back what is held, waits for the reaper, and stops the runtime.
fn finish(runtime: Runtime, schedule: &Schedule, world: &Arc<World>) {
    let held = || swallow(std::mem::take(&mut *lock(&world.held)));
    let long = if schedule.threads == Threads::One { LONG } else { REAL };
    runtime.block_on(async {
        if schedule.held_until == HeldUntil::Ended {
            held();
        }
        Reaper::global().drain(long).await;
        // What tasks of the program hold or register is theirs to finish.
        if schedule.threads == Threads::One {
            tokio::time::sleep(LONG).await;
        }
        Reaper::global().drain(long).await;
    });
    drop(runtime);
    held();
}

/// Some captures panic when they are dropped.
fn swallow<T>(value: T) {
    drop(catch_unwind(AssertUnwindSafe(|| drop(value))));
}

/// Polls the program as it is told to, and gives it back where it is to be dropped elsewhere.
async fn drive(program: Boxed<'static, ()>, how: &Drive) -> Option<Boxed<'static, ()>> {
    match how {
        Drive::ToEnd => drop(caught(program).await),
        Drive::DroppedAfter(polls) => swallow(polled(program, *polls).await),
        Drive::Timeout(milliseconds) => {
            let limit = Duration::from_millis(*milliseconds);
            drop(tokio::time::timeout(limit, caught(program)).await);
        }
        Drive::Selected(wait) => tokio::select! {
            biased;
            _ = caught(program) => {}
            () = waited(*wait) => {}
        },
        Drive::Aborted(wait) => {
            let task = tokio::spawn(program);
            waited(*wait).await;
            task.abort();
            drop(task.await);
        }
        Drive::RuntimeDropped(wait) => {
            drop(tokio::spawn(program));
            waited(*wait).await;
        }
        Drive::DroppedOutside { polls } | Drive::DroppedElsewhere { polls } => {
            return polled(program, *polls).await;
        }
    }
    None
}
