//! The tree of a Go file, after the language's specification and with the names of `go/ast` in words.
//!
//! Names borrow from the text. Every node has the [`Span`] of its text, so that a fix can cut and
//! paste the source instead of printing the tree. What could not be read is a `Bad` node, and its
//! reason stands in [`File::errors`].

use super::Span;

/// A source file.
#[derive(Clone, Debug, Default)]
pub struct File<'t> {
    /// The name in the package clause; empty when there is none.
    pub package: Identifier<'t>,
    /// The imports, in order.
    pub imports: Vec<Import<'t>>,
    /// The declarations at the top level, imports left out, in order.
    pub declarations: Vec<Declaration<'t>>,
    /// Every comment, in order; its text includes the `//` or `/* */`.
    pub comments: Vec<Span>,
    /// What could not be read, in order. Bounded by `MAX_ERRORS` of the parser.
    pub errors: Vec<SyntaxError>,
}

/// Something in a file that is not Go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SyntaxError {
    /// Where it was noticed.
    pub span: Span,
    /// What was expected and what was found: a lower-case fragment.
    pub message: String,
}

/// A name at its place.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Identifier<'t> {
    /// The name; `_` for the blank identifier, empty where it is missing.
    pub name: &'t str,
    /// Its place.
    pub span: Span,
}

/// An import.
#[derive(Clone, Debug)]
pub struct Import<'t> {
    /// The name given to it, `.` and `_` included.
    pub alias: Option<Identifier<'t>>,
    /// The path, without quotes.
    pub path: &'t str,
    /// The whole spec.
    pub span: Span,
}

/// A declaration at the top level or in a function.
#[derive(Clone, Debug)]
pub enum Declaration<'t> {
    /// `func F() {}` or `func (r T) M() {}`; at the top level only.
    Function(Box<Function<'t>>),
    /// `const` or `var`, one spec or a group.
    Values(Values<'t>),
    /// `type`, one spec or a group.
    Types(Types<'t>),
    /// What could not be read.
    Bad(Span),
}

/// A `const` or `var` declaration.
#[derive(Clone, Debug)]
pub struct Values<'t> {
    /// Which of the two.
    pub kind: ValueKind,
    /// Its specs.
    pub specs: Vec<ValueSpec<'t>>,
    /// The whole declaration.
    pub span: Span,
}

/// Which values a declaration declares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ValueKind {
    /// `const`
    Constant,
    /// `var`
    Variable,
}

/// `a, b T = x, y`
#[derive(Clone, Debug)]
pub struct ValueSpec<'t> {
    /// The names.
    pub names: Vec<Identifier<'t>>,
    /// The type, where one is written.
    pub ty: Option<Expression<'t>>,
    /// The values, where there are any.
    pub values: Vec<Expression<'t>>,
    /// The whole spec.
    pub span: Span,
}

/// A `type` declaration.
#[derive(Clone, Debug)]
pub struct Types<'t> {
    /// Its specs.
    pub specs: Vec<TypeSpec<'t>>,
    /// The whole declaration.
    pub span: Span,
}

/// `Name[P any] = Type`
#[derive(Clone, Debug)]
pub struct TypeSpec<'t> {
    /// The name.
    pub name: Identifier<'t>,
    /// Its type parameters.
    pub type_parameters: Vec<Parameter<'t>>,
    /// Whether it is an alias (`=`).
    pub is_alias: bool,
    /// The type.
    pub ty: Expression<'t>,
    /// The whole spec.
    pub span: Span,
}

/// A function or a method.
#[derive(Clone, Debug)]
pub struct Function<'t> {
    /// Its name.
    pub name: Identifier<'t>,
    /// The receiver of a method.
    pub receiver: Option<Parameter<'t>>,
    /// Type parameters, of functions and (Go 1.27) of methods.
    pub type_parameters: Vec<Parameter<'t>>,
    /// Parameters and results.
    pub signature: Signature<'t>,
    /// The body; none for a function written elsewhere.
    pub body: Option<Block<'t>>,
    /// From `func` to the end.
    pub span: Span,
}

