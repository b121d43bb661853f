//! How connections are opened, kept ready and expired.

use rearguard::{
    ErrorKind,
    pool::{Discard, Options},
};
use tokio::{task::JoinSet, time::Instant};

use crate::{
    fake::{Fake, Way},
    ms, quiet, secs, settle,
};

#[tokio::test(start_paused = true)]
async fn a_server_that_refuses_is_asked_by_one_with_growing_pauses() {
    let fake = Fake::default();
    fake.server().refuses = Some(ErrorKind::ConnectRefused);
    fake.server().connect_takes = ms(1);
    let pool = fake.pool(Options::new("p").max_size(10).wait_timeout(secs(20)));
    let mut tasks = JoinSet::new();
    for _ in 0..50 {
        let pool = pool.clone();
        tasks.spawn(async move { pool.get().await.map(drop) });
    }
    tokio::time::sleep(ms(20)).await;
    let at_first = fake.seen().attempts;
    // One for each place, as nobody knew yet.
    assert_eq!(at_first, 10);
    fake.server().most_attempts_at_once = 0;
    tokio::time::sleep(secs(10)).await;
    let (later, at_once) = (fake.seen().attempts, fake.seen().most_attempts_at_once);
    // 100, 200, 400, 800, 1600 ms, then 2 s, of each half to all.
    assert!((7..=14).contains(&(later - at_first)), "{}", later - at_first);
    assert_eq!(at_once, 1);
    assert!(pool.snapshot().refused.unwrap().contains("connect_refused"));
    fake.server().refuses = None;
    while let Some(got) = tasks.join_next().await {
        got.unwrap().unwrap();
    }
    assert!(pool.snapshot().refused.is_none());
    assert!(fake.seen().most_sessions <= 10);
}

#[tokio::test(start_paused = true)]
async fn who_waits_for_a_server_that_refuses_is_told_why() {
    let fake = Fake::default();
    fake.server().refuses = Some(ErrorKind::ConnectRefused);
    let pool = fake.pool(Options::new("p").wait_timeout(ms(500)));
    let began = Instant::now();
    let error = pool.get().await.unwrap_err();
    assert_eq!((error.kind(), began.elapsed()), (ErrorKind::QueueTimedOut, ms(500)));
    assert!(error.to_string().ends_with("connect_refused in fake.connect"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn who_waits_for_what_can_never_be_is_told_at_once() {
    let fake = Fake::default();
    fake.server().refuses = Some(ErrorKind::InvalidInput);
    let pool = fake.pool(Options::new("p"));
    let began = Instant::now();
    let error = pool.get().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
    assert!(began.elapsed() < ms(10));
}

#[tokio::test(start_paused = true)]
async fn an_attempt_that_hangs_or_panics_is_given_up_and_made_again() {
    for way in [Way::Hangs, Way::Panics, Way::Fails] {
        let fake = Fake::default();
        fake.server().next.push_back(way);
        let options = Options::new("p").max_size(1).connect_timeout(ms(300));
        let pool = fake.pool(options);
        assert_eq!(pool.get().await.unwrap().id, 2, "{way:?}");
        assert_eq!((fake.seen().most_sessions, fake.seen().attempts), (1, 2));
        assert_eq!(pool.snapshot().counters.refused, 1);
    }
}

#[tokio::test(start_paused = true)]
async fn as_many_as_are_to_be_ready_are_ready() {
    let fake = Fake::default();
    let pool = fake.pool(Options::new("p").max_size(5).min_idle(2));
    settle().await;
    assert_eq!(pool.snapshot().idle, 2);
    let mut leases = Vec::new();
    for size in [3, 4, 5, 5] {
        leases.push(pool.get().await.unwrap());
        settle().await;
        assert_eq!(pool.snapshot().size, size);
    }
    drop(leases);
    tokio::time::sleep(secs(700)).await;
    quiet(&pool).await;
    assert_eq!(pool.snapshot().idle, 2);
    assert_eq!(pool.snapshot().counters.discarded(Discard::IdleTooLong), 3);
}

#[tokio::test(start_paused = true)]
async fn what_lies_idle_for_long_is_closed_and_what_is_used_is_not() {
    let fake = Fake::default();
    let pool = fake.pool(Options::new("p").max_size(5).idle_timeout(Some(secs(10))));
    let leases = (pool.get().await.unwrap(), pool.get().await.unwrap(), pool.get().await.unwrap());
    drop(leases);
    for _ in 0..6 {
        tokio::time::sleep(secs(4)).await;
        drop(pool.get().await.unwrap());
    }
    quiet(&pool).await;
    let seen = pool.snapshot();
    assert_eq!((seen.idle, fake.seen().sessions), (1, 1));
    assert_eq!(seen.counters.discarded(Discard::IdleTooLong), 2);
}

#[tokio::test(start_paused = true)]
async fn connections_that_were_opened_together_do_not_end_together() {
    let fake = Fake::default();
    let options = Options::new("p").max_size(50).min_idle(50).max_lifetime(Some(secs(100)));
    let pool = fake.pool(options.idle_timeout(None));
    let begin = Instant::now();
    settle().await;
    assert_eq!(pool.snapshot().idle, 50);
    let mut ends = Vec::new();
    while begin.elapsed() < secs(101) {
        tokio::time::sleep(ms(500)).await;
        let ended = pool.snapshot().counters.discarded(Discard::TooOld);
        if ended > 0 && ends.last() != Some(&ended) {
            assert!(begin.elapsed() > secs(89), "{:?}", begin.elapsed());
            ends.push(ended);
        }
    }
    // In steps, not at once, and all of them.
    assert!(ends.len() > 5, "{ends:?}");
    assert_eq!(ends.last(), Some(&50));
    assert_eq!(fake.seen().most_sessions, 50);
}
