//! The server's clock is set forward and back while a lock is held.
//!
//! It is PostgreSQL's: libfaketime cannot be loaded into a Redis that has jemalloc, as Debian's has.
//! There a key expires in the same way, by the server's wall clock.

use std::{
    env, fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, UNIX_EPOCH},
};

use rearguard::{
    Error, ErrorKind, Outcome,
    lock::{LockManager, fence},
    testing::TestServer,
};
use tokio_postgres::Client;

use crate::support::{assert_lost, client, eventually, held_until_lost, postgres_store};

const TTL: Duration = Duration::from_secs(3);

/// Where Debian has it.
const LIBRARIES: [&str; 2] = [
    "/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1",
    "/usr/lib/aarch64-linux-gnu/faketime/libfaketime.so.1",
];

/// By what the test, run again, finds the file that its server's clock is set by.
const CLOCK: &str = "REARGUARD_LOCK_TEST_CLOCK";

/// A PostgreSQL whose clock is what a file says.
struct Faked {
    server: TestServer,
    clock: PathBuf,
}

impl Faked {
    /// `None` where this is not the test run again, by [`run_faked`].
    fn start() -> Option<Self> {
        let clock = PathBuf::from(env::var_os(CLOCK)?);
        let server = TestServer::postgres().start().expect("a PostgreSQL");
        Some(Self { server, clock })
    }

    /// Sets the clock, and waits until the server has noticed.
    async fn set(&self, behind: &Client, offset: i64) {
        fs::write(&self.clock, format!("{offset:+}s")).expect("written");
        eventually("the time", async || {
            let read = "SELECT extract(epoch FROM clock_timestamp())::bigint";
            let seconds = behind.query_one(read, &[]).await.expect("read").get::<_, i64>(0);
            let now = UNIX_EPOCH.elapsed().expect("after 1970").as_secs();
            let now = i64::try_from(now).expect("small");
            (seconds - now - offset).abs() <= 2
        })
        .await;
    }
}

/// Runs a test again, with a `postgres` into which libfaketime is loaded. It must not be loaded into
/// what makes the server another user's: a semaphore would be left to the wrong one.
fn run_faked(test: &str) {
    let Some(library) = LIBRARIES.iter().find(|library| Path::new(library).is_file()) else {
        #[expect(clippy::print_stderr, reason = "a test that is skipped says so")]
        {
            eprintln!("skipped: libfaketime is not there; apt-get install faketime");
        }
        return;
    };
    let folder = tempfile::tempdir().expect("a folder");
    let (path, programs) = (folder.path(), programs());
    let clock = path.join("clock");
    fs::write(&clock, "+0s").expect("written");
    let faked = format!(
        "LD_PRELOAD={library} FAKETIME_TIMESTAMP_FILE={} FAKETIME_NO_CACHE=1 \
        FAKETIME_DONT_FAKE_MONOTONIC=1 ",
        clock.display()
    );
    for (program, variables) in [("postgres", faked.as_str()), ("initdb", "")] {
        let real = programs.join(program);
        let script = format!("#!/bin/sh\n{variables}exec {} \"$@\"\n", real.display());
        fs::write(path.join(program), script).expect("written");
        let mode = fs::Permissions::from_mode(0o755);
        fs::set_permissions(path.join(program), mode.clone()).expect("set");
        // The server is another user.
        fs::set_permissions(path, mode).expect("set");
    }
    let mut again = Command::new(env::current_exe().expect("this test"));
    again.args([test, "--exact", "--nocapture"]);
    again.env(CLOCK, &clock).env("REARGUARD_POSTGRES", path.join("postgres"));
    let output = again.output().expect("run");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
}

/// Where the PostgreSQL is whose clock is faked.
fn programs() -> PathBuf {
    let named = env::var_os("REARGUARD_POSTGRES").map(PathBuf::from);
    let path = env::var_os("PATH").unwrap_or_default();
    let on_path = env::split_paths(&path).map(|folder| folder.join("postgres"));
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let installed = versions.map(|version| version.path().join("bin/postgres"));
    let mut all = named.into_iter().chain(on_path).chain(installed);
    let program = all.find(|program| program.is_file()).expect("a PostgreSQL");
    let program = program.canonicalize().expect("it is there");
    program.parent().expect("in a folder").to_owned()
}

#[tokio::test]
async fn a_clock_that_is_set_lets_no_older_write_through() {
    let Some(faked) = Faked::start() else {
        return run_faked("clock::a_clock_that_is_set_lets_no_older_write_through");
    };
    set_forward_it_lets_another_in_and_the_fence_keeps_the_first_out(&faked).await;
    set_back_it_costs_neither_the_holder_nor_the_next(&faked).await;
}

async fn set_forward_it_lets_another_in_and_the_fence_keeps_the_first_out(faked: &Faked) {
    let one = LockManager::new(postgres_store(&faked.server).await);
    let other = LockManager::new(postgres_store(&faked.server).await);
    let behind = client(&faked.server).await;
    let work = one.with_lock("a", TTL, async |lease| {
        fence::check(&behind, "forward", lease.require_token()?).await?;
        faked.set(&behind, 60).await;
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

async fn set_back_it_costs_neither_the_holder_nor_the_next(faked: &Faked) {
    let one = LockManager::new(postgres_store(&faked.server).await);
    let other = LockManager::new(postgres_store(&faked.server).await);
    let behind = client(&faked.server).await;
    let work = one.with_lock("a", TTL, async |lease| {
        faked.set(&behind, -60).await;
        assert!(other.try_lock("a", TTL).await?.is_none());
        eventually("renewals", async || one.metrics().renewals > 1).await;
        lease.ensure_held()
    });
    work.await.expect("held throughout");
    // Freed by the clock that was set back.
    let work = other.with_lock("a", TTL, async |_| Ok::<_, Error>(()));
    work.await.expect("granted");
}
