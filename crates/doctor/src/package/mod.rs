//! The files of a package, and what they declare.

use std::collections::HashMap;

use crate::{
    syntax::{
        Lines,
        ast::{
            Declaration, Expression, ExpressionKind, Field, File, Function, InterfaceElement,
            TypeSpec, ValueKind, ValueSpec,
        },
        parse,
    },
    types::Type,
};

/// A file as it was read.
#[derive(Debug)]
pub struct SourceFile<'t> {
    /// Its path, as findings name it.
    pub path: &'t str,
    /// Its text.
    pub text: &'t str,
    /// Its tree.
    pub syntax: File<'t>,
    /// Where its lines begin.
    pub lines: Lines<'t>,
    /// The names by which it knows packages, with their import paths.
    pub imports: HashMap<&'t str, &'t str>,
}

impl<'t> SourceFile<'t> {
    /// Reads a file.
    #[must_use]
    pub fn new(path: &'t str, text: &'t str) -> Self {
        let syntax = parse(text);
        let imports = imports(&syntax);
        Self { path, text, syntax, lines: Lines::new(text), imports }
    }

    /// Every function and method of it that has a body, in the order of the text.
    pub fn bodies(&self) -> impl Iterator<Item = Declared<'_, 't>> {
        self.syntax.declarations.iter().filter_map(move |declaration| match declaration {
            Declaration::Function(function) if function.body.is_some() => {
                Some(Declared { file: self, function })
            }
            _ => None,
        })
    }

    /// Whether it is a test, or helps tests: `…_test.go`, or it imports `testing`.
    #[must_use]
    pub fn is_test(&self) -> bool {
        self.path.ends_with("_test.go") || self.syntax.imports.iter().any(|it| it.path == "testing")
    }
}

/// The names by which a file knows packages.
pub(crate) fn imports<'t>(file: &File<'t>) -> HashMap<&'t str, &'t str> {
    let mut names = HashMap::new();
    for import in &file.imports {
        let name = match import.alias {
            Some(alias) if alias.name == "_" || alias.name == "." => continue,
            Some(alias) => alias.name,
            None => default_name(import.path),
        };
        names.insert(name, import.path);
    }
    names
}

/// The name that a package most likely has: the last part of its path, without a version, without
/// `go-` before it or `.go` and `.vN` after it.
pub(crate) fn default_name(path: &str) -> &str {
    let mut parts = path.rsplit('/');
    let last = parts.next().unwrap_or(path);
    let is_version = last
        .strip_prefix('v')
        .is_some_and(|rest| !rest.is_empty() && rest.bytes().all(|byte| byte.is_ascii_digit()));
    let name = if is_version { parts.next().unwrap_or(last) } else { last };
    let name = name.split_once(".v").map_or(name, |(name, _)| name);
    let name = name.strip_suffix(".go").unwrap_or(name);
    let name = name.strip_prefix("go-").unwrap_or(name);
    name.strip_suffix("-go").unwrap_or(name)
}

/// What is known of the module that a package is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Module<'t> {
    /// Its path; empty where there is no `go.mod`.
    pub path: &'t str,
    /// The language version that its `go` line asks for: `(1, 22)`. From 1.22 on each turn of a loop
    /// has variables of its own.
    pub go: (u32, u32),
}

impl Default for Module<'_> {
    /// The newest language.
    fn default() -> Self {
        Self { path: "", go: (1, 27) }
    }
}

/// A function, with the file that it is in.
#[derive(Clone, Copy, Debug)]
pub struct Declared<'p, 't> {
    /// The file.
    pub file: &'p SourceFile<'t>,
    /// The function.
    pub function: &'p Function<'t>,
}

/// The files of one folder and one package clause, and what they declare.
#[derive(Debug)]
pub struct Package<'p, 't> {
    /// Its files.
    pub files: &'p [SourceFile<'t>],
    /// The module.
    pub module: Module<'t>,
    functions: HashMap<&'t str, Declared<'p, 't>>,
    methods: HashMap<(&'t str, &'t str), Declared<'p, 't>>,
    types: HashMap<&'t str, (&'p SourceFile<'t>, &'p TypeSpec<'t>)>,
    variables: HashMap<&'t str, (&'p SourceFile<'t>, &'p ValueSpec<'t>, ValueKind)>,
}

