//! Our tree in the form that `go_parser/` writes go/parser's in: a line for each node, with its
//! depth, its kind, what belongs to it, and its bytes. It is made by a walk, so walks are shown to
//! come to every node in order.

use std::fmt::Write as _;

use doctor::syntax::{
    Span,
    ast::{
        Assign, AssignOperator, Block, BranchKind, ChannelDirection, Declaration, Expression,
        ExpressionKind, File, Identifier, InterfaceElement, Parameter, Signature, Statement,
        StatementKind, ValueKind,
    },
    walk::{self, Descend, Visitor},
};

pub(crate) fn tree(file: &File<'_>, text: &str) -> String {
    let mut dump = Dump::default();
    let package = file.package;
    dump.line(format_args!("File {}", package.name), package.span);
    for import in &file.imports {
        let alias = import.alias.map_or("-".to_owned(), name);
        dump.line(format_args!("Import {alias} {}", import.path), import.span);
    }
    let ends_of_comments = !text.contains('\r');
    for &comment in &file.comments {
        let end = if ends_of_comments { comment.end } else { comment.start };
        dump.line(format_args!("Comment"), Span::new(comment.start, end));
    }
    walk::file(file, &mut dump);
    dump.out
}

#[derive(Default)]
struct Dump {
    out: String,
    depth: usize,
}

impl Dump {
    fn line(&mut self, what: std::fmt::Arguments<'_>, at: Span) {
        writeln!(self.out, "{} {what} {}", self.depth, span(at)).unwrap();
    }
}

impl<'a, 't> Visitor<'a, 't> for Dump {
    fn enter_declaration(&mut self, declaration: &'a Declaration<'t>) -> Descend {
        let at = declaration.span();
        match declaration {
            Declaration::Function(function) => {
                let body = function.body.as_ref().map_or("-".to_owned(), |body| span(body.span));
                let heads = format!(
                    "{}{}{}",
                    parameters(function.receiver.as_slice()),
                    parameters(&function.type_parameters),
                    signature(&function.signature)
                );
                let name = name(function.name);
                self.line(format_args!("Function {name} {heads} {body}"), at);
            }
            Declaration::Values(values) => {
                let specs: String = values
                    .specs
                    .iter()
                    .map(|spec| {
                        let (has_type, count) = (u8::from(spec.ty.is_some()), spec.values.len());
                        format!("{{{} {has_type} {count} {}}}", names(&spec.names), span(spec.span))
                    })
                    .collect();
                let keyword = match values.kind {
                    ValueKind::Constant => "const",
                    ValueKind::Variable => "var",
                };
                self.line(format_args!("{keyword} {specs}"), at);
            }
            Declaration::Types(types) => {
                let specs: String = types
                    .specs
                    .iter()
                    .map(|spec| {
                        let heads =
                            format!("{} {}", name(spec.name), parameters(&spec.type_parameters));
                        format!("{{{heads} {} {}}}", u8::from(spec.is_alias), span(spec.span))
                    })
                    .collect();
                self.line(format_args!("type {specs}"), at);
            }
            Declaration::Bad(_) => self.line(format_args!("Bad"), at),
        }
        Descend::Into
    }

    fn enter_statement(&mut self, statement: &'a Statement<'t>) -> Descend {
        self.line(format_args!("{}", of_statement(&statement.kind)), statement.span);
        self.depth += 1;
        Descend::Into
    }

    fn leave_statement(&mut self, _: &'a Statement<'t>) {
        self.depth -= 1;
    }

    fn enter_expression(&mut self, expression: &'a Expression<'t>) -> Descend {
        self.line(format_args!("{}", of_expression(&expression.kind)), expression.span);
        self.depth += 1;
        Descend::Into
    }

    fn leave_expression(&mut self, _: &'a Expression<'t>) {
        self.depth -= 1;
    }
}

fn span(span: Span) -> String {
    format!("{}-{}", span.start, span.end)
}

fn name(name: Identifier<'_>) -> String {
    format!("{}@{}", name.name, name.span.start)
}

