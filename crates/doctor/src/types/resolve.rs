//! Which variable a name means, at every place in a function, and what each variable is.

use std::collections::HashMap;

use super::{Inference, Type};
use crate::{
    package::{Package, SourceFile},
    syntax::{
        Span,
        ast::{
            Assign, AssignOperator, Block, Case, Declaration, Expression, ExpressionKind, Function,
            FunctionLiteral, Identifier, Parameter, Signature, Statement, StatementKind, Switch,
            UnaryOperator,
        },
    },
};

/// A variable of a function: an index into [`Resolution::variables`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct VariableId(pub(crate) usize);

/// A variable of a function, a parameter, a result or a receiver.
#[derive(Clone, Debug)]
pub struct Variable<'p, 't> {
    /// Its name.
    pub name: &'t str,
    /// Where it is declared.
    pub span: Span,
    /// What it is.
    pub ty: Type<'t>,
    /// How it comes about.
    pub definition: Definition<'p, 't>,
    /// In which function: where its `func` stands ([`Resolution::function_at`]), 0 for the outermost.
    pub function: u32,
    /// Where it is used, in the order of the text; the declaration is not among them.
    pub uses: Vec<Use>,
}

/// How a variable comes about.
#[derive(Clone, Copy, Debug)]
pub enum Definition<'p, 't> {
    /// A parameter.
    Parameter,
    /// A result with a name.
    Result,
    /// The receiver.
    Receiver,
    /// By a value: that result of the expression.
    Value {
        /// The expression.
        expression: &'p Expression<'t>,
        /// Which of its results, from 0.
        index: usize,
    },
    /// By `range` over this.
    Range(&'p Expression<'t>),
    /// With its zero value.
    Zero,
}

/// A place where a variable is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Use {
    /// Where.
    pub span: Span,
    /// How.
    pub kind: UseKind,
    /// In which function, as [`Variable::function`].
    pub function: u32,
}

/// How a variable is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UseKind {
    /// Its value is read.
    Read,
    /// It gets another value.
    Write,
    /// Its address is taken.
    Address,
}

/// Which variable a name means, at every place in a function.
#[derive(Debug, Default)]
pub struct Resolution<'p, 't> {
    /// The variables, in the order of their declarations.
    pub variables: Vec<Variable<'p, 't>>,
    /// The start of a name to what it means; those of declarations too.
    names: HashMap<u32, VariableId>,
}

impl<'p, 't> Resolution<'p, 't> {
    /// The variable that a name at this place means.
    #[must_use]
    pub fn at(&self, span: Span) -> Option<VariableId> {
        self.names.get(&span.start).copied()
    }

    /// The variable that an expression is.
    #[must_use]
    pub fn of(&self, expression: &Expression<'t>) -> Option<VariableId> {
        let bare = expression.bare();
        matches!(bare.kind, ExpressionKind::Identifier(_)).then(|| self.at(bare.span)).flatten()
    }

    /// The variable at the bottom of `x`, `x.a.b`, `x[i]`, `*x`, `&x`.
    #[must_use]
    pub fn root(&self, expression: &Expression<'t>) -> Option<VariableId> {
        match &expression.bare().kind {
            ExpressionKind::Selector { operand, .. }
            | ExpressionKind::Index { operand, .. }
            | ExpressionKind::Slice { operand, .. }
            | ExpressionKind::TypeAssertion { operand, .. }
            | ExpressionKind::Unary { operand, operator: UnaryOperator::Address }
            | ExpressionKind::Star(operand) => self.root(operand),
            _ => self.of(expression),
        }
    }

    /// A variable.
    #[must_use]
    pub fn variable(&self, id: VariableId) -> &Variable<'p, 't> {
        &self.variables[id.0]
    }

    /// Every variable with its id.
    pub fn all(&self) -> impl Iterator<Item = (VariableId, &Variable<'p, 't>)> {
        self.variables.iter().enumerate().map(|(index, variable)| (VariableId(index), variable))
    }

    /// What [`Variable::function`] and [`Use::function`] say of what is in this literal.
    #[must_use]
    pub const fn function_at(literal_span: Span) -> u32 {
        literal_span.start
    }
}

/// Resolves a function, with all functions within.
pub(super) fn resolve<'p, 't>(
    package: &'p Package<'p, 't>,
    file: &'p SourceFile<'t>,
    function: &'p Function<'t>,
) -> Inference<'p, 't> {
    let inference = Inference { package, file, resolution: Resolution::default() };
    let mut resolver = Resolver { inference, scopes: vec![HashMap::new()], function: 0 };
    if let Some(receiver) = &function.receiver {
        resolver.parameters(std::slice::from_ref(receiver), Definition::Receiver);
    }
    resolver.signature(&function.signature);
    if let Some(body) = &function.body {
        resolver.statements(&body.statements);
    }
    resolver.inference
}

