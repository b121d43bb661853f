use super::{Findings, mend};
use crate::{
    context::{Deferred, FunctionContext},
    finding::{Finding, Safety},
    rule::{Confidence, Rule, Severity},
    syntax::ast::{Expression, ExpressionKind, Signature, StatementKind},
    types::Type,
};

/// A deferred call whose result is the function that was to be deferred.
pub(super) static RULE: Rule = Rule {
    code: "defer-discards-function",
    summary: "a deferred call returns the cleanup function, and nobody calls it",
    severity: Severity::Error,
    confidence: Confidence::High,
    page: include_str!("../../../../docs/doctor/defer-discards-function.md"),
};

pub(super) fn check(context: &FunctionContext<'_, '_, '_>, findings: &mut Findings) {
    for deferred in context.defers() {
        let StatementKind::Defer(expression) = &deferred.statement.kind else { continue };
        let results = match context.type_of(expression) {
            Type::Tuple(results) => results.to_vec(),
            single => vec![single],
        };
        let Some(position) = results.iter().position(|ty| is_function(context, ty)) else {
            continue;
        };
        let callee = context.text(deferred.call.function.span);
        let name = if callee.contains('\n') { "it" } else { callee };
        let message = format!(
            "defer calls {name} when {} ends, and drops the function that it returns",
            context.name()
        );
        let mut finding = Finding::new(&RULE, deferred.statement.span, message).help(format!(
            "call {name} now and defer what it returns: a second pair of parentheses"
        ));
        if results.len() == 1 && position == 0 && takes_nothing(context, deferred) {
            let edits = vec![mend::insert(expression.span.end, "()")];
            finding =
                finding.fix(mend::fix("defer the function that it returns", Safety::Safe, edits));
        }
        findings.push(finding);
    }
}

/// Whether a value of this type can be called.
fn is_function(context: &FunctionContext<'_, '_, '_>, ty: &Type<'_>) -> bool {
    match ty {
        Type::Function(_) => true,
        Type::Named { package: "context", name: "CancelFunc" | "CancelCauseFunc" } => true,
        Type::Named { package: "", name } => context.package.ty(name).is_some_and(|(_, spec)| {
            matches!(spec.ty.bare().kind, ExpressionKind::FunctionType(_))
        }),
        _ => false,
    }
}

/// Whether the function that comes back is known to have no parameters.
fn takes_nothing<'p, 't>(
    context: &FunctionContext<'_, 'p, 't>,
    deferred: Deferred<'p, 't>,
) -> bool {
    let none = |signature: &Signature<'t>| {
        let result = signature.results.first().map(|result| &result.ty);
        result.is_some_and(|ty: &Expression<'t>| match &ty.bare().kind {
            ExpressionKind::FunctionType(signature) => signature.parameters.is_empty(),
            ExpressionKind::Selector { name, .. } => name.name == "CancelFunc",
            _ => false,
        })
    };
    let callee = context.callee(deferred.call);
    match (callee.declared, callee.literal) {
        (Some(declared), _) => none(&declared.function.signature),
        (_, Some(literal)) => none(&literal.signature),
        _ => false,
    }
}
