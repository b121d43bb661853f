//! A request as a caller meets it: by HTTP/1.1 over TCP, and with the layers as a service adds them.
//!
//! What counts is the processor's time of the server's thread, in the program and in the kernel, as the
//! kernel has kept it in `/proc/thread-self/schedstat`: a request that nobody sends over a socket is one
//! that nobody serves. Callers have a thread of their own, which is not counted; each asks again once
//! all are answered, so that a wake-up of the server is shared by [`CALLERS`] requests.

use std::{
    fs,
    io::{self, Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    path::{Path, PathBuf},
    sync::mpsc::{Receiver, channel},
    thread,
};

use axum::{Router, routing::get};
use rearguard::layers::ServiceLayer;
use tokio::{net::TcpListener, runtime::Builder, sync::oneshot};
use tower::ServiceBuilder;
use tower_http::{catch_panic::CatchPanicLayer, timeout::TimeoutLayer, trace::TraceLayer};

use crate::{
    Row,
    layers::{ASKED, TIMEOUT},
};

const ROW: &str = "a request over TCP, layers by Router::layer";
const CALLERS: usize = 8;
/// Of each caller, in each batch.
const REQUESTS: usize = 500;
/// In each round, the sides in turns.
const BATCHES: u32 = 8;

/// Measures the sides in turns. What a side adds to the first is the median of the differences within
/// the turns, as the machine is now slower and now faster.
pub(crate) fn measure(rounds: u32) -> Vec<Row> {
    let layers = ServiceBuilder::new()
        .layer(TraceLayer::new_for_http())
        .layer(TimeoutLayer::with_status_code(axum::http::StatusCode::GATEWAY_TIMEOUT, TIMEOUT))
        .layer(CatchPanicLayer::new());
    let sides = [
        ("plain axum", app()),
        ("tower-http Trace, Timeout, CatchPanic", app().layer(layers)),
        ("ServiceLayer", app().layer(ServiceLayer::new().deadline(TIMEOUT))),
    ];
    let turns = (0..rounds.saturating_mul(BATCHES))
        .map(|_| sides.iter().map(|(_, app)| of_each(app.clone())).collect());
    let Ok(turns) = turns.collect::<io::Result<Vec<Vec<f64>>>>() else { return Vec::new() };
    let plain = median(turns.iter().map(|turn| turn[0]));
    let rows = sides.iter().enumerate().map(|(index, (side, _))| Row {
        row: ROW.to_owned(),
        side: (*side).to_owned(),
        unit: "CPU ns",
        value: plain + median(turns.iter().map(|turn| turn[index] - turn[0])),
    });
    rows.collect()
}

fn median(numbers: impl Iterator<Item = f64>) -> f64 {
    let mut numbers: Vec<f64> = numbers.collect();
    numbers.sort_by(f64::total_cmp);
    numbers.get(numbers.len() / 2).copied().unwrap_or_default()
}

fn app() -> Router {
    Router::new().route("/", get(async || "hello"))
}

/// The time of the server's thread for one request.
fn of_each(app: Router) -> io::Result<f64> {
    let (stop, stopped) = oneshot::channel::<()>();
    let (say, said) = channel();
    let server = thread::spawn(move || {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(async {
            let listener = TcpListener::bind("127.0.0.1:0").await?;
            let place = (listener.local_addr()?, fs::canonicalize("/proc/thread-self/schedstat")?);
            say.send(place).map_err(io::Error::other)?;
            let served = axum::serve(listener, app);
            tokio::select! {
                ended = served => ended,
                _ = stopped => Ok(()),
            }
        })
    });
    let measured = ask(&said);
    drop(stop);
    server.join().map_err(|_| io::Error::other("the server panicked"))??;
    measured
}

fn ask(said: &Receiver<(SocketAddr, PathBuf)>) -> io::Result<f64> {
    let (address, schedstat) = said.recv().map_err(io::Error::other)?;
    let callers = (0..CALLERS).map(|_| {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        Ok(stream)
    });
    let mut callers = callers.collect::<io::Result<Vec<_>>>()?;
    rounds(&mut callers, REQUESTS / 10)?;
    let begun = run_time(&schedstat)?;
    rounds(&mut callers, REQUESTS)?;
    let ended = run_time(&schedstat)?;
    Ok((ended - begun) / (REQUESTS * CALLERS) as f64)
}

fn rounds(callers: &mut [TcpStream], times: usize) -> io::Result<()> {
    let mut answer = [0; 1024];
    for _ in 0..times {
        for caller in &mut *callers {
            caller.write_all(ASKED)?;
        }
        for caller in &mut *callers {
            // Its head and its body are one write, which is not cut on the loopback.
            if caller.read(&mut answer)? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
    }
    Ok(())
}

/// How long a thread has run so far, in nanoseconds: the first field, since Linux 2.6.
fn run_time(schedstat: &Path) -> io::Result<f64> {
    let text = fs::read_to_string(schedstat)?;
    let first = text.split(' ').next().and_then(|first| first.parse().ok());
    first.ok_or_else(|| io::Error::other(format!("expected a number first, found {text:?}")))
}