struct Resolver<'p, 't> {
    inference: Inference<'p, 't>,
    scopes: Vec<HashMap<&'t str, VariableId>>,
    function: u32,
}

impl<'p, 't> Resolver<'p, 't> {
    fn declare(&mut self, name: Identifier<'t>, ty: Type<'t>, definition: Definition<'p, 't>) {
        let resolution = &mut self.inference.resolution;
        let id = VariableId(resolution.variables.len());
        let variable = Variable {
            name: name.name,
            span: name.span,
            ty,
            definition,
            function: self.function,
            uses: Vec::new(),
        };
        resolution.variables.push(variable);
        resolution.names.insert(name.span.start, id);
        if name.name != "_"
            && let Some(scope) = self.scopes.last_mut()
        {
            scope.insert(name.name, id);
        }
    }

    fn used(&mut self, name: &'t str, span: Span, kind: UseKind) {
        let found = self.scopes.iter().rev().find_map(|scope| scope.get(name));
        if let Some(&id) = found {
            self.inference.resolution.names.insert(span.start, id);
            let used = Use { span, kind, function: self.function };
            self.inference.resolution.variables[id.0].uses.push(used);
        }
    }

    fn in_scope(&mut self, within: impl FnOnce(&mut Self)) {
        self.scopes.push(HashMap::new());
        within(self);
        self.scopes.pop();
    }

    fn signature(&mut self, signature: &'p Signature<'t>) {
        self.parameters(&signature.parameters, Definition::Parameter);
        self.parameters(&signature.results, Definition::Result);
    }

