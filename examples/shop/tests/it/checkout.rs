//! A checkout takes all its steps, or none.

use axum::http::StatusCode;
use serde_json::Value;
use tokio::task::JoinSet;

use crate::{
    http::Browser,
    shop::{Servers, Shop},
};

async fn stock(shop: &Shop, browser: &Browser) -> Value {
    browser.get(&shop.url("catalog/products")).await.json()
}

fn key(name: &str) -> [(&str, &str); 1] {
    [("idempotency-key", name)]
}

#[tokio::test]
async fn an_order_is_paid_once_however_often_it_is_sent() {
    let servers = Servers::start();
    let (shop, browser) = (Shop::start(&servers), Browser::new());
    let url = shop.url("orders/checkout?product=tea&count=2&account=ada");
    let mut sent = JoinSet::new();
    for _ in 0..5 {
        let (browser, url) = (browser.clone(), url.clone());
        sent.spawn(async move { browser.post_with(&url, &key("one")).await });
    }
    for answer in sent.join_all().await {
        assert_eq!(answer.json()["paid"], true);
    }
    let accounts = shop.accounts(&browser).await;
    assert_eq!(accounts["accounts"]["ada"], 1_000_000 - 900);
    assert_eq!(accounts["accounts"]["shop"], 900);
    assert_eq!(stock(&shop, &browser).await[2]["stock"], 1_000_000 - 2);
}

#[tokio::test]
async fn a_checkout_that_fails_after_a_step_undoes_it() {
    let servers = Servers::start();
    let (shop, browser) = (Shop::start_with(&servers, 3000), Browser::new());
    let before = (stock(&shop, &browser).await, shop.accounts(&browser).await);
    let url = shop.url("orders/checkout?product=tea&count=2&account=ada");
    // The payment is made, and then: an error, a panic, no answer in time.
    for (fail, status) in [
        ("between", StatusCode::BAD_GATEWAY),
        ("panic", StatusCode::BAD_GATEWAY),
        ("timeout", StatusCode::GATEWAY_TIMEOUT),
    ] {
        let answer = browser.post_with(&format!("{url}&fail={fail}"), &key("two")).await;
        assert_eq!(answer.status, status, "{fail}: {answer:?}");
        shop.at_rest(&browser).await;
        let after = (stock(&shop, &browser).await, shop.accounts(&browser).await);
        assert_eq!(after, before, "{fail}");
    }
    // The same key, and now it works.
    let answer = browser.post_with(&url, &key("two")).await.json();
    assert_eq!((&answer["paid"], &answer["attempt"]), (&true.into(), &4.into()));
}

#[tokio::test]
async fn what_is_not_there_or_not_covered_is_refused_and_leaves_nothing() {
    let servers = Servers::start();
    let (shop, browser) = (Shop::start(&servers), Browser::new());
    let before = (stock(&shop, &browser).await, shop.accounts(&browser).await);
    for (query, status, words) in [
        ("product=pot&count=51&account=ada", StatusCode::CONFLICT, "in_stock"),
        ("product=cup&count=500&account=shop", StatusCode::CONFLICT, "covered"),
        ("product=hat&count=1&account=ada", StatusCode::NOT_FOUND, "no product \"hat\""),
        ("product=a%20b&count=1&account=ada", StatusCode::BAD_REQUEST, "product: expected"),
    ] {
        let url = shop.url(&format!("orders/checkout?{query}"));
        let answer = browser.post_with(&url, &key("three")).await;
        assert_eq!(answer.status, status, "{answer:?}");
        assert!(answer.body.contains(words), "{answer:?}");
    }
    let url = shop.url("orders/checkout?product=tea&count=1&account=ada");
    assert!(browser.post(&url).await.body.contains("Idempotency-Key: expected"));
    shop.at_rest(&browser).await;
    assert_eq!((stock(&shop, &browser).await, shop.accounts(&browser).await), before);
}
