//! What watches and steers: objectives and their budgets, in [`slo`].
//!
//! It sees no requests, only counts of them ([`model::slo::Tally`]), and never stands in their way.

pub mod slo;
