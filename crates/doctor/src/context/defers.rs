use super::FunctionContext;
use crate::{
    syntax::{
        Span,
        ast::{
            AssignOperator, Block, Call, Expression, ExpressionKind, FunctionLiteral, Statement,
            StatementKind,
        },
    },
    types::{Callee, UseKind, VariableId},
};

/// A `defer`.
#[derive(Clone, Copy, Debug)]
pub struct Deferred<'p, 't> {
    /// The statement.
    pub statement: &'p Statement<'t>,
    /// What is deferred.
    pub call: &'p Call<'t>,
}

/// A call that runs when a deferred one does: the deferred one itself, or one in its function literal.
#[derive(Clone, Copy, Debug)]
pub struct DeferredCall<'p, 't> {
    /// The call.
    pub call: &'p Call<'t>,
    /// Its text.
    pub span: Span,
    /// Whether it is in a literal, where what it names is read when it runs, and not at the `defer`.
    pub late: bool,
    /// Whether something in the literal decides if it runs.
    pub conditional: bool,
}

impl<'p, 't> Deferred<'p, 't> {
    /// The function literal that is deferred.
    #[must_use]
    pub fn literal(&self) -> Option<&'p FunctionLiteral<'t>> {
        self.call.function.as_literal()
    }

    /// The calls that run when it does, in the order of the text.
    #[must_use]
    pub fn calls(&self) -> Vec<DeferredCall<'p, 't>> {
        let mut calls = Vec::new();
        let Some(literal) = self.literal() else {
            let span = match self.statement.kind {
                StatementKind::Defer(ref expression) => expression.span,
                _ => self.statement.span,
            };
            calls.push(DeferredCall { call: self.call, span, late: false, conditional: false });
            return calls;
        };
        let mut conditional = false;
        for statement in &literal.body.statements {
            let mut collect = |statement: &'p Statement<'t>, conditional| {
                // A goroutine holds nobody up.
                if matches!(statement.kind, StatementKind::Go(_)) {
                    return;
                }
                statement.for_each_expression(&mut |expression| {
                    expression.walk(&mut |expression| {
                        if let ExpressionKind::Call(call) = &expression.kind {
                            let span = expression.span;
                            calls.push(DeferredCall { call, span, late: true, conditional });
                        }
                    });
                });
            };
            match &statement.kind {
                StatementKind::If(it) => {
                    it.init.iter().for_each(|init| collect(init, conditional));
                    statement.walk(&mut |inner| {
                        if it.init.as_ref().is_none_or(|init| init.span != inner.span) {
                            collect(inner, true);
                        }
                    });
                    conditional |= leaves(&it.then);
                }
                _ => statement.walk(&mut |inner| {
                    collect(inner, conditional || inner.span != statement.span);
                }),
            }
        }
        calls
    }
}

/// Whether a block ends by leaving: a return, a branch, a panic.
pub(crate) fn leaves(block: &Block<'_>) -> bool {
    match block.statements.last().map(|last| &last.kind) {
        Some(StatementKind::Return(_) | StatementKind::Branch { .. }) => true,
        Some(StatementKind::Expression(expression)) => {
            expression.as_call().is_some_and(|call| call.function.as_name() == Some("panic"))
        }
        _ => false,
    }
}

/// Names of functions that give something back.
const RELEASES: [&str; 34] = [
    "Close",
    "CloseNow",
    "CloseWithError",
    "Unlock",
    "RUnlock",
    "Done",
    "Stop",
    "Release",
    "Rollback",
    "Free",
    "Put",
    "Cancel",
    "End",
    "Finish",
    "Shutdown",
    "Disconnect",
    "Cleanup",
    "Remove",
    "RemoveAll",
    "Terminate",
    "Kill",
    "Detach",
    "Unsubscribe",
    "Dispose",
    "Destroy",
    "Quit",
    "Logout",
    "Abort",
    "Discard",
    "Unref",
    "DecRef",
    "Unmount",
    "Munmap",
    "Broadcast",
];

/// Whether what is called gives something back: by what the table says, or by its name.
#[must_use]
pub fn is_release(callee: &Callee<'_, '_>) -> bool {
    let name = callee.name;
    if callee.entry.is_some_and(|entry| entry.word("releases").is_some()) {
        return true;
    }
    if callee.is_builtin("close") {
        return true;
    }
    RELEASES.iter().any(|release| {
        name.eq_ignore_ascii_case(release)
            || name.len() > release.len() && name.starts_with(release)
            || matches!(*release, "Close" | "Unlock" | "Release" | "Cancel" | "Cleanup")
                && name.get(..release.len()).is_some_and(|it| it.eq_ignore_ascii_case(release))
    })
}

