//! kill -9 in the middle of transfers: what the database has is whole.

use std::time::Duration;

use axum::http::Method;
use rustix::process::Signal;
use tokio::task::JoinSet;

use crate::{
    database::sessions,
    eventually,
    http::Browser,
    shop::{Servers, Shop},
};

/// How often it is killed.
const KILLS: u32 = 5;

/// How many transfers are under way at a time.
const CLIENTS: usize = 16;

#[tokio::test]
async fn a_shop_that_is_killed_between_deducting_and_adding_loses_no_cent() {
    let servers = Servers::start();
    let (mut done, mut sum) = (0, None);
    for kill in 0..KILLS {
        let (shop, browser) = (Shop::start(&servers), Browser::new());
        let found = shop.accounts(&browser).await["sum"].clone();
        assert_eq!(*sum.get_or_insert_with(|| found.clone()), found, "before kill {kill}");
        let mut clients = JoinSet::new();
        for client in 0..CLIENTS {
            let browser = browser.clone();
            let (from, to) = if client % 2 == 0 { ("ada", "ben") } else { ("ben", "ada") };
            let url = shop.url(&format!("accounts/transfer?from={from}&to={to}&amount=3"));
            clients.spawn(async move {
                let mut done = 0;
                while browser.send(Method::POST, &url, &[]).await.is_ok() {
                    done += 1;
                }
                done
            });
        }
        // Later each time, so that it meets other moments.
        tokio::time::sleep(Duration::from_millis(50 + 37 * u64::from(kill))).await;
        shop.signal(Signal::KILL);
        done += clients.join_all().await.iter().sum::<u32>();
        let (status, _) = shop.ended();
        assert!(!status.success());
        eventually("the server has ended the sessions", async || {
            sessions(&servers.postgres.url()).await.all == 0
        })
        .await;
    }
    assert!(done > 0, "no transfer was under way");
    let (shop, browser) = (Shop::start(&servers), Browser::new());
    assert_eq!(Some(&shop.accounts(&browser).await["sum"]), sum.as_ref());
}
