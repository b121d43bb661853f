//! What an unknown field may have been meant to be.

use super::field::{Field, Kind};
use crate::yaml::{Node, Value};

/// The known name that is nearest to `name`, if it is near enough to be a slip.
pub(crate) fn nearest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let wanted = folded(name);
    let most = (wanted.chars().count() / 3).min(4);
    known
        .into_iter()
        .map(|candidate| (distance(&wanted, &folded(candidate)), candidate))
        .filter(|(distance, _)| *distance <= most)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// Without case, `_` and `-`, which are the usual differences between APIs.
fn folded(name: &str) -> String {
    name.chars().filter(|c| !matches!(c, '_' | '-')).flat_map(char::to_lowercase).collect()
}

/// How many insertions, deletions, replacements and swaps of neighbours lead from `a` to `b`
/// (optimal string alignment). Names longer than 64 characters are far from all.
fn distance(a: &str, b: &str) -> usize {
    const LONGEST: usize = 64;
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    if a.len() > LONGEST || b.len() > LONGEST {
        return usize::MAX;
    }
    let mut rows = vec![vec![0; b.len() + 1]; a.len() + 1];
    rows[0] = (0..=b.len()).collect();
    for i in 1..=a.len() {
        rows[i][0] = i;
        for j in 1..=b.len() {
            let replaced = rows[i - 1][j - 1] + usize::from(a[i - 1] != b[j - 1]);
            let mut least = replaced.min(rows[i - 1][j] + 1).min(rows[i][j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                least = least.min(rows[i - 2][j - 2] + 1);
            }
            rows[i][j] = least;
        }
    }
    rows[a.len()][b.len()]
}

/// A level of the document above a field: its path, its table and its node.
pub(super) struct Level<'a> {
    pub(super) path: String,
    pub(super) fields: &'static [Field],
    pub(super) node: &'a Node,
}

impl Level<'_> {
    fn knows(&self, name: &str) -> bool {
        self.fields.iter().any(|f| f.name == name)
    }

    fn path_of(&self, name: &str) -> String {
        if self.path.is_empty() { name.to_owned() } else { format!("{}.{name}", self.path) }
    }
}

/// Hints for the unknown field `name` in the last of `levels`, the most likely first.
pub(super) fn hints(name: &str, levels: &[Level<'_>]) -> Vec<String> {
    let Some((here, above)) = levels.split_last() else { return Vec::new() };
    let names = || here.fields.iter().map(|f| f.name);
    let same = names().find(|known| folded(known) == folded(name));
    if let Some(known) = same {
        return vec![format!("did you mean `{known}`?")];
    }
    if let Some(parent) = empty_map_before(name, here) {
        return vec![format!("is its indentation lost? it may belong under `{parent}`")];
    }
    if let Some(path) = deeper(name, here) {
        return vec![format!("is its indentation lost? `{name}` belongs under `{path}`")];
    }
    let higher = above.iter().rev().find(|level| level.knows(name));
    if let Some(level) = higher {
        let place = match level.path.as_str() {
            "" => "at the top of the document".to_owned(),
            path => format!("under `{path}`"),
        };
        return vec![format!("is it indented too far? `{name}` belongs {place}")];
    }
    if let Some(known) = nearest(name, names()) {
        return vec![format!("did you mean `{known}`?")];
    }
    vec![format!("known here: {}", names().collect::<Vec<_>>().join(", "))]
}

/// The mapping with keys of the user's choice that stands right before the field `name` without a
/// value.
fn empty_map_before(name: &str, here: &Level<'_>) -> Option<String> {
    let entries = here.node.entries();
    let index = entries.iter().position(|e| e.key.value == name)?;
    let before = entries[..index].iter().rev().find(|e| here.knows(&e.key.value))?;
    let field = here.fields.iter().find(|f| f.name == before.key.value)?;
    let is_map = matches!(field.kind, Kind::Map(_) | Kind::Annotations);
    (is_map && matches!(before.value.value, Value::Null)).then(|| here.path_of(field.name))
}

/// Where, one to three levels below `here`, a field of this name is known. A parent that stands
/// there without a value is the likeliest.
fn deeper(name: &str, here: &Level<'_>) -> Option<String> {
    let is_empty = |field: &Field| {
        here.node.entry(field.name).is_some_and(|e| matches!(e.value.value, Value::Null))
    };
    let is_present = |field: &Field| here.node.entry(field.name).is_some();
    let mut parents: Vec<&Field> = here.fields.iter().collect();
    parents.sort_by_key(|field| (!is_empty(field), !is_present(field)));
    for depth in 1..=3 {
        for parent in &parents {
            // Deep guesses only below what is written.
            if depth > 1 && !is_present(parent) {
                continue;
            }
            if let Some(below) = within(name, &parent.kind, depth) {
                let suffix = parent.kind.path_suffix();
                return Some(format!("{}{suffix}{below}", here.path_of(parent.name)));
            }
        }
    }
    None
}

/// The path from a value of type `kind` to the parent of a field `name`, exactly `depth` levels
/// down; empty when the field is the value's own.
fn within(name: &str, kind: &Kind, depth: usize) -> Option<String> {
    let fields = kind.fields();
    if depth == 1 {
        return fields.iter().any(|f| f.name == name).then(String::new);
    }
    fields.iter().find_map(|field| {
        let below = within(name, &field.kind, depth - 1)?;
        Some(format!(".{}{}{below}", field.name, field.kind.path_suffix()))
    })
}
