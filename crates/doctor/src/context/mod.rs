//! What a rule is given: one function at a time, with all that is known of it.

mod blocking;
mod defers;
mod ends;
mod roles;

use std::{
    cell::{OnceCell, RefCell},
    collections::HashMap,
    rc::Rc,
};

pub use blocking::Blocking;
pub(crate) use defers::leaves;
pub use defers::{Deferred, DeferredCall, is_release};
pub use roles::{LiteralRole, calls_recover};

use crate::{
    flow::{self, Acquired, CallEnd, Graph, Locks},
    package::{Declared, Package, SourceFile},
    syntax::{
        Span,
        ast::{
            Block, Call, Expression, ExpressionKind, FunctionLiteral, Signature, Statement,
            StatementKind,
        },
    },
    types::{Callee, Inference, Type, VariableId},
};

/// A package with what has been found out of its functions so far.
#[derive(Debug)]
pub struct PackageContext<'p, 't> {
    package: &'p Package<'p, 't>,
    inferences: RefCell<HashMap<FunctionKey, Rc<Inference<'p, 't>>>>,
    ends: RefCell<HashMap<FunctionKey, CallEnd>>,
}

/// A function of a package: its file's place in memory, and where it begins.
type FunctionKey = (usize, u32);

fn key(declared: Declared<'_, '_>) -> FunctionKey {
    (std::ptr::from_ref(declared.file) as usize, declared.function.span.start)
}

impl<'p, 't> PackageContext<'p, 't> {
    /// Of a package.
    #[must_use]
    pub fn new(package: &'p Package<'p, 't>) -> Self {
        Self { package, inferences: RefCell::default(), ends: RefCell::default() }
    }

    fn inference(&self, declared: Declared<'p, 't>) -> Rc<Inference<'p, 't>> {
        if let Some(known) = self.inferences.borrow().get(&key(declared)) {
            return Rc::clone(known);
        }
        let inference = Rc::new(Inference::new(self.package, declared.file, declared.function));
        self.inferences.borrow_mut().insert(key(declared), Rc::clone(&inference));
        inference
    }

    /// A function and every function without a name within, the outer before the inner.
    pub fn functions<'c>(&'c self, declared: Declared<'p, 't>) -> Vec<FunctionContext<'c, 'p, 't>> {
        let outer = self.function(declared);
        let mut functions = vec![];
        let Some(body) = &declared.function.body else { return functions };
        let mut literals = Vec::new();
        roles::collect(body, None, &mut literals);
        functions.push(outer);
        for literal in literals {
            let mut context = self.function(declared);
            context.literal = Some(literal);
            functions.push(context);
        }
        functions
    }

    fn function<'c>(&'c self, declared: Declared<'p, 't>) -> FunctionContext<'c, 'p, 't> {
        FunctionContext {
            package: self.package,
            file: declared.file,
            declared,
            literal: None,
            inference: self.inference(declared),
            graph: OnceCell::new(),
            locks: OnceCell::new(),
            acquired: OnceCell::new(),
            shared: self,
        }
    }
}

/// A function without a name, where it stands.
#[derive(Clone, Debug)]
pub struct LiteralPlace<'p, 't> {
    /// The whole literal, from `func`.
    pub span: Span,
    /// The literal.
    pub literal: &'p FunctionLiteral<'t>,
    /// What is done with it.
    pub role: LiteralRole<'p, 't>,
    /// The literal that it is in; none directly in the declared function.
    pub outer: Option<Rc<LiteralPlace<'p, 't>>>,
}

/// One function, or one function without a name in it, with all that is known of it.
#[derive(Debug)]
pub struct FunctionContext<'c, 'p, 't> {
    /// The package.
    pub package: &'p Package<'p, 't>,
    /// The file.
    pub file: &'p SourceFile<'t>,
    /// The declared function, which this is or is in.
    pub declared: Declared<'p, 't>,
    /// None for the declared function itself.
    pub literal: Option<Rc<LiteralPlace<'p, 't>>>,
    /// Types and variables of the declared function and all within.
    pub inference: Rc<Inference<'p, 't>>,
    graph: OnceCell<Graph<'p, 't>>,
    locks: OnceCell<Locks>,
    acquired: OnceCell<Vec<Acquired<'p, 't>>>,
    shared: &'c PackageContext<'p, 't>,
}

