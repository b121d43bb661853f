//! A flame graph as one HTML page: no other file, no network, readable on a phone.
//!
//! Each call is a block as wide as its share of its caller; what runs in a deferred call is coloured.
//! A tap on a block makes it as wide as the page.

use std::{collections::HashMap, fmt::Write as _};

use super::{Profile, SourceIndex, cleanup::ratio, handler::handler, join::Join, symbol};

/// Blocks narrower than this share of everything are left out.
const NARROWEST: f64 = 0.0005;

/// Stacks are cut at this depth.
const DEEPEST: usize = 160;

/// A page has at most this many blocks, the widest first.
const MAX_BLOCKS: usize = 8000;

const HEAD: &str = include_str!("flame/head.html");
const SCRIPT: &str = include_str!("flame/zoom.js");

#[derive(Debug)]
struct Node {
    function: u32,
    in_cleanup: bool,
    value: i64,
    children: Vec<usize>,
    depth: usize,
}

/// The page for a profile.
#[must_use]
pub fn flame_graph(profile: &Profile, source: Option<&SourceIndex>, title: &str) -> String {
    let nodes = tree(profile, source);
    let mut page = String::with_capacity(64 * 1024);
    let value = &profile.values[profile.shown];
    let total = nodes[0].value;
    write!(page, "{HEAD}<title>").unwrap_or_default();
    push_escaped(&mut page, title);
    page.push_str("</title><h1>");
    push_escaped(&mut page, title);
    let all = amount(total, &value.unit);
    page.push_str("</h1><p id=about>");
    push_escaped(&mut page, &format!("{}: {all}. ", profile.heading()));
    page.push_str(
        "<span class=c>Deferred calls</span> are coloured. Tap a block to widen it, and the top one \
         to see all again.</p>",
    );
    page.push_str("<p id=said>&nbsp;</p><div id=graph>");
    let shown = widest(&nodes);
    push_blocks(&mut page, profile, &nodes, &shown);
    let deepest = nodes.iter().map(|node| node.depth).max().unwrap_or_default();
    writeln!(page, "</div><script>const rows={};{SCRIPT}</script>", deepest + 1)
        .unwrap_or_default();
    page
}

/// The calls as a tree, the root first; a parent comes before its children.
fn tree(profile: &Profile, source: Option<&SourceIndex>) -> Vec<Node> {
    let root =
        Node { function: u32::MAX, in_cleanup: false, value: 0, children: Vec::new(), depth: 0 };
    let mut nodes = vec![root];
    let mut known: HashMap<(usize, u32, bool), usize> = HashMap::new();
    let mut join = Join::new(profile, source);
    for sample in &profile.samples {
        let value = profile.value(sample).max(0);
        let at = handler(&mut join, &sample.stack).unwrap_or(sample.stack.len());
        let cleanup = join.deferred(&sample.stack, at).map(|call| call.at);
        nodes[0].value = nodes[0].value.saturating_add(value);
        let mut parent = 0;
        for (at, frame) in sample.stack.iter().enumerate().rev().take(DEEPEST) {
            let in_cleanup = cleanup.is_some_and(|cleanup| at <= cleanup);
            let next = nodes.len();
            let child = *known.entry((parent, frame.function, in_cleanup)).or_insert(next);
            if child == next {
                let depth = nodes[parent].depth + 1;
                let function = frame.function;
                nodes[parent].children.push(child);
                nodes.push(Node { function, in_cleanup, value: 0, children: Vec::new(), depth });
            }
            nodes[child].value = nodes[child].value.saturating_add(value);
            parent = child;
        }
    }
    nodes
}

/// Which nodes are shown.
fn widest(nodes: &[Node]) -> Vec<bool> {
    let mut order: Vec<usize> = (1..nodes.len())
        .filter(|&at| ratio(nodes[at].value, nodes[0].value) >= NARROWEST)
        .collect();
    // A parent is at least as wide as its children and comes before them.
    order.sort_by_key(|&at| (std::cmp::Reverse(nodes[at].value), at));
    let mut shown = vec![false; nodes.len()];
    for at in order.into_iter().take(MAX_BLOCKS) {
        shown[at] = true;
    }
    shown
}

fn push_blocks(page: &mut String, profile: &Profile, nodes: &[Node], shown: &[bool]) {
    let unit = &profile.values[profile.shown].unit;
    // Where each node begins, as a share of everything.
    let mut waiting = vec![(0_usize, 0.0_f64)];
    while let Some((at, start)) = waiting.pop() {
        let mut from = start;
        let mut children = nodes[at].children.clone();
        children.sort_by_key(|&child| std::cmp::Reverse(nodes[child].value));
        for child in children {
            let node = &nodes[child];
            let width = ratio(node.value, nodes[0].value);
            if shown[child] {
                let name = &profile.functions[node.function as usize].name;
                let class = if node.in_cleanup { " class=c" } else { "" };
                write!(
                    page,
                    "<i{class} data-d={} data-x={from:.6} data-w={width:.6} title=\"",
                    node.depth
                )
                .unwrap_or_default();
                push_escaped(page, name);
                let share = amount(node.value, unit);
                write!(page, " · {share} · {:.1} %\">", width * 100.0).unwrap_or_default();
                push_escaped(page, symbol::short(name));
                page.push_str("</i>");
                waiting.push((child, from));
            }
            from += width;
        }
    }
}

/// A value for people.
#[must_use]
#[expect(clippy::cast_precision_loss, reason = "shown with three digits")]
pub(super) fn amount(value: i64, unit: &str) -> String {
    let scaled = |units: &[(f64, &str)]| {
        let value = value as f64;
        let fits = units.iter().find(|(scale, _)| value.abs() >= *scale);
        let (scale, name) = fits.or(units.last()).copied().unwrap_or((1.0, ""));
        format!("{:.*} {name}", if scale == 1.0 { 0 } else { 2 }, value / scale)
    };
    match unit {
        "nanoseconds" => scaled(&[(1e9, "s"), (1e6, "ms"), (1e3, "µs"), (1.0, "ns")]),
        "bytes" => {
            scaled(&[(1_073_741_824.0, "GiB"), (1_048_576.0, "MiB"), (1024.0, "KiB"), (1.0, "B")])
        }
        _ => value.to_string(),
    }
}

/// Appends text as HTML, also within an attribute.
fn push_escaped(page: &mut String, text: &str) {
    for letter in text.chars() {
        match letter {
            '&' => page.push_str("&amp;"),
            '<' => page.push_str("&lt;"),
            '>' => page.push_str("&gt;"),
            '"' => page.push_str("&quot;"),
            '\'' => page.push_str("&#39;"),
            _ => page.push(letter),
        }
    }
}
