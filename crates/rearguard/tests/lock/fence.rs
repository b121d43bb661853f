//! The check of a token at a resource.

use rearguard::{
    Error, ErrorKind,
    lock::{FencingToken, fence},
};
use tokio_postgres::{Client, IsolationLevel};

use crate::support::{client, postgres};

async fn pass(client: &mut Client, resource: &str, token: i64) -> Result<(), Error> {
    let transaction = client.transaction().await.expect("begun");
    fence::check(&transaction, resource, FencingToken::new(token)).await?;
    transaction.commit().await.expect("committed");
    Ok(())
}

#[tokio::test]
async fn rule_4_a_resource_refuses_a_token_below_the_highest_it_has_seen() {
    let server = postgres();
    let mut client = client(&server).await;
    fence::install(&client).await.expect("installed");
    pass(&mut client, "r", 33).await.expect("the first");
    pass(&mut client, "r", 33).await.expect("the same again");
    pass(&mut client, "r", 34).await.expect("a newer one");
    let error = pass(&mut client, "r", 33).await.expect_err("an older one");
    assert_eq!(error.kind(), ErrorKind::Fenced);
    assert_eq!((error.context("resource"), error.context("token")), (Some("r"), Some("33")));
    pass(&mut client, "another", 1).await.expect("a resource of its own");
}

#[tokio::test]
async fn what_is_rolled_back_raises_no_fence() {
    let server = postgres();
    let mut client = client(&server).await;
    fence::install(&client).await.expect("installed");
    let transaction = client.transaction().await.expect("begun");
    fence::check(&transaction, "rolled", FencingToken::new(9)).await.expect("passes");
    transaction.rollback().await.expect("rolled back");
    pass(&mut client, "rolled", 8).await.expect("9 was never there");
}

#[tokio::test]
async fn a_check_under_way_holds_up_an_older_one_until_it_is_committed() {
    let server = postgres();
    let (mut newer, mut older) = (client(&server).await, client(&server).await);
    fence::install(&newer).await.expect("installed");
    let transaction = newer.transaction().await.expect("begun");
    fence::check(&transaction, "race", FencingToken::new(2)).await.expect("passes");
    let late = async { pass(&mut older, "race", 1).await.expect_err("older").kind() };
    let commits = async {
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        transaction.commit().await.expect("committed");
    };
    let (kind, ()) = tokio::join!(late, commits);
    assert_eq!(kind, ErrorKind::Fenced);
}

#[tokio::test]
async fn in_a_stricter_transaction_a_race_is_a_conflict_to_be_run_again() {
    let server = postgres();
    let (mut one, mut other) = (client(&server).await, client(&server).await);
    fence::install(&one).await.expect("installed");
    pass(&mut one, "strict", 1).await.expect("the first");
    let begun = one.build_transaction().isolation_level(IsolationLevel::RepeatableRead);
    let transaction = begun.start().await.expect("begun");
    transaction.query("SELECT 1 FROM rearguard_fences", &[]).await.expect("a snapshot");
    pass(&mut other, "strict", 2).await.expect("newer");
    let error = fence::check(&transaction, "strict", FencingToken::new(3)).await;
    let error = error.expect_err("it cannot see the newer one");
    assert!(error.kind() == ErrorKind::Conflict && error.is_retryable(), "{error}");
}
