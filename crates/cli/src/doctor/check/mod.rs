//! `rearguard doctor PATH…`: what the rules find in Go code.
//!
//! [`arguments`] and the configuration file become [`settings`]; [`folders`] are found and given to
//! [`analyse`], a folder at a time on every core; [`since`] and the baseline take out what is not asked
//! for; [`output`] prints.

mod analyse;
pub(super) mod arguments;
mod folders;
pub(super) mod go_mod;
mod mend;
mod output;
pub(super) mod paths;
mod run;
pub(super) mod settings;
mod since;

pub(crate) use arguments::CheckArguments;
pub(crate) use run::{found, run};
