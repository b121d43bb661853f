//! What the rules about things that are not released share: the search, the message, the fix.

use crate::{
    context::FunctionContext,
    finding::{Edit, Finding, Fix, Safety},
    flow::{self, Acquired, Kind, Leak, Obligation},
    rule::{Confidence, Rule},
    syntax::{
        Span,
        ast::{Statement, StatementKind},
    },
    types::Type,
};

/// Something that was opened, and how it is lost.
#[derive(Debug)]
pub(super) struct Lost<'a, 'p, 't> {
    /// What was opened.
    pub(super) acquired: &'a Acquired<'p, 't>,
    /// The way out; none where no variable ever held it.
    pub(super) leak: Option<Leak>,
}

/// Calls `report` for each thing of a kind that is not released on some way out.
pub(super) fn each<'p, 't>(
    context: &FunctionContext<'_, 'p, 't>,
    kind: Kind,
    mut report: impl FnMut(Lost<'_, 'p, 't>),
) {
    for acquired in context.acquired().iter().filter(|it| it.what.kind == kind) {
        let Some(watched) = acquired.watched() else {
            report(Lost { acquired, leak: None });
            continue;
        };
        let drained_by = (kind == Kind::Rows).then_some("Next");
        let obligation = Obligation {
            opened: acquired.node,
            watched,
            condition: acquired.condition,
            drained_by,
        };
        if let Some(leak) = flow::leak(context, obligation) {
            report(Lost { acquired, leak: Some(leak) });
        }
    }
}

/// What messages say is done to it: `closed`, `stopped`.
pub(super) fn participle(release: &str) -> &'static str {
    match release.rsplit('.').next().unwrap_or(release) {
        "Close" | "CloseNow" => "closed",
        "Stop" => "stopped",
        "End" | "EndSession" => "ended",
        "Finish" => "finished",
        "Rollback" | "Discard" => "committed or rolled back",
        "Disconnect" => "disconnected",
        "Unsubscribe" => "unsubscribed",
        _ => "released",
    }
}

/// What it is called: `file`, `connection`.
pub(super) fn noun(acquired: &Acquired<'_, '_>) -> String {
    let by_kind = match acquired.what.kind {
        Kind::Response => "the body of",
        Kind::Rows => "the rows in",
        Kind::Transaction => "the transaction in",
        Kind::Ticker => "the ticker in",
        Kind::Span => "the span in",
        Kind::Resource => "",
    };
    if !by_kind.is_empty() {
        return by_kind.to_owned();
    }
    let noun = match acquired.ty.name() {
        Some(("os" | "mime/multipart" | "io/fs" | "net/http", "File")) => "file".to_owned(),
        Some(("net" | "net/textproto", name)) if name.ends_with("Conn") => "connection".to_owned(),
        Some((_, "Conn" | "ClientConn" | "Connection")) => "connection".to_owned(),
        Some((_, name)) if name.ends_with("Listener") => "listener".to_owned(),
        Some((_, "Stmt" | "NamedStmt")) => "statement".to_owned(),
        Some((_, "Watcher")) => "watcher".to_owned(),
        Some((_, "Client")) => "client".to_owned(),
        Some(_) if !matches!(acquired.ty, Type::Unknown) => {
            acquired.ty.written().trim_start_matches('*').to_owned()
        }
        _ => "resource".to_owned(),
    };
    format!("the {noun} in")
}

