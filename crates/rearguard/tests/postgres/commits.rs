//! Connections that break during COMMIT, and how it is settled what became of it.

use std::{cell::Cell, time::Duration};

use rearguard::{
    Error, ErrorKind,
    postgres::{PgConnection, TransactionOptions, stats, transaction},
    testing::TestServer,
};
use tokio::time::sleep;

use crate::{
    proxy::{Cut, Proxy},
    support::{Database, accounts, balances, plain, transfer},
};

/// A body that is not run again shows what became of the one attempt.
const ONCE: TransactionOptions = TransactionOptions::new().max_attempts(1);

async fn server_of(database: &Database) -> Proxy {
    let address = database.url().split(['@', '/']).nth(3).unwrap();
    Proxy::start(address.parse().unwrap()).await
}

async fn cut(database: &Database, cut: Cut, options: TransactionOptions) -> Result<u32, Error> {
    let proxy = server_of(database).await;
    let mut connection = PgConnection::connect(&proxy.url(database.url())).await.unwrap();
    proxy.cut(cut);
    let attempts = Cell::new(0);
    transaction(&mut connection, options, async |tx| -> Result<(), Error> {
        attempts.set(attempts.get() + 1);
        transfer(&tx, 100).await
    })
    .await?;
    // The connection goes on, as another one.
    transaction(&mut connection, options, async |tx| tx.batch_execute("SELECT 1").await).await?;
    Ok(attempts.get())
}

/// A name that is inserted with `test.hang` on holds up its COMMIT.
const HANGING_COMMIT: &str = "CREATE FUNCTION hang() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        IF current_setting('test.hang', true) = 'on' THEN PERFORM pg_sleep(600); END IF;
        RETURN NULL; END $$;
    CREATE CONSTRAINT TRIGGER hang AFTER INSERT ON names DEFERRABLE INITIALLY DEFERRED
        FOR EACH ROW EXECUTE FUNCTION hang()";

#[tokio::test]
async fn a_commit_that_hangs_is_cancelled_and_its_answer_counts() {
    let database = Database::new().await;
    database.plain().await.batch_execute(HANGING_COMMIT).await.unwrap();
    let mut connection = database.connection().await;
    let options = ONCE.commit_timeout(Duration::from_millis(100));
    let done = transaction(&mut connection, options, async |tx| {
        tx.batch_execute("SET LOCAL test.hang = on").await?;
        tx.execute("INSERT INTO names VALUES ('Ada')", &[]).await
    });
    assert_eq!(done.await.unwrap_err().kind(), ErrorKind::Cancelled);
    transaction(&mut connection, ONCE, async |tx| tx.batch_execute("SELECT 1").await)
        .await
        .unwrap();
}

#[tokio::test]
async fn cut_before_the_commit_arrived_it_is_rolled_back() {
    let database = Database::new().await;
    let before = stats().unknown_rolled_back;
    cut(&database, Cut::Before, ONCE).await.unwrap_err();
    assert!(stats().unknown_rolled_back > before);
    assert_eq!(balances(&database.plain().await).await, (500, 500));
}

#[tokio::test]
async fn cut_before_the_commit_arrived_it_is_run_again() {
    let database = Database::new().await;
    let attempts = cut(&database, Cut::Before, TransactionOptions::new()).await.unwrap();
    assert_eq!(attempts, 2);
    assert_eq!(balances(&database.plain().await).await, (400, 600));
}

#[tokio::test]
async fn one_that_is_still_in_progress_is_waited_for() {
    let database = Database::new().await;
    let late = Cut::BeforeLate(Duration::from_millis(200));
    cut(&database, late, ONCE).await.unwrap_err();
    // Had it been taken for rolled back at once, it might be open still.
    assert!(database.watcher().await.busy().await.is_empty());
    assert_eq!(balances(&database.plain().await).await, (500, 500));
}

#[tokio::test]
async fn cut_after_the_commit_it_is_committed_once() {
    let database = Database::new().await;
    let before = stats().unknown_committed;
    let attempts = cut(&database, Cut::After, TransactionOptions::new()).await.unwrap();
    assert_eq!(attempts, 1);
    assert!(stats().unknown_committed > before);
    assert_eq!(balances(&database.plain().await).await, (400, 600));
}

#[tokio::test]
async fn one_that_wrote_nothing_needs_no_settling_and_is_run_again() {
    let database = Database::new().await;
    let proxy = server_of(&database).await;
    let mut connection = PgConnection::connect(&proxy.url(database.url())).await.unwrap();
    proxy.cut(Cut::After);
    let attempts = Cell::new(0);
    transaction(&mut connection, TransactionOptions::new(), async |tx| -> Result<(), Error> {
        attempts.set(attempts.get() + 1);
        tx.query("SELECT cents FROM accounts", &[]).await.map(drop)
    })
    .await
    .unwrap();
    assert_eq!(attempts.get(), 2);
}

