//! The settings of the analyser of Go code.

use super::field::{Field, Kind, TEXTS, full};

const CONFIDENCE: Field = full("confidence", Kind::Choice(&["low", "medium", "high"]));
const EXCLUDE: Field = full("exclude", TEXTS);

pub(crate) const DOCTOR: &[Field] = &[
    full("rules", TEXTS),
    full("skip", TEXTS),
    CONFIDENCE,
    full("severity", Kind::Choice(&["note", "warning", "error"])),
    EXCLUDE,
    full(
        "include",
        Kind::List(&Kind::Choice(&["vendor", "testdata", "node-modules", "hidden", "generated"])),
    ),
    full("tests", Kind::Boolean),
    full("tags", TEXTS),
    full("baseline", Kind::Text),
    full("options", Kind::Map(&Kind::Object(&[CONFIDENCE, EXCLUDE]))),
];