/// Parameters and results.
#[derive(Clone, Debug, Default)]
pub struct Signature<'t> {
    /// The parameters, one for each group of names that share a type.
    pub parameters: Vec<Parameter<'t>>,
    /// The results, likewise.
    pub results: Vec<Parameter<'t>>,
    /// From the opening parenthesis to the end of the results.
    pub span: Span,
}

/// `a, b T`, `T`, `args ...T`; also a receiver, a type parameter with its constraint.
#[derive(Clone, Debug)]
pub struct Parameter<'t> {
    /// Its names; none when only a type is written.
    pub names: Vec<Identifier<'t>>,
    /// The type; [`ExpressionKind::Ellipsis`] for a variadic one.
    pub ty: Expression<'t>,
}

/// `{ … }`
#[derive(Clone, Debug, Default)]
pub struct Block<'t> {
    /// The statements; empty ones left out.
    pub statements: Vec<Statement<'t>>,
    /// From `{` to `}`, both included.
    pub span: Span,
}

/// A statement.
#[derive(Clone, Debug)]
pub struct Statement<'t> {
    /// What it is.
    pub kind: StatementKind<'t>,
    /// Its text.
    pub span: Span,
}

/// The kinds of statement.
#[derive(Clone, Debug)]
pub enum StatementKind<'t> {
    /// What could not be read.
    Bad,
    /// Nothing: `for {;}` and the like.
    Empty,
    /// An expression for its effect.
    Expression(Expression<'t>),
    /// `channel <- value`
    Send {
        /// The channel.
        channel: Expression<'t>,
        /// The value.
        value: Expression<'t>,
    },
    /// `x++`, `x--`
    IncrementDecrement {
        /// The operand.
        operand: Expression<'t>,
        /// Whether it is `++`.
        increment: bool,
    },
    /// `a, b = x, y`, `a := x`, `a += x`
    Assign(Assign<'t>),
    /// `go call()`
    Go(Expression<'t>),
    /// `defer call()`
    Defer(Expression<'t>),
    /// `return a, b`
    Return(Vec<Expression<'t>>),
    /// `break`, `continue`, `goto`, `fallthrough`
    Branch {
        /// Which.
        kind: BranchKind,
        /// Where to, if it is said.
        label: Option<Identifier<'t>>,
    },
    /// `{ … }`
    Block(Block<'t>),
    /// `if`
    If(Box<If<'t>>),
    /// `switch` over values; over types with [`Switch::is_type_switch`].
    Switch(Box<Switch<'t>>),
    /// `select`
    Select(Select<'t>),
    /// `for` with a condition, three clauses or none.
    For(Box<For<'t>>),
    /// `for … range`
    Range(Box<Range<'t>>),
    /// `label: statement`
    Labeled {
        /// The label.
        label: Identifier<'t>,
        /// What it labels.
        statement: Box<Statement<'t>>,
    },
    /// A declaration in a function.
    Declaration(Box<Declaration<'t>>),
}

/// An assignment.
#[derive(Clone, Debug)]
pub struct Assign<'t> {
    /// What is assigned to.
    pub left: Vec<Expression<'t>>,
    /// How.
    pub operator: AssignOperator,
    /// Where the operator stands.
    pub operator_span: Span,
    /// What is assigned.
    pub right: Vec<Expression<'t>>,
}

/// How an assignment assigns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AssignOperator {
    /// `=`
    Assign,
    /// `:=`
    Define,
    /// `+=` and its kind.
    Compound(BinaryOperator),
}

/// The kinds of branch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BranchKind {
    /// `break`
    Break,
    /// `continue`
    Continue,
    /// `goto`
    Goto,
    /// `fallthrough`
    Fallthrough,
}

/// `if init; condition { … } else …`
#[derive(Clone, Debug)]
pub struct If<'t> {
    /// The statement before the condition.
    pub init: Option<Statement<'t>>,
    /// The condition.
    pub condition: Expression<'t>,
    /// What is done when it holds.
    pub then: Block<'t>,
    /// A [`StatementKind::Block`] or [`StatementKind::If`].
    pub otherwise: Option<Statement<'t>>,
}

/// `switch init; tag { case … }`
#[derive(Clone, Debug)]
pub struct Switch<'t> {
    /// The statement before the tag.
    pub init: Option<Statement<'t>>,
    /// The tag: an expression statement, or for a type switch `x.(type)` or `v := x.(type)`.
    pub tag: Option<Statement<'t>>,
    /// Whether it switches over types; the cases' expressions are then types.
    pub is_type_switch: bool,
    /// The cases.
    pub cases: Vec<Case<'t>>,
    /// From `{` to `}`.
    pub body: Span,
}

/// `case a, b: …` or `default: …`
#[derive(Clone, Debug)]
pub struct Case<'t> {
    /// The expressions; none for `default`.
    pub expressions: Vec<Expression<'t>>,
    /// Whether it is `default`.
    pub is_default: bool,
    /// What is done.
    pub statements: Vec<Statement<'t>>,
    /// From `case` to the last statement.
    pub span: Span,
}

/// `select { case … }`
#[derive(Clone, Debug)]
pub struct Select<'t> {
    /// The cases.
    pub cases: Vec<CommunicationCase<'t>>,
    /// From `{` to `}`.
    pub body: Span,
}

/// `case v := <-c: …`, `case c <- v: …` or `default: …`
#[derive(Clone, Debug)]
pub struct CommunicationCase<'t> {
    /// The send or receive; none for `default`.
    pub communication: Option<Statement<'t>>,
    /// What is done.
    pub statements: Vec<Statement<'t>>,
    /// From `case` to the last statement.
    pub span: Span,
}

/// `for init; condition; post { … }`
#[derive(Clone, Debug)]
pub struct For<'t> {
    /// Before the loop.
    pub init: Option<Statement<'t>>,
    /// The condition; none loops for ever.
    pub condition: Option<Expression<'t>>,
    /// After each turn.
    pub post: Option<Statement<'t>>,
    /// The body.
    pub body: Block<'t>,
}

/// `for key, value := range operand { … }`
#[derive(Clone, Debug)]
pub struct Range<'t> {
    /// The first variable.
    pub key: Option<Expression<'t>>,
    /// The second.
    pub value: Option<Expression<'t>>,
    /// Whether they are declared here (`:=`).
    pub defines: bool,
    /// What is ranged over.
    pub operand: Expression<'t>,
    /// The body.
    pub body: Block<'t>,
}

/// An expression or a type: Go's grammar does not tell them apart.
#[derive(Clone, Debug)]
pub struct Expression<'t> {
    /// What it is.
    pub kind: ExpressionKind<'t>,
    /// Its text.
    pub span: Span,
}