#[tokio::test]
async fn what_was_written_past_us_is_settled_too() {
    let database = Database::new().await;
    let proxy = server_of(&database).await;
    let mut connection = PgConnection::connect(&proxy.url(database.url())).await.unwrap();
    proxy.cut(Cut::After);
    let attempts = Cell::new(0);
    transaction(&mut connection, TransactionOptions::new(), async |tx| -> Result<(), Error> {
        attempts.set(attempts.get() + 1);
        let client = tx.client().await?;
        Ok(client.batch_execute("UPDATE accounts SET cents = cents + 1 WHERE id = 1").await?)
    })
    .await
    .unwrap();
    assert_eq!(attempts.get(), 1);
    assert_eq!(balances(&database.plain().await).await, (501, 500));
}

#[tokio::test]
async fn a_future_that_is_dropped_during_the_commit_is_settled_all_the_same() {
    let database = Database::new().await;
    let proxy = server_of(&database).await;
    let mut connection = PgConnection::connect(&proxy.url(database.url())).await.unwrap();
    proxy.cut(Cut::After);
    let before = stats().unknown_committed;
    {
        let body = transaction(&mut connection, ONCE, async |tx| transfer(&tx, 100).await);
        let committing = async {
            while proxy.kept() == 0 {
                sleep(Duration::from_millis(1)).await;
            }
        };
        tokio::select! {
            biased;
            () = committing => {}
            done = body => drop(done),
        }
    }
    transaction(&mut connection, ONCE, async |tx| tx.batch_execute("SELECT 1").await)
        .await
        .unwrap();
    assert!(stats().unknown_committed > before);
    assert_eq!(balances(&database.plain().await).await, (400, 600));
}

#[tokio::test]
async fn a_server_killed_in_the_middle_of_a_commit_has_rolled_back() {
    let mut server = TestServer::postgres().start().unwrap();
    let client = plain(&server.url()).await;
    accounts(&client).await;
    let mut connection = PgConnection::connect(&server.url()).await.unwrap();
    client.batch_execute(HANGING_COMMIT).await.unwrap();
    let attempts = Cell::new(0);
    let work = transaction(&mut connection, TransactionOptions::new(), async |tx| {
        attempts.set(attempts.get() + 1);
        if attempts.get() == 1 {
            tx.batch_execute("SET LOCAL test.hang = on").await?;
        }
        transfer(&tx, 100).await?;
        tx.execute("INSERT INTO names VALUES ('Ada')", &[]).await
    });
    let crash = async {
        let hangs = "SELECT 1 FROM pg_stat_activity WHERE query = 'COMMIT' AND state = 'active'";
        while client.query_opt(hangs, &[]).await.unwrap().is_none() {
            sleep(Duration::from_millis(5)).await;
        }
        server.kill().unwrap();
        server.start_again().unwrap();
    };
    let (done, ()) = tokio::join!(work, crash);
    done.unwrap();
    assert_eq!(attempts.get(), 2);
    assert_eq!(balances(&plain(&server.url()).await).await, (400, 600));
}

#[tokio::test]
async fn a_server_killed_after_a_commit_that_nobody_heard_of_has_committed() {
    let mut server = TestServer::postgres().start().unwrap();
    accounts(&plain(&server.url()).await).await;
    let proxy = Proxy::start(server.address()).await;
    let mut connection = PgConnection::connect(&proxy.url(&server.url())).await.unwrap();
    proxy.cut(Cut::Hold);
    let work = transaction(&mut connection, ONCE, async |tx| transfer(&tx, 100).await);
    let crash = async {
        while proxy.kept() == 0 {
            sleep(Duration::from_millis(1)).await;
        }
        server.kill().unwrap();
        server.start_again().unwrap();
    };
    let (done, ()) = tokio::join!(work, crash);
    done.unwrap();
    assert_eq!(balances(&plain(&server.url()).await).await, (400, 600));
}

#[tokio::test]
async fn a_conflict_at_the_commit_is_not_taken_for_unknown() {
    let database = Database::new().await;
    let before = stats().unknown_unsettled;
    let sql = "CREATE TABLE owners (name text REFERENCES names DEFERRABLE INITIALLY DEFERRED)";
    database.plain().await.batch_execute(sql).await.unwrap();
    let mut connection = database.connection().await;
    let done = transaction(&mut connection, ONCE, async |tx| {
        tx.execute("INSERT INTO owners VALUES ('nobody')", &[]).await
    });
    assert_eq!(done.await.unwrap_err().kind(), ErrorKind::ConstraintViolated);
    assert_eq!(stats().unknown_unsettled, before);
}
