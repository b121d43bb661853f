//! Behaviour of the crate, from text to routing and rendered findings.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

mod examples;
mod outline;
mod upstreams;

use config::{Color, Defaults, Loaded, Source, Upstream, load};
use outline::outline;

/// Loads one file named `shop.yaml`, and `--upstream`s.
fn load_with(text: &str, upstreams: &[&str]) -> Loaded {
    let upstreams: Vec<Upstream> = upstreams.iter().map(|u| u.parse().unwrap()).collect();
    load(&[Source::new("shop.yaml", text)], &upstreams, &Defaults::default())
}

/// The findings as they are shown, one after the other.
fn shown(text: &str, loaded: &Loaded) -> String {
    let sources = [Source::new("shop.yaml", text)];
    let rendered: Vec<_> =
        loaded.diagnostics.iter().map(|d| d.render(&sources, Color::Never)).collect();
    rendered.join("\n")
}

/// What `text` and `--upstream`s become; they must load without a word.
fn routing_with(text: &str, upstreams: &[&str]) -> String {
    let loaded = load_with(text, upstreams);
    assert_eq!(shown(text, &loaded), "");
    outline(&loaded.routing)
}
