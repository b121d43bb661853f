//! What a step does to a variable that holds something which has to be released.

use crate::{
    context::FunctionContext,
    package::Declared,
    syntax::ast::{
        AssignOperator, BinaryOperator, Call, Declaration, Expression, ExpressionKind, If,
        Statement, StatementKind, UnaryOperator,
    },
    types::{Definition, Type, VariableId},
};

use super::{Node, NodeKind};

/// How many functions of the package are looked into, one in the other, to see what becomes of an
/// argument. Deeper, it is taken to be kept.
const MAX_LOOKED_INTO: u32 = 3;

/// What a step does to a resource. The greatest of what is found counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Effect {
    /// Nothing.
    None,
    /// It is used.
    Used,
    /// The variable gets another value.
    Replaced,
    /// Somebody else has it now: it is returned, stored, sent, or given to who keeps it.
    Escapes,
    /// It will be released when the function ends.
    Deferred,
    /// It is released.
    Released,
}

/// What has to be released, and how.
#[derive(Clone, Copy, Debug)]
pub struct Watched<'w> {
    /// The variable.
    pub variable: VariableId,
    /// The methods that release it, as paths behind the variable: `Close`, `Body.Close`. Empty where it is
    /// called itself: a cancel function.
    pub releases: &'w [&'w str],
    /// Whether it is only lent to the functions that it is given to: a transaction, a span. Who opened it
    /// has to end it all the same.
    pub lent: bool,
}

/// What a step does to what is watched.
#[must_use]
pub fn effect<'p, 't>(
    context: &FunctionContext<'_, 'p, 't>,
    node: &Node<'p, 't>,
    watched: Watched<'_>,
) -> Effect {
    effect_with(context, node, watched, &[])
}

/// As [`effect`], with the variables that have it within: `r := bufio.NewReader(file)`. Who gets one of them
/// has it too.
pub(super) fn effect_with<'p, 't>(
    context: &FunctionContext<'_, 'p, 't>,
    node: &Node<'p, 't>,
    watched: Watched<'_>,
    carriers: &[VariableId],
) -> Effect {
    let look = Look { context, watched, carriers, levels: MAX_LOOKED_INTO };
    match node.kind {
        NodeKind::Communication(statement) if look.is_told_the_end(statement) => Effect::Released,
        NodeKind::Statement(statement)
        | NodeKind::Tag(statement)
        | NodeKind::Communication(statement) => look.statement(statement),
        NodeKind::Condition(condition) => look.expression(condition, Place::Used),
        NodeKind::Case(expressions) => look.all(expressions, Place::Used),
        NodeKind::Range(range) => look.expression(&range.operand, Place::Used),
        NodeKind::Entry | NodeKind::Select(_) | NodeKind::Join | NodeKind::Exit(_) => Effect::None,
    }
}

/// What a whole body does to it at most, by whichever path.
#[must_use]
pub fn effect_of_body<'p, 't>(
    context: &FunctionContext<'_, 'p, 't>,
    statements: &'p [Statement<'t>],
    watched: Watched<'_>,
) -> Effect {
    Look { context, watched, carriers: &[], levels: MAX_LOOKED_INTO }.body(statements)
}

/// The variables that get a value which has the watched one within, as far as the table knows: readers,
/// writers, decoders around it.
pub(super) fn carriers(
    context: &FunctionContext<'_, '_, '_>,
    watched: Watched<'_>,
) -> Vec<VariableId> {
    let resolution = &context.inference.resolution;
    let mut carriers = Vec::new();
    for (id, variable) in resolution.all() {
        let Definition::Value { expression, index: 0 } = variable.definition else { continue };
        let Some(call) = expression.bare().as_call() else { continue };
        let look = Look { context, watched, carriers: &carriers, levels: 0 };
        let wraps = !matches!(variable.ty, Type::Basic(_) | Type::List(_))
            && id != watched.variable
            && look.wraps(call);
        if wraps {
            carriers.push(id);
        }
    }
    carriers
}

