//! What an expression is.

use super::{
    Resolution, Type,
    resolve::resolve,
    table::{self, Entry},
};
use crate::{
    package::{Declared, Package, SourceFile, receiver_name},
    syntax::{
        Span,
        ast::{
            BinaryOperator, Block, Call, Expression, ExpressionKind, Function, FunctionLiteral,
            InterfaceElement, LiteralKind, UnaryOperator,
        },
    },
};

/// How many package variables are followed to know what one of them is.
const MAX_FOLLOWED: u32 = 4;

/// What is known of the expressions of a function.
#[derive(Debug)]
pub struct Inference<'p, 't> {
    /// The package.
    pub package: &'p Package<'p, 't>,
    /// The file.
    pub file: &'p SourceFile<'t>,
    /// Its variables.
    pub resolution: Resolution<'p, 't>,
}

/// What is called.
#[derive(Clone, Debug)]
pub struct Callee<'p, 't> {
    /// The import path of its package; empty for the package that is analysed and where it is not
    /// known.
    pub package: &'t str,
    /// The type of the receiver of a method; empty where it is not known.
    pub receiver: Option<&'t str>,
    /// Its name; empty for a function without one.
    pub name: &'t str,
    /// Where the package itself declares it.
    pub declared: Option<Declared<'p, 't>>,
    /// What the table says of it.
    pub entry: Option<Entry>,
    /// The function without a name that is called.
    pub literal: Option<&'p FunctionLiteral<'t>>,
}

impl<'p, 't> Callee<'p, 't> {
    /// Its body, where it is in the package: that of the function without a name, or of the declared one.
    #[must_use]
    pub fn body(&self) -> Option<&'p Block<'t>> {
        match self.literal {
            Some(literal) => Some(&literal.body),
            None => self.declared?.function.body.as_ref(),
        }
    }

    /// Whether it is this function of this package.
    #[must_use]
    pub fn is(&self, package: &str, name: &str) -> bool {
        self.receiver.is_none() && self.package == package && self.name == name
    }

    /// Whether it is this method of this type.
    #[must_use]
    pub fn is_method(&self, package: &str, ty: &str, name: &str) -> bool {
        self.receiver == Some(ty) && self.package == package && self.name == name
    }

    /// Whether it is a builtin: `append`, `close`, `panic`.
    #[must_use]
    pub fn is_builtin(&self, name: &str) -> bool {
        self.is("builtin", name)
    }

    /// As messages name it: `os.Open`, `(*sql.DB).Query`, `close`.
    #[must_use]
    pub fn written(&self) -> String {
        let package = crate::package::default_name(self.package);
        match (self.receiver, package) {
            (None, "" | "builtin") => self.name.to_owned(),
            (None, package) => format!("{package}.{}", self.name),
            (Some(""), _) => self.name.to_owned(),
            (Some(ty), "") => format!("{ty}.{}", self.name),
            (Some(ty), package) => format!("{package}.{ty}.{}", self.name),
        }
    }
}

impl<'p, 't> Inference<'p, 't> {
    /// Of a function.
    #[must_use]
    pub fn new(
        package: &'p Package<'p, 't>,
        file: &'p SourceFile<'t>,
        function: &'p Function<'t>,
    ) -> Self {
        resolve(package, file, function)
    }

