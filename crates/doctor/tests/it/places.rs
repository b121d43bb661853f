//! Lines and columns, walks, and what is asked of a node.

use doctor::{
    package::receiver_name,
    syntax::{
        Lines, Position,
        ast::{Declaration, Expression, File, Function},
        parse,
        walk::{self, FunctionLiterals},
    },
};
use proptest::prelude::*;

#[test]
fn columns_are_counted_in_bytes_characters_and_utf16() {
    let text = "a\nb é𝄞 c\r\n";
    let lines = Lines::new(text);
    let c = text.find('c').unwrap() as u32;
    assert_eq!(lines.position(c), Position { line: 2, column: 10 });
    assert_eq!(lines.column_in_characters(c), 6);
    assert_eq!(lines.column_in_utf16(c), 7);
    assert_eq!((lines.text(1), lines.text(2), lines.text(3)), ("a", "b é𝄞 c", ""));
    assert_eq!(lines.count(), 3);
    assert_eq!(lines.text(4), "");
    assert_eq!(lines.position(1000), Position { line: 3, column: 1 });
}

proptest! {
    #[test]
    fn a_line_and_a_column_lead_back_to_the_byte(text in "[a-zé\n\r]{0,60}", at in 0..80_u32) {
        let lines = Lines::new(&text);
        let Position { line, column } = lines.position(at);
        prop_assert_eq!(lines.span(line).start + column - 1, at.min(text.len() as u32));
        let before = &text.as_bytes()[..at.min(text.len() as u32) as usize];
        let ends = before.iter().filter(|&&byte| byte == b'\n').count();
        prop_assert_eq!(line as usize, ends + 1);
        prop_assert!(lines.column_in_characters(at) <= column);
    }
}

/// The only function of `file`.
fn function<'a, 't>(file: &'a File<'t>) -> &'a Function<'t> {
    match &file.declarations[0] {
        Declaration::Function(function) => function,
        other => panic!("{other:?}"),
    }
}

/// The value of `var x = …`.
fn value<'a, 't>(file: &'a File<'t>) -> &'a Expression<'t> {
    match &file.declarations[0] {
        Declaration::Values(values) => &values.specs[0].values[0],
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_walk_may_leave_function_literals_out() {
    let text = "package p\nfunc f() { a(); go func() { b(); return }(); if c { d() } }";
    let file = parse(text);
    let body = function(&file).body.as_ref().unwrap();
    let called = |literals| {
        let mut names = Vec::new();
        walk::expressions(body, literals, |expression| {
            names.extend(expression.as_call().and_then(|call| call.function.as_path()));
        });
        names.join(" ")
    };
    assert_eq!(called(FunctionLiterals::Enter), "a b d");
    assert_eq!(called(FunctionLiterals::Skip), "a d");
    let mut count = 0;
    walk::statements(body, FunctionLiterals::Skip, |_| count += 1);
    assert_eq!(count, 4);
}

#[test]
fn paths_are_made_of_names_alone() {
    let check = |text: &str, expected: Option<&str>| {
        let text = format!("package p\nvar x = {text}");
        assert_eq!(value(&parse(&text)).as_path().as_deref(), expected, "{text}");
    };
    check("a", Some("a"));
    check("a.b.c", Some("a.b.c"));
    check("(&a).b", Some("a.b"));
    check("(*a.b).c", Some("a.b.c"));
    check("f().b", None);
    check("a[0].b", None);
    check("!a", None);
}

#[test]
fn helpers_see_through_parentheses() {
    let text = "package p\nvar x = ((os.Open)(\"a\"))";
    let file = parse(text);
    let call = value(&file).as_call().unwrap();
    let (operand, name) = call.function.as_selector().unwrap();
    assert_eq!((operand.as_name(), name), (Some("os"), "Open"));
}

#[test]
fn the_type_of_a_receiver_is_named_without_pointer_and_parameters() {
    for receiver in ["t T", "*T", "t *T[P]", "(T)", "_ T[P, Q]"] {
        let text = format!("package p\nfunc ({receiver}) M() {{}}");
        let file = parse(&text);
        let receiver = function(&file).receiver.as_ref().unwrap();
        assert_eq!(receiver_name(&receiver.ty), Some("T"), "{text}");
    }
}
