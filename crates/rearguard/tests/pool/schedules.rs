//! Random schedules of all that can happen to a pool, against what it promises.

use std::{env, ops::Range, panic, sync::Once};

use proptest::{collection::vec, prelude::*, test_runner::Config};
use rearguard::{
    CallContext, ErrorKind,
    pool::{ConnectionState, Lease, Options, Pool},
    testing::{Run, drop_after},
};
use tokio::{
    task::{JoinError, JoinSet},
    time::{sleep, timeout},
};

use crate::{
    fake::{Fake, Way},
    ms, secs, settle,
};

/// What happens next.
#[derive(Clone, Debug)]
enum Step {
    /// A task gets, within so many ms, keeps it for so many, and lets go of it in some way.
    Borrow {
        within: u64,
        keeps: u64,
        leaves: Leaves,
    },
    /// One of the tasks is aborted, wherever it is.
    Abort(usize),
    Pass(u64),
    Connects(Way),
    Refuses(bool),
    Resets(Way),
    Closes(Way),
    /// Closes the pool, within so many ms.
    Close(u64),
}

#[derive(Clone, Copy, Debug)]
enum Leaves {
    Idle,
    Busy,
    Broken,
    Panics,
    Discards,
}

fn way() -> impl Strategy<Value = Way> {
    prop_oneof![3 => Just(Way::Well), 1 => Just(Way::Fails), 1 => Just(Way::Panics), 1 => Just(Way::Hangs)]
}

fn leaves() -> impl Strategy<Value = Leaves> {
    prop_oneof![
        4 => Just(Leaves::Idle),
        2 => Just(Leaves::Busy),
        1 => Just(Leaves::Broken),
        1 => Just(Leaves::Panics),
        1 => Just(Leaves::Discards),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    let short: Range<u64> = 0..60;
    prop_oneof![
        12 => (1..2_000_u64, short, leaves())
            .prop_map(|(within, keeps, leaves)| Step::Borrow { within, keeps, leaves }),
        3 => any::<usize>().prop_map(Step::Abort),
        6 => (0..50_u64).prop_map(Step::Pass),
        1 => (500..70_000_u64).prop_map(Step::Pass),
        1 => way().prop_map(Step::Connects),
        1 => any::<bool>().prop_map(Step::Refuses),
        1 => way().prop_map(Step::Resets),
        1 => way().prop_map(Step::Closes),
    ]
}

#[derive(Clone, Debug)]
struct Schedule {
    max_size: usize,
    min_idle: usize,
    takes: [u64; 3],
    steps: Vec<Step>,
    close: Option<u64>,
}

fn schedule() -> impl Strategy<Value = Schedule> {
    let takes = [0..30_u64, 0..30_u64, 0..30_u64];
    let close = proptest::option::of(0..3_000_u64);
    (1..5_usize, 0..3_usize, takes, vec(step(), 1..60), close).prop_map(
        |(max_size, min_idle, takes, steps, close)| Schedule {
            max_size,
            min_idle: min_idle.min(max_size),
            takes,
            steps,
            close,
        },
    )
}

/// A task that borrows. It ends with the error that it was told, if any.
async fn borrow(
    pool: Pool<Fake>,
    within: u64,
    keeps: u64,
    leaves: Leaves,
) -> Result<(), ErrorKind> {
    let context = CallContext::new().within(ms(within));
    let mut lease = match context.scope(pool.get()).await {
        Ok(lease) => lease,
        Err(error) => return Err(error.kind()),
    };
    assert_eq!(lease.state, ConnectionState::Idle, "what is lent is clean");
    lease.state = match leaves {
        Leaves::Idle | Leaves::Discards => ConnectionState::Idle,
        Leaves::Busy | Leaves::Panics => ConnectionState::Busy("in transaction"),
        Leaves::Broken => ConnectionState::Broken("closed"),
    };
    sleep(ms(keeps)).await;
    match leaves {
        Leaves::Panics => panic!("scripted"),
        Leaves::Discards => Lease::discard(lease),
        _ => {}
    }
    Ok(())
}

/// What always holds, and what does as soon as the pool has done what is due.
async fn check(pool: &Pool<Fake>, fake: &Fake, max_size: usize) {
    let seen = pool.snapshot();
    let parts = seen.connecting + seen.idle + seen.in_use + seen.resetting + seen.closing;
    assert_eq!(parts, seen.size, "{seen:?}");
    assert!(seen.size <= max_size, "{seen:?}");
    assert!(fake.seen().most_sessions <= max_size, "{:?}", fake.seen());
    assert_eq!(seen.holders.len(), seen.in_use);
    tokio::task::yield_now().await;
    let seen = pool.snapshot();
    // Nobody waits while one is idle, but for those for whom one is being tested.
    assert!(seen.idle == 0 || seen.waiting <= seen.resetting, "{seen:?}");
    assert!(seen.counters.created as usize <= fake.seen().opened);
}

fn answered(ended: Result<Result<(), ErrorKind>, JoinError>) {
    match ended {
        Ok(Ok(()) | Err(ErrorKind::QueueTimedOut | ErrorKind::Closed)) => {}
        Ok(Err(kind)) => panic!("an error that it does not have: {kind}"),
        Err(error) => assert!(error.is_cancelled() || error.is_panic()),
    }
}

async fn run(schedule: Schedule) {
    let fake = Fake::default();
    {
        let mut server = fake.server();
        let [connect, reset, close] = schedule.takes.map(ms);
        (server.connect_takes, server.reset_takes, server.close_takes) = (connect, reset, close);
    }
    let bounds = Options::new("p").connect_timeout(ms(200)).reset_timeout(ms(200));
    let options = bounds
        .close_timeout(ms(200))
        .wait_timeout(secs(1))
        .max_backoff(ms(300))
        .max_size(schedule.max_size)
        .min_idle(schedule.min_idle);
    let pool = fake.pool(options);
    let mut tasks = JoinSet::new();
    let mut handles = Vec::new();
    let mut steps = schedule.steps;
    steps.extend(schedule.close.map(Step::Close));
    for step in steps {
        match step {
            Step::Borrow { within, keeps, leaves } => {
                handles.push(tasks.spawn(borrow(pool.clone(), within, keeps, leaves)));
            }
            Step::Abort(which) if !handles.is_empty() => handles[which % handles.len()].abort(),
            Step::Abort(_) => {}
            Step::Pass(millis) => sleep(ms(millis)).await,
            Step::Connects(way) => fake.server().next.push_back(way),
            Step::Refuses(refuses) => {
                fake.server().refuses = refuses.then_some(ErrorKind::ConnectRefused);
            }
            Step::Resets(way) => fake.server().reset = way,
            Step::Closes(way) => fake.server().close = way,
            Step::Close(bound) => drop(pool.close(ms(bound)).await),
        }
        check(&pool, &fake, schedule.max_size).await;
    }
    // Everyone gets an answer.
    let all = async {
        while let Some(ended) = tasks.join_next().await {
            answered(ended);
            check(&pool, &fake, schedule.max_size).await;
        }
    };
    timeout(secs(60), all).await.expect("somebody was never answered");
    if schedule.close.is_none() {
        // It has recovered when the server has.
        let whole = |server: &mut crate::fake::Server| {
            server.next.clear();
            (server.refuses, server.reset, server.close) = (None, Way::Well, Way::Well);
        };
        whole(&mut fake.server());
        sleep(secs(1)).await;
        let mut leases = Vec::new();
        for _ in 0..schedule.max_size {
            leases.push(pool.get().await.expect("it recovers"));
        }
        drop(leases);
        let closed = pool.close(secs(10)).await;
        assert!(closed.holders.is_empty() && closed.ending == 0, "{closed:?}");
    } else {
        sleep(secs(2)).await;
    }
    settle().await;
    // Every connection that was created is closed.
    let seen = pool.snapshot();
    assert_eq!((seen.size, fake.seen().sessions), (0, 0), "{seen:?}");
    assert_eq!(seen.counters.discarded_in_all(), seen.counters.created);
    check(&pool, &fake, schedule.max_size).await;
}

/// What is scripted to panic says nothing.
fn hush() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let before = panic::take_hook();
        panic::set_hook(Box::new(move |panicked| {
            if panicked.payload_as_str() != Some("scripted") {
                before(panicked);
            }
        }));
    });
}

