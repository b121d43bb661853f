//! The data plane: carries users' traffic and says of every request how it ended and why.
//!
//! [`Gateway::start`] takes [`Settings`] and a [`config::routing::Routing`]; a [`Handle`] shows what
//! happens. The way of a request through the modules:
//!
//! `run` accepts a connection → `server` reads a head with the codec of [`h1`], or with h2 →
//! `exchange` serves it in a scope: `router` finds the route, `upstream` a place and a connection,
//! `forward` rewrites the fields, `peer` carries the bodies, `verdict` judges the answer → `record`
//! publishes what is known to [`observe`].

mod buffer;
mod deadline;
mod exchange;
mod failure;
mod forward;
mod gateway;
pub mod h1;
pub mod message;
pub mod observe;
mod peer;
mod record;
mod reply;
mod reported;
mod router;
mod run;
mod server;
mod settings;
mod stream;
mod timer;
mod tls;
mod upstream;
mod verdict;
mod worker;

pub use gateway::{Gateway, Handle, Listeners, Next, StartError};
pub use router::BadPattern;
pub use settings::{AccessLog, FailureListener, Limits, Settings, Timeouts, Trust};
pub use tls::TlsError;
