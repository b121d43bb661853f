use std::{cell::RefCell, future::pending, rc::Rc, time::Duration};

use rearguard::{
    CallContext, Error, ErrorKind,
    postgres::{TransactionOptions, open_transactions, transaction},
    testing::{Run, at_every_poll},
};
use tokio::time::timeout;

use crate::support::{BOUND, Database, balances, has, insert, transfer};

const OPTIONS: TransactionOptions = TransactionOptions::new();

#[tokio::test]
async fn a_body_that_succeeds_is_committed() {
    let database = Database::new().await;
    let mut connection = database.connection().await;
    let done = transaction(&mut connection, OPTIONS, async |tx| transfer(&tx, 200).await).await;
    done.unwrap();
    assert_eq!(balances(&database.plain().await).await, (300, 700));
}

#[tokio::test]
async fn a_body_that_fails_is_rolled_back_and_its_error_comes_as_it_is() {
    #[derive(Debug)]
    enum Refused {
        Poor(i64),
        Other(Error),
    }
    impl From<Error> for Refused {
        fn from(error: Error) -> Self {
            Self::Other(error)
        }
    }
    let database = Database::new().await;
    let mut connection = database.connection().await;
    let done: Result<(), Refused> = transaction(&mut connection, OPTIONS, async |tx| {
        transfer(&tx, 200).await?;
        Err(Refused::Poor(7))
    })
    .await;
    match done.unwrap_err() {
        Refused::Poor(cents) => assert_eq!(cents, 7),
        Refused::Other(error) => panic!("{error}"),
    }
    assert_eq!(balances(&database.plain().await).await, (500, 500));
    insert(&mut connection, "next").await.unwrap();
}

#[tokio::test]
async fn a_transaction_can_be_spawned_with_a_body_that_borrows() {
    let database = Database::new().await;
    let mut connection = database.connection().await;
    let name = String::from("Ada");
    let task = tokio::spawn(async move {
        let name = &name;
        transaction(&mut connection, OPTIONS, |mut tx| async move {
            tx.savepoint(async |tx| tx.execute("INSERT INTO names VALUES ($1)", &[name]).await)
                .await
        })
        .await
    });
    let done: Result<u64, Error> = task.await.unwrap();
    assert_eq!(done.unwrap(), 1);
    assert!(has(&database.plain().await, "Ada").await);
}

#[tokio::test]
async fn dropped_at_any_poll_it_is_done_or_undone_and_the_next_is_clean() {
    let database = Database::new().await;
    let (watcher, client) = (database.watcher().await, database.plain().await);
    let connection = Rc::new(RefCell::new(Some(database.connection().await)));
    let mut number = 0;
    let polls = at_every_poll(
        || {
            let connection = connection.clone();
            async move {
                let mut taken = Lent { connection: connection.take(), home: connection.clone() };
                let connection = taken.connection.as_mut().unwrap();
                transaction(connection, OPTIONS, async |mut tx| -> Result<(), Error> {
                    transfer(&tx, 1).await?;
                    tx.savepoint(async |tx| {
                        tx.batch_execute("SELECT 1; SELECT pg_sleep(0.005)").await
                    })
                    .await
                })
                .await
                .unwrap();
            }
        },
        |run| {
            number += 1;
            let name = format!("after {number}");
            let (watcher, client, home) = (&watcher, &client, connection.clone());
            async move {
                // The next borrower, at once: it waits until the session is back.
                let mut connection = home.take().unwrap();
                timeout(BOUND, insert(&mut connection, &name)).await.unwrap().unwrap();
                assert!(has(client, &name).await, "{run:?}");
                *home.borrow_mut() = Some(connection);
                watcher.quiet().await;
                let (from, to) = balances(client).await;
                assert_eq!(from + to, 1000, "{run:?}");
                assert!(run == Run::Finished || watcher.sessions().await <= 3, "{run:?}");
            }
        },
    )
    .await;
    assert!(polls > 8, "{polls} polls: too few to be the whole of it");
}

/// Puts a connection back where it was taken from.
struct Lent {
    connection: Option<rearguard::postgres::PgConnection>,
    home: Rc<RefCell<Option<rearguard::postgres::PgConnection>>>,
}

impl Drop for Lent {
    fn drop(&mut self) {
        *self.home.borrow_mut() = self.connection.take();
    }
}

