//! SIGTERM: what is under way gets to its end, and nothing is left.

use rustix::process::Signal;

use crate::{
    database::{Sessions, sessions},
    eventually,
    http::Browser,
    shop::{Servers, Shop},
};

#[tokio::test]
async fn a_shop_that_is_told_to_stop_answers_cleans_up_and_leaves_nothing() {
    let servers = Servers::start();
    let (shop, browser) = (Shop::start_with(&servers, 2000), Browser::new());
    // One whose cleanup comes after the answer, one whose answer waits for its cleanup.
    browser.get(&shop.url("orders/receipt?cleanup=after_response")).await.json();
    let url = shop.url("orders/receipt?cleanup=deferred");
    let under_way = tokio::spawn({
        let browser = browser.clone();
        async move { browser.get(&url).await }
    });
    // And one that holds a transaction until it is told to stop.
    let url = shop.url("accounts/transfer?from=ada&to=ben&amount=1&fail=timeout");
    let held = tokio::spawn({
        let browser = browser.clone();
        async move { browser.post(&url).await }
    });
    eventually("a transaction is open", async || {
        sessions(&servers.postgres.url()).await.in_transaction == 1
    })
    .await;
    shop.signal(Signal::TERM);
    assert!(under_way.await.unwrap().status.is_success());
    assert_eq!(held.await.unwrap().status, 504);
    let (status, last) = shop.ended();
    assert!(status.success(), "{status}");
    assert_eq!(last, "stopped: nothing left");
    let rest = Sessions { all: 0, in_transaction: 0 };
    eventually("no session is left", async || sessions(&servers.postgres.url()).await == rest)
        .await;
}
