//! Three servers, of which a majority must agree.

use std::time::Duration;

use rearguard::{
    Error, ErrorKind, Outcome,
    lock::{LockManager, LockOptions, RedisQuorumStore},
    testing::TestServer,
};
use tokio::time::{Instant, sleep};

use crate::support::{assert_lost, eventually, held_until_lost, is_taken, redis};

const TTL: Duration = Duration::from_secs(3);

fn quorum(servers: &[TestServer]) -> LockManager {
    let urls = servers.iter().map(TestServer::url);
    LockManager::new(RedisQuorumStore::new(urls).expect("addresses"))
}

fn three() -> [TestServer; 3] {
    [redis(), redis(), redis()]
}

#[tokio::test]
async fn a_majority_holds_excludes_and_hands_on_without_a_token() {
    let servers = three();
    let (one, other) = (quorum(&servers), quorum(&servers));
    let held = one.lock("a", TTL).await.expect("free");
    assert_eq!(held.token(), None);
    assert!(other.try_lock("a", TTL).await.expect("asked").is_none());
    let waits = other.with_lock("a", TTL, async |_| Ok::<_, Error>(Instant::now()));
    let ends = async {
        sleep(Duration::from_millis(50)).await;
        assert!(held.release(Outcome::Succeeded).await.is_clean());
        Instant::now()
    };
    let (granted, freed) = tokio::join!(waits, ends);
    assert!(granted.expect("granted").saturating_duration_since(freed) < TTL);
    for server in &servers {
        assert!(!is_taken(server, "a").await);
    }
}

#[tokio::test]
async fn the_loss_of_a_minority_is_survived_that_of_a_majority_is_not() {
    let mut servers = three();
    let locks = quorum(&servers);
    servers[0].kill().expect("killed");
    let held = locks.lock("a", TTL).await.expect("two are enough");
    servers[1].pause().expect("paused");
    assert_eq!(held.lost().await.map(|loss| loss.as_str()), Some("unrenewed"));
    assert!(held.release(Outcome::Failed).await.is_clean());
    let brief = locks.with_options(LockOptions::new().wait(Duration::from_millis(300)));
    let error = brief.lock("b", TTL).await.expect_err("one is not enough");
    assert_eq!(error.kind(), ErrorKind::QueueTimedOut, "{error}");
    // What the one had granted was released there.
    assert!(!is_taken(&servers[2], "b").await);
    servers[1].resume().expect("resumed");
    let again = locks.lock("b", TTL).await.expect("two again");
    assert!(again.release(Outcome::Succeeded).await.is_clean());
}

#[tokio::test]
async fn a_majority_that_has_forgotten_is_a_loss() {
    let mut servers = three();
    let locks = quorum(&servers);
    let work = locks.with_lock("a", TTL, async |lease| {
        for server in &mut servers[..2] {
            server.kill().expect("killed");
            server.start_again().expect("started");
        }
        held_until_lost(lease).await
    });
    assert_lost(work.await, "refused");
}

#[tokio::test]
async fn of_those_who_split_the_votes_one_gets_the_lock_soon() {
    let servers = three();
    let all: Vec<_> = (0..6).map(|_| quorum(&servers)).collect();
    let begun = Instant::now();
    let workers = all.into_iter().map(|locks| {
        tokio::spawn(async move {
            let work = locks.with_lock("a", TTL, async |lease| {
                sleep(Duration::from_millis(5)).await;
                lease.ensure_held()
            });
            work.await
        })
    });
    for worker in workers.collect::<Vec<_>>() {
        worker.await.expect("no panic").expect("its turn came");
    }
    assert!(begun.elapsed() < TTL * 3);
    eventually("the end", async || !is_taken(&servers[0], "a").await).await;
}

#[test]
fn an_even_number_of_servers_is_refused() {
    for count in [0, 2, 16, 17] {
        let error = RedisQuorumStore::new(vec!["redis://127.0.0.1"; count]).expect_err("refused");
        assert!(error.to_string().contains("expected: an odd number of servers, at most 15"));
    }
}