/// Where an expression stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// Its value is kept: returned, stored, sent.
    Kept,
    /// Its value is looked at.
    Used,
}

struct Look<'l, 'c, 'p, 't> {
    context: &'l FunctionContext<'c, 'p, 't>,
    watched: Watched<'l>,
    carriers: &'l [VariableId],
    levels: u32,
}

impl<'p, 't> Look<'_, '_, 'p, 't> {
    fn is_it(&self, expression: &Expression<'t>) -> bool {
        self.context.inference.resolution.of(expression) == Some(self.watched.variable)
    }

    /// The path behind the variable: `Body` of `x.Body`; empty for the variable itself.
    fn path(&self, expression: &Expression<'t>) -> Option<String> {
        if self.is_it(expression) {
            return Some(String::new());
        }
        let (operand, name) = expression.as_selector()?;
        let path = self.path(operand)?;
        Some(if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") })
    }

    /// Whether it is what is released: the variable, or `x.Body` of `Body.Close`.
    fn is_resource(&self, expression: &Expression<'t>) -> bool {
        let Some(path) = self.path(expression) else { return false };
        path.is_empty()
            || self
                .watched
                .releases
                .iter()
                .any(|release| release.rsplit_once('.').is_some_and(|(before, _)| before == path))
    }

    fn is_release(&self, function: &Expression<'t>) -> bool {
        self.path(function).is_some_and(|path| {
            if path.is_empty() {
                self.watched.releases.is_empty()
            } else {
                self.watched.releases.contains(&path.as_str())
            }
        })
    }

    fn is_carrier(&self, expression: &Expression<'t>) -> bool {
        !self.carriers.is_empty()
            && self
                .context
                .inference
                .resolution
                .of(expression)
                .is_some_and(|id| self.carriers.contains(&id))
    }

    /// Whether a call of the table is given the resource, or what has it within.
    fn wraps(&self, call: &Call<'t>) -> bool {
        call.arguments.iter().any(|argument| {
            self.is_resource(argument)
                || self.is_carrier(argument)
                || argument.bare().as_call().is_some_and(|inner| self.wraps(inner))
        })
    }

    /// `<-session.Done()`: it has ended by itself.
    fn is_told_the_end(&self, statement: &'p Statement<'t>) -> bool {
        let StatementKind::Expression(received) = &statement.kind else { return false };
        let ExpressionKind::Unary { operator: UnaryOperator::Receive, operand } =
            &received.bare().kind
        else {
            return false;
        };
        let function = operand.bare().as_call().and_then(|call| call.function.as_selector());
        function.is_some_and(|(operand, name)| name == "Done" && self.is_it(operand))
    }

    fn all(&self, expressions: &'p [Expression<'t>], place: Place) -> Effect {
        let effects = expressions.iter().map(|expression| self.expression(expression, place));
        effects.max().unwrap_or(Effect::None)
    }

