//! A consumer whose process is killed: nothing is acknowledged that was not done.

use std::{
    collections::BTreeSet,
    env,
    fs::{self, File},
    io::Write as _,
    path::Path,
    process::{Child, Command, Stdio},
    time::Duration,
};

use rearguard::{
    CallContext, guard,
    messaging::{Consumer, handle},
};

use crate::{
    jetstream::{self, Queue},
    until,
};

/// Names the broker to the process that is killed, and the file where it writes what it has done.
const BROKER: &str = "REARGUARD_MESSAGING_BROKER";
const DONE: &str = "REARGUARD_MESSAGING_DONE";

const MESSAGES: u64 = 400;

/// Not a test by itself: what the process that is killed runs.
#[tokio::test]
async fn the_process_that_is_killed() {
    let (Ok(broker), Ok(done)) = (env::var(BROKER), env::var(DONE)) else { return };
    let (_, _, messages) = jetstream::open(&broker).await;
    let consumer = Consumer::new("killed").max_deliveries(u64::MAX);
    let mut done = File::options().append(true).create(true).open(done).unwrap();
    while let Some(message) = jetstream::next(&messages).await {
        let handled = handle(&consumer, message, async |_, message| {
            tokio::time::sleep(Duration::from_micros(fastrand::u64(..2000))).await;
            let line = [&*message.payload, b"\n"].concat();
            done.write_all(&line)
        });
        drop(handled.await);
    }
}

fn start(queue: &Queue, done: &Path) -> Child {
    let mut command = Command::new(env::current_exe().unwrap());
    command.args(["--exact", "death::the_process_that_is_killed"]);
    command.env(BROKER, queue.server.url()).env(DONE, done);
    command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
}

fn done(path: &Path) -> BTreeSet<u64> {
    let text = fs::read_to_string(path).unwrap_or_default();
    // A line that was cut off by the kill was not done.
    let lines = text.split_inclusive('\n').filter_map(|line| line.strip_suffix('\n'));
    lines.map(|line| line.parse().unwrap()).collect()
}

#[tokio::test]
async fn a_killed_consumer_has_acknowledged_nothing_that_was_not_done() {
    let kills = env::var("REARGUARD_MESSAGING_KILLS").map_or(8, |it| it.parse().unwrap());
    let queue = Queue::start().await;
    let path = env::temp_dir().join(format!("rearguard-done-{}", fastrand::u64(..)));
    let path = guard(path, |path| drop(fs::remove_file(path)));
    for number in 0..MESSAGES {
        queue.publish(&CallContext::new(), &number.to_string()).await;
    }
    for _ in 0..kills {
        let child = guard(start(&queue, &path), |mut child| {
            child.kill().unwrap();
            child.wait().unwrap();
        });
        let begin = queue.left().await;
        until("it has done some", async || queue.left().await < begin.min(MESSAGES)).await;
        // At some moment of its work.
        tokio::time::sleep(Duration::from_micros(fastrand::u64(..30_000))).await;
        drop(child);
        let (left, done) = (queue.left().await, done(&path).len() as u64);
        assert!(MESSAGES - left <= done, "{left} of {MESSAGES} are left, but {done} were done");
        assert!(left > 0, "all was done before the last kill");
    }
    let child = guard(start(&queue, &path), |mut child| {
        child.kill().unwrap();
        child.wait().unwrap();
    });
    until("all are acknowledged", async || queue.left().await == 0).await;
    drop(child);
    assert_eq!(done(&path), (0..MESSAGES).collect());
}
