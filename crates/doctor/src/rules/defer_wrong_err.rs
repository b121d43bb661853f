use super::Findings;
use crate::{
    context::{Deferred, FunctionContext},
    finding::Finding,
    rule::{Confidence, Rule, Severity},
    syntax::{
        Span,
        ast::{Expression, ExpressionKind, FunctionLiteral, StatementKind, UnaryOperator},
    },
    types::{Definition, UseKind, VariableId},
};

/// A deferred function asks, or sets, another error than the one that is returned.
pub(super) static RULE: Rule = Rule {
    code: "defer-wrong-err",
    summary: "a deferred function reads or sets another error than the one that is returned",
    severity: Severity::Error,
    confidence: Confidence::Medium,
    page: include_str!("../../../../docs/doctor/defer-wrong-err.md"),
};

pub(super) fn check(context: &FunctionContext<'_, '_, '_>, findings: &mut Findings) {
    for deferred in context.defers() {
        let Some(literal) = deferred.literal() else {
            findings.extend(by_address(context, deferred));
            continue;
        };
        let captured: Vec<VariableId> = context
            .inference
            .resolution
            .all()
            .filter(|(_, variable)| {
                variable.function == context.mark()
                    && !literal.body.span.contains(variable.span)
                    && !matches!(variable.definition, Definition::Parameter | Definition::Receiver)
            })
            .map(|(id, _)| id)
            .filter(|id| context.mentions(*id, literal.body.span))
            .collect();
        for id in captured {
            if let Some(finding) = lost_write(context, deferred, literal, id)
                .or_else(|| unseen_return(context, deferred, literal, id))
            {
                findings.push(finding);
            }
        }
        findings.extend(shadowed_result(context, literal));
    }
}

/// An assignment in the deferred function to a variable that is no named result: what is returned was copied
/// before.
fn lost_write<'p, 't>(
    context: &FunctionContext<'_, 'p, 't>,
    deferred: Deferred<'p, 't>,
    literal: &'p FunctionLiteral<'t>,
    id: VariableId,
) -> Option<Finding> {
    let variable = context.inference.resolution.variable(id);
    if matches!(variable.definition, Definition::Result) || is_address_taken(context, id) {
        return None;
    }
    let within = |it: &&crate::types::Use| literal.body.span.contains(it.span);
    let written = variable.uses.iter().filter(within).rfind(|it| it.kind == UseKind::Write)?;
    // Read by what comes after, in the function itself or in a deferred one that runs later.
    let mut later = variable.uses.iter().filter(|it| it.kind != UseKind::Write);
    let own_end = assignment_end(literal, written.span);
    if later.any(|it| {
        literal.body.span.contains(it.span) && it.span.start > own_end
            || !literal.body.span.contains(it.span) && it.function != context.mark()
    }) {
        return None;
    }
    let returned = returns(context, deferred.statement.span)
        .into_iter()
        .find(|values| values.iter().any(|value| context.variable(value) == Some(id)));
    let unnamed_error = has_unnamed_error(context);
    if returned.is_none() && !(unnamed_error && variable.ty.is_error()) {
        return None;
    }
    let name = variable.name;
    let message = format!(
        "{name} is no named result of {}: what is assigned to it here is lost, the value to return was copied before",
        context.name()
    );
    let sure = if returned.is_some() { Confidence::High } else { Confidence::Medium };
    Some(
        Finding::new(&RULE, written.span, message)
            .confidence(sure)
            .help(format!("give the result a name and assign to that, or handle {name} here"))
            .related(variable.span, format!("{name} is declared here")),
    )
}

fn is_address_taken(context: &FunctionContext<'_, '_, '_>, id: VariableId) -> bool {
    let uses = &context.inference.resolution.variable(id).uses;
    uses.iter().any(|it| it.kind == UseKind::Address)
}

/// The end of the assignment at a place: what it reads itself, it reads before it writes.
fn assignment_end(literal: &FunctionLiteral<'_>, place: Span) -> u32 {
    let mut end = place.end;
    literal.body.walk(&mut |statement| {
        if matches!(statement.kind, StatementKind::Assign(_)) && statement.span.contains(place) {
            end = end.max(statement.span.end);
        }
    });
    end
}

