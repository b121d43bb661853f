//! A holder whose process is stopped past its lock's time, as by a long collection of garbage or a
//! machine that was suspended.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use rearguard::{
    Error, ErrorKind, Outcome,
    lock::{Lease, LockManager, PostgresStore, RedisStore, fence},
};
use rustix::process::{Pid, Signal, kill_process};
use tokio::time::sleep;
use tokio_postgres::NoTls;

use crate::support::{PATIENCE, client, eventually, postgres, postgres_store, redis};

const TTL: Duration = Duration::from_millis(600);

/// Where a child finds its servers and the folder by which it is spoken to.
const REDIS: &str = "REARGUARD_LOCK_TEST_REDIS";
const POSTGRES: &str = "REARGUARD_LOCK_TEST_POSTGRES";
const FOLDER: &str = "REARGUARD_LOCK_TEST_FOLDER";
/// Whether it blocks its thread while it holds the lock, so that it cannot be cancelled.
const BLOCKS: &str = "REARGUARD_LOCK_TEST_BLOCKS";

/// Not a test but the child, when it is started as one.
#[test]
fn child() {
    let Ok(redis) = env::var(REDIS) else { return };
    let folder = PathBuf::from(env::var(FOLDER).expect("set"));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let said = runtime.expect("a runtime").block_on(hold(redis, folder.clone()));
    fs::write(folder.join("ended"), said).expect("written");
}

async fn hold(redis: String, folder: PathBuf) -> String {
    let postgres = env::var(POSTGRES).expect("set");
    let tokens = PostgresStore::new(&postgres).expect("an address");
    let store = RedisStore::new(redis).expect("an address");
    let locks = LockManager::new(store).with_tokens(tokens);
    let (client, connection) = tokio_postgres::connect(&postgres, NoTls).await.expect("connected");
    tokio::spawn(connection);
    let (go, written) = (folder.join("go"), folder.join("written"));
    let result = locks.with_lock("stopped", TTL, async |lease: Lease| {
        fs::write(folder.join("held"), "").expect("written");
        if env::var_os(BLOCKS).is_some() {
            wait_for(&go);
        } else {
            while !go.exists() {
                sleep(Duration::from_millis(1)).await;
            }
        }
        // Past its time, and it does not know. What is not fenced is written…
        fs::write(&written, "by the older holder").expect("written");
        // …and what is fenced is not.
        fence::check(&client, "stopped", lease.require_token()?).await
    });
    match result.await {
        Ok(()) => "ended well".to_owned(),
        Err(error) => error.kind().to_string(),
    }
}

fn wait_for(path: &Path) {
    let begun = Instant::now();
    while !path.exists() {
        assert!(begun.elapsed() < PATIENCE, "{} did not come", path.display());
        thread::sleep(Duration::from_millis(1));
    }
}

/// Ends the child with the test, also when it fails.
struct Ended(Child);

impl Drop for Ended {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

impl Ended {
    fn signal(&self, signal: Signal) {
        let pid = i32::try_from(self.0.id()).ok().and_then(Pid::from_raw).expect("a process");
        kill_process(pid, signal).expect("signalled");
    }
}

/// Stops a holder past its time, lets another in, and lets the first go on. Gives what the first
/// said in the end, and whether it wrote without a fence.
async fn stopped_past_its_time(blocks: bool) -> (String, bool) {
    let (redis, postgres) = (redis(), postgres());
    let tokens = postgres_store(&postgres).await;
    let folder = tempfile::tempdir().expect("a folder");
    let path = |name: &str| folder.path().join(name);
    let mut command = Command::new(env::current_exe().expect("this test"));
    command.args(["holder::child", "--exact", "--nocapture"]).stdout(Stdio::null());
    command.env(REDIS, redis.url()).env(POSTGRES, postgres.url()).env(FOLDER, folder.path());
    if blocks {
        command.env(BLOCKS, "1");
    }
    let child = Ended(command.spawn().expect("started"));
    eventually("the holder", async || path("held").exists()).await;
    child.signal(Signal::STOP);
    let store = RedisStore::new(redis.url()).expect("an address");
    let locks = LockManager::new(store).with_tokens(tokens);
    let next = locks.lock("stopped", TTL * 10).await.expect("expired");
    let behind = client(&postgres).await;
    let token = next.require_token().expect("a token");
    fence::check(&behind, "stopped", token).await.expect("the newest");
    fs::write(path("go"), "").expect("written");
    child.signal(Signal::CONT);
    eventually("the end of the first", async || path("ended").exists()).await;
    assert!(next.is_held(), "the first has not released what is another's");
    assert!(next.release(Outcome::Succeeded).await.is_clean());
    let said = fs::read_to_string(path("ended")).expect("read");
    (said, path("written").exists())
}

#[tokio::test]
async fn a_holder_stopped_past_its_time_does_not_take_one_more_step() {
    let (said, wrote) = stopped_past_its_time(false).await;
    assert_eq!((said.as_str(), wrote), (ErrorKind::LockLost.as_str(), false));
}

#[tokio::test]
async fn a_holder_that_cannot_be_cancelled_is_fenced() {
    let (said, wrote) = stopped_past_its_time(true).await;
    // Where there was no fence it wrote: this is what a token is for.
    assert!(wrote);
    let fenced = [ErrorKind::Fenced, ErrorKind::LockLost].map(|kind| kind.as_str());
    assert!(fenced.contains(&said.as_str()), "{said}");
}

#[tokio::test]
async fn the_lock_of_a_process_that_was_killed_is_free_when_its_time_is_over() {
    let (redis, postgres) = (redis(), postgres());
    drop(postgres_store(&postgres).await);
    let folder = tempfile::tempdir().expect("a folder");
    let mut command = Command::new(env::current_exe().expect("this test"));
    command.args(["holder::child", "--exact"]).stdout(Stdio::null());
    command.env(REDIS, redis.url()).env(POSTGRES, postgres.url()).env(FOLDER, folder.path());
    let child = Ended(command.spawn().expect("started"));
    eventually("the holder", async || folder.path().join("held").exists()).await;
    drop(child);
    let begun = Instant::now();
    let locks = LockManager::new(RedisStore::new(redis.url()).expect("an address"));
    let work = locks.with_lock("stopped", TTL, async |_| Ok::<_, Error>(()));
    work.await.expect("granted");
    assert!(begun.elapsed() < TTL * 10);
}
