use super::{FunctionContext, roles::is_generated};
use crate::{
    syntax::{
        Span,
        ast::{Block, Call, Expression, ExpressionKind, StatementKind, UnaryOperator},
    },
    types::{Callee, Type},
};

/// How many functions of the package are looked into, one in the other, for what waits.
const MAX_LOOKED_INTO: u32 = 2;

/// Something that may wait for long.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Blocking {
    /// For what: `network`, `disk`, `sleep`, `lock`, `process`, `peer`, `receive`, `send`.
    pub what: &'static str,
    /// What does it, as it is called here: `http.Get`, `s.flush` (which calls `http.Post`).
    pub name: String,
    /// Where, in this function.
    pub span: Span,
}

impl<'p, 't> FunctionContext<'_, 'p, 't> {
    /// What a call waits for, itself or in a function of the package that it calls.
    #[must_use]
    pub fn blocking_call(&self, span: Span, call: &'p Call<'t>) -> Option<Blocking> {
        self.blocking_within(span, call, MAX_LOOKED_INTO)
    }

    fn blocking_within(&self, span: Span, call: &'p Call<'t>, levels: u32) -> Option<Blocking> {
        let callee = self.callee(call);
        if let Some(what) = self.waits(&callee, call) {
            return Some(Blocking { what, name: callee.written(), span });
        }
        let levels = levels.checked_sub(1)?;
        // A function without a name is a part of this one.
        let context = callee.declared.map(|declared| self.of(declared));
        let there = context.as_ref().unwrap_or(self);
        let inner = there.first_blocking(callee.body()?, levels)?;
        let name = match callee.literal {
            Some(_) => inner.name,
            None => format!("{} (which calls {})", callee.written(), inner.name),
        };
        Some(Blocking { what: inner.what, name, span })
    }

    /// What of a call waits by what is known of it. A read from a file that is on disk is quick: only what
    /// has no bound counts.
    fn waits(&self, callee: &Callee<'p, 't>, call: &'p Call<'t>) -> Option<&'static str> {
        if callee.entry.is_none() && is_generated_client(callee) && !call.arguments.is_empty() {
            return Some("network");
        }
        let what = callee.entry?.blocks()?;
        // What only copies between memory does not wait.
        let memory = |argument: &Expression<'t>| {
            let ty = self.type_of(argument);
            ["Buffer", "Reader"].iter().any(|name| ty.is_or_points_to("bytes", name))
                || ty.is_or_points_to("strings", "Reader")
                || ty.is_or_points_to("strings", "Builder")
        };
        if what == "peer" && call.arguments.iter().any(memory) {
            return None;
        }
        Some(what)
    }

    /// The first thing in a body that waits: a call, a receive, a send, a select without a `default`. Not what
    /// is in functions within, and not what a goroutine does.
    #[must_use]
    pub fn first_blocking(&self, body: &'p Block<'t>, levels: u32) -> Option<Blocking> {
        let mut found: Option<Blocking> = None;
        body.walk(&mut |statement| {
            if found.is_some() {
                return;
            }
            match &statement.kind {
                StatementKind::Go(_) => return,
                StatementKind::Send { .. } => {
                    found = Some(Blocking {
                        what: "send",
                        name: "a send".to_owned(),
                        span: statement.span,
                    });
                    return;
                }
                _ => {}
            }
            statement.for_each_expression(&mut |expression| {
                expression.walk(&mut |expression| {
                    if found.is_none() {
                        found = self.blocking_expression(expression, levels);
                    }
                });
            });
        });
        found
    }

    /// What of an expression waits: a receive, a call.
    #[must_use]
    pub fn blocking_expression(
        &self,
        expression: &'p Expression<'t>,
        levels: u32,
    ) -> Option<Blocking> {
        match &expression.kind {
            ExpressionKind::Unary { operator: UnaryOperator::Receive, operand } => {
                let is_channel = matches!(self.type_of(operand), Type::Channel(_) | Type::Unknown);
                is_channel.then(|| Blocking {
                    what: "receive",
                    name: "a receive".to_owned(),
                    span: expression.span,
                })
            }
            ExpressionKind::Call(call) => self.blocking_within(expression.span, call, levels),
            _ => None,
        }
    }
}

/// Whether it is a method of a client that is generated from protocol buffers: each of them is a call.
fn is_generated_client(callee: &Callee<'_, '_>) -> bool {
    callee.receiver.is_some_and(|ty| ty.ends_with("Client")) && is_generated(callee.package)
}
