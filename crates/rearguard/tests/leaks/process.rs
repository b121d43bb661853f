//! What is the process's: descriptors, threads.

use std::{
    fs::File,
    io::Read as _,
    net::{TcpListener, TcpStream},
    sync::mpsc,
    thread,
};

use rearguard::testing::{LeakGuard, LeakKind, TestServer};

use crate::{assert_one, guard};

#[tokio::test]
async fn a_connection_is_named_by_its_addresses() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let guard = guard().await;
    let there = listener.local_addr().unwrap();
    let stream = TcpStream::connect(there).unwrap();
    let here = stream.local_addr().unwrap();
    let leaks = guard.check().await.unwrap_err();
    let told = format!("TCP connection from {here} to {there} (established)");
    assert_one(&leaks, LeakKind::Descriptor, &[&told]);
}

#[tokio::test]
async fn a_connection_that_the_other_side_has_closed_is_told_as_such() {
    let guard = guard().await;
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut stream = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    drop(listener.accept().unwrap());
    drop(listener);
    assert_eq!(stream.read(&mut [0]).unwrap(), 0);
    let leaks = guard.check().await.unwrap_err();
    assert_one(&leaks, LeakKind::Descriptor, &["close wait: the other side has closed"]);
    drop(stream);
}

#[tokio::test]
async fn a_listener_is_named_by_its_address() {
    let guard = guard().await;
    let listener =
        TcpListener::bind("[::1]:0").or_else(|_| TcpListener::bind("127.0.0.1:0")).unwrap();
    let leaks = guard.check().await.unwrap_err();
    let told = format!("TCP listener on {}", listener.local_addr().unwrap());
    assert_one(&leaks, LeakKind::Descriptor, &[&told]);
}

#[tokio::test]
async fn a_file_is_named_by_its_path() {
    let guard = guard().await;
    let path = std::env::current_exe().unwrap();
    let files = [File::open(&path).unwrap(), File::open(&path).unwrap()];
    let leaks = guard.check().await.unwrap_err();
    let told = format!("2 of file {}", path.display());
    assert_one(&leaks, LeakKind::Descriptor, &[&told]);
    drop(files);
}

#[tokio::test]
async fn a_thread_is_named() {
    let guard = guard().await;
    let (stop, stopped) = mpsc::channel::<()>();
    let body = move || stopped.recv().is_ok();
    let worker = thread::Builder::new().name("resizer".to_owned()).spawn(body).unwrap();
    let leaks = guard.check().await.unwrap_err();
    assert_one(&leaks, LeakKind::Thread, &["thread `resizer`"]);
    drop(stop);
    worker.join().unwrap();
}

#[tokio::test]
async fn a_server_that_was_started_and_dropped_leaves_nothing() {
    let guard = LeakGuard::exclusive().await;
    let server = TestServer::redis().start().unwrap();
    let stream = tokio::net::TcpStream::connect(server.address()).await.unwrap();
    drop((stream, server));
    guard.finish().await;
}
