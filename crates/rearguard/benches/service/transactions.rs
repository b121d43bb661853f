//! What a transaction of PostgreSQL costs more than BEGIN, its statements and COMMIT sent by hand.
//!
//! A server of its own on the loopback, statements prepared before, one client. Sides take turns in small
//! batches, so that what disturbs one disturbs all. Round trips are counted between client and server:
//! how often the client begins to send after it was sent something.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Instant,
};

use rearguard::{
    Error,
    pool::{Options, Pool},
    postgres::{
        PgConnection, PgManager, TransactionOptions,
        tokio_postgres::{self, Client, NoTls, Statement},
        transaction,
    },
    testing::TestServer,
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};

use crate::Row;

/// Transactions of a side before it is the next one's turn: so few that some batches run without an
/// interruption also on a machine that is busy.
const BATCH: u32 = 5;

/// Turns of each side in a round.
const TURNS: u32 = 20;

/// Before anything is measured, for each side.
const WARM_UP: u32 = 100;

const OPTIONS: TransactionOptions = TransactionOptions::new();
const UPDATE: &str = "UPDATE accounts SET cents = cents + 1 WHERE id = $1";
const SELECT: &str = "SELECT cents FROM accounts WHERE id = $1";

#[derive(Clone, Copy)]
enum Work {
    Write,
    Transfer,
    Read,
    ReadOnly,
}

impl Work {
    const ALL: [Self; 4] = [Self::Write, Self::Transfer, Self::Read, Self::ReadOnly];

    const fn name(self) -> &'static str {
        match self {
            Self::Write => "transaction, one write",
            Self::Transfer => "transaction, two writes",
            Self::Read => "transaction, one read",
            Self::ReadOnly => "transaction, one read, read only",
        }
    }

    const fn ids(self) -> &'static [i32] {
        match self {
            Self::Transfer => &[1, 2],
            _ => &[1],
        }
    }

    const fn sql(self) -> &'static str {
        match self {
            Self::Write | Self::Transfer => UPDATE,
            Self::Read | Self::ReadOnly => SELECT,
        }
    }

    const fn begin(self) -> &'static str {
        if matches!(self, Self::ReadOnly) { "BEGIN READ ONLY" } else { "BEGIN" }
    }

    const fn options(self) -> TransactionOptions {
        if matches!(self, Self::ReadOnly) { OPTIONS.read_only() } else { OPTIONS }
    }
}

/// One way to run a transaction.
enum Side {
    ByHand(Client, Statement),
    TokioPostgres(Client, Statement),
    Ours(PgConnection, Statement),
    Pooled(Pool<PgManager>),
}

impl Side {
    const fn name(&self) -> &'static str {
        match self {
            Self::ByHand(..) => "by hand",
            Self::TokioPostgres(..) => "tokio-postgres",
            Self::Ours(..) => "rearguard",
            Self::Pooled(_) => "rearguard, pooled, not prepared",
        }
    }

    async fn run(&mut self, work: Work) -> Result<(), Error> {
        match self {
            Self::ByHand(client, statement) => {
                client.batch_execute(work.begin()).await?;
                for id in work.ids() {
                    client.execute(&*statement, &[id]).await?;
                }
                client.batch_execute("COMMIT").await?;
            }
            Self::TokioPostgres(client, statement) => {
                let read_only = matches!(work, Work::ReadOnly);
                let begin = client.build_transaction();
                let begin = if read_only { begin.read_only(true) } else { begin };
                let transaction = begin.start().await?;
                for id in work.ids() {
                    transaction.execute(&*statement, &[id]).await?;
                }
                transaction.commit().await?;
            }
            Self::Ours(connection, statement) => {
                let statement = &*statement;
                transaction(connection, work.options(), async |tx| -> Result<(), Error> {
                    for id in work.ids() {
                        tx.execute(statement, &[id]).await?;
                    }
                    Ok(())
                })
                .await?;
            }
            Self::Pooled(pool) => {
                transaction(&*pool, work.options(), async |tx| -> Result<(), Error> {
                    for id in work.ids() {
                        tx.execute(work.sql(), &[id]).await?;
                    }
                    Ok(())
                })
                .await?;
            }
        }
        Ok(())
    }
}

