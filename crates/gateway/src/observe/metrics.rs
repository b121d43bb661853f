//! The text format of Prometheus (exposition format 0.0.4).

use std::{
    collections::BTreeMap,
    fmt::{self, Write as _},
    sync::{Arc, atomic::Ordering::Relaxed},
};

use super::{
    Observatory, lock,
    series::{BOUNDS_MICROS, PHASES},
};

impl Observatory {
    /// Appends every metric.
    pub(crate) fn write_metrics(&self, out: &mut String) {
        // Writing to a string cannot fail.
        self.write(out).unwrap_or_default();
    }

    fn write(&self, out: &mut String) -> fmt::Result {
        self.write_requests(out)?;
        self.write_phases(out)?;
        self.write_pools(out)?;
        self.write_gauges(out)
    }

    fn write_requests(&self, out: &mut String) -> fmt::Result {
        head(out, "rearguard_requests_total", "counter", "Requests by how they ended and why.")?;
        for count in self.counts() {
            out.push_str("rearguard_requests_total");
            let labels = [
                ("service", &*count.service),
                ("route", &*count.route),
                ("subset", &*count.subset),
                ("outcome", count.outcome.as_str()),
                ("cause", count.cause.map_or("", |cause| cause.code())),
            ];
            write_labels(out, &labels);
            writeln!(out, " {}", count.requests)?;
        }
        Ok(())
    }

    fn write_phases(&self, out: &mut String) -> fmt::Result {
        const NAME: &str = "rearguard_request_duration_seconds";
        head(out, NAME, "histogram", "Where the time of requests went, by phase.")?;
        let phases = lock(&self.phases).clone();
        let mut services: BTreeMap<Arc<str>, Vec<_>> = BTreeMap::new();
        for phases in &phases {
            services.entry(Arc::clone(&phases.service)).or_default().push(phases);
        }
        for (service, workers) in services {
            for (place, phase) in PHASES.iter().enumerate() {
                let sum_of = |bucket: usize| -> u64 {
                    workers
                        .iter()
                        .map(|phases| phases.histograms[place].buckets[bucket].load(Relaxed))
                        .sum()
                };
                let count: u64 = (0..=BOUNDS_MICROS.len()).map(sum_of).sum();
                if count == 0 {
                    continue;
                }
                let labels = [("service", &*service), ("phase", phase)];
                let mut cumulative = 0;
                for (bucket, bound) in BOUNDS_MICROS.iter().enumerate() {
                    cumulative += sum_of(bucket);
                    let bound = (*bound as f64 / 1e6).to_string();
                    write_bucket(out, NAME, labels, &bound, cumulative)?;
                }
                write_bucket(out, NAME, labels, "+Inf", count)?;
                let sum: u64 = workers
                    .iter()
                    .map(|phases| phases.histograms[place].sum_micros.load(Relaxed))
                    .sum();
                write!(out, "{NAME}_sum")?;
                write_labels(out, &labels);
                writeln!(out, " {}", sum as f64 / 1e6)?;
                write!(out, "{NAME}_count")?;
                write_labels(out, &labels);
                writeln!(out, " {count}")?;
            }
        }
        Ok(())
    }

    fn write_pools(&self, out: &mut String) -> fmt::Result {
        let pools = lock(&self.pools).clone();
        head(out, "rearguard_pool_connections", "gauge", "Connections to services by state.")?;
        for pool in &pools {
            for (state, gauge) in [("active", &pool.active), ("idle", &pool.idle)] {
                out.push_str("rearguard_pool_connections");
                let labels =
                    [("service", &*pool.service), ("subset", &*pool.subset), ("state", state)];
                write_labels(out, &labels);
                writeln!(out, " {}", gauge.load(Relaxed))?;
            }
        }
        let mut each = |name: &str, kind, help, value: &dyn Fn(&super::PoolGauges) -> i128| {
            head(out, name, kind, help)?;
            for pool in &pools {
                out.push_str(name);
                write_labels(out, &[("service", &*pool.service), ("subset", &*pool.subset)]);
                writeln!(out, " {}", value(pool))?;
            }
            Ok(())
        };
        each("rearguard_pool_waiting", "gauge", "Requests that wait for a place.", &|pool| {
            pool.waiting.load(Relaxed).into()
        })?;
        each("rearguard_pool_opened_total", "counter", "Connections that were made.", &|pool| {
            pool.opened.load(Relaxed).into()
        })?;
        each(
            "rearguard_pool_closed_while_idle_total",
            "counter",
            "Connections that the service closed while they were idle.",
            &|pool| pool.closed_while_idle.load(Relaxed).into(),
        )
    }

