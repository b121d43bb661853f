//! Which fields there are, of what type, and whether they have an effect here.
//!
//! One table a kind, in the words of Istio's API. [`check`] walks a document beside its table and
//! reports unknown fields, wrong types and fields that have no effect (yet); the readers in
//! [`crate::read`] then take what is well-formed and need not complain again.

mod check;
mod destination_rule;
mod doctor;
mod field;
mod gateway;
mod metadata;
mod openslo;
mod reference;
mod service_entry;
mod suggest;
mod virtual_service;

pub(crate) use check::check;
pub(crate) use destination_rule::DESTINATION_RULE;
pub(crate) use doctor::DOCTOR;
pub(crate) use field::Field;
pub(crate) use gateway::GATEWAY;
pub(crate) use metadata::PROMISES;
pub(crate) use openslo::{
    ALERT_CONDITION, ALERT_NOTIFICATION_TARGET, ALERT_POLICY, DATA_SOURCE, SERVICE, SLI, SLO,
};
pub use reference::field_reference;
pub(crate) use service_entry::SERVICE_ENTRY;
pub(crate) use suggest::nearest;
pub(crate) use virtual_service::VIRTUAL_SERVICE;
