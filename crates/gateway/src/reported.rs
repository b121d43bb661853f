//! What a service says about itself in band: `Server-Timing` and `rearguard-outcome`.

use std::time::Duration;

use model::{Outcome, Reported};

use crate::message::{Fields, Known, list_members};

/// What was reported for one request, in headers, in trailers, or in both.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct InBand {
    pub(crate) timing: Reported,
    pub(crate) outcome: Option<Outcome>,
    pub(crate) grpc_status: Option<u32>,
}

impl InBand {
    /// Reads a set of fields; what a later set says wins.
    pub(crate) fn read(&mut self, fields: &Fields) {
        for (known, _, value) in fields.iter() {
            match known {
                Known::ServerTiming => self.read_timing(value),
                Known::RearguardOutcome => {
                    let text = std::str::from_utf8(value).unwrap_or_default();
                    self.outcome = text.parse().ok().or(self.outcome);
                }
                Known::GrpcStatus => {
                    let text = std::str::from_utf8(value).unwrap_or_default();
                    self.grpc_status = text.parse().ok().or(self.grpc_status);
                }
                _ => {}
            }
        }
    }

    /// `work;dur=12.1, cleanup;dur=300.4`, in milliseconds (W3C Server Timing).
    fn read_timing(&mut self, value: &[u8]) {
        for metric in list_members(value) {
            let mut parts = metric.split(|byte| *byte == b';').map(<[u8]>::trim_ascii);
            let name = parts.next().unwrap_or_default();
            let duration = parts.find_map(|part| parse_duration(part.strip_prefix(b"dur=")?));
            match name {
                b"work" => self.timing.work = duration.or(self.timing.work),
                b"cleanup" => self.timing.cleanup = duration.or(self.timing.cleanup),
                _ => {}
            }
        }
    }
}

/// Milliseconds with or without a fraction; a day at most, so that rubbish cannot overflow a sum.
fn parse_duration(value: &[u8]) -> Option<Duration> {
    const MOST_MILLIS: f64 = 86_400_000.0;
    let millis: f64 = std::str::from_utf8(value).ok()?.trim_matches('"').parse().ok()?;
    (0.0..=MOST_MILLIS).contains(&millis).then(|| Duration::from_secs_f64(millis / 1000.0))
}

/// `timeout=5` in a `Keep-Alive` field.
pub(crate) fn advertised_keep_alive(fields: &Fields) -> Option<Duration> {
    list_members(fields.get(Known::KeepAlive)?).find_map(|member| {
        let text = std::str::from_utf8(member.strip_prefix(b"timeout=")?).ok()?;
        text.parse().ok().map(Duration::from_secs)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(fields: &[(&str, &str)]) -> InBand {
        let mut set = Fields::new();
        for (name, value) in fields {
            set.push(name.as_bytes(), value.as_bytes());
        }
        let mut in_band = InBand::default();
        in_band.read(&set);
        in_band
    }

    #[test]
    fn work_and_cleanup_are_read_among_other_metrics() {
        let in_band = read(&[
            ("Server-Timing", "db;dur=53, work;desc=\"x\";dur=12.1"),
            ("server-timing", "cleanup; dur=300.4"),
        ]);
        assert_eq!(in_band.timing.work, Some(Duration::from_micros(12_100)));
        assert_eq!(in_band.timing.cleanup, Some(Duration::from_micros(300_400)));
    }

    #[test]
    fn rubbish_is_not_a_duration() {
        for value in ["work", "work;dur=", "work;dur=-1", "work;dur=NaN", "work;dur=1e300"] {
            assert_eq!(read(&[("server-timing", value)]).timing.work, None, "{value}");
        }
    }

    #[test]
    fn an_outcome_is_read_by_its_name_only() {
        assert_eq!(read(&[("rearguard-outcome", "panicked")]).outcome, Some(Outcome::Panicked));
        assert_eq!(read(&[("rearguard-outcome", "fine")]).outcome, None);
    }

    #[test]
    fn a_keep_alive_is_read_in_seconds() {
        let mut set = Fields::new();
        set.push(b"Keep-Alive", b"timeout=5, max=1000");
        assert_eq!(advertised_keep_alive(&set), Some(Duration::from_secs(5)));
    }
}
