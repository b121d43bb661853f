//! HTTP/2, TLS and gRPC through a running gateway.

mod combinations;
mod support;
