//! `ServiceEntry`.

use super::{
    field::{COUNT, Field, Kind, PORT, TEXT_MAP, TEXTS, full, inert, kubernetes, not_yet},
    metadata::{API_VERSION, KIND, METADATA, STATUS},
};

pub(crate) const SERVICE_ENTRY: &[Field] =
    &[API_VERSION, KIND, METADATA, full("spec", Kind::Object(SPEC)), STATUS];

const SPEC: &[Field] = &[
    full("hosts", TEXTS),
    full("ports", Kind::List(&Kind::Object(SERVICE_PORT))),
    full("resolution", Kind::Choice(&["NONE", "STATIC", "DNS", "DNS_ROUND_ROBIN", "DYNAMIC_DNS"])),
    full("endpoints", Kind::List(&Kind::Object(ENDPOINT))),
    kubernetes("addresses", TEXTS),
    kubernetes("location", Kind::Choice(&["MESH_EXTERNAL", "MESH_INTERNAL"])),
    kubernetes("exportTo", TEXTS),
    kubernetes("workloadSelector", Kind::Object(WORKLOAD_SELECTOR)),
    not_yet("subjectAltNames", TEXTS),
];

const SERVICE_PORT: &[Field] = &[
    full("number", PORT),
    full("name", Kind::Text),
    full("protocol", Kind::Text),
    full("targetPort", PORT),
];

const ENDPOINT: &[Field] = &[
    full("address", Kind::Text),
    full("ports", Kind::Map(&PORT)),
    full("labels", TEXT_MAP),
    inert("weight", COUNT),
    kubernetes("locality", Kind::Text),
    kubernetes("network", Kind::Text),
    kubernetes("serviceAccount", Kind::Text),
];

const WORKLOAD_SELECTOR: &[Field] = &[kubernetes("labels", TEXT_MAP)];
