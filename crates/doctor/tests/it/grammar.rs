//! The points of the grammar where a parser has to choose.

use crate::{invariants, shape::Shape};

/// The shape of the declarations in `text`, which have no errors.
#[track_caller]
fn declarations(text: &str, expected: &str) {
    let text = format!("package p\n{text}\n");
    let file = invariants::check(&text);
    assert_eq!(file.errors, [], "{text}");
    assert_eq!(Shape(&text).file(&file), expected);
}

/// The shape of the statements in `text`.
#[track_caller]
fn statements(text: &str, expected: &str) {
    declarations(&format!("func f() {{\n{text}\n}}"), &format!("func f()->(){{{expected}}}"));
}

/// The shape of the expression `text`.
#[track_caller]
fn expression(text: &str, expected: &str) {
    declarations(&format!("var x = {text}"), &format!("Variable x = {expected}"));
}

/// The shape of the type `text`.
#[track_caller]
fn ty(text: &str, expected: &str) {
    declarations(&format!("type T {text}"), &format!("type T {expected}"));
}

#[test]
fn operators_bind_as_the_specification_says() {
    expression("a + b*c == d && e || f", "<|| <&& <== <+ a <* b c>> d> e> f>");
    expression("a - b - c", "<- <- a b> c>");
    expression("-a.b * !c()", "<* <- a.b> <! <call c >>>");
    expression("a &^ b << c | d ^ e", "<^ <| <<< <&^ a b> c> d> e>");
    expression("*p + &q.r", "<+ <* p> <& q.r>>");
    expression("<-c + <-d", "<+ <<- c> <<- d>>");
}

#[test]
fn literals_of_every_form_are_one_token() {
    for literal in [
        "0x1F_ffp-2",
        "0b1_0",
        "0o17",
        "017",
        "1_000",
        ".5",
        "1.",
        "1e+9",
        "1.5E-3",
        "2i",
        "0x2.8p1i",
        "'\\''",
        "'é'",
        "'\\u00e9'",
        "`a\\\n\"b`",
        "\"a\\\"b\"",
        "\"日本\"",
    ] {
        expression(literal, literal);
    }
}

#[test]
fn a_brace_in_a_head_begins_the_body() {
    statements("if x == T {\n}", "if -, <== x T> {} -");
    statements("if x == (T{}) {\n}", "if -, <== x (<lit T: >)> {} -");
    statements("if f(T{1}) {\n}", "if -, <call f <lit T: 1>> {} -");
    statements("if a[T{1}.i] {\n}", "if -, <index a <lit T: 1>.i> {} -");
    statements(
        "for _, x := range []T{{1}} {\n}",
        "range _, x := <lit <array  of T>: <lit : 1>> {}",
    );
    statements("switch x := T.y; x {\n}", "switch x := T.y, x {}");
    statements(
        "if f := func() T { return T{} }; f {\n}",
        "if f := <func ()->(T){return <lit T: >}>, f {} -",
    );
    statements("for x := range m[k] {\n}", "range x := <index m k> {}");
    statements("if x := struct{ a int }{1}; x {\n}", "if x := <lit <struct a: int>: 1>, x {} -");
    statements("switch {\ncase x == T{}:\n}", "switch -, - {<== x <lit T: >> {}}");
}

#[test]
fn type_parameters_and_array_lengths_are_told_apart() {
    ty("[N]int", "<array N of int>");
    ty("[N * M]int", "<array <* N M> of int>");
    ty("[N(M)]int", "<array <call N M> of int>");
    ty("[pkg.N]int", "<array pkg.N of int>");
    ty("[N + 1]int", "<array <+ N 1> of int>");
    ty("[2]int", "<array 2 of int>");
    ty("[]int", "<array  of int>");
    declarations("type T[P any] int", "type T[P: any] int");
    declarations("type T[P *C,] int", "type T[P: <* C>] int");
    declarations("type T[P *C | D,] int", "type T[P: <| <* C> D>] int");
    declarations("type T[P *[]int] int", "type T[P: <* <array  of int>>] int");
    declarations("type T[P ([]int)] int", "type T[P: (<array  of int>)] int");
    declarations("type T[P *C | ~int] int", "type T[P: <| <* C> <~ int>>] int");
    declarations("type T[P []int] int", "type T[P: <array  of int>] int");
    declarations(
        "type T[P ~int | ~string, Q, R any] int",
        "type T[P: <| <~ int> <~ string>>; Q,R: any] int",
    );
    declarations(
        "type T[P interface{ *int }] struct{ f P }",
        "type T[P: <interface <* int>>] <struct f: P>",
    );
}

