//! Requests as scopes: in this process, where each poll can be told from the next, and by real
//! connections, as callers see them.
#![expect(clippy::unwrap_used, reason = "what cannot go on in a test fails it")]

#[path = "../../examples/tonic-service/codec.rs"]
mod codec;
mod connections;
mod deadline;
mod every_poll;
#[path = "../../examples/tonic-service/greeter.rs"]
mod greeter;
mod grpc;
mod recover;
mod request_scope;
mod scoped;
mod support;
