//! Goes through a file once and writes down each function.

use super::{
    super::{super::symbol::OF_THE_PACKAGE, Deferred, LockUse, SourceFunction},
    names::{bare, is_predeclared, last_name, named},
    types::Types,
};
use crate::syntax::{Lines, Span, ast::*};

/// Blocks nested deeper than this are not looked into; the parser has a bound of its own.
const DEEPEST: u32 = 200;

/// A function that is being read.
pub(super) struct Open<'t> {
    /// Its index among the functions.
    pub(super) at: usize,
    /// The types of receivers, parameters and variables, as far as they are written.
    pub(super) types: Vec<(&'t str, String)>,
    /// Until which line what happens now says something about the lines after it.
    pub(super) until: u32,
}

pub(super) struct Visit<'v, 't> {
    pub(super) text: &'t str,
    lines: &'v Lines<'v>,
    pub(super) package: &'t str,
    pub(super) types: &'v Types<'t>,
    pub(super) functions: Vec<SourceFunction>,
    pub(super) open: Vec<Open<'t>>,
    depth: u32,
}

impl<'v, 't> Visit<'v, 't> {
    pub(super) fn new(
        text: &'t str,
        lines: &'v Lines<'v>,
        package: &'t str,
        types: &'v Types<'t>,
    ) -> Self {
        let (functions, open) = (Vec::new(), Vec::new());
        Self { text, lines, package, types, functions, open, depth: 0 }
    }

    /// The file's functions, by the line that they begin on.
    pub(super) fn file(mut self, file: &File<'t>) -> Vec<SourceFunction> {
        for declaration in &file.declarations {
            self.declaration(declaration);
        }
        self.functions.sort_by_key(|it| (it.first_line, it.depth));
        self.functions
    }

    fn declaration(&mut self, declaration: &Declaration<'t>) {
        match declaration {
            Declaration::Function(function) => {
                let Some(body) = &function.body else { return };
                let mut parameters: Vec<_> = function.receiver.iter().collect();
                parameters.extend(&function.signature.parameters);
                self.function(function.name.name, false, function.span, &parameters, body);
            }
            Declaration::Values(values) => {
                for spec in &values.specs {
                    let ty = spec.ty.as_ref().and_then(|ty| named(ty, self.package));
                    for (at, name) in spec.names.iter().enumerate() {
                        let made = || self.type_of_value(spec.values.get(at)?);
                        self.declare(name.name, ty.clone().or_else(made));
                    }
                    self.expressions(&spec.values);
                }
            }
            Declaration::Types(_) | Declaration::Bad(_) => {}
        }
    }