fn has_unnamed_error(context: &FunctionContext<'_, '_, '_>) -> bool {
    let results = &context.signature().results;
    results.last().is_some_and(|last| {
        last.names.is_empty() && context.inference.read_type(&last.ty).is_error()
    })
}

fn gives_error(context: &FunctionContext<'_, '_, '_>) -> bool {
    let results = &context.signature().results;
    results.last().is_some_and(|last| context.inference.read_type(&last.ty).is_error())
}

/// The values of each `return` after a place, not those of functions within.
fn returns<'p, 't>(
    context: &FunctionContext<'_, 'p, 't>,
    after: Span,
) -> Vec<&'p [Expression<'t>]> {
    let mut found: Vec<&'p [Expression<'t>]> = Vec::new();
    context.body().walk(&mut |statement| {
        if let StatementKind::Return(values) = &statement.kind
            && statement.span.start > after.end
        {
            found.push(values);
        }
    });
    found
}

/// A `return` that gives out an error which the deferred function does not see, since it asks a variable of
/// its own.
fn unseen_return<'p, 't>(
    context: &FunctionContext<'_, 'p, 't>,
    deferred: Deferred<'p, 't>,
    literal: &'p FunctionLiteral<'t>,
    id: VariableId,
) -> Option<Finding> {
    let variable = context.inference.resolution.variable(id);
    let is_result = matches!(variable.definition, Definition::Result);
    if !variable.ty.is_error() || is_result || !gives_error(context) {
        return None;
    }
    // One that the function itself never sets is no error of its work.
    let has_value = matches!(variable.definition, Definition::Value { .. });
    let set =
        variable.uses.iter().any(|it| it.kind == UseKind::Write && it.function == context.mark());
    if !has_value && !set {
        return None;
    }
    // It asks the result too.
    let resolution = &context.inference.resolution;
    let asks_result = resolution.all().any(|(other, it)| {
        matches!(it.definition, Definition::Result)
            && it.function == context.mark()
            && it.ty.is_error()
            && context.mentions(other, literal.body.span)
    });
    let asked = asked(context, literal, id).filter(|_| !asks_result)?;
    unseen_from(context, deferred, id, asked)
}

/// `defer finish(tx, &err)`, where another error is returned.
fn by_address<'p, 't>(
    context: &FunctionContext<'_, 'p, 't>,
    deferred: Deferred<'p, 't>,
) -> Option<Finding> {
    deferred.call.arguments.iter().find_map(|argument| {
        let ExpressionKind::Unary { operator: UnaryOperator::Address, operand } =
            &argument.bare().kind
        else {
            return None;
        };
        let id = context.variable(operand)?;
        let variable = context.inference.resolution.variable(id);
        let is_result = matches!(variable.definition, Definition::Result);
        let own = variable.function == context.mark();
        let wrong = variable.ty.is_error() && !is_result && own && gives_error(context);
        wrong.then(|| unseen_from(context, deferred, id, argument.span)).flatten()
    })
}

fn unseen_from<'p, 't>(
    context: &FunctionContext<'_, 'p, 't>,
    deferred: Deferred<'p, 't>,
    id: VariableId,
    asked: Span,
) -> Option<Finding> {
    let variable = context.inference.resolution.variable(id);
    let place = deferred.statement.span;
    let graph = context.graph();
    let from = graph.at(place)?;
    let (value, sure) = returns(context, place).into_iter().find_map(|values| {
        let value = values.last()?;
        let sure = unseen(context, value, id)?;
        let reached = graph.at(value.span).is_some_and(|to| graph.reaches(from, to, &|_| false));
        (reached && !context.is_asked(id, value.span)).then_some((value, sure))
    })?;
    let name = variable.name;
    let line = context.line(value.span);
    let message = format!(
        "the deferred function asks {name} of line {}, and not the error that is returned in line {line}",
        context.line(variable.span)
    );
    Some(
        Finding::new(&RULE, asked, message)
            .confidence(sure)
            .help("name the result, so that every return sets what the deferred function asks")
            .related(value.span, "this error is not seen"),
    )
}

