//! Answers that come late, or never.

use std::time::Duration;

use rearguard::{
    Error, ErrorKind, Outcome,
    lock::{LockManager, PostgresStore, RedisStore, Store},
};
use tokio::time::{Instant, timeout};

use crate::{
    forwarder::{Answers, Forwarder},
    support::{
        assert_lost, eventually, held_until_lost, is_taken, postgres, postgres_store, reaped, redis,
    },
};

const TTL: Duration = Duration::from_millis(900);

fn over_redis(forwarder: &Forwarder) -> LockManager {
    let url = format!("redis://{}", forwarder.address());
    LockManager::new(RedisStore::new(url).expect("an address"))
}

/// Locks once, so that there is a connection.
async fn warm(store: impl Store) -> LockManager {
    let locks = LockManager::new(store);
    let held = locks.lock("warm", TTL).await.expect("free");
    assert!(held.release(Outcome::Succeeded).await.is_clean());
    locks
}

#[tokio::test]
async fn rule_1_a_grant_that_redis_gives_late_is_released_and_not_used() {
    let server = redis();
    let forwarder = Forwarder::to(server.address()).await;
    let locks = over_redis(&forwarder);
    drop(locks.lock("warm", TTL).await.expect("free"));
    reaped().await;
    let ttl = Duration::from_millis(200);
    forwarder.set(Answers::Late(ttl * 2));
    let tried: Result<Option<()>, Error> =
        locks.try_with_lock("a", ttl, async |_| panic!("it came too late")).await;
    let error = tried.expect_err("late");
    assert_eq!(error.kind(), ErrorKind::ResponseTimedOut, "{error}");
    forwarder.set(Answers::Pass);
    eventually("the release", async || !is_taken(&server, "a").await).await;
}

#[tokio::test]
async fn a_grant_whose_answer_is_lost_is_released_in_redis() {
    let server = redis();
    let forwarder = Forwarder::to(server.address()).await;
    let locks = over_redis(&forwarder);
    drop(locks.lock("warm", TTL).await.expect("free"));
    reaped().await;
    // So long that it does not just expire.
    let ttl = Duration::from_secs(60);
    forwarder.set(Answers::Swallowed);
    let error = locks.try_lock("a", ttl).await.expect_err("unknown");
    assert_eq!(error.kind(), ErrorKind::ResponseTimedOut, "{error}");
    assert_eq!(locks.metrics().unknown_grants, 1);
    // The release got there, although its own answer was lost as well.
    assert!(!is_taken(&server, "a").await);
    forwarder.set(Answers::Pass);
    let begun = Instant::now();
    let again = locks.lock("a", ttl).await.expect("granted");
    assert!(begun.elapsed() < ttl / 10);
    assert!(again.release(Outcome::Succeeded).await.is_clean());
}

#[tokio::test]
async fn an_acquisition_dropped_before_its_answer_is_released_in_redis() {
    let server = redis();
    let forwarder = Forwarder::to(server.address()).await;
    let locks = over_redis(&forwarder);
    drop(locks.lock("warm", TTL).await.expect("free"));
    reaped().await;
    forwarder.set(Answers::Late(Duration::from_millis(150)));
    let dropped = timeout(Duration::from_millis(50), locks.lock("a", Duration::from_secs(60)));
    assert!(dropped.await.is_err());
    assert!(is_taken(&server, "a").await, "granted, and nobody knows yet");
    reaped().await;
    assert!(!is_taken(&server, "a").await);
}

#[tokio::test]
async fn rule_2_renewals_without_answers_cost_the_lock_in_time() {
    let server = redis();
    let forwarder = Forwarder::to(server.address()).await;
    let locks = over_redis(&forwarder);
    let begun = Instant::now();
    let work = locks.with_lock("a", TTL, async |lease| {
        forwarder.set(Answers::Swallowed);
        lease.defer(async move {
            // Renewed in truth, but nobody knows: what counts is the grant.
            if begun.elapsed() < TTL { Ok(()) } else { Err("too late") }
        });
        held_until_lost(lease).await
    });
    assert_lost(work.await, "unrenewed");
    assert!(locks.metrics().unknown_renewals > 0);
}

#[tokio::test]
async fn a_grant_whose_answer_is_lost_is_released_in_postgres() {
    let server = postgres();
    drop(postgres_store(&server).await);
    let forwarder = Forwarder::to(server.address()).await;
    let url = format!("postgres://postgres@{}", forwarder.address());
    let locks = warm(PostgresStore::new(&url).expect("an address")).await;
    let direct = warm(postgres_store(&server).await).await;
    forwarder.set(Answers::Swallowed);
    let ttl = Duration::from_secs(60);
    let error = locks.try_lock("lost-reply", ttl).await.expect_err("unknown");
    assert_eq!(error.kind(), ErrorKind::ResponseTimedOut, "{error}");
    forwarder.set(Answers::Pass);
    // The release got there on the same connection, although its own answer was lost as well.
    let next = timeout(ttl / 10, direct.lock("lost-reply", ttl)).await.expect("in time");
    assert!(next.expect("granted").release(Outcome::Succeeded).await.is_clean());
}

#[tokio::test]
async fn a_connection_that_has_gone_silent_is_replaced() {
    let (redis, postgres) = (redis(), postgres());
    let store = postgres_store(&postgres).await;
    drop(store);
    let to_redis = Forwarder::to(redis.address()).await;
    let to_postgres = Forwarder::to(postgres.address()).await;
    let url = format!("postgres://postgres@{}", to_postgres.address());
    let postgres_locks = warm(PostgresStore::new(&url).expect("an address")).await;
    let redis_locks = over_redis(&to_redis);
    assert!(redis_locks.try_lock("warm", TTL).await.expect("asked").is_some());
    reaped().await;
    for (forwarder, locks) in [(to_redis, redis_locks), (to_postgres, postgres_locks)] {
        forwarder.set(Answers::OldSwallowed);
        // Each attempt gives up long before the connection is.
        let held = locks.lock("silent", TTL).await.expect("over another connection");
        assert!(held.release(Outcome::Succeeded).await.is_clean());
        assert!(locks.metrics().unknown_grants > 0, "{:?}", locks.metrics());
    }
}
