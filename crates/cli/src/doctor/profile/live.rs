//! A profile of a live service.

use std::{
    io::{IsTerminal as _, stderr},
    time::Duration,
};

use anyhow::Context as _;
use indicatif::{ProgressBar, ProgressStyle};

use super::{MAX_PROFILE_BYTES, fetch::Fetch};

/// For one profile, beside the time that it samples.
const TIMEOUT: Duration = Duration::from_secs(30);

/// The list of profiles is a small page.
const MAX_INDEX_BYTES: u64 = 1 << 20;

/// The bar moves so often.
const TICK: Duration = Duration::from_millis(100);

/// What a service is asked for, where only the service is named.
const FIRST: &str = "goroutine?debug=2";

/// The profiles that `net/http/pprof` may list and that are read here.
const KNOWN: [&str; 6] = ["goroutine", "goroutineleak", "heap", "allocs", "mutex", "block"];

/// The bytes of a profile, and the others that the service exposes.
///
/// A URL of a profile is asked as it is, with `seconds` where it samples. Of the URL of a service, or
/// of its `/debug/pprof`, the goroutines are.
pub(super) fn profile(url: &str, seconds: u64) -> anyhow::Result<(Vec<u8>, Vec<String>)> {
    let Some(base) = base_of(url) else {
        return Ok((fetch(&with_seconds(url, seconds), seconds)?, Vec::new()));
    };
    let index = Fetch::new(TIMEOUT, MAX_INDEX_BYTES).get(&format!("{base}/"))?;
    let others = listed(&String::from_utf8_lossy(&index));
    let bytes = fetch(&format!("{base}/{FIRST}"), 0)
        .with_context(|| format!("{base} is there, and its goroutines could not be had"))?;
    let mut others: Vec<String> = others.iter().map(|name| format!("{base}/{name}")).collect();
    others.push(format!("{base}/profile"));
    Ok((bytes, others))
}

/// The URL of the list of profiles, where `url` names no single one.
fn base_of(url: &str) -> Option<String> {
    let (scheme, rest) = url.split_once("://")?;
    let rest = rest.trim_end_matches('/');
    match rest.split_once('/') {
        None => Some(format!("{scheme}://{rest}/debug/pprof")),
        Some((_, path)) if path.ends_with("debug/pprof") => Some(format!("{scheme}://{rest}")),
        Some(_) => None,
    }
}

/// A CPU profile with the time that it is to sample.
fn with_seconds(url: &str, seconds: u64) -> String {
    let samples = url.split('?').next().is_some_and(|path| path.ends_with("/profile"));
    match samples && !url.contains("seconds=") {
        true if url.contains('?') => format!("{url}&seconds={seconds}"),
        true => format!("{url}?seconds={seconds}"),
        false => url.to_owned(),
    }
}

/// The known profiles that the page of `/debug/pprof/` links to.
fn listed(page: &str) -> Vec<&'static str> {
    let links = |name: &&&str| {
        page.contains(&format!("href='{name}?")) || page.contains(&format!("href=\"{name}?"))
    };
    KNOWN.iter().filter(links).copied().collect()
}

/// Fetches with a bar, where somebody watches.
fn fetch(url: &str, seconds: u64) -> anyhow::Result<Vec<u8>> {
    let fetch = Fetch::new(TIMEOUT + Duration::from_secs(seconds), MAX_PROFILE_BYTES);
    if !stderr().is_terminal() {
        return fetch.get(url);
    }
    let style = ProgressStyle::with_template("{spinner} {elapsed_precise} {bytes} of {msg}");
    let bar = ProgressBar::new_spinner().with_message(url.to_owned());
    bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_spinner()));
    bar.enable_steady_tick(TICK);
    let fetched = fetch.get_with(url, |bytes| bar.set_position(bytes));
    bar.finish_and_clear();
    fetched
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_and_its_list_are_told_from_a_profile() {
        for (url, base) in [
            ("http://127.0.0.1:6060", Some("http://127.0.0.1:6060/debug/pprof")),
            ("http://127.0.0.1:6060/", Some("http://127.0.0.1:6060/debug/pprof")),
            (
                "https://pay.local/internal/debug/pprof/",
                Some("https://pay.local/internal/debug/pprof"),
            ),
            ("http://127.0.0.1:6060/debug/pprof/heap", None),
        ] {
            assert_eq!(base_of(url).as_deref(), base, "{url}");
        }
    }

    #[test]
    fn only_what_samples_is_told_for_how_long() {
        for (url, expected) in [
            ("http://h/debug/pprof/profile", "http://h/debug/pprof/profile?seconds=5"),
            ("http://h/debug/pprof/profile?a=b", "http://h/debug/pprof/profile?a=b&seconds=5"),
            ("http://h/debug/pprof/profile?seconds=9", "http://h/debug/pprof/profile?seconds=9"),
            ("http://h/debug/pprof/heap", "http://h/debug/pprof/heap"),
        ] {
            assert_eq!(with_seconds(url, 5), expected);
        }
    }
}
