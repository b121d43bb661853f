//! What is kept of a file when a piece of it is not Go.

use crate::{invariants, shape::Shape};

/// The shape of the declarations in `text`, and its errors as `line:column message`.
#[track_caller]
fn check(text: &str, expected: &str, errors: &[&str]) {
    let text = format!("package p\n{text}\n");
    let file = invariants::check(&text);
    assert_eq!(Shape(&text).file(&file), expected);
    let lines = doctor::syntax::Lines::new(&text);
    let found: Vec<_> = file
        .errors
        .iter()
        .map(|error| {
            let position = lines.position(error.span.start);
            format!("{}:{} {}", position.line, position.column, error.message)
        })
        .collect();
    assert_eq!(found, errors);
}

#[test]
fn a_broken_statement_leaves_its_neighbours() {
    check(
        "func f() {\n\ta()\n\tb := := c\n\td()\n}",
        "func f()->(){<call a >; bad \"b := := c\"; <call d >}",
        &["4:7 expected an expression, found `:=`"],
    );
}

#[test]
fn a_call_without_its_parenthesis_ends_with_its_line() {
    check(
        "func f() {\n\ta(b, c\n\td()\n}\nfunc g() {}",
        "func f()->(){bad \"a(b, c\"; <call d >}\nfunc g()->(){}",
        &["3:8 expected `,` or `)`, found the end of the line"],
    );
}

#[test]
fn a_statement_that_is_not_finished_leaves_the_one_on_the_next_line() {
    check(
        "func f() {\n\ta := b +\n\treturn c\n}",
        "func f()->(){bad \"a := b +\"; return c}",
        &["4:2 expected an expression, found `return`"],
    );
    check(
        "func f() {\n\ta(b,\n\tif c {\n\t}\n}",
        "func f()->(){bad \"a(b,\"; if -, c {} -}",
        &["4:2 expected an expression, found `if`"],
    );
    check(
        "func f() {\n\tswitch a {\n\tcase b:\n\t\tc =\n\tcase d:\n\t}\n}",
        "func f()->(){switch -, a {b {bad \"c =\"}; d {}}}",
        &["6:2 expected an expression, found `case`"],
    );
}

#[test]
fn a_selector_that_is_being_written_costs_its_line() {
    check(
        "func f() {\n\tx.\n}\nfunc g() {}",
        "func f()->(){bad \"x.\"}\nfunc g()->(){}",
        &["4:1 expected a name or `(` after `.`, found `}`"],
    );
}

#[test]
fn a_broken_literal_is_left_out_whole() {
    check(
        "func f() {\n\tx := T{\n\t\ta: 1 2,\n\t\tb: 3,\n\t}\n\ty()\n}",
        "func f()->(){bad \"x := T{\\n\\t\\ta: 1 2,\\n\\t\\tb: 3,\\n\\t}\"; <call y >}",
        &["4:8 expected `,` or `}`, found `2`"],
    );
}

#[test]
fn a_function_literal_in_a_statement_keeps_its_statements() {
    check(
        "func f() {\n\tgo func() {\n\t\ta b\n\t\tc()\n\t}()\n}",
        "func f()->(){go <call <func ()->(){bad \"a b\"; <call c >}> >}",
        &["4:5 expected `;`, `}` or the end of the line, found `b`"],
    );
}

#[test]
fn a_block_that_is_not_closed_ends_at_the_next_function() {
    check(
        "func f() {\n\tif a {\n\t\tb()\n}\n\nfunc g() {\n\tc()\n}",
        "func f()->(){if -, a {<call b >} -}\nfunc g()->(){<call c >}",
        &["7:1 expected `}` before the next function, found `func`"],
    );
    check(
        "func f() {\n\tfor {\n\nfunc (t *T) M() {}",
        "func f()->(){for -, -, - {}}\nfunc t: <* T>.M()->(){}",
        &["5:1 expected `}` before the next function, found `func`"],
    );
}