fn names(names: &[Identifier<'_>]) -> String {
    let names: Vec<_> = names.iter().map(|&one| name(one)).collect();
    format!("[{}]", names.join(","))
}

fn parameters(parameters: &[Parameter<'_>]) -> String {
    let all: String = parameters.iter().map(|parameter| names(&parameter.names)).collect();
    format!("({all})")
}

fn signature(signature: &Signature<'_>) -> String {
    let (inputs, results) = (&signature.parameters, &signature.results);
    format!("{}{}{}", parameters(inputs), parameters(results), span(signature.span))
}

fn block(block: &Block<'_>) -> String {
    format!("{{{} {}}}", block.statements.len(), span(block.span))
}

fn case(what: Option<usize>, statements: usize, at: Span) -> String {
    let what = what.map_or("default".to_owned(), |count| count.to_string());
    format!("{{{what} {statements} {}}}", span(at))
}

fn assign(assign: &Assign<'_>) -> String {
    let operator = match assign.operator {
        AssignOperator::Assign => "=".to_owned(),
        AssignOperator::Define => ":=".to_owned(),
        AssignOperator::Compound(operator) => format!("{}=", operator.symbol()),
    };
    format!("Assign {operator}@{} {}", assign.operator_span.start, assign.left.len())
}

fn is<T>(option: Option<T>) -> u8 {
    u8::from(option.is_some())
}

fn of_statement(kind: &StatementKind<'_>) -> String {
    match kind {
        StatementKind::Bad => "Bad".to_owned(),
        StatementKind::Empty => "Empty".to_owned(),
        StatementKind::Expression(_) => "Expression".to_owned(),
        StatementKind::Send { .. } => "Send".to_owned(),
        StatementKind::IncrementDecrement { increment, .. } => {
            format!("IncrementDecrement {}", if *increment { "++" } else { "--" })
        }
        StatementKind::Assign(one) => assign(one),
        StatementKind::Go(_) => "Go".to_owned(),
        StatementKind::Defer(_) => "Defer".to_owned(),
        StatementKind::Return(_) => "Return".to_owned(),
        StatementKind::Branch { kind, label } => {
            let keyword = match kind {
                BranchKind::Break => "break",
                BranchKind::Continue => "continue",
                BranchKind::Goto => "goto",
                BranchKind::Fallthrough => "fallthrough",
            };
            format!("Branch {keyword} {}", label.map_or("_@_".to_owned(), name))
        }
        StatementKind::Block(one) => format!("Block {}", block(one)),
        StatementKind::If(one) => {
            let (init, otherwise) = (is(one.init.as_ref()), is(one.otherwise.as_ref()));
            format!("If {init} {} {otherwise}", block(&one.then))
        }
        StatementKind::Switch(one) => {
            let head = (u8::from(one.is_type_switch), is(one.init.as_ref()), is(one.tag.as_ref()));
            let cases: String = one
                .cases
                .iter()
                .map(|one| {
                    let what = (!one.is_default).then_some(one.expressions.len());
                    case(what, one.statements.len(), one.span)
                })
                .collect();
            format!("Switch {} {}{} {}{cases}", head.0, head.1, head.2, span(one.body))
        }
        StatementKind::Select(one) => {
            let cases: String = one
                .cases
                .iter()
                .map(|one| {
                    case(one.communication.as_ref().map(|_| 1), one.statements.len(), one.span)
                })
                .collect();
            format!("Select {}{cases}", span(one.body))
        }
        StatementKind::For(one) => {
            let (init, post) = (is(one.init.as_ref()), is(one.post.as_ref()));
            format!("For {init}{}{post} {}", is(one.condition.as_ref()), block(&one.body))
        }
        StatementKind::Range(one) => {
            let (key, value) = (is(one.key.as_ref()), is(one.value.as_ref()));
            format!("Range {key}{value}{} {}", u8::from(one.defines), block(&one.body))
        }
        StatementKind::Labeled { label, .. } => format!("Labeled {}", name(*label)),
        StatementKind::Declaration(_) => "Declaration".to_owned(),
    }
}

fn of_expression(kind: &ExpressionKind<'_>) -> String {
    match kind {
        ExpressionKind::Bad => "Bad".to_owned(),
        ExpressionKind::Identifier(name) => format!("Identifier {name}"),
        ExpressionKind::Literal(kind) => format!("Literal {kind:?}"),
        ExpressionKind::Composite { ty, elements } => {
            format!("Composite {} {}", is(ty.as_ref()), elements.len())
        }
        ExpressionKind::KeyValue { .. } => "KeyValue".to_owned(),
        ExpressionKind::Function(literal) => {
            format!("FunctionLiteral {} {}", signature(&literal.signature), block(&literal.body))
        }
        ExpressionKind::Parenthesized(_) => "Parenthesized".to_owned(),
        ExpressionKind::Selector { name: selected, .. } => format!("Selector {}", name(*selected)),
        ExpressionKind::Index { indices, .. } => format!("Index {}", indices.len()),
        ExpressionKind::Slice { bounds, .. } => {
            let given: String = bounds.iter().map(|bound| is(bound.as_ref()).to_string()).collect();
            format!("Slice {given}")
        }
        ExpressionKind::TypeAssertion { ty, .. } => format!("TypeAssertion {}", is(ty.as_ref())),
        ExpressionKind::Call(call) => {
            let (count, spreads) = (call.arguments.len(), u8::from(call.spreads));
            format!("Call {count} {spreads} {}", span(call.parentheses))
        }
        ExpressionKind::Star(_) => "Star".to_owned(),
        ExpressionKind::Unary { operator, .. } => format!("Unary {}", operator.symbol()),
        ExpressionKind::Binary { operator, .. } => format!("Binary {}", operator.symbol()),
        ExpressionKind::Ellipsis(_) => "Ellipsis".to_owned(),
        ExpressionKind::Array { length, .. } => format!("Array {}", is(length.as_ref())),
        ExpressionKind::Struct(fields) => {
            let fields: String = fields
                .iter()
                .map(|field| {
                    let tag = field.tag.map_or("-".to_owned(), span);
                    format!("{{{} {tag} {}}}", names(&field.names), span(field.span))
                })
                .collect();
            format!("Struct {fields}")
        }
        ExpressionKind::FunctionType(one) => format!("FunctionType {}", signature(one)),
        ExpressionKind::Interface(elements) => {
            let elements: String = elements
                .iter()
                .map(|element| match element {
                    InterfaceElement::Method { name: one, signature: head } => {
                        format!("{{{} {}}}", name(*one), signature(head))
                    }
                    InterfaceElement::Embedded(_) => "{}".to_owned(),
                })
                .collect();
            format!("Interface {elements}")
        }
        ExpressionKind::Map { .. } => "Map".to_owned(),
        ExpressionKind::Channel { direction, .. } => {
            // As go/ast numbers them: SEND is 1, RECV is 2.
            let number = match direction {
                ChannelDirection::Send => 1,
                ChannelDirection::Receive => 2,
                ChannelDirection::Both => 3,
            };
            format!("Channel {number}")
        }
    }
}
