//! Files and declarations.

use super::{Parse, Parser, Span, Token, bad, named};
use crate::syntax::ast::{
    BinaryOperator, Declaration, Expression, ExpressionKind, File, Function, Identifier, Import,
    Parameter, TypeSpec, Types, UnaryOperator, ValueKind, ValueSpec, Values,
};

impl<'t> Parser<'t> {
    pub(super) fn file(mut self) -> File<'t> {
        let mut file = File::default();
        match self.package_clause() {
            Ok(package) => file.package = package,
            Err(_) => {
                let start = self.start();
                if !self.token().starts_declaration() {
                    self.skip_declaration(start);
                }
            }
        }
        while self.token() != Token::EndOfFile {
            if self.accept(Token::Semicolon) || self.accept(Token::Newline) {
                continue;
            }
            let start = self.start();
            self.brackets.clear();
            self.allows_composite = true;
            self.switches = 0;
            let result = match self.token() {
                Token::Import => self.imports(&mut file.imports),
                _ => self.declaration().map(|declaration| file.declarations.push(declaration)),
            };
            // What has been read is kept, though something follows it that should not.
            let rest = if result.is_ok() { self.start() } else { start };
            if result.and_then(|()| self.end_of_declaration()).is_err() {
                let span = self.skip_declaration(rest);
                file.declarations.push(Declaration::Bad(span));
            }
        }
        file.comments = self.lexer.comments;
        file.errors = self.lexer.errors;
        file.errors.sort_by_key(|error| error.span.start);
        file
    }

    fn package_clause(&mut self) -> Parse<Identifier<'t>> {
        self.expect(Token::Package, "`package`")?;
        let name = self.identifier()?;
        self.end_of_declaration()?;
        Ok(name)
    }

    fn end_of_declaration(&mut self) -> Parse<()> {
        match self.token() {
            Token::Semicolon | Token::Newline => self.advance(),
            Token::EndOfFile => {}
            // What was not closed has been said.
            _ if self.is_declaration_at_margin() => {}
            _ => return Err(self.expected("`;` or the end of the line after the declaration")),
        }
        Ok(())
    }

    /// The end of a spec, a field or a statement: a semicolon, or what closes around it.
    pub(super) fn end_of_piece(&mut self, what: &str) -> Parse<()> {
        match self.token() {
            Token::Semicolon | Token::Newline => self.advance(),
            Token::RightParenthesis | Token::RightBrace | Token::EndOfFile => {}
            _ => return Err(self.expected(what)),
        }
        Ok(())
    }

    /// A declaration without the semicolon after it.
    pub(super) fn declaration(&mut self) -> Parse<Declaration<'t>> {
        match self.token() {
            Token::Const => self.values(ValueKind::Constant).map(Declaration::Values),
            Token::Var => self.values(ValueKind::Variable).map(Declaration::Values),
            Token::Type => self.types().map(Declaration::Types),
            Token::Func => self.function().map(Box::new).map(Declaration::Function),
            _ => Err(self.expected("a declaration")),
        }
    }

    /// One spec, or specs in parentheses, after the keyword.
    fn specs<T>(&mut self, mut read: impl FnMut(&mut Self) -> Parse<T>) -> Parse<Vec<T>> {
        self.advance();
        if !self.accept(Token::LeftParenthesis) {
            return Ok(vec![read(self)?]);
        }
        let mut specs = Vec::new();
        let open = self.brackets.len();
        while !matches!(self.token(), Token::RightParenthesis | Token::EndOfFile) {
            let start = self.start();
            let spec = read(self).and_then(|spec| {
                self.end_of_piece("`;` or the end of the line")?;
                Ok(spec)
            });
            match spec {
                Ok(spec) => specs.push(spec),
                Err(broken) if self.is_declaration_at_margin() => return Err(broken),
                Err(_) => {
                    self.skip_piece(start, open);
                    self.advance_from(start);
                }
            }
        }
        self.expect(Token::RightParenthesis, "`)`")?;
        Ok(specs)
    }

    fn imports(&mut self, imports: &mut Vec<Import<'t>>) -> Parse<()> {
        imports.extend(self.specs(Self::import)?);
        Ok(())
    }

    fn import(&mut self) -> Parse<Import<'t>> {
        let start = self.start();
        let span = self.current.span;
        let alias = match self.token() {
            Token::Identifier => Some(self.identifier()?),
            Token::Period => {
                self.advance();
                Some(Identifier { name: self.text_of(span), span })
            }
            _ => None,
        };
        let quoted = self.text_of(self.current.span);
        self.expect(Token::String, "the path of the import")?;
        let path = quoted.trim_matches(['"', '`']);
        Ok(Import { alias, path, span: self.span_from(start) })
    }

    fn values(&mut self, kind: ValueKind) -> Parse<Values<'t>> {
        let start = self.start();
        let specs = self.specs(|parser| parser.value_spec(kind))?;
        Ok(Values { kind, specs, span: self.span_from(start) })
    }

    fn value_spec(&mut self, kind: ValueKind) -> Parse<ValueSpec<'t>> {
        let start = self.start();
        let mut names = vec![self.identifier()?];
        while self.accept(Token::Comma) {
            names.push(self.identifier()?);
        }
        let ty = match (self.token(), kind) {
            (Token::Assign, _) => None,
            (_, ValueKind::Constant) => self.try_type()?,
            (_, ValueKind::Variable) => Some(self.ty()?),
        };
        let values = match self.accept(Token::Assign) {
            true => self.expressions()?,
            false => Vec::new(),
        };
        Ok(ValueSpec { names, ty, values, span: self.span_from(start) })
    }

    fn types(&mut self) -> Parse<Types<'t>> {
        let start = self.start();
        let specs = self.specs(Self::type_spec)?;
        Ok(Types { specs, span: self.span_from(start) })
    }

    fn type_spec(&mut self) -> Parse<TypeSpec<'t>> {
        let start = self.start();
        let name = self.identifier()?;
        let mut spec = TypeSpec {
            name,
            type_parameters: Vec::new(),
            is_alias: false,
            ty: bad(Span::default()),
            span: Span::default(),
        };
        let opening = self.start();
        if self.accept(Token::LeftBracket) {
            match self.array_length()? {
                Length::Given(length) => spec.ty = self.array(opening, length)?,
                Length::None => {
                    spec.type_parameters = self.type_parameters()?;
                    spec.is_alias = self.accept(Token::Assign);
                    spec.ty = self.ty()?;
                }
            }
        } else {
            spec.is_alias = self.accept(Token::Assign);
            spec.ty = self.ty()?;
        }
        spec.span = self.span_from(start);
        Ok(spec)
    }

    /// After `type T [`: the length of an array, or nothing read when type parameters come.
    ///
    /// `type T [P * C]…` may be either. As Go's parser does, it is read as an expression, and taken
    /// for type parameters if what follows `P` can only be a type or if a comma comes.
    fn array_length(&mut self) -> Parse<Length<'t>> {
        if self.token() != Token::Identifier {
            return Ok(Length::Given(None));
        }
        let mark = self.lexer.mark();
        let (current, previous_end) = (self.current, self.previous_end);
        let open = self.brackets.len();
        let name = self.identifier()?;
        let is_parameters = match self.token() {
            Token::RightBracket => return Ok(Length::Given(Some(named(name)))),
            Token::LeftBracket => true,
            // Read once only, however such types are written within each other.
            Token::Star | Token::LeftParenthesis if !self.is_trying => {
                let brackets = self.brackets.clone();
                self.is_trying = true;
                let length = self.length_from(name);
                self.is_trying = false;
                match length {
                    Ok(length) if !is_parameter(&length, self.token() == Token::Comma) => {
                        return Ok(Length::Given(Some(length)));
                    }
                    _ => self.brackets = brackets,
                }
                true
            }
            Token::Period | Token::LeftParenthesis | Token::LeftBrace => false,
            token => token.binary_operator().is_none(),
        };
        if !is_parameters {
            return Ok(Length::Given(Some(self.length_from(name)?)));
        }
        self.lexer.reset(mark);
        self.brackets.truncate(open);
        (self.current, self.previous_end) = (current, previous_end);
        Ok(Length::None)
    }

    fn length_from(&mut self, name: Identifier<'t>) -> Parse<Expression<'t>> {
        self.composites(true, |parser| parser.expression_from(named(name)))
    }

    fn function(&mut self) -> Parse<Function<'t>> {
        let start = self.start();
        self.advance();
        let receiver = match self.token() {
            Token::LeftParenthesis => Some(self.receiver()?),
            _ => None,
        };
        let name = self.identifier()?;
        let type_parameters = match self.accept(Token::LeftBracket) {
            true => self.type_parameters()?,
            false => Vec::new(),
        };
        let signature = self.signature()?;
        let body = match self.token() {
            Token::LeftBrace => Some(self.function_body()?),
            _ => None,
        };
        let span = self.span_from(start);
        Ok(Function { name, receiver, type_parameters, signature, body, span })
    }

    fn receiver(&mut self) -> Parse<Parameter<'t>> {
        let opening = self.current.span;
        let mut receivers = self.parameters()?;
        let is_one = receivers.len() == 1 && receivers[0].names.len() <= 1;
        match receivers.pop() {
            Some(receiver) if is_one => Ok(receiver),
            _ => Err(self.error(opening, "expected one receiver")),
        }
    }
}