#[tokio::test]
async fn a_query_whose_future_is_dropped_is_cancelled_on_the_server() {
    let database = Database::new().await;
    let watcher = database.watcher().await;
    let mut connection = database.connection().await;
    let body = transaction(&mut connection, OPTIONS, async |tx| -> Result<(), Error> {
        tx.execute("UPDATE accounts SET cents = 0", &[]).await?;
        tx.batch_execute("SELECT pg_sleep(600)").await
    });
    tokio::select! {
        done = body => panic!("{done:?}"),
        _ = watcher.running("pg_sleep(600)") => {}
    }
    timeout(Duration::from_secs(5), watcher.quiet()).await.unwrap();
    insert(&mut connection, "next").await.unwrap();
    assert_eq!(balances(&database.plain().await).await, (500, 500));
}

#[tokio::test]
async fn a_connection_dropped_with_its_transaction_leaves_nothing_on_the_server() {
    let database = Database::new().await;
    let watcher = database.watcher().await;
    let mut connection = database.connection().await;
    {
        let body = transaction(&mut connection, OPTIONS, async |tx| -> Result<(), Error> {
            tx.batch_execute("SELECT pg_sleep(600)").await
        });
        tokio::select! {
            done = body => panic!("{done:?}"),
            _ = watcher.running("pg_sleep(600)") => {}
        }
    }
    drop(connection);
    timeout(Duration::from_secs(5), watcher.quiet()).await.unwrap();
}

#[tokio::test]
async fn past_the_deadline_it_is_rolled_back_and_says_so() {
    let database = Database::new().await;
    let watcher = database.watcher().await;
    let mut connection = database.connection().await;
    let options = OPTIONS.deadline(Duration::from_millis(100));
    let done = transaction(&mut connection, options, async |tx| -> Result<(), Error> {
        tx.execute("UPDATE accounts SET cents = 0", &[]).await?;
        tx.batch_execute("SELECT pg_sleep(600)").await
    })
    .await;
    assert_eq!(done.unwrap_err().kind(), ErrorKind::DeadlinePassed);
    watcher.quiet().await;
    assert_eq!(balances(&database.plain().await).await, (500, 500));
    insert(&mut connection, "next").await.unwrap();
}

#[tokio::test]
async fn the_deadline_of_the_request_counts() {
    let database = Database::new().await;
    let mut connection = database.connection().await;
    let done = CallContext::new()
        .within(Duration::from_millis(50))
        .scope(transaction(&mut connection, OPTIONS, async |_| -> Result<(), Error> {
            pending().await
        }))
        .await;
    assert_eq!(done.unwrap_err().kind(), ErrorKind::DeadlinePassed);
}

#[tokio::test]
async fn a_body_without_a_statement_is_committed_and_one_that_fails_is_not() {
    let database = Database::new().await;
    let mut connection = database.connection().await;
    let done = transaction(&mut connection, OPTIONS, async |_| Ok::<_, Error>(7)).await;
    assert_eq!(done.unwrap(), 7);
    let failed = transaction(&mut connection, OPTIONS, async |_| -> Result<(), Error> {
        Err(Error::new(ErrorKind::Failed, "test"))
    });
    assert_eq!(failed.await.unwrap_err().operation(), "test");
    insert(&mut connection, "next").await.unwrap();
}

#[tokio::test]
async fn an_open_transaction_is_listed_until_it_ends() {
    let database = Database::new().await;
    let mut connection = database.connection().await;
    let listed = || open_transactions().iter().any(|open| open.name == "is listed");
    transaction(&mut connection, OPTIONS.named("is listed"), async |_| -> Result<(), Error> {
        assert!(listed());
        Ok(())
    })
    .await
    .unwrap();
    assert!(!listed());
}

#[tokio::test]
async fn one_that_is_prepared_takes_no_more_round_trips_than_by_hand() {
    let database = Database::new().await;
    let mut connection = database.connection().await;
    let sql = "UPDATE accounts SET cents = cents + 1 WHERE id = 1";
    let statement = connection.client().await.unwrap().prepare(sql).await.unwrap();
    let before = connection.round_trips().await;
    transaction(&mut connection, OPTIONS, async |tx| tx.execute(&statement, &[]).await)
        .await
        .unwrap();
    // BEGIN, UPDATE with the question for the number right behind it, COMMIT.
    assert_eq!(connection.round_trips().await - before, 4);
}

#[tokio::test]
async fn a_body_that_keeps_its_transaction_is_rolled_back() {
    let database = Database::new().await;
    let watcher = database.watcher().await;
    let mut connection = database.connection().await;
    let kept = transaction(&mut connection, OPTIONS, async |tx| -> Result<_, Error> {
        tx.execute("INSERT INTO names VALUES ('kept')", &[]).await?;
        Ok(tx)
    });
    assert_eq!(kept.await.unwrap_err().kind(), ErrorKind::InvalidInput);
    watcher.quiet().await;
    assert!(!has(&database.plain().await, "kept").await);
    insert(&mut connection, "next").await.unwrap();
}
