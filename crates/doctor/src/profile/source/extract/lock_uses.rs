//! Which lock a call takes or gives back.

use super::{
    super::{LockKind, LockUse},
    names::{bare, chain, last_name, made_type},
    visit::Visit,
};
use crate::syntax::ast::{Call, Expression, ExpressionKind};

impl<'t> Visit<'_, 't> {
    /// Writes down a lock or an unlock, where the call is one.
    pub(super) fn lock(&mut self, call: &Call<'t>, line: u32, is_deferred: bool) {
        let ExpressionKind::Selector { operand, name } = &bare(&call.function).kind else { return };
        let (Some(kind), true) = (LockKind::of_method(name.name), call.arguments.is_empty()) else {
            return;
        };
        let Some(key) = self.lock_key(operand) else { return };
        let until = self.open.last().map_or(u32::MAX, |open| open.until);
        let text = operand.span.of(self.text).to_owned();
        if let Some(function) = self.current() {
            function.locks.push(LockUse { line, key, text, kind, is_deferred, until });
        }
    }

    /// Names a lock so that the same field has the same name in every function: the struct that has
    /// it and the field; for one without a struct the variable.
    fn lock_key(&self, operand: &Expression<'t>) -> Option<String> {
        let (root, mut fields) = chain(operand)?;
        // `s.Mutex.Lock()` and `s.Lock()` are the same embedded lock.
        let is_lock = |name: &str| ["Mutex", "RWMutex"].contains(&name);
        fields.pop_if(|last| is_lock(last));
        let local = self.open.iter().rev().flat_map(|open| open.types.iter().rev());
        let local = local.into_iter().find(|(name, _)| *name == root).map(|(_, ty)| ty);
        let variable = self.types.variable(self.package, root);
        let ty = local.or_else(|| variable?.as_ref());
        match ty {
            // A lock that is a variable itself is named by the variable, not by `Mutex`.
            Some(ty) if !ty.starts_with("sync.") => Some(self.field_key(ty, &fields)),
            _ => {
                let function = self.open.first().map(|open| &*self.functions[open.at].name);
                let of_package = local.is_none() && variable.is_some();
                let mut key = match function.filter(|_| !of_package) {
                    Some(function) => format!("{}.{function}, its {root}", self.package),
                    None => format!("{}.{root}", self.package),
                };
                for field in fields {
                    key += &format!(".{field}");
                }
                Some(key)
            }
        }
    }

    /// Follows fields as far as their types are known.
    fn field_key(&self, ty: &str, fields: &[&'t str]) -> String {
        let mut owner = ty.to_owned();
        for (at, field) in fields.iter().enumerate() {
            let found = self.types.owner(&owner, field);
            let is_last = at + 1 == fields.len();
            match found {
                Some((_, Some(ty))) if is_last && self.types.embeds_lock(&ty) => return ty,
                Some((owner, _)) if is_last => return format!("{owner}.{field}"),
                Some((_, Some(ty))) => owner = ty,
                _ => {
                    let rest: String =
                        fields[at..].iter().map(|field| format!(".{field}")).collect();
                    return owner + &rest;
                }
            }
        }
        owner
    }

    /// The type of a value: of what is made there, or of a function's result.
    pub(super) fn type_of_value(&self, value: &Expression<'t>) -> Option<String> {
        made_type(value, self.package).or_else(|| match &bare(value).kind {
            ExpressionKind::Call(call) => match bare(&call.function).kind {
                ExpressionKind::Selector { ref operand, name } => {
                    let package = match bare(operand).kind {
                        ExpressionKind::Identifier(package) => package,
                        _ => self.package,
                    };
                    let of_package = self.types.result(package, name.name);
                    of_package.or_else(|| self.types.result(self.package, name.name))
                }
                _ => self.types.result(self.package, last_name(&call.function)),
            },
            _ => None,
        })
    }
}
