#![no_main]

use config::{Color, Defaults, Source, load};

// Whatever the text: a result, and findings that can be shown. libFuzzer bounds the time.
libfuzzer_sys::fuzz_target!(|text: &str| {
    let sources = [Source::new("a.yaml", text)];
    let upstreams: Vec<_> = ["payment-service/v2=http://127.0.0.1:1", "https://a"]
        .iter()
        .filter_map(|upstream| upstream.parse().ok())
        .collect();
    let loaded = load(&sources, &upstreams, &Defaults::default());
    for diagnostic in &loaded.diagnostics {
        for color in [Color::Never, Color::Always] {
            let shown = diagnostic.render(&sources, color);
            assert!(shown.contains(diagnostic.code), "{shown}");
        }
        let related = diagnostic.related.iter().map(|(location, _)| location);
        for location in diagnostic.location.iter().chain(related) {
            assert!(text.get(location.span.clone()).is_some(), "{diagnostic:?}");
        }
    }
    assert_eq!(load(&sources, &upstreams, &Defaults::default()), loaded, "not the same twice");
});
