//! A client that is killed (SIGKILL) at any point: no cleanup of its own runs.

use std::{
    env,
    io::{self, BufRead as _, BufReader, Write as _},
    process::{Command, Stdio},
    time::Duration,
};

use rearguard::{
    Error,
    postgres::{PgConnection, TransactionOptions, transaction},
};
use tokio::time::{Instant, sleep};

use crate::support::{BOUND, Database, balances};

const URL: &str = "REARGUARD_TEST_CHILD";

/// What the killed process does: moves money to and fro, by several connections, for ever.
#[tokio::test]
async fn the_child() {
    let Ok(url) = env::var(URL) else { return };
    let mut work = Vec::new();
    for number in 0..4_u64 {
        let url = url.clone();
        work.push(tokio::spawn(async move {
            let mut random = fastrand::Rng::with_seed(number);
            let mut connection = PgConnection::connect(&url).await.unwrap();
            // Tells the parent that it may kill from now on.
            io::stdout().write_all(b"\nworking\n").unwrap();
            loop {
                let cents = random.i64(-5..=5);
                let pause = random.u64(0..3) as f64 / 1000.0;
                let done =
                    transaction(&mut connection, TransactionOptions::new(), |tx| async move {
                        let sql = "UPDATE accounts SET cents = cents + $2 WHERE id = $1";
                        tx.execute(sql, &[&1, &cents]).await?;
                        tx.query("SELECT pg_sleep($1)", &[&pause]).await?;
                        tx.execute(sql, &[&2, &-cents]).await
                    });
                // A balance below zero is refused.
                drop::<Result<u64, Error>>(done.await);
            }
        }));
    }
    // They never end, but for an error.
    work.remove(0).await.unwrap();
}

#[tokio::test]
async fn a_client_killed_at_any_point_leaves_the_sum_and_no_open_transaction() {
    let rounds = number("REARGUARD_TEST_ROUNDS").unwrap_or(3);
    let seed = number("REARGUARD_TEST_SEED").unwrap_or_else(|| fastrand::u64(..));
    let mut random = fastrand::Rng::with_seed(seed);
    let database = Database::new().await;
    let (watcher, client) = (database.watcher().await, database.plain().await);
    let mut before = balances(&client).await;
    let mut moved = 0;
    for round in 0..rounds {
        let mut child = Command::new(env::current_exe().unwrap())
            .args(["--exact", "killed::the_child", "--nocapture"])
            .env(URL, database.url())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        assert!(lines.any(|line| line.unwrap() == "working"), "the child did not begin");
        sleep(Duration::from_micros(random.u64(20_000..150_000))).await;
        child.kill().unwrap();
        child.wait().unwrap();
        watcher.quiet().await;
        // The plain client, and nobody else.
        let begin = Instant::now();
        while watcher.sessions().await > 1 {
            assert!(begin.elapsed() < BOUND, "round {round} of seed {seed}: sessions are left");
            sleep(Duration::from_millis(5)).await;
        }
        let now = balances(&client).await;
        assert_eq!(now.0 + now.1, 1000, "round {round} of seed {seed}");
        moved += usize::from(now != before);
        before = now;
    }
    assert!(moved > 0, "no money moved in {rounds} rounds of seed {seed}");
}

fn number(variable: &str) -> Option<u64> {
    env::var(variable).ok().map(|value| value.parse().unwrap())
}
