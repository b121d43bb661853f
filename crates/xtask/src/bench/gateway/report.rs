//! The numbers as tables for people and as JSON for programs.

use std::time::Duration;

use serde_json::{Value, json};

use super::{
    Options,
    measured::{Idle, Measured, Turn},
    proxy::Proxy,
    variant::Variant,
};
use crate::bench::{
    machine::Machine,
    output::{heading, number},
    statistics::{median, range},
};

/// Processor time a request as a ratio to nginx: what must hold, and what is aimed at.
const BAR: f64 = 1.10;
const GOAL: f64 = 0.85;

/// Below this part of its requests in its log, a proxy has saved itself work that others did.
const FAIR_LOG: f64 = 0.99;

/// A report in the making.
#[derive(Debug)]
pub(super) struct Report {
    pub(super) text: String,
    pub(super) json: Value,
    verdicts: Vec<String>,
}

impl Report {
    pub(super) fn new(machine: &Machine, versions: &[(&str, String)], options: &Options) -> Self {
        let text = heading(machine, versions);
        let versions: serde_json::Map<_, _> =
            versions.iter().map(|(name, it)| ((*name).to_owned(), json!(it))).collect();
        let json = json!({
            "machine": {
                "processor": machine.processor,
                "cores": machine.cores,
                "kernel": machine.kernel,
                "load_average_before": machine.load,
            },
            "versions": versions,
            "rounds": options.rounds,
            "seconds": options.seconds,
            "variants": [],
        });
        Self { text, json, verdicts: Vec::new() }
    }

    pub(super) fn add_variant(&mut self, variant: &Variant, measured: &[Measured]) {
        self.text += &format!(
            "\n**{}**\n\n\
             | proxy | CPU µs a request | × nginx (least to most) | requests/s | p50 ms | p99 ms \
             | RSS MB | PSS MB | instructions a request, user + kernel |\n\
             |---|---|---|---|---|---|---|---|---|\n",
            variant.name
        );
        let nginx = measured.iter().find(|it| it.proxy == Proxy::Nginx);
        let mut proxies = Vec::new();
        for it in measured {
            let ratios = nginx.map(|nginx| ratios(it, nginx)).unwrap_or_default();
            let row = Row::new(it, &ratios);
            self.text += &row.line();
            proxies.push(row.json(it));
            if it.logged_ratio < FAIR_LOG {
                self.verdicts.push(format!(
                    "unfair, {}: {} logged only {:.0} % of its requests",
                    variant.name,
                    it.proxy.name(),
                    it.logged_ratio * 100.0,
                ));
            }
            if it.proxy == Proxy::Rearguard && !ratios.is_empty() {
                self.verdicts.push(format!(
                    "rearguard ÷ nginx CPU per request, {}: {:.2} (bar {BAR:.2}, goal {GOAL:.2})",
                    variant.name,
                    median(ratios),
                ));
            }
        }
        let variant = json!({"name": variant.name, "proxies": proxies});
        push(&mut self.json["variants"], variant);
    }

    pub(super) fn add_idle(&mut self, measured: &[Idle]) {
        let count = measured.first().map_or(0, |it| it.connections);
        self.text += &format!(
            "\n**{count} idle connections, one worker**\n\n\
             | proxy | RSS MB before | RSS MB with them | KiB a connection |\n|---|---|---|---|\n"
        );
        let mut rows = Vec::new();
        for it in measured {
            let grown = it.after_bytes.saturating_sub(it.before_bytes) as f64;
            let each = grown / it.connections as f64;
            self.text += &format!(
                "| {} | {:.1} | {:.1} | {:.2} |\n",
                it.proxy.name(),
                megabytes(it.before_bytes),
                megabytes(it.after_bytes),
                each / 1024.0,
            );
            rows.push(json!({
                "proxy": it.proxy.name(),
                "connections": it.connections,
                "rss_before_bytes": it.before_bytes,
                "rss_bytes": it.after_bytes,
                "rss_bytes_per_connection": each,
            }));
        }
        self.json["idle"] = json!(rows);
    }

