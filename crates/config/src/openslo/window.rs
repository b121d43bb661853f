//! `timeWindow`, `budgetingMethod` and slices.

use std::time::Duration;

use jiff::{civil::DateTime, tz::TimeZone};
use model::slo::{Calendar, LONGEST_WINDOW, Method, Target, Window};

use super::{Zones, span};
use crate::{report::Report, source::Place, yaml::Node};

/// What holds where an SLO says nothing.
const DEFAULT_WINDOW: Duration = Duration::from_secs(30 * 86_400);

/// The window of an SLO; an error has been reported where there is none.
pub(super) fn window(spec: &Node, zones: Zones<'_>, report: &mut Report) -> Option<Window> {
    let windows = spec.items_of("timeWindow");
    let Some(first) = windows.first() else {
        let hint = "write `timeWindow: [{duration: 30d, isRolling: true}]` to say so yourself";
        report.warning(
            "default-window",
            spec.place,
            "no `timeWindow`: the last 30 days are taken",
            hint,
        );
        return Some(Window::Rolling(DEFAULT_WINDOW));
    };
    if let Some(second) = windows.get(1) {
        let hint = "OpenSLO allows just one; write a second SLO for another window";
        report.error("two-windows", second.place, "an SLO with two time windows", hint);
        return None;
    }
    let Some(duration) = first.text_of("duration") else {
        report.error(
            "missing-field",
            first.place,
            "this window has no `duration`",
            "write one, such as `30d`",
        );
        return None;
    };
    let is_rolling = first.get("isRolling").and_then(Node::boolean);
    match (first.get("calendar"), is_rolling) {
        (Some(_), Some(true)) => {
            let hint = "leave `calendar` out, or write `isRolling: false`";
            report.error(
                "two-windows",
                first.place,
                "a window that is rolling and follows a calendar",
                hint,
            );
            None
        }
        (Some(calendar), _) => self::calendar(calendar, &duration.value, zones, report),
        (None, Some(false)) => {
            let hint = "write `calendar:` with `startTime` and `timeZone`, or `isRolling: true`";
            report.error(
                "missing-field",
                first.place,
                "a window that is not rolling has no `calendar`",
                hint,
            );
            None
        }
        (None, _) => rolling(&duration.value, duration.place, report).map(Window::Rolling),
    }
}

fn rolling(text: &str, place: Place, report: &mut Report) -> Option<Duration> {
    let Some(duration) = span::parse(text) else {
        let message = format!("`{text}` is not the length of a rolling window");
        report.error(
            "bad-duration",
            place,
            message,
            "write a whole number with h, d or w, such as `30d`",
        );
        return None;
    };
    if duration > LONGEST_WINDOW || duration < Duration::from_secs(3_600) {
        let message = format!("a window of {text} cannot be kept");
        report.error("bad-duration", place, message, "it must be from `1h` to `92d`");
        return None;
    }
    Some(duration)
}

fn calendar(node: &Node, every: &str, zones: Zones<'_>, report: &mut Report) -> Option<Window> {
    let start = node.text_of("startTime");
    let Some(start) = start else {
        let hint = "write `startTime: 2026-01-01 00:00:00`";
        report.error("missing-field", node.place, "this calendar has no `startTime`", hint);
        return None;
    };
    let Ok(begin) = start.value.parse::<DateTime>() else {
        let message = format!("`{}` is not a date and time", start.value);
        report.error("bad-time", start.place, message, "write it as `2026-01-01 00:00:00`");
        return None;
    };
    let zone = match node.text_of("timeZone") {
        None => TimeZone::UTC,
        Some(name) => match zones(&name.value) {
            Some(zone) => zone,
            None => {
                let message = format!("`{}` is not a known time zone", name.value);
                report.error(
                    "unknown-zone",
                    name.place,
                    message,
                    "write an IANA name, such as `Europe/Berlin`",
                );
                return None;
            }
        },
    };
    if every.ends_with('Y') || too_long(every) {
        let message = format!("a window of {every} cannot be kept");
        report.error(
            "bad-duration",
            node.place,
            message,
            "a calendar window is at most a quarter: `1Q`, `3M`, `92d`",
        );
        return None;
    }
    match Calendar::new(begin, zone, every) {
        Ok(calendar) => Some(Window::Calendar(calendar)),
        Err(error) => {
            report.error("bad-duration", node.place, error.to_string(), "such as `1M` for a month");
            None
        }
    }
}

