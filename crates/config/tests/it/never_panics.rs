//! Whatever the text: a result, and findings that can be shown.

use config::{Color, Defaults, Source, Upstream, load, load_objectives};
use jiff::tz::TimeZone;
use proptest::prelude::*;

use crate::{ENTRY, RULE, examples::EXAMPLES, file};

/// Objectives.
const OPENSLO: [&str; 3] = [
    include_str!("../../../../examples/openslo/shop.yaml"),
    include_str!("../../../../examples/openslo/checkout.yaml"),
    include_str!("../../../../examples/openslo/prometheus.yaml"),
];

/// Pieces that mean something to YAML or to the readers.
const PIECES: [&str; 24] = [
    "\n",
    "  ",
    "- ",
    ": ",
    "---\n",
    "&a ",
    "*a",
    "{",
    "}",
    "[",
    "]",
    "\"",
    "'",
    "|\n",
    "#",
    "!!str ",
    "null",
    "\t",
    "é",
    "\u{feff}",
    "0s",
    "-1",
    "http:\n",
    "99999999999999999999",
];

/// One change of a text.
#[derive(Clone, Debug)]
enum Change {
    Remove(prop::sample::Index, usize),
    Insert(prop::sample::Index, usize),
    Dedent(prop::sample::Index, usize),
    RepeatLine(prop::sample::Index),
    SwapLines(prop::sample::Index, prop::sample::Index),
    Truncate(prop::sample::Index),
}

fn change() -> impl Strategy<Value = Change> {
    let at = any::<prop::sample::Index>;
    prop_oneof![
        (at(), 1..12usize).prop_map(|(i, n)| Change::Remove(i, n)),
        (at(), 0..PIECES.len()).prop_map(|(i, n)| Change::Insert(i, n)),
        (at(), 1..9usize).prop_map(|(i, n)| Change::Dedent(i, n)),
        at().prop_map(Change::RepeatLine),
        (at(), at()).prop_map(|(i, j)| Change::SwapLines(i, j)),
        at().prop_map(Change::Truncate),
    ]
}

fn apply(text: &str, change: &Change) -> String {
    let mut chars: Vec<char> = text.chars().collect();
    let mut lines: Vec<&str> = text.split_inclusive('\n').collect();
    if chars.is_empty() {
        return String::new();
    }
    match change {
        Change::Remove(at, count) => {
            let start = at.index(chars.len());
            chars.drain(start..(start + count).min(chars.len()));
            chars.into_iter().collect()
        }
        Change::Insert(at, piece) => {
            let at = at.index(chars.len());
            chars.splice(at..at, PIECES[*piece].chars());
            chars.into_iter().collect()
        }
        Change::Dedent(at, count) => {
            let at = at.index(lines.len());
            let dedented = lines[at].trim_start_matches(' ');
            let kept = (lines[at].len() - dedented.len()).saturating_sub(*count);
            let line = format!("{}{dedented}", " ".repeat(kept));
            lines[at] = &line;
            lines.concat()
        }
        Change::RepeatLine(at) => {
            let at = at.index(lines.len());
            lines.insert(at, lines[at]);
            lines.concat()
        }
        Change::SwapLines(i, j) => {
            let (i, j) = (i.index(lines.len()), j.index(lines.len()));
            lines.swap(i, j);
            lines.concat()
        }
        Change::Truncate(at) => chars[..at.index(chars.len())].iter().collect(),
    }
}

/// Loads the text and shows every finding.
fn exercise(text: &str, upstreams: &[Upstream]) -> Result<(), TestCaseError> {
    let sources = [Source::new("a.yaml", text)];
    let loaded = load(&sources, upstreams, &Defaults::default());
    let objectives = load_objectives(&sources, &|_| Some(TimeZone::UTC));
    for diagnostic in loaded.diagnostics.iter().chain(&objectives.diagnostics) {
        let shown = diagnostic.render(&sources, Color::Never);
        prop_assert!(shown.contains(diagnostic.code));
        let locations = diagnostic.location.iter().chain(diagnostic.related.iter().map(|(l, _)| l));
        for location in locations {
            prop_assert!(location.span.start <= location.span.end);
            prop_assert!(location.span.end <= text.len());
            prop_assert!(shown.contains("a.yaml:"), "{shown}");
        }
    }
    // What is accepted can be watched.
    for objective in &objectives.objectives {
        prop_assert!(objective.weight > 0.0 && objective.weight.is_finite());
        for alert in &*objective.alerts {
            prop_assert_eq!(alert.check(objective.target), Ok(()));
        }
    }
    Ok(())
}

/// The examples and the documents of the other tests.
fn originals() -> Vec<String> {
    let examples = EXAMPLES.iter().map(|(_, text)| *text).chain(OPENSLO);
    let mut texts: Vec<String> = examples.map(str::to_owned).collect();
    texts.push(file(&[ENTRY, RULE]));
    texts
}

proptest! {
    #[test]
    fn mutated_examples(which in 0..7usize, changes in prop::collection::vec(change(), 1..12)) {
        let original = originals().swap_remove(which);
        let text = changes.iter().fold(original, |text, change| apply(&text, change));
        let upstreams: Vec<Upstream> =
            ["payment-service/v2=http://127.0.0.1:1", "https://a"].map(|u| u.parse().unwrap()).into();
        exercise(&text, &upstreams)?;
    }

    #[test]
    fn text_of_pieces(pieces in prop::collection::vec(0..PIECES.len(), 0..60)) {
        let text: String = pieces.into_iter().map(|i| PIECES[i]).collect();
        exercise(&text, &[])?;
    }

    #[test]
    fn any_text(text in any::<String>()) {
        exercise(&text, &[])?;
        let _read: Result<Upstream, _> = text.parse();
    }
}
