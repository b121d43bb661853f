//! Other connections, as other processes have them.

use std::time::{Duration, Instant};

use rearguard::{Error, ErrorKind, sqlite::transaction, testing::drop_after};
use tokio::time::timeout;

use crate::support::{BOUND, Database, OPTIONS, insert, transfer};

#[tokio::test]
async fn a_writer_elsewhere_is_waited_for() {
    let database = Database::new();
    let connection = database.connection();
    let other = database.plain();
    other.execute_batch("BEGIN IMMEDIATE; UPDATE accounts SET cents = 1 WHERE id = 2").unwrap();
    let (done, ()) = tokio::join!(transaction(&connection, OPTIONS, |tx| transfer(tx, 1)), async {
        tokio::time::sleep(Duration::from_millis(200)).await;
        other.execute_batch("COMMIT").unwrap();
    });
    done.unwrap();
    assert_eq!(database.balances(), (499, 2));
}

#[tokio::test]
async fn a_writer_elsewhere_is_waited_for_no_longer_than_the_deadline() {
    let database = Database::new();
    let connection = database.connection();
    let other = database.plain();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let begin = Instant::now();
    let options = OPTIONS.deadline(Duration::from_millis(100));
    let error = transaction(&connection, options, |tx| transfer(tx, 1)).await.unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Conflict | ErrorKind::DeadlinePassed), "{error}");
    assert!(begin.elapsed() < BOUND);
    other.execute_batch("COMMIT").unwrap();
    insert(&connection, "next").await.unwrap();
}

#[tokio::test]
async fn dropped_while_it_waits_for_a_writer_elsewhere_it_stops_waiting() {
    let database = Database::new();
    let connection = database.connection();
    let other = database.plain();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    drop_after(1, transaction(&connection, OPTIONS, |tx| transfer(tx, 1))).await;
    // Its turn comes although the other one still writes.
    let read = transaction(&connection, OPTIONS.read_only(), |tx| -> Result<i64, Error> {
        Ok(tx.query_row("SELECT sum(cents) FROM accounts", [], |row| row.get(0))?)
    });
    assert_eq!(timeout(Duration::from_secs(5), read).await.unwrap().unwrap(), 1000);
    other.execute_batch("COMMIT").unwrap();
    assert_eq!(database.balances(), (500, 500));
}

#[tokio::test]
async fn many_at_once_by_two_connections_all_get_through() {
    let database = Database::new();
    let connections = [database.connection(), database.connection()];
    let tasks: Vec<_> = (0..32)
        .map(|number| {
            let connection = connections[number % 2].clone();
            let cents = if number % 4 < 2 { 3 } else { -3 };
            tokio::spawn(async move {
                transaction(&connection, OPTIONS, move |tx| transfer(tx, cents)).await
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap().unwrap();
    }
    assert_eq!(database.balances(), (500, 500));
}