fn too_long(every: &str) -> bool {
    let number =
        |unit| every.strip_suffix(unit).and_then(|number: &str| number.parse::<u64>().ok());
    number('Q').is_some_and(|quarters| quarters > 1)
        || number('M').is_some_and(|months| months > 3)
        || number('w').is_some_and(|weeks| weeks > 13)
        || number('d').is_some_and(|days| days > 92)
}

/// What an objective counts; an error has been reported where there is nothing.
pub(super) fn method(spec: &Node, objective: &Node, report: &mut Report) -> Option<Method> {
    let method = spec.text_of("budgetingMethod");
    match method.as_ref().map(|method| method.value.as_str()) {
        None | Some("Occurrences") => {
            if let Some(name) = SLICES.into_iter().find(|name| objective.get(name).is_some()) {
                let message = format!("`{name}`, and no slices are counted");
                let hint =
                    "write `budgetingMethod: Timeslices` or `RatioTimeslices`, or leave it out";
                report.error("method-contradicts", objective.key_place(name), message, hint);
                return None;
            }
            Some(Method::Occurrences)
        }
        Some("RatioTimeslices") => {
            if objective.get(SLICES[0]).is_some() {
                let message =
                    "`RatioTimeslices` averages slices, and no slice has a target of its own";
                let hint = "leave `timeSliceTarget` out, or write `budgetingMethod: Timeslices`";
                let place = objective.key_place(SLICES[0]);
                report.error("method-contradicts", place, message, hint);
                return None;
            }
            Some(Method::RatioTimeslices { width: width(objective, report)? })
        }
        Some(_) => {
            let target = slice_target(objective, report);
            Some(Method::Timeslices { width: width(objective, report)?, target: target? })
        }
    }
}

/// What is said of slices in an objective.
const SLICES: [&str; 2] = ["timeSliceTarget", "timeSliceWindow"];

/// The target of a slice in which nothing may be bad: right up to a billion events.
const WHOLE: &str = "0.999999999";

fn slice_target(objective: &Node, report: &mut Report) -> Option<Target> {
    let Some(target) = objective.get(SLICES[0]) else {
        let message = "an objective of slices needs `timeSliceTarget`";
        report.error("missing-field", objective.place, message, "such as `timeSliceTarget: 0.99`");
        return None;
    };
    let text = target.text().unwrap_or_default();
    // OpenSLO has it from 0 to 1, and 1 included.
    let is_whole = text.parse::<f64>().is_ok_and(|ratio| ratio == 1.0);
    match if is_whole { WHOLE } else { text }.parse() {
        Ok(target) => Some(target),
        Err(error) => {
            report.error("bad-target", target.place, error.to_string(), "such as `0.99`");
            None
        }
    }
}

fn width(objective: &Node, report: &mut Report) -> Option<Duration> {
    let Some(width) = objective.get(SLICES[1]) else {
        let message = "an objective of slices needs `timeSliceWindow`";
        report.error("missing-field", objective.place, message, "such as `timeSliceWindow: 1m`");
        return None;
    };
    let text = width.text().unwrap_or_default();
    // A number alone is of minutes.
    let parsed = match text.parse::<u64>() {
        Ok(minutes) => Some(Duration::from_secs(minutes.saturating_mul(60))),
        Err(_) => span::parse(text),
    };
    let parsed =
        parsed.filter(|it| (Duration::from_secs(1)..=Duration::from_secs(3_600)).contains(it));
    if parsed.is_none() {
        let message = format!("`{text}` is not the width of a slice");
        let hint = "from `1s` to `1h`, such as `1m`; a number alone is of minutes";
        report.error("bad-duration", width.place, message, hint);
    }
    parsed
}
