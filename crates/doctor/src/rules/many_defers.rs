use super::Findings;
use crate::{
    context::{FunctionContext, leaves},
    finding::Finding,
    rule::{Confidence, Rule, Severity},
    syntax::{
        Span,
        ast::{ExpressionKind, Statement, StatementKind},
    },
};

/// More defers than the compiler can lay out in the function itself.
pub(super) static RULE: Rule = Rule {
    code: "many-defers",
    summary: "more defers than the compiler keeps in the function's frame, or defers on a hot path",
    severity: Severity::Note,
    confidence: Confidence::Medium,
    page: include_str!("../../../../docs/doctor/many-defers.md"),
};

/// As many defers a function may have and none of them costs more than a call: `maxOpenDefers` of
/// cmd/compile/internal/walk/stmt.go.
const OPEN_CODED_DEFERS: usize = 8;

/// The product of returns and defers up to which that holds: `buildssa` of cmd/compile/internal/ssagen/ssa.go.
const OPEN_CODED_PRODUCT: usize = 15;

/// As many defers make a hot path's cleanup hard to follow.
const MANY_ON_A_HOT_PATH: usize = 5;

pub(super) fn check(context: &FunctionContext<'_, '_, '_>, findings: &mut Findings) {
    let defers = context.defers();
    if context.is_test() || context.is_main() {
        return;
    }
    nested(context, findings);
    let (count, name) = (defers.len(), context.name());
    let Some(last) = defers.last() else { return };
    if count > OPEN_CODED_DEFERS {
        let message = format!(
            "{name} has {count} defers: beyond {OPEN_CODED_DEFERS} each is a record that is linked and called through the runtime"
        );
        findings.push(
            Finding::new(&RULE, last.statement.span, message)
                .help("give parts of it, each with its own cleanup, functions of their own"),
        );
        return;
    }
    let mut returns = 1;
    context.body().walk(&mut |statement| {
        returns += usize::from(matches!(statement.kind, StatementKind::Return(_)));
    });
    let most = most(&context.body().statements);
    let many = most >= MANY_ON_A_HOT_PATH || count > 1 && count * returns > OPEN_CODED_PRODUCT;
    let Some(hot) = many.then(|| hot(context)).flatten() else { return };
    if most >= MANY_ON_A_HOT_PATH {
        let message = format!("{name} {hot}, and runs up to {most} defers each time");
        findings.push(
            Finding::new(&RULE, last.statement.span, message)
                .help("give parts of it, each with its own cleanup, functions of their own"),
        );
    } else {
        let message = format!(
            "{name} {hot}, and its {count} defers and {returns} returns are too many for the compiler to lay out the calls in place"
        );
        findings.push(
            Finding::new(&RULE, last.statement.span, message)
                .confidence(Confidence::Low)
                .help("fewer returns, or the part with the defers in a function of its own"),
        );
    }
}

/// How many defers one way through these statements passes at most; a loop is taken to turn once.
fn most(statements: &[Statement<'_>]) -> usize {
    let (mut passed, mut most_left) = (0, 0);
    for statement in statements {
        let branches: Vec<&[Statement<'_>]> = match &statement.kind {
            StatementKind::Defer(_) => {
                passed += 1;
                continue;
            }
            StatementKind::If(it) => {
                if leaves(&it.then) {
                    most_left = most_left.max(passed + most(&it.then.statements));
                    it.otherwise.iter().map(std::slice::from_ref).collect()
                } else {
                    let otherwise = it.otherwise.iter().map(std::slice::from_ref);
                    otherwise.chain([&it.then.statements[..]]).collect()
                }
            }
            StatementKind::Switch(it) => it.cases.iter().map(|it| &it.statements[..]).collect(),
            StatementKind::Select(it) => it.cases.iter().map(|it| &it.statements[..]).collect(),
            StatementKind::For(it) => vec![&it.body.statements],
            StatementKind::Range(it) => vec![&it.body.statements],
            StatementKind::Block(it) => vec![&it.statements],
            StatementKind::Labeled { statement, .. } => vec![std::slice::from_ref(&**statement)],
            _ => continue,
        };
        passed += branches.into_iter().map(most).max().unwrap_or_default();
    }
    passed.max(most_left)
}

/// A defer in a deferred function: it runs while the outer one is being cleaned up.
fn nested(context: &FunctionContext<'_, '_, '_>, findings: &mut Findings) {
    if !context.is_deferred() {
        return;
    }
    let Some(first) = context.defers().into_iter().next() else { return };
    let message = "a defer in a deferred function: the cleanup has a cleanup of its own";
    findings.push(
        Finding::new(&RULE, first.statement.span, message)
            .confidence(Confidence::Low)
            .help("call it where it is due, or defer both in the function itself"),
    );
}

/// Why a function runs often: it serves requests, or a loop of the package calls it.
fn hot(context: &FunctionContext<'_, '_, '_>) -> Option<&'static str> {
    if context.is_handler() || context.is_rpc() {
        return Some("runs for each request");
    }
    if context.literal.is_some() || context.defers().len() < 2 {
        return None;
    }
    let declared = context.declared.function;
    let called = context.package.files.iter().any(|file| {
        // Only the file of the function itself is looked through: a call from elsewhere is no evidence of
        // a small helper.
        std::ptr::eq(file, context.file)
            && called_in_loop(context, declared.name.name, declared.span)
    });
    called.then_some("is called in a loop")
}

fn called_in_loop(context: &FunctionContext<'_, '_, '_>, name: &str, own: Span) -> bool {
    context.package.bodies().filter(|it| std::ptr::eq(it.file, context.file)).any(|it| {
        if it.function.span == own {
            return false;
        }
        let mut found = false;
        it.function.body.iter().for_each(|body| {
            body.walk(&mut |statement| {
                if matches!(statement.kind, StatementKind::For(_) | StatementKind::Range(_)) {
                    statement.walk_expressions(&mut |expression| {
                        if let ExpressionKind::Call(call) = &expression.kind {
                            let called = call.function.as_name() == Some(name)
                                || call.function.as_selector().is_some_and(|(_, it)| it == name);
                            found |= called;
                        }
                    });
                }
            });
        });
        found
    })
}
