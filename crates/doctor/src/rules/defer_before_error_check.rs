use super::{Findings, mend};
use crate::{
    context::{Deferred, FunctionContext, is_release, leaves},
    finding::{Finding, Safety},
    package::Declared,
    rule::{Confidence, Rule, Severity},
    syntax::{
        Span,
        ast::{Call, Expression, ExpressionKind, Statement, StatementKind},
    },
    types::{Type, VariableId},
};

/// What a call yielded is used in a defer before its error is looked at.
pub(super) static RULE: Rule = Rule {
    code: "defer-before-error-check",
    summary: "a defer uses what a call yielded before its error was checked",
    severity: Severity::Error,
    confidence: Confidence::Medium,
    page: include_str!("../../../../docs/doctor/defer-before-error-check.md"),
};

pub(super) fn check(context: &FunctionContext<'_, '_, '_>, findings: &mut Findings) {
    for deferred in context.defers() {
        let Some(used) = deferred
            .calls()
            .iter()
            .find_map(|it| (!it.conditional).then(|| used_by(context, it.call)).flatten())
        else {
            continue;
        };
        let Some(opened) = opening(context, deferred, used.variable) else { continue };
        let Some(check) = checked_after(context, deferred, opened.error) else { continue };
        let Some(harm) = harm(context, &used, opened.call) else { continue };
        let resolution = &context.inference.resolution;
        let name = resolution.variable(used.variable).name;
        let error = resolution.variable(opened.error).name;
        let message = match harm {
            Harm::Panics => format!(
                "{name} is nil when {error} is not, and the deferred call panics then: {error} is checked after the defer"
            ),
            Harm::Fails => format!(
                "{error} is checked after the defer: on an error {name} is nil, and its release only fails"
            ),
        };
        let mut finding = Finding::new(&RULE, deferred.statement.span, message)
            .help(format!("check {error} first, then defer"))
            .related(check, format!("{error} is checked here"));
        if context.is_test() {
            finding = finding.confidence(Confidence::Low);
        }
        if let Some(edits) = moved(context, deferred, opened.error) {
            let title = format!("defer after {error} was checked");
            finding = finding.fix(mend::fix(title, Safety::Safe, edits));
        }
        findings.push(finding);
    }
}

/// A variable that a call needs to be there.
struct Used {
    variable: VariableId,
    /// Whether it is called itself, and no method of it.
    called: bool,
    releases: bool,
    /// Whether something is selected from it before the method: `resp.Body.Close`.
    dereferenced: bool,
}

fn used_by<'p, 't>(context: &FunctionContext<'_, 'p, 't>, call: &'p Call<'t>) -> Option<Used> {
    let callee = context.callee(call);
    let releases = is_release(&callee);
    // An argument that looks into it: `drain(resp.Body)`.
    let looked_into = call.arguments.iter().find_map(|argument| {
        let (operand, _) =
            argument.as_call().map_or(argument, |call| &call.function).as_selector()?;
        context.variable(operand)
    });
    if let Some(variable) = looked_into.filter(|it| is_pointer(context, *it)) {
        return Some(Used { variable, called: false, releases, dereferenced: true });
    }
    if let Some(variable) = context.variable(&call.function) {
        return Some(Used { variable, called: true, releases, dereferenced: false });
    }
    let (operand, _) = call.function.as_selector()?;
    if let Some(variable) = context.variable(operand) {
        return Some(Used { variable, called: false, releases, dereferenced: false });
    }
    let (inner, _) = operand.as_selector()?;
    let variable = context.variable(inner)?;
    Some(Used { variable, called: false, releases, dereferenced: true })
}

fn is_pointer(context: &FunctionContext<'_, '_, '_>, variable: VariableId) -> bool {
    matches!(context.inference.resolution.variable(variable).ty, Type::Pointer(_))
}

/// The statement that yields the variable and an error with it.
struct Opening<'p, 't> {
    call: &'p Call<'t>,
    error: VariableId,
}

/// The last assignment of the variable before the defer, when it yields an error that nothing looks at until
/// there.
fn opening<'p, 't>(
    context: &FunctionContext<'_, 'p, 't>,
    deferred: Deferred<'p, 't>,
    variable: VariableId,
) -> Option<Opening<'p, 't>> {
    let place = deferred.statement.span;
    let before = context.assignments(variable);
    let (statement, value) = before.into_iter().rfind(|(it, _)| it.span.end <= place.start)?;
    let call = value?.as_call()?;
    let StatementKind::Assign(assign) = &statement.kind else { return None };
    let (last, others) = assign.left.split_last()?;
    if others.is_empty() || assign.right.len() != 1 {
        return None;
    }
    let error = context.inference.resolution.at(last.bare().span)?;
    let declared = context.inference.resolution.variable(error);
    let is_error = declared.ty.is_error()
        || declared.ty.is_unknown() && declared.name.to_ascii_lowercase().starts_with("err");
    if !is_error || error == variable {
        return None;
    }
    // Between the two nothing looks at either.
    let between = Span::new(statement.span.end, place.start);
    if context.mentions(error, between) || context.reads_in(variable, between) {
        return None;
    }
    let around = context.enclosing(place);
    let asked = around.iter().any(|it| !it.span.contains(statement.span));
    let in_init = around.iter().any(|it| match &it.kind {
        StatementKind::If(it) => it.init.as_ref().is_some_and(|init| init.span == statement.span),
        _ => false,
    });
    (!asked && !in_init).then_some(Opening { call, error })
}

