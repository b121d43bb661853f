use super::Findings;
use crate::{
    context::{Deferred, FunctionContext},
    finding::{Edit, Finding, Fix, Safety},
    flow::NodeKind,
    rule::{Confidence, Rule, Severity},
    syntax::{
        Span,
        ast::{Call, ExpressionKind, Statement, StatementKind},
    },
    types::{Definition, VariableId},
};

/// What was written last is lost without a word.
pub(super) static RULE: Rule = Rule {
    code: "close-error-dropped",
    summary: "the error of a deferred Close or Flush of a writer is dropped, and with it what was written last",
    severity: Severity::Warning,
    confidence: Confidence::Medium,
    page: include_str!("../../../../docs/doctor/close-error-dropped.md"),
};

const HELP_BUFFERS: &str = "the end of the data goes out in this call: when it fails the result is cut short, \
                            and the caller is told that all is well";

/// What is closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Writer {
    /// It buffers: its last bytes go out at its end only.
    Buffers,
    /// A file that is written to.
    File,
}

pub(super) fn check(context: &FunctionContext<'_, '_, '_>, findings: &mut Findings) {
    if context.is_test() || context.is_deferred() {
        return;
    }
    ended_without_care(context, findings);
    for deferred in context.defers() {
        let Some((operand, method)) = deferred.call.function.as_selector() else { continue };
        let Some(variable) = context.variable(operand) else { continue };
        let Some(writer) = writer(context, deferred.call, variable) else { continue };
        if ends_with_care(context, variable, deferred) || is_scratch(context, variable) {
            continue;
        }
        let returns_error = context
            .signature()
            .results
            .last()
            .is_some_and(|result| context.inference.read_type(&result.ty).is_error());
        let confidence = match returns_error && !goes_to_client(context, variable) {
            true => Confidence::Medium,
            false => Confidence::Low,
        };
        let name = context.inference.resolution.variable(variable).name;
        let message =
            format!("the error of {name}.{method}() is dropped, and with it what was written last");
        let help = match writer {
            Writer::Buffers => HELP_BUFFERS,
            Writer::File => {
                "a full disk or a network file system tells it only here, and the caller is told \
                             that all is well"
            }
        };
        let mut finding =
            Finding::new(&RULE, deferred.statement.span, message).confidence(confidence).help(help);
        finding.fix = fix(context, deferred, name, method);
        findings.push(finding);
    }
}

/// A writer that buffers, ended in a statement of its own just before all is said to be well.
fn ended_without_care(context: &FunctionContext<'_, '_, '_>, findings: &mut Findings) {
    context.body().walk(&mut |statement| {
        let StatementKind::Expression(expression) = &statement.kind else { return };
        let Some(call) = expression.as_call() else { return };
        let Some((operand, method)) = call.function.as_selector() else { return };
        let Some(variable) = context.variable(operand) else { return };
        if writer(context, call, variable) != Some(Writer::Buffers)
            || goes_to_client(context, variable)
            || !is_followed_by_success(context, statement.span)
        {
            return;
        }
        let name = context.inference.resolution.variable(variable).name;
        let message =
            format!("the error of {name}.{method}() is dropped, and with it what was written last");
        findings.push(Finding::new(&RULE, statement.span, message).help(HELP_BUFFERS));
    });
}

/// Whether what comes next is a `return` whose error is nil.
fn is_followed_by_success(context: &FunctionContext<'_, '_, '_>, span: Span) -> bool {
    let graph = context.graph();
    let Some(node) = graph.at(span) else { return false };
    let [edge] = &graph.node(node).next[..] else { return false };
    match graph.node(edge.to).kind {
        NodeKind::Statement(Statement { kind: StatementKind::Return(values), .. }) => {
            values.last().is_some_and(|last| last.is_nil())
        }
        _ => false,
    }
}

/// What kind of writer a deferred call ends, if it does.
fn writer<'p, 't>(
    context: &FunctionContext<'_, 'p, 't>,
    call: &'p Call<'t>,
    variable: VariableId,
) -> Option<Writer> {
    let callee = context.callee(call);
    let Definition::Value { expression, index: 0 } =
        context.inference.resolution.variable(variable).definition
    else {
        return None;
    };
    let made = expression.bare().as_call()?;
    if callee.entry?.word("writes").is_some() {
        let in_memory = made.arguments.iter().any(|sink| {
            let ty = context.type_of(sink);
            ty.is_or_points_to("bytes", "Buffer") || ty.is_or_points_to("strings", "Builder")
        });
        return (!in_memory && !callee.is_method("encoding/csv", "Writer", "Flush"))
            .then_some(Writer::Buffers);
    }
    if !callee.is_method("os", "File", "Close") {
        return None;
    }
    let opens = context.callee(made);
    let writes = match opens.name {
        "Create" | "CreateTemp" | "TempFile" => true,
        "OpenFile" => made.arguments.get(1).is_some_and(|flags| {
            let flags = context.text(flags.span);
            ["O_WRONLY", "O_RDWR", "O_APPEND"].iter().any(|flag| flags.contains(flag))
        }),
        _ => false,
    };
    (writes && matches!(opens.package, "os" | "io/ioutil") && is_written(context, variable))
        .then_some(Writer::File)
}

