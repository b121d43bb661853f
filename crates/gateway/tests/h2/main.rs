//! HTTP/2, TLS and gRPC through a running gateway.

mod combinations;
mod grpc;
mod resent;
mod support;
mod tls;
