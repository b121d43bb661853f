//! `rearguard slo status`: what the running gateway says of its objectives.

use std::{fmt::Write as _, io::Write, process::ExitCode, time::Duration};

use anyhow::Context as _;
use control::slo::span;
use serde_json::Value;

use super::{budget::spoken, watch};

/// What `status` is given.
#[derive(Debug, clap::Args)]
pub(crate) struct StatusArguments {
    /// As the API gives it
    #[arg(long)]
    json: bool,
    /// The admin address of the running gateway
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:9900")]
    admin: String,
}

pub(super) fn run(arguments: &StatusArguments, out: &mut dyn Write) -> anyhow::Result<ExitCode> {
    let address = format!("{}/api/v1/slo", arguments.admin.trim_end_matches('/'));
    let answer = watch::get(&watch::agent().0, &address, &[]).map_err(|error| {
        anyhow::anyhow!(
            "cannot ask {address}: {error}; expected a running `rearguard up` there, or another \
             address in --admin"
        )
    })?;
    if arguments.json {
        out.write_all(answer.as_bytes())?;
        return Ok(ExitCode::SUCCESS);
    }
    let value: Value = serde_json::from_str(&answer)
        .with_context(|| format!("expected JSON from {address}, found something else"))?;
    out.write_all(render(&value).as_bytes())?;
    Ok(ExitCode::SUCCESS)
}

fn render(value: &Value) -> String {
    let mut text = String::new();
    for objective in value["objectives"].as_array().into_iter().flatten() {
        // A string takes what it is given.
        describe(objective, &mut text).unwrap_or_default();
    }
    for composite in value["composites"].as_array().into_iter().flatten() {
        describe_composite(composite, &mut text).unwrap_or_default();
    }
    if text.is_empty() {
        text.push_str("no objectives\n");
    }
    let (waiting, dead) = (&value["letters"]["waiting"], &value["letters"]["died"]);
    let waiting = waiting.as_array().map_or(0, Vec::len);
    if waiting > 0 || dead.as_u64() > Some(0) {
        writeln!(text, "letters: {waiting} waiting, {dead} given up").unwrap_or_default();
    }
    text
}

fn describe(objective: &Value, text: &mut String) -> std::fmt::Result {
    let word = |name: &str| objective[name].as_str().unwrap_or("?");
    write!(text, "{} ({}): {}", word("objective"), word("service"), word("target"))?;
    let suggested = if objective["is_suggested"] == true { ", a suggestion" } else { "" };
    writeln!(text, " over {}{suggested}", millis(&objective["period"]["length_ms"]))?;
    writeln!(text, "  budget   {}", budget(objective))?;
    writeln!(text, "  burn     {}", burns(objective))?;
    let causes = objective["causes"].as_array().into_iter().flatten().map(|cause| {
        let code = cause["cause"].as_str().unwrap_or("no cause");
        let share = cause["share_ratio"].as_f64().unwrap_or_default() * 100.0;
        format!("{code} {share:.1} % ({})", cause["bad"])
    });
    let causes = causes.collect::<Vec<_>>();
    if !causes.is_empty() {
        writeln!(text, "  spent by {}", causes.join(", "))?;
    }
    for alert in objective["alerts"].as_array().into_iter().flatten() {
        let windows = (millis(&alert["long_window_ms"]), millis(&alert["short_window_ms"]));
        let state = match alert["since"].as_str() {
            Some(since) => format!("fires since {since}"),
            None if let Some(since) = alert["no_data_since"].as_str() => {
                format!("no data since {since}")
            }
            None if alert["is_blind"] == true => "cannot be decided, data is missing".to_owned(),
            None => continue,
        };
        let severity = alert["severity"].as_str().unwrap_or("?");
        let burn = &alert["burn_ratio"];
        writeln!(
            text,
            "  alert    {severity} at {burn} over {} and {}: {state}",
            windows.0, windows.1
        )?;
    }
    if let Some(p99) = objective["observed_p99_ms"].as_f64() {
        writeln!(text, "  latency  {}", observed(p99))?;
    }
    if let Some(agreement) = objective["agreement"]["target"].as_str() {
        let state = if objective["agreement"]["is_broken"] == true { "broken" } else { "kept" };
        writeln!(text, "  contract {agreement}: {state} so far")?;
    }
    Ok(())
}

/// What could be asked for, as it is kept now.
fn observed(p99_millis: f64) -> String {
    format!(
        "99 % of requests took at most {p99_millis} ms since the start; as an objective: \
         latencyBelow: {p99_millis}ms, target: 0.99"
    )
}

