//! A scope per request, which ends with the response body.
//!
//! | module | what is in it |
//! |---|---|
//! | `layer` | [`ScopedLayer`] and [`Scoped`] |
//! | `serving` | a request under way: its scope, its deadlines, how it ends |
//! | `future` | from the request to the head of the answer |
//! | `body` | from there to the end |
//! | `ahead` | what of a body is there at once |

mod ahead;
mod body;
mod future;
mod layer;
mod serving;

pub use body::ResponseBody;
pub use future::ResponseFuture;
pub use layer::{DEFAULT_BUFFERED_BYTES, Scoped, ScopedLayer};
pub(super) use layer::{Panics, Policy};
