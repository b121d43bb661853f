//! Who gets, when, and what it is told if it does not.

use std::{future::Future, pin::pin, sync::Arc};

use rearguard::{
    CallContext, ErrorKind,
    pool::{BUCKETS, ConnectionState, Options},
    testing::{Run, at_every_poll},
};
use tokio::{
    task::JoinSet,
    time::{Instant, timeout},
};

use crate::{fake::Fake, ms, quiet, secs, settle};

#[tokio::test(start_paused = true)]
async fn the_connection_that_came_back_last_is_lent_first() {
    let pool = Fake::default().pool(Options::new("p"));
    let (one, two) = (pool.get().await.unwrap(), pool.get().await.unwrap());
    let id = two.id;
    drop(one);
    drop(two);
    assert_eq!(pool.get().await.unwrap().id, id);
    let seen = pool.snapshot();
    assert_eq!((seen.idle, seen.in_use, seen.size), (2, 0, 2));
    assert_eq!((seen.counters.gets, seen.counters.created), (3, 2));
    assert_eq!((seen.waits.count(), seen.holds.count()), (3, 3));
}

#[tokio::test(start_paused = true)]
async fn those_who_wait_are_served_in_their_order_and_nobody_overtakes() {
    let pool = Fake::default().pool(Options::new("p").max_size(1).wait_timeout(secs(60)));
    let held = pool.get().await.unwrap();
    let (sender, mut receiver) = tokio::sync::mpsc::unbounded_channel();
    let mut tasks = JoinSet::new();
    for n in 0..20 {
        let (pool, sender) = (pool.clone(), sender.clone());
        tasks.spawn(async move {
            let lease = pool.get().await.unwrap();
            sender.send(n).unwrap();
            tokio::time::sleep(ms(5)).await;
            drop(lease);
            // Comes back at once, and is the last all the same.
            if n < 10 {
                let lease = pool.get().await.unwrap();
                sender.send(100 + n).unwrap();
                drop(lease);
            }
        });
        settle().await;
    }
    drop(held);
    while tasks.join_next().await.is_some() {}
    drop(sender);
    let mut order = Vec::new();
    while let Some(n) = receiver.recv().await {
        order.push(n);
    }
    let expected: Vec<_> = (0..20).chain(100..110).collect();
    assert_eq!(order, expected);
}

#[tokio::test(start_paused = true)]
async fn a_wait_that_is_too_long_says_who_has_the_connections() {
    let pool = Fake::default().pool(Options::new("orders").max_size(2).wait_timeout(ms(250)));
    let context = CallContext::new();
    let first = context.clone().scope(pool.get_for("checkout")).await.unwrap();
    tokio::time::sleep(secs(3)).await;
    let line = line!() + 1;
    let second = pool.get().await.unwrap();
    let began = Instant::now();
    let error = pool.get().await.unwrap_err();
    assert_eq!(began.elapsed(), ms(250));
    assert_eq!(error.kind(), ErrorKind::QueueTimedOut);
    assert!(error.is_retryable());
    for (what, value) in [
        ("pool", "orders"),
        ("in use", "2 of 2"),
        ("idle", "0"),
        ("waiting", "0"),
        ("waited", "250ms"),
        ("bound", "the pool's wait_timeout"),
    ] {
        assert_eq!(error.context(what), Some(value), "{error}");
    }
    let holders = error.context("longest holders").unwrap();
    let trace = context.trace().trace_id;
    let (older, newer) = holders.split_once("] [").unwrap();
    assert!(older.contains("checkout at ") && older.contains(&format!("trace {trace}")), "{error}");
    assert!(older.contains("for 3.2"), "{error}");
    assert!(newer.contains(&format!("getting.rs:{line}:")), "{error}");
    drop((first, second));
    assert_eq!(pool.snapshot().counters.timeouts, 1);
}

#[tokio::test(start_paused = true)]
async fn the_deadline_of_the_call_ends_the_wait_earlier() {
    let pool = Fake::default().pool(Options::new("p").max_size(1));
    let held = pool.get().await.unwrap();
    let began = Instant::now();
    let error = CallContext::new().within(ms(40)).scope(pool.get()).await.unwrap_err();
    assert_eq!((error.kind(), began.elapsed()), (ErrorKind::QueueTimedOut, ms(40)));
    assert_eq!(error.context("bound"), Some("the deadline of the call"));
    drop(held);
    let late = CallContext::new().within(ms(0));
    let error = late.scope(pool.get()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::DeadlinePassed);
}

