//! The sample shop: a few small HTTP/1.1 services in this process that succeed and fail in every
//! way that a service can, so that a first run of the gateway has something to show.
//!
//! It is written by hand on sockets because most of its routes break HTTP on purpose: they close,
//! reset, stop half-way or answer rubbish, which a server library does not allow. The gateway
//! reaches it like any other service, by sockets and by a configuration in Istio's words.
//!
//! [`Shop::start`] is the entry point; `routes.rs` says what each URL does.

mod configuration;
mod connection;
mod routes;
mod server;
#[cfg(test)]
mod tests;

pub(crate) use server::Shop;