fn cases() -> u32 {
    env::var("REARGUARD_POOL_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(300)
}

proptest! {
    #![proptest_config(Config::with_cases(cases()))]
    #[test]
    fn whatever_happens_the_pool_keeps_its_promises(schedule in schedule()) {
        hush();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .unwrap();
        runtime.block_on(run(schedule));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_threads_at_once_lose_nothing_between_them() {
    let fake = Fake::default();
    let pool = fake.pool(Options::new("p").max_size(3).min_idle(1));
    let mut tasks = JoinSet::new();
    for n in 0..32_u64 {
        let pool = pool.clone();
        tasks.spawn(async move {
            let mut random = fastrand::Rng::with_seed(n);
            let mut got = 0;
            while got < 150 {
                // Dropped as its turn comes, before, or after.
                let patience = random.usize(1..6);
                let polls = drop_after(patience, async {
                    let mut lease = pool.get().await.expect("nobody waits for long");
                    assert_eq!(lease.state, ConnectionState::Idle);
                    match random.u8(0..8) {
                        0 => lease.state = ConnectionState::Busy("in transaction"),
                        1 => lease.state = ConnectionState::Broken("closed"),
                        _ => tokio::task::yield_now().await,
                    }
                });
                got += usize::from(polls.await == Run::Finished);
                tokio::task::yield_now().await;
            }
        });
    }
    while let Some(ended) = tasks.join_next().await {
        ended.expect("none panics");
    }
    let closed = pool.close(secs(10)).await;
    assert!(closed.holders.is_empty() && closed.ending == 0, "{closed:?}");
    let (seen, server) = (pool.snapshot(), fake.seen());
    assert_eq!((seen.size, seen.waiting, server.sessions), (0, 0, 0));
    assert!(server.most_sessions <= 3, "{server:?}");
    assert_eq!(seen.counters.discarded_in_all(), seen.counters.created);
    assert_eq!(seen.counters.closes_cut_short, 0);
}
