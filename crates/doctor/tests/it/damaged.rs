//! Damaged and hostile files: reading ends, nothing panics, and the tree keeps its invariants.

use std::{
    fmt::Write as _,
    sync::LazyLock,
    time::{Duration, Instant},
};

use doctor::syntax::{MAX_BYTES, MAX_ERRORS, parse};
use proptest::{prelude::*, test_runner::RngSeed};

use crate::{
    go::{self, Source},
    invariants::check,
};

/// Larger files add time and no kinds of damage.
const LONGEST: usize = 16 << 10;

static SOURCES: LazyLock<Vec<Source>> = LazyLock::new(|| {
    go::sources(16).into_iter().filter(|source| source.text.len() <= LONGEST).collect()
});

/// What is put into a file.
const PIECES: [&str; 40] = [
    "(",
    ")",
    "[",
    "]",
    "{",
    "}",
    ",",
    ";",
    ":",
    ".",
    "\n",
    "\"",
    "'",
    "`",
    "/*",
    "*/",
    "//",
    "<-",
    ":=",
    "=",
    "*",
    "~",
    "|",
    "...",
    "func ",
    "\nfunc f() {\n",
    "if ",
    "else ",
    "for ",
    "range ",
    "switch ",
    "case ",
    "default:",
    "select ",
    "type T[P ",
    "struct{",
    "interface{",
    "return ",
    "chan ",
    "é\u{feff}",
];

#[derive(Clone, Debug)]
enum Damage {
    CutEnd(usize),
    TakeOut(usize, usize),
    Repeat(usize, usize),
    PutIn(usize, usize),
}

fn damage() -> impl Strategy<Value = Damage> {
    prop_oneof![
        any::<usize>().prop_map(Damage::CutEnd),
        (any::<usize>(), 1..80_usize).prop_map(|(at, length)| Damage::TakeOut(at, length)),
        (any::<usize>(), 1..80_usize).prop_map(|(at, length)| Damage::Repeat(at, length)),
        (any::<usize>(), 0..PIECES.len()).prop_map(|(at, piece)| Damage::PutIn(at, piece)),
    ]
}

fn damaged(text: &str, damages: &[Damage]) -> String {
    let mut text = text.to_owned();
    for damage in damages {
        let place = |at: usize| text.floor_char_boundary(at % (text.len() + 1));
        let piece = |at: usize, length: usize| {
            place(at)..text.floor_char_boundary((place(at) + length).min(text.len()))
        };
        match *damage {
            Damage::CutEnd(at) => text.truncate(place(at)),
            Damage::TakeOut(at, length) => text.replace_range(piece(at, length), ""),
            Damage::Repeat(at, length) => {
                let range = piece(at, length);
                let twice = text[range.clone()].repeat(2);
                text.replace_range(range, &twice);
            }
            Damage::PutIn(at, piece) => text.insert_str(place(at), PIECES[piece]),
        }
    }
    text
}

/// Always the same texts: a failure is seen by everybody.
fn config() -> ProptestConfig {
    ProptestConfig {
        cases: 1500,
        rng_seed: RngSeed::Fixed(127),
        failure_persistence: None,
        ..ProptestConfig::default()
    }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn a_damaged_file_is_read(
        at in any::<prop::sample::Index>(),
        damages in prop::collection::vec(damage(), 1..6),
    ) {
        let source = at.get(&SOURCES);
        check(&damaged(&source.text, &damages));
    }

    #[test]
    fn any_text_is_read(text in "\\PC{0,200}") {
        check(&text);
        check(&format!("package p\nfunc f() {{\n{text}\n}}\n"));
    }

    #[test]
    fn any_row_of_tokens_is_read(
        pieces in prop::collection::vec((0..PIECES.len(), prop::bool::ANY), 0..60),
    ) {
        let mut text = "package p\n".to_owned();
        for (piece, has_name) in pieces {
            write!(text, "{}{}", PIECES[piece], if has_name { "x " } else { " " }).unwrap();
        }
        check(&text);
    }
}

#[test]
fn a_file_cut_short_at_each_byte_is_read() {
    let source = SOURCES.iter().find(|source| source.text.len() > 4000).unwrap();
    for end in 0..source.text.len().min(6000) {
        if let Some(text) = source.text.get(..end) {
            check(text);
        }
    }
}