async fn sides(url: &str, work: Work) -> Result<Vec<Side>, Error> {
    let (by_hand, other) = (plain(url).await?, plain(url).await?);
    let by_hand_statement = by_hand.prepare(work.sql()).await?;
    let other_statement = other.prepare(work.sql()).await?;
    let mut ours = PgConnection::connect(url).await?;
    let statement = ours.client().await?.prepare(work.sql()).await?;
    let pool = Pool::new(PgManager::parse(url)?, Options::new("bench").max_size(1))?;
    Ok(vec![
        Side::ByHand(by_hand, by_hand_statement),
        Side::TokioPostgres(other, other_statement),
        Side::Ours(ours, statement),
        Side::Pooled(pool),
    ])
}

async fn plain(url: &str) -> Result<Client, Error> {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await?;
    drop(tokio::spawn(connection));
    Ok(client)
}

/// Microseconds, of the best batch, and round trips, of each side.
pub(crate) fn measure(rounds: u32) -> Vec<Row> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let measured = runtime.map_err(|error| error.to_string()).and_then(|runtime| {
        runtime.block_on(measure_all(rounds)).map_err(|error| error.to_string())
    });
    measured.unwrap_or_else(|error| panic!("transactions cannot be measured: {error}"))
}

async fn measure_all(rounds: u32) -> Result<Vec<Row>, Error> {
    let server = TestServer::postgres().start()?;
    let url = server.url();
    let sql = "CREATE TABLE accounts (id int PRIMARY KEY, cents bigint NOT NULL);
        INSERT INTO accounts VALUES (1, 0), (2, 0)";
    plain(&url).await?.batch_execute(sql).await?;
    let (proxied, turns) = count_turns(server.address()).await;
    let mut rows = Vec::new();
    for work in Work::ALL {
        let mut all = sides(&url, work).await?;
        let mut best = vec![f64::MAX; all.len()];
        for (index, side) in all.iter_mut().enumerate() {
            batch(side, work, WARM_UP).await?;
            best[index] = f64::MAX;
        }
        for _ in 0..rounds.max(1).saturating_mul(TURNS) {
            for (side, best) in all.iter_mut().zip(&mut best) {
                *best = best.min(batch(side, work, BATCH).await?);
            }
        }
        for mut side in sides(&format!("postgres://postgres@{proxied}"), work).await? {
            side.run(work).await?;
            let before = turns.load(Relaxed);
            side.run(work).await?;
            let trips = (turns.load(Relaxed) - before) as f64;
            rows.push(row(work, &side, "round trips", trips));
        }
        for (side, best) in all.iter().zip(best) {
            rows.push(row(work, side, "µs", best));
        }
    }
    Ok(rows)
}

fn row(work: Work, side: &Side, unit: &'static str, value: f64) -> Row {
    Row { row: work.name().to_owned(), side: side.name().to_owned(), unit, value }
}

/// Microseconds for each transaction of a batch.
async fn batch(side: &mut Side, work: Work, times: u32) -> Result<f64, Error> {
    let begin = Instant::now();
    for _ in 0..times {
        side.run(work).await?;
    }
    Ok(begin.elapsed().as_secs_f64() * 1e6 / f64::from(times))
}

/// Forwards to the server, and counts how often a client begins to send.
async fn count_turns(server: SocketAddr) -> (SocketAddr, Arc<AtomicU64>) {
    let turns = Arc::new(AtomicU64::new(0));
    let listener = match TcpListener::bind("127.0.0.1:0").await {
        Ok(listener) => listener,
        Err(error) => panic!("no port: {error}"),
    };
    let Ok(address) = listener.local_addr() else { panic!("the port has no address") };
    let counted = turns.clone();
    drop(tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            drop(tokio::spawn(forward(client, server, counted.clone())));
        }
    }));
    (address, turns)
}

async fn forward(mut client: TcpStream, server: SocketAddr, turns: Arc<AtomicU64>) {
    let Ok(mut server) = TcpStream::connect(server).await else { return };
    let (mut sent, mut answered) = (vec![0; 8192], vec![0; 8192]);
    let mut clients_turn = true;
    loop {
        let done = tokio::select! {
            Ok(count @ 1..) = client.read(&mut sent) => {
                if clients_turn {
                    turns.fetch_add(1, Relaxed);
                }
                clients_turn = false;
                server.write_all(&sent[..count]).await
            }
            Ok(count @ 1..) = server.read(&mut answered) => {
                clients_turn = true;
                client.write_all(&answered[..count]).await
            }
            else => return,
        };
        if done.is_err() {
            return;
        }
    }
}
