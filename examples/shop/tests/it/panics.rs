//! A panic costs one request.

use axum::{
    body::Bytes,
    http::{Request, StatusCode},
};
use http_body_util::{BodyExt as _, Empty};
use rearguard::client::{ClientOptions, Connection, State};

use crate::{
    http::Browser,
    shop::{Servers, Shop},
};

#[tokio::test]
async fn a_panic_is_answered_with_its_trace_and_the_connection_serves_on() {
    let servers = Servers::start();
    let shop = Shop::start(&servers);
    let url = shop.url("catalog/panic");
    let authority = url.split('/').nth(2).unwrap();
    let connection = Connection::open(authority, &ClientOptions::new()).await.unwrap();
    for _ in 0..3 {
        let trace = "0af7651916cd43dd8448eb211c80319c";
        let request = Request::get(&url)
            .header("traceparent", format!("00-{trace}-b7ad6b7169203331-01"))
            .body(Empty::<Bytes>::new())
            .unwrap();
        let response = connection.send(request).await.unwrap();
        assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
        assert_eq!(response.headers()["rearguard-outcome"], "panicked");
        let body = response.into_body().collect().await.unwrap().to_bytes();
        let body = String::from_utf8_lossy(&body).into_owned();
        assert!(body.contains(trace), "{body}");
        assert_eq!(connection.state(), State::Idle);
    }
    let url = shop.url("catalog/products");
    let request = Request::get(&url).body(Empty::<Bytes>::new()).unwrap();
    assert_eq!(connection.send(request).await.unwrap().status(), StatusCode::OK);
    drop(connection);
    assert_eq!(shop.stats(&Browser::new()).await["layers"]["recovered"], 3);
}