    fn function(
        &mut self,
        name: &str,
        is_deferred: bool,
        span: Span,
        parameters: &[&Parameter<'t>],
        body: &Block<'t>,
    ) {
        let closing_line = self.line(body.span.end.saturating_sub(1));
        let at = self.functions.len();
        let depth = u32::try_from(self.open.len()).unwrap_or(u32::MAX);
        let name = self.open.last().map_or(name, |outer| &self.functions[outer.at].name).to_owned();
        self.functions.push(SourceFunction {
            name,
            depth,
            is_deferred,
            first_line: self.line(span.start),
            closing_line,
            ..SourceFunction::default()
        });
        let mut types = Vec::new();
        for parameter in parameters {
            if let Some(ty) = named(&parameter.ty, self.package) {
                types.extend(parameter.names.iter().map(|name| (name.name, ty.clone())));
            }
        }
        self.open.push(Open { at, types, until: closing_line });
        self.statements(&body.statements);
        self.open.pop();
    }

    fn literal(&mut self, literal: &FunctionLiteral<'t>, span: Span, is_deferred: bool) {
        let parameters: Vec<_> = literal.signature.parameters.iter().collect();
        self.function(OF_THE_PACKAGE, is_deferred, span, &parameters, &literal.body);
    }

    fn declare(&mut self, name: &'t str, ty: Option<String>) {
        if let (Some(open), Some(ty)) = (self.open.last_mut(), ty) {
            open.types.push((name, ty));
        }
    }

    pub(super) fn current(&mut self) -> Option<&mut SourceFunction> {
        self.open.last().map(|open| &mut self.functions[open.at])
    }

    /// The line of an offset, from 1.
    fn line(&self, offset: u32) -> u32 {
        self.lines.line(offset)
    }

    fn statements(&mut self, statements: &[Statement<'t>]) {
        if self.depth == DEEPEST {
            return;
        }
        self.depth += 1;
        for statement in statements {
            self.statement(statement);
        }
        self.depth -= 1;
    }

    /// Statements that may be left for good at their end: what they lock and unlock says nothing
    /// about the lines after them then.
    fn branch(&mut self, statements: &[Statement<'t>], breaks_leave: bool) {
        let last = statements.last();
        let leaves = last.is_some_and(|last| leaves(last, breaks_leave));
        let end = last.map(|last| self.line(last.span.end.saturating_sub(1)));
        let before = self.open.last().map(|open| open.until);
        if let (true, Some(end), Some(open)) = (leaves, end, self.open.last_mut()) {
            open.until = end;
        }
        self.statements(statements);
        if let (Some(before), Some(open)) = (before, self.open.last_mut()) {
            open.until = before;
        }
    }

    fn statement(&mut self, statement: &Statement<'t>) {
        match &statement.kind {
            StatementKind::Bad | StatementKind::Empty | StatementKind::Branch { .. } => {}
            StatementKind::Expression(expression) => self.expression(expression),
            StatementKind::Send { channel, value } => {
                self.expression(channel);
                self.expression(value);
            }
            StatementKind::IncrementDecrement { operand, .. } => self.expression(operand),
            StatementKind::Assign(assign) => self.assign(assign),
            StatementKind::Go(call) => self.started(call),
            StatementKind::Defer(call) => self.deferred(call, statement.span),
            StatementKind::Return(values) => {
                let line = self.line(statement.span.start);
                if let Some(function) = self.current() {
                    function.return_lines.push(line);
                }
                self.expressions(values);
            }
            StatementKind::Block(block) => self.statements(&block.statements),
            StatementKind::If(it) => self.if_statement(it),
            StatementKind::Switch(it) => {
                self.optional(it.init.as_ref());
                self.optional(it.tag.as_ref());
                for case in &it.cases {
                    self.expressions(&case.expressions);
                    self.branch(&case.statements, false);
                }
            }
            StatementKind::Select(it) => {
                for case in &it.cases {
                    self.optional(case.communication.as_ref());
                    self.branch(&case.statements, false);
                }
            }
            StatementKind::For(it) => {
                self.optional(it.init.as_ref());
                self.expressions(it.condition.as_slice());
                self.optional(it.post.as_ref());
                self.statements(&it.body.statements);
            }
            StatementKind::Range(it) => {
                self.expression(&it.operand);
                self.statements(&it.body.statements);
            }
            StatementKind::Labeled { statement, .. } => self.statement(statement),
            StatementKind::Declaration(declaration) => self.declaration(declaration),
        }
    }

    fn optional(&mut self, statement: Option<&Statement<'t>>) {
        if let Some(statement) = statement {
            self.statement(statement);
        }
    }

    fn if_statement(&mut self, it: &If<'t>) {
        self.optional(it.init.as_ref());
        self.expression(&it.condition);
        self.branch(&it.then.statements, true);
        match &it.otherwise {
            Some(Statement { kind: StatementKind::Block(block), .. }) => {
                self.branch(&block.statements, true);
            }
            otherwise => self.optional(otherwise.as_ref()),
        }
    }

    fn assign(&mut self, assign: &Assign<'t>) {
        if assign.operator == AssignOperator::Define {
            for (left, right) in assign.left.iter().zip(&assign.right) {
                if let ExpressionKind::Identifier(name) = left.kind {
                    let ty = self.type_of_value(right);
                    self.declare(name, ty);
                }
            }
        }
        self.expressions(&assign.left);
        self.expressions(&assign.right);
    }

    /// What `go` starts runs on a stack of its own; its arguments are worked out here.
    fn started(&mut self, expression: &Expression<'t>) {
        let ExpressionKind::Call(call) = &bare(expression).kind else { return };
        self.callee(&call.function, false);
        self.expressions(&call.arguments);
    }

    fn deferred(&mut self, expression: &Expression<'t>, span: Span) {
        let ExpressionKind::Call(call) = &bare(expression).kind else { return };
        let line = self.line(span.start);
        let callee = bare(&call.function);
        let is_literal = matches!(callee.kind, ExpressionKind::Function(_));
        let text = if is_literal { "func() { … }()" } else { callee.span.of(self.text) };
        let literal = is_literal
            .then(|| (self.line(callee.span.start), self.line(callee.span.end.saturating_sub(1))));
        let deferred = Deferred {
            line,
            text: text.split_whitespace().collect::<Vec<_>>().join(" "),
            name: last_name(callee).to_owned(),
            literal,
        };
        let says_so = deferred.name.to_ascii_lowercase().contains("recover");
        if let Some(function) = self.current() {
            function.defers.push(deferred);
            function.recovers |= says_so;
        }
        self.lock(call, line, true);
        let first = self.functions.len();
        self.callee(callee, true);
        self.after_literal(first, line);
        self.expressions(&call.arguments);
    }

    /// What a deferred literal unlocks is unlocked by the defer, and so it is with `recover`.
    fn after_literal(&mut self, first: usize, line: u32) {
        let Some(literal) = self.functions.get(first).filter(|it| it.is_deferred) else { return };
        let recovers = literal.calls_recover;
        let unlocks: Vec<_> = literal.locks.iter().filter(|it| !it.kind.takes()).cloned().collect();
        if let Some(function) = self.current() {
            function.recovers |= recovers;
            let until = function.closing_line;
            let deferred = |it| LockUse { line, is_deferred: true, until, ..it };
            function.locks.extend(unlocks.into_iter().map(deferred));
        }
    }

    /// A callee without its call: a literal is a function, and what comes before a dot is evaluated.
    fn callee(&mut self, callee: &Expression<'t>, is_deferred: bool) {
        match &bare(callee).kind {
            ExpressionKind::Function(literal) => self.literal(literal, callee.span, is_deferred),
            ExpressionKind::Selector { operand, .. } => self.expression(operand),
            _ => self.expression(callee),
        }
    }

    fn expressions(&mut self, expressions: &[Expression<'t>]) {
        for expression in expressions {
            self.expression(expression);
        }
    }

    fn call(&mut self, call: &Call<'t>, span: Span) {
        let line = self.line(call.parentheses.start);
        let first = self.line(span.start);
        let name = last_name(&call.function);
        if let (Some(function), "recover") = (self.current(), name) {
            function.calls_recover = true;
        }
        if let (Some(function), false) = (self.current(), is_predeclared(name)) {
            function.calls.push((line, name.to_owned()));
            if first != line {
                function.calls.push((first, name.to_owned()));
            }
        }
        self.lock(call, line, false);
        self.callee(&call.function, false);
        self.expressions(&call.arguments);
    }

    fn expression(&mut self, expression: &Expression<'t>) {
        if self.depth == DEEPEST {
            return;
        }
        self.depth += 1;
        match &expression.kind {
            ExpressionKind::Function(literal) => self.literal(literal, expression.span, false),
            ExpressionKind::Call(call) => self.call(call, expression.span),
            ExpressionKind::Composite { elements, .. } => self.expressions(elements),
            ExpressionKind::KeyValue { key, value } => {
                self.expression(key);
                self.expression(value);
            }
            ExpressionKind::Parenthesized(inner)
            | ExpressionKind::Star(inner)
            | ExpressionKind::Unary { operand: inner, .. }
            | ExpressionKind::Selector { operand: inner, .. }
            | ExpressionKind::TypeAssertion { operand: inner, .. } => self.expression(inner),
            ExpressionKind::Index { operand, indices } => {
                self.expression(operand);
                self.expressions(indices);
            }
            ExpressionKind::Slice { operand, bounds } => {
                self.expression(operand);
                for bound in bounds.iter().flatten() {
                    self.expression(bound);
                }
            }
            ExpressionKind::Binary { left, right, .. } => {
                self.expression(left);
                self.expression(right);
            }
            _ => {}
        }
        self.depth -= 1;
    }
}

/// Whether a statement leaves the block around it for good.
fn leaves(statement: &Statement<'_>, breaks_leave: bool) -> bool {
    match &statement.kind {
        StatementKind::Return(_) => true,
        StatementKind::Branch { kind, .. } => *kind != BranchKind::Break || breaks_leave,
        StatementKind::Expression(expression) => match &bare(expression).kind {
            ExpressionKind::Call(call) => {
                ["panic", "Exit", "Fatal", "Fatalf", "Goexit"].contains(&last_name(&call.function))
            }
            _ => false,
        },
        StatementKind::Labeled { statement, .. } => leaves(statement, breaks_leave),
        _ => false,
    }
}
