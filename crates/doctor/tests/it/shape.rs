//! A tree as a line that a person can read: the text with the parser's decisions made visible.
//! Operators and applications stand in brackets before what they apply to.

use doctor::syntax::ast::{
    AssignOperator, ChannelDirection, Declaration, Expression, ExpressionKind, File, Identifier,
    InterfaceElement, Parameter, Signature, Statement, StatementKind,
};

/// Prints pieces of `text`.
pub(crate) struct Shape<'t>(pub(crate) &'t str);

impl Shape<'_> {
    pub(crate) fn file(&self, file: &File<'_>) -> String {
        joined(&file.declarations, "\n", |one| self.declaration(one))
    }

    fn declaration(&self, declaration: &Declaration<'_>) -> String {
        match declaration {
            Declaration::Function(function) => {
                let receiver = function.receiver.as_ref();
                let receiver = receiver.map_or(String::new(), |one| self.parameter(one) + ".");
                let body = function.body.as_ref();
                let body = body.map_or(String::new(), |one| self.statements(&one.statements));
                let types = self.type_parameters(&function.type_parameters);
                let signature = self.signature(&function.signature);
                format!("func {receiver}{}{types}{signature}{body}", function.name.name)
            }
            Declaration::Values(values) => {
                let specs = joined(&values.specs, "; ", |spec| {
                    let ty =
                        spec.ty.as_ref().map_or(String::new(), |ty| " ".to_owned() + &self.of(ty));
                    format!("{}{ty} = {}", names(&spec.names), self.all(&spec.values))
                });
                format!("{:?} {specs}", values.kind)
            }
            Declaration::Types(types) => {
                let specs = joined(&types.specs, "; ", |spec| {
                    let alias = if spec.is_alias { " =" } else { "" };
                    let parameters = self.type_parameters(&spec.type_parameters);
                    format!("{}{parameters}{alias} {}", spec.name.name, self.of(&spec.ty))
                });
                format!("type {specs}")
            }
            Declaration::Bad(span) => format!("bad {:?}", span.of(self.0)),
        }
    }

    fn type_parameters(&self, parameters: &[Parameter<'_>]) -> String {
        match parameters {
            [] => String::new(),
            _ => format!("[{}]", joined(parameters, "; ", |one| self.parameter(one))),
        }
    }

    fn signature(&self, signature: &Signature<'_>) -> String {
        let list = |parameters| joined(parameters, "; ", |one| self.parameter(one));
        format!("({})->({})", list(&signature.parameters), list(&signature.results))
    }

    fn parameter(&self, parameter: &Parameter<'_>) -> String {
        match parameter.names.as_slice() {
            [] => self.of(&parameter.ty),
            some => format!("{}: {}", names(some), self.of(&parameter.ty)),
        }
    }

    fn statements(&self, statements: &[Statement<'_>]) -> String {
        format!("{{{}}}", joined(statements, "; ", |one| self.statement(one)))
    }

    fn optional(&self, statement: Option<&Statement<'_>>) -> String {
        statement.map_or("-".to_owned(), |one| self.statement(one))
    }

    fn statement(&self, statement: &Statement<'_>) -> String {
        match &statement.kind {
            StatementKind::Bad => format!("bad {:?}", statement.span.of(self.0)),
            StatementKind::Empty => "empty".to_owned(),
            StatementKind::Expression(one) => self.of(one),
            StatementKind::Send { channel, value } => {
                format!("send {} {}", self.of(channel), self.of(value))
            }
            StatementKind::Go(one) => format!("go {}", self.of(one)),
            StatementKind::Defer(one) => format!("defer {}", self.of(one)),
            StatementKind::Return(values) => format!("return {}", self.all(values)),
            StatementKind::Assign(one) => {
                let operator = match one.operator {
                    AssignOperator::Assign => "=".to_owned(),
                    AssignOperator::Define => ":=".to_owned(),
                    AssignOperator::Compound(operator) => format!("{}=", operator.symbol()),
                };
                format!("{} {operator} {}", self.all(&one.left), self.all(&one.right))
            }
            StatementKind::Block(one) => self.statements(&one.statements),
            StatementKind::Labeled { label, statement } => {
                format!("{}: {}", label.name, self.statement(statement))
            }
            StatementKind::Declaration(one) => self.declaration(one),
            StatementKind::If(one) => {
                let (init, condition) = (self.optional(one.init.as_ref()), self.of(&one.condition));
                let (then, otherwise) =
                    (self.statements(&one.then.statements), self.optional(one.otherwise.as_ref()));
                format!("if {init}, {condition} {then} {otherwise}")
            }
            StatementKind::For(one) => {
                let condition = one.condition.as_ref().map_or("-".to_owned(), |one| self.of(one));
                let (init, post) =
                    (self.optional(one.init.as_ref()), self.optional(one.post.as_ref()));
                format!("for {init}, {condition}, {post} {}", self.statements(&one.body.statements))
            }
            StatementKind::Range(one) => {
                let names: Vec<_> =
                    one.key.iter().chain(&one.value).map(|one| self.of(one)).collect();
                let operator = if one.defines { ":=" } else { "=" };
                let (operand, body) =
                    (self.of(&one.operand), self.statements(&one.body.statements));
                format!("range {} {operator} {operand} {body}", names.join(", "))
            }
            StatementKind::Switch(one) => {
                let (init, tag) =
                    (self.optional(one.init.as_ref()), self.optional(one.tag.as_ref()));
                let cases = joined(&one.cases, "; ", |case| {
                    format!("{} {}", self.all(&case.expressions), self.statements(&case.statements))
                });
                let kind = if one.is_type_switch { "typeswitch" } else { "switch" };
                format!("{kind} {init}, {tag} {{{cases}}}")
            }
            StatementKind::Select(one) => {
                let cases = joined(&one.cases, "; ", |case| {
                    let communication = self.optional(case.communication.as_ref());
                    format!("{communication} {}", self.statements(&case.statements))
                });
                format!("select {{{cases}}}")
            }
            _ => statement.span.of(self.0).to_owned(),
        }
    }

    fn all(&self, expressions: &[Expression<'_>]) -> String {
        joined(expressions, ", ", |one| self.of(one))
    }

    fn boxed(&self, expression: Option<&Expression<'_>>) -> String {
        expression.map_or(String::new(), |one| self.of(one))
    }

    fn of(&self, expression: &Expression<'_>) -> String {
        match &expression.kind {
            ExpressionKind::Bad => format!("bad {:?}", expression.span.of(self.0)),
            ExpressionKind::Identifier(_) | ExpressionKind::Literal(_) => {
                expression.span.of(self.0).to_owned()
            }
            ExpressionKind::Composite { ty, elements } => {
                format!("<lit {}: {}>", self.boxed(ty.as_deref()), self.all(elements))
            }
            ExpressionKind::KeyValue { key, value } => {
                format!("{}: {}", self.of(key), self.of(value))
            }
            ExpressionKind::Function(literal) => {
                let body = self.statements(&literal.body.statements);
                format!("<func {}{body}>", self.signature(&literal.signature))
            }
            ExpressionKind::FunctionType(one) => format!("<functype {}>", self.signature(one)),
            ExpressionKind::Parenthesized(inner) => format!("({})", self.of(inner)),
            ExpressionKind::Selector { operand, name } => {
                format!("{}.{}", self.of(operand), name.name)
            }
            ExpressionKind::Index { operand, indices } => {
                format!("<index {} {}>", self.of(operand), self.all(indices))
            }
            ExpressionKind::Slice { operand, bounds } => {
                let bounds = joined(bounds, ":", |bound| self.boxed(bound.as_deref()));
                format!("<slice {} {bounds}>", self.of(operand))
            }
            ExpressionKind::TypeAssertion { operand, ty } => {
                let ty = ty.as_ref().map_or("type".to_owned(), |ty| self.of(ty));
                format!("<assert {} {ty}>", self.of(operand))
            }
            ExpressionKind::Call(call) => {
                let dots = if call.spreads { "..." } else { "" };
                format!("<call {} {}{dots}>", self.of(&call.function), self.all(&call.arguments))
            }
            ExpressionKind::Star(inner) => format!("<* {}>", self.of(inner)),
            ExpressionKind::Unary { operator, operand } => {
                format!("<{} {}>", operator.symbol(), self.of(operand))
            }
            ExpressionKind::Binary { operator, left, right } => {
                format!("<{} {} {}>", operator.symbol(), self.of(left), self.of(right))
            }
            ExpressionKind::Ellipsis(inner) => format!("...{}", self.boxed(inner.as_deref())),
            _ => self.of_type(&expression.kind),
        }
    }

    fn of_type(&self, kind: &ExpressionKind<'_>) -> String {
        match kind {
            ExpressionKind::Array { length, element } => {
                format!("<array {} of {}>", self.boxed(length.as_deref()), self.of(element))
            }
            ExpressionKind::Struct(fields) => {
                let fields = joined(fields, "; ", |field| {
                    let tag = field.tag.map_or("", |tag| tag.of(self.0));
                    format!("{}: {}{tag}", names(&field.names), self.of(&field.ty))
                });
                format!("<struct {fields}>")
            }
            ExpressionKind::Interface(elements) => {
                let elements = joined(elements, "; ", |element| match element {
                    InterfaceElement::Method { name, signature } => {
                        name.name.to_owned() + &self.signature(signature)
                    }
                    InterfaceElement::Embedded(ty) => self.of(ty),
                });
                format!("<interface {elements}>")
            }
            ExpressionKind::Map { key, value } => {
                format!("<map {} to {}>", self.of(key), self.of(value))
            }
            ExpressionKind::Channel { direction, element } => {
                let word = match direction {
                    ChannelDirection::Both => "chan",
                    ChannelDirection::Send => "sendchan",
                    ChannelDirection::Receive => "recvchan",
                };
                format!("<{word} {}>", self.of(element))
            }
            other => format!("{other:?}"),
        }
    }
}

fn names(names: &[Identifier<'_>]) -> String {
    joined(names, ",", |name| name.name.to_owned())
}

fn joined<T>(all: &[T], between: &str, show: impl Fn(&T) -> String) -> String {
    all.iter().map(show).collect::<Vec<_>>().join(between)
}
