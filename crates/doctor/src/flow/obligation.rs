//! What was opened and is not released on some way out.

use super::{
    Edge, Effect, Exit, Fact, NodeId, NodeKind, Watched,
    effect::{carriers, effect_of_body, effect_with},
    search::{assumed, contradicts},
};
use crate::{
    context::FunctionContext,
    syntax::{
        Span,
        ast::{
            BinaryOperator, Expression, ExpressionKind, Statement, StatementKind, UnaryOperator,
        },
    },
    types::VariableId,
};

/// Something that has to be released.
#[derive(Clone, Copy, Debug)]
pub struct Obligation<'w> {
    /// The step that opens it.
    pub opened: NodeId,
    /// What holds it, and what releases it.
    pub watched: Watched<'w>,
    /// The error, or the `ok`, that says whether there is anything to release.
    pub condition: Option<VariableId>,
    /// The method that releases it by itself when it answers false: `Next` of the rows of a query.
    pub drained_by: Option<&'w str>,
}

/// A way out on which it is not released.
#[derive(Clone, Debug)]
pub struct Leak {
    /// How it leaves.
    pub exit: Exit,
    /// Where: the `return`, the closing brace; where it is opened once more, that place.
    pub span: Span,
    /// Whether it is lost before the function ends: its variable gets the next one.
    pub overwritten: bool,
    /// The steps on the way that decided it: conditions, in order.
    pub through: Vec<Span>,
    /// Whether it is released on some other path.
    pub released_elsewhere: bool,
    /// Whether somebody else has it on some other path.
    pub given_elsewhere: bool,
}

/// A step, and whether the error that came of the opening still stands in its variable.
type State = (NodeId, bool);

struct Search<'s, 'c, 'p, 't> {
    context: &'s FunctionContext<'c, 'p, 't>,
    obligation: Obligation<'s>,
    carriers: Vec<VariableId>,
    /// What holds wherever it is opened.
    assumed: Vec<Fact<'p, 't>>,
    /// The conditions that say whether it is to be released: `if opened { file.Close() }`.
    flags: Vec<Span>,
    parents: Vec<Option<State>>,
    found: Option<(State, Exit, Span, bool)>,
    released_elsewhere: bool,
    given_elsewhere: bool,
}

/// A way out of the function, by `return` or the end of the body, on which what was opened is neither
/// released, nor deferred to be, nor in somebody else's hands. Panics and ends of the process are no such
/// ways: what is not deferred is never released then.
#[must_use]
pub fn leak(context: &FunctionContext<'_, '_, '_>, obligation: Obligation<'_>) -> Option<Leak> {
    if context.graph().is_cut {
        return None;
    }
    let mut search = Search {
        context,
        obligation,
        carriers: carriers(context, obligation.watched),
        assumed: assumed(context, context.graph(), obligation.opened),
        flags: flags(context, obligation.watched),
        parents: vec![None; context.graph().nodes.len() * 2],
        found: None,
        released_elsewhere: false,
        given_elsewhere: false,
    };
    search.run();
    search.leak()
}

impl<'p, 't> Search<'_, '_, 'p, 't> {
    fn index((id, known): State) -> usize {
        id.0 as usize * 2 + usize::from(known)
    }

    fn run(&mut self) {
        let graph = self.context.graph();
        let start = (self.obligation.opened, self.obligation.condition.is_some());
        let mut open = std::collections::VecDeque::from([start]);
        while let Some(state) = open.pop_front() {
            let (id, known) = state;
            for edge in &graph.node(id).next {
                if !self.may_be_open(edge, known) || self.never_ends(id, edge.to) {
                    continue;
                }
                if self.drains(edge) {
                    self.released_elsewhere = true;
                    continue;
                }
                let Some(next) = self.step(state, edge.to) else { continue };
                let parent = &mut self.parents[Self::index(next)];
                if parent.is_none() && next != start {
                    *parent = Some(state);
                    open.push_back(next);
                }
            }
        }
    }

