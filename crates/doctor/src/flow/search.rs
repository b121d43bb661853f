//! Whether a step can follow on another, and by which way.

use super::{Edge, Fact, Graph, Node, NodeId};
use crate::{
    context::FunctionContext,
    syntax::{
        Span,
        ast::{Expression, ExpressionKind},
    },
    types::UseKind,
};

/// How many conditions around a step are remembered.
const MAX_ASSUMED: usize = 8;

/// What a step is to a search.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// The search goes on behind it.
    On,
    /// It ends here.
    Wall,
    /// It has found what it looks for.
    Goal,
}

/// Looks for a step that can follow on `from`, the nearest first. What holds wherever `from` is run holds on
/// the way too: `if locked { … }` twice. `judge` is asked once for each step; `passes` whether an edge may be
/// taken.
#[must_use]
pub fn search<'p, 't>(
    context: &FunctionContext<'_, 'p, 't>,
    from: NodeId,
    judge: &dyn Fn(NodeId, &Node<'p, 't>) -> Step,
    passes: &dyn Fn(&Edge<'p, 't>) -> bool,
) -> Option<NodeId> {
    let graph = context.graph();
    if graph.is_cut {
        return None;
    }
    let assumed = assumed(context, graph, from);
    let mut seen = vec![false; graph.nodes.len()];
    let mut open = std::collections::VecDeque::from([from]);
    while let Some(id) = open.pop_front() {
        for edge in &graph.node(id).next {
            let index = edge.to.0 as usize;
            if seen[index] || contradicts(context, &assumed, edge) || !passes(edge) {
                continue;
            }
            seen[index] = true;
            match judge(edge.to, graph.node(edge.to)) {
                Step::Goal => return Some(edge.to),
                Step::Wall => {}
                Step::On => open.push_back(edge.to),
            }
        }
    }
    None
}

/// Whether an edge cannot be taken when these conditions hold.
pub(super) fn contradicts<'p, 't>(
    context: &FunctionContext<'_, 'p, 't>,
    assumed: &[Fact<'p, 't>],
    edge: &Edge<'p, 't>,
) -> bool {
    edge.when.is_some_and(|fact| {
        assumed.iter().any(|assumed| {
            assumed.holds != fact.holds
                && context.text(assumed.condition.span) == context.text(fact.condition.span)
        })
    })
}

/// The conditions that hold wherever a step is run, as far as one step leads straight to the next, and that
/// hold as well later.
pub(super) fn assumed<'p, 't>(
    context: &FunctionContext<'_, 'p, 't>,
    graph: &Graph<'p, 't>,
    from: NodeId,
) -> Vec<Fact<'p, 't>> {
    let mut before: Vec<Option<(NodeId, Option<Fact<'p, 't>>)>> = vec![None; graph.nodes.len()];
    let mut several = vec![false; graph.nodes.len()];
    for (id, node) in graph.all() {
        for edge in &node.next {
            let index = edge.to.0 as usize;
            several[index] |= before[index].is_some();
            before[index] = Some((id, edge.when));
        }
    }
    let place = graph.node(from).span;
    let mut facts = Vec::new();
    let mut at = from;
    while facts.len() < MAX_ASSUMED && !several[at.0 as usize] {
        let Some((id, fact)) = before[at.0 as usize] else { break };
        facts.extend(fact.filter(|fact| is_constant(context, fact.condition, place)));
        at = id;
        if at == from {
            break;
        }
    }
    facts
}

/// Whether a condition means the same before and after a place: made of names and literals, without calls,
/// and no variable of it gets another value there or later.
fn is_constant<'t>(
    context: &FunctionContext<'_, '_, 't>,
    condition: &Expression<'t>,
    place: Span,
) -> bool {
    let mut constant = true;
    condition.walk(&mut |part| {
        let changes = context.variable(part).is_some_and(|id| {
            let uses = &context.inference.resolution.variable(id).uses;
            uses.iter().any(|used| used.kind != UseKind::Read && used.span.start >= place.start)
        });
        let acts = matches!(
            part.kind,
            ExpressionKind::Call(_) | ExpressionKind::Unary { .. } | ExpressionKind::Function(_)
        );
        constant &= !changes && !acts;
    });
    constant
}
