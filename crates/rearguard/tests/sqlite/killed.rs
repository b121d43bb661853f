//! A client that is killed (SIGKILL) at any point: no cleanup of its own runs.

use std::{
    env,
    io::{self, BufRead as _, BufReader, Write as _},
    process::{Command, Stdio},
    time::Duration,
};

use rearguard::{
    Error,
    sqlite::{Connection, transaction},
};
use tokio::time::sleep;

use crate::support::{Database, OPTIONS, insert};

const PATH: &str = "REARGUARD_TEST_CHILD";

/// What the killed process does: moves money to and fro, for ever.
#[tokio::test]
async fn the_child() {
    let Ok(path) = env::var(PATH) else { return };
    let connection = Connection::open(path).unwrap();
    let mut random = fastrand::Rng::new();
    // Tells the parent that it may kill from now on.
    io::stdout().write_all(b"\nworking\n").unwrap();
    loop {
        let cents = random.i64(-5..=5);
        let done = transaction(&connection, OPTIONS, move |tx| -> Result<(), Error> {
            let sql = "UPDATE accounts SET cents = cents + ?2 WHERE id = ?1";
            tx.execute(sql, [1, cents])?;
            tx.execute(sql, [2, -cents])?;
            Ok(())
        });
        // A balance below zero is refused.
        drop(done.await);
    }
}

#[tokio::test]
async fn a_client_killed_at_any_point_leaves_the_sum_and_no_lock() {
    let rounds = number("REARGUARD_TEST_ROUNDS").unwrap_or(5);
    let seed = number("REARGUARD_TEST_SEED").unwrap_or_else(|| fastrand::u64(..));
    let mut random = fastrand::Rng::with_seed(seed);
    let database = Database::new();
    let connection = database.connection();
    for round in 0..rounds {
        let mut child = Command::new(env::current_exe().unwrap())
            .args(["--exact", "killed::the_child", "--nocapture"])
            .env(PATH, database.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        assert!(lines.any(|line| line.unwrap() == "working"), "the child did not begin");
        sleep(Duration::from_micros(random.u64(5_000..100_000))).await;
        child.kill().unwrap();
        child.wait().unwrap();
        insert(&connection, &format!("after {round}")).await.unwrap();
        let (from, to) = database.balances();
        assert_eq!(from + to, 1000, "round {round} of seed {seed}");
    }
}

fn number(variable: &str) -> Option<u64> {
    env::var(variable).ok().map(|value| value.parse().unwrap())
}