    fn write_gauges(&self, out: &mut String) -> fmt::Result {
        let gauges = &self.gauges;
        let signed = |gauge: &std::sync::atomic::AtomicI64| i128::from(gauge.load(Relaxed));
        let unsigned = |gauge: &std::sync::atomic::AtomicU64| i128::from(gauge.load(Relaxed));
        for (name, kind, help, value) in [
            (
                "rearguard_client_connections",
                "gauge",
                "Connections of clients.",
                signed(&gauges.connections),
            ),
            ("rearguard_requests", "gauge", "Requests in flight.", signed(&gauges.requests)),
            (
                "rearguard_client_connections_total",
                "counter",
                "Connections of clients that were accepted.",
                unsigned(&gauges.connections_total),
            ),
            (
                "rearguard_client_connections_shed_total",
                "counter",
                "Connections of clients that were turned away to stay up.",
                unsigned(&gauges.connections_shed),
            ),
            (
                "rearguard_requests_resent_total",
                "counter",
                "Requests that were sent again on a fresh connection.",
                unsigned(&gauges.resent),
            ),
            (
                "rearguard_http2_floods_total",
                "counter",
                "HTTP/2 connections of clients that were cut off for frames that lead nowhere.",
                unsigned(&gauges.http2_floods),
            ),
            (
                "rearguard_failures_overwritten_total",
                "counter",
                "Failures that the bounded ring no longer holds.",
                i128::from(self.failures.overwritten()),
            ),
            (
                "rearguard_failures_untold_total",
                "counter",
                "Failures that whoever listens for them had no room for.",
                unsigned(&gauges.failures_untold),
            ),
            (
                "rearguard_access_log_dropped_total",
                "counter",
                "Lines of the access log that could not be written in time.",
                unsigned(&gauges.log_lines_dropped),
            ),
            (
                "rearguard_cleanup_panics_total",
                "counter",
                "Cleanups of the gateway's own scopes that panicked: bugs in it.",
                unsigned(&gauges.cleanup_panics),
            ),
        ] {
            head(out, name, kind, help)?;
            writeln!(out, "{name} {value}")?;
        }
        Ok(())
    }
}

fn head(out: &mut String, name: &str, kind: &str, help: &str) -> fmt::Result {
    writeln!(out, "# HELP {name} {help}\n# TYPE {name} {kind}")
}

fn write_bucket(
    out: &mut String,
    name: &str,
    [service, phase]: [(&str, &str); 2],
    bound: &str,
    count: u64,
) -> fmt::Result {
    write!(out, "{name}_bucket")?;
    write_labels(out, &[service, phase, ("le", bound)]);
    writeln!(out, " {count}")
}

/// Labels in braces.
fn write_labels(out: &mut String, labels: &[(&str, &str)]) {
    for (place, (name, value)) in labels.iter().enumerate() {
        out.push(if place == 0 { '{' } else { ',' });
        out.push_str(name);
        out.push('=');
        write_value(out, value);
    }
    out.push('}');
}

/// A label's value in quotes; backslash, quote and line feed are escaped.
fn write_value(out: &mut String, value: &str) {
    out.push('"');
    for letter in value.chars() {
        match letter {
            '\\' => out.push_str("\\\\"),
            '"' => out.push_str("\\\""),
            '\n' => out.push_str("\\n"),
            _ => out.push(letter),
        }
    }
    out.push('"');
}