impl<'p, 't> Package<'p, 't> {
    /// The package of these files.
    #[must_use]
    pub fn new(files: &'p [SourceFile<'t>], module: Module<'t>) -> Self {
        let mut package = Self {
            files,
            module,
            functions: HashMap::new(),
            methods: HashMap::new(),
            types: HashMap::new(),
            variables: HashMap::new(),
        };
        for file in files {
            for declaration in &file.syntax.declarations {
                package.declare(file, declaration);
            }
        }
        package
    }

    fn declare(&mut self, file: &'p SourceFile<'t>, declaration: &'p Declaration<'t>) {
        match declaration {
            Declaration::Function(function) => {
                let declared = Declared { file, function };
                let name = function.name.name;
                match function.receiver.as_ref() {
                    Some(receiver) => {
                        if let Some(ty) = receiver_name(&receiver.ty) {
                            self.methods.insert((ty, name), declared);
                        }
                    }
                    None => {
                        self.functions.insert(name, declared);
                    }
                }
            }
            Declaration::Types(types) => {
                for spec in &types.specs {
                    self.types.insert(spec.name.name, (file, spec));
                }
            }
            Declaration::Values(values) => {
                for spec in &values.specs {
                    for name in &spec.names {
                        self.variables.insert(name.name, (file, spec, values.kind));
                    }
                }
            }
            Declaration::Bad(_) => {}
        }
    }

    /// A function of the package.
    #[must_use]
    pub fn function(&self, name: &str) -> Option<Declared<'p, 't>> {
        self.functions.get(name).copied()
    }

    /// A method of a type of the package; those of embedded types too.
    #[must_use]
    pub fn method(&self, ty: &str, name: &str) -> Option<Declared<'p, 't>> {
        self.method_within(ty, name, MAX_EMBEDDING)
    }

    fn method_within(&self, ty: &str, name: &str, levels: u32) -> Option<Declared<'p, 't>> {
        if let Some(found) = self.methods.get(&(ty, name)) {
            return Some(*found);
        }
        let embedded =
            self.fields_of(ty).into_iter().flatten().filter(|field| field.names.is_empty());
        let mut embedded = embedded.filter_map(|field| receiver_name(&field.ty));
        if levels == 0 {
            return None;
        }
        embedded.find_map(|ty| self.method_within(ty, name, levels - 1))
    }

    /// A type of the package, with its file.
    #[must_use]
    pub fn ty(&self, name: &str) -> Option<(&'p SourceFile<'t>, &'p TypeSpec<'t>)> {
        self.types.get(name).copied()
    }

    /// The fields of a struct of the package.
    #[must_use]
    pub fn fields_of(&self, name: &str) -> Option<&'p [Field<'t>]> {
        match &self.types.get(name)?.1.ty.kind {
            ExpressionKind::Struct(fields) => Some(fields),
            _ => None,
        }
    }

    /// What an interface of the package is made of.
    #[must_use]
    pub fn interface_of(&self, name: &str) -> Option<&'p [InterfaceElement<'t>]> {
        match &self.types.get(name)?.1.ty.kind {
            ExpressionKind::Interface(elements) => Some(elements),
            _ => None,
        }
    }

    /// A variable or a constant of the package, with its file.
    #[must_use]
    pub fn variable(
        &self,
        name: &str,
    ) -> Option<(&'p SourceFile<'t>, &'p ValueSpec<'t>, ValueKind)> {
        self.variables.get(name).copied()
    }

    /// Every function and method that has a body, in the order of the files.
    pub fn bodies(&self) -> impl Iterator<Item = Declared<'p, 't>> + use<'p, 't> {
        self.files.iter().flat_map(SourceFile::bodies)
    }

    /// Whether a type of the package is, or embeds, a type of another package: `sync.Mutex`.
    #[must_use]
    pub fn embeds(&self, ty: &str, package: &str, name: &str) -> bool {
        let Some((file, _)) = self.ty(ty) else { return false };
        self.fields_of(ty).into_iter().flatten().filter(|field| field.names.is_empty()).any(
            |field| {
                let found = Type::read(&field.ty, &file.imports, "");
                found.pointee().is_named(package, name)
            },
        )
    }
}

/// How deep embedding is followed. Deeper is unknown.
const MAX_EMBEDDING: u32 = 4;

/// The name of a receiver's type: `T` of `*T`, `T[P]`, `package.T`.
#[must_use]
pub fn receiver_name<'t>(ty: &Expression<'t>) -> Option<&'t str> {
    match &ty.kind {
        ExpressionKind::Identifier(name) => Some(name),
        ExpressionKind::Star(inner) | ExpressionKind::Parenthesized(inner) => receiver_name(inner),
        ExpressionKind::Index { operand, .. } => receiver_name(operand),
        _ => None,
    }
}
