//! A lock that is dropped at every point of its life leaves nothing behind.

use std::{fmt::Write, time::Duration};

use rearguard::{
    Error, Outcome,
    lock::{LockManager, RedisQuorumStore},
    testing::at_every_poll,
};
use tokio::{
    runtime::Handle,
    task::yield_now,
    time::{Instant, sleep},
};

use crate::support::{PATIENCE, eventually, postgres, postgres_store, reaped, redis, redis_locks};

/// So long that no lock just expires while a test runs.
const TTL: Duration = Duration::from_secs(300);

async fn work(locks: LockManager) -> Result<(), Error> {
    locks
        .with_lock("a", TTL, async |lease| {
            lease.defer(async { yield_now().await });
            yield_now().await;
            sleep(Duration::from_millis(1)).await;
            lease.ensure_held()
        })
        .await
}

/// The same after having waited for another.
async fn contended(locks: LockManager, other: LockManager) -> Result<(), Error> {
    let held = other.lock("a", TTL).await?;
    let ends = async {
        sleep(Duration::from_millis(3)).await;
        held.release(Outcome::Succeeded).await
    };
    tokio::join!(work(locks), ends).0
}

async fn leaves_nothing_behind(locks: LockManager, other: LockManager) {
    // Connected.
    work(locks.clone()).await.expect("free");
    work(other.clone()).await.expect("free");
    reaped().await;
    let tasks = || Handle::current().metrics().num_alive_tasks();
    let before = tasks();
    let check = || {
        let locks = locks.clone();
        async move {
            reaped().await;
            let begun = Instant::now();
            let free = locks.try_lock("a", TTL).await.expect("asked").expect("not stuck");
            assert!(free.release(Outcome::Succeeded).await.is_clean());
            assert!(begun.elapsed() < PATIENCE && locks.holders().is_empty());
            eventually("the end of all tasks", async || tasks() <= before).await;
        }
    };
    let mut polls = String::new();
    let count = at_every_poll(|| work(locks.clone()), |_| check()).await;
    write!(polls, "{count} alone").expect("written");
    let count = at_every_poll(|| contended(locks.clone(), other.clone()), |_| check()).await;
    write!(polls, ", {count} contended").expect("written");
    // An acquisition and a release wait once each at the least.
    assert!(count >= 5, "polls: {polls}");
}

#[tokio::test]
async fn a_lock_in_redis_dropped_at_every_poll_leaves_nothing_behind() {
    let server = redis();
    leaves_nothing_behind(redis_locks(&server), redis_locks(&server)).await;
}

#[tokio::test]
async fn a_lock_of_a_quorum_dropped_at_every_poll_leaves_nothing_behind() {
    let servers = [redis(), redis(), redis()];
    let quorum = || {
        let urls = servers.iter().map(|server| server.url());
        LockManager::new(RedisQuorumStore::new(urls).expect("addresses"))
    };
    leaves_nothing_behind(quorum(), quorum()).await;
}

#[tokio::test]
async fn a_lock_in_postgres_dropped_at_every_poll_leaves_nothing_behind() {
    let server = postgres();
    let locks = async || LockManager::new(postgres_store(&server).await);
    leaves_nothing_behind(locks().await, locks().await).await;
}
