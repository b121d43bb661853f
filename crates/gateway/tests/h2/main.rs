//! HTTP/2, TLS and gRPC through a running gateway.

mod bounds;
mod chaos;
mod combinations;
mod floods;
mod grpc;
mod grpcio;
mod resent;
mod support;
mod tls;
mod wire;
