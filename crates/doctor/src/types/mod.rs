//! What an expression is, as far as it can be known without the Go toolchain: from what is written,
//! from the package's own declarations, and from a table of signatures of other packages.
//!
//! What is not known is [`Type::Unknown`]: a rule that needs to know says nothing then.

mod infer;
mod resolve;
pub mod table;

use std::{collections::HashMap, sync::Arc};

pub use infer::{Callee, Inference};
pub use resolve::{Definition, Resolution, Use, UseKind, Variable, VariableId};

use crate::syntax::ast::{Expression, ExpressionKind, Parameter, Signature};

/// A type, cheap to clone.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Type<'t> {
    /// It is not known.
    #[default]
    Unknown,
    /// `int`, `string`, `error` …
    Basic(&'t str),
    /// A type by name.
    Named {
        /// The import path of its package; empty for the package that is analysed.
        package: &'t str,
        /// Its name.
        name: &'t str,
    },
    /// `*T`
    Pointer(Arc<Type<'t>>),
    /// `[]T` and `[n]T`
    List(Arc<Type<'t>>),
    /// `map[K]V`
    Map(Arc<(Type<'t>, Type<'t>)>),
    /// `chan T`, in any direction.
    Channel(Arc<Type<'t>>),
    /// A function, with the types of its results.
    Function(Arc<[Type<'t>]>),
    /// What a call of several results yields.
    Tuple(Arc<[Type<'t>]>),
    /// A struct or an interface without a name.
    Literal,
}

/// The types that every file knows.
const BASIC: [&str; 23] = [
    "any",
    "bool",
    "byte",
    "comparable",
    "complex128",
    "complex64",
    "error",
    "float32",
    "float64",
    "int",
    "int16",
    "int32",
    "int64",
    "int8",
    "rune",
    "string",
    "uint",
    "uint16",
    "uint32",
    "uint64",
    "uint8",
    "uintptr",
    "nil",
];

impl<'t> Type<'t> {
    /// The type that is written, in a file with these imports, of this package.
    #[must_use]
    pub fn read(
        written: &Expression<'t>,
        imports: &HashMap<&'t str, &'t str>,
        package: &'t str,
    ) -> Self {
        let read = |inner: &Expression<'t>| Arc::new(Self::read(inner, imports, package));
        match &written.kind {
            ExpressionKind::Identifier(name) => match BASIC.iter().find(|basic| *basic == name) {
                Some(basic) => Self::Basic(basic),
                None => Self::Named { package, name },
            },
            ExpressionKind::Selector { operand, name } => {
                match operand.as_name().and_then(|alias| imports.get(alias)) {
                    Some(package) => Self::Named { package, name: name.name },
                    None => Self::Unknown,
                }
            }
            ExpressionKind::Parenthesized(inner) => Self::read(inner, imports, package),
            ExpressionKind::Index { operand, .. } => Self::read(operand, imports, package),
            ExpressionKind::Star(inner) => Self::Pointer(read(inner)),
            ExpressionKind::Array { element, .. } => Self::List(read(element)),
            ExpressionKind::Ellipsis(Some(element)) => Self::List(read(element)),
            ExpressionKind::Map { key, value } => {
                let key = Self::read(key, imports, package);
                Self::Map(Arc::new((key, Self::read(value, imports, package))))
            }
            ExpressionKind::Channel { element, .. } => Self::Channel(read(element)),
            ExpressionKind::FunctionType(signature) => {
                Self::Function(Self::results(signature, imports, package).into())
            }
            ExpressionKind::Struct(_) | ExpressionKind::Interface(_) => Self::Literal,
            _ => Self::Unknown,
        }
    }

    /// The types of a signature's results.
    #[must_use]
    pub fn results(
        signature: &Signature<'t>,
        imports: &HashMap<&'t str, &'t str>,
        package: &'t str,
    ) -> Vec<Self> {
        Self::of_parameters(&signature.results, imports, package)
    }

    /// One type for each parameter.
    pub(crate) fn of_parameters(
        parameters: &[Parameter<'t>],
        imports: &HashMap<&'t str, &'t str>,
        package: &'t str,
    ) -> Vec<Self> {
        let mut types = Vec::new();
        for parameter in parameters {
            let ty = Self::read(&parameter.ty, imports, package);
            types.extend(std::iter::repeat_n(ty, parameter.names.len().max(1)));
        }
        types
    }

    /// What a pointer points to; anything else is itself.
    #[must_use]
    pub fn pointee(&self) -> &Self {
        match self {
            Self::Pointer(inner) => inner,
            other => other,
        }
    }

    /// Whether it is this type of this package.
    #[must_use]
    pub fn is_named(&self, package: &str, name: &str) -> bool {
        matches!(self, Self::Named { package: p, name: n } if *p == package && *n == name)
    }

    /// Whether it is this type, or a pointer to it.
    #[must_use]
    pub fn is_or_points_to(&self, package: &str, name: &str) -> bool {
        self.pointee().is_named(package, name)
    }

    /// Whether it is `error`.
    #[must_use]
    pub fn is_error(&self) -> bool {
        matches!(self, Self::Basic("error"))
    }

    /// Whether nothing is known of it.
    #[must_use]
    pub fn is_unknown(&self) -> bool {
        matches!(self, Self::Unknown)
    }

    /// The package and the name of it, or of what it points to.
    #[must_use]
    pub fn name(&self) -> Option<(&'t str, &'t str)> {
        match self.pointee() {
            Self::Named { package, name } => Some((package, name)),
            _ => None,
        }
    }

    /// What one result of several is; a single one is the first.
    #[must_use]
    pub fn result(&self, index: usize) -> Self {
        match self {
            Self::Tuple(types) => types.get(index).cloned().unwrap_or_default(),
            other if index == 0 => other.clone(),
            _ => Self::Unknown,
        }
    }

    /// As messages write it: `*os.File`.
    #[must_use]
    pub fn written(&self) -> String {
        match self {
            Self::Unknown => "?".to_owned(),
            Self::Basic(name) => (*name).to_owned(),
            Self::Named { package: "", name } => (*name).to_owned(),
            Self::Named { package, name } => {
                format!("{}.{name}", crate::package::default_name(package))
            }
            Self::Pointer(inner) => format!("*{}", inner.written()),
            Self::List(inner) => format!("[]{}", inner.written()),
            Self::Map(inner) => format!("map[{}]{}", inner.0.written(), inner.1.written()),
            Self::Channel(inner) => format!("chan {}", inner.written()),
            Self::Function(_) => "func".to_owned(),
            Self::Tuple(_) => "several values".to_owned(),
            Self::Literal => "a type without a name".to_owned(),
        }
    }
}