    pub(super) fn add_callgrind(&mut self, counted: &[(Proxy, f64)]) {
        self.text += "\n**User instructions a request, under valgrind**\n\n\
                      | proxy | instructions | × nginx |\n|---|---|---|\n";
        let nginx = counted.iter().find(|(proxy, _)| *proxy == Proxy::Nginx).map(|it| it.1);
        let mut rows = Vec::new();
        for (proxy, instructions) in counted {
            let ratio = nginx.map(|nginx| instructions / nginx);
            self.text +=
                &format!("| {} | {instructions:.0} | {} |\n", proxy.name(), number(ratio, 2));
            rows.push(json!({
                "proxy": proxy.name(),
                "user_instructions_per_request": instructions,
                "ratio_to_nginx": ratio,
            }));
        }
        self.json["callgrind"] = json!(rows);
    }

    /// Adds the verdicts and how long it took.
    pub(super) fn finish(mut self, took: Duration) -> Self {
        self.text.push('\n');
        for verdict in &self.verdicts {
            self.text += &format!("{verdict}\n");
        }
        self.text += &format!("took {} s", took.as_secs());
        self.json["bar"] = json!(BAR);
        self.json["goal"] = json!(GOAL);
        self
    }
}

/// The medians of one proxy.
#[derive(Debug)]
struct Row {
    proxy: Proxy,
    processor_us: f64,
    ratio: Option<(f64, f64, f64)>,
    rate: f64,
    p50_ms: f64,
    p99_ms: f64,
    resident: u64,
    proportional: Option<u64>,
    instructions: Option<(f64, f64)>,
}

impl Row {
    fn new(it: &Measured, ratios: &[f64]) -> Self {
        let of = |value: fn(&Turn) -> f64| median(it.turns.iter().map(value));
        let counted: Vec<_> = it.turns.iter().filter_map(|turn| turn.instructions).collect();
        let user = median(counted.iter().map(|(user, _)| *user));
        let kernel = median(counted.iter().map(|(_, kernel)| *kernel));
        let (least, most) = range(ratios.iter().copied());
        Self {
            proxy: it.proxy,
            processor_us: of(|turn| turn.processor_us_per_request),
            ratio: (!ratios.is_empty()).then(|| (median(ratios.to_vec()), least, most)),
            rate: of(|turn| turn.seen.requests_per_second),
            p50_ms: of(|turn| turn.seen.p50_ms),
            p99_ms: of(|turn| turn.seen.p99_ms),
            resident: it.resident_bytes,
            proportional: it.proportional_bytes,
            instructions: (!counted.is_empty()).then_some((user, kernel)),
        }
    }

    fn line(&self) -> String {
        let ratio = self.ratio.map_or("–".to_owned(), |(middle, least, most)| {
            format!("{middle:.2} ({least:.2} to {most:.2})")
        });
        let instructions = self
            .instructions
            .map_or("–".to_owned(), |(user, kernel)| format!("{user:.0} + {kernel:.0}"));
        format!(
            "| {} | {:.1} | {ratio} | {:.0} | {:.2} | {:.2} | {:.1} | {} | {instructions} |\n",
            self.proxy.name(),
            self.processor_us,
            self.rate,
            self.p50_ms,
            self.p99_ms,
            megabytes(self.resident),
            number(self.proportional.map(megabytes), 1),
        )
    }

    fn json(&self, it: &Measured) -> Value {
        let turns: Vec<_> = it.turns.iter().map(|turn| turn.processor_us_per_request).collect();
        json!({
            "proxy": self.proxy.name(),
            "cpu_us_per_request": self.processor_us,
            "ratio_to_nginx": self.ratio.map(|it| it.0),
            "ratio_to_nginx_least": self.ratio.map(|it| it.1),
            "ratio_to_nginx_most": self.ratio.map(|it| it.2),
            "requests_per_second": self.rate,
            "p50_ms": self.p50_ms,
            "p99_ms": self.p99_ms,
            "rss_bytes": self.resident,
            "pss_bytes": self.proportional,
            "user_instructions_per_request": self.instructions.map(|it| it.0),
            "kernel_instructions_per_request": self.instructions.map(|it| it.1),
            "logged_ratio": it.logged_ratio,
            "cpu_us_per_request_by_round": turns,
        })
    }
}

/// Round by round, so that what disturbed one round disturbs both sides of its ratio.
fn ratios(it: &Measured, nginx: &Measured) -> Vec<f64> {
    let pairs = it.turns.iter().zip(&nginx.turns);
    pairs
        .map(|(turn, peer)| turn.processor_us_per_request / peer.processor_us_per_request)
        .collect()
}

fn megabytes(bytes: u64) -> f64 {
    bytes as f64 / 1e6
}

fn push(list: &mut Value, value: Value) {
    if let Value::Array(list) = list {
        list.push(value);
    }
}
