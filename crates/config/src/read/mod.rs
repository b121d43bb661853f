//! Documents to typed values that still know their places.
//!
//! A reader takes what is well-formed and reports what the tables of [`crate::schema`] cannot see:
//! values that do not fit together. What has a wrong type has been reported already and is read as
//! if it were absent.

mod destination_rule;
mod document;
mod fields;
mod gateway;
mod headers;
mod matches;
mod route;
mod service_entry;
mod strings;
mod virtual_service;

pub(crate) use destination_rule::{DestinationRule, Policy};
pub(crate) use document::{Documents, read};
pub(crate) use gateway::{Gateway, Server};
pub(crate) use route::{Forward, HttpRoute, Retries, RouteAction};
pub(crate) use service_entry::{Promised, ServiceEntry};
pub use strings::MAX_REGEX_BYTES;
pub(crate) use virtual_service::VirtualService;
