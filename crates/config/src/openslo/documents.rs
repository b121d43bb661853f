//! Documents by their kind and name.

use crate::{
    diagnostic::Severity,
    report::{Finding, Report},
    schema::{self, Field, nearest},
    source::At,
    yaml::Node,
};

const KINDS: [(&str, &[Field]); 7] = [
    ("SLO", schema::SLO),
    ("SLI", schema::SLI),
    ("Service", schema::SERVICE),
    ("DataSource", schema::DATA_SOURCE),
    ("AlertPolicy", schema::ALERT_POLICY),
    ("AlertCondition", schema::ALERT_CONDITION),
    ("AlertNotificationTarget", schema::ALERT_NOTIFICATION_TARGET),
];

/// A document with its name.
#[derive(Debug)]
pub(super) struct Document {
    pub(super) kind: &'static str,
    pub(super) name: At<String>,
    pub(super) node: Node,
}

/// All of them, in the order in which they stand.
#[derive(Debug, Default)]
pub(super) struct Documents(Vec<Document>);

impl Document {
    pub(super) fn metadata(&self) -> Option<&Node> {
        self.node.get("metadata")
    }

    pub(super) fn spec(&self) -> Option<&Node> {
        self.node.get("spec")
    }

    /// What people call it, or else its name.
    pub(super) fn title(&self) -> String {
        let title = self.metadata().and_then(|metadata| metadata.text_of("displayName"));
        title.map_or_else(|| self.name.value.clone(), |title| title.value)
    }

    pub(super) fn annotation(&self, name: &str) -> Option<At<String>> {
        self.metadata()?.get("annotations")?.text_of(name)
    }
}

impl Documents {
    /// Keeps a document, if it is one of OpenSLO's.
    pub(super) fn add(&mut self, node: Node, report: &mut Report) {
        let (Some(api), Some(kind)) = (node.text_of("apiVersion"), node.text_of("kind")) else {
            return;
        };
        if !api.value.starts_with("openslo") {
            return;
        }
        if api.value != super::API {
            let message = format!("`{}` is not a version that is read", api.value);
            report.error("unknown-version", api.place, message, format!("write `{}`", super::API));
            return;
        }
        let Some((kind, fields)) = KINDS.iter().find(|(name, _)| *name == kind.value) else {
            let known = KINDS.map(|(name, _)| name);
            let hint = match nearest(&kind.value, known) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("kinds of {}: {}", super::API, known.join(", ")),
            };
            report.error(
                "unknown-kind",
                kind.place,
                format!("unknown kind `{}`", kind.value),
                hint,
            );
            return;
        };
        self.keep(kind, fields, node, report);
    }

    fn keep(
        &mut self,
        kind: &'static str,
        fields: &'static [Field],
        node: Node,
        report: &mut Report,
    ) {
        let name = node.get("metadata").and_then(|metadata| metadata.text_of("name"));
        let Some(name) = name.filter(|name| !name.value.is_empty()) else {
            let message = format!("this {kind} has no name");
            let hint = "write `metadata:` with `name:` inside it";
            report.error("missing-field", node.key_place("kind"), message, hint);
            return;
        };
        schema::check(&format!("in {kind} `{}`", name.value), &node, fields, report);
        if node.get("spec").is_none() && kind != "Service" {
            let message = format!("{kind} `{}` has no `spec`", name.value);
            report.error(
                "missing-field",
                name.place,
                message,
                "write `spec:` with its fields inside it",
            );
            return;
        }
        if let Some(twin) = self.0.iter().find(|it| it.kind == kind && it.name.value == name.value)
        {
            let message = format!("there are two {kind}s named `{}`", name.value);
            let finding = Finding::new(Severity::Error, "duplicate-name", message)
                .at(name.place)
                .related(twin.name.place, "the first one")
                .hint("give each a name of its own");
            report.push(finding);
            return;
        }
        self.0.push(Document { kind, name, node });
    }

    pub(super) fn of_kind(&self, kind: &str) -> impl Iterator<Item = &Document> {
        self.0.iter().filter(move |document| document.kind == kind)
    }

    /// The document that is referred to, which must be there.
    pub(super) fn find(
        &self,
        kind: &'static str,
        name: &At<String>,
        report: &mut Report,
    ) -> Option<&Document> {
        let found = self.of_kind(kind).find(|document| document.name.value == name.value);
        if found.is_none() {
            let names: Vec<_> = self.of_kind(kind).map(|it| it.name.value.as_str()).collect();
            let hint = match nearest(&name.value, names) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("add a document of the kind {kind} with this name"),
            };
            let message = format!("there is no {kind} named `{}`", name.value);
            report.error("unknown-reference", name.place, message, hint);
        }
        found
    }
}
