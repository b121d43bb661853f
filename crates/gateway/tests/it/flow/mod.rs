//! What is carried well, and how: bodies, fields, routes, streams.

mod edges;
mod fields;
mod framing;
mod routing;
mod streaming;