#[test]
fn whatever_nests_is_bounded() {
    const TIMES: usize = 20_000;
    /// Each such text takes some hundredths of a second.
    const LONGEST: Duration = Duration::from_secs(5);
    let repeated = [
        ("x = ", "(", ""),
        ("x = ", "(", ")"),
        ("x = ", "[", ""),
        ("x = ", "-", "x"),
        ("x = ", "*", "x"),
        ("x = ", "<-", "x"),
        ("x = ", "&T{", "}"),
        ("x = T", "{", "}"),
        ("x = ", "f(", ")"),
        ("x = f", "(1)", ""),
        ("x = a", ".b", ""),
        ("x = a", "[0]", ""),
        ("x = a", ".(T)", ""),
        ("x = a", "+a", ""),
        ("x = a", "+a*a-(a)||a&&a==b", ""),
        ("x = ", "a+(", ")"),
        ("x = ", "func() {", "}"),
        ("x = ", "func(a ", ")"),
        ("", "{", "}"),
        ("", "if a {", "}"),
        ("", "if a {} else ", ""),
        ("", "for {", "}"),
        ("", "switch { case a: ", "}"),
        ("", "select { case <-a: ", "}"),
        ("", "L: ", ""),
        ("", "type T [P * (func() {", "})]int"),
        ("", "\ntype T [P * func() {\n", ""),
        ("", "\nfunc (a b, ", ""),
        ("var x ", "[]", "int"),
        ("var x ", "[2]", "int"),
        ("var x ", "*", "int"),
        ("var x ", "chan ", "int"),
        ("var x ", "<-chan ", "int"),
        ("x = ", "<-chan<- ", "int"),
        ("var x ", "map[", "int]int"),
        ("var x ", "struct{a ", "}"),
        ("var x ", "interface{a(", ")}"),
        ("var x interface{a", "|a", "}"),
        ("var x ", "interface{a|", "}"),
        ("var x ", "a[", "]"),
        ("var x ", "func() ", ""),
        ("var x ", "(", ")"),
    ];
    for (before, piece, after) in repeated {
        let (pieces, afters) = (piece.repeat(TIMES), after.repeat(TIMES));
        let text = format!("package p\nfunc f() {{\n{before}{pieces}x{afters}\n}}\nvar last int\n");
        let begun = Instant::now();
        check(&text);
        assert!(begun.elapsed() < LONGEST, "{before}{piece}: {:?}", begun.elapsed());
    }
}

#[test]
fn a_row_of_operators_is_read_however_long_it_is() {
    let text = format!("package p\nconst c = \"\" {}\n", "+ \"x\" - 1 * 2".repeat(50_000));
    assert!(check(&text).errors.is_empty());
}

#[test]
fn errors_are_bounded() {
    let file = check(&format!("package p\nfunc f() {{\n{}}}\n", "a b\n".repeat(1000))).errors.len();
    assert_eq!(file, MAX_ERRORS);
}

#[test]
fn a_file_that_is_too_long_is_refused() {
    let text = " ".repeat(MAX_BYTES + 1);
    let file = parse(&text);
    assert!(file.declarations.is_empty());
    assert_eq!(file.errors[0].message, "the file has 67108865 bytes; at most 67108864 are read");
}

/// A parenthesis that closes the group around a broken type was met for ever.
#[test]
fn a_bracket_that_closes_more_than_a_broken_type_ends_the_reading() {
    for text in [
        "package p\ntype (\n\tA struct {\n\t\ta int\n\t\t*x[Q]\n)\nfunc f() {}\n",
        "package p\ntype (\n\tA struct {\n\t\tego\n\tpack f const ( v != 0 {\n\t\t\tgo f[1:2:3], b = T{a: 1, {2}}\n\t(z..c(P) R) R }\n",
        "package p\ntype (\n\tI interface {\n\t\tM(\n)\n)\n",
        "package p\nvar x = (interface{ M() ) }\n",
    ] {
        let file = parse(text);
        assert!(!file.errors.is_empty() && file.errors.len() <= MAX_ERRORS, "{text}");
    }
}
