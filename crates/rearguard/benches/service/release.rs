//! A handler whose release is slow: deferred, so that its caller waits for it, and after the answer.
//!
//! Real connections by HTTP/1.1, a bounded number of callers that each ask again as soon as they are
//! answered, for a bounded time. How much better the second is follows from how long the release
//! takes beside the work; the times here are those of a lookup, and of a connection that is reset
//! before it goes back.

use std::{
    io,
    net::SocketAddr,
    time::{Duration, Instant},
};

use axum::{Router, routing::get};
use rearguard::layers::{AfterResponse, RequestScope, ServiceLayer};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    runtime::Builder,
    task::JoinSet,
    time::sleep,
};

use crate::Row;

const ROW: &str = "a handler of 5 ms whose release takes 20 ms";
const WORK: Duration = Duration::from_millis(5);
const RELEASE: Duration = Duration::from_millis(20);
const CALLERS: usize = 16;
/// Of each side, in each round.
const TIME: Duration = Duration::from_millis(500);

/// When the release runs.
#[derive(Clone, Copy)]
enum Side {
    Deferred,
    AfterResponse,
}

/// Measures both sides, in turns.
pub(crate) fn measure(rounds: u32) -> Vec<Row> {
    let Ok(runtime) = Builder::new_multi_thread().worker_threads(2).enable_all().build() else {
        return Vec::new();
    };
    let sides = [("deferred", Side::Deferred), ("after_response", Side::AfterResponse)];
    let mut all = sides.map(|(name, side)| (name, side, Vec::new()));
    for _ in 0..rounds.clamp(1, 10) {
        for (_, side, took) in &mut all {
            took.extend(runtime.block_on(load(*side)).unwrap_or_default());
        }
    }
    all.into_iter()
        .flat_map(|(side, _, mut took)| {
            took.sort();
            let of = |unit, share| {
                let value = at(&took, share).as_secs_f64() * 1000.0;
                Row { row: ROW.to_owned(), side: side.to_owned(), unit, value }
            };
            [of("P50 ms", 0.5), of("P99 ms", 0.99)]
        })
        .collect()
}

fn at(sorted: &[Duration], share: f64) -> Duration {
    let index = (sorted.len() as f64 * share) as usize;
    sorted.get(index.min(sorted.len().saturating_sub(1))).copied().unwrap_or_default()
}

/// How long each request took.
async fn load(side: Side) -> io::Result<Vec<Duration>> {
    let after = AfterResponse::default();
    let handler = async move || {
        sleep(WORK).await;
        if let Some(scope) = RequestScope::current() {
            match side {
                Side::Deferred => scope.defer(sleep(RELEASE)),
                Side::AfterResponse => scope.after_response(sleep(RELEASE)),
            }
        }
        "done"
    };
    let layer = ServiceLayer::new().after_response(after.clone());
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let app = Router::new().route("/", get(handler)).layer(layer);
    let server = tokio::spawn(async { axum::serve(listener, app).await });
    let mut callers = JoinSet::new();
    for _ in 0..CALLERS {
        callers.spawn(call(address));
    }
    let mut took = Vec::new();
    while let Some(ended) = callers.join_next().await {
        took.extend(ended.map_err(io::Error::other)??);
    }
    server.abort();
    after.drain(RELEASE * 10).await;
    Ok(took)
}

async fn call(address: SocketAddr) -> io::Result<Vec<Duration>> {
    let mut stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    let begun = Instant::now();
    let (mut took, mut answer) = (Vec::new(), [0; 1024]);
    while begun.elapsed() < TIME {
        let asked = Instant::now();
        stream.write_all(b"GET / HTTP/1.1\r\nhost: bench\r\n\r\n").await?;
        // Its head and its body are one write, which is not cut on the loopback.
        if stream.read(&mut answer).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        took.push(asked.elapsed());
    }
    Ok(took)
}
