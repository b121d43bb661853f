use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use rearguard::{
    CallContext, Error, ErrorKind,
    sqlite::{open_transactions, stats, transaction},
    testing::{Run, at_every_poll, drop_after},
};
use tokio::time::timeout;

use crate::support::{BOUND, Database, OPTIONS, SLOW, insert, transfer};

#[tokio::test]
async fn a_body_that_succeeds_is_committed_and_one_that_fails_is_not() {
    let database = Database::new();
    let connection = database.connection();
    transaction(&connection, OPTIONS, |tx| transfer(tx, 200)).await.unwrap();
    assert_eq!(database.balances(), (300, 700));
    let refused = transaction(&connection, OPTIONS, |tx| -> Result<(), Error> {
        tx.execute("UPDATE accounts SET cents = 7 WHERE id = 2", [])?;
        transfer(tx, 301)
    });
    assert_eq!(refused.await.unwrap_err().kind(), ErrorKind::ConstraintViolated);
    assert_eq!(database.balances(), (300, 700));
}

#[tokio::test]
async fn a_body_that_panics_is_rolled_back_and_the_panic_goes_on() {
    let database = Database::new();
    let connection = database.connection();
    let before = stats().panicked;
    let panicking = connection.clone();
    let task = tokio::spawn(async move {
        transaction(&panicking, OPTIONS, |tx| -> Result<(), Error> {
            transfer(tx, 200)?;
            panic!("injected")
        })
        .await
    });
    assert!(task.await.unwrap_err().is_panic());
    assert!(stats().panicked > before);
    insert(&connection, "next").await.unwrap();
    assert_eq!(database.balances(), (500, 500));
}

#[tokio::test]
async fn past_the_deadline_the_statement_is_interrupted() {
    let database = Database::new();
    let connection = database.connection();
    let begin = Instant::now();
    let options = OPTIONS.deadline(Duration::from_millis(50));
    let done = transaction(&connection, options, |tx| -> Result<i64, Error> {
        transfer(tx, 200)?;
        Ok(tx.query_row(SLOW, [], |row| row.get(0))?)
    });
    assert_eq!(done.await.unwrap_err().kind(), ErrorKind::DeadlinePassed);
    assert!(begin.elapsed() < BOUND);
    insert(&connection, "next").await.unwrap();
    assert_eq!(database.balances(), (500, 500));
}

#[tokio::test]
async fn the_deadline_of_the_request_counts_and_the_body_has_its_context() {
    let database = Database::new();
    let connection = database.connection();
    let context = CallContext::new().within(Duration::from_millis(50));
    let trace = context.trace();
    let work = transaction(&connection, OPTIONS, move |tx| -> Result<i64, Error> {
        assert_eq!(CallContext::current().unwrap().trace(), trace);
        Ok(tx.query_row(SLOW, [], |row| row.get(0))?)
    });
    assert_eq!(context.scope(work).await.unwrap_err().kind(), ErrorKind::DeadlinePassed);
}

#[tokio::test]
async fn dropped_while_a_statement_runs_it_is_interrupted_and_the_next_is_not() {
    let database = Database::new();
    let connection = database.connection();
    for round in 0..50_u64 {
        let running = Arc::new(AtomicUsize::new(0));
        let seen = running.clone();
        let work = transaction(&connection, OPTIONS, move |tx| -> Result<(), Error> {
            transfer(tx, 1)?;
            seen.store(1, Relaxed);
            // Goes on with others after the one that was interrupted.
            loop {
                drop(tx.query_row(SLOW, [], |row| row.get::<_, i64>(0)));
                if seen.fetch_add(1, Relaxed) > 2 {
                    return Ok(());
                }
            }
        });
        let begun = async {
            while running.load(Relaxed) == 0 {
                tokio::task::yield_now().await;
            }
        };
        tokio::select! {
            done = work => panic!("{done:?}"),
            () = begun => {}
        }
        timeout(BOUND, insert(&connection, &format!("after {round}"))).await.unwrap().unwrap();
    }
    assert_eq!(database.balances(), (500, 500));
}