/// Whether something is written to a file: by itself, or by what is made around it.
fn is_written(context: &FunctionContext<'_, '_, '_>, file: VariableId) -> bool {
    let mut written = false;
    context.body().walk_all_expressions(&mut |expression| {
        let ExpressionKind::Call(call) = &expression.kind else { return };
        if let Some((operand, method)) = call.function.as_selector()
            && context.variable(operand) == Some(file)
        {
            written |= method.starts_with("Write") || method == "ReadFrom";
        }
        let name = match call.function.as_selector() {
            Some((_, name)) => name,
            None => call.function.as_name().unwrap_or_default(),
        };
        let is_first = call.arguments.first().is_some_and(|it| context.variable(it) == Some(file));
        let is_any = call.arguments.iter().any(|it| context.variable(it) == Some(file));
        let makes = ["Fprint", "Copy", "NewWriter", "NewEncoder", "WriteString", "MultiWriter"];
        written |= is_first && makes.iter().any(|made| name.starts_with(made));
        written |= is_any
            && (name.starts_with("Write") || name.starts_with("Execute") || name == "Encode");
    });
    written
}

/// Whether its end is looked at somewhere else: `Sync`, or an explicit `Close` or `Flush` before the `return`.
fn ends_with_care(
    context: &FunctionContext<'_, '_, '_>,
    variable: VariableId,
    deferred: Deferred<'_, '_>,
) -> bool {
    let uses = &context.inference.resolution.variable(variable).uses;
    uses.iter().any(|used| {
        let behind = &context.file.text[used.span.end as usize..];
        !deferred.statement.span.contains(used.span)
            && [".Close()", ".Flush()", ".Sync()", ".Error()"]
                .iter()
                .any(|method| behind.starts_with(method))
    })
}

/// Whether the file is removed here, or made sure of by a function that is given it: `Fsync(file)`.
fn is_scratch(context: &FunctionContext<'_, '_, '_>, file: VariableId) -> bool {
    let mut scratch = false;
    context.body().walk_all_expressions(&mut |expression| {
        let ExpressionKind::Call(call) = &expression.kind else { return };
        let name = match call.function.as_selector() {
            Some((_, name)) => name,
            None => call.function.as_name().unwrap_or_default(),
        };
        let mut names_it = false;
        for argument in &call.arguments {
            argument.walk(&mut |part| names_it |= context.variable(part) == Some(file));
        }
        let name = name.to_ascii_lowercase();
        scratch |= names_it
            && ["remove", "sync", "unlink", "close", "flush"]
                .iter()
                .any(|word| name.contains(word));
    });
    scratch
}

/// Whether it writes to a client of HTTP, who cannot be told any more.
fn goes_to_client(context: &FunctionContext<'_, '_, '_>, variable: VariableId) -> bool {
    let Definition::Value { expression, .. } =
        context.inference.resolution.variable(variable).definition
    else {
        return false;
    };
    expression.bare().as_call().is_some_and(|call| {
        call.arguments.iter().any(|sink| {
            let ty = context.type_of(sink);
            ty.is_named("net/http", "ResponseWriter") || ty.is_named("net", "Conn")
        })
    })
}

/// The error becomes the result's, where the result has a name and there was no other error.
fn fix(
    context: &FunctionContext<'_, '_, '_>,
    deferred: Deferred<'_, '_>,
    name: &str,
    method: &str,
) -> Option<Fix> {
    let result = context.signature().results.last()?.names.last()?.name;
    let text = context.text(context.declared.function.span);
    if result == "_" || text.contains("closeErr") || !deferred.call.arguments.is_empty() {
        return None;
    }
    let before = &context.file.text[..deferred.statement.span.start as usize];
    let indent = before.rsplit('\n').next().filter(|it| it.bytes().all(|byte| byte == b'\t'))?;
    let text = format!(
        "defer func() {{\n{indent}\tif closeErr := {name}.{method}(); {result} == nil {{\n\
         {indent}\t\t{result} = closeErr\n{indent}\t}}\n{indent}}}()"
    );
    Some(Fix {
        title: format!("return the error of {name}.{method}()"),
        safety: Safety::Unsafe,
        edits: vec![Edit { span: deferred.statement.span, text }],
    })
}
