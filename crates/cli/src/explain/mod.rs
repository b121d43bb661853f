//! `rearguard explain`: the page of a cause, the list of all causes, and what an existing nginx
//! error log says in their words.
//!
//! The pages are `docs/causes/CODE.md`, built into the program. [`run`] is the entry point.

mod command;
mod lookup;
mod nginx_line;
#[cfg(test)]
mod nginx_live;
mod nginx_log;
mod nginx_messages;
mod nginx_report;
mod pages;
mod request;
mod tally;

pub(crate) use command::{ExplainArguments, run};
pub(crate) use pages::page;
