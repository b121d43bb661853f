//! Which statement can follow on which, in the body of one function.

use std::collections::HashMap;

use crate::syntax::{
    Span,
    ast::{
        BinaryOperator, Block, BranchKind, Expression, ExpressionKind, For, If, Range, Select,
        Statement, StatementKind, Switch, UnaryOperator,
    },
};

/// A larger function is not analysed by its paths: rules that need them say nothing of it. The largest of
/// the Go distribution that people wrote has some 4,000.
pub const MAX_NODES: usize = 20_000;

/// A node of a graph.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeId(pub(crate) u32);

impl NodeId {
    /// The beginning of every graph.
    pub const ENTRY: Self = Self(0);
}

/// A step of a function.
#[derive(Debug)]
pub struct Node<'p, 't> {
    /// What is done.
    pub kind: NodeKind<'p, 't>,
    /// Where.
    pub span: Span,
    /// What can follow.
    pub next: Vec<Edge<'p, 't>>,
    /// In how many loops of this function it is.
    pub loops: u32,
}

/// What a step is.
#[derive(Clone, Copy, Debug)]
pub enum NodeKind<'p, 't> {
    /// The beginning.
    Entry,
    /// A statement without others in it: an assignment, a call, a `defer`, a `return`, a send …
    Statement(&'p Statement<'t>),
    /// A condition, without `&&`, `||` and `!`.
    Condition(&'p Expression<'t>),
    /// The tag of a switch.
    Tag(&'p Statement<'t>),
    /// The expressions of a case.
    Case(&'p [Expression<'t>]),
    /// The head of a `for … range`, before each turn.
    Range(&'p Range<'t>),
    /// A select: its cases follow. Without a `default` it waits.
    Select(&'p Select<'t>),
    /// The send or receive of the case of a select that was taken.
    Communication(&'p Statement<'t>),
    /// Nothing: where paths meet.
    Join,
    /// A way out.
    Exit(Exit),
}

/// A way out of a function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// A `return`.
    Return,
    /// The end of the body.
    End,
    /// A panic that is written here.
    Panic,
    /// The process or the goroutine ends.
    Process,
}

/// What can follow, and when.
#[derive(Clone, Copy, Debug)]
pub struct Edge<'p, 't> {
    /// What follows.
    pub to: NodeId,
    /// What holds then.
    pub when: Option<Fact<'p, 't>>,
}

/// A condition that holds, or does not.
#[derive(Clone, Copy, Debug)]
pub struct Fact<'p, 't> {
    /// The condition.
    pub condition: &'p Expression<'t>,
    /// Whether it holds.
    pub holds: bool,
}

/// Which statement can follow on which.
#[derive(Debug)]
pub struct Graph<'p, 't> {
    /// The steps; the first is the entry.
    pub nodes: Vec<Node<'p, 't>>,
    /// Whether the function was too large: then there is only the entry.
    pub is_cut: bool,
}

/// How a call goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CallEnd {
    /// It returns.
    Returns,
    /// It panics.
    Panics,
    /// It ends the process or the goroutine.
    Exits,
}

impl<'p, 't> Graph<'p, 't> {
    /// The graph of a body. `ends` says of each call that is a statement how it goes on.
    pub fn new(body: &'p Block<'t>, ends: &dyn Fn(&'p Expression<'t>) -> CallEnd) -> Self {
        let mut builder = Builder {
            nodes: Vec::new(),
            open: Vec::new(),
            targets: Vec::new(),
            labels: HashMap::new(),
            gotos: Vec::new(),
            loops: 0,
            ends,
        };
        builder.node(NodeKind::Entry, Span::new(body.span.start, body.span.start));
        builder.block(body);
        if !builder.open.is_empty() {
            builder.exit(Exit::End, body.closing());
        }
        for (from, label) in std::mem::take(&mut builder.gotos) {
            if let Some(&to) = builder.labels.get(label) {
                builder.nodes[from.0 as usize].next.push(Edge { to, when: None });
            }
        }
        let is_cut = builder.nodes.len() > MAX_NODES;
        if is_cut {
            builder.nodes.truncate(1);
            builder.nodes[0].next.clear();
        }
        Self { nodes: builder.nodes, is_cut }
    }

