//! A shop that runs.

use std::{
    collections::BTreeMap,
    io::{BufRead as _, BufReader, Lines, Read as _},
    process::{Child, ChildStdout, Command, ExitStatus, Stdio},
};

use rearguard::testing::TestServer;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::{eventually, http::Browser};

/// Enough for a machine that does much else.
const DEFAULT_TIMEOUT_MS: u32 = 20_000;

/// The servers that it talks to, which outlive it.
pub(crate) struct Servers {
    pub(crate) postgres: TestServer,
    pub(crate) redis: TestServer,
}

impl Servers {
    pub(crate) fn start() -> Self {
        let postgres = TestServer::postgres().start().unwrap();
        Self { postgres, redis: TestServer::redis().start().unwrap() }
    }
}

pub(crate) struct Shop {
    child: Child,
    output: Lines<BufReader<ChildStdout>>,
    urls: BTreeMap<String, String>,
}

impl Shop {
    /// Starts it, and waits until it serves.
    pub(crate) fn start(servers: &Servers) -> Self {
        Self::start_with(servers, DEFAULT_TIMEOUT_MS)
    }

    /// The same, with so much time for a request.
    pub(crate) fn start_with(servers: &Servers, timeout_ms: u32) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_shop"))
            .env("DATABASE_URL", servers.postgres.url())
            .env("REDIS_URL", servers.redis.url())
            .env("SHOP_TIMEOUT_MS", timeout_ms.to_string())
            // The stacks of panics on purpose.
            .env("RUST_BACKTRACE", "0")
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut output = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut shop_errors = child.stderr.take().unwrap();
        std::thread::spawn(move || {
            // A full pipe would stop it.
            let mut text = String::new();
            shop_errors.read_to_string(&mut text).ok()
        });
        let mut urls = BTreeMap::new();
        for line in output.by_ref() {
            let line = line.unwrap();
            let mut words = line.split_whitespace();
            if let (Some(name), Some(url)) = (words.next(), words.next())
                && url.starts_with("http://")
            {
                urls.insert(name.to_owned(), url.to_owned());
            }
            if line.starts_with("gateway:") {
                return Self { child, output, urls };
            }
        }
        panic!("it ended: {:?}", child.wait());
    }

    /// `SERVICE/PATH` as a URL.
    pub(crate) fn url(&self, path: &str) -> String {
        let (service, path) = path.split_once('/').unwrap();
        format!("{}/{path}", self.urls[service])
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn signal(&self, signal: Signal) {
        let pid = Pid::from_raw(i32::try_from(self.child.id()).unwrap()).unwrap();
        kill_process(pid, signal).unwrap();
    }

    /// Waits for its end; returns what it printed last.
    pub(crate) fn ended(mut self) -> (ExitStatus, String) {
        let lines: Vec<String> = self.output.by_ref().map_while(Result::ok).collect();
        (self.child.wait().unwrap(), lines.last().cloned().unwrap_or_default())
    }

    /// The accounts, and their sum.
    pub(crate) async fn accounts(&self, browser: &Browser) -> Value {
        browser.get(&self.url("accounts/accounts")).await.json()
    }

    pub(crate) async fn stats(&self, browser: &Browser) -> Value {
        browser.get(&self.url("stats/stats")).await.json()
    }

    /// Waits until nothing that a request opened is open.
    pub(crate) async fn at_rest(&self, browser: &Browser) {
        eventually("nothing is open", async || {
            let stats = self.stats(browser).await;
            let pools = stats["pools"].as_array().unwrap();
            let pools_rest = pools.iter().all(|pool| pool["in_use"] == 0 && pool["waiting"] == 0);
            let after = &stats["after_response"];
            pools_rest
                && stats["reaper"]["waiting"] == 0
                && stats["locks_held"] == 0
                && after["waiting"] == 0
                && after["running"] == 0
        })
        .await;
    }
}

impl Drop for Shop {
    fn drop(&mut self) {
        // It may have ended by itself.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