/// What the `[` after a type's name begins.
enum Length<'t> {
    /// An array with this length or a slice; `]` comes next, if anything has been read.
    Given(Option<Expression<'t>>),
    /// Type parameters.
    None,
}

/// Whether `expression`, which begins with a name, is a type parameter with its constraint;
/// `force` if it is in any case where it can be.
fn is_parameter(expression: &Expression<'_>, force: bool) -> bool {
    let is_name = |name: &Expression<'_>| matches!(name.kind, ExpressionKind::Identifier(_));
    match &expression.kind {
        ExpressionKind::Binary { operator: BinaryOperator::Multiply, left, right } => {
            is_name(left) && (force || is_only_type(right))
        }
        ExpressionKind::Binary { operator: BinaryOperator::Or, left, right } => {
            !is_name(left) && is_parameter(left, force || is_only_type(right))
        }
        ExpressionKind::Call(call) => {
            is_name(&call.function)
                && call.arguments.len() == 1
                && !call.spreads
                && (force || is_only_type(&call.arguments[0]))
        }
        _ => false,
    }
}

/// Whether `expression` can be a type or a union and no value.
fn is_only_type(expression: &Expression<'_>) -> bool {
    match &expression.kind {
        ExpressionKind::Array { .. }
        | ExpressionKind::Struct(_)
        | ExpressionKind::FunctionType(_)
        | ExpressionKind::Interface(_)
        | ExpressionKind::Map { .. }
        | ExpressionKind::Channel { .. } => true,
        ExpressionKind::Binary { left, right, .. } => is_only_type(left) || is_only_type(right),
        ExpressionKind::Unary { operator, .. } => *operator == UnaryOperator::Tilde,
        ExpressionKind::Parenthesized(inner) => is_only_type(inner),
        _ => false,
    }
}
