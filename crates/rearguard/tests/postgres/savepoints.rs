use std::time::Duration;

use rearguard::{
    Error, ErrorKind,
    postgres::{PgConnection, Transaction, TransactionOptions, transaction},
    testing::{Run, drop_after},
};
use tokio::time::timeout;

use crate::support::{Database, has};

const OPTIONS: TransactionOptions = TransactionOptions::new();

async fn add(tx: &Transaction, name: &str) -> Result<(), Error> {
    tx.execute("INSERT INTO names VALUES ($1)", &[&name]).await.map(drop)
}

fn refused() -> Error {
    Error::new(ErrorKind::Failed, "test")
}

#[tokio::test]
async fn what_succeeds_is_kept_and_what_fails_is_not() {
    let database = Database::new().await;
    let mut connection = database.connection().await;
    transaction(&mut connection, OPTIONS, async |mut tx| -> Result<(), Error> {
        add(&tx, "outer").await?;
        tx.savepoint(async |tx| add(tx, "kept").await).await?;
        let failed = tx.savepoint(async |tx| -> Result<(), Error> {
            add(tx, "left").await?;
            tx.savepoint(async |tx| add(tx, "deeper").await).await?;
            Err(refused())
        });
        assert_eq!(failed.await.unwrap_err().operation(), "test");
        // The key is there already: only the savepoint fails.
        let twice = tx.savepoint(async |tx| add(tx, "outer").await).await;
        assert_eq!(twice.unwrap_err().kind(), ErrorKind::ConstraintViolated);
        add(&tx, "last").await
    })
    .await
    .unwrap();
    let client = database.plain().await;
    for (name, expected) in
        [("outer", true), ("kept", true), ("left", false), ("deeper", false), ("last", true)]
    {
        assert_eq!(has(&client, name).await, expected, "{name}");
    }
}

#[tokio::test]
async fn an_error_swallowed_inside_is_an_error_of_the_savepoint() {
    let database = Database::new().await;
    let mut connection = database.connection().await;
    transaction(&mut connection, OPTIONS, async |mut tx| -> Result<(), Error> {
        let done = tx.savepoint(async |tx| {
            drop(tx.batch_execute("SELECT 1/0").await);
            Ok::<_, Error>(())
        });
        let error = done.await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::RolledBack);
        assert_eq!(error.context("sqlstate"), Some("22012"));
        add(&tx, "goes on").await
    })
    .await
    .unwrap();
    assert!(has(&database.plain().await, "goes on").await);
}

/// The transaction goes on after a savepoint whose future was dropped after this many polls.
async fn goes_on_after(connection: &mut PgConnection, polls: usize, name: &str) -> Run {
    transaction(connection, OPTIONS, async |mut tx| -> Result<Run, Error> {
        let inner = tx.savepoint(async |tx| -> Result<(), Error> {
            add(tx, "inside").await?;
            tx.savepoint(async |tx| add(tx, "deeper").await).await?;
            tx.batch_execute("SELECT pg_sleep(0.005)").await
        });
        let run = drop_after(polls, async { inner.await.unwrap() }).await;
        add(&tx, name).await?;
        tx.execute("DELETE FROM names WHERE name IN ('inside', 'deeper')", &[]).await?;
        Ok(run)
    })
    .await
    .unwrap()
}

#[tokio::test]
async fn dropped_at_any_poll_it_is_rolled_back_and_the_transaction_goes_on() {
    let database = Database::new().await;
    let client = database.plain().await;
    let mut connection = database.connection().await;
    for polls in 0.. {
        let name = format!("after {polls}");
        let run = goes_on_after(&mut connection, polls, &name).await;
        assert!(has(&client, &name).await, "{run:?}");
        if run == Run::Finished {
            assert!(polls > 5, "{polls} polls: too few to be the whole of it");
            break;
        }
    }
}

#[tokio::test]
async fn what_was_written_in_a_dropped_savepoint_is_gone() {
    let database = Database::new().await;
    let client = database.plain().await;
    let mut connection = database.connection().await;
    transaction(&mut connection, OPTIONS, async |mut tx| -> Result<(), Error> {
        let inner = tx.savepoint(async |tx| -> Result<(), Error> {
            add(tx, "inside").await?;
            tx.batch_execute("SELECT pg_sleep(600)").await
        });
        assert!(timeout(Duration::from_millis(100), inner).await.is_err());
        add(&tx, "outside").await
    })
    .await
    .unwrap();
    assert!(!has(&client, "inside").await);
    assert!(has(&client, "outside").await);
}

#[tokio::test]
async fn left_behind_by_a_body_that_succeeds_it_is_not_committed() {
    let database = Database::new().await;
    let client = database.plain().await;
    let mut connection = database.connection().await;
    transaction(&mut connection, OPTIONS, async |mut tx| -> Result<(), Error> {
        let inner = tx.savepoint(async |tx| -> Result<(), Error> {
            add(tx, "inside").await?;
            std::future::pending().await
        });
        assert!(timeout(Duration::from_millis(100), inner).await.is_err());
        Ok(())
    })
    .await
    .unwrap();
    assert!(!has(&client, "inside").await);
}
