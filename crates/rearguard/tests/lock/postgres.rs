//! Leases in PostgreSQL.

use std::time::Duration;

use rearguard::{
    Error, ErrorKind, Outcome,
    lock::{FencingToken, LockManager, MAX_POLL, PostgresStore, TokenSource},
    testing::TestServer,
};
use tokio::time::{Instant, sleep};

use crate::support::{
    PATIENCE, assert_lost, client, connect, database, eventually, held_until_lost, postgres,
    postgres_store,
};

const TTL: Duration = Duration::from_secs(3);

async fn locks(server: &TestServer) -> LockManager {
    LockManager::new(postgres_store(server).await)
}

#[tokio::test]
async fn one_holds_and_the_next_is_told() {
    let server = postgres();
    let (one, other) = (locks(&server).await, locks(&server).await);
    let mut quickest = PATIENCE;
    for _ in 0..5 {
        let held = one.lock("told", TTL).await.expect("free");
        assert!(other.try_lock("told", TTL).await.expect("asked").is_none());
        let waits = other.lock("told", TTL);
        let ends = async {
            sleep(Duration::from_millis(50)).await;
            assert!(held.release(Outcome::Succeeded).await.is_clean());
            Instant::now()
        };
        let (next, freed) = tokio::join!(waits, ends);
        quickest = quickest.min(freed.elapsed());
        assert!(next.expect("granted").release(Outcome::Succeeded).await.is_clean());
    }
    assert!(quickest < MAX_POLL / 4, "told, not found by asking: {quickest:?}");
}

#[tokio::test]
async fn rule_4_each_grant_has_a_greater_token() {
    let server = postgres();
    let workers = (0..4).map(|_| {
        let server = server.clone();
        tokio::spawn(async move {
            let (locks, mut tokens) = (locks(&server).await, Vec::new());
            for _ in 0..25 {
                let work = locks.with_lock("tokens", TTL, async |lease| {
                    Ok::<_, Error>((Instant::now(), lease.require_token()?))
                });
                tokens.push(work.await.expect("its turn came"));
            }
            tokens
        })
    });
    let mut tokens = Vec::new();
    for worker in workers.collect::<Vec<_>>() {
        tokens.extend(worker.await.expect("no panic"));
    }
    tokens.sort();
    assert!(tokens.windows(2).all(|pair| pair[0].1 < pair[1].1), "{tokens:?}");
}

#[tokio::test]
async fn rule_5_tokens_and_locks_outlive_a_crash_of_the_server() {
    // With fsync off, as it is here, they outlive the process's death; with it on, the machine's.
    let mut server = TestServer::postgres().start().expect("a PostgreSQL");
    let store = postgres_store(&server).await;
    let locks = LockManager::new(store.clone());
    let drawn = store.draw().await.expect("a token");
    let work = locks.with_lock("crash", TTL * 4, async |lease| {
        assert!(lease.require_token()? > drawn);
        server.kill().expect("killed");
        server.start_again().expect("started");
        let other = LockManager::new(postgres_store(&server).await);
        assert!(other.try_lock("crash", TTL).await?.is_none(), "it is still held");
        eventually("a renewal", async || locks.metrics().renewals > 0).await;
        lease.require_token()
    });
    let token: FencingToken = work.await.expect("held throughout");
    assert!(store.draw().await.expect("a token") > token);
}

#[tokio::test]
async fn rule_2_a_lease_that_has_expired_is_not_taken_again_under_its_token() {
    let server = postgres();
    let (locks, behind) = (locks(&server).await, client(&server).await);
    let work = locks.with_lock("expired", TTL, async |lease| {
        let expire =
            "UPDATE rearguard_locks SET expires_at = clock_timestamp() WHERE name = 'expired'";
        assert_eq!(behind.execute(expire, &[]).await.expect("expired"), 1);
        held_until_lost(lease).await
    });
    assert_lost(work.await, "refused");
    let row = behind.query_one("SELECT owner FROM rearguard_locks WHERE name = 'expired'", &[]);
    assert_eq!(row.await.expect("the row stays").get::<_, Option<String>>(0), None);
}

#[tokio::test]
async fn a_session_that_is_ended_by_the_server_costs_no_lock() {
    let server = postgres();
    let url = database(&server, "session").await;
    let store = PostgresStore::new(&url).expect("an address");
    store.install().await.expect("installed");
    let (locks, behind) = (LockManager::new(store), connect(&url).await);
    let work = locks.with_lock("session", TTL, async |lease| {
        let end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
            WHERE pid <> pg_backend_pid() AND datname = 'session'";
        behind.execute(end, &[]).await.expect("ended");
        eventually("renewals", async || locks.metrics().renewals > 1).await;
        lease.ensure_held()
    });
    work.await.expect("held throughout");
}

#[tokio::test]
async fn it_is_installed_by_several_at_a_time_and_missed_with_a_hint() {
    let server = postgres();
    let url = database(&server, "installed").await;
    let store = PostgresStore::new(&url).expect("an address");
    let error = LockManager::new(store).try_lock("a", TTL).await.expect_err("no table");
    assert!(error.to_string().contains("do this once: PostgresStore::install"), "{error}");
    assert!(!error.is_retryable());
    let installs = (0..8).map(|_| {
        let store = PostgresStore::new(&url).expect("an address");
        tokio::spawn(async move { store.install().await })
    });
    for install in installs.collect::<Vec<_>>() {
        install.await.expect("no panic").expect("installed");
    }
}

#[tokio::test]
async fn rows_that_nobody_uses_are_purged_and_held_ones_are_not() {
    let server = postgres();
    let url = database(&server, "purged").await;
    let store = PostgresStore::new(&url).expect("an address");
    store.install().await.expect("installed");
    let locks = LockManager::new(store.clone());
    let held = locks.lock("held", TTL).await.expect("free");
    for name in ["a", "b"] {
        let work = locks.with_lock(name, TTL, async |_| Ok::<_, Error>(()));
        work.await.expect("free");
    }
    assert_eq!(store.purge(PATIENCE).await.expect("purged"), 0);
    assert_eq!(store.purge(Duration::ZERO).await.expect("purged"), 2);
    assert!(held.release(Outcome::Succeeded).await.is_clean());
    let error = PostgresStore::new("an address").expect_err("none");
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
}
