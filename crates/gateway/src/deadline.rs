//! How long a request may take by the caller's word. The route's word and the default are in
//! `exchange/way.rs`.

use std::time::Duration;

use rearguard::timeout;

use crate::message::{Known, RequestHead};

/// The time that the caller gives a request: `grpc-timeout`, or the de-facto header
/// `x-envoy-expected-rq-timeout-ms`. A value that is not well-formed is no deadline.
pub(crate) fn of_caller(head: &RequestHead) -> Option<Duration> {
    timeout::of_caller(head.fields.get(Known::GrpcTimeout), head.fields.get(Known::ExpectedTimeout))
}
