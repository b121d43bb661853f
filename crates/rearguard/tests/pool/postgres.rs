//! The pool against real PostgreSQL, with a manager of the plainest kind: whatever was used is rolled
//! back and discarded before the next borrower has it.

use std::{
    io,
    process::Command,
    sync::{
        Arc, Mutex, Weak,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::Instant,
};

use rearguard::{
    Error, ErrorKind,
    pool::{ConnectionState, Discard, Lease, Manager, Options, Pool},
    testing::{Run, TestServer, at_every_poll},
};
use tokio::{
    io::AsyncReadExt as _,
    net::TcpStream,
    task::{JoinHandle, JoinSet},
    time::{sleep, timeout},
};
use tokio_postgres::{Client, Config, NoTls};

use crate::{ms, secs};

struct Postgres(Config, u16);

struct Session {
    client: Client,
    task: JoinHandle<()>,
    /// The same socket, to see the server close it.
    socket: TcpStream,
    used: bool,
}

impl Session {
    fn client(&mut self) -> &Client {
        self.used = true;
        &self.client
    }

    async fn number(&mut self, sql: &str) -> i64 {
        self.client().query_one(sql, &[]).await.unwrap().get(0)
    }
}

fn refused(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
    Error::new(ErrorKind::ConnectRefused, "postgres.connect").because(error)
}

impl Manager for Postgres {
    type Connection = Session;

    async fn connect(&self) -> Result<Session, Error> {
        let open = async || -> io::Result<(TcpStream, TcpStream)> {
            let stream = TcpStream::connect(("127.0.0.1", self.1)).await?.into_std()?;
            let socket = TcpStream::from_std(stream.try_clone()?)?;
            Ok((TcpStream::from_std(stream)?, socket))
        };
        let (stream, socket) = open().await.map_err(refused)?;
        let (client, connection) = self.0.connect_raw(stream, NoTls).await.map_err(refused)?;
        let task = tokio::spawn(async move { drop(connection.await) });
        Ok(Session { client, task, socket, used: false })
    }

    fn state(&self, session: &mut Session) -> ConnectionState {
        match session.used {
            _ if session.client.is_closed() => ConnectionState::Broken("closed"),
            true => ConnectionState::Busy("used"),
            false => ConnectionState::Idle,
        }
    }

    async fn reset(&self, session: &mut Session) -> Result<(), Error> {
        for sql in ["ROLLBACK", "DISCARD ALL"] {
            session.client.batch_execute(sql).await.map_err(refused)?;
        }
        session.used = false;
        Ok(())
    }

    async fn close(&self, session: Session) {
        let Session { client, task, mut socket, .. } = session;
        drop(client);
        drop(task.await);
        // The server closes it as the last thing of all.
        while matches!(socket.read(&mut [0; 64]).await, Ok(1..)) {}
    }
}

fn config(server: &TestServer, name: &str) -> Config {
    let mut config = Config::new();
    config.host("127.0.0.1").port(server.address().port()).user("postgres");
    config.application_name(name);
    config
}

/// A server for the tests that do it no harm, while one of them runs.
fn shared() -> Arc<TestServer> {
    static SHARED: Mutex<Weak<TestServer>> = Mutex::new(Weak::new());
    let mut shared = SHARED.lock().unwrap();
    shared.upgrade().unwrap_or_else(|| {
        let server = Arc::new(TestServer::postgres().start().unwrap());
        *shared = Arc::downgrade(&server);
        server
    })
}

/// The pool's sessions have its name.
fn pool(server: &TestServer, name: &'static str, more: fn(Options) -> Options) -> Pool<Postgres> {
    let manager = Postgres(config(server, name), server.address().port());
    Pool::new(manager, more(Options::new(name))).unwrap()
}

/// A connection beside the pool.
async fn beside(server: &TestServer) -> Client {
    let (client, connection) = config(server, "beside").connect(NoTls).await.unwrap();
    tokio::spawn(async move { drop(connection.await) });
    client
}

/// How many sessions of a pool there are for which this is so.
async fn count(client: &Client, pool: &str, condition: &str) -> i64 {
    let sql = "SELECT count(*) FROM pg_stat_activity WHERE application_name = $1";
    client.query_one(&format!("{sql} AND {condition}"), &[&pool]).await.unwrap().get(0)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_server_never_sees_more_sessions_than_allowed() {
    let server = shared();
    let pool = pool(&server, "four", |it| it.max_size(4).wait_timeout(secs(20)));
    let client = beside(&server).await;
    let done = Arc::new(AtomicBool::new(false));
    let watcher = tokio::spawn({
        let done = Arc::clone(&done);
        async move {
            let (mut most, mut looks) = (0, 0);
            while !done.load(Relaxed) {
                most = most.max(count(&client, "four", "true").await);
                looks += 1;
            }
            (most, looks)
        }
    });
    let mut tasks = JoinSet::new();
    for n in 0..24_u64 {
        let pool = pool.clone();
        tasks.spawn(async move {
            let mut random = fastrand::Rng::with_seed(n);
            for _ in 0..8 {
                let mut lease = pool.get().await.unwrap();
                match random.u8(0..4) {
                    0 => Lease::discard(lease),
                    1 => {
                        // Dropped in the middle of a query.
                        let slow = lease.client().batch_execute("BEGIN; SELECT pg_sleep(0.01)");
                        drop(timeout(ms(2), slow).await);
                    }
                    _ => assert_eq!(lease.number("SELECT 1::bigint").await, 1),
                }
            }
        });
    }
    while let Some(ended) = tasks.join_next().await {
        ended.unwrap();
    }
    done.store(true, Relaxed);
    let (most, looks) = watcher.await.unwrap();
    assert!((1..=4).contains(&most) && looks > 20, "{most} sessions in {looks} looks");
    let closed = pool.close(secs(10)).await;
    assert_eq!((closed.holders.len(), closed.ending), (0, 0));
    assert_eq!(count(&beside(&server).await, "four", "true").await, 0);
    assert_eq!(pool.snapshot().counters.closes_cut_short, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_next_borrower_finds_nothing_of_the_one_before() {
    let server = shared();
    let pool = pool(&server, "clean", |it| it.max_size(1));
    let client = beside(&server).await;
    let dirty = "CREATE TEMPORARY TABLE mine (n int); SET work_mem = '77MB'; \
                 BEGIN; CREATE TABLE forever (n int)";
    let task = tokio::spawn({
        let pool = pool.clone();
        async move {
            let mut lease = pool.get().await.unwrap();
            lease.client().batch_execute(dirty).await.unwrap();
            panic!("the borrower's");
        }
    });
    assert!(task.await.unwrap_err().is_panic());
    let clean = "SELECT count(*) FROM pg_class WHERE relname IN ('mine', 'forever')";
    let mut lease = pool.get().await.unwrap();
    assert_eq!(lease.number(clean).await, 0);
    assert_eq!(count(&client, "clean", "state LIKE 'idle in%'").await, 0);
    let row = lease.client().query_one("SHOW work_mem", &[]).await.unwrap();
    assert_eq!(row.get::<_, String>(0), "4MB");
    assert_eq!(pool.snapshot().counters.created, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn dropped_at_any_poll_a_use_leaves_no_transaction_and_no_session_too_many() {
    let server = shared();
    let pool = &pool(&server, "polls", |it| it.max_size(1));
    let client = &beside(&server).await;
    let make = || async move {
        let mut lease = pool.get().await.unwrap();
        lease.client().batch_execute("BEGIN; SELECT 1").await.unwrap();
        lease.client().batch_execute("SAVEPOINT s").await.unwrap();
    };
    let check = |run: Run| async move {
        let mut lease = pool.get().await.unwrap();
        // Only inside of a transaction is that allowed.
        assert!(lease.client().batch_execute("SAVEPOINT s").await.is_err(), "{run:?}");
        assert_eq!(count(client, "polls", "state LIKE 'idle in%'").await, 0, "{run:?}");
        assert_eq!(count(client, "polls", "true").await, 1, "{run:?}");
        drop(lease);
        assert_eq!(pool.snapshot().in_use, 0, "{run:?}");
    };
    let polls = at_every_poll(make, check).await;
    assert!(polls >= 3, "{polls}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_restarts_or_is_killed_is_found_again() {
    let mut server = TestServer::postgres().start().unwrap();
    let pool =
        pool(&server, "again", |it| it.max_size(3).wait_timeout(secs(2)).max_backoff(ms(300)));
    for round in 0..2 {
        let mut leases = Vec::new();
        for _ in 0..3 {
            leases.push(pool.get().await.unwrap());
        }
        // One is lent as it happens, two are idle.
        let mut lent = leases.pop().unwrap();
        drop(leases);
        if round == 0 {
            server.stop().unwrap()
        } else {
            server.kill().unwrap()
        }
        // Sessions live on for a moment after their server was killed.
        let begin = Instant::now();
        while lent.client().batch_execute("SELECT 1").await.is_ok() {
            assert!(begin.elapsed() < secs(10));
            sleep(ms(5)).await;
        }
        drop(lent);
        let mut began = Instant::now();
        let error = loop {
            match pool.get().await {
                Err(error) => break error,
                Ok(mut lease) => drop(lease.client().batch_execute("SELECT 1").await),
            }
            assert!(begin.elapsed() < secs(10));
            began = Instant::now();
        };
        assert_eq!(error.kind(), ErrorKind::QueueTimedOut, "{error}");
        assert!(error.to_string().contains("connect_refused"), "{error}");
        assert!(began.elapsed() < secs(4), "{:?}", began.elapsed());
        server.start_again().unwrap();
        let mut lease = pool.get().await.unwrap();
        assert_eq!(lease.number("SELECT 1::bigint").await, 1);
    }
    assert!(pool.snapshot().counters.discarded(Discard::Broken) >= 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_is_paused_makes_nobody_wait_beyond_the_bound_and_says_where_it_hangs() {
    let server = TestServer::postgres().start().unwrap();
    let pool = pool(&server, "paused", |it| {
        let it = it.max_size(2).wait_timeout(ms(700)).max_backoff(ms(300));
        let it = it.connect_timeout(ms(300)).reset_timeout(ms(300)).close_timeout(ms(200));
        it.test_after(Some(ms(0)))
    });
    let mut lease = pool.get().await.unwrap();
    let pid = lease.number("SELECT pg_backend_pid()::bigint").await.to_string();
    drop(lease);
    let mut settled = pool.snapshot();
    while settled.idle < 1 {
        sleep(ms(5)).await;
        settled = pool.snapshot();
    }
    // The whole server stands still: who accepts, and the session.
    server.pause().unwrap();
    assert!(Command::new("kill").args(["-STOP", &pid]).status().unwrap().success());
    let began = Instant::now();
    let mut waits = JoinSet::new();
    for _ in 0..20 {
        let pool = pool.clone();
        waits.spawn(async move { pool.get().await.map(drop) });
    }
    while let Some(waited) = waits.join_next().await {
        let error = waited.unwrap().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::QueueTimedOut, "{error}");
        assert!(error.to_string().contains("connect_timed_out in pool.connect"), "{error}");
    }
    assert!(began.elapsed() < secs(2), "{:?}", began.elapsed());
    let counters = pool.snapshot().counters;
    assert_eq!(counters.discarded(Discard::ResetTimedOut), 1);
    assert!(Command::new("kill").args(["-CONT", &pid]).status().unwrap().success());
    server.resume().unwrap();
    let begin = Instant::now();
    let mut lease = loop {
        match pool.get().await {
            Ok(lease) => break lease,
            Err(error) => assert!(begin.elapsed() < secs(10), "{error}"),
        }
    };
    assert_eq!(lease.number("SELECT 1::bigint").await, 1);
}
