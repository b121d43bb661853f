//! What every document has: `apiVersion`, `kind`, `metadata`, `status`.

use super::field::{Field, Kind, TEXT_MAP, TEXTS, full, kubernetes};

/// The annotations by which a service declares its own timeouts, on its `ServiceEntry`.
pub(crate) const PROMISES: [&str; 3] =
    ["rearguard.dev/write-timeout", "rearguard.dev/handler-deadline", "rearguard.dev/keep-alive"];

pub(super) const API_VERSION: Field = full("apiVersion", Kind::Text);
pub(super) const KIND: Field = full("kind", Kind::Text);
pub(super) const METADATA: Field = full("metadata", Kind::Object(METADATA_FIELDS));
pub(super) const STATUS: Field = kubernetes("status", Kind::Any);

const METADATA_FIELDS: &[Field] = &[
    full("name", Kind::Text),
    full("namespace", Kind::Text),
    full("annotations", Kind::Annotations),
    kubernetes("labels", TEXT_MAP),
    kubernetes("generateName", Kind::Text),
    kubernetes("creationTimestamp", Kind::Any),
    kubernetes("deletionTimestamp", Kind::Any),
    kubernetes("deletionGracePeriodSeconds", Kind::Any),
    kubernetes("finalizers", TEXTS),
    kubernetes("generation", Kind::Any),
    kubernetes("managedFields", Kind::Any),
    kubernetes("ownerReferences", Kind::Any),
    kubernetes("resourceVersion", Kind::Any),
    kubernetes("selfLink", Kind::Any),
    kubernetes("uid", Kind::Any),
];
