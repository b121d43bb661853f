//! A node of a document.

use crate::source::{At, Place};

/// A value and its place.
#[derive(Clone, Debug)]
pub(crate) struct Node {
    pub(crate) place: Place,
    pub(crate) value: Value,
}

/// What a node holds.
#[derive(Clone, Debug)]
pub(crate) enum Value {
    /// Nothing, `~` or `null`.
    Null,
    /// Text; `plain` when it stands without quotes, so that it may mean a number or a boolean.
    Scalar { text: String, plain: bool },
    /// A sequence.
    List(Vec<Node>),
    /// A mapping; keys are unique.
    Map(Vec<Entry>),
}

/// A key and its value.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) key: At<String>,
    pub(crate) value: Node,
}

impl Node {
    /// The entries of a mapping; none for anything else.
    pub(crate) fn entries(&self) -> &[Entry] {
        match &self.value {
            Value::Map(entries) => entries,
            _ => &[],
        }
    }

    /// The items of a sequence; none for anything else.
    pub(crate) fn items(&self) -> &[Node] {
        match &self.value {
            Value::List(items) => items,
            _ => &[],
        }
    }

    /// The value under `key`; a null counts as absent, as in Kubernetes.
    pub(crate) fn get(&self, key: &str) -> Option<&Node> {
        self.entry(key).map(|e| &e.value).filter(|v| !matches!(v.value, Value::Null))
    }

    /// The entry under `key`, even when its value is null.
    pub(crate) fn entry(&self, key: &str) -> Option<&Entry> {
        self.entries().iter().find(|e| e.key.value == key)
    }

    /// The place of the key `key`, or of the node when there is none.
    pub(crate) fn key_place(&self, key: &str) -> Place {
        self.entry(key).map_or(self.place, |e| e.key.place)
    }

    /// The text of a scalar.
    pub(crate) fn text(&self) -> Option<&str> {
        match &self.value {
            Value::Scalar { text, .. } => Some(text),
            _ => None,
        }
    }

    /// The text of a scalar and its place.
    pub(crate) fn text_at(&self) -> Option<At<String>> {
        self.text().map(|text| At { value: text.to_owned(), place: self.place })
    }

    /// The number that a plain scalar means.
    pub(crate) fn integer(&self) -> Option<i64> {
        match &self.value {
            Value::Scalar { text, plain: true } => text.parse().ok(),
            _ => None,
        }
    }

    /// The boolean that a plain scalar means.
    pub(crate) fn boolean(&self) -> Option<bool> {
        match &self.value {
            Value::Scalar { text, plain: true } => match text.as_str() {
                "true" | "True" | "TRUE" => Some(true),
                "false" | "False" | "FALSE" => Some(false),
                _ => None,
            },
            _ => None,
        }
    }

    /// What it is, in words.
    pub(crate) fn describe(&self) -> String {
        match &self.value {
            Value::Null => "nothing".to_owned(),
            Value::List(_) => "a list".to_owned(),
            Value::Map(_) => "a mapping".to_owned(),
            Value::Scalar { text, .. } if self.boolean().is_some() => {
                format!("the boolean `{text}`")
            }
            Value::Scalar { text, plain: true } if text.parse::<f64>().is_ok() => {
                format!("the number `{text}`")
            }
            Value::Scalar { text, .. } => format!("the text `{}`", shortened(text)),
        }
    }
}

/// At most 60 characters of `text`, on one line.
pub(crate) fn shortened(text: &str) -> String {
    const LONGEST: usize = 60;
    let line = text.lines().next().unwrap_or_default();
    if line.chars().count() <= LONGEST && line.len() == text.len() {
        return line.to_owned();
    }
    line.chars().take(LONGEST).chain("…".chars()).collect()
}
