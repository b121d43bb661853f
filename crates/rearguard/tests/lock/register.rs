//! A register that several write under a lock which they lose without knowing it: fenced, it never
//! takes an older holder's write; unfenced, it does.

use std::{env, sync::Arc, time::Duration};

use rearguard::{
    Error, ErrorKind, Outcome,
    lock::{FencingToken, LockManager, RedisStore, fence},
    testing::TestServer,
};
use tokio::time::sleep;
use tokio_postgres::Client;

use crate::support::{client, postgres, postgres_store, redis};

/// So long that only the server's clock ends a lock.
const TTL: Duration = Duration::from_secs(300);

/// Who write at the same time.
const WRITERS: u64 = 4;

/// Of a hundred rounds, in how many the server's clock jumps past the lock's time while it is held.
const JUMPS: u8 = 30;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Register {
    Fenced,
    Unfenced,
}

/// What one writer saw.
#[derive(Debug, Default)]
struct Seen {
    rounds: u64,
    refused: u64,
    /// Writes that were taken after a newer holder's.
    violations: u64,
}

fn number(variable: &str, default: u64) -> u64 {
    match env::var(variable) {
        Ok(text) => text.parse().unwrap_or_else(|_| panic!("{variable} is a number, not {text:?}")),
        Err(_) => default,
    }
}

/// Writes, and says whether a newer holder had written before.
async fn write(
    client: &mut Client,
    register: Register,
    token: FencingToken,
) -> Result<bool, Error> {
    let failed = |error| Error::new(ErrorKind::Failed, "register").because(error);
    let transaction = client.transaction().await.map_err(failed)?;
    if register == Register::Fenced {
        fence::check(&transaction, "register", token).await?;
    }
    let before = transaction
        .query_one(
            "UPDATE register SET token = $1 FROM (SELECT token FROM register FOR UPDATE) AS before
            RETURNING before.token",
            &[&token.get()],
        )
        .await
        .map_err(failed)?;
    transaction.commit().await.map_err(failed)?;
    Ok(before.get::<_, i64>(0) > token.get())
}

/// One writer: takes the lock, may be paused while the server's clock jumps, and writes late.
async fn writer(
    locks: LockManager,
    redis: Arc<TestServer>,
    mut client: Client,
    register: Register,
    (seed, rounds): (u64, u64),
) -> Seen {
    let mut random = fastrand::Rng::with_seed(seed);
    let behind = ::redis::Client::open(redis.url()).expect("an address");
    let mut behind = behind.get_multiplexed_async_connection().await.expect("a connection");
    let mut seen = Seen::default();
    while seen.rounds < rounds {
        let held = locks.lock("register", TTL).await.expect("its turn comes");
        seen.rounds += 1;
        if random.u8(..100) < JUMPS {
            // All that was held has expired, as far as the server knows.
            let jump = ::redis::cmd("DEL").arg("rearguard:lock:register").clone();
            jump.exec_async(&mut behind).await.expect("done");
            // Whoever waits is told as of a release, so that rounds are quick.
            let tell = ::redis::cmd("PUBLISH").arg("rearguard:lock:register").arg("").clone();
            tell.exec_async(&mut behind).await.expect("done");
            sleep(Duration::from_micros(random.u64(0..3000))).await;
        }
        let token = held.require_token().expect("a token");
        match write(&mut client, register, token).await {
            Ok(newer) => seen.violations += u64::from(newer),
            Err(error) if error.kind() == ErrorKind::Fenced => seen.refused += 1,
            Err(error) => panic!("{error}"),
        }
        assert!(held.release(Outcome::Succeeded).await.is_clean());
    }
    seen
}

async fn run(register: Register, rounds: u64) -> Seen {
    let (redis, postgres) = (Arc::new(redis()), postgres());
    let tokens = postgres_store(&postgres).await;
    let schema = format!("register_{register:?}");
    let make = client(&postgres).await;
    let sql = format!(
        "CREATE SCHEMA {schema}; CREATE TABLE {schema}.register AS SELECT 0::bigint AS token;"
    );
    make.batch_execute(&sql).await.expect("made");
    let seed = number("REARGUARD_LOCK_SEED", fastrand::u64(..1 << 32));
    let mut writers = Vec::new();
    for index in 0..WRITERS {
        let store = RedisStore::new(redis.url()).expect("an address");
        let locks = LockManager::new(store).with_tokens(tokens.clone());
        let own = client(&postgres).await;
        let path = format!("SET search_path = {schema}, public");
        own.batch_execute(&path).await.expect("set");
        let share = (seed.wrapping_add(index), rounds / WRITERS);
        writers.push(tokio::spawn(writer(locks, Arc::clone(&redis), own, register, share)));
    }
    let mut all = Seen::default();
    for writer in writers {
        let seen = writer.await.unwrap_or_else(|error| panic!("seed {seed}: {error}"));
        all.rounds += seen.rounds;
        all.refused += seen.refused;
        all.violations += seen.violations;
    }
    #[expect(clippy::print_stderr, reason = "says what was shown")]
    {
        eprintln!("{register:?}, seed {seed}: {all:?}");
    }
    all
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rule_4_a_fenced_register_never_takes_an_older_holders_write() {
    let rounds = number("REARGUARD_LOCK_ROUNDS", 1000);
    let seen = run(Register::Fenced, rounds).await;
    assert_eq!(seen.violations, 0);
    assert!(seen.refused > rounds / 100, "late writes were tried: {seen:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_fence_the_same_register_takes_older_holders_writes() {
    let seen = run(Register::Unfenced, 400).await;
    assert!(seen.violations > 0, "{seen:?}");
}
