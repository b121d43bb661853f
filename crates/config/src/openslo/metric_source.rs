//! `metricSource` and `DataSource`: where numbers come from.

use std::sync::Arc;

use super::documents::Documents;
use crate::{
    report::Report,
    yaml::{Node, Value},
};

/// Where numbers come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// The gateway's own requests.
    Requests,
    /// A server that answers PromQL.
    Prometheus,
}

/// By the word in `type`.
const KINDS: [(&str, Kind); 2] = [("rearguard", Kind::Requests), ("prometheus", Kind::Prometheus)];

/// What one metric source says.
#[derive(Debug)]
pub(super) struct MetricSource {
    pub(super) kind: Kind,
    pub(super) spec: Node,
    /// The address of a Prometheus.
    pub(super) server: Option<Arc<str>>,
}

impl MetricSource {
    /// Reads that of a metric; an error has been reported where there is none.
    pub(super) fn read(metric: &Node, documents: &Documents, report: &mut Report) -> Option<Self> {
        let Some(node) = metric.get("metricSource") else {
            let hint = "write it with `type` and `spec`";
            report.error("missing-field", metric.place, "this has no `metricSource`", hint);
            return None;
        };
        let referred = match node.text_of("metricSourceRef") {
            Some(name) => Some(documents.find("DataSource", &name, report)?),
            None => None,
        };
        let names = || KINDS.map(|(name, _)| name).join(", ");
        let of_reference = referred.and_then(|it| it.spec()?.text_of("type"));
        let Some(word) = node.text_of("type").or(of_reference) else {
            let hint = format!("write `type:` with one of {}", names());
            report.error("missing-field", node.place, "this source has no `type`", hint);
            return None;
        };
        let known = KINDS.iter().find(|(name, _)| name.eq_ignore_ascii_case(&word.value));
        let Some((_, kind)) = known else {
            let message = format!("unknown source `{}`", word.value);
            report.error("unknown-source", word.place, message, format!("there are {}", names()));
            return None;
        };
        let url = referred
            .and_then(|it| it.spec()?.get("connectionDetails"))
            .and_then(|details| details.text_of("url"));
        if *kind == Kind::Prometheus && url.is_none() {
            let hint = "name a DataSource in `metricSourceRef`, with `connectionDetails: {url: http://127.0.0.1:9090}`";
            let message = "nothing says where this Prometheus is";
            report.error("missing-field", node.place, message, hint);
            return None;
        }
        let empty = Node { place: node.place, value: Value::Map(Vec::new()) };
        let spec = node.get("spec").cloned().unwrap_or(empty);
        Some(Self { kind: *kind, spec, server: url.map(|url| Arc::from(url.value)) })
    }

    /// What a Prometheus is asked; an error has been reported where there is nothing.
    pub(super) fn query(&self, report: &mut Report) -> Option<Arc<str>> {
        let text = self.spec.text_of("query").or_else(|| self.spec.text_of("promql"));
        if text.is_none() {
            let hint = "write `spec: {query: 'sum(http_requests_total)'}`";
            report.error("missing-field", self.spec.place, "this source has no `query`", hint);
        }
        text.map(|text| Arc::from(text.value))
    }
}