    /// Goes on to a step: what state follows, if it is still open then.
    fn step(&mut self, from: State, to: NodeId) -> Option<State> {
        let context = self.context;
        let node = context.graph().node(to);
        if let NodeKind::Exit(exit) = node.kind {
            if matches!(exit, Exit::Return | Exit::End) {
                self.found.get_or_insert((from, exit, node.span, false));
            }
            return None;
        }
        // In a loop it is opened again, and the one before is lost.
        if to == self.obligation.opened {
            self.found.get_or_insert((from, Exit::End, node.span, true));
            return None;
        }
        match effect_with(context, node, self.obligation.watched, &self.carriers) {
            Effect::Released | Effect::Deferred => {
                self.released_elsewhere = true;
                return None;
            }
            Effect::Escapes => {
                self.given_elsewhere = true;
                return None;
            }
            Effect::Replaced => {
                if replaces_by_call(context, node.kind, self.obligation.watched.variable) {
                    self.found.get_or_insert((from, Exit::End, node.span, true));
                }
                return None;
            }
            Effect::None | Effect::Used => {}
        }
        // A switch over the error: which case means what is not looked at.
        let condition = self.obligation.condition.filter(|_| from.1);
        if let (NodeKind::Tag(tag), Some(condition)) = (node.kind, condition)
            && let StatementKind::Expression(tag) = &tag.kind
            && context.variable(tag) == Some(condition)
        {
            return None;
        }
        let known = from.1 && !overwrites(context, node.kind, self.obligation.condition);
        Some((to, known))
    }

    /// Whether an edge says that there is no more: `rows.Next()` was false.
    fn drains(&self, edge: &Edge<'p, 't>) -> bool {
        let (Some(method), Some(fact)) = (self.obligation.drained_by, edge.when) else {
            return false;
        };
        let function = fact.condition.as_call().and_then(|call| call.function.as_selector());
        !fact.holds
            && function.is_some_and(|(operand, name)| {
                name == method
                    && self.context.variable(operand) == Some(self.obligation.watched.variable)
            })
    }

    /// Whether an edge leaves `for range ticker.C`, which nobody closes.
    fn never_ends(&self, from: NodeId, to: NodeId) -> bool {
        let graph = self.context.graph();
        let NodeKind::Range(range) = graph.node(from).kind else { return false };
        let Some((operand, "C")) = range.operand.as_selector() else { return false };
        self.context.variable(operand) == Some(self.obligation.watched.variable)
            && !range.body.span.contains(graph.node(to).span)
    }

    fn is_flag(&self, condition: &Expression<'t>) -> bool {
        self.flags.iter().any(|flag| flag.contains(condition.span))
    }

    fn leak(self) -> Option<Leak> {
        let graph = self.context.graph();
        let (mut state, exit, span, overwritten) = self.found?;
        let mut through = Vec::new();
        while state.0 != self.obligation.opened && through.len() < graph.nodes.len() {
            if let NodeKind::Condition(condition) = graph.node(state.0).kind {
                through.push(condition.span);
            }
            match self.parents[Self::index(state)] {
                Some(before) => state = before,
                None => break,
            }
        }
        through.reverse();
        let Self { released_elsewhere, given_elsewhere, .. } = self;
        Some(Leak { exit, span, overwritten, through, released_elsewhere, given_elsewhere })
    }

    /// Whether what was opened can be open where this edge leads.
    fn may_be_open(&self, edge: &Edge<'p, 't>, known: bool) -> bool {
        let Some(fact) = edge.when else { return true };
        let context = self.context;
        if contradicts(context, &self.assumed, edge) || self.is_flag(fact.condition) {
            return false;
        }
        let Obligation { watched, condition, .. } = self.obligation;
        if let Some((variable, is_nil)) = nil_fact(context, fact) {
            if variable == watched.variable && is_nil {
                return false;
            }
            if known && Some(variable) == condition && !is_nil {
                return false;
            }
        }
        if has_error_of(context, fact, watched.variable) {
            return false;
        }
        match condition {
            Some(condition) if known => leaves_open(context, fact, condition),
            _ => true,
        }
    }
}

/// The plain conditions of the `if`s that release it and go on. They say whether it is there to be released;
/// what stands in them is not followed.
fn flags<'p, 't>(context: &FunctionContext<'_, 'p, 't>, watched: Watched<'_>) -> Vec<Span> {
    let mut flags = Vec::new();
    context.body().walk(&mut |statement| {
        let StatementKind::If(it) = &statement.kind else { return };
        let mut condition = it.condition.bare();
        if let ExpressionKind::Unary { operator: UnaryOperator::Not, operand } = &condition.kind {
            condition = operand.bare();
        }
        let leaves = matches!(
            it.then.statements.last().map(|last| &last.kind),
            Some(StatementKind::Return(_) | StatementKind::Branch { .. })
        );
        let is_plain = condition.as_path().is_some() && it.otherwise.is_none() && !leaves;
        let releases = |statement: &'p Statement<'t>| {
            // Not one that is released on a way out within.
            let direct = match &statement.kind {
                StatementKind::If(inner) => match &inner.init {
                    Some(init) => std::slice::from_ref(init),
                    None => &[],
                },
                StatementKind::Expression(_) | StatementKind::Assign(_) => {
                    std::slice::from_ref(statement)
                }
                _ => &[],
            };
            effect_of_body(context, direct, watched) == Effect::Released
        };
        if is_plain && it.then.statements.iter().any(releases) {
            flags.push(it.condition.span);
        }
    });
    flags
}

