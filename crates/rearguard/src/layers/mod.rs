//! Tower layers for HTTP and gRPC, for axum, tonic and whatever else serves by [`tower_service`].
//!
//! A request is a scope: what its handler opens, it defers the undo of, and the undo runs on every
//! way out. tower-http catches a panic and stops waiting; it has no place for what must then be
//! undone, nor does it say how a request ended once its body is on the way.
//!
//! | module | what is in it |
//! |---|---|
//! | `outcome` | how an answer went: by its status, `grpc-status`, trailers |
//! | `answer` | answers that layers make themselves, for HTTP and for gRPC |
//! | `stats` | what the layers of this process have counted |

mod answer;
mod outcome;
mod stats;

pub use stats::{Stats, stats};
