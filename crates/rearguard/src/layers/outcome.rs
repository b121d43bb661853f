//! How an answer went: by what it says of itself, by its gRPC status, by its HTTP status.

use http::{HeaderMap, HeaderName, StatusCode, header::CONTENT_TYPE};

use crate::Outcome;

const REARGUARD_OUTCOME_NAME: &str = "rearguard-outcome";
const GRPC_STATUS_NAME: &str = "grpc-status";

/// The header, or trailer, by which a service says how a request ended where it did not succeed.
pub(crate) static REARGUARD_OUTCOME: HeaderName = HeaderName::from_static(REARGUARD_OUTCOME_NAME);
/// The status of a gRPC answer: in its trailers, or in the head of one that has nothing else.
pub(crate) static GRPC_STATUS: HeaderName = HeaderName::from_static(GRPC_STATUS_NAME);

/// How callers are answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Protocol {
    Http,
    Grpc,
}

impl Protocol {
    /// By the content type of a request, or of an answer.
    pub(crate) fn of(headers: &HeaderMap) -> Self {
        match headers.get(CONTENT_TYPE) {
            Some(value) => Self::of_content_type(value.as_bytes()),
            None => Self::Http,
        }
    }

    /// `application/grpc`, with or without a `+proto`; gRPC-Web is another protocol.
    pub(crate) fn of_content_type(value: &[u8]) -> Self {
        match value.strip_prefix(b"application/grpc") {
            Some([] | [b'+' | b';' | b' ', ..]) => Self::Grpc,
            _ => Self::Http,
        }
    }
}

/// How an answer went as far as its head tells. One of gRPC that has no status there says so in its
/// trailers: see [`of_trailers`].
pub(crate) fn of_head(status: StatusCode, headers: &HeaderMap) -> Outcome {
    match stated(headers) {
        Some(outcome) => outcome,
        None => Outcome::from_http_status(status.as_u16()),
    }
}

/// How an answer went as its trailers tell, if they do.
pub(crate) fn of_trailers(trailers: &HeaderMap) -> Option<Outcome> {
    stated(trailers)
}

/// What headers or trailers say: the outcome by name, else a gRPC status.
fn stated(headers: &HeaderMap) -> Option<Outcome> {
    let mut by_status = None;
    // There are few, so that to look at each is quicker than to look for two; by its length first.
    for (name, value) in headers {
        let name = name.as_str();
        match name.len() {
            17 if name == REARGUARD_OUTCOME_NAME => {
                let named = value.to_str().ok().and_then(|text| text.parse().ok());
                if named.is_some() {
                    return named;
                }
            }
            11 if name == GRPC_STATUS_NAME => {
                // One that is no number is UNKNOWN, as gRPC asks.
                let status = value.to_str().ok().and_then(|text| text.parse().ok());
                by_status = Some(Outcome::from_grpc_status(status.unwrap_or(2)));
            }
            _ => {}
        }
    }
    by_status
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn headers(fields: &[(&'static str, &'static str)]) -> HeaderMap {
        let fields = fields
            .iter()
            .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)));
        fields.collect()
    }

    #[test]
    fn the_outcome_by_name_goes_before_a_grpc_status_and_that_before_the_status() {
        let of =
            |status, fields: &[_]| of_head(StatusCode::from_u16(status).unwrap(), &headers(fields));
        assert_eq!(of(200, &[]), Outcome::Succeeded);
        assert_eq!(of(499, &[]), Outcome::Succeeded);
        assert_eq!(of(503, &[]), Outcome::Failed);
        assert_eq!(of(200, &[("grpc-status", "0")]), Outcome::Succeeded);
        assert_eq!(of(200, &[("grpc-status", "4")]), Outcome::TimedOut);
        assert_eq!(of(200, &[("grpc-status", "soon")]), Outcome::Failed);
        let panicked = [("grpc-status", "13"), ("rearguard-outcome", "panicked")];
        assert_eq!(of(200, &panicked), Outcome::Panicked);
        assert_eq!(of(500, &[("rearguard-outcome", "odd")]), Outcome::Failed);
    }

    #[test]
    fn grpc_is_known_by_its_content_type_and_grpc_web_is_not_grpc() {
        for (value, expected) in [
            ("application/grpc", Protocol::Grpc),
            ("application/grpc+proto", Protocol::Grpc),
            ("application/grpc; charset=utf-8", Protocol::Grpc),
            ("application/grpc-web", Protocol::Http),
            ("application/json", Protocol::Http),
        ] {
            assert_eq!(Protocol::of(&headers(&[("content-type", value)])), expected, "{value}");
        }
        assert_eq!(Protocol::of(&HeaderMap::new()), Protocol::Http);
    }

    #[test]
    fn trailers_without_a_status_say_nothing() {
        assert_eq!(of_trailers(&headers(&[("x-checksum", "1")])), None);
        assert_eq!(of_trailers(&headers(&[("grpc-status", "1")])), Some(Outcome::Cancelled));
    }
}
