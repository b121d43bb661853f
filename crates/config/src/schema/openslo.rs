//! OpenSLO's kinds, version `openslo/v1` (<https://github.com/OpenSLO/OpenSLO>).

use super::field::{Field, Kind, TEXT_MAP, full, inert};

const API_VERSION: Field = full("apiVersion", Kind::Text);
const KIND: Field = full("kind", Kind::Text);
const METADATA: Field = full("metadata", Kind::Object(METADATA_FIELDS));

const METADATA_FIELDS: &[Field] = &[
    full("name", Kind::Text),
    full("displayName", Kind::Text),
    full("labels", Kind::Any),
    full("annotations", TEXT_MAP),
];

pub(crate) const SLO: &[Field] =
    &[API_VERSION, KIND, METADATA, full("spec", Kind::Object(SLO_SPEC))];
pub(crate) const SLI: &[Field] =
    &[API_VERSION, KIND, METADATA, full("spec", Kind::Object(SLI_SPEC))];
pub(crate) const SERVICE: &[Field] =
    &[API_VERSION, KIND, METADATA, full("spec", Kind::Object(&[full("description", Kind::Text)]))];
pub(crate) const DATA_SOURCE: &[Field] =
    &[API_VERSION, KIND, METADATA, full("spec", Kind::Object(DATA_SOURCE_SPEC))];
pub(crate) const ALERT_POLICY: &[Field] =
    &[API_VERSION, KIND, METADATA, full("spec", Kind::Object(POLICY_SPEC))];
pub(crate) const ALERT_CONDITION: &[Field] =
    &[API_VERSION, KIND, METADATA, full("spec", Kind::Object(CONDITION_SPEC))];
pub(crate) const ALERT_NOTIFICATION_TARGET: &[Field] =
    &[API_VERSION, KIND, METADATA, full("spec", Kind::Any)];

const SLO_SPEC: &[Field] = &[
    full("description", Kind::Text),
    full("service", Kind::Text),
    full("indicator", Kind::Object(SLI)),
    full("indicatorRef", Kind::Text),
    full("timeWindow", Kind::List(&Kind::Object(TIME_WINDOW))),
    full("budgetingMethod", Kind::Choice(&["Occurrences", "Timeslices", "RatioTimeslices"])),
    full("objectives", Kind::List(&Kind::Object(OBJECTIVE))),
    full("alertPolicies", Kind::List(&Kind::Any)),
];

const TIME_WINDOW: &[Field] = &[
    full("duration", Kind::Text),
    full("isRolling", Kind::Boolean),
    full("calendar", Kind::Object(&[full("startTime", Kind::Text), full("timeZone", Kind::Text)])),
];

const OBJECTIVE: &[Field] = &[
    full("displayName", Kind::Text),
    full("op", Kind::Choice(&["lte", "gte", "lt", "gt"])),
    full("value", Kind::Number),
    full("target", Kind::Number),
    full("targetPercent", Kind::Number),
    full("timeSliceTarget", Kind::Number),
    full("timeSliceWindow", Kind::Any),
    full("indicator", Kind::Object(SLI)),
    full("indicatorRef", Kind::Text),
    full("compositeWeight", Kind::Number),
];

const SLI_SPEC: &[Field] = &[
    full("description", Kind::Text),
    full("thresholdMetric", Kind::Object(METRIC)),
    full("ratioMetric", Kind::Object(RATIO)),
];

const METRIC: &[Field] = &[full("metricSource", Kind::Object(METRIC_SOURCE))];

const RATIO: &[Field] = &[
    full("counter", Kind::Boolean),
    full("good", Kind::Object(METRIC)),
    full("bad", Kind::Object(METRIC)),
    full("total", Kind::Object(METRIC)),
    full("rawType", Kind::Choice(&["success", "failure"])),
    full("raw", Kind::Object(METRIC)),
];

const METRIC_SOURCE: &[Field] =
    &[full("metricSourceRef", Kind::Text), full("type", Kind::Text), full("spec", Kind::Any)];

const DATA_SOURCE_SPEC: &[Field] = &[
    full("description", Kind::Text),
    full("type", Kind::Text),
    full("connectionDetails", Kind::Any),
];

const POLICY_SPEC: &[Field] = &[
    full("description", Kind::Text),
    full("alertWhenNoData", Kind::Boolean),
    full("alertWhenResolved", Kind::Boolean),
    full("alertWhenBreaching", Kind::Boolean),
    full("conditions", Kind::List(&Kind::Any)),
    inert("notificationTargets", Kind::List(&Kind::Any)),
];

const CONDITION_SPEC: &[Field] = &[
    full("description", Kind::Text),
    full("severity", Kind::Text),
    full(
        "condition",
        Kind::Object(&[
            full("kind", Kind::Text),
            full("op", Kind::Choice(&["lte", "gte", "lt", "gt"])),
            full("threshold", Kind::Number),
            full("lookbackWindow", Kind::Text),
            full("alertAfter", Kind::Text),
        ]),
    ),
];
