//! The classic: whatever happens between deducting and adding, the sum stays.

use std::time::Duration;

use axum::http::StatusCode;
use tokio::{task::JoinSet, time::timeout};

use crate::{
    database::sessions,
    eventually,
    http::Browser,
    shop::{Servers, Shop},
};

#[tokio::test]
async fn a_transfer_that_fails_at_any_point_moves_nothing() {
    let servers = Servers::start();
    let (shop, browser) = (Shop::start_with(&servers, 2000), Browser::new());
    let before = shop.accounts(&browser).await;
    let url = shop.url("accounts/transfer?from=ada&to=ben&amount=700");
    for (fail, expected) in [
        ("between", StatusCode::INTERNAL_SERVER_ERROR),
        ("panic", StatusCode::INTERNAL_SERVER_ERROR),
        ("timeout", StatusCode::GATEWAY_TIMEOUT),
    ] {
        let answer = browser.post(&format!("{url}&fail={fail}")).await;
        assert_eq!(answer.status, expected, "{fail}: {answer:?}");
        assert_eq!(shop.accounts(&browser).await, before, "{fail}");
    }
    // The client leaves while its transaction is open.
    let url_of_cancel = format!("{url}&fail=cancel");
    let mut waiting = Box::pin(browser.post(&url_of_cancel));
    eventually("a transaction is open", async || {
        drop(timeout(Duration::from_millis(20), &mut waiting).await);
        sessions(&servers.postgres.url()).await.in_transaction == 1
    })
    .await;
    drop(waiting);
    shop.at_rest(&browser).await;
    assert_eq!(sessions(&servers.postgres.url()).await.in_transaction, 0);
    assert_eq!(shop.accounts(&browser).await, before);
    assert_eq!(browser.post(&url).await.status, StatusCode::OK);
    let after = shop.accounts(&browser).await;
    assert_eq!(after["sum"], before["sum"]);
    assert_eq!(after["accounts"]["ben"], 1_000_700);
}

#[tokio::test]
async fn transfers_that_cross_each_other_all_get_through() {
    let servers = Servers::start();
    let (shop, browser) = (Shop::start(&servers), Browser::new());
    let before = shop.accounts(&browser).await;
    let mut transfers = JoinSet::new();
    for index in 0..50 {
        let (from, to) = if index % 2 == 0 { ("ada", "ben") } else { ("ben", "ada") };
        let url = shop.url(&format!("accounts/transfer?from={from}&to={to}&amount=1"));
        let browser = browser.clone();
        transfers.spawn(async move { browser.post(&url).await.status });
    }
    for status in transfers.join_all().await {
        assert_eq!(status, StatusCode::OK);
    }
    assert_eq!(shop.accounts(&browser).await, before);
}

#[tokio::test]
async fn what_cannot_be_transferred_is_refused_with_why() {
    let servers = Servers::start();
    let (shop, browser) = (Shop::start(&servers), Browser::new());
    for (query, status, words) in [
        ("from=ada&to=ben&amount=0", StatusCode::BAD_REQUEST, "expected cents"),
        ("from=ada&to=ben&amount=99999999", StatusCode::CONFLICT, "covered"),
        ("from=ada&to=eve&amount=1", StatusCode::NOT_FOUND, "no account \"eve\""),
    ] {
        let answer = browser.post(&shop.url(&format!("accounts/transfer?{query}"))).await;
        assert_eq!(answer.status, status, "{answer:?}");
        assert!(answer.body.contains(words), "{answer:?}");
    }
    assert_eq!(shop.accounts(&browser).await["accounts"]["ada"], 1_000_000);
}