#[test]
fn aliases_may_have_type_parameters() {
    declarations("type T = int", "type T = int");
    declarations("type T[P any] = map[P]P", "type T[P: any] = <map P to P>");
}

#[test]
fn names_and_types_of_parameters_are_told_apart() {
    ty("func(a, b int, c ...string) (x, y T)", "<functype (a,b: int; c: ...string)->(x,y: T)>");
    ty("func(a, b)", "<functype (a; b)->()>");
    ty("func(a, b.C, *d, []e, ...f)", "<functype (a; b.C; <* d>; <array  of e>; ...f)->()>");
    ty("func(a [n]int, b T[int])", "<functype (a: <array n of int>; b: <index T int>)->()>");
    ty("func(T[int], U[a, b])", "<functype (<index T int>; <index U a, b>)->()>");
    ty(
        "func(f func(int) error) func() (int)",
        "<functype (f: <functype (int)->(error)>)->(<functype ()->(int)>)>",
    );
    ty("func(a, b chan<- int)", "<functype (a,b: <sendchan int>)->()>");
}

#[test]
fn arrows_belong_to_channel_types() {
    ty("chan<- chan int", "<sendchan <chan int>>");
    ty("chan (<-chan int)", "<chan (<recvchan int>)>");
    ty("<-chan <-chan int", "<recvchan <recvchan int>>");
    expression("(<-chan int)(c)", "<call (<recvchan int>) c>");
    expression("<-chan int(c)", "<<- <call <chan int> c>>");
    expression("make(<-chan int)", "<call make <recvchan int>>");
    expression("f(<-chan<- chan int)", "<call f <recvchan <recvchan int>>>");
}

#[test]
fn fields_may_be_embedded_and_have_tags() {
    ty(
        "struct {\n\ta, b int `json:\"a\"`\n\tC\n\t*D\n\te.F \"tag\"\n\tG[int]\n\t*h.I[j, k]\n\tl [n]int\n\tm []T\n}",
        "<struct a,b: int`json:\"a\"`; : C; : <* D>; : e.F\"tag\"; : <index G int>; \
         : <* <index h.I j, k>>; l: <array n of int>; m: <array  of T>>",
    );
}

#[test]
fn interfaces_have_methods_unions_and_embedded_types() {
    ty(
        "interface {\n\tM(a int) error\n\tfmt.Stringer\n\t~int | ~string | *T\n\tI[int]\n\tcomparable\n}",
        "<interface M(a: int)->(error); fmt.Stringer; <| <| <~ int> <~ string>> <* T>>; \
         <index I int>; comparable>",
    );
}

#[test]
fn functions_have_receivers_and_type_parameters() {
    declarations(
        "func F[P any, Q ~[]P](p P) (q Q)",
        "func F[P: any; Q: <~ <array  of P>>](p: P)->(q: Q)",
    );
    declarations("func (t *T[P]) M() {}", "func t: <* <index T P>>.M()->(){}");
    declarations("func (T) M() {}", "func T.M()->(){}");
    // Go 1.27.
    declarations(
        "func (t T) Map[U any](f func(U)) {}",
        "func t: T.Map[U: any](f: <functype (U)->()>)->(){}",
    );
}

#[test]
fn instances_conversions_and_method_expressions_are_expressions() {
    expression("F[int](1)", "<call <index F int> 1>");
    expression("F[[]int, map[a]b](1)", "<call <index F <array  of int>, <map a to b>> 1>");
    expression("(*T).M", "(<* T>).M");
    expression("T[int].M", "<index T int>.M");
    expression("T[int]{a: 1}", "<lit <index T int>: a: 1>");
    expression("[]byte(s)", "<call <array  of byte> s>");
    expression("[...]T{{}, 2: {1}}", "<lit <array ... of T>: <lit : >, 2: <lit : 1>>");
    expression("func(a int) { b() }(1)", "<call <func (a: int)->(){<call b >}> 1>");
    expression("f(a, b...)", "<call f a, b...>");
    // Go 1.26.
    expression("new(a + 1)", "<call new <+ a 1>>");
}

