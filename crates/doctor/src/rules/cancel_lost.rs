use super::Findings;
use crate::{
    context::FunctionContext,
    finding::{Edit, Finding, Fix, Safety},
    flow::{self, Leak, Obligation, Watched},
    rule::{Confidence, Rule, Severity},
    syntax::{
        Span,
        ast::{Assign, Call, Declaration, Statement, StatementKind},
    },
    types::{Callee, VariableId},
};

/// A context that nobody cancels lives as long as its parent.
pub(super) static RULE: Rule = Rule {
    code: "cancel-lost",
    summary: "the cancel function of a context is dropped, or not called on some way out",
    severity: Severity::Warning,
    confidence: Confidence::High,
    page: include_str!("../../../../docs/doctor/cancel-lost.md"),
};

const HELP: &str = "the context, its timer and what waits for it stay until the parent ends or the time is \
                    up; defer it behind the line that makes it";

pub(super) fn check(context: &FunctionContext<'_, '_, '_>, findings: &mut Findings) {
    context.body().walk(&mut |statement| match &statement.kind {
        StatementKind::Assign(assign) => {
            let [value] = &assign.right[..] else { return };
            let (Some(call), [_, cancel]) = (value.bare().as_call(), &assign.left[..]) else {
                return;
            };
            if cancel.as_name().is_none() || !makes_context(&context.callee(call)) {
                return;
            }
            look(context, statement, call, cancel.bare().span, Some(assign), findings);
        }
        StatementKind::Declaration(declaration) => {
            let Declaration::Values(values) = &**declaration else { return };
            for spec in &values.specs {
                let ([value], [_, cancel]) = (&spec.values[..], &spec.names[..]) else { continue };
                let Some(call) = value.bare().as_call() else { continue };
                if makes_context(&context.callee(call)) {
                    look(context, statement, call, cancel.span, None, findings);
                }
            }
        }
        _ => {}
    });
}

fn makes_context(callee: &Callee<'_, '_>) -> bool {
    match callee.package {
        "context" => matches!(
            callee.name,
            "WithCancel"
                | "WithCancelCause"
                | "WithTimeout"
                | "WithTimeoutCause"
                | "WithDeadline"
                | "WithDeadlineCause"
        ),
        "os/signal" => callee.name == "NotifyContext",
        _ => false,
    }
}

fn look<'p, 't>(
    context: &FunctionContext<'_, 'p, 't>,
    statement: &'p Statement<'t>,
    call: &'p Call<'t>,
    name: Span,
    assign: Option<&'p Assign<'t>>,
    findings: &mut Findings,
) {
    let callee = context.callee(call).written();
    let confidence = match context.is_test() || context.is_main() {
        true => Confidence::Low,
        false => RULE.confidence,
    };
    if context.text(name) == "_" {
        let message =
            format!("the cancel function of {callee} is dropped, so nobody can end its context");
        let mut finding =
            Finding::new(&RULE, statement.span, message).confidence(confidence).help(HELP);
        if assign.is_some() {
            finding.fix = named(context, statement, name);
        }
        findings.push(finding);
        return;
    }
    let Some(variable) = context.inference.resolution.at(name) else { return };
    if !flow::is_own(context, variable, statement.span) {
        return;
    }
    let Some(opened) = context.graph().at(statement.span) else { return };
    let watched = Watched { variable, releases: &[], lent: false };
    let obligation = Obligation { opened, watched, condition: None, drained_by: None };
    if let Some(leak) = flow::leak(context, obligation) {
        let confidence = match is_silenced(context, variable) {
            true => Confidence::Low,
            false => confidence,
        };
        let finding = lost(context, statement, variable, &leak, &callee);
        findings.push(finding.confidence(confidence).help(HELP));
    }
}

/// `_ = cancel`: somebody has thought of it.
fn is_silenced(context: &FunctionContext<'_, '_, '_>, variable: VariableId) -> bool {
    let mut silenced = false;
    context.body().walk(&mut |statement| {
        if let StatementKind::Assign(assign) = &statement.kind
            && let ([left], [right]) = (&assign.left[..], &assign.right[..])
        {
            silenced |= left.as_name() == Some("_") && context.variable(right) == Some(variable);
        }
    });
    silenced
}

fn lost<'p, 't>(
    context: &FunctionContext<'_, 'p, 't>,
    statement: &'p Statement<'t>,
    variable: VariableId,
    leak: &Leak,
    callee: &str,
) -> Finding {
    let name = context.inference.resolution.variable(variable).name;
    let line = context.line(leak.span);
    let message = if leak.overwritten {
        format!("{name} of {callee} is not called before line {line} makes the next one")
    } else if leak.released_elsewhere || leak.given_elsewhere {
        format!("{name} of {callee} is not called when the function leaves at line {line}")
    } else {
        format!("{name} of {callee} is never called")
    };
    Finding::new(&RULE, statement.span, message).related(leak.span, "its context is left here")
}

/// A name for it and a `defer`: whoever uses the context after the function returns then loses it.
fn named<'p, 't>(
    context: &FunctionContext<'_, 'p, 't>,
    statement: &'p Statement<'t>,
    blank: Span,
) -> Option<Fix> {
    let StatementKind::Assign(assign) = &statement.kind else { return None };
    let is_free = !context.text(context.declared.function.span).contains("cancel");
    let defines = context.text(assign.operator_span) == ":=";
    let before = &context.file.text[..statement.span.start as usize];
    let indent = before.rsplit('\n').next().filter(|it| it.bytes().all(|byte| byte == b'\t'))?;
    let node = context.graph().at(statement.span)?;
    if !is_free || !defines || context.graph().node(node).loops > 0 {
        return None;
    }
    let end = statement.span.end;
    let behind = Edit { span: Span::new(end, end), text: format!("\n{indent}defer cancel()") };
    Some(Fix {
        title: "keep the cancel function and defer it".to_owned(),
        safety: Safety::Unsafe,
        edits: vec![Edit { span: blank, text: "cancel".to_owned() }, behind],
    })
}
