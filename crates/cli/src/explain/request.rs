//! One failed request of a running gateway, by its trace id.

use std::{fmt::Write as _, time::Duration};

use anyhow::{Context as _, bail};
use serde_json::Value;

use crate::doctor::profile::fetch::Fetch;

/// For the whole answer.
const TIMEOUT: Duration = Duration::from_secs(5);

/// A thousand failures, the most that are asked for, have some 1 MiB.
const MAX_BYTES: u64 = 16 << 20;

/// Whether a text is a trace id: 32 hexadecimal digits.
pub(super) fn is_trace_id(text: &str) -> bool {
    text.len() == 32 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// What the gateway knows about the failures with this trace id.
pub(super) fn explain(trace_id: &str, admin: &str) -> anyhow::Result<String> {
    let address = format!("{}/api/v1/failures?limit=1000", admin.trim_end_matches('/'));
    let answer = Fetch::new(TIMEOUT, MAX_BYTES).get(&address).with_context(|| {
        format!(
            "cannot ask {address}; expected a running `rearguard up` there, or another address in \
             --admin"
        )
    })?;
    let value: Value = serde_json::from_slice(&answer)
        .with_context(|| format!("expected JSON from {address}, found something else"))?;
    let trace_id = trace_id.to_ascii_lowercase();
    let found = value["failures"].as_array().into_iter().flatten();
    let found: Vec<_> = found.filter(|failure| failure["trace_id"] == trace_id.as_str()).collect();
    if found.is_empty() {
        bail!(
            "none of the gateway's last 1000 failures has the trace id {trace_id}; the access log has \
             older ones"
        );
    }
    let mut text = String::new();
    for failure in found {
        // A string takes what it is given.
        describe(failure, &mut text).unwrap_or_default();
    }
    Ok(text)
}

fn describe(failure: &Value, text: &mut String) -> std::fmt::Result {
    let word = |name: &str| failure[name].as_str().unwrap_or("?");
    writeln!(
        text,
        "{} {} {} of {}: {}, {}",
        word("time"),
        word("method"),
        word("path"),
        word("service"),
        failure["status"],
        word("cause")
    )?;
    writeln!(text, "  {}", word("explanation"))?;
    if let Some(sentence) = failure["profile"]["sentence"].as_str() {
        writeln!(text, "  {sentence}")?;
    }
    writeln!(text, "  `rearguard explain {}` has the page of this cause", word("cause"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_failure_is_described_with_what_the_profile_says() {
        let failure = json!({
            "time": "2026-11-21T22:30:00.000000Z", "method": "GET", "path": "/pay", "status": 504,
            "service": "pay", "cause": "upstream.response_timed_out",
            "explanation": "No status line came in time.",
            "profile": { "sentence": "Blocked in chan receive at main.close (main.go:7)." },
        });
        let mut text = String::new();
        describe(&failure, &mut text).unwrap();
        assert_eq!(
            text,
            "2026-11-21T22:30:00.000000Z GET /pay of pay: 504, upstream.response_timed_out\n  \
             No status line came in time.\n  \
             Blocked in chan receive at main.close (main.go:7).\n  \
             `rearguard explain upstream.response_timed_out` has the page of this cause\n"
        );
    }

    #[test]
    fn only_thirty_two_hexadecimal_digits_are_a_trace_id() {
        assert!(is_trace_id("4bf92f3577b34da6a3ce929d0e0e4736"));
        assert!(!is_trace_id("502"));
        assert!(!is_trace_id("upstream.response_timed_out_____"));
    }
}
