//! One Redis: restarts, pauses, kills, and notifications that are missed.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    time::Duration,
};

use rearguard::{
    Error, Outcome,
    lock::{LockManager, MAX_POLL, OwnedLease},
    testing::TestServer,
};
use tokio::time::{Instant, sleep, timeout};

use crate::support::{
    PATIENCE, assert_lost, eventually, held_until_lost, is_taken, redis, redis_locks, say,
};

const TTL: Duration = Duration::from_secs(3);

async fn end(lease: OwnedLease) {
    assert!(lease.release(Outcome::Succeeded).await.is_clean());
}

#[tokio::test]
async fn one_holds_and_the_next_is_told() {
    let server = redis();
    let (one, other) = (redis_locks(&server), redis_locks(&server));
    let mut quickest = PATIENCE;
    for _ in 0..5 {
        let held = one.lock("a", TTL).await.expect("free");
        assert!(other.try_lock("a", TTL).await.expect("asked").is_none());
        let waits = other.lock("a", TTL);
        let ends = async {
            sleep(Duration::from_millis(50)).await;
            end(held).await;
            Instant::now()
        };
        let (next, freed) = tokio::join!(waits, ends);
        quickest = quickest.min(freed.elapsed());
        end(next.expect("granted")).await;
    }
    assert!(quickest < MAX_POLL / 4, "told, not found by asking: {quickest:?}");
    assert_eq!((one.metrics().acquired, other.metrics().waited), (5, 5));
    assert!(!is_taken(&server, "a").await);
}

#[tokio::test]
async fn rule_2_a_lost_key_is_not_made_anew() {
    let server = redis();
    let locks = redis_locks(&server);
    let work = locks.with_lock("a", TTL / 3, async |lease| {
        say(&server, &["DEL", "rearguard:lock:a"]).await;
        held_until_lost(lease).await
    });
    assert_lost(work.await, "refused");
    assert!(!is_taken(&server, "a").await);
    assert_eq!(locks.metrics().lost, 1);
}

#[tokio::test]
async fn rule_3_the_lock_of_another_is_not_released() {
    let server = redis();
    let locks = redis_locks(&server);
    let work = locks.with_lock("a", TTL, async |_| {
        say(&server, &["SET", "rearguard:lock:a", "another"]).await;
        Ok::<_, Error>(())
    });
    work.await.expect("it did not notice");
    assert!(is_taken(&server, "a").await);
    assert_eq!(locks.metrics().released_not_held, 1);
}

#[tokio::test]
async fn rule_5_a_redis_gives_no_token() {
    let server = redis();
    let work =
        redis_locks(&server).with_lock("a", TTL, async |lease| Ok::<_, Error>(lease.token()));
    assert_eq!(work.await.expect("held"), None);
}

#[tokio::test]
async fn rule_6_a_missed_notification_costs_no_more_than_a_poll() {
    let server = redis();
    let (one, other) = (redis_locks(&server), redis_locks(&server));
    let held = one.lock("a", TTL).await.expect("free");
    let waits = async {
        let next = other.lock("a", TTL).await.expect("granted");
        (next, Instant::now())
    };
    let ends = async {
        sleep(Duration::from_millis(100)).await;
        // Nothing is published.
        say(&server, &["DEL", "rearguard:lock:a"]).await;
        Instant::now()
    };
    let ((next, granted), freed) = tokio::join!(waits, ends);
    assert!(granted.saturating_duration_since(freed) < MAX_POLL * 2);
    end(next).await;
    end(held).await;
}

#[tokio::test]
async fn rule_6_connections_that_are_cut_are_made_again_by_who_waits() {
    let server = redis();
    let (one, other) = (redis_locks(&server), redis_locks(&server));
    let held = one.lock("a", TTL).await.expect("free");
    let waits = other.lock("a", TTL);
    let ends = async {
        sleep(Duration::from_millis(100)).await;
        say(&server, &["CLIENT", "KILL", "TYPE", "normal"]).await;
        say(&server, &["CLIENT", "KILL", "TYPE", "pubsub"]).await;
        // Kept over a connection made anew.
        sleep(TTL / 2).await;
        assert!(held.is_held() && one.metrics().renewals > 0, "{:?}", one.metrics());
        end(held).await;
        Instant::now()
    };
    let (next, freed) = tokio::join!(waits, ends);
    end(next.expect("granted")).await;
    assert!(freed.elapsed() < MAX_POLL * 2);
}

#[tokio::test]
async fn a_redis_that_was_killed_has_lost_its_locks_and_the_holder_learns_it() {
    let mut server = redis();
    let (one, other) = (redis_locks(&server), redis_locks(&server));
    let undone = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&undone);
    let work = one.with_lock("a", TTL, async |lease| {
        lease.on_lost(async move {
            counted.fetch_add(1, SeqCst);
        });
        server.kill().expect("killed");
        server.start_again().expect("started");
        // This is what a lock in Redis cannot prevent: another is let in before we know.
        end(other.try_lock("a", TTL).await.expect("asked").expect("the key is gone")).await;
        assert_eq!(undone.load(SeqCst), 0);
        held_until_lost(lease).await
    });
    let begun = Instant::now();
    assert_lost(work.await, "refused");
    assert!(begun.elapsed() < TTL, "with the next renewal");
    assert_eq!(undone.load(SeqCst), 1);
}

#[tokio::test]
async fn a_redis_that_was_killed_keeps_its_locks_if_it_writes_each_down() {
    let server = TestServer::redis().arg("--appendonly").arg("yes");
    let mut server = server.arg("--appendfsync").arg("always").start().expect("a Redis");
    let (one, other) = (redis_locks(&server), redis_locks(&server));
    let work = one.with_lock("a", TTL * 2, async |lease| {
        server.kill().expect("killed");
        server.start_again().expect("started");
        assert!(other.try_lock("a", TTL).await.expect("asked").is_none());
        eventually("a renewal", async || one.metrics().renewals > 1).await;
        lease.ensure_held()
    });
    work.await.expect("held throughout");
    assert!(!is_taken(&server, "a").await);
}

#[tokio::test]
async fn a_redis_that_stands_still_costs_the_lock_before_its_time_is_over() {
    let server = redis();
    let locks = redis_locks(&server);
    let begun = Instant::now();
    let work = locks.with_lock("a", TTL / 2, async |lease| {
        server.pause().expect("paused");
        let held = lease.clone();
        lease.on_lost(async move { assert!(!held.is_held()) });
        lease.defer(async move {
            let lost_after = begun.elapsed();
            if lost_after < TTL / 2 { Ok(()) } else { Err(format!("{lost_after:?}")) }
        });
        held_until_lost(lease).await
    });
    assert_lost(work.await, "unrenewed");
    server.resume().expect("resumed");
    let again = timeout(TTL, locks.lock("a", TTL)).await.expect("in time").expect("granted");
    end(again).await;
    assert!(locks.metrics().unknown_renewals > 0 && locks.metrics().lost == 1);
}

#[tokio::test]
async fn a_server_that_is_not_there_is_an_error_that_says_which() {
    let mut server = redis();
    let locks: LockManager = redis_locks(&server);
    server.stop().expect("stopped");
    let error = locks.try_lock("a", TTL).await.expect_err("nothing listens");
    assert!(error.is_retryable());
    assert_eq!(error.context("server"), Some(&*server.address().to_string()), "{error}");
}
