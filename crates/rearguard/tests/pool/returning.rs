//! How a connection comes back, on every way out.

use std::panic::AssertUnwindSafe;

use rearguard::pool::{ConnectionState, Discard, Lease, Options, Pool};

use crate::{
    fake::{Fake, Way},
    ms, quiet, secs, settle,
};

const BUSY: ConnectionState = ConnectionState::Busy("in transaction");

async fn returned(fake: &Fake, state: ConnectionState) -> Pool<Fake> {
    let pool = fake.pool(Options::new("p").max_size(1).close_timeout(secs(1)));
    let mut lease = pool.get().await.unwrap();
    lease.state = state;
    drop(lease);
    pool
}

#[tokio::test(start_paused = true)]
async fn one_that_comes_back_busy_is_clean_for_the_next() {
    let fake = Fake::default();
    fake.server().reset_takes = ms(20);
    let pool = returned(&fake, BUSY).await;
    assert_eq!(pool.snapshot().resetting, 1);
    let lease = pool.get().await.unwrap();
    assert_eq!((lease.id, lease.state), (1, ConnectionState::Idle));
    assert_eq!(pool.snapshot().counters.resets, 1);
}

#[tokio::test(start_paused = true)]
async fn one_whose_reset_fails_panics_hangs_or_does_not_help_is_discarded() {
    for (way, why) in [
        (Way::Fails, Discard::ResetFailed),
        (Way::Panics, Discard::ResetFailed),
        (Way::Hangs, Discard::ResetTimedOut),
    ] {
        let fake = Fake::default();
        fake.server().reset = way;
        let pool = returned(&fake, BUSY).await;
        quiet(&pool).await;
        let seen = pool.snapshot();
        assert_eq!((seen.size, seen.counters.discarded(why)), (0, 1), "{way:?}");
        assert_eq!((fake.seen().sessions, fake.seen().closed_in_order), (0, 1), "{way:?}");
        assert_eq!(pool.get().await.unwrap().id, 2);
        assert_eq!(fake.seen().most_sessions, 1, "{way:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn one_that_comes_back_broken_is_closed() {
    let fake = Fake::default();
    let pool = returned(&fake, ConnectionState::Broken("closed")).await;
    quiet(&pool).await;
    assert_eq!(pool.snapshot().counters.discarded(Discard::Broken), 1);
    assert_eq!((fake.seen().sessions, fake.seen().resets), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn one_over_which_its_manager_panics_is_closed() {
    let fake = Fake::default();
    let pool = fake.pool(Options::new("p").max_size(1));
    pool.get().await.unwrap().state_panics = true;
    quiet(&pool).await;
    assert_eq!(pool.snapshot().counters.discarded(Discard::Broken), 1);
    assert_eq!(fake.seen().sessions, 0);
}

#[tokio::test(start_paused = true)]
async fn the_place_of_one_is_free_only_when_the_server_has_let_go_of_it() {
    let fake = Fake::default();
    fake.server().close_takes = ms(300);
    let pool = returned(&fake, ConnectionState::Broken("closed")).await;
    settle().await;
    let seen = pool.snapshot();
    assert_eq!((seen.closing, seen.size), (1, 1));
    let began = tokio::time::Instant::now();
    assert_eq!(pool.get().await.unwrap().id, 2);
    assert!(began.elapsed() >= ms(298), "{:?}", began.elapsed());
    assert_eq!(fake.seen().most_sessions, 1);
}

#[tokio::test(start_paused = true)]
async fn a_close_that_hangs_or_panics_frees_the_place_within_its_bound_and_is_counted() {
    for way in [Way::Hangs, Way::Panics] {
        let fake = Fake::default();
        fake.server().close = way;
        let pool = returned(&fake, ConnectionState::Broken("closed")).await;
        assert_eq!(pool.get().await.unwrap().id, 2);
        assert_eq!(pool.snapshot().counters.closes_cut_short, 1);
        assert_eq!(fake.seen().most_sessions, 1);
    }
}

#[tokio::test(start_paused = true)]
async fn one_that_is_held_by_a_panic_or_a_cancelled_task_comes_back() {
    let fake = Fake::default();
    let pool = fake.pool(Options::new("p").max_size(1));
    for state in [ConnectionState::Idle, BUSY] {
        let lease = pool.get().await.unwrap();
        let panicked = std::panic::catch_unwind(AssertUnwindSafe(move || {
            let mut lease = lease;
            lease.state = state;
            panic!("the borrower's");
        }));
        assert!(panicked.is_err());
        let mut lease = pool.get().await.unwrap();
        let task = tokio::spawn(async move {
            lease.state = state;
            std::future::pending::<()>().await;
        });
        settle().await;
        task.abort();
        assert!(task.await.unwrap_err().is_cancelled());
    }
    let lease = pool.get().await.unwrap();
    assert_eq!((lease.id, lease.state), (1, ConnectionState::Idle));
    assert_eq!(pool.snapshot().counters.resets, 2);
}

#[tokio::test(start_paused = true)]
async fn a_borrower_can_have_it_closed() {
    let fake = Fake::default();
    let pool = fake.pool(Options::new("p").max_size(1));
    Lease::discard(pool.get().await.unwrap());
    assert_eq!(pool.get().await.unwrap().id, 2);
    assert_eq!(pool.snapshot().counters.discarded(Discard::Asked), 1);
    assert_eq!(pool.snapshot().counters.discarded_in_all(), 1);
}

#[tokio::test(start_paused = true)]
async fn one_that_is_older_than_its_lifetime_is_closed_when_it_comes_back() {
    let fake = Fake::default();
    let pool = fake.pool(Options::new("p").max_size(1).max_lifetime(Some(secs(100))));
    let lease = pool.get().await.unwrap();
    tokio::time::sleep(secs(101)).await;
    assert_eq!(lease.id, 1);
    drop(lease);
    assert_eq!(pool.get().await.unwrap().id, 2);
    assert_eq!(pool.snapshot().counters.discarded(Discard::TooOld), 1);
}

#[test]
fn one_that_comes_back_where_there_is_no_runtime_is_kept_if_idle_and_dropped_if_not() {
    let fake = Fake::default();
    let pool = fake.pool(Options::new("p"));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let (idle, mut busy) =
        runtime.block_on(async { (pool.get().await.unwrap(), pool.get().await.unwrap()) });
    busy.state = BUSY;
    drop((idle, busy));
    let seen = pool.snapshot();
    assert_eq!((seen.idle, seen.size, seen.in_use), (1, 1, 0));
    assert_eq!(seen.counters.closes_cut_short, 1);
    assert_eq!(fake.seen().sessions, 1);
}