impl<'p, 't> FunctionContext<'_, 'p, 't> {
    /// Every `defer` of this function, in the order of the text; not those of functions within.
    #[must_use]
    pub fn defers(&self) -> Vec<Deferred<'p, 't>> {
        let mut defers = Vec::new();
        self.body().walk(&mut |statement| {
            if let StatementKind::Defer(expression) = &statement.kind
                && let Some(call) = expression.as_call()
            {
                defers.push(Deferred { statement, call });
            }
        });
        defers
    }

    /// Whether a variable is named in a place, in functions within too.
    #[must_use]
    pub fn mentions(&self, variable: VariableId, place: Span) -> bool {
        let uses = &self.inference.resolution.variable(variable).uses;
        uses.iter().any(|it| place.contains(it.span))
    }

    /// Whether a variable's value is read in a place, in functions within too.
    #[must_use]
    pub fn reads_in(&self, variable: VariableId, place: Span) -> bool {
        let uses = &self.inference.resolution.variable(variable).uses;
        uses.iter().any(|it| place.contains(it.span) && it.kind != UseKind::Write)
    }

    /// The statements among which the one at this place stands, and which of them it is.
    #[must_use]
    pub fn list_around(&self, place: Span) -> Option<(&'p [Statement<'t>], usize)> {
        list_around(&self.body().statements, place)
    }

    /// The statements that contain this place, from the outside in; the one that stands there is not among
    /// them.
    #[must_use]
    pub fn enclosing(&self, place: Span) -> Vec<&'p Statement<'t>> {
        let mut found = Vec::new();
        self.body().walk(&mut |statement| {
            if statement.span.contains(place) && statement.span != place {
                found.push(statement);
            }
        });
        found
    }

    /// Whether an `if` around this place asks about the variable.
    #[must_use]
    pub fn is_asked(&self, variable: VariableId, place: Span) -> bool {
        self.enclosing(place).into_iter().any(|statement| match &statement.kind {
            StatementKind::If(it) => self.mentions(variable, it.condition.span),
            StatementKind::Switch(it) => it.cases.iter().any(|case| {
                case.span.contains(place)
                    && case.expressions.iter().any(|it| self.mentions(variable, it.span))
            }),
            _ => false,
        })
    }

    /// The context that a cancel function ends: what the call that made both was assigned to, and where.
    #[must_use]
    pub fn cancelled_by(&self, cancel: VariableId) -> Option<(VariableId, &'p Statement<'t>)> {
        let (statement, value) = self.assignments(cancel).pop()?;
        value?.as_call()?;
        let StatementKind::Assign(assign) = &statement.kind else { return None };
        let [made, second] = &assign.left[..] else { return None };
        let resolution = &self.inference.resolution;
        if second.as_name().is_none() || resolution.at(second.bare().span) != Some(cancel) {
            return None;
        }
        made.as_name().and_then(|_| Some((resolution.at(made.bare().span)?, statement)))
    }

    /// What is assigned to a variable, with the statement: the values that stand alone, or the one call that
    /// yields several.
    #[must_use]
    pub fn assignments(
        &self,
        variable: VariableId,
    ) -> Vec<(&'p Statement<'t>, Option<&'p Expression<'t>>)> {
        let mut found = Vec::new();
        self.body().walk(&mut |statement| {
            let StatementKind::Assign(assign) = &statement.kind else { return };
            let place = assign.left.iter().position(|left| {
                self.inference.resolution.at(left.bare().span) == Some(variable)
                    && left.as_name().is_some()
            });
            let Some(index) = place else { return };
            let value = match (assign.operator, &assign.right[..]) {
                (AssignOperator::Compound(_), _) => None,
                (_, [value]) => Some(value),
                (_, values) => values.get(index),
            };
            found.push((statement, value));
        });
        found
    }
}

fn list_around<'p, 't>(
    statements: &'p [Statement<'t>],
    place: Span,
) -> Option<(&'p [Statement<'t>], usize)> {
    let index = statements.iter().position(|statement| statement.span.contains(place))?;
    let statement = &statements[index];
    if statement.span == place {
        return Some((statements, index));
    }
    let mut lists: Vec<&'p [Statement<'t>]> = Vec::new();
    lists_of(statement, &mut lists);
    lists.into_iter().find_map(|list| list_around(list, place))
}

fn lists_of<'p, 't>(statement: &'p Statement<'t>, lists: &mut Vec<&'p [Statement<'t>]>) {
    match &statement.kind {
        StatementKind::Block(block) => lists.push(&block.statements),
        StatementKind::If(it) => {
            lists.push(&it.then.statements);
            it.otherwise.iter().for_each(|otherwise| lists_of(otherwise, lists));
        }
        StatementKind::For(it) => lists.push(&it.body.statements),
        StatementKind::Range(it) => lists.push(&it.body.statements),
        StatementKind::Switch(it) => {
            lists.extend(it.cases.iter().map(|case| &case.statements[..]));
        }
        StatementKind::Select(it) => {
            lists.extend(it.cases.iter().map(|case| &case.statements[..]));
        }
        StatementKind::Labeled { statement, .. } => {
            lists.push(std::slice::from_ref(&**statement));
            lists_of(statement, lists);
        }
        _ => {}
    }
}