fn describe_composite(composite: &Value, text: &mut String) -> std::fmt::Result {
    let how = match composite["target_ratio"].as_f64() {
        Some(_) => "bad where any is",
        None => "times their weights",
    };
    let parts = composite["objectives"].as_array().into_iter().flatten();
    let parts = parts
        .map(|part| format!("{} × {}", part["objective"].as_str().unwrap_or("?"), part["weight"]));
    let name = composite["slo"].as_str().unwrap_or("?");
    writeln!(text, "{name} (composite): {}, {how}", parts.collect::<Vec<_>>().join(", "))?;
    writeln!(text, "  budget   {}", budget(composite))?;
    writeln!(text, "  burn     {}", burns(composite))
}

/// By window.
fn burns(value: &Value) -> String {
    let burns = value["burns"].as_array().into_iter().flatten().map(|burn| {
        let rate =
            burn["burn_ratio"].as_f64().map_or("–".to_owned(), |rate| format!("{rate:.2}"));
        format!("{} {rate}", millis(&burn["window_ms"]))
    });
    burns.collect::<Vec<_>>().join(", ")
}

/// In per cent, time and requests.
fn budget(objective: &Value) -> String {
    let budget = &objective["budget"];
    let Some(ratio) = budget["remaining_ratio"].as_f64() else {
        return "nothing has counted yet".to_owned();
    };
    let (word, sign) = if ratio < 0.0 { ("overspent", -1.0) } else { ("left", 1.0) };
    let mut text = format!("{:.1} % {word}", ratio * sign * 100.0);
    let mut add = |words: String| {
        text.push_str(", ");
        text.push_str(&words);
    };
    if let Some(remaining) = budget["remaining_requests"].as_f64() {
        let allowed = budget["allowed_requests"].as_f64().unwrap_or_default();
        add(format!("{:.1} of {allowed:.1} requests", remaining * sign));
    }
    if let Some(millis) = budget["remaining_ms"].as_f64() {
        add(format!("{} of failure", spoken(millis * sign / 1e3)));
    }
    text
}

/// A window, as people write it.
fn millis(value: &Value) -> String {
    span(Duration::from_millis(value.as_u64().unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_budget_is_said_in_per_cent_requests_and_time() {
        let value = json!({ "objectives": [{
            "objective": "payments", "service": "pay", "target": "99.9 %",
            "period": { "length_ms": 2_592_000_000_u64 },
            "budget": {
                "remaining_ratio": 0.36, "allowed_requests": 300.0, "remaining_requests": 108.0,
                "remaining_ms": 933_120,
            },
            "burns": [{ "window_ms": 300_000, "burn_ratio": 14.4 }, { "window_ms": 3_600_000 }],
            "causes": [{ "cause": "upstream.reset", "bad": 192, "share_ratio": 1.0 }],
            "alerts": [{
                "severity": "page", "burn_ratio": 14.4, "long_window_ms": 3_600_000,
                "short_window_ms": 300_000, "since": "2026-11-25T10:00:00Z", "is_blind": false,
            }],
            "agreement": { "target": "99.5 %", "is_broken": false },
        }], "composites": [{
            "slo": "shop", "target_ratio": null,
            "objectives": [{ "objective": "shop/a", "weight": 1.0 }, { "objective": "shop/b", "weight": 0.5 }],
            "budget": { "remaining_ratio": -0.25 },
            "burns": [{ "window_ms": 300_000, "burn_ratio": 2.0 }],
        }], "letters": { "waiting": [{}], "died": 2 } });
        insta::assert_snapshot!(render(&value), @r"
        payments (pay): 99.9 % over 30d
          budget   36.0 % left, 108.0 of 300.0 requests, 15 m 33 s of failure
          burn     5m 14.40, 1h –
          spent by upstream.reset 100.0 % (192)
          alert    page at 14.4 over 1h and 5m: fires since 2026-11-25T10:00:00Z
          contract 99.5 %: kept so far
        shop (composite): shop/a × 1.0, shop/b × 0.5, times their weights
          budget   25.0 % overspent
          burn     5m 2.00
        letters: 1 waiting, 2 given up
        ");
    }

    #[test]
    fn a_suggestion_says_what_was_observed_and_how_that_is_an_objective() {
        let value = json!({ "objectives": [{
            "objective": "pay", "service": "pay", "target": "99.9 %", "is_suggested": true,
            "budget": {}, "observed_p99_ms": 2.5,
        }] });
        let text = render(&value);
        assert!(text.contains("a suggestion\n") && text.contains("at most 2.5 ms since"), "{text}");
        assert!(text.contains("latencyBelow: 2.5ms, target: 0.99"), "{text}");
    }

    #[test]
    fn without_traffic_nothing_is_claimed() {
        let value = json!({ "objectives": [{ "objective": "a", "budget": {} }] });
        assert!(render(&value).contains("nothing has counted yet"), "{}", render(&value));
        assert_eq!(render(&json!({ "objectives": [] })), "no objectives\n");
    }
}
