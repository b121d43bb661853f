//! What a lock costs: taking and releasing it, beside the bare commands that no lock in Redis can do
//! without, and beside redis-py's lock, which has no watchdog and waits by asking.
//!
//! A Redis of its own on the loopback, one connection, two threads. "Bare commands" are `SET NX PX` and a
//! script that compares and deletes, so they are the server's own limit. Sides take turns; the best
//! turn of each counts. Redisson would be the peer to name; it needs a Java project, and so is not here.

use std::{env, process::Command, time::Duration};

use rearguard::{
    Error,
    lock::{LockManager, RedisQuorumStore, RedisStore},
    testing::TestServer,
};
use redis::{Script, aio::MultiplexedConnection, cmd};
use tokio::{runtime::Runtime, task::JoinSet, time::Instant};

use crate::Row;

/// Locks that a side takes in a turn.
const LOCKS_A_TURN: u32 = 4000;

/// Those who lock at the same time, each its own names, over one connection.
const CLIENTS: u32 = 64;

const TTL: Duration = Duration::from_secs(30);

const RELEASE: &str = "if redis.call('GET', KEYS[1]) == ARGV[1] then \
    redis.call('DEL', KEYS[1]) redis.call('PUBLISH', KEYS[1], '') return 1 end return 0";

/// The same with redis-py: prints how many locks a second.
const PYTHON: &str = "
import sys, time, redis
client = redis.Redis.from_url(sys.argv[1])
count = int(sys.argv[2])
begin = time.perf_counter()
for _ in range(count):
    lock = client.lock('python', timeout=30)
    lock.acquire()
    lock.release()
print(count / (time.perf_counter() - begin))
";

pub(crate) fn measure(rounds: u32) -> Vec<Row> {
    let servers: Result<Vec<_>, _> = (0..3).map(|_| TestServer::redis().start()).collect();
    // Where there is no Redis there is nothing to measure; the error says how to install it.
    let servers = servers.expect("a Redis to measure");
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let bench = Bench { runtime: runtime.expect("a runtime"), rounds: rounds.max(1), servers };
    let url = bench.servers[0].url();
    let locks = || LockManager::new(RedisStore::new(url.as_str()).expect("an address"));
    let urls: Vec<_> = bench.servers.iter().map(TestServer::url).collect();
    let quorum = LockManager::new(RedisQuorumStore::new(urls).expect("addresses"));
    let mut rows = Vec::new();
    for clients in [1, CLIENTS] {
        let row = match clients {
            1 => "lock and release, one client".to_owned(),
            _ => format!("lock and release, {clients} clients"),
        };
        let bare = || bench.bare(&url, clients);
        let ours = || bench.locks(&locks(), clients);
        let three = || bench.locks(&quorum, clients);
        let mut sides: Vec<(&str, &dyn Fn() -> Option<f64>)> = vec![
            ("bare commands", &bare),
            ("rearguard", &ours),
            ("rearguard, quorum of 3", &three),
        ];
        let python = || python(&url);
        if clients == 1 {
            sides.push(("redis-py", &python));
        }
        rows.extend(bench.row(&row, &sides));
    }
    rows
}

struct Bench {
    runtime: Runtime,
    rounds: u32,
    servers: Vec<TestServer>,
}

impl Bench {
    /// The best turn of each side that could be had.
    fn row(&self, row: &str, sides: &[(&str, &dyn Fn() -> Option<f64>)]) -> Vec<Row> {
        let mut best = vec![None; sides.len()];
        for _ in 0..self.rounds {
            for (best, (_, turn)) in best.iter_mut().zip(sides) {
                *best = turn().into_iter().chain(*best).reduce(f64::max);
            }
        }
        let named = sides.iter().zip(best);
        let had = named.filter_map(|((side, _), best)| Some((*side, best?)));
        had.map(|(side, value)| Row {
            row: row.to_owned(),
            side: side.to_owned(),
            unit: "per second",
            value,
        })
        .collect()
    }

    fn locks(&self, locks: &LockManager, clients: u32) -> Option<f64> {
        self.turn(clients, |client, count| {
            let locks = locks.clone();
            async move {
                let name = format!("bench/{client}");
                for _ in 0..count {
                    let done = locks.with_lock(&name, TTL, async |_| Ok::<_, Error>(()));
                    done.await.expect("free");
                }
            }
        })
    }

    fn bare(&self, url: &str, clients: u32) -> Option<f64> {
        let client = redis::Client::open(url).expect("an address");
        let connection = self.runtime.block_on(client.get_multiplexed_async_connection());
        let connection = connection.expect("a connection");
        self.turn(clients, |client, count| bare(connection.clone(), client, count))
    }

    /// Runs as many clients at a time, and says how many locks a second they took together.
    fn turn<F>(&self, clients: u32, work: impl Fn(u32, u32) -> F) -> Option<f64>
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let each = LOCKS_A_TURN / clients;
        // Connected, and what is compiled at the server is.
        let first = self.runtime.spawn(work(0, 1));
        self.runtime.block_on(first).expect("done");
        let begun = Instant::now();
        self.runtime.block_on(async {
            let mut all = JoinSet::new();
            for client in 0..clients {
                all.spawn(work(client, each));
            }
            while let Some(done) = all.join_next().await {
                done.expect("done");
            }
        });
        Some(f64::from(each * clients) / begun.elapsed().as_secs_f64())
    }
}

async fn bare(mut connection: MultiplexedConnection, client: u32, count: u32) {
    let (key, script) = (format!("bare/{client}"), Script::new(RELEASE));
    for round in 0..count {
        let owner = format!("{round:032x}");
        let mut set = cmd("SET");
        set.arg(&key).arg(&owner).arg("NX").arg("PX").arg(30_000);
        let set: Option<String> = set.query_async(&mut connection).await.expect("an answer");
        assert!(set.is_some(), "it was free");
        let release = script.key(&key).arg(&owner).invoke_async::<i64>(&mut connection).await;
        assert_eq!(release.expect("an answer"), 1);
    }
}

/// `None` where the Python of `REARGUARD_BENCH_PYTHON`, or `python3`, has no `redis`.
fn python(url: &str) -> Option<f64> {
    let program = env::var("REARGUARD_BENCH_PYTHON").unwrap_or_else(|_| "python3".to_owned());
    let output = Command::new(program).args(["-c", PYTHON, url, "2000"]).output().ok()?;
    String::from_utf8(output.stdout).ok()?.trim().parse().ok()
}
