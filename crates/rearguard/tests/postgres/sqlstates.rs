//! Each row of the table, produced by a server.

use std::{cell::Cell, time::Duration};

use rearguard::{
    Error, ErrorKind,
    postgres::{Isolation, PgConnection, TransactionOptions, sqlstate_of, stats, transaction},
};
use tokio::{sync::Barrier, time::sleep};

use crate::support::{Database, balances, insert};

const OPTIONS: TransactionOptions = TransactionOptions::new();
const REPEATABLE: TransactionOptions = OPTIONS.isolation(Isolation::RepeatableRead);
const SERIALIZABLE: TransactionOptions = OPTIONS.isolation(Isolation::Serializable);

fn code(error: &Error) -> String {
    sqlstate_of(error).map(|state| state.to_string()).unwrap_or_default()
}

#[tokio::test]
async fn serialization_failure_in_the_body_is_run_again() {
    let database = Database::new().await;
    let other = database.plain().await;
    let mut connection = database.connection().await;
    let attempts = Cell::new(0);
    transaction(&mut connection, REPEATABLE, async |tx| -> Result<(), Error> {
        attempts.set(attempts.get() + 1);
        tx.query("SELECT cents FROM accounts", &[]).await?;
        if attempts.get() == 1 {
            other
                .batch_execute("UPDATE accounts SET cents = cents + 1 WHERE id = 1")
                .await
                .unwrap();
        }
        tx.execute("UPDATE accounts SET cents = cents + 10 WHERE id = 1", &[]).await.map(drop)
    })
    .await
    .unwrap();
    assert_eq!(attempts.get(), 2);
    assert_eq!(balances(&other).await, (511, 500));
}

/// Two that read each other's account and write their own: whoever commits last must fail.
async fn write_skew(
    database: &Database,
    options: TransactionOptions,
    conflicts: u32,
) -> (Result<(), Error>, u32) {
    let other = database.plain().await;
    let mut connection = database.connection().await;
    let attempts = Cell::new(0);
    let done = transaction(&mut connection, options, async |tx| -> Result<(), Error> {
        attempts.set(attempts.get() + 1);
        tx.query("SELECT cents FROM accounts WHERE id = 2", &[]).await?;
        tx.execute("UPDATE accounts SET cents = cents + 10 WHERE id = 1", &[]).await?;
        if attempts.get() <= conflicts {
            let sql = "BEGIN ISOLATION LEVEL SERIALIZABLE; SELECT cents FROM accounts WHERE id = 1;
                UPDATE accounts SET cents = cents + 1 WHERE id = 2; COMMIT";
            other.batch_execute(sql).await.unwrap();
        }
        Ok(())
    })
    .await;
    (done, attempts.get())
}

#[tokio::test]
async fn serialization_failure_at_commit_is_run_again() {
    let database = Database::new().await;
    let (done, attempts) = write_skew(&database, SERIALIZABLE, 1).await;
    done.unwrap();
    assert_eq!(attempts, 2);
    assert_eq!(balances(&database.plain().await).await, (510, 501));
}

#[tokio::test]
async fn attempts_are_capped_and_the_error_says_so() {
    let database = Database::new().await;
    let (done, attempts) = write_skew(&database, SERIALIZABLE.max_attempts(3), u32::MAX).await;
    let error = done.unwrap_err();
    assert_eq!((error.kind(), attempts), (ErrorKind::RetriesSpent, 3));
    assert_eq!(error.context("attempts"), Some("3"));
    assert_eq!(code(&error), "40001");
    assert_eq!(balances(&database.plain().await).await, (500, 503));
}

#[tokio::test]
async fn a_serialization_failure_that_the_body_swallowed_is_run_again_too() {
    let database = Database::new().await;
    let other = database.plain().await;
    let mut connection = database.connection().await;
    let attempts = Cell::new(0);
    transaction(&mut connection, REPEATABLE, async |mut tx| -> Result<(), Error> {
        attempts.set(attempts.get() + 1);
        tx.query("SELECT cents FROM accounts", &[]).await?;
        if attempts.get() == 1 {
            other
                .batch_execute("UPDATE accounts SET cents = cents + 1 WHERE id = 1")
                .await
                .unwrap();
        }
        let update = "UPDATE accounts SET cents = cents + 10 WHERE id = 1";
        drop(tx.savepoint(async |tx| tx.execute(update, &[]).await).await);
        drop(tx.execute(update, &[]).await);
        Ok(())
    })
    .await
    .unwrap();
    assert_eq!(attempts.get(), 2);
    assert_eq!(balances(&other).await, (521, 500));
}

