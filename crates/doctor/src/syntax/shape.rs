//! What rules ask of a tree again and again.

use super::{
    Span,
    ast::{
        BinaryOperator, Block, Call, Declaration, Expression, ExpressionKind, FunctionLiteral,
        Statement, StatementKind, UnaryOperator,
    },
};

impl<'t> Expression<'t> {
    /// Without the parentheses around it.
    #[must_use]
    pub fn bare(&self) -> &Self {
        let mut bare = self;
        while let ExpressionKind::Parenthesized(inner) = &bare.kind {
            bare = inner;
        }
        bare
    }

    /// The name that it is.
    #[must_use]
    pub fn as_name(&self) -> Option<&'t str> {
        match self.bare().kind {
            ExpressionKind::Identifier(name) => Some(name),
            _ => None,
        }
    }

    /// The call that it is.
    #[must_use]
    pub fn as_call(&self) -> Option<&Call<'t>> {
        match &self.bare().kind {
            ExpressionKind::Call(call) => Some(call),
            _ => None,
        }
    }

    /// The function without a name that it is.
    #[must_use]
    pub fn as_literal(&self) -> Option<&FunctionLiteral<'t>> {
        match &self.bare().kind {
            ExpressionKind::Function(literal) => Some(literal),
            _ => None,
        }
    }

    /// What is selected from, and what is selected.
    #[must_use]
    pub fn as_selector(&self) -> Option<(&Self, &'t str)> {
        match &self.bare().kind {
            ExpressionKind::Selector { operand, name } => Some((operand, name.name)),
            _ => None,
        }
    }

    /// Whether it is `nil`.
    #[must_use]
    pub fn is_nil(&self) -> bool {
        self.as_name() == Some("nil")
    }

    /// `a.b.c` as it is written, where it is made of names only (parentheses, `*` and `&` left out).
    #[must_use]
    pub fn as_path(&self) -> Option<String> {
        match &self.bare().kind {
            ExpressionKind::Identifier(name) => Some((*name).to_owned()),
            ExpressionKind::Selector { operand, name } => {
                Some(format!("{}.{}", operand.as_path()?, name.name))
            }
            ExpressionKind::Star(inner) => inner.as_path(),
            ExpressionKind::Unary { operator: super::ast::UnaryOperator::Address, operand } => {
                operand.as_path()
            }
            _ => None,
        }
    }

    /// The expressions that it is directly made of; not what is in the body of a function.
    pub fn for_each_child<'a>(&'a self, visit: &mut dyn FnMut(&'a Expression<'t>)) {
        match &self.kind {
            ExpressionKind::Bad
            | ExpressionKind::Identifier(_)
            | ExpressionKind::Literal(_)
            | ExpressionKind::Function(_)
            | ExpressionKind::FunctionType(_)
            | ExpressionKind::Struct(_)
            | ExpressionKind::Interface(_) => {}
            ExpressionKind::Composite { ty, elements } => {
                ty.iter().for_each(|ty| visit(ty));
                elements.iter().for_each(visit);
            }
            ExpressionKind::KeyValue { key, value } | ExpressionKind::Map { key, value } => {
                visit(key);
                visit(value);
            }
            ExpressionKind::Parenthesized(inner) | ExpressionKind::Star(inner) => visit(inner),
            ExpressionKind::Selector { operand, .. } | ExpressionKind::Unary { operand, .. } => {
                visit(operand);
            }
            ExpressionKind::Index { operand, indices } => {
                visit(operand);
                indices.iter().for_each(visit);
            }
            ExpressionKind::Slice { operand, bounds } => {
                visit(operand);
                bounds.iter().flatten().for_each(|bound| visit(bound));
            }
            ExpressionKind::TypeAssertion { operand, ty } => {
                visit(operand);
                ty.iter().for_each(|ty| visit(ty));
            }
            ExpressionKind::Call(call) => {
                visit(&call.function);
                call.arguments.iter().for_each(visit);
            }
            ExpressionKind::Binary { left, right, .. } => {
                visit(left);
                visit(right);
            }
            ExpressionKind::Ellipsis(inner) => inner.iter().for_each(|inner| visit(inner)),
            ExpressionKind::Array { length, element } => {
                length.iter().for_each(|length| visit(length));
                visit(element);
            }
            ExpressionKind::Channel { element, .. } => visit(element),
        }
    }

    /// This expression and all that it is made of, from the outside in; not what is in the body of a
    /// function.
    pub fn walk<'a>(&'a self, visit: &mut dyn FnMut(&'a Expression<'t>)) {
        visit(self);
        self.for_each_child(&mut |child| child.walk(visit));
    }
}