    /// A node.
    #[must_use]
    pub fn node(&self, id: NodeId) -> &Node<'p, 't> {
        &self.nodes[id.0 as usize]
    }

    /// Every node with its id.
    pub fn all(&self) -> impl Iterator<Item = (NodeId, &Node<'p, 't>)> {
        self.nodes.iter().enumerate().map(|(index, node)| (NodeId(index as u32), node))
    }

    /// The node of a statement, or of what contains this place most closely.
    #[must_use]
    pub fn at(&self, span: Span) -> Option<NodeId> {
        let containing = self.all().filter(|(_, node)| {
            node.span.contains(span) && !matches!(node.kind, NodeKind::Exit(_) | NodeKind::Join)
        });
        containing.min_by_key(|(_, node)| node.span.end - node.span.start).map(|(id, _)| id)
    }

    /// Whether one node can be reached from the end of another, and not through `avoiding`.
    #[must_use]
    pub fn reaches(
        &self,
        from: NodeId,
        to: NodeId,
        avoiding: &dyn Fn(&Node<'p, 't>) -> bool,
    ) -> bool {
        let mut seen = vec![false; self.nodes.len()];
        let mut open = vec![from];
        while let Some(id) = open.pop() {
            for edge in &self.node(id).next {
                if edge.to == to {
                    return true;
                }
                let index = edge.to.0 as usize;
                if !seen[index] && !avoiding(self.node(edge.to)) {
                    seen[index] = true;
                    open.push(edge.to);
                }
            }
        }
        false
    }

    /// Whether it can be run again after it has run: a statement in a loop that does not always leave it.
    #[must_use]
    pub fn repeats(&self, id: NodeId) -> bool {
        self.reaches(id, id, &|_| false)
    }
}

/// An end that leads to whatever comes next, and what holds then.
type End<'p, 't> = (NodeId, Option<Fact<'p, 't>>);

struct Builder<'b, 'p, 't> {
    nodes: Vec<Node<'p, 't>>,
    open: Vec<End<'p, 't>>,
    targets: Vec<Loop<'p, 't>>,
    labels: HashMap<&'t str, NodeId>,
    gotos: Vec<(NodeId, &'t str)>,
    loops: u32,
    ends: &'b dyn Fn(&'p Expression<'t>) -> CallEnd,
}

/// What `break` and `continue` leave and go on with.
struct Loop<'p, 't> {
    label: Option<&'t str>,
    breaks: Vec<End<'p, 't>>,
    /// None for a switch and a select.
    continues: Option<NodeId>,
}

