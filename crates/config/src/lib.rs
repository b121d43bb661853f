//! Text in, typed and validated documents out, each error with its file, line and a hint.

pub mod routing;