/// The finding: what is lost, where, and the way out.
pub(super) fn finding<'p, 't>(
    rule: &'static Rule,
    context: &FunctionContext<'_, 'p, 't>,
    lost: &Lost<'_, 'p, 't>,
) -> Finding {
    let acquired = lost.acquired;
    let done = participle(acquired.what.releases.first().copied().unwrap_or_default());
    let noun = noun(acquired);
    let span = acquired.statement.span;
    let is = if acquired.what.kind == Kind::Rows { "are" } else { "is" };
    let (Some(leak), Some(variable)) = (&lost.leak, acquired.variable) else {
        let opener = match acquired.callee.receiver {
            Some("") => context.text(acquired.call.function.span).to_owned(),
            _ => acquired.callee.written(),
        };
        let noun = noun.trim_end_matches(" in").trim_end_matches(" of").to_owned();
        let message = format!("{noun} of {} {is} dropped here and never {done}", opener);
        return Finding::new(rule, span, message);
    };
    let name = context.inference.resolution.variable(variable).name;
    let line = context.line(leak.span);
    let elsewhere = leak.released_elsewhere || leak.given_elsewhere;
    let (message, related) = match (leak.overwritten, elsewhere) {
        (true, _) => (
            format!("{noun} {name} {is} not {done} before line {line} opens the next one"),
            "the one before is lost here",
        ),
        (false, true) => (
            format!("{noun} {name} {is} not {done} when the function leaves at line {line}"),
            "it leaves here",
        ),
        (false, false) => (format!("{noun} {name} {is} never {done}"), "it leaves here"),
    };
    let mut finding = Finding::new(rule, span, message).related(leak.span, related);
    if let Some(last) = leak.through.last().filter(|_| elsewhere) {
        finding = finding.related(*last, "on the way, this decides it");
    }
    match fix(context, acquired, leak, name) {
        Some(fix) => finding.fix(fix),
        None => finding,
    }
}

/// A `defer` behind the check of the error, where nobody else releases or has it, and not in a loop.
fn fix<'p, 't>(
    context: &FunctionContext<'_, 'p, 't>,
    acquired: &Acquired<'p, 't>,
    leak: &Leak,
    name: &str,
) -> Option<Fix> {
    let release = acquired.what.releases.first()?;
    let takes_nothing = !matches!(*release, "Disconnect" | "EndSession")
        && !acquired.ty.name().is_some_and(|(package, _)| package.contains("jackc/pgx"));
    let plain = !leak.released_elsewhere
        && !leak.given_elsewhere
        && !leak.overwritten
        && takes_nothing
        && context.graph().node(acquired.node).loops == 0;
    if !plain {
        return None;
    }
    let after = place(context, acquired)?;
    let indent = indent(context.file.text, acquired.statement.span)?;
    let edit =
        Edit { span: Span::new(after, after), text: format!("\n{indent}defer {name}.{release}()") };
    let title = format!("defer {name}.{release}()");
    Some(Fix { title, safety: Safety::Safe, edits: vec![edit] })
}

/// Where the `defer` can stand: behind the statement, or behind the check of the error that follows on it.
fn place<'p, 't>(
    context: &FunctionContext<'_, 'p, 't>,
    acquired: &Acquired<'p, 't>,
) -> Option<u32> {
    let opened = acquired.statement.span;
    let mut behind = None;
    let mut stands_in_list = false;
    let mut in_list = |statements: &'p [Statement<'t>]| {
        for (index, statement) in statements.iter().enumerate() {
            if statement.span == opened {
                stands_in_list = true;
                behind = statements.get(index + 1);
            }
        }
    };
    in_list(&context.body().statements);
    context.body().walk(&mut |statement| match &statement.kind {
        StatementKind::Block(block) => in_list(&block.statements),
        StatementKind::If(it) => in_list(&it.then.statements),
        _ => {}
    });
    if !stands_in_list {
        return None;
    }
    let Some(condition) = acquired.condition else { return Some(opened.end) };
    let StatementKind::If(it) = &behind?.kind else { return None };
    let mut names_it = false;
    it.condition.walk(&mut |part| names_it |= context.variable(part) == Some(condition));
    let leaves = matches!(
        it.then.statements.last().map(|last| &last.kind),
        Some(StatementKind::Return(_) | StatementKind::Branch { .. })
    );
    let plain = names_it && leaves && it.init.is_none() && it.otherwise.is_none();
    plain.then_some(behind?.span.end)
}

/// The white space before a statement that begins its line.
fn indent(text: &str, span: Span) -> Option<&str> {
    let before = &text[..span.start as usize];
    let line = before.rsplit('\n').next()?;
    line.bytes().all(|byte| matches!(byte, b'\t' | b' ')).then_some(line)
}

/// As sure as `finding` is, but low in tests and in `main`, where what is opened lives as long as the process.
pub(super) fn bounded(context: &FunctionContext<'_, '_, '_>, finding: Finding) -> Finding {
    if context.is_test() || context.is_main() {
        return finding.confidence(Confidence::Low);
    }
    finding
}