/// Where the error is looked at after the defer, before it gets another value.
fn checked_after(
    context: &FunctionContext<'_, '_, '_>,
    deferred: Deferred<'_, '_>,
    error: VariableId,
) -> Option<Span> {
    let (list, index) = context.list_around(deferred.statement.span)?;
    for statement in &list[index + 1..] {
        match &statement.kind {
            StatementKind::If(it)
                if it.init.is_none() && context.mentions(error, it.condition.span) =>
            {
                return Some(it.condition.span);
            }
            StatementKind::Switch(it) if it.init.is_none() => {
                let case = it.cases.iter().flat_map(|case| &case.expressions);
                let place = case.map(|it| it.span).find(|it| context.mentions(error, *it));
                if place.is_some() {
                    return place;
                }
            }
            StatementKind::Expression(expression) => {
                let call = expression.as_call();
                let passed = call.is_some_and(|call| {
                    call.arguments.iter().any(|it| context.variable(it) == Some(error))
                });
                if passed {
                    return Some(statement.span);
                }
            }
            _ => {}
        }
        if context.writes(statement, error) {
            return None;
        }
    }
    None
}

/// What comes of it.
enum Harm {
    Panics,
    Fails,
}

fn harm<'p, 't>(
    context: &FunctionContext<'_, 'p, 't>,
    used: &Used,
    call: &'p Call<'t>,
) -> Option<Harm> {
    let callee = context.callee(call);
    if let Some(declared) = callee.declared
        && !yields_nil(declared)
    {
        return None;
    }
    let ty = context.inference.resolution.variable(used.variable).ty.clone();
    if used.called {
        return match ty {
            Type::Function(_) | Type::Unknown | Type::Named { .. } => Some(Harm::Panics),
            _ => None,
        };
    }
    if ty.is_or_points_to("os", "File") && !used.dereferenced {
        return Some(Harm::Fails);
    }
    match &ty {
        Type::Pointer(inner) => {
            let guarded = match &**inner {
                Type::Named { package: "", name } => is_guarded(context, name),
                _ => false,
            };
            (!guarded).then_some(Harm::Panics)
        }
        Type::Named { package: "", name } => {
            context.package.interface_of(name).is_some().then_some(Harm::Panics)
        }
        Type::Named { .. } | Type::Unknown => used.releases.then_some(Harm::Panics),
        _ => None,
    }
}

/// Whether a function of the package gives out `nil` beside an error, on some return.
fn yields_nil(declared: Declared<'_, '_>) -> bool {
    let Some(body) = &declared.function.body else { return true };
    let (mut nil, mut other) = (false, false);
    body.walk(&mut |statement| {
        if let StatementKind::Return(values) = &statement.kind {
            match &values[..] {
                [] => nil = true,
                // What another call yields is not known.
                [_] => nil = true,
                [others @ .., last] if !last.is_nil() => {
                    nil |= others.iter().any(Expression::is_nil);
                    other = true;
                }
                _ => {}
            }
        }
    });
    // No error is ever given out: whatever it says then.
    nil || !other
}

/// Whether every method of a type of the package that has a body begins by asking whether its receiver is
/// nil; asked of `Close` and its kind.
fn is_guarded(context: &FunctionContext<'_, '_, '_>, ty: &str) -> bool {
    ["Close", "Stop", "Release", "Rollback", "Unlock", "Done", "Shutdown"].iter().any(|name| {
        let Some(declared) = context.package.method(ty, name) else { return false };
        let receiver = declared.function.receiver.as_ref().and_then(|it| it.names.first());
        let first = declared.function.body.as_ref().and_then(|body| body.statements.first());
        match (receiver, first.map(|first| &first.kind)) {
            (Some(receiver), Some(StatementKind::If(it))) => {
                names(&it.condition, receiver.name) && leaves(&it.then)
            }
            _ => false,
        }
    })
}

fn names(expression: &Expression<'_>, name: &str) -> bool {
    let mut found = false;
    expression
        .walk(&mut |it| found |= matches!(it.kind, ExpressionKind::Identifier(n) if n == name));
    found
}

/// The edits that move the defer behind the check, where the check follows on it and leaves.
fn moved(
    context: &FunctionContext<'_, '_, '_>,
    deferred: Deferred<'_, '_>,
    error: VariableId,
) -> Option<Vec<crate::finding::Edit>> {
    let (list, index) = context.list_around(deferred.statement.span)?;
    let next: &Statement<'_> = list.get(index + 1)?;
    let StatementKind::If(it) = &next.kind else { return None };
    let plain = it.init.is_none() && it.otherwise.is_none() && leaves(&it.then);
    if !plain || !context.mentions(error, it.condition.span) {
        return None;
    }
    mend::move_behind(context, deferred.statement.span, next.span)
}
