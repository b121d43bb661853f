//! The load: `wrk`, and what it reports.

use std::process::Stdio;

use anyhow::{Context as _, Result, bail};

use crate::{bench::server::Under, tools};

/// How much is sent.
#[derive(Clone, Debug)]
pub(super) struct Load {
    pub(super) threads: usize,
    pub(super) connections: usize,
    pub(super) under: Under,
}

/// What `wrk` saw.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Seen {
    pub(super) requests: u64,
    pub(super) requests_per_second: f64,
    pub(super) p50_ms: f64,
    pub(super) p99_ms: f64,
}

impl Load {
    /// Sends requests to `port` for so many seconds. `wrapper` goes before the command.
    pub(super) fn run(&self, port: u16, seconds: u32, wrapper: &[String]) -> Result<Seen> {
        let wrk = tools::WRK.find().context("no wrk")?;
        let mut words: Vec<String> = wrapper.to_vec();
        words.extend([
            wrk.display().to_string(),
            format!("-t{}", self.threads),
            format!("-c{}", self.connections),
            format!("-d{seconds}s"),
            "--latency".to_owned(),
            format!("http://127.0.0.1:{port}/bench"),
        ]);
        let words: Vec<_> = words.into_iter().map(Into::into).collect();
        let output = self
            .under
            .command(&words)
            .stdin(Stdio::null())
            .stderr(Stdio::inherit())
            .output()
            .context("cannot start wrk")?;
        let text = String::from_utf8_lossy(&output.stdout);
        if !output.status.success() {
            bail!("wrk failed: {text}");
        }
        parse(&text)
    }
}

fn parse(text: &str) -> Result<Seen> {
    let unexpected = || format!("unexpected output of wrk:\n{text}");
    for line in text.lines().map(str::trim) {
        if line.starts_with("Non-2xx") || line.starts_with("Socket errors") {
            bail!("the load met errors: {line}");
        }
    }
    let after = |prefix: &str| {
        text.lines().find_map(|line| line.trim().strip_prefix(prefix)).map(str::trim)
    };
    let requests = text
        .lines()
        .find_map(|line| line.trim().split_once(" requests in "))
        .and_then(|(count, _)| count.parse().ok());
    let rate = after("Requests/sec:").and_then(|rate| rate.parse().ok());
    Ok(Seen {
        requests: requests.with_context(unexpected)?,
        requests_per_second: rate.with_context(unexpected)?,
        p50_ms: after("50%").and_then(milliseconds).with_context(unexpected)?,
        p99_ms: after("99%").and_then(milliseconds).with_context(unexpected)?,
    })
}

fn milliseconds(text: &str) -> Option<f64> {
    for (unit, factor) in [("us", 0.001), ("ms", 1.0), ("s", 1000.0), ("m", 60_000.0)] {
        if let Some(number) = text.strip_suffix(unit) {
            return number.parse::<f64>().ok().map(|number| number * factor);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::{Seen, parse};

    const OUTPUT: &str = "\
Running 1s test @ http://127.0.0.1:1/bench
  1 threads and 64 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency     2.05ms  150.61us   6.39ms   95.22%
    Req/Sec    31.44k   751.16    32.33k    90.91%
  Latency Distribution
     50%    2.03ms
     75%    2.06ms
     90%    2.09ms
     99%  900.00us
  34398 requests in 1.10s, 11.48MB read
Requests/sec:  31271.98
Transfer/sec:     10.44MB
";

    #[test]
    fn counts_rates_and_latencies_are_read() {
        let seen =
            Seen { requests: 34_398, requests_per_second: 31_271.98, p50_ms: 2.03, p99_ms: 0.9 };
        assert_eq!(parse(OUTPUT).expect("valid"), seen);
    }

    #[test]
    fn a_run_with_errors_is_no_measurement() {
        let failed = OUTPUT.replace("Requests/sec", "  Non-2xx or 3xx responses: 3\nRequests/sec");
        assert!(parse(&failed).expect_err("errors").to_string().contains("Non-2xx"));
    }
}
