//! How a pool ends.

use rearguard::{
    ErrorKind,
    pool::{ConnectionState, Discard, Options},
};
use tokio::time::{Instant, timeout};

use crate::{
    fake::{Fake, Way},
    ms, secs, sessions, settle,
};

#[tokio::test(start_paused = true)]
async fn closing_waits_for_what_is_lent_and_closes_all() {
    let fake = Fake::default();
    fake.server().close_takes = ms(10);
    let pool = fake.pool(Options::new("p").max_size(2));
    let (idle, lent) = (pool.get().await.unwrap(), pool.get().await.unwrap());
    drop(idle);
    let began = Instant::now();
    let held = tokio::spawn(async move {
        tokio::time::sleep(secs(2)).await;
        drop(lent);
    });
    let closed = pool.close(secs(10)).await;
    assert!(closed.holders.is_empty() && closed.ending == 0, "{closed:?}");
    assert_eq!(began.elapsed(), ms(2_010));
    held.await.unwrap();
    assert_eq!((fake.seen().sessions, fake.seen().closed_in_order), (0, 2));
    assert_eq!(pool.get().await.unwrap_err().kind(), ErrorKind::Closed);
    let seen = pool.snapshot();
    assert!(seen.closed);
    assert_eq!(seen.counters.discarded(Discard::PoolClosed), 2);
    // Once more does no harm.
    assert_eq!(pool.close(secs(1)).await, closed);
}

#[tokio::test(start_paused = true)]
async fn what_is_not_back_in_time_is_reported_by_name_and_closed_when_it_comes() {
    let fake = Fake::default();
    let pool = fake.pool(Options::new("p"));
    let line = line!() + 1;
    let mut lent = pool.get_for("report").await.unwrap();
    let closed = pool.close(secs(1)).await;
    let [holder] = closed.holders.as_slice() else { panic!("{closed:?}") };
    assert_eq!((holder.borrower, holder.borrowed_at.line()), (Some("report"), line));
    lent.state = ConnectionState::Busy("in transaction");
    drop(lent);
    sessions(&fake, 0).await;
    settle().await;
    assert_eq!(fake.seen().closed_in_order, 1);
}

#[tokio::test(start_paused = true)]
async fn those_who_wait_are_told_and_what_is_being_opened_is_given_up() {
    let fake = Fake::default();
    fake.server().next.push_back(Way::Hangs);
    let pool = fake.pool(Options::new("p"));
    let waiter = tokio::spawn({
        let pool = pool.clone();
        async move { pool.get().await.map(drop).unwrap_err().kind() }
    });
    settle().await;
    let began = Instant::now();
    let closed = pool.close(secs(10)).await;
    assert_eq!((closed.ending, began.elapsed()), (0, ms(0)));
    assert_eq!(waiter.await.unwrap(), ErrorKind::Closed);
    assert_eq!(fake.seen().sessions, 0);
}

#[tokio::test(start_paused = true)]
async fn a_close_that_is_dropped_half_way_has_closed_the_pool() {
    let fake = Fake::default();
    let pool = fake.pool(Options::new("p"));
    let lent = pool.get().await.unwrap();
    assert!(timeout(ms(5), pool.close(secs(10))).await.is_err());
    assert_eq!(pool.get().await.unwrap_err().kind(), ErrorKind::Closed);
    drop(lent);
    sessions(&fake, 0).await;
}

#[tokio::test(start_paused = true)]
async fn a_pool_that_is_dropped_closes_what_is_idle_and_what_comes_back() {
    let fake = Fake::default();
    let pool = fake.pool(Options::new("p").min_idle(2));
    let lent = pool.get().await.unwrap();
    settle().await;
    drop(pool);
    sessions(&fake, 1).await;
    drop(lent);
    sessions(&fake, 0).await;
    settle().await;
    assert_eq!(fake.seen().closed_in_order, 3);
}
