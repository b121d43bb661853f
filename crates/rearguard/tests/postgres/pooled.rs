use std::time::Duration;

use rearguard::{
    Error,
    pool::{Options, Pool},
    postgres::{PgManager, TransactionOptions, transaction},
    testing::{Run, at_every_poll},
};
use tokio::time::{Instant, sleep, timeout};

use crate::support::{BOUND, Database, balances, has, transfer};

const OPTIONS: TransactionOptions = TransactionOptions::new();

/// With one connection, so that the next borrower has the one before.
fn pool(database: &Database) -> Pool<PgManager> {
    Pool::new(database.manager(), Options::new("test").max_size(1)).unwrap()
}

async fn insert(pool: &Pool<PgManager>, name: &str) -> Result<u64, Error> {
    transaction(pool, OPTIONS, async |tx| {
        tx.execute("INSERT INTO names VALUES ($1)", &[&name]).await
    })
    .await
}

/// Waits until all connections are back.
async fn back(pool: &Pool<PgManager>) {
    let begin = Instant::now();
    while pool.snapshot().in_use > 0 {
        assert!(begin.elapsed() < BOUND, "{:?}", pool.snapshot());
        sleep(Duration::from_millis(1)).await;
    }
}

#[tokio::test]
async fn dropped_at_any_poll_no_slot_is_lost_and_the_next_borrower_is_clean() {
    let database = Database::new().await;
    let (watcher, client) = (database.watcher().await, database.plain().await);
    let pool = pool(&database);
    let mut number = 0;
    let polls = at_every_poll(
        || async {
            let done = transaction(&pool, OPTIONS, async |mut tx| -> Result<(), Error> {
                transfer(&tx, 1).await?;
                tx.savepoint(async |tx| tx.batch_execute("SELECT pg_sleep(0.005)").await).await
            });
            done.await.unwrap();
        },
        |run| {
            number += 1;
            let name = format!("after {number}");
            let (pool, watcher, client) = (&pool, &watcher, &client);
            async move {
                timeout(BOUND, insert(pool, &name)).await.unwrap().unwrap();
                assert!(has(client, &name).await, "{run:?}");
                watcher.quiet().await;
                back(pool).await;
                let (from, to) = balances(client).await;
                assert_eq!(from + to, 1000, "{run:?}");
                assert!(run == Run::Finished || watcher.sessions().await <= 2, "{run:?}");
            }
        },
    );
    let polls = polls.await;
    assert!(polls > 8, "{polls} polls: too few to be the whole of it");
}

#[tokio::test]
async fn a_begin_by_hand_does_not_reach_the_next_borrower() {
    let database = Database::new().await;
    let pool = pool(&database);
    {
        let mut lease = pool.get().await.unwrap();
        let client = lease.client().await.unwrap();
        client.batch_execute("BEGIN; INSERT INTO names VALUES ('swallowed')").await.unwrap();
    }
    insert(&pool, "next").await.unwrap();
    let client = database.plain().await;
    assert!(has(&client, "next").await);
    assert!(!has(&client, "swallowed").await);
}

#[tokio::test]
async fn a_slow_query_by_hand_that_was_dropped_does_not_hold_up_the_next_borrower() {
    let database = Database::new().await;
    let watcher = database.watcher().await;
    let pool = pool(&database);
    {
        let mut lease = pool.get().await.unwrap();
        let client = lease.client().await.unwrap();
        tokio::select! {
            _ = client.batch_execute("SELECT pg_sleep(600)") => unreachable!(),
            _ = watcher.running("pg_sleep(600)") => {}
        }
    }
    timeout(Duration::from_secs(5), insert(&pool, "next")).await.unwrap().unwrap();
    watcher.quiet().await;
}

#[tokio::test]
async fn a_connection_used_past_a_transaction_costs_no_round_trip_to_come_back() {
    let database = Database::new().await;
    let pool = pool(&database);
    let mut lease = pool.get().await.unwrap();
    lease.client().await.unwrap().batch_execute("SELECT 1").await.unwrap();
    let before = lease.round_trips().await;
    drop(lease);
    let mut lease = pool.get().await.unwrap();
    assert_eq!(lease.round_trips().await, before);
}

#[tokio::test]
async fn many_at_once_move_money_and_the_sum_stays() {
    let database = Database::new().await;
    let pool = Pool::new(database.manager(), Options::new("test").max_size(4)).unwrap();
    let tasks: Vec<_> = (0..16)
        .map(|number| {
            let pool = pool.clone();
            tokio::spawn(async move {
                let pool = &pool;
                let cents = i64::from(number % 5) - 2;
                let limit = Duration::from_millis(5 + 10 * number as u64);
                let work = transaction(pool, OPTIONS, |tx| async move {
                    let moved = transfer(&tx, cents).await;
                    assert!(number != 7, "injected");
                    moved
                });
                // Some are dropped, one panics.
                drop(timeout(limit, work).await);
            })
        })
        .collect();
    for task in tasks {
        drop(task.await);
    }
    back(&pool).await;
    database.watcher().await.quiet().await;
    let (from, to) = balances(&database.plain().await).await;
    assert_eq!(from + to, 1000);
    pool.close(BOUND).await;
}
