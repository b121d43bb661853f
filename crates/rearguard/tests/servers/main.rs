//! The servers for tests: they answer, are killed, paused and started again, and leave nothing.

use std::{
    io::{Read as _, Write as _},
    net::TcpStream,
    path::Path,
    time::Duration,
};

use rearguard::testing::TestServer;

fn ask_redis(server: &TestServer, question: &str) -> Option<String> {
    let mut stream = TcpStream::connect(server.address()).ok()?;
    stream.set_read_timeout(Some(Duration::from_millis(200))).ok()?;
    stream.write_all(question.as_bytes()).ok()?;
    let mut answer = [0; 64];
    let length = stream.read(&mut answer).ok()?;
    Some(String::from_utf8_lossy(&answer[..length]).into_owned())
}

#[test]
fn each_kind_starts_answers_and_leaves_nothing() {
    for builder in [TestServer::postgres(), TestServer::redis(), TestServer::nats()] {
        let server = builder.start().unwrap();
        let (folder, pid) = (server.folder().to_owned(), server.pid().unwrap());
        assert!(TcpStream::connect(server.address()).is_ok());
        assert!(folder.is_dir());
        let address = server.address();
        drop(server);
        assert!(!folder.exists());
        assert!(!Path::new(&format!("/proc/{pid}")).exists());
        assert!(TcpStream::connect(address).is_err());
    }
}

#[test]
fn a_killed_server_comes_back_with_what_it_had_written() {
    let mut server = TestServer::redis().arg("--appendonly").arg("yes").start().unwrap();
    assert_eq!(ask_redis(&server, "SET key value\r\n").unwrap(), "+OK\r\n");
    server.kill().unwrap();
    assert_eq!(ask_redis(&server, "PING\r\n"), None);
    server.start_again().unwrap();
    assert_eq!(ask_redis(&server, "GET key\r\n").unwrap(), "$5\r\nvalue\r\n");
}

#[test]
fn a_paused_server_is_silent_until_it_goes_on() {
    let server = TestServer::redis().start().unwrap();
    server.pause().unwrap();
    assert_eq!(ask_redis(&server, "PING\r\n"), None);
    server.resume().unwrap();
    assert_eq!(ask_redis(&server, "PING\r\n").unwrap(), "+PONG\r\n");
}

#[test]
fn what_does_not_come_up_says_what_the_server_said() {
    let error = TestServer::redis().arg("--no-such-option").start().unwrap_err();
    assert!(error.context("it said").unwrap().contains("no-such-option"), "{error}");
}
