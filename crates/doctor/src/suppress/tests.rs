use super::*;
use crate::{fix, syntax::parse};

static CLOSE: Rule = Rule {
    code: "close",
    summary: "",
    severity: Severity::Warning,
    confidence: Confidence::High,
    page: "",
};

/// A finding of `close` at each `X()`; what is left of them and of `unused-nolint`, by line, and the
/// text with the fixes of the latter.
fn check(text: &str) -> (Vec<u32>, Vec<u32>, String) {
    let (lines, file) = (Lines::new(text), parse(text));
    let findings = text
        .match_indices("X()")
        .map(|(at, _)| Finding::new(&CLOSE, Span::new(at as u32, at as u32 + 3), ""));
    let ran = |code: &str| code != "unclosed-other";
    let left = suppress(text, &file, &lines, findings.collect(), &ran).findings;
    let of = |code: &str| {
        let of = left.iter().filter(|it| it.rule.code == code);
        of.map(|it| lines.line(it.span.start)).collect()
    };
    (of("close"), of("unused-nolint"), fix::apply(text, &left, Safety::Safe).text)
}

#[test]
fn a_comment_at_the_end_of_a_line_is_about_that_line() {
    let (left, unused, _) = check("package p\n\nfunc f() {\n\tX() //nolint:rearguard\n\tX()\n}\n");
    assert_eq!((left, unused), (vec![5], vec![]));
}

#[test]
fn a_comment_above_a_statement_is_about_the_whole_of_it() {
    let text = "package p\n\nfunc f() {\n\t//nolint:rearguard // known\n\tif a {\n\t\tX()\n\t}\n\tX()\n}\n";
    assert_eq!(check(text).0, [8]);
}

#[test]
fn a_comment_above_a_function_is_about_the_whole_of_it() {
    let text = "package p\n\n// f does.\n//\n//nolint:rearguard\nfunc f() {\n\tX()\n\tgo func() {\n\t\tX()\n\t}()\n}\n\nfunc g() {\n\tX()\n}\n";
    assert_eq!(check(text).0, [14]);
}

#[test]
fn a_comment_above_the_package_clause_is_about_the_file() {
    let (left, ..) = check("//nolint:rearguard\npackage p\n\nfunc f() {\n\tX()\n}\n");
    assert!(left.is_empty());
    let (left, ..) = check("//nolint:rearguard\n\npackage p\n\nfunc f() {\n\tX()\n}\n");
    assert_eq!(left, [6]);
}

#[test]
fn a_comment_in_a_function_without_a_name_is_about_what_follows_there() {
    let text =
        "package p\n\nvar f = func() {\n\tcall(func() {\n\t\t//nolint\n\t\tX()\n\t\tX()\n\t})\n}\n";
    assert_eq!(check(text).0, [7]);
}

#[test]
fn a_comment_in_another_column_is_about_its_own_line() {
    assert_eq!(check("package p\n\nfunc f() {\n//nolint\n\tX()\n}\n").0, [5]);
}

#[test]
fn a_comment_without_names_is_about_everything_and_never_unused() {
    let (left, unused, _) = check("package p\n\nfunc f() {\n\tX() //nolint\n\ty() //nolint\n}\n");
    assert_eq!((left, unused), (vec![], vec![]));
}

#[test]
fn names_of_other_linters_and_of_rules_not_asked_are_left_alone() {
    let text =
        "package p\n\nfunc f() {\n\tX() //nolint:errcheck\n\ty() //nolint:gosec,errcheck\n}\n";
    let (left, unused, fixed) = check(text);
    assert_eq!((left, unused), (vec![4], vec![]));
    assert_eq!(fixed, text);
}

#[test]
fn names_of_ours_that_hold_nothing_back_are_found_and_taken_out() {
    let text = "package p\n\nfunc f() {\n\ty() //nolint:errcheck,unused-nolint,gosec // reason\n\t//nolint:rearguard\n\tz()\n\ty() //nolint:rearguard // reason\n}\n";
    let (_, unused, fixed) = check(text);
    assert_eq!(unused, [4, 5, 7]);
    assert_eq!(
        fixed,
        "package p\n\nfunc f() {\n\ty() //nolint:errcheck,gosec // reason\n\tz()\n\ty()\n}\n"
    );
}