    /// The type that is written.
    #[must_use]
    pub fn read_type(&self, written: &Expression<'t>) -> Type<'t> {
        Type::read(written, &self.file.imports, "")
    }

    /// Whether a composite literal of this type has keys that are values: a map, a slice, an array.
    pub(super) fn is_collection(&self, ty: &Expression<'t>) -> bool {
        match &ty.bare().kind {
            ExpressionKind::Map { .. } | ExpressionKind::Array { .. } => true,
            ExpressionKind::Identifier(name) => self.package.ty(name).is_some_and(|(_, spec)| {
                matches!(spec.ty.kind, ExpressionKind::Map { .. } | ExpressionKind::Array { .. })
            }),
            _ => false,
        }
    }

    /// What the two variables of a `range` are.
    pub(super) fn ranged(&self, operand: &Expression<'t>) -> (Type<'t>, Type<'t>) {
        match self.type_of(operand) {
            Type::List(element) => (Type::Basic("int"), (*element).clone()),
            Type::Map(both) => (both.0.clone(), both.1.clone()),
            Type::Channel(element) => ((*element).clone(), Type::Unknown),
            _ => (Type::Unknown, Type::Unknown),
        }
    }

    /// What an expression is.
    #[must_use]
    pub fn type_of(&self, expression: &Expression<'t>) -> Type<'t> {
        self.infer(expression, MAX_FOLLOWED)
    }

    /// As [`type_of`](Self::type_of), where several values are asked for: with the `ok` of an index, of a
    /// receive and of an assertion.
    #[must_use]
    pub fn type_of_several(&self, expression: &Expression<'t>) -> Type<'t> {
        let ty = self.type_of(expression);
        match expression.bare().kind {
            ExpressionKind::Index { .. }
            | ExpressionKind::TypeAssertion { .. }
            | ExpressionKind::Unary { operator: UnaryOperator::Receive, .. } => {
                Type::Tuple([ty, Type::Basic("bool")].into())
            }
            _ => ty,
        }
    }

    fn infer(&self, expression: &Expression<'t>, follow: u32) -> Type<'t> {
        match &expression.kind {
            ExpressionKind::Identifier(name) => self.type_of_name(name, expression.span, follow),
            ExpressionKind::Literal(kind) => Type::Basic(match kind {
                LiteralKind::Integer => "int",
                LiteralKind::Float => "float64",
                LiteralKind::Imaginary => "complex128",
                LiteralKind::Rune => "rune",
                LiteralKind::String => "string",
            }),
            ExpressionKind::Composite { ty: Some(ty), .. } => self.read_type(ty),
            ExpressionKind::Function(literal) => {
                Type::Function(Type::results(&literal.signature, &self.file.imports, "").into())
            }
            ExpressionKind::Parenthesized(inner) => self.infer(inner, follow),
            ExpressionKind::Selector { operand, name } => {
                self.type_of_selector(operand, name.name, follow)
            }
            ExpressionKind::Index { operand, .. } => match self.infer(operand, follow) {
                Type::List(element) => (*element).clone(),
                Type::Map(both) => both.1.clone(),
                // A function with its type arguments.
                function @ Type::Function(_) => function,
                _ => Type::Unknown,
            },
            ExpressionKind::Slice { operand, .. } => self.infer(operand, follow),
            ExpressionKind::TypeAssertion { ty: Some(ty), .. } => self.read_type(ty),
            ExpressionKind::Call(call) => self.type_of_call(call, follow),
            ExpressionKind::Star(inner) => self.infer(inner, follow).pointee().clone(),
            ExpressionKind::Unary { operator, operand } => match operator {
                UnaryOperator::Address => Type::Pointer(self.infer(operand, follow).into()),
                UnaryOperator::Receive => match self.infer(operand, follow) {
                    Type::Channel(element) => (*element).clone(),
                    _ => Type::Unknown,
                },
                UnaryOperator::Not => Type::Basic("bool"),
                _ => self.infer(operand, follow),
            },
            ExpressionKind::Binary { operator, left, right } => match operator {
                BinaryOperator::LogicalAnd
                | BinaryOperator::LogicalOr
                | BinaryOperator::Equal
                | BinaryOperator::NotEqual
                | BinaryOperator::Less
                | BinaryOperator::LessEqual
                | BinaryOperator::Greater
                | BinaryOperator::GreaterEqual => Type::Basic("bool"),
                _ => match self.infer(left, follow) {
                    // An untyped constant takes the other's type: `2 * time.Second`.
                    Type::Unknown | Type::Basic("int" | "float64") => self.infer(right, follow),
                    ty => ty,
                },
            },
            _ => Type::Unknown,
        }
    }

    fn type_of_name(&self, name: &'t str, span: Span, follow: u32) -> Type<'t> {
        if let Some(variable) = self.resolution.at(span) {
            return self.resolution.variable(variable).ty.clone();
        }
        if let Some(Declared { file, function }) = self.package.function(name) {
            return Type::Function(Type::results(&function.signature, &file.imports, "").into());
        }
        if let Some((file, spec, _)) = self.package.variable(name) {
            if let Some(ty) = &spec.ty {
                return Type::read(ty, &file.imports, "");
            }
            let index = spec.names.iter().position(|known| known.name == name).unwrap_or_default();
            let Some(follow) = follow.checked_sub(1) else { return Type::Unknown };
            let there = Self { package: self.package, file, resolution: Resolution::default() };
            return match &spec.values[..] {
                [value] if spec.names.len() > 1 => there.infer(value, follow).result(index),
                values => {
                    values.get(index).map(|value| there.infer(value, follow)).unwrap_or_default()
                }
            };
        }
        match name {
            "true" | "false" => Type::Basic("bool"),
            "nil" => Type::Basic("nil"),
            _ => Type::Unknown,
        }
    }

    /// The package that a name means here.
    #[must_use]
    pub fn imported(&self, expression: &Expression<'t>) -> Option<&'t str> {
        let name = expression.as_name()?;
        if self.resolution.of(expression).is_some() {
            return None;
        }
        self.file.imports.get(name).copied()
    }

    fn type_of_selector(&self, operand: &Expression<'t>, name: &'t str, follow: u32) -> Type<'t> {
        if let Some(package) = self.imported(operand) {
            return match table::function(package, name) {
                Some(entry) => Type::Function(entry.results().into()),
                None => table::variable(package, name).unwrap_or_default(),
            };
        }
        let ty = self.infer(operand, follow);
        let Some((package, owner)) = ty.name() else { return Type::Unknown };
        if !package.is_empty() {
            return table::field(package, owner, name).unwrap_or_else(|| {
                match table::method(package, owner, name) {
                    Some(entry) => Type::Function(entry.results().into()),
                    None => Type::Unknown,
                }
            });
        }
        match self.field(owner, name, MAX_FOLLOWED) {
            Type::Unknown => match self.method(owner, name) {
                Some((results, ..)) => Type::Function(results.into()),
                None => Type::Unknown,
            },
            ty => ty,
        }
    }

    /// The type of a field of a struct of the package; of what is embedded too.
    fn field(&self, owner: &str, name: &str, levels: u32) -> Type<'t> {
        let (Some((file, _)), Some(fields)) =
            (self.package.ty(owner), self.package.fields_of(owner))
        else {
            return Type::Unknown;
        };
        for field in fields {
            let named = field.names.iter().any(|known| known.name == name);
            let embedded = field.names.is_empty() && embedded_name(&field.ty) == Some(name);
            if named || embedded {
                return Type::read(&field.ty, &file.imports, "");
            }
        }
        let Some(levels) = levels.checked_sub(1) else { return Type::Unknown };
        let embedded = fields.iter().filter(|field| field.names.is_empty());
        let mut found =
            embedded.map(|field| match Type::read(&field.ty, &file.imports, "").name() {
                Some(("", owner)) => self.field(owner, name, levels),
                Some((package, owner)) => table::field(package, owner, name).unwrap_or_default(),
                None => Type::Unknown,
            });
        found.find(|ty| !ty.is_unknown()).unwrap_or_default()
    }

    /// The results of a method of a type of the package, and who has it.
    #[expect(clippy::type_complexity, reason = "read where it is made, twice")]
    fn method(
        &self,
        owner: &'t str,
        name: &'t str,
    ) -> Option<(Vec<Type<'t>>, Option<Declared<'p, 't>>, Option<(&'t str, &'t str, Entry)>)> {
        if let Some(declared) = self.package.method(owner, name) {
            let Declared { file, function } = declared;
            let results = Type::results(&function.signature, &file.imports, "");
            return Some((results, Some(declared), None));
        }
        let (file, _) = self.package.ty(owner)?;
        for element in self.package.interface_of(owner).into_iter().flatten() {
            match element {
                InterfaceElement::Method { name: known, signature } if known.name == name => {
                    return Some((Type::results(signature, &file.imports, ""), None, None));
                }
                InterfaceElement::Embedded(ty) => {
                    if let Some(found) = self.outside(ty, file, name) {
                        return Some(found);
                    }
                }
                InterfaceElement::Method { .. } => {}
            }
        }
        let embedded = self.package.fields_of(owner)?.iter().filter(|field| field.names.is_empty());
        embedded.into_iter().find_map(|field| self.outside(&field.ty, file, name))
    }

    #[expect(clippy::type_complexity, reason = "as above")]
    fn outside(
        &self,
        ty: &Expression<'t>,
        file: &SourceFile<'t>,
        name: &'t str,
    ) -> Option<(Vec<Type<'t>>, Option<Declared<'p, 't>>, Option<(&'t str, &'t str, Entry)>)> {
        let (package, owner) = Type::read(ty, &file.imports, "").name()?;
        let entry = table::method(package, owner, name)?;
        Some((entry.results(), None, Some((package, owner, entry))))
    }

    fn type_of_call(&self, call: &Call<'t>, follow: u32) -> Type<'t> {
        if let Some(name) = call.function.as_name()
            && self.resolution.of(&call.function).is_none()
            && self.package.function(name).is_none()
        {
            match (name, &call.arguments[..]) {
                ("make", [ty, ..]) => return self.read_type(ty),
                ("new", [ty]) => return Type::Pointer(self.read_type(ty).into()),
                ("append" | "min" | "max", [first, ..]) => return self.infer(first, follow),
                ("len" | "cap" | "copy", _) => return Type::Basic("int"),
                ("recover", _) => return Type::Basic("any"),
                _ => {}
            }
            let ty = self.read_type(&call.function);
            let is_type = matches!(ty, Type::Basic(_)) || self.package.ty(name).is_some();
            return if is_type { ty } else { Type::Unknown };
        }
        if is_type_syntax(call.function.bare()) {
            return self.read_type(call.function.bare());
        }
        match self.infer(&call.function, follow) {
            Type::Function(results) if results.len() == 1 => results[0].clone(),
            Type::Function(results) => Type::Tuple(results),
            _ => Type::Unknown,
        }
    }

    /// The types of the results of what a call calls; none where it is not known, or no function.
    #[must_use]
    pub fn type_of_function(&self, call: &Call<'t>) -> Option<std::sync::Arc<[Type<'t>]>> {
        match self.infer(&call.function, MAX_FOLLOWED) {
            Type::Function(results) => Some(results),
            _ => None,
        }
    }

    /// What a call calls.
    #[must_use]
    pub fn callee(&self, call: &'p Call<'t>) -> Callee<'p, 't> {
        let mut callee = Callee {
            package: "",
            receiver: None,
            name: "",
            declared: None,
            entry: None,
            literal: None,
        };
        let function = match &call.function.bare().kind {
            // Type arguments.
            ExpressionKind::Index { operand, .. } => operand.bare(),
            _ => call.function.bare(),
        };
        match &function.kind {
            ExpressionKind::Function(literal) => callee.literal = Some(literal),
            ExpressionKind::Identifier(name) => {
                callee.name = name;
                if self.resolution.of(function).is_none() {
                    callee.declared = self.package.function(name);
                    if callee.declared.is_none() && BUILTINS.contains(name) {
                        callee.package = "builtin";
                    }
                } else {
                    // A variable: which function it is, is not known.
                    callee.receiver = Some("");
                }
            }
            ExpressionKind::Selector { operand, name } => {
                callee.name = name.name;
                self.selected(operand, &mut callee);
            }
            _ => callee.receiver = Some(""),
        }
        callee
    }

    fn selected(&self, operand: &'p Expression<'t>, callee: &mut Callee<'p, 't>) {
        if let Some(package) = self.imported(operand) {
            callee.package = package;
            callee.entry = table::function(package, callee.name);
            return;
        }
        let Some((package, owner)) = self.type_of(operand).name() else {
            callee.receiver = Some("");
            return;
        };
        (callee.package, callee.receiver) = (package, Some(owner));
        if !package.is_empty() {
            callee.entry = table::method(package, owner, callee.name);
            return;
        }
        match self.method(owner, callee.name) {
            Some((_, _, Some((package, owner, entry)))) => {
                (callee.package, callee.receiver) = (package, Some(owner));
                callee.entry = Some(entry);
            }
            Some((_, declared, None)) => callee.declared = declared,
            None => {}
        }
    }
}

/// The functions that every file knows.
const BUILTINS: [&str; 18] = [
    "append", "cap", "clear", "close", "complex", "copy", "delete", "imag", "len", "make", "max",
    "min", "new", "panic", "print", "println", "real", "recover",
];

fn is_type_syntax(function: &Expression<'_>) -> bool {
    matches!(
        function.kind,
        ExpressionKind::Array { .. }
            | ExpressionKind::Map { .. }
            | ExpressionKind::Channel { .. }
            | ExpressionKind::Interface(_)
            | ExpressionKind::FunctionType(_)
            | ExpressionKind::Star(_)
    )
}

/// By which name an embedded type is selected: `T` of `package.T` and `*T`.
fn embedded_name<'t>(ty: &Expression<'t>) -> Option<&'t str> {
    match &ty.kind {
        ExpressionKind::Selector { name, .. } => Some(name.name),
        ExpressionKind::Star(inner) => embedded_name(inner),
        _ => receiver_name(ty),
    }
}