    fn parameters(&mut self, parameters: &'p [Parameter<'t>], definition: Definition<'p, 't>) {
        for parameter in parameters {
            let ty = self.inference.read_type(&parameter.ty);
            for name in &parameter.names {
                self.declare(*name, ty.clone(), definition);
            }
        }
    }

    fn literal(&mut self, span: Span, literal: &'p FunctionLiteral<'t>) {
        let outer = std::mem::replace(&mut self.function, Resolution::function_at(span));
        self.in_scope(|resolver| {
            resolver.signature(&literal.signature);
            resolver.statements(&literal.body.statements);
        });
        self.function = outer;
    }

    fn block(&mut self, block: &'p Block<'t>) {
        self.in_scope(|resolver| resolver.statements(&block.statements));
    }

    fn statements(&mut self, statements: &'p [Statement<'t>]) {
        for statement in statements {
            self.statement(statement);
        }
    }

    fn statement(&mut self, statement: &'p Statement<'t>) {
        match &statement.kind {
            StatementKind::Assign(assign) => self.assign(assign),
            StatementKind::IncrementDecrement { operand, .. } => self.assigned(operand),
            StatementKind::Block(block) => self.block(block),
            StatementKind::If(it) => self.in_scope(|resolver| {
                it.init.iter().for_each(|init| resolver.statement(init));
                resolver.expression(&it.condition);
                resolver.block(&it.then);
                it.otherwise.iter().for_each(|otherwise| resolver.statement(otherwise));
            }),
            StatementKind::Switch(it) => self.in_scope(|resolver| resolver.switch(it)),
            StatementKind::Select(it) => {
                for case in &it.cases {
                    self.in_scope(|resolver| {
                        case.communication.iter().for_each(|it| resolver.statement(it));
                        resolver.statements(&case.statements);
                    });
                }
            }
            StatementKind::For(it) => self.in_scope(|resolver| {
                it.init.iter().for_each(|init| resolver.statement(init));
                it.condition.iter().for_each(|condition| resolver.expression(condition));
                it.post.iter().for_each(|post| resolver.statement(post));
                resolver.block(&it.body);
            }),
            StatementKind::Range(it) => self.in_scope(|resolver| {
                resolver.expression(&it.operand);
                let (key, value) = resolver.inference.ranged(&it.operand);
                for (expression, ty) in [(&it.key, key), (&it.value, value)] {
                    let Some(expression) = expression else { continue };
                    match (it.defines, expression.as_name()) {
                        (true, Some(name)) => {
                            let name = Identifier { name, span: expression.span };
                            resolver.declare(name, ty, Definition::Range(&it.operand));
                        }
                        _ => resolver.assigned(expression),
                    }
                }
                resolver.block(&it.body);
            }),
            StatementKind::Labeled { statement, .. } => self.statement(statement),
            StatementKind::Declaration(declaration) => self.declaration(declaration),
            _ => statement.for_each_expression(&mut |expression| self.expression(expression)),
        }
    }

    fn declaration(&mut self, declaration: &'p Declaration<'t>) {
        let Declaration::Values(values) = declaration else { return };
        for spec in &values.specs {
            spec.values.iter().for_each(|value| self.expression(value));
            let written = spec.ty.as_ref().map(|ty| self.inference.read_type(ty));
            for (index, name) in spec.names.iter().enumerate() {
                let (ty, definition) = self.value(&spec.values, spec.names.len(), index);
                self.declare(*name, written.clone().unwrap_or(ty), definition);
            }
        }
    }

    /// What the variable at this index of so many gets from these values.
    fn value(
        &self,
        values: &'p [Expression<'t>],
        count: usize,
        index: usize,
    ) -> (Type<'t>, Definition<'p, 't>) {
        match values {
            [] => (Type::Unknown, Definition::Zero),
            [expression] if count > 1 => {
                let ty = self.inference.type_of_several(expression).result(index);
                (ty, Definition::Value { expression, index })
            }
            _ => match values.get(index) {
                Some(expression) => {
                    (self.inference.type_of(expression), Definition::Value { expression, index: 0 })
                }
                None => (Type::Unknown, Definition::Zero),
            },
        }
    }

    fn assign(&mut self, assign: &'p Assign<'t>) {
        assign.right.iter().for_each(|value| self.expression(value));
        for (index, left) in assign.left.iter().enumerate() {
            let new = match left.as_name() {
                Some(name) if assign.operator == AssignOperator::Define => {
                    let known = self.scopes.last().is_some_and(|scope| scope.contains_key(name));
                    (!known).then_some(name)
                }
                _ => None,
            };
            match new {
                Some(name) => {
                    let (ty, definition) = self.value(&assign.right, assign.left.len(), index);
                    self.declare(Identifier { name, span: left.span }, ty, definition);
                }
                None => self.assigned(left),
            }
        }
    }

    fn assigned(&mut self, left: &'p Expression<'t>) {
        match left.as_name() {
            Some(name) => self.used(name, left.bare().span, UseKind::Write),
            None => self.expression(left),
        }
    }

    fn switch(&mut self, switch: &'p Switch<'t>) {
        switch.init.iter().for_each(|init| self.statement(init));
        let mut bound = None;
        match switch.tag.as_ref().map(|tag| &tag.kind) {
            Some(StatementKind::Assign(assign)) if switch.is_type_switch => {
                assign.right.iter().for_each(|value| self.expression(value));
                bound = assign.left.first().and_then(|left| {
                    Some((
                        Identifier { name: left.as_name()?, span: left.span },
                        assign.right.first()?,
                    ))
                });
            }
            _ => switch.tag.iter().for_each(|tag| self.statement(tag)),
        }
        for case in &switch.cases {
            self.in_scope(|resolver| resolver.case(case, switch.is_type_switch, bound));
        }
    }

    fn case(
        &mut self,
        case: &'p Case<'t>,
        types: bool,
        bound: Option<(Identifier<'t>, &'p Expression<'t>)>,
    ) {
        if !types {
            case.expressions.iter().for_each(|expression| self.expression(expression));
        }
        if let Some((name, expression)) = bound {
            let ty = match &case.expressions[..] {
                [ty] => self.inference.read_type(ty),
                _ => Type::Unknown,
            };
            self.declare(name, ty, Definition::Value { expression, index: 0 });
        }
        self.statements(&case.statements);
    }

    fn expression(&mut self, expression: &'p Expression<'t>) {
        match &expression.kind {
            ExpressionKind::Identifier(name) => self.used(name, expression.span, UseKind::Read),
            ExpressionKind::Function(literal) => self.literal(expression.span, literal),
            ExpressionKind::Unary { operator: UnaryOperator::Address, operand } => {
                match operand.as_name() {
                    Some(name) => self.used(name, operand.bare().span, UseKind::Address),
                    None => self.expression(operand),
                }
            }
            ExpressionKind::Composite { ty, elements } => {
                let fields = !ty.as_ref().is_some_and(|ty| self.inference.is_collection(ty));
                for element in elements {
                    match &element.kind {
                        ExpressionKind::KeyValue { key, value }
                            if fields && key.as_name().is_some() =>
                        {
                            self.expression(value);
                        }
                        _ => self.expression(element),
                    }
                }
            }
            _ => expression.for_each_child(&mut |child| self.expression(child)),
        }
    }
}