impl<'t> Statement<'t> {
    /// The expressions that stand in it directly: not those of statements and blocks within.
    pub fn for_each_expression<'a>(&'a self, visit: &mut dyn FnMut(&'a Expression<'t>)) {
        match &self.kind {
            StatementKind::Expression(expression)
            | StatementKind::Go(expression)
            | StatementKind::Defer(expression)
            | StatementKind::IncrementDecrement { operand: expression, .. } => visit(expression),
            StatementKind::Send { channel, value } => {
                visit(channel);
                visit(value);
            }
            StatementKind::Assign(assign) => {
                assign.left.iter().for_each(&mut *visit);
                assign.right.iter().for_each(visit);
            }
            StatementKind::Return(values) => values.iter().for_each(visit),
            StatementKind::If(it) => visit(&it.condition),
            StatementKind::Switch(it) => {
                it.cases.iter().flat_map(|case| &case.expressions).for_each(visit);
            }
            StatementKind::For(it) => it.condition.iter().for_each(visit),
            StatementKind::Range(it) => {
                it.key.iter().for_each(&mut *visit);
                it.value.iter().for_each(&mut *visit);
                visit(&it.operand);
            }
            StatementKind::Declaration(declaration) => {
                if let Declaration::Values(values) = &**declaration {
                    values.specs.iter().flat_map(|spec| &spec.values).for_each(visit);
                }
            }
            StatementKind::Bad
            | StatementKind::Empty
            | StatementKind::Branch { .. }
            | StatementKind::Block(_)
            | StatementKind::Select(_)
            | StatementKind::Labeled { .. } => {}
        }
    }

    /// The statements directly within it; not those in the body of a function.
    pub fn for_each_child<'a>(&'a self, visit: &mut dyn FnMut(&'a Statement<'t>)) {
        match &self.kind {
            StatementKind::Block(block) => block.statements.iter().for_each(visit),
            StatementKind::If(it) => {
                it.init.iter().for_each(&mut *visit);
                it.then.statements.iter().for_each(&mut *visit);
                it.otherwise.iter().for_each(visit);
            }
            StatementKind::Switch(it) => {
                it.init.iter().for_each(&mut *visit);
                it.tag.iter().for_each(&mut *visit);
                it.cases.iter().flat_map(|case| &case.statements).for_each(visit);
            }
            StatementKind::Select(it) => {
                for case in &it.cases {
                    case.communication.iter().for_each(&mut *visit);
                    case.statements.iter().for_each(&mut *visit);
                }
            }
            StatementKind::For(it) => {
                it.init.iter().for_each(&mut *visit);
                it.post.iter().for_each(&mut *visit);
                it.body.statements.iter().for_each(visit);
            }
            StatementKind::Range(it) => it.body.statements.iter().for_each(visit),
            StatementKind::Labeled { statement, .. } => visit(statement),
            _ => {}
        }
    }

    /// This statement and all within it, from the outside in; not what is in the body of a function.
    pub fn walk<'a>(&'a self, visit: &mut dyn FnMut(&'a Statement<'t>)) {
        visit(self);
        self.for_each_child(&mut |child| child.walk(visit));
    }

    /// Every expression in it, at any depth; not what is in the body of a function.
    pub fn walk_expressions<'a>(&'a self, visit: &mut dyn FnMut(&'a Expression<'t>)) {
        self.walk(&mut |statement| {
            statement.for_each_expression(&mut |expression| expression.walk(visit));
        });
    }
}

impl<'t> Block<'t> {
    /// Every statement in it, at any depth; not what is in the body of a function.
    pub fn walk<'a>(&'a self, visit: &mut dyn FnMut(&'a Statement<'t>)) {
        self.statements.iter().for_each(|statement| statement.walk(visit));
    }

    /// Every expression in it, at any depth; not what is in the body of a function.
    pub fn walk_expressions<'a>(&'a self, visit: &mut dyn FnMut(&'a Expression<'t>)) {
        self.statements.iter().for_each(|statement| statement.walk_expressions(visit));
    }

    /// Every expression in it, at any depth, those in the bodies of functions too.
    pub fn walk_all_expressions<'a>(&'a self, visit: &mut dyn FnMut(&'a Expression<'t>)) {
        self.walk_expressions(&mut |expression| {
            visit(expression);
            if let ExpressionKind::Function(literal) = &expression.kind {
                literal.body.walk_all_expressions(visit);
            }
        });
    }

    /// Where its `}` stands.
    #[must_use]
    pub fn closing(&self) -> Span {
        Span::new(self.span.end.saturating_sub(1), self.span.end)
    }
}

impl Declaration<'_> {
    /// The whole declaration.
    #[must_use]
    pub fn span(&self) -> Span {
        match self {
            Self::Function(function) => function.span,
            Self::Values(values) => values.span,
            Self::Types(types) => types.span,
            Self::Bad(span) => *span,
        }
    }
}

impl UnaryOperator {
    /// As it is written.
    #[must_use]
    pub const fn symbol(self) -> &'static str {
        match self {
            Self::Plus => "+",
            Self::Minus => "-",
            Self::Not => "!",
            Self::Complement => "^",
            Self::Address => "&",
            Self::Receive => "<-",
            Self::Tilde => "~",
        }
    }
}

impl BinaryOperator {
    /// As it is written.
    #[must_use]
    pub const fn symbol(self) -> &'static str {
        match self {
            Self::Add => "+",
            Self::Subtract => "-",
            Self::Multiply => "*",
            Self::Quotient => "/",
            Self::Remainder => "%",
            Self::And => "&",
            Self::Or => "|",
            Self::ExclusiveOr => "^",
            Self::ShiftLeft => "<<",
            Self::ShiftRight => ">>",
            Self::AndNot => "&^",
            Self::LogicalAnd => "&&",
            Self::LogicalOr => "||",
            Self::Equal => "==",
            Self::NotEqual => "!=",
            Self::Less => "<",
            Self::LessEqual => "<=",
            Self::Greater => ">",
            Self::GreaterEqual => ">=",
        }
    }
}
