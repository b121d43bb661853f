//! Parameters, results, receivers and type parameters.
//!
//! Whether the names in a list are names of parameters or of types shows only at its end, so a list
//! is read into entries first.

use super::{Parse, Parser, Token, bad, named};
use crate::syntax::{
    Span,
    ast::{Expression, ExpressionKind, Identifier, Parameter, Signature},
};

/// `name`, `type` or `name type`; a lone name may turn out to be a type.
struct Entry<'t> {
    name: Option<Identifier<'t>>,
    ty: Option<Expression<'t>>,
}

/// Whose list it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum List {
    Parameters,
    TypeParameters,
}

impl List {
    const fn closing(self) -> Token {
        match self {
            Self::Parameters => Token::RightParenthesis,
            Self::TypeParameters => Token::RightBracket,
        }
    }
}

impl<'t> Parser<'t> {
    /// `func` with parameters and results.
    pub(super) fn function_signature(&mut self) -> Parse<Signature<'t>> {
        self.advance();
        if self.token() == Token::LeftBracket {
            return Err(self.expected("`(`: only a function with a name has type parameters"));
        }
        self.signature()
    }

    /// Parameters and results.
    pub(super) fn signature(&mut self) -> Parse<Signature<'t>> {
        let start = self.start();
        let parameters = self.parameters()?;
        let results = if self.token() == Token::LeftParenthesis {
            self.parameters()?
        } else {
            let result = self.try_type()?;
            result.map(|ty| Parameter { names: Vec::new(), ty }).into_iter().collect()
        };
        Ok(Signature { parameters, results, span: self.span_from(start) })
    }

    /// A list in parentheses.
    pub(super) fn parameters(&mut self) -> Parse<Vec<Parameter<'t>>> {
        self.expect(Token::LeftParenthesis, "`(`")?;
        let parameters = self.parameter_list(List::Parameters)?;
        self.expect(Token::RightParenthesis, "`)`")?;
        Ok(parameters)
    }

    /// What stands in the brackets of type parameters; `[` has been passed.
    pub(super) fn type_parameters(&mut self) -> Parse<Vec<Parameter<'t>>> {
        if self.token() == Token::RightBracket {
            return Err(self.expected("a type parameter"));
        }
        let parameters = self.parameter_list(List::TypeParameters)?;
        self.expect(Token::RightBracket, "`]`")?;
        Ok(parameters)
    }

    fn parameter_list(&mut self, list: List) -> Parse<Vec<Parameter<'t>>> {
        let what = match list {
            List::Parameters => "`,` or `)`",
            List::TypeParameters => "`,` or `]`",
        };
        let entries = self.list(list.closing(), what, |parser| {
            let outer = std::mem::replace(&mut parser.deepest, parser.depth);
            let entry = parser.entry(list);
            parser.deepest = parser.deepest.max(outer);
            entry
        })?;
        let has_names = entries.iter().any(|entry| entry.name.is_some() && entry.ty.is_some());
        if has_names {
            return self.named_parameters(entries, list);
        }
        if list == List::TypeParameters {
            let span = self.current.span;
            return Err(
                self.error(span, "expected a name and a constraint for each type parameter")
            );
        }
        Ok(entries.into_iter().filter_map(unnamed).collect())
    }

    /// Each entry has a name, and those without a type share the next one's.
    fn named_parameters(
        &mut self,
        entries: Vec<Entry<'t>>,
        list: List,
    ) -> Parse<Vec<Parameter<'t>>> {
        let mut parameters = Vec::with_capacity(entries.len());
        let mut names = Vec::new();
        for entry in entries {
            match entry {
                Entry { name: Some(name), ty: None } => names.push(name),
                Entry { name: Some(name), ty: Some(ty) } => {
                    let mut all = std::mem::take(&mut names);
                    all.push(name);
                    parameters.push(Parameter { names: all, ty });
                }
                Entry { name: None, ty } => {
                    let span = ty.map_or(self.current.span, |ty| ty.span);
                    return Err(self.error(span, "expected a name: the other parameters have one"));
                }
            }
        }
        if !names.is_empty() {
            let message = match list {
                List::Parameters => "expected the type of the last parameter",
                List::TypeParameters => "expected the constraint of the last type parameter",
            };
            let span = self.current.span;
            self.error(span, message);
            parameters.push(Parameter { names, ty: bad(Span::new(span.start, span.start)) });
        }
        Ok(parameters)
    }

    fn entry(&mut self, list: List) -> Parse<Entry<'t>> {
        let of_type = |ty| Entry { name: None, ty: Some(ty) };
        match self.token() {
            Token::Identifier => {
                let name = self.identifier()?;
                self.entry_after_name(name, list)
            }
            Token::Ellipsis => Ok(of_type(self.variadic()?)),
            _ if list == List::TypeParameters => Ok(of_type(self.union()?)),
            _ => Ok(of_type(self.ty()?)),
        }
    }

    fn entry_after_name(&mut self, name: Identifier<'t>, list: List) -> Parse<Entry<'t>> {
        let (name, ty) = match self.token() {
            Token::Ellipsis => {
                return Ok(Entry { name: Some(name), ty: Some(self.variadic()?) });
            }
            Token::LeftBracket => self.array_or_instance(name)?,
            Token::Period => (None, self.type_named(name)?),
            Token::Tilde if list == List::TypeParameters => (Some(name), self.union()?),
            Token::Bar if list == List::TypeParameters => (None, named(name)),
            _ => match self.try_type()? {
                Some(ty) => (Some(name), ty),
                None => return Ok(Entry { name: Some(name), ty: None }),
            },
        };
        let ty = match list {
            List::Parameters => ty,
            List::TypeParameters => self.union_of(ty)?,
        };
        Ok(Entry { name, ty: Some(ty) })
    }

    fn variadic(&mut self) -> Parse<Expression<'t>> {
        let start = self.start();
        self.advance();
        let kind = ExpressionKind::Ellipsis(Some(Box::new(self.ty()?)));
        Ok(Expression { kind, span: self.span_from(start) })
    }
}

fn unnamed(entry: Entry<'_>) -> Option<Parameter<'_>> {
    let ty = entry.ty.or(entry.name.map(named))?;
    Some(Parameter { names: Vec::new(), ty })
}
