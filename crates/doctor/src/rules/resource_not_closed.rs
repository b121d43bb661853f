use super::{
    Findings,
    unreleased::{self, Lost},
};
use crate::{
    context::FunctionContext,
    flow::{Acquired, Kind},
    rule::{Confidence, Rule, Severity},
    types::Type,
};

/// A file, a connection, a listener, a client: open for as long as nobody closes it.
pub(super) static RULE: Rule = Rule {
    code: "resource-not-closed",
    summary: "a file, connection, listener or client is not closed on some way out",
    severity: Severity::Warning,
    confidence: Confidence::Medium,
    page: include_str!("../../../../docs/doctor/resource-not-closed.md"),
};

pub(super) fn check(context: &FunctionContext<'_, '_, '_>, findings: &mut Findings) {
    unreleased::each(context, Kind::Resource, |lost| {
        let Some(confidence) = confidence(context, &lost) else { return };
        let finding = unreleased::finding(&RULE, context, &lost)
            .confidence(confidence)
            .help(help(lost.acquired));
        findings.push(unreleased::bounded(context, finding));
    });
}

fn help(acquired: &Acquired<'_, '_>) -> String {
    let release = acquired.what.releases.first().copied().unwrap_or("Close");
    format!(
        "each time it stays open, until descriptors, connections or memory run out; defer {release} behind \
         the check of the error"
    )
}

/// None where nothing is lost: what only reads or writes through something else.
fn confidence(
    context: &FunctionContext<'_, '_, '_>,
    lost: &Lost<'_, '_, '_>,
) -> Option<Confidence> {
    let acquired = lost.acquired;
    let callee = &acquired.callee;
    if callee.package.starts_with("compress/") && callee.name == "NewReader" {
        return None;
    }
    if is_encoder(&acquired.ty) || callee.package == "encoding/base64" {
        // On the way of an error nobody reads what was written.
        let leak = lost.leak.as_ref()?;
        return (!leak.released_elsewhere && !leak.given_elsewhere && !leak.overwritten)
            .then_some(Confidence::Medium);
    }
    // Closed with what it came of: the statements of a transaction, a descriptor that has its owner.
    if callee.is_method("database/sql", "Tx", "Prepare")
        || callee.is_method("database/sql", "Tx", "PrepareContext")
        || callee.is("os", "NewFile")
    {
        return Some(Confidence::Low);
    }
    match (&lost.leak, context.is_main()) {
        (_, true) => None,
        _ => Some(Confidence::Medium),
    }
}

/// What holds nothing but has to be closed for all to be written.
fn is_encoder(ty: &Type<'_>) -> bool {
    matches!(
        ty.name(),
        Some((
            "compress/gzip" | "compress/zlib" | "compress/flate" | "archive/zip" | "archive/tar",
            "Writer"
        ))
    )
}
