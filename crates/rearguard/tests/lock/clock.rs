//! The server's clock is set forward and back while a lock is held.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::Path,
    time::{Duration, UNIX_EPOCH},
};

use rearguard::{
    Error, ErrorKind, Outcome,
    lock::{LockManager, RedisStore, fence},
    testing::TestServer,
};
use tempfile::TempDir;

use crate::support::{
    assert_lost, client, eventually, held_until_lost, postgres, postgres_store, redis_locks, say,
};

const TTL: Duration = Duration::from_secs(3);

/// Where Debian has it.
const LIBRARIES: [&str; 2] = [
    "/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1",
    "/usr/lib/aarch64-linux-gnu/faketime/libfaketime.so.1",
];

/// A Redis whose clock is what a file says.
struct Faked {
    server: TestServer,
    folder: TempDir,
}

impl Faked {
    /// `None`, with a word, where libfaketime is not installed.
    fn start() -> Option<Self> {
        let Some(library) = LIBRARIES.iter().find(|library| Path::new(library).is_file()) else {
            #[expect(clippy::print_stderr, reason = "a test that is skipped says so")]
            {
                eprintln!("skipped: libfaketime is not there; apt-get install faketime");
            }
            return None;
        };
        let folder = tempfile::tempdir().expect("a folder");
        // The server is another user.
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).expect("set");
        let told = folder.path().join("clock");
        fs::write(&told, "+0s").expect("written");
        let server = TestServer::redis()
            .env("LD_PRELOAD", library)
            .env("FAKETIME_TIMESTAMP_FILE", &told)
            .env("FAKETIME_NO_CACHE", "1")
            .env("DONT_FAKE_MONOTONIC", "1")
            .env("FAKETIME_DONT_FAKE_MONOTONIC", "1");
        Some(Self { server: server.start().expect("a Redis"), folder })
    }

    /// Sets the clock, and waits until the server has noticed.
    async fn set(&self, offset: i64) {
        let told = self.folder.path().join("clock");
        fs::write(&told, format!("{offset:+}s")).expect("written");
        eventually("the time", async || {
            let ::redis::Value::Array(time) = say(&self.server, &["TIME"]).await else {
                return false;
            };
            let seconds: i64 = ::redis::from_redis_value(&time[0]).expect("seconds");
            let now = UNIX_EPOCH.elapsed().expect("after 1970").as_secs();
            let now = i64::try_from(now).expect("small");
            (seconds - now - offset).abs() <= 2
        })
        .await;
    }
}

#[tokio::test]
async fn a_clock_set_forward_lets_another_in_and_the_fence_keeps_the_first_out() {
    let Some(faked) = Faked::start() else { return };
    let postgres = postgres();
    let tokens = postgres_store(&postgres).await;
    let locks = || {
        let store = RedisStore::new(faked.server.url()).expect("an address");
        LockManager::new(store).with_tokens(tokens.clone())
    };
    let (one, other) = (locks(), locks());
    let behind = client(&postgres).await;
    let work = one.with_lock("a", TTL, async |lease| {
        fence::check(&behind, "forward", lease.require_token()?).await?;
        faked.set(60).await;
        let next = other.try_lock("a", TTL).await?.expect("the first has expired there");
        fence::check(&behind, "forward", next.require_token()?).await?;
        // The first may not know it yet; what it writes is refused all the same.
        let late = fence::check(&behind, "forward", lease.require_token()?).await;
        assert_eq!(late.expect_err("refused").kind(), ErrorKind::Fenced);
        drop(next.release(Outcome::Succeeded).await);
        held_until_lost(lease).await
    });
    assert_lost(work.await, "refused");
}

#[tokio::test]
async fn a_clock_set_back_costs_neither_the_holder_nor_the_next() {
    let Some(faked) = Faked::start() else { return };
    let (one, other) = (redis_locks(&faked.server), redis_locks(&faked.server));
    let work = one.with_lock("a", TTL, async |lease| {
        faked.set(-60).await;
        assert!(other.try_lock("a", TTL).await?.is_none());
        eventually("renewals", async || one.metrics().renewals > 1).await;
        lease.ensure_held()
    });
    work.await.expect("held throughout");
    let work = other.try_with_lock("a", TTL, async |_| Ok::<_, Error>(()));
    assert_eq!(work.await.expect("asked"), Some(()));
}