#[tokio::test]
async fn dropped_at_any_poll_it_is_done_or_undone_and_the_next_is_clean() {
    let database = Database::new();
    let connection = database.connection();
    let mut number = 0;
    for _ in 0..20 {
        at_every_poll(
            || async { transaction(&connection, OPTIONS, |tx| transfer(tx, 1)).await.unwrap() },
            |run| {
                number += 1;
                let (connection, database, name) = (&connection, &database, format!("{number}"));
                async move {
                    timeout(BOUND, insert(connection, &name)).await.unwrap().unwrap();
                    assert!(database.has(&name), "{run:?}");
                    let (from, to) = database.balances();
                    assert_eq!(from + to, 1000, "{run:?}");
                }
            },
        )
        .await;
    }
    // Each round got through once; some of those that were dropped had begun to commit.
    assert!(database.balances().0 <= 480);
}

#[tokio::test]
async fn a_transaction_that_waits_for_its_turn_can_be_dropped() {
    let database = Database::new();
    let connection = database.connection();
    let (go, wait) = std::sync::mpsc::channel::<()>();
    let first = transaction(&connection, OPTIONS.named("holds"), move |_| -> Result<(), Error> {
        wait.recv().unwrap();
        Ok(())
    });
    let mut first = std::pin::pin!(first);
    assert_eq!(drop_after(1, first.as_mut()).await, Run::Dropped(1));
    assert!(open_transactions().iter().any(|open| open.name == "holds"));
    let options = OPTIONS.deadline(Duration::from_millis(50));
    let late = transaction(&connection, options, |tx| transfer(tx, 1)).await.unwrap_err();
    assert_eq!(late.kind(), ErrorKind::DeadlinePassed);
    assert_eq!(late.context("during"), Some("waiting for its turn"));
    go.send(()).unwrap();
    first.await.unwrap();
    insert(&connection, "next").await.unwrap();
}

#[tokio::test]
async fn a_body_that_ends_its_transaction_itself_is_told() {
    let database = Database::new();
    let connection = database.connection();
    for sql in ["COMMIT", "ROLLBACK", "INSERT OR ROLLBACK INTO accounts VALUES (1, 1)"] {
        let done = transaction(&connection, OPTIONS, move |tx| -> Result<(), Error> {
            drop(tx.execute_batch(sql));
            Ok(())
        });
        assert_eq!(done.await.unwrap_err().kind(), ErrorKind::RolledBack, "{sql}");
        insert(&connection, sql).await.unwrap();
    }
}

#[tokio::test]
async fn what_is_to_be_read_only_cannot_write() {
    let database = Database::new();
    let connection = database.connection();
    let done = transaction(&connection, OPTIONS.read_only(), |tx| transfer(tx, 1)).await;
    assert_eq!(done.unwrap_err().kind(), ErrorKind::Failed);
    transaction(&connection, OPTIONS, |tx| transfer(tx, 1)).await.unwrap();
    assert_eq!(database.balances(), (499, 501));
}

#[tokio::test]
async fn savepoints_keep_what_succeeds() {
    let database = Database::new();
    let connection = database.connection();
    transaction(&connection, OPTIONS, |tx| -> Result<(), Error> {
        tx.execute("INSERT INTO names VALUES ('outer')", [])?;
        tx.savepoint(|tx| {
            tx.execute("INSERT INTO names VALUES ('kept')", []).map_err(Error::from)
        })?;
        let failed = tx.savepoint(|tx| -> Result<(), Error> {
            tx.savepoint(|tx| {
                tx.execute("INSERT INTO names VALUES ('deeper')", []).map_err(Error::from)
            })?;
            Err(Error::new(ErrorKind::Failed, "test"))
        });
        assert_eq!(failed.unwrap_err().operation(), "test");
        let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            tx.savepoint(|tx| -> Result<(), Error> {
                tx.execute("INSERT INTO names VALUES ('panicked')", [])?;
                panic!("injected")
            })
        }));
        assert!(panicked.is_err());
        Ok(())
    })
    .await
    .unwrap();
    for (name, expected) in
        [("outer", true), ("kept", true), ("deeper", false), ("panicked", false)]
    {
        assert_eq!(database.has(name), expected, "{name}");
    }
}