#[test]
fn slices_have_up_to_three_bounds() {
    expression("a[:]", "<slice a ::>");
    expression("a[1:]", "<slice a 1::>");
    expression("a[:2:3]", "<slice a :2:3>");
    expression("a[b:c:d]", "<slice a b:c:d>");
}

#[test]
fn a_for_has_clauses_or_ranges() {
    statements("for {\n}", "for -, -, - {}");
    statements("for ;; {\n}", "for -, -, - {}");
    statements("for a {\n}", "for -, a, - {}");
    statements("for i := 0; i < n; {\n}", "for i := 0, << i n>, - {}");
    statements("for range 10 {\n}", "range  = 10 {}");
    statements("for i := range 10 {\n}", "range i := 10 {}");
    statements("for a[0], b.c = range f {\n}", "range <index a 0>, b.c = f {}");
    statements(
        "for x := range func(yield func(int) bool) {} {\n}",
        "range x := <func (yield: <functype (int)->(bool)>)->(){}> {}",
    );
}

#[test]
fn switches_over_types_are_known() {
    statements(
        "switch x.(type) {\ncase int, *T:\n\ta()\ndefault:\n}",
        "typeswitch -, <assert x type> {int, <* T> {<call a >};  {}}",
    );
    statements("switch a(); v := x.(type) {\n}", "typeswitch <call a >, v := <assert x type> {}");
    statements("switch x := y.(T); x {\n}", "switch x := <assert y T>, x {}");
    statements("switch x; {\n}", "switch x, - {}");
}

#[test]
fn a_select_has_sends_and_receives() {
    statements(
        "select {\ncase v, ok := <-c:\ncase <-d:\ncase e <- 1:\ncase a[0] = <-c:\ndefault:\n}",
        "select {v, ok := <<- c> {}; <<- d> {}; send e 1 {}; <index a 0> = <<- c> {}; - {}}",
    );
}

#[test]
fn labels_may_stand_before_anything() {
    statements("L:\n\tfor {\n\t\tbreak L\n\t}", "L: for -, -, - {break L}");
    statements("L:", "L: empty");
    statements("goto L\nL:\n;", "goto L; L: empty");
    statements("L: M: a()", "L: M: <call a >");
}

#[test]
fn the_end_of_a_line_is_a_semicolon_where_it_has_to_be() {
    statements("a := b\n(c)()", "a := b; <call (c) >");
    statements("a := b +\nc", "a := <+ b c>");
    statements("f(\na,\n)", "<call f a>");
    statements("return /* a\n */ b", "return ; b");
    statements("return /* a */ b", "return b");
    statements("a.\nb()", "<call a.b >");
    statements("{ a(); b() }", "{<call a >; <call b >}");
}

#[test]
fn values_are_declared_alone_and_in_groups() {
    declarations("const (\n\ta T = iota\n\tb\n)", "Constant a T = iota; b = ");
    declarations("var a, b = 1, 2", "Variable a,b = 1, 2");
    declarations("var ()", "Variable ");
    declarations("type (\n\tA int\n\tB = A\n)", "type A int; B = A");
}

#[test]
fn a_byte_order_mark_and_line_directives_change_nothing() {
    let text = "\u{feff}package p\n//line other.go:7\nvar x = 1 // end\r\n";
    let file = invariants::check(text);
    assert_eq!(file.errors, []);
    assert_eq!(file.package.span.of(text), "p");
    let comments: Vec<_> = file.comments.iter().map(|comment| comment.of(text)).collect();
    assert_eq!(comments, ["//line other.go:7", "// end"]);
}

#[test]
fn imports_have_aliases() {
    let text = "package p\nimport \"fmt\"\nimport (\n\t. \"a\"\n\t_ `b/c`\n\td \"e\"\n)\n";
    let file = invariants::check(text);
    let imports: Vec<_> =
        file.imports.iter().map(|one| (one.alias.map(|alias| alias.name), one.path)).collect();
    let expected = [(None, "fmt"), (Some("."), "a"), (Some("_"), "b/c"), (Some("d"), "e")];
    assert_eq!(imports, expected);
}
