//! What readers take from a node.

use std::{collections::BTreeMap, time::Duration};

use crate::{duration, source::At, yaml::Node};

impl Node {
    /// The text under `key`.
    pub(crate) fn text_of(&self, key: &str) -> Option<At<String>> {
        self.get(key)?.text_at()
    }

    /// The texts of the list under `key`.
    pub(crate) fn texts_of(&self, key: &str) -> Vec<At<String>> {
        self.items_of(key).iter().filter_map(Node::text_at).collect()
    }

    /// The items of the list under `key`.
    pub(crate) fn items_of(&self, key: &str) -> &[Node] {
        self.get(key).map_or(&[], Node::items)
    }

    /// The duration under `key`.
    pub(crate) fn duration_of(&self, key: &str) -> Option<At<Duration>> {
        let text = self.text_of(key)?;
        Some(At { value: duration::parse(&text.value).ok()?, place: text.place })
    }

    /// The number under `key`, if it fits.
    pub(crate) fn number_of<N: TryFrom<i64>>(&self, key: &str) -> Option<At<N>> {
        let node = self.get(key)?;
        Some(At { value: node.integer()?.try_into().ok()?, place: node.place })
    }

    /// The boolean under `key`; `false` when there is none.
    pub(crate) fn is_set(&self, key: &str) -> bool {
        self.get(key).and_then(Node::boolean).unwrap_or(false)
    }

    /// The mapping of texts under `key`.
    pub(crate) fn text_map_of(&self, key: &str) -> BTreeMap<String, String> {
        self.get(key)
            .map_or(&[][..], Node::entries)
            .iter()
            .filter_map(|e| Some((e.key.value.clone(), e.value.text()?.to_owned())))
            .collect()
    }
}