impl<'p, 't> Builder<'_, 'p, 't> {
    fn node(&mut self, kind: NodeKind<'p, 't>, span: Span) -> NodeId {
        let id = NodeId(self.nodes.len() as u32);
        self.nodes.push(Node { kind, span, next: Vec::new(), loops: self.loops });
        for (from, when) in std::mem::take(&mut self.open) {
            self.nodes[from.0 as usize].next.push(Edge { to: id, when });
        }
        self.open.push((id, None));
        id
    }

    fn exit(&mut self, exit: Exit, span: Span) {
        self.node(NodeKind::Exit(exit), span);
        self.open.clear();
    }

    fn edge(&mut self, from: NodeId, to: NodeId) {
        self.nodes[from.0 as usize].next.push(Edge { to, when: None });
    }

    /// What leads to whatever comes next leads there instead.
    fn connect(&mut self, to: NodeId) {
        for (from, when) in std::mem::take(&mut self.open) {
            self.nodes[from.0 as usize].next.push(Edge { to, when });
        }
    }

    fn block(&mut self, block: &'p Block<'t>) {
        self.statements(&block.statements);
    }

    fn statements(&mut self, statements: &'p [Statement<'t>]) {
        for statement in statements {
            if self.nodes.len() > MAX_NODES {
                return;
            }
            self.statement(statement, None);
        }
    }

    fn statement(&mut self, statement: &'p Statement<'t>, label: Option<&'t str>) {
        match &statement.kind {
            StatementKind::Block(block) => self.block(block),
            StatementKind::If(it) => self.if_statement(it),
            StatementKind::Switch(it) => self.switch(it, label),
            StatementKind::Select(it) => self.select(it, statement.span, label),
            StatementKind::For(it) => self.for_statement(it, statement.span, label),
            StatementKind::Range(it) => self.range(it, statement.span, label),
            StatementKind::Labeled { label, statement } => {
                let join = self.node(NodeKind::Join, label.span);
                self.labels.insert(label.name, join);
                self.statement(statement, Some(label.name));
            }
            StatementKind::Branch { kind, label } => {
                self.branch(*kind, label.map(|label| label.name), statement);
            }
            StatementKind::Return(_) => {
                self.node(NodeKind::Statement(statement), statement.span);
                self.exit(Exit::Return, statement.span);
            }
            StatementKind::Expression(expression) => {
                self.node(NodeKind::Statement(statement), statement.span);
                match (self.ends)(expression) {
                    CallEnd::Returns => {}
                    CallEnd::Panics => self.exit(Exit::Panic, statement.span),
                    CallEnd::Exits => self.exit(Exit::Process, statement.span),
                }
            }
            StatementKind::Empty => {}
            _ => {
                self.node(NodeKind::Statement(statement), statement.span);
            }
        }
    }

    fn branch(&mut self, kind: BranchKind, label: Option<&'t str>, statement: &'p Statement<'t>) {
        let from = self.node(NodeKind::Statement(statement), statement.span);
        let open = std::mem::take(&mut self.open);
        let found = self.targets.iter_mut().rev().find(|target| match (kind, label) {
            (_, Some(label)) => target.label == Some(label),
            (BranchKind::Continue, None) => target.continues.is_some(),
            _ => true,
        });
        match (kind, found) {
            (BranchKind::Break, Some(target)) => target.breaks.extend(open),
            (BranchKind::Continue, Some(target)) => {
                if let Some(to) = target.continues {
                    self.edge(from, to);
                }
            }
            (BranchKind::Goto, _) => self.gotos.extend(label.map(|label| (from, label))),
            // The next case is what comes next.
            (BranchKind::Fallthrough, _) => self.open = open,
            _ => {}
        }
    }

    /// A condition: the ends where it holds, and those where it does not.
    fn condition(&mut self, condition: &'p Expression<'t>) -> (Vec<End<'p, 't>>, Vec<End<'p, 't>>) {
        let bare = condition.bare();
        match &bare.kind {
            ExpressionKind::Unary { operator: UnaryOperator::Not, operand } => {
                let (holds, fails) = self.condition(operand);
                (fails, holds)
            }
            ExpressionKind::Binary { operator: BinaryOperator::LogicalAnd, left, right } => {
                let (holds, mut fails) = self.condition(left);
                self.open = holds;
                let (holds, more) = self.condition(right);
                fails.extend(more);
                (holds, fails)
            }
            ExpressionKind::Binary { operator: BinaryOperator::LogicalOr, left, right } => {
                let (mut holds, fails) = self.condition(left);
                self.open = fails;
                let (more, fails) = self.condition(right);
                holds.extend(more);
                (holds, fails)
            }
            _ => {
                let id = self.node(NodeKind::Condition(bare), bare.span);
                self.open.clear();
                let end = |holds| vec![(id, Some(Fact { condition: bare, holds }))];
                match bare.as_name() {
                    Some("true") => (end(true), Vec::new()),
                    Some("false") => (Vec::new(), end(false)),
                    _ => (end(true), end(false)),
                }
            }
        }
    }

    fn if_statement(&mut self, it: &'p If<'t>) {
        it.init.iter().for_each(|init| self.statement(init, None));
        let (holds, fails) = self.condition(&it.condition);
        self.open = holds;
        self.block(&it.then);
        let after = std::mem::replace(&mut self.open, fails);
        it.otherwise.iter().for_each(|otherwise| self.statement(otherwise, None));
        self.open.extend(after);
    }

    fn switch(&mut self, it: &'p Switch<'t>, label: Option<&'t str>) {
        it.init.iter().for_each(|init| self.statement(init, None));
        self.targets.push(Loop { label, breaks: Vec::new(), continues: None });
        let has_tag = it.tag.is_some();
        if let Some(tag) = &it.tag {
            self.node(NodeKind::Tag(tag), tag.span);
        }
        // What leads to the next case's test; what fell through from the case before; what is done.
        let (mut after, mut fell) = (Vec::new(), Vec::new());
        let mut default = None;
        let mut untested = std::mem::take(&mut self.open);
        for case in &it.cases {
            if case.is_default {
                // Its own entry, which the tests lead to when all have failed.
                default = Some(self.node(NodeKind::Join, case.span));
            } else if has_tag || it.is_type_switch {
                let head = untested.clone();
                self.open = untested;
                self.node(NodeKind::Case(&case.expressions), case.span);
                untested = head;
            } else {
                self.open = std::mem::take(&mut untested);
                let mut holds = Vec::new();
                for expression in &case.expressions {
                    let (more, fails) = self.condition(expression);
                    holds.extend(more);
                    self.open = fails;
                }
                untested = std::mem::replace(&mut self.open, holds);
            }
            self.open.append(&mut fell);
            self.statements(&case.statements);
            let falls = matches!(
                case.statements.last().map(|last| &last.kind),
                Some(StatementKind::Branch { kind: BranchKind::Fallthrough, .. })
            );
            let ends = std::mem::take(&mut self.open);
            if falls {
                fell = ends;
            } else {
                after.extend(ends);
            }
        }
        self.open = untested;
        match default {
            Some(default) => self.connect(default),
            None => after.append(&mut self.open),
        }
        self.open = after;
        self.open.append(&mut fell);
        if let Some(target) = self.targets.pop() {
            self.open.extend(target.breaks);
        }
    }

    fn select(&mut self, it: &'p Select<'t>, span: Span, label: Option<&'t str>) {
        let head = self.node(NodeKind::Select(it), span);
        self.targets.push(Loop { label, breaks: Vec::new(), continues: None });
        self.open.clear();
        let mut after = Vec::new();
        for case in &it.cases {
            self.open = vec![(head, None)];
            if let Some(communication) = &case.communication {
                self.node(NodeKind::Communication(communication), communication.span);
            }
            self.statements(&case.statements);
            after.append(&mut self.open);
        }
        self.open = after;
        if let Some(target) = self.targets.pop() {
            self.open.extend(target.breaks);
        }
    }

    fn for_statement(&mut self, it: &'p For<'t>, span: Span, label: Option<&'t str>) {
        it.init.iter().for_each(|init| self.statement(init, None));
        self.loops += 1;
        let head = self.node(NodeKind::Join, Span::new(span.start, it.body.span.start));
        let fails = match &it.condition {
            Some(condition) => {
                let (holds, fails) = self.condition(condition);
                self.open = holds;
                fails
            }
            None => Vec::new(),
        };
        // `continue` leads to the post statement.
        let body_entry = std::mem::take(&mut self.open);
        let post = self.node(NodeKind::Join, it.body.closing());
        self.open.clear();
        self.open = body_entry;
        self.targets.push(Loop { label, breaks: Vec::new(), continues: Some(post) });
        self.block(&it.body);
        self.connect(post);
        self.open = vec![(post, None)];
        it.post.iter().for_each(|post| self.statement(post, None));
        self.connect(head);
        self.loops -= 1;
        self.open = fails;
        if let Some(target) = self.targets.pop() {
            self.open.extend(target.breaks);
        }
    }

    fn range(&mut self, it: &'p Range<'t>, span: Span, label: Option<&'t str>) {
        self.loops += 1;
        let head = self.node(NodeKind::Range(it), Span::new(span.start, it.body.span.start));
        self.targets.push(Loop { label, breaks: Vec::new(), continues: Some(head) });
        self.block(&it.body);
        self.connect(head);
        self.loops -= 1;
        self.open = vec![(head, None)];
        if let Some(target) = self.targets.pop() {
            self.open.extend(target.breaks);
        }
    }
}
