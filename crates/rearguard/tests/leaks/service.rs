//! What a service takes: locks, connections. Against real servers.

use std::time::Duration;

use http_body_util::Empty;
use rearguard::{
    Error, Outcome,
    client::{Client, ClientOptions},
    lock::{LockManager, RedisStore},
    pool::{Options, Pool},
    postgres::PgManager,
    testing::{LeakGuard, LeakKind, TestServer},
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpListener,
};

use crate::{assert_has, guard};

const TTL: Duration = Duration::from_secs(5);

#[tokio::test]
async fn a_connection_that_was_not_given_back_is_named_by_who_borrowed_it() {
    let guard = guard().await;
    let postgres = TestServer::postgres().start().unwrap();
    let manager = PgManager::parse(&postgres.url()).unwrap();
    let pool = Pool::new(manager, Options::new("orders")).unwrap();
    let (lease, line) = (pool.get().await.unwrap(), line!());
    let address = postgres.address();
    let leaks = guard.check().await.unwrap_err();
    let place = format!("left behind: connection to orders, borrowed at {}:{line}", file!());
    assert!(leaks.to_string().contains(&place), "{leaks}");
    assert_has(&leaks, LeakKind::Lease, &[" s ago"]);
    assert_has(&leaks, LeakKind::Descriptor, &[&format!("to {address} (established)")]);
    drop(lease);
    assert!(pool.close(TTL).await.holders.is_empty());
}

#[tokio::test]
async fn a_pool_that_is_closed_leaves_nothing() {
    let guard = LeakGuard::exclusive().await;
    let postgres = TestServer::postgres().start().unwrap();
    let manager = PgManager::parse(&postgres.url()).unwrap();
    let pool = Pool::new(manager, Options::new("orders")).unwrap();
    let leases = [pool.get().await.unwrap(), pool.get().await.unwrap()];
    drop(leases);
    pool.close(TTL).await;
    drop((pool, postgres));
    guard.finish().await;
}

#[tokio::test]
async fn a_lock_that_stays_taken_is_named_by_its_place() {
    let guard = guard().await;
    let redis = TestServer::redis().start().unwrap();
    let locks = LockManager::new(RedisStore::new(redis.url()).unwrap());
    let (lease, line) = (locks.lock("orders/7", TTL).await.unwrap(), line!());
    let leaks = guard.check().await.unwrap_err();
    let place = format!("lock `orders/7`, taken at {}:{line}", file!());
    assert_has(&leaks, LeakKind::Lock, &[&place, " s ago"]);
    assert!(lease.release(Outcome::Succeeded).await.is_clean());
}

#[tokio::test]
async fn a_lock_that_is_released_leaves_nothing() {
    let guard = LeakGuard::exclusive().await;
    let redis = TestServer::redis().start().unwrap();
    let locks = LockManager::new(RedisStore::new(redis.url()).unwrap());
    let worked: Result<(), Error> = locks.with_lock("orders/7", TTL, async |_| Ok(())).await;
    worked.unwrap();
    drop((locks, redis));
    guard.finish().await;
}

/// Answers one request, and keeps the connection until its other end is closed.
async fn serve_one(listener: TcpListener) {
    let (mut stream, _) = listener.accept().await.unwrap();
    let mut request = [0; 1024];
    assert!(stream.read(&mut request).await.unwrap() > 0);
    stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await.unwrap();
    assert_eq!(stream.read(&mut request).await.unwrap(), 0);
}

#[tokio::test]
async fn a_client_that_is_not_closed_is_named_by_whom_it_is_connected_to() {
    let guard = guard().await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let server = tokio::spawn(serve_one(listener));
    let client = Client::new(ClientOptions::new());
    let request = http::Request::get(format!("http://{address}/"));
    let request = request.body(Empty::<axum::body::Bytes>::new()).unwrap();
    drop(client.send(request).await.unwrap());
    let leaks = guard.check().await.unwrap_err();
    assert_has(&leaks, LeakKind::Connection, &[&format!("HTTP connection to {address}")]);
    assert_has(&leaks, LeakKind::Descriptor, &[&format!("to {address} (established)")]);
    assert_eq!(client.close(TTL).await, 0);
    server.await.unwrap();
}

#[tokio::test]
async fn a_client_that_is_closed_leaves_nothing() {
    let guard = LeakGuard::exclusive().await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let server = tokio::spawn(serve_one(listener));
    let client = Client::new(ClientOptions::new());
    let request = http::Request::get(url).body(Empty::<axum::body::Bytes>::new()).unwrap();
    drop(client.send(request).await.unwrap());
    assert_eq!(client.close(TTL).await, 0);
    server.await.unwrap();
    guard.finish().await;
}
