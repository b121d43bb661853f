//! A slow cleanup, waited for or not.

use crate::{
    http::Browser,
    shop::{Servers, Shop},
};

#[tokio::test]
async fn an_answer_waits_for_what_is_deferred_and_not_for_what_comes_after_it() {
    let servers = Servers::start();
    let (shop, browser) = (Shop::start(&servers), Browser::new());
    let removed = async || shop.stats(&browser).await["receipts_removed"].as_u64().unwrap();
    let url = shop.url("orders/receipt?cleanup=deferred");
    browser.get(&url).await.json();
    assert_eq!(removed().await, 1);
    let url = shop.url("orders/receipt?cleanup=after_response");
    browser.get(&url).await.json();
    assert_eq!(removed().await, 1);
    shop.at_rest(&browser).await;
    assert_eq!(removed().await, 2);
}
