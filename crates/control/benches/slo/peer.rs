//! The same load for a Prometheus: rules as they are exported, and three days that they look at.

use std::{
    fs::{self, File},
    io::{self, BufWriter, Write as _},
    path::Path,
};

use control::slo::rules;
use model::slo::{Good, Method, Rule, Seconds};

/// How far back the longest window looks.
const LOOKS_BACK: Seconds = 3 * 86_400;

/// How often a Prometheus asks, unless it is told otherwise.
const INTERVAL: Seconds = 60;

/// What of a service's requests came in a minute.
const ENDS: [(&str, &str, u64); 2] = [("succeeded", "", 6_000), ("failed", "upstream.reset", 60)];

/// Writes `rules.yaml` and, as OpenMetrics until `now`, `samples`. Five objectives a service, all of
/// availability: rules can say no others.
pub(crate) fn write(services: u64, now: Seconds, folder: &Path) -> io::Result<()> {
    let served = || [(); 5].map(|()| (Rule::new(Good::Served), Method::Occurrences));
    let (page, left_out) = rules(&super::objectives(services, served));
    assert!(left_out.is_empty(), "{left_out:?}");
    fs::write(folder.join("rules.yaml"), page)?;
    let mut samples = BufWriter::new(File::create(folder.join("samples"))?);
    writeln!(samples, "# TYPE rearguard_requests counter")?;
    for service in 0..services {
        for (outcome, cause, a_minute) in ENDS {
            for minute in 0..=LOOKS_BACK / INTERVAL {
                writeln!(
                    samples,
                    r#"rearguard_requests_total{{service="service-{service}",route="all",subset="",outcome="{outcome}",cause="{cause}"}} {} {}"#,
                    minute * a_minute,
                    now - LOOKS_BACK + minute * INTERVAL
                )?;
            }
        }
    }
    writeln!(samples, "# EOF")?;
    samples.flush()
}
