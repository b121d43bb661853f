//! The arithmetic of service level objectives: from counted events to what is left of a budget,
//! how fast it burns, and whether somebody must be told.
//!
//! ```text
//! Facts of a request ─▶ Rule ─▶ Verdict ─▶ Counts ─▶ Series ─▶ over(window) ─▶ Burn ─▶ BurnAlert
//!                                                              └────────────▶ Budget ─▶ Forecast
//! ```
//!
//! * [`Rule`] says of one request whether it counts, and whether it was good.
//! * [`Series`] keeps counts so that the last 5 minutes and the last 30 days are both at hand, in
//!   memory that does not grow with traffic; [`Slicer`] turns them into good and bad slices of time.
//! * [`Target`] is the objective: the share that must be good; what may be bad is the budget.
//! * [`Budget`] is what is left, [`Forecast`] when it ends, [`burn`] how fast that comes.
//! * [`BurnAlert`] and [`AlertState`] decide when somebody is told, and when it is over.
//! * [`Calendar`] finds the month, in a time zone; everything else counts in seconds.
//!
//! Time is an argument everywhere: seconds since the Unix epoch, [`Seconds`]. Formulas are those of
//! the Site Reliability Workbook (Google, 2018), chapter 5, unless another source is named.
//!
//! Ours, because it is what the project is for: the tools of the field write rules for Prometheus,
//! and leave low traffic, missing data and causes to whoever reads them.

mod alert;
mod alert_when;
mod budget;
mod burn;
mod calendar;
mod causes;
mod composite;
mod counts;
mod evidence;
mod forecast;
mod objective;
mod rule;
mod sample;
mod series;
mod slices;
mod target;

pub use alert::{Alarm, AlertState, BurnAlert, Data, InvalidAlert, Observation, Severity};
pub use alert_when::AlertWhen;
pub use budget::Budget;
pub use burn::{burn, spent, time_to_detect, time_to_exhaust, time_to_reset};
pub use calendar::{Calendar, InvalidCalendar, Period};
pub use causes::{CauseDays, Tally};
pub use composite::composite;
pub use counts::Counts;
pub use evidence::{DEFAULT_CONFIDENCE, Evidence};
pub use forecast::Forecast;
pub use objective::{Counted, Indicator, Method, Objective, Origin, PARTS, Query, Window};
pub use rule::{Facts, Good, Rule, Verdict};
pub use sample::{InvalidSample, Operator, Parts, Sample, Samples};
pub use series::{LONGEST_WINDOW, Series};
pub use slices::Slicer;
pub use target::{InvalidTarget, Target};

/// Seconds since the Unix epoch.
pub type Seconds = u64;