impl<'c, 'p, 't> FunctionContext<'c, 'p, 't> {
    /// The context of another function of the package.
    #[must_use]
    pub fn of(&self, declared: Declared<'p, 't>) -> FunctionContext<'c, 'p, 't> {
        self.shared.function(declared)
    }

    /// Its body.
    #[must_use]
    pub fn body(&self) -> &'p Block<'t> {
        match &self.literal {
            Some(place) => &place.literal.body,
            // Only functions with a body have a context that rules see; see `PackageContext::functions`.
            None => self.declared.function.body.as_ref().unwrap_or(&EMPTY),
        }
    }

    /// Its parameters and results.
    #[must_use]
    pub fn signature(&self) -> &'p Signature<'t> {
        match &self.literal {
            Some(place) => &place.literal.signature,
            None => &self.declared.function.signature,
        }
    }

    /// What messages call it: its name, or `a function in NAME`.
    #[must_use]
    pub fn name(&self) -> String {
        let name = self.declared.function.name.name;
        match &self.literal {
            Some(_) => format!("a function in {name}"),
            None => name.to_owned(),
        }
    }

    /// The mark of this function in [`Variable::function`](crate::types::Variable::function).
    #[must_use]
    pub fn mark(&self) -> u32 {
        self.literal.as_ref().map_or(0, |place| place.span.start)
    }

    /// Whether it is in a test file.
    #[must_use]
    pub fn is_test(&self) -> bool {
        self.file.is_test()
    }

    /// Which statement can follow on which.
    #[must_use]
    pub fn graph(&self) -> &Graph<'p, 't> {
        self.graph.get_or_init(|| Graph::new(self.body(), &|call| self.call_end(call)))
    }

    /// Which locks are held where.
    #[must_use]
    pub fn locks(&self) -> &Locks {
        self.locks.get_or_init(|| Locks::new(self))
    }

    /// What it opens, that has to be released.
    #[must_use]
    pub fn acquired(&self) -> &[Acquired<'p, 't>] {
        self.acquired.get_or_init(|| flow::acquired(self))
    }

    /// What a call calls.
    #[must_use]
    pub fn callee(&self, call: &'p Call<'t>) -> Callee<'p, 't> {
        self.inference.callee(call)
    }

    /// What an expression is.
    #[must_use]
    pub fn type_of(&self, expression: &Expression<'t>) -> Type<'t> {
        self.inference.type_of(expression)
    }

    /// The variable that an expression is.
    #[must_use]
    pub fn variable(&self, expression: &Expression<'t>) -> Option<VariableId> {
        self.inference.resolution.of(expression)
    }

    /// The text of a place in the file.
    #[must_use]
    pub fn text(&self, span: Span) -> &'t str {
        span.of(self.file.text)
    }

    /// The line of a place, from 1.
    #[must_use]
    pub fn line(&self, span: Span) -> u32 {
        self.file.lines.line(span.start)
    }

    /// Every call of this function, in the order of the text; not those in functions within.
    #[must_use]
    pub fn calls(&self) -> Vec<(&'p Expression<'t>, &'p Call<'t>)> {
        let mut calls = Vec::new();
        self.body().walk_expressions(&mut |expression| {
            if let ExpressionKind::Call(call) = &expression.kind {
                calls.push((expression, &**call));
            }
        });
        calls
    }

    /// Whether a statement gives a variable another value.
    #[must_use]
    pub fn writes(&self, statement: &Statement<'t>, variable: VariableId) -> bool {
        let is_it = |expression: &Expression<'t>| self.variable(expression) == Some(variable);
        match &statement.kind {
            StatementKind::Assign(assign) => assign.left.iter().any(is_it),
            StatementKind::IncrementDecrement { operand, .. } => is_it(operand),
            _ => false,
        }
    }
}

/// A body that has nothing in it.
static EMPTY: Block<'static> = Block { statements: Vec::new(), span: Span::new(0, 0) };
