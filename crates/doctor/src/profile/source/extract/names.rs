//! What expressions are called.

use crate::syntax::ast::{Expression, ExpressionKind, UnaryOperator};

/// Without parentheses around it.
pub(super) fn bare<'e, 't>(expression: &'e Expression<'t>) -> &'e Expression<'t> {
    match &expression.kind {
        ExpressionKind::Parenthesized(inner) => bare(inner),
        _ => expression,
    }
}

/// The last part of the name of what is called; empty for a literal or a call's result.
pub(super) fn last_name<'t>(expression: &Expression<'t>) -> &'t str {
    match &bare(expression).kind {
        ExpressionKind::Identifier(name) => name,
        ExpressionKind::Selector { name, .. } => name.name,
        ExpressionKind::Index { operand, .. } => last_name(operand),
        _ => "",
    }
}

/// Whether a name is a function or a type of the language itself: no call of it is a frame other than
/// the runtime's.
pub(super) fn is_predeclared(name: &str) -> bool {
    const NAMES: [&str; 38] = [
        "any",
        "append",
        "bool",
        "byte",
        "cap",
        "clear",
        "close",
        "complex",
        "complex128",
        "complex64",
        "copy",
        "delete",
        "error",
        "float32",
        "float64",
        "imag",
        "int",
        "int16",
        "int32",
        "int64",
        "int8",
        "len",
        "make",
        "max",
        "min",
        "new",
        "panic",
        "print",
        "println",
        "real",
        "recover",
        "rune",
        "string",
        "uint",
        "uint16",
        "uint32",
        "uint64",
        "uint8",
    ];
    NAMES.contains(&name)
}

/// The first part of a chain of selectors, and the others: `s` and `["mu"]` of `s.mu`.
pub(super) fn chain<'t>(expression: &Expression<'t>) -> Option<(&'t str, Vec<&'t str>)> {
    match &bare(expression).kind {
        ExpressionKind::Identifier(name) => Some((name, Vec::new())),
        ExpressionKind::Selector { operand, name } => {
            let (root, mut fields) = chain(operand)?;
            fields.push(name.name);
            Some((root, fields))
        }
        ExpressionKind::Star(operand)
        | ExpressionKind::Unary { operator: UnaryOperator::Address, operand } => chain(operand),
        ExpressionKind::Index { operand, .. } => chain(operand),
        _ => None,
    }
}

/// A type's package and name: `pay.Server` of `*Server` in package `pay`, of `pay.Server[K]`. None
/// for types without a name.
pub(super) fn named(expression: &Expression<'_>, package: &str) -> Option<String> {
    match &bare(expression).kind {
        ExpressionKind::Identifier(name) => Some(format!("{package}.{name}")),
        ExpressionKind::Selector { operand, name } => match bare(operand).kind {
            ExpressionKind::Identifier(package) => Some(format!("{package}.{}", name.name)),
            _ => None,
        },
        ExpressionKind::Star(operand) | ExpressionKind::Index { operand, .. } => {
            named(operand, package)
        }
        _ => None,
    }
}

/// The type of `T{…}`, `&T{…}` and `new(T)`.
pub(super) fn made_type(expression: &Expression<'_>, package: &str) -> Option<String> {
    match &bare(expression).kind {
        ExpressionKind::Composite { ty, .. } => named(ty.as_deref()?, package),
        ExpressionKind::Unary { operator: UnaryOperator::Address, operand } => {
            made_type(operand, package)
        }
        ExpressionKind::Call(call) if last_name(&call.function) == "new" => {
            named(call.arguments.first()?, package)
        }
        _ => None,
    }
}
