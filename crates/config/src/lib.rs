//! Text in, typed and validated documents out, each error with its file, line and a hint.
//!
//! [`load`] takes the text of Istio documents (`Gateway`, `ServiceEntry`, `DestinationRule`,
//! `VirtualService`) and the command line's `--upstream`s, and gives a [`routing::Routing`] and
//! [`Diagnostic`]s. It does no I/O.
//!
//! ```
//! use config::{Color, Defaults, Source, load};
//!
//! let sources = [Source::new("shop.yaml", "apiVersion: networking.istio.io/v1\nkind: VirtualServce\n")];
//! let loaded = load(&sources, &[], &Defaults::default());
//! assert!(loaded.has_errors());
//! let shown = loaded.diagnostics[0].render(&sources, Color::Never);
//! assert!(shown.contains("shop.yaml:2:7"));
//! assert!(shown.contains("did you mean `VirtualService`?"));
//! ```
//!
//! [`load_objectives`] takes OpenSLO documents from the same files, and [`doctor::load`] the settings of
//! the analyser of Go code from a file of its own.
//!
//! A text goes through four steps: `yaml` to trees with places, the tables of `schema` that
//! say which fields there are, the readers of `read`, one a kind, and `join`, which puts documents
//! together. `timeouts` checks the result.

mod base64;
mod diagnostic;
pub mod doctor;
mod duration;
mod join;
mod load;
mod names;
mod openslo;
mod read;
mod report;
pub mod routing;
mod schema;
mod source;
mod timeouts;
mod upstream;
mod yaml;

pub use diagnostic::{Color, Diagnostic, Location, Severity};
pub use duration::{BadDuration, parse as parse_duration};
pub use load::{Defaults, Loaded, load};
pub use openslo::{LoadedObjectives, Zones, load_objectives};
pub use read::MAX_REGEX_BYTES;
pub use report::MAX_DIAGNOSTICS;
pub use schema::field_reference;
pub use source::Source;
pub use upstream::{Scheme, Upstream, UpstreamError};
pub use yaml::{MAX_DEPTH, MAX_FILE_BYTES, MAX_NODES};
