//! The documents that are missing, ready to paste.

use std::{
    collections::BTreeMap,
    fmt::{self, Write as _},
};

use crate::names::DEFAULT_NAMESPACE;

/// A service of which endpoints or subsets are missing.
#[derive(Debug)]
pub(super) struct Missing {
    /// The host, as the route names it.
    pub(super) host: String,
    pub(super) namespace: String,
    /// The port that the route names.
    pub(super) port: Option<u16>,
    pub(super) part: Part,
    /// The subsets that routes name, and their labels.
    pub(super) subsets: Vec<(String, BTreeMap<String, String>)>,
}

/// Which documents are missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// The ServiceEntry, and the DestinationRule if there are subsets.
    Both,
    /// The ServiceEntry alone.
    Entry,
    /// The DestinationRule alone.
    Rule,
}

/// The port from which placeholders count.
const FIRST_PORT: u16 = 3001;

impl Missing {
    /// What to give on the command line instead.
    pub(super) fn flags(&self) -> String {
        if self.subsets.is_empty() {
            return format!("--upstream {}=http://127.0.0.1:PORT", self.host);
        }
        let flags: Vec<_> = self
            .subsets
            .iter()
            .map(|(subset, _)| format!("--upstream {}/{subset}=http://127.0.0.1:PORT", self.host))
            .collect();
        flags.join(" ")
    }

    /// The documents as YAML.
    pub(super) fn documents(&self) -> String {
        let mut text = String::new();
        // Writing to a string cannot fail.
        let written = self.write(&mut text);
        debug_assert!(written.is_ok(), "writing to a string failed");
        text
    }

    fn write(&self, text: &mut String) -> fmt::Result {
        if self.part != Part::Rule {
            self.write_entry(text)?;
        }
        if self.part != Part::Entry && !self.subsets.is_empty() {
            self.write_rule(text)?;
        }
        Ok(())
    }

    fn write_entry(&self, text: &mut String) -> fmt::Result {
        self.write_head("ServiceEntry", text)?;
        writeln!(text, "spec:\n  hosts:\n  - {}", self.host)?;
        writeln!(text, "  ports:\n  - number: {}", self.port.unwrap_or(80))?;
        writeln!(text, "    name: http\n    protocol: HTTP")?;
        writeln!(text, "  resolution: STATIC\n  endpoints:")?;
        let unnamed = [(String::new(), BTreeMap::new())];
        let subsets = if self.subsets.is_empty() { &unnamed[..] } else { &self.subsets };
        for (index, (subset, labels)) in subsets.iter().enumerate() {
            let port = FIRST_PORT.saturating_add(u16::try_from(index).unwrap_or(0));
            let what = if subset.is_empty() { "the service" } else { subset };
            writeln!(text, "  - address: 127.0.0.1    # edit: where {what} runs")?;
            writeln!(text, "    ports:\n      http: {port}          # edit: its port")?;
            write_labels(labels, text)?;
        }
        Ok(())
    }

    fn write_rule(&self, text: &mut String) -> fmt::Result {
        self.write_head("DestinationRule", text)?;
        writeln!(text, "spec:\n  host: {}\n  subsets:", self.host)?;
        for (subset, labels) in &self.subsets {
            writeln!(text, "  - name: {}", quoted(subset))?;
            write_labels(labels, text)?;
        }
        Ok(())
    }

    fn write_head(&self, kind: &str, text: &mut String) -> fmt::Result {
        writeln!(text, "---\napiVersion: networking.istio.io/v1\nkind: {kind}")?;
        writeln!(text, "metadata:\n  name: {}", self.host)?;
        if self.namespace != DEFAULT_NAMESPACE {
            writeln!(text, "  namespace: {}", self.namespace)?;
        }
        Ok(())
    }
}

fn write_labels(labels: &BTreeMap<String, String>, text: &mut String) -> fmt::Result {
    if labels.is_empty() {
        return Ok(());
    }
    writeln!(text, "    labels:")?;
    for (name, value) in labels {
        writeln!(text, "      {name}: {}", quoted(value))?;
    }
    Ok(())
}

/// In quotes where YAML would read the text as something else.
fn quoted(value: &str) -> String {
    let plain = !value.is_empty()
        && value.starts_with(|c: char| c.is_ascii_alphabetic())
        && value.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'))
        && !matches!(
            value.to_ascii_lowercase().as_str(),
            "true" | "false" | "null" | "yes" | "no" | "on" | "off" | "y" | "n"
        );
    if plain { value.to_owned() } else { format!("'{}'", value.replace('\'', "''")) }
}
