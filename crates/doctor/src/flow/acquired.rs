//! What a function opens: calls whose result has to be released, and who holds it then.

use super::{NodeId, Watched};
use crate::{
    context::FunctionContext,
    package::Declared,
    syntax::{
        Span,
        ast::{AssignOperator, Call, Declaration, Expression, Statement, StatementKind},
    },
    types::{Callee, Definition, Type, UseKind, VariableId},
};

/// How many functions of the package are looked into, one in the other, for what they open and give out.
const MAX_LOOKED_INTO: u32 = 2;

/// What kind of thing has to be released.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A file, a connection, a listener, a client, a writer …
    Resource,
    /// What has a body that has to be closed: a response of HTTP, an object of S3.
    Response,
    /// The rows of a query.
    Rows,
    /// A transaction.
    Transaction,
    /// A ticker.
    Ticker,
    /// A span of a trace.
    Span,
}

/// What a function gives to its caller to be released.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Acquiring {
    /// What it is.
    pub kind: Kind,
    /// By which methods it is released, as paths: `Close`, `Body.Close`; any of them does.
    pub releases: Vec<&'static str>,
    /// Which result it is, from 0.
    pub index: usize,
}

/// Something that a function has opened.
#[derive(Clone, Debug)]
pub struct Acquired<'p, 't> {
    /// What it is, and how it is released.
    pub what: Acquiring,
    /// What opened it.
    pub callee: Callee<'p, 't>,
    /// The call.
    pub call: &'p Call<'t>,
    /// The statement that the call is in.
    pub statement: &'p Statement<'t>,
    /// Its step.
    pub node: NodeId,
    /// The variable that holds it; none where nobody does: `_`, or a call that is a statement.
    pub variable: Option<VariableId>,
    /// The error, or the `ok`, that says whether there is anything to release.
    pub condition: Option<VariableId>,
    /// The type of what was opened.
    pub ty: Type<'t>,
}

impl Acquired<'_, '_> {
    /// What to watch, where a variable holds it.
    #[must_use]
    pub fn watched(&self) -> Option<Watched<'_>> {
        Some(Watched {
            variable: self.variable?,
            releases: &self.what.releases,
            lent: matches!(self.what.kind, Kind::Transaction | Kind::Span),
        })
    }
}

/// What each call of a function, that is a statement or the value of variables of this function, opens. Not
/// what a variable holds that functions within have had before.
#[must_use]
pub fn acquired<'p, 't>(context: &FunctionContext<'_, 'p, 't>) -> Vec<Acquired<'p, 't>> {
    let mut found = Vec::new();
    context.body().walk(&mut |statement| match &statement.kind {
        StatementKind::Expression(expression) => {
            look(context, statement, expression, &[], &mut found);
        }
        StatementKind::Assign(assign)
            if !matches!(assign.operator, AssignOperator::Compound(_)) =>
        {
            let left: Vec<&Expression<'t>> = assign.left.iter().collect();
            match &assign.right[..] {
                [value] => look(context, statement, value, &left, &mut found),
                values => {
                    for (value, left) in values.iter().zip(left) {
                        look(context, statement, value, &[left], &mut found);
                    }
                }
            }
        }
        StatementKind::Declaration(declaration) => {
            let Declaration::Values(values) = &**declaration else { return };
            for spec in &values.specs {
                if let [value] = &spec.values[..] {
                    let names = spec.names.iter().map(|name| Some(name.span));
                    look_at(context, statement, value, &names.collect::<Vec<_>>(), &mut found);
                }
            }
        }
        _ => {}
    });
    found
}

