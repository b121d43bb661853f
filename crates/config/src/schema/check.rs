//! Walks a document beside its table.

use super::{
    field::{Effect, Field, Kind},
    metadata::PROMISES,
    suggest::{self, Level, nearest},
};
use crate::{
    diagnostic::Severity,
    duration,
    report::{Finding, Report},
    source::Place,
    yaml::{Entry, Node, Value},
};

/// Reports everything in `document` that does not fit `fields`. `title` names the document in the
/// note on fields without effect.
pub(crate) fn check(title: &str, document: &Node, fields: &'static [Field], report: &mut Report) {
    let mut check = Check { report, levels: Vec::new(), without_effect: Vec::new() };
    check.object(document, fields, String::new());
    let without_effect = check.without_effect;
    if let Some((_, place)) = without_effect.first() {
        let shown = without_effect.iter().take(MOST_SHOWN);
        let names: Vec<_> = shown.map(|(path, _)| format!("`{path}`")).collect();
        let more = match without_effect.len().saturating_sub(MOST_SHOWN) {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        let message =
            format!("of use in Kubernetes only, without effect here: {}{more}", names.join(", "));
        report
            .push(Finding::new(Severity::Note, "kubernetes-only", message).at(*place).label(title));
    }
}

/// So many fields without effect are named.
const MOST_SHOWN: usize = 10;

struct Check<'r, 'n> {
    report: &'r mut Report,
    /// The mappings from the document down to the one that is being read.
    levels: Vec<Level<'n>>,
    without_effect: Vec<(String, Place)>,
}

impl<'n> Check<'_, 'n> {
    fn object(&mut self, node: &'n Node, fields: &'static [Field], path: String) {
        self.levels.push(Level { path, fields, node });
        for entry in node.entries() {
            self.field(entry, fields);
        }
        self.levels.pop();
    }

    fn field(&mut self, entry: &'n Entry, fields: &'static [Field]) {
        let name = entry.key.value.as_str();
        let parent = self.levels.last().map_or("", |level| level.path.as_str());
        let path = if parent.is_empty() { name.to_owned() } else { format!("{parent}.{name}") };
        let Some(field) = fields.iter().find(|f| f.name == name) else {
            let message = format!("unknown field `{path}`");
            let hints = suggest::hints(name, &self.levels);
            self.report.push(
                Finding::new(Severity::Error, "unknown-field", message)
                    .at(entry.key.place)
                    .hints(hints),
            );
            return;
        };
        match field.effect {
            Effect::Full => {}
            Effect::Kubernetes => {
                let within = |(known, _): &(String, Place)| {
                    path.strip_prefix(known.as_str()).is_some_and(|rest| rest.starts_with('.'))
                };
                if !self.without_effect.last().is_some_and(within) {
                    self.without_effect.push((path.clone(), entry.key.place));
                }
            }
            Effect::Inert => self.not_yet(entry, &path, Severity::Warning),
            Effect::NotYet => self.not_yet(entry, &path, Severity::Error),
        }
        self.value(&entry.value, &field.kind, path, entry.key.place);
    }

    fn not_yet(&mut self, entry: &Entry, path: &str, severity: Severity) {
        if changes_nothing(&entry.value) {
            return;
        }
        let (code, message, hint) = if severity == Severity::Error {
            ("not-yet", format!("`{path}` is not supported yet"), "remove it for now")
        } else {
            let hint = "it is served without it";
            ("not-yet-in-effect", format!("`{path}` is not in effect yet"), hint)
        };
        self.report.push(Finding::new(severity, code, message).at(entry.key.place).hint(hint));
    }

    /// `key` is where a finding about a missing value points.
    fn value(&mut self, node: &'n Node, kind: &'static Kind, path: String, key: Place) {
        match (kind, &node.value) {
            (Kind::Any, _) => {}
            (_, Value::Null) => self.empty(kind, &path, key),
            (Kind::Object(fields), Value::Map(_)) => self.object(node, fields, path),
            (Kind::Map(inner), Value::Map(entries)) => {
                for entry in entries {
                    let path = format!("{path}[{}]", entry.key.value);
                    if !matches!((inner, &entry.value.value), (Kind::Object(_), Value::Null)) {
                        self.value(&entry.value, inner, path, entry.key.place);
                    }
                }
            }
            (Kind::Annotations, Value::Map(entries)) => {
                for entry in entries {
                    let name = entry.key.value.as_str();
                    let kind = if PROMISES.contains(&name) { &Kind::Duration } else { &Kind::Text };
                    let path = format!("{path}[{name}]");
                    self.value(&entry.value, kind, path, entry.key.place);
                }
            }
            (Kind::List(inner), Value::List(items)) => {
                for (index, item) in items.iter().enumerate() {
                    let path = format!("{path}[{index}]");
                    if matches!(item.value, Value::Null) {
                        let message = format!("`{path}` is empty");
                        let hint = format!("expected {}", inner.describe());
                        self.report.error("empty-item", item.place, message, hint);
                    } else {
                        self.value(item, inner, path, item.place);
                    }
                }
            }
            (Kind::Duration, Value::Scalar { text, .. }) => {
                if let Err(bad) = duration::parse(text) {
                    let message = format!("`{path}`: {}", bad.reason);
                    self.report.error("bad-duration", node.place, message, bad.hint);
                }
            }
            _ => self.scalar(node, kind, &path),
        }
    }

    /// A field without a value is as good as absent, but what stands beside it may have been meant
    /// to be inside it.
    fn empty(&mut self, kind: &Kind, path: &str, key: Place) {
        // An unknown field beside it that belongs into it is told so already.
        let told = self.levels.last().is_some_and(|level| {
            let unknown = |name| !level.fields.iter().any(|f| f.name == name);
            let mut names = level.node.entries().iter().map(|e| e.key.value.as_str());
            names.any(|name| unknown(name) && kind.fields().iter().any(|f| f.name == name))
        });
        if !told && matches!(kind, Kind::Object(_) | Kind::List(_) | Kind::Map(_)) {
            self.report.warning(
                "empty-field",
                key,
                format!("`{path}` has no value"),
                "remove it; or is what follows not indented far enough to be inside it?",
            );
        }
    }

    fn scalar(&mut self, node: &Node, kind: &Kind, path: &str) {
        let wrong = |hint: Option<String>| {
            let message = format!("`{path}` is {}, expected {}", node.describe(), kind.describe());
            Finding::new(Severity::Error, "wrong-type", message).at(node.place).hints(hint)
        };
        let finding = match (kind, &node.value) {
            (Kind::Text, Value::Scalar { text, plain }) => {
                let other = *plain && (node.boolean().is_some() || text.parse::<f64>().is_ok());
                other.then(|| wrong(Some(format!("put it in quotes: \"{text}\""))))
            }
            (Kind::Choice(words), Value::Scalar { text, .. }) => {
                let hint = nearest(text, words.iter().copied());
                (!words.contains(&text.as_str()))
                    .then(|| wrong(hint.map(|word| format!("did you mean `{word}`?"))))
            }
            (Kind::Boolean, Value::Scalar { text, plain }) => {
                (node.boolean().is_none()).then(|| wrong(boolean_hint(text, *plain)))
            }
            (Kind::Integer { least, most }, Value::Scalar { text, plain }) => {
                match node.integer() {
                    Some(number) => (number < *least || number > *most).then(|| wrong(None)),
                    None if !plain && text.parse::<i64>().is_ok() => {
                        Some(wrong(Some(format!("remove the quotes: {text}"))))
                    }
                    None => Some(wrong(None)),
                }
            }
            (Kind::Percent | Kind::Number, Value::Scalar { text, plain: true }) => {
                let range =
                    if matches!(kind, Kind::Percent) { 0.0..=100.0 } else { f64::MIN..=f64::MAX };
                (!text.parse::<f64>().is_ok_and(|n| range.contains(&n))).then(|| wrong(None))
            }
            (Kind::List(_), _) => {
                Some(wrong(Some("a list has one item a line, each after `- `".to_owned())))
            }
            (Kind::Object(_), Value::List(_)) => {
                Some(wrong(Some("write its fields without a `- ` before them".to_owned())))
            }
            _ => Some(wrong(None)),
        };
        if let Some(finding) = finding {
            self.report.push(finding);
        }
    }
}

/// Whether a field says no more than its absence would: `false`, an empty list or mapping,
/// `attempts: 0`.
fn changes_nothing(value: &Node) -> bool {
    match &value.value {
        Value::Null => true,
        Value::List(items) => items.is_empty(),
        Value::Map(entries) => {
            entries.is_empty() || value.get("attempts").and_then(Node::integer) == Some(0)
        }
        Value::Scalar { .. } => value.boolean() == Some(false),
    }
}

fn boolean_hint(text: &str, plain: bool) -> Option<String> {
    match text.to_ascii_lowercase().as_str() {
        "true" | "false" if !plain => Some(format!("remove the quotes: {text}")),
        "yes" | "on" | "y" | "1" => Some("write `true`".to_owned()),
        "no" | "off" | "n" | "0" => Some("write `false`".to_owned()),
        _ => None,
    }
}
