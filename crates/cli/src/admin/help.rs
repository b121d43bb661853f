//! The pages of the causes as HTML.

use maud::{Markup, PreEscaped};
use model::Cause;
use pulldown_cmark::{CowStr, Event, Options, Parser, Tag, TagEnd};

/// Where the cause's page is served.
pub(super) fn path(cause: Cause) -> String {
    format!("/causes/{cause}")
}

/// A page's Markdown as HTML. HTML inside it is shown as text; a link to a neighbouring page leads
/// to where that is served, and any other relative link is left as its text.
pub(super) fn render(markdown: &str) -> Markup {
    let mut dropped_links = 0_u32;
    let events = Parser::new_ext(markdown, Options::ENABLE_TABLES).filter_map(|event| {
        match event {
            Event::Html(text) | Event::InlineHtml(text) => Some(Event::Text(text)),
            Event::Start(Tag::Image { .. }) | Event::End(TagEnd::Image) => None,
            Event::Start(Tag::Link { link_type, dest_url, title, id }) => {
                let Some(dest_url) = target(&dest_url) else {
                    dropped_links += 1;
                    return None;
                };
                Some(Event::Start(Tag::Link { link_type, dest_url, title, id }))
            }
            // Links do not nest in Markdown, so the end belongs to the link that was dropped.
            Event::End(TagEnd::Link) if dropped_links > 0 => {
                dropped_links -= 1;
                None
            }
            event => Some(event),
        }
    });
    let mut html = String::new();
    pulldown_cmark::html::push_html(&mut html, events);
    PreEscaped(html)
}

/// Where a link of a page leads here.
fn target(link: &str) -> Option<CowStr<'static>> {
    if link.starts_with("https://") || link.starts_with("http://") || link.starts_with('#') {
        return Some(CowStr::from(link.to_owned()));
    }
    let cause: Cause = link.trim_start_matches("./").strip_suffix(".md")?.parse().ok()?;
    Some(CowStr::from(path(cause)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markdown_becomes_html_and_what_is_html_already_stays_text() {
        for (markdown, expected) in [
            ("# `a` & b", "<h1><code>a</code> &amp; b</h1>\n"),
            ("x <b>y</b>", "<p>x &lt;b&gt;y&lt;/b&gt;</p>\n"),
            ("<script>alert(1)</script>", "&lt;script&gt;alert(1)&lt;/script&gt;"),
            (
                "see [it](upstream.reset.md)",
                "<p>see <a href=\"/causes/upstream.reset\">it</a></p>\n",
            ),
            ("[a](../metrics.md) [b](https://x/)", "<p>a <a href=\"https://x/\">b</a></p>\n"),
            ("[a](javascript:alert(1))", "<p>a</p>\n"),
            ("![picture](https://x/y.png)", "<p>picture</p>\n"),
        ] {
            assert_eq!(render(markdown).into_string(), expected, "{markdown}");
        }
    }

    #[test]
    fn every_cause_has_a_page_that_names_it() {
        for &cause in Cause::ALL {
            let html = render(crate::explain::page(cause)).into_string();
            assert!(html.starts_with(&format!("<h1>{cause}</h1>")), "{cause}: {html}");
            assert!(!html.contains(".md\""), "{cause}: a link leads to where nothing is served");
        }
    }
}
