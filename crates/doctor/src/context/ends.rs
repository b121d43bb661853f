use super::{FunctionContext, key};
use crate::{
    flow::CallEnd,
    package::Declared,
    syntax::ast::{BinaryOperator, Call, Expression, ExpressionKind, StatementKind},
    types::Definition,
};

/// How many calls, one in the other, are followed to see that a function never returns.
const MAX_FOLLOWED: u32 = 4;

impl<'p, 't> FunctionContext<'_, 'p, 't> {
    /// How a call that is a statement goes on.
    pub(super) fn call_end(&self, expression: &'p Expression<'t>) -> CallEnd {
        self.call_end_within(expression, MAX_FOLLOWED)
    }

    fn call_end_within(&self, expression: &'p Expression<'t>, levels: u32) -> CallEnd {
        let Some(call) = expression.as_call() else { return CallEnd::Returns };
        let callee = self.callee(call);
        if callee.is_builtin("panic") {
            return CallEnd::Panics;
        }
        if let Some(entry) = callee.entry {
            let panics = callee.name.starts_with("Panic");
            return match (entry.word("exits"), panics) {
                (Some(_), _) => CallEnd::Exits,
                (None, true) => CallEnd::Panics,
                (None, false) => CallEnd::Returns,
            };
        }
        if callee.declared.is_none() && self.is_fatal_log(call, callee.name) {
            return CallEnd::Exits;
        }
        match callee.declared {
            Some(declared) if levels > 0 => self.end_of(declared, levels - 1),
            _ => CallEnd::Returns,
        }
    }

    /// Whether a function of the package ends the process when the error that it is given is not nil:
    /// `check(err)`.
    #[must_use]
    pub fn exits_on_error(&self, declared: Declared<'p, 't>) -> bool {
        let Some(body) = &declared.function.body else { return false };
        let there = self.of(declared);
        let is_given_error = |expression: &Expression<'t>| {
            there.variable(expression).is_some_and(|id| {
                let variable = there.inference.resolution.variable(id);
                matches!(variable.definition, Definition::Parameter) && variable.ty.is_error()
            })
        };
        body.statements.iter().any(|statement| {
            let StatementKind::If(it) = &statement.kind else { return false };
            let ExpressionKind::Binary { operator: BinaryOperator::NotEqual, left, right } =
                &it.condition.bare().kind
            else {
                return false;
            };
            let Some(StatementKind::Expression(last)) =
                it.then.statements.last().map(|last| &last.kind)
            else {
                return false;
            };
            // `Fatal` of a test ends only its goroutine.
            let of_test = last.as_call().is_some_and(|call| {
                let callee = there.callee(call);
                callee.package == "testing" || callee.name == "Goexit"
            });
            right.is_nil()
                && is_given_error(left)
                && !of_test
                && there.call_end(last) == CallEnd::Exits
        })
    }

    /// Whether it is `Fatal` of something that is called a log.
    fn is_fatal_log(&self, call: &Call<'t>, name: &str) -> bool {
        let Some((operand, _)) = call.function.as_selector() else { return false };
        let operand = self.text(operand.span);
        let last = operand.rsplit('.').next().unwrap_or(operand).to_ascii_lowercase();
        matches!(name, "Fatal" | "Fatalf" | "Fatalln" | "Fatalw")
            && (last.starts_with("log") || last.ends_with("logger"))
    }

    /// How a function of the package goes on: as its last call, where that never returns and the function
    /// has no `return`.
    fn end_of(&self, declared: Declared<'p, 't>, levels: u32) -> CallEnd {
        if let Some(known) = self.shared.ends.borrow().get(&key(declared)) {
            return *known;
        }
        // While it is looked at it is taken to return, so that recursion ends.
        self.shared.ends.borrow_mut().insert(key(declared), CallEnd::Returns);
        let found = self.look_how_it_ends(declared, levels).unwrap_or(CallEnd::Returns);
        self.shared.ends.borrow_mut().insert(key(declared), found);
        found
    }

    fn look_how_it_ends(&self, declared: Declared<'p, 't>, levels: u32) -> Option<CallEnd> {
        let body = declared.function.body.as_ref()?;
        let StatementKind::Expression(expression) = &body.statements.last()?.kind else {
            return None;
        };
        let end = self.of(declared).call_end_within(expression, levels);
        let mut returns = false;
        body.walk(&mut |statement| returns |= matches!(statement.kind, StatementKind::Return(_)));
        (!returns).then_some(end)
    }
}
