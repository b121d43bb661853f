//! What becomes part of a request line or of a `Location`.

use crate::{load_with, with_routes};

#[test]
fn a_target_that_would_end_its_line_is_refused() {
    let to = "route: [{destination: {host: payment-service}}]";
    for (action, refused) in [
        (format!("rewrite: {{uri: /a%20b, authority: 'b:80'}}\n    {to}"), false),
        (format!("rewrite: {{uri: '/a b'}}\n    {to}"), true),
        (format!("rewrite: {{uri: \"/ HTTP/1.1\\r\\nX: 1\"}}\n    {to}"), true),
        (format!("rewrite: {{authority: \"a\\r\\nX: 1\"}}\n    {to}"), true),
        (
            format!("rewrite: {{uriRegexRewrite: {{match: (.*), rewrite: '/\\1 x'}}}}\n    {to}"),
            true,
        ),
        (
            format!("rewrite: {{uriRegexRewrite: {{match: (.*), rewrite: '/\\1'}}}}\n    {to}"),
            false,
        ),
        ("redirect: {uri: \"/\\nX: 1\"}".to_owned(), true),
        ("redirect: {prefixRewrite: /é}".to_owned(), true),
        ("redirect: {authority: a b}".to_owned(), true),
        ("redirect: {uri: /x, authority: a}".to_owned(), false),
    ] {
        let text = with_routes(&format!("  - {action}\n"));
        let codes: Vec<_> = load_with(&text, &[])
            .diagnostics
            .iter()
            .filter(|found| found.severity == config::Severity::Error)
            .map(|found| found.code)
            .collect();
        let expected: &[&str] = if refused { &["bad-target"] } else { &[] };
        assert_eq!(codes, expected, "{text}");
    }
}
