use super::Findings;
use crate::{
    context::{Deferred, FunctionContext, calls_recover},
    finding::Finding,
    rule::{Confidence, Rule, Severity},
    syntax::ast::{BinaryOperator, Call, Expression, ExpressionKind, Statement, StatementKind},
    types::{Callee, Definition, VariableId},
};

/// A deferred call of a handler that only writes a log.
pub(super) static RULE: Rule = Rule {
    code: "defer-only-logs",
    summary: "a defer in a handler writes a log line and gives nothing back",
    severity: Severity::Note,
    confidence: Confidence::Medium,
    page: include_str!("../../../../docs/doctor/defer-only-logs.md"),
};

pub(super) fn check(context: &FunctionContext<'_, '_, '_>, findings: &mut Findings) {
    if !(context.is_handler() || context.is_rpc()) || context.is_test() {
        return;
    }
    for deferred in context.defers() {
        findings.extend(unanswered(context, deferred));
        let Some(says) = says(context, deferred) else { continue };
        let name = context.name();
        let message = format!(
            "this defer of {name} only writes a log line: it releases nothing and recovers from nothing"
        );
        let finding = Finding::new(&RULE, deferred.statement.span, message)
            .help("log where it happens, or log what is only known at the end: the status, the time, the error");
        findings.push(match says {
            Says::Constant => finding,
            Says::Values => finding.confidence(Confidence::Low),
        });
    }
}

/// An error that the defer logs, and a `return` for it that answers nothing: the client gets an empty 200.
fn unanswered<'p, 't>(
    context: &FunctionContext<'_, 'p, 't>,
    deferred: Deferred<'p, 't>,
) -> Option<Finding> {
    let literal = deferred.literal()?;
    let [Statement { kind: StatementKind::If(it), span }] = &literal.body.statements[..] else {
        return None;
    };
    let only_logs = it.otherwise.is_none()
        && !it.then.statements.is_empty()
        && it.then.statements.iter().all(|statement| match &statement.kind {
            StatementKind::Expression(expression) => {
                expression.as_call().is_some_and(|call| logs(&context.callee(call)))
            }
            _ => false,
        });
    if !only_logs || it.init.is_some() || !context.signature().results.is_empty() {
        return None;
    }
    let error = is_not_nil(context, &it.condition)?;
    let mut found = None;
    context.body().walk(&mut |statement| {
        let StatementKind::If(check) = &statement.kind else { return };
        let [Statement { kind: StatementKind::Return(values), span: left }] =
            &check.then.statements[..]
        else {
            return;
        };
        let asks = is_not_nil(context, &check.condition) == Some(error);
        if values.is_empty() && asks && found.is_none() && !was_answered(context, statement, error)
        {
            found = Some(*left);
        }
    });
    let left = found?;
    let name = context.inference.resolution.variable(error).name;
    let message = format!(
        "{name} is only logged here: the return in line {} answers nothing, and the client gets an empty 200",
        context.line(left)
    );
    Some(
        Finding::new(&RULE, *span, message)
            .help("answer with a status before the return, or in this defer")
            .related(left, "nothing is answered here"),
    )
}

/// The error of `err != nil`.
fn is_not_nil<'p, 't>(
    context: &FunctionContext<'_, 'p, 't>,
    condition: &Expression<'t>,
) -> Option<VariableId> {
    let ExpressionKind::Binary { operator: BinaryOperator::NotEqual, left, right } =
        &condition.bare().kind
    else {
        return None;
    };
    let id = context.variable(left).filter(|_| right.is_nil())?;
    context.inference.resolution.variable(id).ty.is_error().then_some(id)
}

/// Whether what gave the error was given the answer's writer, or may have answered before.
fn was_answered<'p, 't>(
    context: &FunctionContext<'_, 'p, 't>,
    check: &'p Statement<'t>,
    error: VariableId,
) -> bool {
    let writers = |expression: &Expression<'t>| {
        expression.as_name().is_some()
            && context.variable(expression).is_some_and(|id| {
                matches!(
                    context.inference.resolution.variable(id).definition,
                    Definition::Parameter
                )
            })
    };
    let mut answered = false;
    context.body().walk(&mut |statement| {
        let StatementKind::Assign(assign) = &statement.kind else { return };
        let gives = context.writes(statement, error)
            && (statement.span.end <= check.span.start || check.span.contains(statement.span));
        for value in assign.right.iter().filter(|_| gives) {
            value.walk(&mut |inner| {
                answered |= inner.as_call().is_some_and(|call| call.arguments.iter().any(writers));
            });
        }
    });
    answered
}

/// What a log line says.
enum Says {
    /// The same each time.
    Constant,
    /// Something of this request.
    Values,
}

/// What a defer logs, if it does nothing else. One that tells the time, an outcome or a panic is a log of
/// requests.
fn says<'p, 't>(context: &FunctionContext<'_, 'p, 't>, deferred: Deferred<'p, 't>) -> Option<Says> {
    let calls: Vec<&'p Call<'t>> = match deferred.literal() {
        None => vec![deferred.call],
        Some(literal) => {
            if literal.body.statements.is_empty() || calls_recover(&literal.body) {
                return None;
            }
            let calls = literal.body.statements.iter().map(|statement| match &statement.kind {
                StatementKind::Expression(expression) => expression.as_call(),
                _ => None,
            });
            calls.collect::<Option<_>>()?
        }
    };
    let mut says = Says::Constant;
    for call in calls {
        if !logs(&context.callee(call)) {
            return None;
        }
        if matches!(call.function.as_selector(), Some((operand, _)) if has_call(operand)) {
            says = Says::Values;
        }
        for argument in &call.arguments {
            if tells_outcome(context, argument) {
                return None;
            }
            if !matches!(argument.bare().kind, ExpressionKind::Literal(_))
                && !is_context(context, argument)
            {
                says = Says::Values;
            }
        }
    }
    Some(says)
}

fn logs(callee: &Callee<'_, '_>) -> bool {
    let known = callee.entry.is_some_and(|entry| entry.word("logs").is_some());
    known
        || callee.package == "fmt" && callee.name.starts_with("Print")
        || callee.is_builtin("println")
}

fn has_call(expression: &Expression<'_>) -> bool {
    let mut found = false;
    expression.walk(&mut |inner| found |= matches!(inner.kind, ExpressionKind::Call(_)));
    found
}

fn is_context(context: &FunctionContext<'_, '_, '_>, argument: &Expression<'_>) -> bool {
    matches!(argument.as_name(), Some("ctx" | "os"))
        || context.text(argument.span).ends_with(".Context()")
}

/// Whether an argument is known only at the end: a time, an error, a status, a count that is written to.
fn tells_outcome<'p, 't>(
    context: &FunctionContext<'_, 'p, 't>,
    argument: &'p Expression<'t>,
) -> bool {
    let mut found = false;
    argument.walk(&mut |inner| {
        if let Some(call) = inner.as_call() {
            let callee = context.callee(call);
            found |= callee.package == "time"
                || callee.name.contains("Status")
                || callee.name == "Since";
        }
        if let Some(id) = context.variable(inner) {
            let variable = context.inference.resolution.variable(id);
            found |= variable.ty.is_error();
            found |= variable.uses.iter().any(|it| it.kind != crate::types::UseKind::Read);
        }
        if let Some((_, name)) = inner.as_selector() {
            let name = name.to_ascii_lowercase();
            found |= ["status", "code", "size", "bytes", "written", "duration", "elapsed"]
                .iter()
                .any(|word| name.contains(word));
        }
    });
    found
}