    fn body(&self, statements: &'p [Statement<'t>]) -> Effect {
        let mut greatest = Effect::None;
        for statement in statements {
            statement.walk(&mut |statement| greatest = greatest.max(self.statement(statement)));
        }
        greatest
    }

    fn statement(&self, statement: &'p Statement<'t>) -> Effect {
        match &statement.kind {
            StatementKind::Expression(expression) => self.expression(expression, Place::Used),
            StatementKind::Send { channel, value } => {
                self.expression(value, Place::Kept).max(self.expression(channel, Place::Used))
            }
            StatementKind::Defer(call) => self.deferred(call),
            StatementKind::Go(call) => match self.expression(call, Place::Used) {
                Effect::None => Effect::None,
                _ => Effect::Escapes,
            },
            StatementKind::Return(values) if values.is_empty() => self.naked_return(),
            StatementKind::Return(values) => {
                let gives = |value: &Expression<'t>| self.gives_wrapped(value);
                match values.iter().any(gives) {
                    true => Effect::Escapes,
                    false => self.all(values, Place::Kept),
                }
            }
            StatementKind::Assign(assign) => {
                let mut greatest = Effect::None;
                // An `exec.Cmd` does not close what it reads and writes.
                if assign.left.iter().all(|left| self.is_command_stream(left)) {
                    return self.all(&assign.right, Place::Used);
                }
                for (index, value) in assign.right.iter().enumerate() {
                    let to_blank = assign.left.len() == assign.right.len()
                        && assign.left[index].as_name() == Some("_");
                    // A new variable that has it within is watched too; see `carriers`.
                    let to_carrier = assign.operator == AssignOperator::Define
                        && value.bare().as_call().is_some();
                    let place = if to_blank || to_carrier { Place::Used } else { Place::Kept };
                    greatest = greatest.max(self.expression(value, place));
                }
                for left in &assign.left {
                    let effect = if self.is_it(left) && assign.operator != AssignOperator::Define {
                        Effect::Replaced
                    } else {
                        self.expression(left, Place::Used)
                    };
                    greatest = greatest.max(effect);
                }
                greatest
            }
            StatementKind::Declaration(declaration) => match &**declaration {
                Declaration::Values(values) => {
                    let values = values.specs.iter().map(|spec| match &spec.values[..] {
                        [value] if value.bare().as_call().is_some() => {
                            self.expression(value, Place::Used)
                        }
                        values => self.all(values, Place::Kept),
                    });
                    values.max().unwrap_or(Effect::None)
                }
                _ => Effect::None,
            },
            _ => {
                let mut greatest = Effect::None;
                statement.for_each_expression(&mut |expression| {
                    greatest = greatest.max(self.expression(expression, Place::Used));
                });
                greatest
            }
        }
    }

    /// `return bufio.NewReader(file), nil`.
    fn gives_wrapped(&self, value: &Expression<'t>) -> bool {
        let ty = self.context.type_of(value).result(0);
        let wraps = value.bare().as_call().is_some_and(|call| self.wraps(call));
        wraps && matches!(ty, Type::Named { .. } | Type::Pointer(_) | Type::Unknown)
    }

    fn is_command_stream(&self, left: &Expression<'t>) -> bool {
        let Some((operand, "Stdin" | "Stdout" | "Stderr")) = left.as_selector() else {
            return false;
        };
        self.context.type_of(operand).is_or_points_to("os/exec", "Cmd")
    }

    /// A return without values gives out the results that have names.
    fn naked_return(&self) -> Effect {
        let variable = self.context.inference.resolution.variable(self.watched.variable);
        match variable.definition {
            Definition::Result => Effect::Escapes,
            _ => Effect::None,
        }
    }

    fn deferred(&self, call: &'p Expression<'t>) -> Effect {
        let effect = match call.as_call().and_then(|call| call.function.as_literal()) {
            Some(literal) => self.unless_panicking(&literal.body.statements).max(
                call.as_call().map_or(Effect::None, |call| self.all(&call.arguments, Place::Kept)),
            ),
            None => self.expression(call, Place::Used),
        };
        match effect {
            Effect::Released | Effect::Escapes | Effect::Deferred => Effect::Deferred,
            Effect::Replaced | Effect::Used => Effect::Used,
            Effect::None => Effect::None,
        }
    }

    /// What a deferred body does when nothing panicked: `if r := recover(); r != nil { … }` is left out.
    fn unless_panicking(&self, statements: &'p [Statement<'t>]) -> Effect {
        let mut greatest = Effect::None;
        for statement in statements {
            let effect = match &statement.kind {
                StatementKind::If(it) if self.asks_for_panic(it) => match &it.otherwise {
                    Some(otherwise) => self.body(std::slice::from_ref(otherwise)),
                    None => Effect::None,
                },
                _ => self.body(std::slice::from_ref(statement)),
            };
            greatest = greatest.max(effect);
        }
        greatest
    }

    fn asks_for_panic(&self, it: &If<'t>) -> bool {
        let ExpressionKind::Binary { operator: BinaryOperator::NotEqual, left, .. } =
            &it.condition.bare().kind
        else {
            return false;
        };
        let is_recover = |value: &Expression<'t>| {
            value.bare().as_call().is_some_and(|call| call.function.as_name() == Some("recover"))
        };
        let resolution = &self.context.inference.resolution;
        is_recover(left)
            || resolution.of(left).is_some_and(|id| {
                matches!(resolution.variable(id).definition,
                    Definition::Value { expression, .. } if is_recover(expression))
            })
    }

    fn expression(&self, expression: &'p Expression<'t>, place: Place) -> Effect {
        if self.is_resource(expression) {
            return if place == Place::Kept { Effect::Escapes } else { Effect::Used };
        }
        if place == Place::Kept && self.is_carrier(expression) {
            return Effect::Escapes;
        }
        match &expression.kind {
            ExpressionKind::Parenthesized(inner) => self.expression(inner, place),
            ExpressionKind::Selector { operand, .. } => {
                // `x.Close` as a value: whoever has it releases.
                if self.is_release(expression) {
                    return Effect::Escapes;
                }
                self.expression(operand, Place::Used)
            }
            // `&T{reader: bufio.NewReader(file)}`
            ExpressionKind::Call(_) if place == Place::Kept && self.gives_wrapped(expression) => {
                Effect::Escapes
            }
            ExpressionKind::Call(call) => self.call(call),
            ExpressionKind::Function(literal) => match self.body(&literal.body.statements) {
                Effect::None => Effect::None,
                Effect::Used if place == Place::Used => Effect::Used,
                _ => Effect::Escapes,
            },
            ExpressionKind::Composite { elements, .. } => self.all(elements, Place::Kept),
            ExpressionKind::KeyValue { value, .. } => self.expression(value, place),
            ExpressionKind::Unary { operator: UnaryOperator::Address, operand } => {
                self.expression(operand, Place::Kept)
            }
            ExpressionKind::TypeAssertion { operand, .. } => self.expression(operand, place),
            ExpressionKind::Binary { operator, left, right } => {
                let place = match operator {
                    BinaryOperator::Equal | BinaryOperator::NotEqual => Place::Used,
                    _ => place,
                };
                self.expression(left, place).max(self.expression(right, place))
            }
            _ => {
                let mut greatest = Effect::None;
                expression.for_each_child(&mut |child| {
                    greatest = greatest.max(self.expression(child, Place::Used));
                });
                greatest
            }
        }
    }

    fn call(&self, call: &'p Call<'t>) -> Effect {
        if self.is_release(&call.function) || self.closes_descriptor(call) {
            return Effect::Released;
        }
        let mut greatest = match call.function.as_literal() {
            // Called at once.
            Some(literal) => self.body(&literal.body.statements),
            None => self.expression(&call.function, Place::Used),
        };
        for (index, argument) in call.arguments.iter().enumerate() {
            let effect = match self.is_resource(argument) {
                true => self.given(call, index),
                false => match &argument.bare().kind {
                    ExpressionKind::Unary { operator: UnaryOperator::Address, operand }
                        if self.is_it(operand) =>
                    {
                        self.given(call, index)
                    }
                    _ if call.function.as_name() == Some("append") => {
                        self.expression(argument, Place::Kept)
                    }
                    _ => self.expression(argument, Place::Used),
                },
            };
            greatest = greatest.max(effect);
        }
        greatest
    }

    /// `syscall.Close(int(file.Fd()))`
    fn closes_descriptor(&self, call: &'p Call<'t>) -> bool {
        let is_close = matches!(
            call.function.as_selector(),
            Some((_, "Close" | "CloseHandle" | "Closesocket"))
        );
        is_close
            && call.arguments.iter().any(|argument| {
                let inner = match argument.bare().as_call() {
                    Some(conversion) if conversion.arguments.len() == 1 => &conversion.arguments[0],
                    _ => argument,
                };
                inner.bare().as_call().is_some_and(|call| {
                    matches!(call.function.as_selector(), Some((operand, "Fd")) if self.is_it(operand))
                })
            })
    }

    /// What a call does with an argument that is the resource itself.
    fn given(&self, call: &'p Call<'t>, index: usize) -> Effect {
        // A function that is given away is called by whoever has it.
        if self.watched.releases.is_empty() {
            return Effect::Escapes;
        }
        let callee = self.context.inference.callee(call);
        if callee.package == "builtin" {
            return match callee.name {
                "append" | "panic" => Effect::Escapes,
                _ => Effect::Used,
            };
        }
        if let Some(entry) = callee.entry {
            return if entry.word("keeps").is_some() { Effect::Escapes } else { Effect::Used };
        }
        match callee.declared {
            Some(declared) if self.levels > 0 => match self.given_within(declared, call, index) {
                Effect::Escapes if self.watched.lent && !sounds_like_an_end(callee.name) => {
                    Effect::Used
                }
                effect => effect,
            },
            _ if self.watched.lent && !sounds_like_an_end(callee.name) => Effect::Used,
            // Of another package: `yaml.NewDecoder(file)`, `png.Encode(file, image)`.
            _ if callee.receiver.is_none()
                && !callee.package.is_empty()
                && (only_reads_or_writes(callee.name) || self.makes_stub(callee.name)) =>
            {
                Effect::Used
            }
            _ => Effect::Escapes,
        }
    }

    /// `pb.NewOrdersClient(conn)`: a generated client leaves the connection to who dialled it.
    fn makes_stub(&self, name: &str) -> bool {
        let resolution = &self.context.inference.resolution;
        name.starts_with("New")
            && name.ends_with("Client")
            && resolution
                .variable(self.watched.variable)
                .ty
                .is_or_points_to("google.golang.org/grpc", "ClientConn")
    }

    /// What a function of the package does with its argument.
    fn given_within(&self, declared: Declared<'p, 't>, call: &Call<'t>, index: usize) -> Effect {
        let there = self.context.of(declared);
        let Some(body) = &declared.function.body else { return Effect::Escapes };
        let names = declared.function.signature.parameters.iter().flat_map(|it| &it.names);
        let Some(name) = names.into_iter().nth(index) else { return Effect::Used };
        let Some(variable) = there.inference.resolution.at(name.span) else { return Effect::Used };
        // Given `x.Body`, it is the body there: `Body.Close` is `Close`.
        let path = call.arguments.get(index).and_then(|argument| self.path(argument));
        let path = path.unwrap_or_default();
        let releases: Vec<&str> = self
            .watched
            .releases
            .iter()
            .filter_map(|release| match path.is_empty() {
                true => Some(*release),
                false => release.strip_prefix(path.as_str())?.strip_prefix('.'),
            })
            .collect();
        let watched = Watched { variable, releases: &releases, lent: self.watched.lent };
        let look = Look { context: &there, watched, carriers: &[], levels: self.levels - 1 };
        match look.body(&body.statements) {
            Effect::Deferred | Effect::Released => Effect::Released,
            Effect::None => Effect::Used,
            effect => effect,
        }
    }
}

/// Whether a function of another package most likely reads or writes what it is given, and leaves it open.
fn only_reads_or_writes(name: &str) -> bool {
    let makes = name.strip_prefix("New").is_some_and(|what| {
        ["Decoder", "Encoder", "Scanner", "Parser"].iter().any(|end| what.ends_with(end))
    });
    makes || matches!(name, "Decode" | "Encode" | "Unmarshal" | "Marshal" | "ReadAll")
}

/// Whether a function that is not known most likely ends the transaction or span that it is given.
fn sounds_like_an_end(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    ["commit", "rollback", "end", "finish", "close", "abort", "done", "complete", "cleanup"]
        .iter()
        .any(|word| name.contains(word))
}
