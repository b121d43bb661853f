//! Prometheus on either side: [`parse_answer`] reads what one answers, [`rules`] writes the same
//! objectives down for those who keep theirs.

mod answer;
mod rules;

pub use answer::{AnswerError, parse_answer};
pub use rules::{NotExported, rules};
