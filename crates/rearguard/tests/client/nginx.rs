//! A real server, where it is installed: nginx, named by `REARGUARD_NGINX` or on `PATH`.

use std::{
    env, fs,
    net::{SocketAddr, TcpListener, TcpStream},
    path::PathBuf,
    process::{Child, Command, Stdio},
    time::Duration,
};

use rearguard::{
    Guard,
    client::{Client, ClientOptions, Protocol},
    guard,
};

use crate::{ask, get, until, until_quiet};

struct Nginx {
    http1: SocketAddr,
    http2: SocketAddr,
    _process: Guard<Child, fn(Child)>,
    _folder: Guard<PathBuf, fn(PathBuf)>,
}

fn find() -> Option<PathBuf> {
    if let Some(named) = env::var_os("REARGUARD_NGINX") {
        return Some(named.into());
    }
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path).map(|folder| folder.join("nginx")).find(|program| program.is_file())
}

fn free() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

#[expect(clippy::print_stderr, reason = "a test that is skipped says so")]
async fn start() -> Option<Nginx> {
    let Some(program) = find() else {
        eprintln!("skipped: there is no nginx; apt-get install nginx");
        return None;
    };
    let folder = env::temp_dir().join(format!("rearguard-nginx-{}", fastrand::u64(..)));
    fs::create_dir_all(folder.join("logs")).unwrap();
    let (http1, http2) = (free(), free());
    let big = "x".repeat(1000);
    let configuration = format!(
        "daemon off; master_process off; pid nginx.pid; error_log logs/error.log;
        events {{ worker_connections 64; }}
        http {{
            access_log off; client_body_temp_path body; proxy_temp_path proxy;
            fastcgi_temp_path fastcgi; uwsgi_temp_path uwsgi; scgi_temp_path scgi;
            keepalive_requests 10; keepalive_timeout 60s 5s;
            server {{ listen {http1}; location / {{ return 200 \"$uri\"; }} location /big {{ return 200 \"{big}\"; }} }}
            server {{ listen {http2} http2; keepalive_requests 1000; location / {{ return 200 \"$uri\"; }} }}
        }}"
    );
    fs::write(folder.join("nginx.conf"), configuration).unwrap();
    let mut command = Command::new(program);
    command.arg("-p").arg(&folder).arg("-c").arg(folder.join("nginx.conf"));
    let child = command.stdin(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let process: Guard<Child, fn(Child)> = guard(child, |mut child| {
        drop(child.kill());
        drop(child.wait());
    });
    until("nginx listens", async || TcpStream::connect(http2).is_ok()).await;
    let folder: Guard<PathBuf, fn(PathBuf)> = guard(folder, |it| drop(fs::remove_dir_all(it)));
    Some(Nginx { http1, http2, _process: process, _folder: folder })
}

#[tokio::test]
async fn nginx_ends_each_tenth_connection_and_no_request_fails() {
    let Some(nginx) = start().await else { return };
    let client = Client::new(ClientOptions::new().connections(2));
    for number in 0..200 {
        let path = format!("/{number}");
        assert_eq!(ask(&client, &nginx.http1, &path).await.unwrap(), path);
        drop(client.send(get(&nginx.http1, "/big")).await.unwrap());
    }
    until_quiet(&client).await;
    let stats = client.stats();
    assert!(stats.opened >= 20 && stats.opened < 400, "{stats:?}");
    // It says `Keep-Alive: timeout=5`.
    assert_eq!(client.close(Duration::from_secs(1)).await, 0);
}

#[tokio::test]
async fn nginx_answers_many_over_one_http2_connection() {
    let Some(nginx) = start().await else { return };
    let client = Client::new(ClientOptions::new().protocol(Protocol::Http2));
    let mut asking = tokio::task::JoinSet::new();
    for number in 0..50 {
        let (client, address) = (client.clone(), nginx.http2);
        asking.spawn(async move {
            let path = format!("/{number}");
            assert_eq!(ask(&client, &address, &path).await.unwrap(), path);
        });
    }
    while let Some(asked) = asking.join_next().await {
        asked.unwrap();
    }
    assert_eq!(client.stats().opened, 1);
    assert_eq!(client.close(Duration::from_secs(1)).await, 0);
}