#[tokio::test]
async fn of_two_in_a_deadlock_both_get_through() {
    let database = Database::new().await;
    let sql = "ALTER DATABASE %d SET deadlock_timeout = '50ms'";
    let name = database.url().rsplit('/').next().unwrap().to_owned();
    database.plain().await.batch_execute(&sql.replace("%d", &name)).await.unwrap();
    let barrier = Barrier::new(2);
    let before = stats().retries;
    let run = async |from: i32, to: i32| {
        let mut connection = database.connection().await;
        let first = Cell::new(true);
        transaction(&mut connection, OPTIONS, async |tx| -> Result<(), Error> {
            let sql = "UPDATE accounts SET cents = cents + 1 WHERE id = $1";
            tx.execute(sql, &[&from]).await?;
            if first.replace(false) {
                barrier.wait().await;
            }
            tx.execute(sql, &[&to]).await.map(drop)
        })
        .await
    };
    let (one, other) = tokio::join!(run(1, 2), run(2, 1));
    one.unwrap();
    other.unwrap();
    assert!(stats().retries > before);
    assert_eq!(balances(&database.plain().await).await, (502, 502));
}

#[tokio::test]
async fn constraints_are_given_up_also_when_they_wait_for_the_commit() {
    let database = Database::new().await;
    let client = database.plain().await;
    let sql = "CREATE TABLE owners (name text REFERENCES names DEFERRABLE INITIALLY DEFERRED)";
    client.batch_execute(sql).await.unwrap();
    let mut connection = database.connection().await;
    let attempts = Cell::new(0);
    let done = transaction(&mut connection, OPTIONS, async |tx| -> Result<(), Error> {
        attempts.set(attempts.get() + 1);
        tx.execute("INSERT INTO owners VALUES ('nobody')", &[]).await.map(drop)
    });
    let error = done.await.unwrap_err();
    assert_eq!((error.kind(), attempts.get()), (ErrorKind::ConstraintViolated, 1));
    assert_eq!(code(&error), "23503");
    insert(&mut connection, "Ada").await.unwrap();
    let twice = insert(&mut connection, "Ada").await.unwrap_err();
    assert_eq!((twice.kind(), code(&twice)), (ErrorKind::ConstraintViolated, "23505".to_owned()));
}

#[tokio::test]
async fn a_lock_that_cannot_be_had_is_tried_until_it_can() {
    let database = Database::new().await;
    let other = database.plain().await;
    other.batch_execute("BEGIN; UPDATE accounts SET cents = 1 WHERE id = 1").await.unwrap();
    let mut connection = database.connection().await;
    let attempts = Cell::new(0);
    // More often than other errors are run again.
    let options = OPTIONS.lock_timeout(Duration::from_millis(10)).max_attempts(1);
    transaction(&mut connection, options, async |tx| -> Result<(), Error> {
        attempts.set(attempts.get() + 1);
        if attempts.get() == 4 {
            other.batch_execute("COMMIT").await.unwrap();
        }
        tx.execute("UPDATE accounts SET cents = 2 WHERE id = 1", &[]).await.map(drop)
    })
    .await
    .unwrap();
    assert_eq!(attempts.get(), 4);
    assert_eq!(balances(&other).await, (2, 500));
}

#[tokio::test]
async fn a_lock_that_cannot_be_had_in_time_is_given_up() {
    let database = Database::new().await;
    let other = database.plain().await;
    other.batch_execute("BEGIN; UPDATE accounts SET cents = 1 WHERE id = 1").await.unwrap();
    let mut connection = database.connection().await;
    let options =
        OPTIONS.lock_timeout(Duration::from_millis(10)).deadline(Duration::from_millis(300));
    let done = transaction(&mut connection, options, async |tx| -> Result<(), Error> {
        tx.execute("UPDATE accounts SET cents = 2 WHERE id = 1", &[]).await.map(drop)
    });
    let kind = done.await.unwrap_err().kind();
    assert!(matches!(kind, ErrorKind::Conflict | ErrorKind::DeadlinePassed), "{kind}");
    other.batch_execute("ROLLBACK").await.unwrap();
    assert_eq!(balances(&other).await, (500, 500));
}

#[tokio::test]
async fn a_statement_that_the_server_timed_out_is_given_up() {
    let database = Database::new().await;
    let mut connection = database.connection().await;
    let attempts = Cell::new(0);
    let options = OPTIONS.statement_timeout(Duration::from_millis(20));
    let done = transaction(&mut connection, options, async |tx| -> Result<(), Error> {
        attempts.set(attempts.get() + 1);
        tx.batch_execute("SELECT pg_sleep(600)").await
    });
    let error = done.await.unwrap_err();
    assert_eq!((error.kind(), attempts.get()), (ErrorKind::Cancelled, 1));
    assert_eq!(code(&error), "57014");
    insert(&mut connection, "next").await.unwrap();
}