#[tokio::test(start_paused = true)]
async fn one_more_than_may_wait_is_refused_at_once() {
    let pool = Fake::default().pool(Options::new("p").max_size(1).max_waiters(2));
    let held = pool.get().await.unwrap();
    let (mut one, mut two) = (Box::pin(pool.get()), Box::pin(pool.get()));
    assert!(timeout(ms(1), &mut one).await.is_err());
    assert!(timeout(ms(1), &mut two).await.is_err());
    let error = pool.get().await.unwrap_err();
    assert_eq!((error.kind(), error.context("waiting")), (ErrorKind::QueueFull, Some("2")));
    drop(one);
    drop(held);
    drop(two.await.unwrap());
    assert_eq!(pool.snapshot().counters.queue_full, 1);
    assert_eq!(pool.snapshot().counters.cancelled_waits, 1);
}

/// Dropped after each number of polls, in four situations: nothing there, one idle, one idle that must
/// be tested, one that comes back meanwhile.
#[tokio::test(start_paused = true)]
async fn dropped_at_any_poll_a_get_loses_no_place_and_no_connection() {
    for situation in 0..4 {
        let fake = Fake::default();
        fake.server().connect_takes = ms(10);
        fake.server().reset_takes = ms(10);
        let pool = fake.pool(Options::new("p").max_size(1).test_after(Some(secs(30))));
        let make = || async {
            let held = if situation > 0 { Some(pool.get().await.unwrap()) } else { None };
            match situation {
                1 => drop(held),
                2 => {
                    drop(held);
                    tokio::time::sleep(secs(31)).await;
                }
                3 => {
                    tokio::spawn(async move {
                        tokio::time::sleep(ms(5)).await;
                        drop(held);
                    });
                }
                _ => {}
            }
            let mut lease = pool.get().await.unwrap();
            // In the middle of something.
            lease.state = ConnectionState::Busy("in transaction");
            tokio::task::yield_now().await;
            lease.state = ConnectionState::Idle;
        };
        let check = |run: Run| {
            let (pool, fake) = (&pool, &fake);
            async move {
                quiet(pool).await;
                settle().await;
                tokio::time::sleep(ms(50)).await;
                let seen = pool.snapshot();
                assert_eq!(
                    (seen.in_use, seen.waiting, seen.closing),
                    (0, 0, 0),
                    "{run:?} {seen:?}"
                );
                assert_eq!(seen.size, seen.idle, "{run:?} {seen:?}");
                assert_eq!(fake.seen().sessions, seen.idle);
                let lease = timeout(secs(1), pool.get()).await.unwrap().unwrap();
                assert_eq!(lease.state, ConnectionState::Idle, "{run:?}");
            }
        };
        let polls = at_every_poll(make, check).await;
        assert!(polls >= 2, "{polls}");
        assert_eq!(fake.seen().most_sessions, 1);
    }
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_takes_longer_to_open_than_anyone_waits_is_there_for_the_next() {
    let fake = Fake::default();
    fake.server().connect_takes = ms(100);
    let pool = fake.pool(Options::new("p").wait_timeout(ms(60)));
    assert_eq!(pool.get().await.unwrap_err().kind(), ErrorKind::QueueTimedOut);
    drop(pool.get().await.unwrap());
    assert_eq!(fake.seen().attempts, 1);
}

#[tokio::test(start_paused = true)]
async fn one_that_lay_idle_for_long_is_tested_before_it_is_lent() {
    let fake = Fake::default();
    let pool = fake.pool(Options::new("p").test_after(Some(secs(30))));
    drop(pool.get().await.unwrap());
    tokio::time::sleep(secs(29)).await;
    drop(pool.get().await.unwrap());
    assert_eq!(fake.seen().resets, 0);
    tokio::time::sleep(secs(30)).await;
    drop(pool.get().await.unwrap());
    assert_eq!((fake.seen().resets, fake.seen().attempts), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn one_that_fails_its_test_is_replaced_within_the_same_get() {
    let fake = Fake::default();
    let pool = fake.pool(Options::new("p").max_size(1));
    drop(pool.get().await.unwrap());
    tokio::time::sleep(secs(31)).await;
    fake.server().reset = crate::fake::Way::Fails;
    assert_eq!(pool.get().await.unwrap().id, 2);
    assert_eq!(fake.seen().most_sessions, 1);
}

#[tokio::test(start_paused = true)]
async fn one_that_broke_while_it_lay_idle_is_not_lent() {
    use rearguard::pool::{Discard, Manager, Pool};
    use std::sync::atomic::{AtomicBool, Ordering::SeqCst};

    /// The state of all connections is the server's.
    struct Restarted(Fake, Arc<AtomicBool>);
    impl Manager for Restarted {
        type Connection = crate::fake::Connection;
        async fn connect(&self) -> Result<Self::Connection, rearguard::Error> {
            self.1.store(false, SeqCst);
            self.0.connect().await
        }
        fn state(&self, _: &mut Self::Connection) -> ConnectionState {
            match self.1.load(SeqCst) {
                true => ConnectionState::Broken("closed"),
                false => ConnectionState::Idle,
            }
        }
        async fn reset(&self, it: &mut Self::Connection) -> Result<(), rearguard::Error> {
            self.0.reset(it).await
        }
        async fn close(&self, it: Self::Connection) {
            self.0.close(it).await;
        }
    }

    let (fake, restarted) = (Fake::default(), Arc::new(AtomicBool::new(false)));
    let manager = Restarted(fake.clone(), Arc::clone(&restarted));
    let pool = Pool::new(manager, Options::new("p").max_size(3)).unwrap();
    let leases = (pool.get().await.unwrap(), pool.get().await.unwrap(), pool.get().await.unwrap());
    drop(leases);
    restarted.store(true, SeqCst);
    assert_eq!(pool.get().await.unwrap().id, 4);
    assert_eq!(pool.snapshot().counters.discarded(Discard::Broken), 3);
    assert_eq!(fake.seen().most_sessions, 3);
}

#[tokio::test(start_paused = true)]
async fn waits_and_holds_are_counted_by_how_long_they_took() {
    let pool = Fake::default().pool(Options::new("p").max_size(1));
    let held = pool.get().await.unwrap();
    let mut next = pin!(pool.get());
    assert!(timeout(ms(40), &mut next).await.is_err());
    drop(held);
    drop(next.await.unwrap());
    let seen = pool.snapshot();
    assert_eq!((seen.waits.count(), seen.waits.at_most(ms(25))), (2, 1));
    assert_eq!(seen.waits.at_most(ms(50)), 2);
    assert_eq!((seen.holds.at_most(BUCKETS[0]), seen.holds.at_most(ms(50))), (1, 2));
}

#[test]
fn what_is_lent_and_who_waits_may_go_to_other_threads() {
    fn sendable<T: Send>(_: &T) {}
    let pool = Fake::default().pool(Options::new("p"));
    sendable(&pool);
    let get = pool.get();
    sendable(&get);
    fn is_send_and_output_too<F: Future<Output: Send> + Send>(_: F) {}
    is_send_and_output_too(get);
}

#[test]
fn a_pool_outlives_the_runtime_in_which_it_was_used() {
    let fake = Fake::default();
    let pool = fake.pool(Options::new("p").max_size(2).wait_timeout(secs(1)));
    for round in 1..=3 {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .unwrap();
        runtime.block_on(async {
            let (one, two) = (pool.get().await.unwrap(), pool.get().await.unwrap());
            rearguard::pool::Lease::discard(one);
            rearguard::pool::Lease::discard(two);
        });
        drop(runtime);
        assert_eq!(pool.snapshot().size, 0, "round {round}");
        assert_eq!(fake.seen().sessions, 0);
    }
}

#[test]
fn options_out_of_range_are_refused_with_what_was_expected() {
    use rearguard::pool::Pool;
    for (options, option) in [
        (Options::new("p").max_size(0), "max_size"),
        (Options::new("p").max_size(70_000), "max_size"),
        (Options::new("p").max_size(2).min_idle(3), "min_idle"),
        (Options::new("p").leak_after(Some(ms(0))), "leak_after"),
        (Options::new("p").idle_timeout(Some(ms(0))), "idle_timeout"),
    ] {
        let error = Pool::new(Fake::default(), options).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
        assert_eq!(error.context("option"), Some(option), "{error}");
        assert!(error.context("expected").is_some());
    }
}
