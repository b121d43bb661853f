//! How long a request may take by the caller's word. The route's word and the default are in
//! `exchange/way.rs`.

use std::time::Duration;

use rearguard::timeout;

use crate::message::{Known, RequestHead};

/// The time that the caller gives a request: `grpc-timeout`, or the de-facto header
/// `x-envoy-expected-rq-timeout-ms`. A value that is not well-formed is no deadline.
pub(crate) fn of_caller(head: &RequestHead) -> Option<Duration> {
    let grpc = head.fields.get(Known::GrpcTimeout).and_then(timeout::parse_grpc);
    let expected = head.fields.get(Known::ExpectedTimeout).and_then(timeout::parse_expected);
    match (grpc, expected) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, other) => one.or(other),
    }
}