/// A role that may have two connections, which both are taken but for a connection that was lost.
#[tokio::test]
async fn a_server_without_room_is_asked_again_until_it_has_some() {
    let database = Database::new().await;
    let watcher = database.watcher().await;
    let client = database.plain().await;
    let sql = "DROP ROLE IF EXISTS few; CREATE ROLE few LOGIN CONNECTION LIMIT 1;
        GRANT ALL ON ALL TABLES IN SCHEMA public TO few";
    client.batch_execute(sql).await.unwrap();
    let url = database.url().replace("postgres@", "few@");
    let mut connection = PgConnection::connect(&url).await.unwrap();
    let pid: i32 = {
        let client = connection.client().await.unwrap();
        client.query_one("SELECT pg_backend_pid()", &[]).await.unwrap().get(0)
    };
    watcher.terminate(pid).await;
    let taken = loop {
        match PgConnection::connect(&url).await {
            Ok(taken) => break taken,
            Err(error) => assert_eq!(error.kind(), ErrorKind::Overloaded, "{error}"),
        }
    };
    let before = stats().retries;
    let free = async {
        while stats().retries < before + 2 {
            sleep(Duration::from_millis(1)).await;
        }
        taken.close().await;
    };
    let options = OPTIONS.max_attempts(1000);
    let work = transaction(&mut connection, options, async |tx| {
        tx.execute("INSERT INTO names VALUES ('few')", &[]).await
    });
    let (done, ()) = tokio::join!(work, free);
    done.unwrap();
    connection.close().await;
    client.batch_execute("DROP OWNED BY few; DROP ROLE few").await.unwrap();
}

#[tokio::test]
async fn a_session_that_an_administrator_ended_is_run_again_on_another() {
    let database = Database::new().await;
    let watcher = database.watcher().await;
    let mut connection = database.connection().await;
    let attempts = Cell::new(0);
    transaction(&mut connection, OPTIONS, async |tx| -> Result<(), Error> {
        attempts.set(attempts.get() + 1);
        tx.execute("UPDATE accounts SET cents = cents + 1 WHERE id = 1", &[]).await?;
        if attempts.get() == 1 {
            let row = tx.query_one("SELECT pg_backend_pid()", &[]).await?;
            watcher.terminate(row.get(0)).await;
        }
        tx.execute("UPDATE accounts SET cents = cents - 1 WHERE id = 2", &[]).await.map(drop)
    })
    .await
    .unwrap();
    assert_eq!(attempts.get(), 2);
    assert_eq!(balances(&database.plain().await).await, (501, 499));
}

#[tokio::test]
async fn a_server_that_has_become_read_only_is_connected_to_again() {
    let database = Database::new().await;
    let client = database.plain().await;
    let name = database.url().rsplit('/').next().unwrap().to_owned();
    let set = async |value: &str| {
        let sql = format!("ALTER DATABASE {name} SET default_transaction_read_only = {value}");
        client.batch_execute(&sql).await.unwrap();
    };
    set("on").await;
    let mut connection = database.connection().await;
    set("off").await;
    let attempts = Cell::new(0);
    transaction(&mut connection, OPTIONS, async |tx| -> Result<(), Error> {
        attempts.set(attempts.get() + 1);
        tx.execute("INSERT INTO names VALUES ('Ada')", &[]).await.map(drop)
    })
    .await
    .unwrap();
    assert_eq!(attempts.get(), 2);
    // Where it was to be read only, it is a mistake of the body's.
    let read_only = OPTIONS.read_only();
    let done = transaction(&mut connection, read_only, async |tx| -> Result<(), Error> {
        attempts.set(attempts.get() + 1);
        tx.execute("INSERT INTO names VALUES ('Bob')", &[]).await.map(drop)
    });
    assert_eq!(code(&done.await.unwrap_err()), "25006");
    assert_eq!(attempts.get(), 3);
}

#[tokio::test]
async fn a_body_that_goes_on_after_a_failure_loses_its_connection() {
    let database = Database::new().await;
    let mut connection = database.connection().await;
    let before = stats().connections_discarded;
    let done = transaction(&mut connection, OPTIONS, async |tx| -> Result<(), Error> {
        drop(tx.batch_execute("SELECT 1/0").await);
        tx.batch_execute("SELECT 1").await
    });
    let error = done.await.unwrap_err();
    assert_eq!((error.kind(), code(&error)), (ErrorKind::RolledBack, "25P02".to_owned()));
    assert!(stats().connections_discarded > before);
    insert(&mut connection, "next").await.unwrap();
}

#[tokio::test]
async fn a_session_that_the_server_ended_for_sitting_idle_is_not_run_again() {
    let database = Database::new().await;
    let watcher = database.watcher().await;
    let mut connection = database.connection().await;
    let attempts = Cell::new(0);
    let done = transaction(&mut connection, OPTIONS, async |tx| -> Result<(), Error> {
        attempts.set(attempts.get() + 1);
        tx.batch_execute("SET LOCAL idle_in_transaction_session_timeout = 1").await?;
        while watcher.sessions().await > 0 {
            sleep(Duration::from_millis(1)).await;
        }
        tx.batch_execute("SELECT 1").await
    });
    done.await.unwrap_err();
    assert_eq!(attempts.get(), 1);
    insert(&mut connection, "next").await.unwrap();
}