fn look<'p, 't>(
    context: &FunctionContext<'_, 'p, 't>,
    statement: &'p Statement<'t>,
    value: &'p Expression<'t>,
    left: &[&Expression<'t>],
    found: &mut Vec<Acquired<'p, 't>>,
) {
    let names = left.iter().map(|left| left.as_name().map(|_| left.bare().span));
    look_at(context, statement, value, &names.collect::<Vec<_>>(), found);
}

/// `names`: the places of the names on the left; none where it is no name.
fn look_at<'p, 't>(
    context: &FunctionContext<'_, 'p, 't>,
    statement: &'p Statement<'t>,
    value: &'p Expression<'t>,
    names: &[Option<Span>],
    found: &mut Vec<Acquired<'p, 't>>,
) {
    let Some(call) = value.bare().as_call() else { return };
    let callee = context.callee(call);
    let Some(what) = acquiring(context, &callee, call, MAX_LOOKED_INTO) else { return };
    let variable = match names.get(what.index) {
        None if names.is_empty() => None,
        Some(Some(span)) if context.text(*span) == "_" => None,
        Some(Some(span)) => match context.inference.resolution.at(*span) {
            Some(variable) if is_own(context, variable, statement.span) => Some(variable),
            // A variable of the package or of the function around, or one that others have too.
            _ => return,
        },
        // A field, an element.
        _ => return,
    };
    // Of an unknown type it is a transaction when it is committed.
    let ty = context.type_of(value).result(what.index);
    let is_known = callee.entry.is_some()
        || what.kind != Kind::Transaction
        || by_type(&ty).is_some_and(|it| it.kind == Kind::Transaction);
    if !is_known && !variable.is_some_and(|id| is_committed(context, id)) {
        return;
    }
    let resolution = &context.inference.resolution;
    let condition = match names.last() {
        Some(Some(span)) if names.len() > 1 && names.len() - 1 != what.index => {
            resolution.at(*span).filter(|id| {
                let condition = resolution.variable(*id);
                condition.ty.is_error()
                    || matches!(condition.ty, Type::Basic("bool"))
                    || condition.name.to_ascii_lowercase().ends_with("err")
                    || condition.name == "ok"
            })
        }
        _ => None,
    };
    let Some(node) = context.graph().at(statement.span) else { return };
    found.push(Acquired { what, callee, call, statement, node, variable, condition, ty });
}

fn is_committed(context: &FunctionContext<'_, '_, '_>, id: VariableId) -> bool {
    context
        .inference
        .resolution
        .variable(id)
        .uses
        .iter()
        .any(|used| context.file.text[used.span.end as usize..].starts_with(".Commit("))
}

/// Whether a variable is of this function, and nobody else has had a hand on it before: no function within,
/// no pointer to it.
#[must_use]
pub fn is_own(context: &FunctionContext<'_, '_, '_>, id: VariableId, opened: Span) -> bool {
    let variable = context.inference.resolution.variable(id);
    variable.function == context.mark()
        && !variable.uses.iter().any(|used| {
            used.span.start < opened.start
                && (used.kind == UseKind::Address || used.function != context.mark())
        })
}

/// What a call gives out to be released.
#[must_use]
pub fn acquiring<'p, 't>(
    context: &FunctionContext<'_, 'p, 't>,
    callee: &Callee<'p, 't>,
    call: &'p Call<'t>,
    levels: u32,
) -> Option<Acquiring> {
    if let Some(entry) = callee.entry
        && let Some(releases) = entry.acquires()
    {
        let releases: Vec<&'static str> = releases.collect();
        let kind = kind(callee, &releases, &entry.results().first().cloned().unwrap_or_default());
        return Some(Acquiring { kind, releases, index: 0 });
    }
    if let Some(index) = starts_span(context, callee, call) {
        let releases = vec!["End", "Finish", "FinishWithOptions"];
        return Some(Acquiring { kind: Kind::Span, releases, index });
    }
    if callee.entry.is_some() {
        return None;
    }
    if callee.declared.is_none()
        && matches!(callee.name, "Begin" | "BeginTx" | "BeginTxx" | "Beginx")
        && callee.receiver.is_some()
    {
        let releases = vec!["Rollback", "Commit"];
        return Some(Acquiring { kind: Kind::Transaction, releases, index: 0 });
    }
    let results = context.inference.type_of_function(call)?;
    let [first, error] = &results[..] else { return None };
    if !error.is_error() {
        return None;
    }
    match callee.declared {
        Some(declared) => given_out(context, declared, first, levels),
        // By an interface or a variable: what a query or an exchange yields is the caller's.
        None => by_type(first),
    }
}

fn kind(callee: &Callee<'_, '_>, releases: &[&str], result: &Type<'_>) -> Kind {
    let has = |release: &str| releases.contains(&release);
    if callee.is("time", "NewTicker") {
        Kind::Ticker
    } else if has("Body.Close") {
        Kind::Response
    } else if has("Commit") && (has("Rollback") || has("Discard")) {
        Kind::Transaction
    } else if matches!(result.name(), Some((_, "Rows" | "Cursor"))) {
        Kind::Rows
    } else if has("Finish") {
        Kind::Span
    } else {
        Kind::Resource
    }
}

/// What only its receiver can release, whoever made it.
fn by_type(ty: &Type<'_>) -> Option<Acquiring> {
    let (kind, releases): (Kind, &[&'static str]) = match (ty.name()?, ty) {
        (("net/http", "Response"), Type::Pointer(_)) => (Kind::Response, &["Body.Close"]),
        (("database/sql" | "github.com/jmoiron/sqlx", "Rows"), _) => (Kind::Rows, &["Close"]),
        (("database/sql" | "github.com/jmoiron/sqlx", "Tx"), _) => {
            (Kind::Transaction, &["Rollback", "Commit"])
        }
        ((package, "Rows"), _) if package.starts_with(PGX) => (Kind::Rows, &["Close"]),
        ((package, "Tx"), _) if package.starts_with(PGX) => {
            (Kind::Transaction, &["Rollback", "Commit"])
        }
        _ => return None,
    };
    Some(Acquiring { kind, releases: releases.to_vec(), index: 0 })
}

const PGX: &str = "github.com/jackc/pgx";

/// What a function of the package opens and returns, unless it keeps or releases it itself.
fn given_out<'p, 't>(
    context: &FunctionContext<'_, 'p, 't>,
    declared: Declared<'p, 't>,
    result: &Type<'t>,
    levels: u32,
) -> Option<Acquiring> {
    let levels = levels.checked_sub(1)?;
    let there = context.of(declared);
    let body = declared.function.body.as_ref()?;
    let mut found = None;
    let mut closes = false;
    let mut keeps = false;
    body.walk(&mut |statement| match &statement.kind {
        StatementKind::Return(values) => {
            let Some(first) = values.first() else { return };
            let opened = match there.variable(first) {
                // It stays in a list or a field too: whoever has that releases it.
                Some(id) if is_stored(&there, id) => {
                    keeps = true;
                    return;
                }
                Some(id) => match there.inference.resolution.variable(id).definition {
                    Definition::Value { expression, index: 0 } => expression,
                    _ => return,
                },
                None => first,
            };
            let Some(call) = opened.bare().as_call() else { return };
            found = found.take().or_else(|| acquiring(&there, &there.callee(call), call, levels));
        }
        StatementKind::Defer(deferred) => {
            let text = there.text(deferred.span);
            closes |= text.contains("Close") || text.contains("Rollback");
        }
        _ => {}
    });
    if closes || keeps {
        return None;
    }
    found.filter(|found| found.index == 0).or_else(|| by_type(result))
}

/// Whether a function puts a variable's value in a field, a list or a map that is not of its own.
fn is_stored(there: &FunctionContext<'_, '_, '_>, id: VariableId) -> bool {
    let is_it = |expression: &Expression<'_>| {
        expression.as_name().is_some()
            && there.inference.resolution.at(expression.bare().span) == Some(id)
    };
    let mut stored = false;
    there.body().walk(&mut |statement| {
        let StatementKind::Assign(assign) = &statement.kind else { return };
        let outside = assign.left.iter().any(|left| {
            left.as_name().is_none() && there.inference.resolution.root(left) != Some(id)
                || left.as_name().is_some() && there.variable(left).is_none()
        });
        let given = assign.right.iter().any(|value| {
            is_it(value)
                || value.bare().as_call().is_some_and(|call| {
                    call.function.as_name() == Some("append")
                        && call.arguments.iter().skip(1).any(is_it)
                })
        });
        stored |= outside && given;
    });
    stored
}

/// Which result of a call is a span of a trace that it starts: `tracer.Start(ctx, "name")` of OpenTelemetry,
/// whose tracer is most often a variable or a field of a type that is not known here.
fn starts_span<'p, 't>(
    context: &FunctionContext<'_, 'p, 't>,
    callee: &Callee<'p, 't>,
    call: &'p Call<'t>,
) -> Option<usize> {
    if callee.declared.is_some() || call.arguments.len() < 2 && callee.name != "StartSpan" {
        return None;
    }
    let traces = |part: &str| {
        context.package.files.iter().any(|file| file.imports.values().any(|it| it.contains(part)))
    };
    match callee.name {
        "Start" => {
            let (operand, _) = call.function.as_selector()?;
            let written = context.text(operand.span).to_ascii_lowercase();
            let of_tracer = callee.package == "go.opentelemetry.io/otel/trace"
                || written.contains("tracer") && traces("opentelemetry");
            of_tracer.then_some(1)
        }
        "StartSpan" if callee.package == "go.opencensus.io/trace" => Some(1),
        "StartSpanFromContext" if callee.package.contains("ddtrace") => Some(0),
        "StartSpan"
            if callee.package.contains("ddtrace") || callee.package.contains("elastic/apm") =>
        {
            Some(0)
        }
        "StartSpan" if callee.receiver.is_some() => {
            let (operand, _) = call.function.as_selector()?;
            let written = context.text(operand.span).to_ascii_lowercase();
            (written.contains("tracer") && traces("opentracing")).then_some(0)
        }
        _ => None,
    }
}
