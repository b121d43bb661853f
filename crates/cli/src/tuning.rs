//! The bounds and rules of the gateway as a whole, as options of `up`. What none of them says keeps
//! its default; `docs/limits.md` explains each.

use std::time::Duration;

use clap::ValueEnum;
use gateway::{Settings, Trust, h1::HostRule};

/// Options that change the gateway's defaults.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Bounds and rules")]
pub(crate) struct Tuning {
    /// From the request sent on to the status line, where the route has no timeout
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = duration)]
    response_timeout: Duration,
    /// From the first byte of a request's head to its end
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = duration)]
    head_timeout: Duration,
    /// A client's connection without a request
    #[arg(long, value_name = "TIME", default_value = "75s", value_parser = duration)]
    idle_timeout: Duration,
    /// How long requests in flight may go on after SIGTERM
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = duration)]
    drain_timeout: Duration,
    /// Bytes of a request's body
    #[arg(long, value_name = "BYTES", default_value_t = 1 << 30)]
    max_body: u64,
    /// Connections of clients, all workers together; fewer where descriptors are scarce
    #[arg(long, value_name = "N", default_value_t = 65_536,
          value_parser = clap::builder::RangedU64ValueParser::<usize>::new().range(1..=1_000_000))]
    max_connections: usize,
    /// Whose X-Forwarded-* and Forwarded are believed: peers on private networks, nobody, everybody
    #[arg(long, value_name = "WHO", default_value = "private")]
    trust_forwarded: TrustForwarded,
    /// Where a target's host and the Host field differ: refuse the request, or let the target win
    #[arg(long, value_name = "RULE", default_value = "refuse")]
    host_mismatch: HostMismatch,
    /// Passes `rearguard-outcome` on to clients
    #[arg(long)]
    expose_outcome: bool,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum TrustForwarded {
    Private,
    Nobody,
    Everybody,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum HostMismatch {
    Refuse,
    TargetWins,
}

impl Tuning {
    /// Changes the settings as asked.
    pub(crate) fn apply(&self, settings: &mut Settings) {
        settings.timeouts.response = self.response_timeout;
        settings.timeouts.head = self.head_timeout;
        settings.timeouts.idle = self.idle_timeout;
        settings.timeouts.drain = self.drain_timeout;
        settings.limits.request_body_bytes = self.max_body;
        settings.limits.connections = self.max_connections;
        settings.trust = match self.trust_forwarded {
            TrustForwarded::Private => Trust::Private,
            TrustForwarded::Nobody => Trust::Nobody,
            TrustForwarded::Everybody => Trust::Everybody,
        };
        settings.host_rule = match self.host_mismatch {
            HostMismatch::Refuse => HostRule::RefuseMismatch,
            HostMismatch::TargetWins => HostRule::TargetWins,
        };
        settings.expose_outcome = self.expose_outcome;
    }

    /// Weak choices, each in words.
    pub(crate) fn warnings(&self) -> Vec<&'static str> {
        let mut warnings = Vec::new();
        if matches!(self.trust_forwarded, TrustForwarded::Everybody) {
            warnings.push(
                "--trust-forwarded everybody: any client can say that it is another; use it only \
                 where every client is a proxy of yours",
            );
        }
        if matches!(self.host_mismatch, HostMismatch::TargetWins) {
            warnings.push(
                "--host-mismatch target-wins: a request that names two hosts is passed on; a service \
                 or a log that looks at the other one is deceived",
            );
        }
        warnings
    }
}

/// Between these, a bound in time makes sense.
const SHORTEST: Duration = Duration::from_millis(1);
const LONGEST: Duration = Duration::from_secs(24 * 3600);

/// `500ms`, `10s`, `1m30s`: as configuration files have them, within the bounds above.
fn duration(text: &str) -> Result<Duration, String> {
    let duration = config::parse_duration(text)
        .map_err(|bad| format!("{bad}; expected a time such as 500ms, 10s or 1m30s"))?;
    if (SHORTEST..=LONGEST).contains(&duration) {
        Ok(duration)
    } else {
        Err(format!("{text} is out of bounds; expected between {SHORTEST:?} and 24h"))
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Program {
        #[command(flatten)]
        tuning: Tuning,
    }

    fn settings(arguments: &[&str]) -> Settings {
        let program = Program::try_parse_from([&["up"], arguments].concat()).unwrap();
        let mut settings = Settings::default();
        program.tuning.apply(&mut settings);
        settings
    }

    #[test]
    fn the_defaults_are_the_gateways_own() {
        let (ours, theirs) = (settings(&[]), Settings::default());
        assert_eq!(ours.timeouts, theirs.timeouts);
        assert_eq!(ours.limits, theirs.limits);
        assert_eq!(ours.trust, theirs.trust);
        assert_eq!(ours.host_rule, theirs.host_rule);
        assert_eq!(ours.expose_outcome, theirs.expose_outcome);
    }

    #[test]
    fn what_is_asked_for_is_set() {
        let settings = settings(&[
            "--response-timeout=1m30s",
            "--drain-timeout=500ms",
            "--max-body=10",
            "--trust-forwarded=nobody",
            "--host-mismatch=target-wins",
        ]);
        assert_eq!(settings.timeouts.response, Duration::from_secs(90));
        assert_eq!(settings.timeouts.drain, Duration::from_millis(500));
        assert_eq!(settings.limits.request_body_bytes, 10);
        assert_eq!(settings.trust, Trust::Nobody);
        assert_eq!(settings.host_rule, HostRule::TargetWins);
    }

    #[test]
    fn a_time_without_a_unit_or_out_of_bounds_is_refused_with_what_is_expected() {
        for (text, expected) in [("10", "such as 500ms"), ("0s", "out of bounds"), ("25h", "24h")] {
            let error = duration(text).unwrap_err();
            assert!(error.contains(expected), "{text}: {error}");
        }
    }
}
