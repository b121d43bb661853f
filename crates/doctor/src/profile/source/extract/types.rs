//! Types of fields, variables and results, as far as they are written: enough to give one lock one name.
//!
//! A type is its package's name and its own, `pay.Server`. Nothing is inferred across calls of other
//! packages; a lock whose type is not known is named by its variable.

use std::collections::HashMap;

use super::names::{is_predeclared, made_type, named};
use crate::syntax::ast::{Declaration, Expression, ExpressionKind, File, ValueKind};

/// Embedded structs are looked through so deep.
const DEEPEST: u32 = 8;

/// What is written about types, all packages together.
#[derive(Debug, Default)]
pub(super) struct Types<'t> {
    /// The type of a field, by its struct's type and its name.
    fields: HashMap<(String, &'t str), Option<String>>,
    /// The types that a struct embeds.
    embedded: HashMap<String, Vec<String>>,
    /// The type of a package's variable, by package and name; none where it is not written.
    variables: HashMap<(&'t str, &'t str), Option<String>>,
    /// The first result of a function or method, by package and name; none where several differ.
    results: HashMap<(&'t str, &'t str), Option<String>>,
}

impl<'t> Types<'t> {
    /// Adds what a file declares.
    pub(super) fn read(&mut self, file: &File<'t>) {
        let package = file.package.name;
        for declaration in &file.declarations {
            match declaration {
                Declaration::Values(values) if values.kind == ValueKind::Variable => {
                    for spec in &values.specs {
                        for (at, name) in spec.names.iter().enumerate() {
                            let made = || made_type(spec.values.get(at)?, package);
                            let ty =
                                spec.ty.as_ref().and_then(|ty| named(ty, package)).or_else(made);
                            self.variables.insert((package, name.name), ty);
                        }
                    }
                }
                Declaration::Types(types) => {
                    for spec in &types.specs {
                        self.read_struct(
                            &format!("{package}.{}", spec.name.name),
                            &spec.ty,
                            package,
                        );
                    }
                }
                Declaration::Function(function) => {
                    let result = function.signature.results.first();
                    let ty = result.and_then(|result| named(&result.ty, package));
                    let known = self.results.entry((package, function.name.name));
                    known
                        .and_modify(|known| {
                            *known = known.take().filter(|it| Some(it) == ty.as_ref())
                        })
                        .or_insert_with(|| ty.clone());
                }
                _ => {}
            }
        }
    }

    fn read_struct(&mut self, owner: &str, ty: &Expression<'t>, package: &'t str) {
        let ExpressionKind::Struct(fields) = &ty.kind else { return };
        for field in fields {
            let ty = named(&field.ty, package);
            for name in &field.names {
                self.fields.insert((owner.to_owned(), name.name), ty.clone());
            }
            if let (true, Some(ty)) = (field.names.is_empty(), ty) {
                self.embedded.entry(owner.to_owned()).or_default().push(ty);
            }
        }
    }

    /// Whether a name is a variable of a package, and its type where that is written.
    pub(super) fn variable(&self, package: &'t str, name: &'t str) -> Option<&Option<String>> {
        self.variables.get(&(package, name))
    }

    /// The type of a call's result.
    pub(super) fn result(&self, package: &'t str, name: &'t str) -> Option<String> {
        if is_predeclared(name) {
            return None;
        }
        self.results.get(&(package, name)).cloned().flatten()
    }

    /// Whether a struct is a lock by what it embeds.
    pub(super) fn embeds_lock(&self, ty: &str) -> bool {
        self.embedded.get(ty).is_some_and(|embedded| {
            embedded.iter().any(|it| ["sync.Mutex", "sync.RWMutex"].contains(&it.as_str()))
        })
    }

    /// The struct that has the field, the type itself or one that it embeds, and the field's type.
    pub(super) fn owner(&self, ty: &str, field: &'t str) -> Option<(String, Option<String>)> {
        self.owner_within(ty, field, DEEPEST)
    }

    fn owner_within(
        &self,
        ty: &str,
        field: &'t str,
        depth: u32,
    ) -> Option<(String, Option<String>)> {
        if let Some(found) = self.fields.get(&(ty.to_owned(), field)) {
            return Some((ty.to_owned(), found.clone()));
        }
        if depth == 0 {
            return None;
        }
        let embedded = self.embedded.get(ty)?;
        let name = |embedded: &str| embedded.rsplit('.').next() == Some(field);
        if let Some(itself) = embedded.iter().find(|it| name(it)) {
            return Some((ty.to_owned(), Some(itself.clone())));
        }
        embedded.iter().find_map(|it| self.owner_within(it, field, depth - 1))
    }
}
