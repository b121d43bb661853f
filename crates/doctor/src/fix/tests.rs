use super::*;
use crate::rule::{Confidence, Rule, Severity};

static RULE: Rule = Rule {
    code: "rule",
    summary: "",
    severity: Severity::Warning,
    confidence: Confidence::High,
    page: "",
};

const TEXT: &str = "package p\n\nfunc f() {\n\ta()\n\tb()\n}\n";

/// A finding that wants `old` to be `new`.
fn want(text: &str, old: &str, new: &str, safety: Safety) -> Finding {
    let start = text.find(old).unwrap() as u32;
    let span = Span::new(start, start + old.len() as u32);
    let edits = vec![Edit { span, text: new.to_owned() }];
    Finding::new(&RULE, span, "").fix(Fix { title: "do it".to_owned(), safety, edits })
}

#[test]
fn fixes_that_do_not_touch_are_applied_together() {
    let findings = [want(TEXT, "b()", "d()", Safety::Safe), want(TEXT, "a()", "c()", Safety::Safe)];
    let fixed = apply(TEXT, &findings, Safety::Safe);
    assert_eq!(fixed.text, TEXT.replace("a()", "c()").replace("b()", "d()"));
    assert_eq!(fixed.applied.len(), 2);
}

#[test]
fn unsafe_fixes_wait_until_they_are_asked_for() {
    let findings = [want(TEXT, "a()", "c()", Safety::Unsafe)];
    assert_eq!(apply(TEXT, &findings, Safety::Safe).text, TEXT);
    assert_ne!(apply(TEXT, &findings, Safety::Unsafe).text, TEXT);
}

#[test]
fn of_two_fixes_at_one_place_the_first_is_applied() {
    let findings = [want(TEXT, "a()", "c()", Safety::Safe), want(TEXT, "a()", "d()", Safety::Safe)];
    let fixed = apply(TEXT, &findings, Safety::Safe);
    assert_eq!((fixed.text.contains("c()"), fixed.applied.len()), (true, 1));
}

#[test]
fn a_fix_that_breaks_the_file_is_left_out_and_said_and_the_others_are_applied() {
    let findings =
        [want(TEXT, "a()", "if {{", Safety::Safe), want(TEXT, "b()", "d()", Safety::Safe)];
    let fixed = apply(TEXT, &findings, Safety::Safe);
    assert_eq!(fixed.text, TEXT.replace("b()", "d()"));
    assert_eq!((fixed.refused.len(), fixed.refused[0].line), (1, 4));
    assert!(!fixed.refused[0].reason.is_empty());
}

#[test]
fn a_file_that_had_errors_before_may_keep_them() {
    let text = TEXT.replace("b()", "b( := ");
    let fixed = apply(&text, &[want(&text, "a()", "c()", Safety::Safe)], Safety::Safe);
    assert_eq!(fixed.applied.len(), 1);
}

#[test]
fn fixes_make_room_for_others_in_further_rounds() {
    let mut asked = 0;
    let fixed = rounds(vec![TEXT.to_owned()], Safety::Safe, &mut |texts| {
        asked += 1;
        let text = &texts[0];
        let next = [("a()", "c()"), ("c()", "d()")].into_iter().find(|(old, _)| text.contains(old));
        vec![next.map(|(old, new)| want(text, old, new, Safety::Safe)).into_iter().collect()]
    });
    assert_eq!(fixed[0].text, TEXT.replace("a()", "d()"));
    assert_eq!((fixed[0].applied.len(), asked), (2, 3));
}

#[test]
fn a_fix_that_leaves_its_finding_is_applied_once() {
    let fixed = rounds(vec![TEXT.to_owned()], Safety::Safe, &mut |texts| {
        vec![vec![want(&texts[0], "a()", "a()\n\ta()", Safety::Safe)]]
    });
    assert_eq!(fixed[0].text, TEXT.replace("a()", "a()\n\ta()"));
    assert_eq!(fixed[0].refused[0].reason, "it is found again after its fix");
}

#[test]
fn edits_that_overlap_or_are_of_another_text_are_refused() {
    let edit = |start, end| Edit { span: Span::new(start, end), text: "x".to_owned() };
    assert_eq!(edited("abc", &[edit(0, 2), edit(1, 3)]), None);
    assert_eq!(edited("abc", &[edit(2, 9)]), None);
    assert_eq!(edited("é", &[edit(1, 2)]), None);
    assert_eq!(edited("abc", &[edit(3, 3), edit(0, 1)]).as_deref(), Some("xbcx"));
}