/// Where the deferred function decides by the variable.
fn asked<'p, 't>(
    context: &FunctionContext<'_, 'p, 't>,
    literal: &'p FunctionLiteral<'t>,
    id: VariableId,
) -> Option<Span> {
    let mut found = None;
    literal.body.walk(&mut |statement| {
        if let StatementKind::If(it) = &statement.kind
            && found.is_none()
            && context.mentions(id, it.condition.span)
            && !it.init.as_ref().is_some_and(|init| context.writes(init, id))
        {
            found = Some(it.condition.span);
        }
    });
    // One that it sets itself is its own.
    let uses = &context.inference.resolution.variable(id).uses;
    let first = uses.iter().find(|it| literal.body.span.contains(it.span));
    found.filter(|_| first.is_some_and(|it| it.kind == UseKind::Read))
}

/// Whether a returned value is an error that is not in the variable, and how sure that is.
fn unseen<'p, 't>(
    context: &FunctionContext<'_, 'p, 't>,
    value: &'p Expression<'t>,
    id: VariableId,
) -> Option<Confidence> {
    if value.is_nil() || context.mentions(id, value.span) {
        return None;
    }
    let name = context.inference.resolution.variable(id).name;
    if let Some(other) = context.variable(value) {
        let other = context.inference.resolution.variable(other);
        if !other.ty.is_error() {
            return None;
        }
        // By another name it is the error of the work where that is returned too.
        let returned = || {
            let mut returned = false;
            context.body().walk(&mut |statement| {
                if let StatementKind::Return(values) = &statement.kind {
                    returned |=
                        values.last().is_some_and(|value| context.variable(value) == Some(id));
                }
            });
            returned
        };
        return match other.name == name {
            true => Some(Confidence::High),
            // Unless a function within sets it on the way.
            false => {
                let uses = &context.inference.resolution.variable(id).uses;
                let set_within =
                    uses.iter().any(|it| it.kind != UseKind::Read && it.function != context.mark());
                (!set_within && returned()).then_some(Confidence::Medium)
            }
        };
    }
    let call = value.as_call()?;
    let callee = context.callee(call);
    let made = callee.is("errors", "New")
        || callee.is("fmt", "Errorf")
        || callee.package.ends_with("/errors")
            && matches!(callee.name, "New" | "Errorf" | "Wrap" | "Wrapf")
        || callee.package.ends_with("grpc/status") && matches!(callee.name, "Error" | "Errorf");
    let committed = callee.name == "Commit" && call.arguments.is_empty();
    (made || committed).then_some(Confidence::Medium)
}

/// A variable of the deferred function with the name of a result of this one, which is set and never read.
fn shadowed_result(
    context: &FunctionContext<'_, '_, '_>,
    literal: &FunctionLiteral<'_>,
) -> Option<Finding> {
    let resolution = &context.inference.resolution;
    let results = resolution.all().filter(|(_, it)| {
        matches!(it.definition, Definition::Result)
            && it.function == context.mark()
            && it.name != "_"
    });
    for (_, result) in results {
        for (id, inner) in resolution.all() {
            let shadows = inner.name == result.name
                && literal.body.span.contains(inner.span)
                && inner.function == literal_mark(literal, context)
                && !matches!(inner.definition, Definition::Parameter | Definition::Result);
            let Some(last) = inner.uses.last().filter(|_| shadows) else { continue };
            if last.kind != UseKind::Write || is_address_taken(context, id) {
                continue;
            }
            let name = result.name;
            let message = format!(
                "{name} is declared anew in the deferred function: the result {name} of {} is not set",
                context.name()
            );
            return Some(
                Finding::new(&RULE, last.span, message)
                    .help("assign with = to the result, or use another name")
                    .related(inner.span, format!("this {name} hides the result")),
            );
        }
    }
    None
}

/// The mark of a deferred literal's own variables.
fn literal_mark(literal: &FunctionLiteral<'_>, context: &FunctionContext<'_, '_, '_>) -> u32 {
    let mut mark = literal.signature.span.start;
    context.body().walk_expressions(&mut |expression| {
        if let ExpressionKind::Function(it) = &expression.kind
            && it.body.span == literal.body.span
        {
            mark = expression.span.start;
        }
    });
    mark
}
