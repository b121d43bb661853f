//! The proxies that are measured, set alike: connections kept alive on both sides, a request id,
//! one JSON line a request to a file.

use std::{
    ffi::OsString,
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result};

use crate::{
    bench::{
        client,
        server::{Server, Under},
    },
    tools,
};

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Proxy {
    Nginx,
    Haproxy,
    Rearguard,
}

/// How many threads or processes serve.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Workers {
    /// So many, besides what manages them.
    Count(usize),
    /// One process does all, so that valgrind sees it.
    SingleProcess,
}

/// How a proxy is started.
#[derive(Clone, Debug)]
pub(super) struct Setup<'a> {
    /// Its own, for configuration and logs.
    pub(super) folder: &'a Path,
    /// Rearguard's program.
    pub(super) rearguard: &'a Path,
    pub(super) upstream: u16,
    pub(super) workers: Workers,
    /// How many connections it must be able to hold, to both sides.
    pub(super) connections: usize,
    pub(super) under: Under,
    /// Documents that Rearguard reads.
    pub(super) documents: &'a [PathBuf],
}

impl Proxy {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Nginx => "nginx",
            Self::Haproxy => "haproxy",
            Self::Rearguard => "rearguard",
        }
    }

    /// Where its access log is, in its folder.
    pub(super) fn log(self, folder: &Path) -> PathBuf {
        folder.join(match self {
            Self::Nginx | Self::Rearguard => "access.log",
            Self::Haproxy => "haproxy.stdout",
        })
    }

    /// Starts it and waits until it answers.
    pub(super) fn start(self, setup: &Setup<'_>) -> Result<Server> {
        fs::create_dir_all(setup.folder)?;
        let port = client::free_port()?;
        let words = match self {
            Self::Nginx => nginx(setup, port)?,
            Self::Haproxy => haproxy(setup, port)?,
            Self::Rearguard => rearguard(setup, port)?,
        };
        Server::start(self.name(), &words, &setup.under, port, setup.folder)
    }
}

/// Starts what all of them stand in front of: 200 bytes from memory, connections kept open.
pub(super) fn start_upstream(folder: &Path, workers: usize, under: &Under) -> Result<Server> {
    fs::create_dir_all(folder)?;
    let port = client::free_port()?;
    let body = "x".repeat(200);
    let http = format!(
        "access_log off;
    server {{
        listen 127.0.0.1:{port} backlog=4096;
        location / {{ default_type text/plain; return 200 {body}; }}
    }}"
    );
    let words = nginx_words(folder, Workers::Count(workers), 4096, &http)?;
    Server::start("upstream", &words, under, port, folder)
}

fn nginx(setup: &Setup<'_>, port: u16) -> Result<Vec<OsString>> {
    let (upstream, log) = (setup.upstream, Proxy::Nginx.log(setup.folder));
    let http = format!(
        r#"log_format json escape=json '{{"time":"$time_iso8601","request_id":"$request_id",'
        '"method":"$request_method","path":"$request_uri","status":$status,'
        '"upstream_seconds":"$upstream_response_time","bytes":$body_bytes_sent}}';
    access_log {log} json buffer=64k flush=1s;
    upstream service {{
        server 127.0.0.1:{upstream};
        keepalive 64;
        keepalive_requests 1000000000;
    }}
    server {{
        listen 127.0.0.1:{port} backlog=4096 reuseport;
        location / {{
            proxy_pass http://service;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            proxy_set_header Host $http_host;
            proxy_set_header X-Request-Id $request_id;
            proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
            proxy_set_header X-Forwarded-Proto $scheme;
            add_header X-Request-Id $request_id always;
        }}
    }}"#,
        log = log.display(),
    );
    nginx_words(setup.folder, setup.workers, setup.connections, &http)
}

fn nginx_words(
    folder: &Path,
    workers: Workers,
    connections: usize,
    http: &str,
) -> Result<Vec<OsString>> {
    let (count, master) = match workers {
        Workers::Count(count) => (count, "on"),
        Workers::SingleProcess => (1, "off"),
    };
    let at = folder.display();
    let text = format!(
        "daemon off;
master_process {master};
worker_processes {count};
pid {at}/nginx.pid;
error_log {at}/error.log warn;
events {{ worker_connections {connections}; }}
http {{
    client_body_temp_path {at}/body;
    proxy_temp_path {at}/proxy;
    fastcgi_temp_path {at}/fastcgi;
    uwsgi_temp_path {at}/uwsgi;
    scgi_temp_path {at}/scgi;
    keepalive_timeout 300s;
    keepalive_requests 1000000000;
    {http}
}}
"
    );
    let file = folder.join("nginx.conf");
    fs::write(&file, text)?;
    let program = tools::NGINX.find().context("no nginx")?;
    Ok(vec![
        program.into(),
        "-e".into(),
        folder.join("error.log").into(),
        "-p".into(),
        folder.into(),
        "-c".into(),
        file.into(),
    ])
}

/// haproxy writes no file itself; its standard output goes to one.
fn haproxy(setup: &Setup<'_>, port: u16) -> Result<Vec<OsString>> {
    let threads = match setup.workers {
        Workers::Count(count) => count,
        Workers::SingleProcess => 1,
    };
    let (upstream, connections) = (setup.upstream, setup.connections);
    let text = format!(
        r#"global
    nbthread {threads}
    maxconn {connections}
    # It would otherwise insist on two descriptors for each connection, idle or not.
    no strict-limits
    log stdout format raw local0
defaults
    mode http
    log global
    timeout connect 1s
    timeout client 300s
    timeout http-keep-alive 300s
    timeout server 10s
    option http-keep-alive
    option forwardfor
    http-reuse always
frontend front
    bind 127.0.0.1:{port} backlog 4096
    unique-id-format %[uuid()]
    unique-id-header x-request-id
    http-request set-header x-forwarded-proto http
    http-response set-header x-request-id %[unique-id]
    log-format '{{"time":"%tr","request_id":"%ID","method":"%HM","path":"%HU","status":%ST,"upstream_ms":%Tr,"bytes":%B}}'
    default_backend service
backend service
    server service 127.0.0.1:{upstream}
"#
    );
    let file = setup.folder.join("haproxy.cfg");
    fs::write(&file, text)?;
    let program = tools::HAPROXY.find().context("no haproxy")?;
    Ok(vec![program.into(), "-db".into(), "-f".into(), file.into()])
}

fn rearguard(setup: &Setup<'_>, port: u16) -> Result<Vec<OsString>> {
    let workers = match setup.workers {
        Workers::Count(count) => count,
        Workers::SingleProcess => 1,
    };
    let admin = client::free_port()?;
    let log = Proxy::Rearguard.log(setup.folder);
    let mut words: Vec<OsString> = vec![
        setup.rearguard.into(),
        "up".into(),
        "--upstream".into(),
        format!("http://127.0.0.1:{}", setup.upstream).into(),
        "--listen".into(),
        format!("127.0.0.1:{port}").into(),
        "--admin".into(),
        format!("127.0.0.1:{admin}").into(),
        "--access-log".into(),
        log.into(),
        "--workers".into(),
        workers.to_string().into(),
    ];
    words.extend(setup.documents.iter().map(Into::into));
    Ok(words)
}