#[test]
fn a_broken_head_keeps_the_body() {
    check(
        "func f() {\n\tif a := {\n\t\tb()\n\t}\n\tfor i := 0; ) {\n\t\tc()\n\t}\n\td()\n}",
        "func f()->(){if -, bad \"a :=\" {<call b >} -; for -, bad \"i := 0; )\", - {<call c >}; \
         <call d >}",
        &["3:10 expected an expression, found `{`", "6:14 expected an expression, found `)`"],
    );
    check(
        "func f() {\n\tif {\n\t\tb()\n\t}\n}",
        "func f()->(){if -, bad \"\" {<call b >} -}",
        &["3:5 expected a condition, found `{`"],
    );
}

#[test]
fn a_broken_case_keeps_its_statements() {
    check(
        "func f() {\n\tswitch a {\n\tcase b c:\n\t\td()\n\tcase e:\n\t}\n}",
        "func f()->(){switch -, a {bad \"b c:\" {<call d >}; e {}}}",
        &["4:9 expected `:`, found `c`"],
    );
}

#[test]
fn a_broken_field_leaves_the_others() {
    check(
        "type T struct {\n\ta int\n\tb 5\n\tc string\n}",
        "type T <struct a: int; : bad \"b 5\"; c: string>",
        &["4:4 expected a type, found `5`"],
    );
    check(
        "type I interface {\n\tM()\n\tN(\n\tO()\n}",
        "type I <interface M()->(); bad \"N(\\n\\tO()\">",
        &["5:4 expected a type, found `)`"],
    );
}

#[test]
fn a_broken_spec_leaves_the_group() {
    check(
        "var (\n\ta = 1\n\tb = = 2\n\tc = 3\n)\nvar d = 4",
        "Variable a = 1; c = 3\nVariable d = 4",
        &["4:6 expected an expression, found `=`"],
    );
}

#[test]
fn a_broken_declaration_leaves_the_next() {
    check(
        "func f(a int b) {\n\tc()\n}\n\nfunc g() {}",
        "bad \"func f(a int b) {\\n\\tc()\\n}\"\nfunc g()->(){}",
        &["2:14 expected `,` or `)`, found `b`"],
    );
    check("}\nvar a = 1", "bad \"}\"\nVariable a = 1", &["2:1 expected a declaration, found `}`"]);
    check(
        "x := 1\nvar a = 1",
        "bad \"x := 1\"\nVariable a = 1",
        &["2:1 expected a declaration, found `x`"],
    );
}

#[test]
fn what_is_not_ended_is_said() {
    check(
        "func f() {\n\ta(\"b)\n\tc()\n}",
        "func f()->(){bad \"a(\\\"b)\"; <call c >}",
        &[
            "3:4 the string is not ended: expected `\"`",
            "3:7 expected `,` or `)`, found the end of the line",
        ],
    );
    check("/* a", "", &["2:1 the comment is not ended: expected `*/`"]);
    check("var a = 'bc'", "Variable a = 'bc'", &["2:9 expected one character between the `'`"]);
    check(
        "var a = 1 # 2",
        "Variable a = 1\nbad \"2\"",
        &[
            "2:11 the character '#' is none that Go code is made of",
            "2:13 expected `;` or the end of the line after the declaration, found `2`",
        ],
    );
}

#[test]
fn what_is_deferred_without_a_call_is_kept_with_an_error() {
    check(
        "func f() {\n\tdefer a.Close\n\tb()\n}",
        "func f()->(){defer a.Close; <call b >}",
        &["3:8 expected a call after `defer`"],
    );
}

#[test]
fn a_file_without_a_package_is_read_all_the_same() {
    let text = "func f() {}\n";
    let file = invariants::check(text);
    assert_eq!(Shape(text).file(&file), "func f()->(){}");
    assert_eq!(file.errors[0].message, "expected `package`, found `func`");
    assert_eq!(
        invariants::check("").errors[0].message,
        "expected `package`, found the end of the file"
    );
}
