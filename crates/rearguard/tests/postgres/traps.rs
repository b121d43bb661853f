//! What goes wrong elsewhere, by the number it has in the list of traps, and not here.

use std::time::Duration;

use rearguard::{
    Error, ErrorKind,
    postgres::{TransactionOptions, transaction},
    testing::drop_after,
};
use tokio::time::timeout;

use crate::support::{BOUND, Database, balances, has, insert};

const OPTIONS: TransactionOptions = TransactionOptions::new();

#[tokio::test]
async fn one_a_commit_that_was_a_rollback_is_an_error() {
    let database = Database::new().await;
    let mut connection = database.connection().await;
    let done = transaction(&mut connection, OPTIONS, async |tx| -> Result<(), Error> {
        tx.execute("INSERT INTO names VALUES ('lost')", &[]).await?;
        drop(tx.batch_execute("SELECT 1/0").await);
        Ok(())
    });
    let error = done.await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::RolledBack);
    assert_eq!(error.context("sqlstate"), Some("22012"));
    assert!(!has(&database.plain().await, "lost").await);
    insert(&mut connection, "next").await.unwrap();
}

#[tokio::test]
async fn one_a_commit_that_the_body_sent_itself_is_an_error() {
    let database = Database::new().await;
    let mut connection = database.connection().await;
    for sql in ["COMMIT", "ROLLBACK"] {
        let done = transaction(&mut connection, OPTIONS, async |tx| tx.batch_execute(sql).await);
        assert_eq!(done.await.unwrap_err().kind(), ErrorKind::InvalidInput, "{sql}");
        // Sent, and not waited for.
        let done = transaction(&mut connection, OPTIONS, async |tx| -> Result<(), Error> {
            let client = tx.client().await?;
            drop_after(1, client.batch_execute(sql)).await;
            Ok(())
        });
        assert_eq!(done.await.unwrap_err().kind(), ErrorKind::InvalidInput, "{sql}");
    }
}

#[tokio::test]
async fn two_a_begin_that_was_dropped_does_not_swallow_the_next_insert() {
    let database = Database::new().await;
    let client = database.plain().await;
    let mut connection = database.connection().await;
    for polls in 1..6 {
        let begun = transaction(&mut connection, OPTIONS, async |tx| tx.batch_execute("").await);
        drop_after(polls, begun).await;
        let name = format!("after {polls}");
        insert(&mut connection, &name).await.unwrap();
        assert!(has(&client, &name).await);
    }
}

#[tokio::test]
async fn two_a_begin_by_hand_is_seen() {
    let database = Database::new().await;
    let mut connection = database.connection().await;
    connection.client().await.unwrap().batch_execute("BEGIN").await.unwrap();
    let refused = insert(&mut connection, "swallowed").await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::InvalidInput);
    connection.client().await.unwrap().batch_execute("ROLLBACK").await.unwrap();
    insert(&mut connection, "next").await.unwrap();
    assert!(has(&database.plain().await, "next").await);
}

#[tokio::test]
async fn three_a_query_by_hand_that_was_dropped_is_cancelled_before_the_next() {
    let database = Database::new().await;
    let watcher = database.watcher().await;
    let mut connection = database.connection().await;
    {
        let client = connection.client().await.unwrap();
        tokio::select! {
            _ = client.batch_execute("SELECT pg_sleep(600)") => unreachable!(),
            _ = watcher.running("pg_sleep(600)") => {}
        }
    }
    timeout(BOUND, insert(&mut connection, "next")).await.unwrap().unwrap();
    drop(connection);
    watcher.quiet().await;
}

#[tokio::test]
async fn three_a_connection_that_is_dropped_with_a_query_cancels_it() {
    let database = Database::new().await;
    let watcher = database.watcher().await;
    let mut connection = database.connection().await;
    {
        let client = connection.client().await.unwrap();
        tokio::select! {
            _ = client.batch_execute("SELECT pg_sleep(600)") => unreachable!(),
            _ = watcher.running("pg_sleep(600)") => {}
        }
    }
    drop(connection);
    timeout(Duration::from_secs(5), watcher.quiet()).await.unwrap();
}

/// A late cancel would kill the query of whoever is next.
#[tokio::test]
async fn six_a_cancel_never_hits_who_is_next() {
    let database = Database::new().await;
    let mut connection = database.connection().await;
    for round in 0..60 {
        let body = transaction(&mut connection, OPTIONS, async |tx| {
            tx.batch_execute("SELECT pg_sleep(0.01)").await
        });
        // Some end by themselves at the very moment.
        drop(timeout(Duration::from_micros(9_000 + round * 50), body).await);
        transaction(&mut connection, OPTIONS, async |tx| {
            tx.batch_execute("SELECT pg_sleep(0.002)").await
        })
        .await
        .unwrap();
    }
    assert_eq!(balances(&database.plain().await).await, (500, 500));
}

/// The question for the transaction's number is a statement that was prepared with the session.
#[tokio::test]
async fn a_session_whose_statements_were_dropped_by_hand_goes_on() {
    let database = Database::new().await;
    let mut connection = database.connection().await;
    connection.client().await.unwrap().batch_execute("DISCARD ALL").await.unwrap();
    insert(&mut connection, "first").await.unwrap();
    insert(&mut connection, "second").await.unwrap();
    assert!(has(&database.plain().await, "second").await);
}