/// What a fact about the error, or the `ok`, that came of the opening leaves possible: `if !ok`, `err == io.EOF`,
/// and `errors.Is(err, …)`, which no nil is.
fn leaves_open(
    context: &FunctionContext<'_, '_, '_>,
    fact: Fact<'_, '_>,
    condition: VariableId,
) -> bool {
    let is_it = |expression: &Expression<'_>| {
        expression.as_name().is_some()
            && context.inference.resolution.at(expression.bare().span) == Some(condition)
    };
    if is_it(fact.condition) {
        return fact.holds;
    }
    match &fact.condition.bare().kind {
        ExpressionKind::Call(call) if fact.holds => !call.arguments.iter().any(is_it),
        ExpressionKind::Binary { operator, left, right } if is_it(left) && !right.is_nil() => {
            match operator {
                BinaryOperator::Equal => !fact.holds,
                BinaryOperator::NotEqual => fact.holds,
                _ => true,
            }
        }
        _ => true,
    }
}

/// `tx.Error != nil`, where what was opened has its error within.
fn has_error_of(
    context: &FunctionContext<'_, '_, '_>,
    fact: Fact<'_, '_>,
    variable: VariableId,
) -> bool {
    let ExpressionKind::Binary { operator, left, right } = &fact.condition.bare().kind else {
        return false;
    };
    let Some((operand, "Error")) = left.as_selector() else { return false };
    right.is_nil()
        && operand.as_name().is_some()
        && context.inference.resolution.at(operand.bare().span) == Some(variable)
        && fact.holds == matches!(operator, BinaryOperator::NotEqual)
}

/// Whether a variable gets what a call yields, or what is made anew; not `nil` and not what another had.
fn replaces_by_call<'p, 't>(
    context: &FunctionContext<'_, 'p, 't>,
    node: NodeKind<'p, 't>,
    variable: VariableId,
) -> bool {
    let (NodeKind::Statement(statement) | NodeKind::Communication(statement)) = node else {
        return false;
    };
    let StatementKind::Assign(assign) = &statement.kind else { return false };
    let Some(index) = assign.left.iter().position(|left| context.variable(left) == Some(variable))
    else {
        return false;
    };
    let value = match &assign.right[..] {
        [value] => value,
        values => match values.get(index) {
            Some(value) => value,
            None => return false,
        },
    };
    value.bare().as_call().is_some_and(|call| {
        let callee = context.callee(call);
        callee.entry.is_some_and(|entry| entry.acquires().is_some())
            || callee.package == "context" && callee.name.starts_with("With")
    })
}

/// The variable that a fact says is nil, or is not.
#[must_use]
pub fn nil_fact(
    context: &FunctionContext<'_, '_, '_>,
    fact: Fact<'_, '_>,
) -> Option<(VariableId, bool)> {
    let ExpressionKind::Binary { operator, left, right } = &fact.condition.bare().kind else {
        return None;
    };
    let equal = match operator {
        BinaryOperator::Equal => true,
        BinaryOperator::NotEqual => false,
        _ => return None,
    };
    let of = |expression: &Expression<'_>| context.inference.resolution.at(expression.bare().span);
    let is_name = |expression: &Expression<'_>| expression.as_name().is_some();
    let variable = match (left.is_nil(), right.is_nil()) {
        (false, true) if is_name(left) => of(left),
        (true, false) if is_name(right) => of(right),
        _ => None,
    };
    Some((variable?, equal == fact.holds))
}

fn overwrites<'p, 't>(
    context: &FunctionContext<'_, 'p, 't>,
    node: NodeKind<'p, 't>,
    condition: Option<VariableId>,
) -> bool {
    let (NodeKind::Statement(statement) | NodeKind::Communication(statement), Some(condition)) =
        (node, condition)
    else {
        return false;
    };
    context.writes(statement, condition)
}