/// The kinds of expression and of type.
#[derive(Clone, Debug)]
pub enum ExpressionKind<'t> {
    /// What could not be read.
    Bad,
    /// A name.
    Identifier(&'t str),
    /// A number, a rune or a string, as written.
    Literal(LiteralKind),
    /// `T{a, k: v}`; no type within another composite literal.
    Composite {
        /// The type.
        ty: Option<Box<Expression<'t>>>,
        /// The elements.
        elements: Vec<Expression<'t>>,
    },
    /// `key: value` in a composite literal.
    KeyValue {
        /// The key.
        key: Box<Expression<'t>>,
        /// The value.
        value: Box<Expression<'t>>,
    },
    /// `func() { … }`
    Function(Box<FunctionLiteral<'t>>),
    /// `(x)`
    Parenthesized(Box<Expression<'t>>),
    /// `x.name`
    Selector {
        /// What is selected from.
        operand: Box<Expression<'t>>,
        /// What is selected.
        name: Identifier<'t>,
    },
    /// `x[i]`, `F[T, U]`
    Index {
        /// What is indexed or instantiated.
        operand: Box<Expression<'t>>,
        /// The index or the type arguments.
        indices: Vec<Expression<'t>>,
    },
    /// `x[low:high:max]`
    Slice {
        /// What is sliced.
        operand: Box<Expression<'t>>,
        /// The bounds that are given.
        bounds: [Option<Box<Expression<'t>>>; 3],
    },
    /// `x.(T)`; no type for `x.(type)`.
    TypeAssertion {
        /// What is asserted about.
        operand: Box<Expression<'t>>,
        /// The type.
        ty: Option<Box<Expression<'t>>>,
    },
    /// `f(a, b...)`; also a conversion.
    Call(Box<Call<'t>>),
    /// `*x`: a dereference or a pointer type.
    Star(Box<Expression<'t>>),
    /// `-x`, `&x`, `<-c` …
    Unary {
        /// Which.
        operator: UnaryOperator,
        /// On what.
        operand: Box<Expression<'t>>,
    },
    /// `x + y` …
    Binary {
        /// Which.
        operator: BinaryOperator,
        /// The left operand.
        left: Box<Expression<'t>>,
        /// The right one.
        right: Box<Expression<'t>>,
    },
    /// `...T` in parameters, `...` in an array's length.
    Ellipsis(Option<Box<Expression<'t>>>),
    /// `[n]T`, `[]T`
    Array {
        /// The length; none for a slice.
        length: Option<Box<Expression<'t>>>,
        /// The element type.
        element: Box<Expression<'t>>,
    },
    /// `struct { … }`
    Struct(Vec<Field<'t>>),
    /// `func(a T) U` as a type.
    FunctionType(Box<Signature<'t>>),
    /// `interface { … }`
    Interface(Vec<InterfaceElement<'t>>),
    /// `map[K]V`
    Map {
        /// The key type.
        key: Box<Expression<'t>>,
        /// The value type.
        value: Box<Expression<'t>>,
    },
    /// `chan T`, `<-chan T`, `chan<- T`
    Channel {
        /// What it may be used for.
        direction: ChannelDirection,
        /// The element type.
        element: Box<Expression<'t>>,
    },
}

/// A call or a conversion.
#[derive(Clone, Debug)]
pub struct Call<'t> {
    /// What is called.
    pub function: Expression<'t>,
    /// With what.
    pub arguments: Vec<Expression<'t>>,
    /// Whether the last argument is spread (`...`).
    pub spreads: bool,
    /// The parentheses, both included.
    pub parentheses: Span,
}

/// A function without a name.
#[derive(Clone, Debug)]
pub struct FunctionLiteral<'t> {
    /// Parameters and results.
    pub signature: Signature<'t>,
    /// The body.
    pub body: Block<'t>,
}

/// A field of a struct.
#[derive(Clone, Debug)]
pub struct Field<'t> {
    /// Its names; none when it is embedded.
    pub names: Vec<Identifier<'t>>,
    /// Its type.
    pub ty: Expression<'t>,
    /// Its tag, quotes included.
    pub tag: Option<Span>,
    /// The whole field.
    pub span: Span,
}

/// What an interface is made of.
#[derive(Clone, Debug)]
pub enum InterfaceElement<'t> {
    /// `Name(parameters) results`
    Method {
        /// The name.
        name: Identifier<'t>,
        /// Parameters and results.
        signature: Signature<'t>,
    },
    /// An embedded interface or a union of types (a tree of `|` and `~`).
    Embedded(Expression<'t>),
}

/// What a channel may be used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChannelDirection {
    /// `chan T`
    Both,
    /// `chan<- T`
    Send,
    /// `<-chan T`
    Receive,
}

/// The kinds of literal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LiteralKind {
    /// `42`
    Integer,
    /// `4.2`
    Float,
    /// `4i`
    Imaginary,
    /// `'x'`
    Rune,
    /// `"x"` or `` `x` ``
    String,
}

/// The operators before an operand; `*` is [`ExpressionKind::Star`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UnaryOperator {
    /// `+`
    Plus,
    /// `-`
    Minus,
    /// `!`
    Not,
    /// `^`
    Complement,
    /// `&`
    Address,
    /// `<-`
    Receive,
    /// `~` in a constraint
    Tilde,
}

/// The operators between two operands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "each is its operator's name in go/token")]
pub enum BinaryOperator {
    Add,
    Subtract,
    Multiply,
    Quotient,
    Remainder,
    And,
    Or,
    ExclusiveOr,
    ShiftLeft,
    ShiftRight,
    AndNot,
    LogicalAnd,
    LogicalOr,
    Equal,
    NotEqual,
    Less,
    LessEqual,
    Greater,
    GreaterEqual,
}
