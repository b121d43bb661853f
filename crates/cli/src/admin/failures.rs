//! The latest failures as JSON, and the sentence that explains each.

use std::sync::Arc;

use model::{Cause, JsonObject, RequestRecord, push_json_string};

use super::{
    Observed, help,
    query::{FailureQuery, Filter},
};
use crate::timeout_profile::Amendment;

/// How many failures are looked through for those that a filter admits.
const MAX_SEARCHED: usize = 100_000;

/// The failures that are asked for, newest first.
pub(super) fn find(observed: &dyn Observed, query: &FailureQuery) -> Vec<Arc<RequestRecord>> {
    let FailureQuery { limit, since_unix_micros, filter } = query;
    if !filter.is_set() {
        return observed.failures(*since_unix_micros, *limit);
    }
    let admitted = |record: &Arc<RequestRecord>| filter.admits(&record.service, record.cause);
    let failures = observed.failures(*since_unix_micros, MAX_SEARCHED);
    failures.into_iter().filter(admitted).take(*limit).collect()
}

/// The latest failures that a filter admits.
pub(super) fn latest(
    observed: &dyn Observed,
    filter: &Filter,
    limit: usize,
) -> Vec<Arc<RequestRecord>> {
    find(observed, &FailureQuery { limit, since_unix_micros: None, filter: filter.clone() })
}

/// What happened, in words: the cause's sentence and the detail of this request.
pub(super) fn explanation(cause: Cause, detail: Option<&str>) -> String {
    let mut text = sentence(cause.sentence());
    if let Some(detail) = detail.map(str::trim).filter(|detail| !detail.is_empty()) {
        text.push(' ');
        text.push_str(&sentence(detail));
    }
    text
}

/// A fragment as a sentence: its first letter large, a full stop at its end.
pub(super) fn sentence(fragment: &str) -> String {
    let mut letters = fragment.chars();
    let mut text: String = letters.next().into_iter().flat_map(char::to_uppercase).collect();
    text.push_str(letters.as_str());
    if !text.ends_with(['.', '!', '?']) {
        text.push('.');
    }
    text
}

/// `{"failures":[…]}`: each is the record of the access log with `explanation`, `help`, and what an
/// amendment adds.
pub(super) fn to_json(observed: &dyn Observed, failures: &[Arc<RequestRecord>]) -> String {
    let mut out = String::from("{\"failures\":[");
    for (at, record) in failures.iter().enumerate() {
        if at > 0 {
            out.push(',');
        }
        record.write_json(&mut out);
        if let Some(cause) = record.cause {
            // The object is opened again, for more members.
            out.pop();
            if let Some(amendment) = observed.amendment(record) {
                push_amendment(&mut out, &amendment);
            }
            out.push_str(",\"explanation\":");
            push_json_string(&mut out, &explanation(cause, record.detail.as_deref()));
            out.push_str(",\"help\":");
            push_json_string(&mut out, &help::path(cause));
            out.push('}');
        }
    }
    out.push_str("]}\n");
    out
}

/// `,"profile":{…}`
fn push_amendment(out: &mut String, amendment: &Amendment) {
    out.push_str(",\"profile\":");
    let mut object = JsonObject::new(out);
    object.string("sentence", &sentence(&amendment.sentence));
    object.optional_string("blocked_at", amendment.blocked_at.as_deref());
    object.key("in_deferred_call").push_str(if amendment.in_deferred_call {
        "true"
    } else {
        "false"
    });
    object.optional_string("deferred_at", amendment.deferred_at.as_deref());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_explanation_is_the_causes_sentence_and_the_detail() {
        for (detail, expected) in [
            (None, "The service reset the connection or the stream."),
            (Some(" "), "The service reset the connection or the stream."),
            (Some("after 3 ms"), "The service reset the connection or the stream. After 3 ms."),
            (
                Some("é was \"lost\"!"),
                "The service reset the connection or the stream. É was \"lost\"!",
            ),
        ] {
            assert_eq!(explanation(Cause::UpstreamReset, detail), expected);
        }
    }
}
