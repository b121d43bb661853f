//! How much of what a handler costs is cleanup.

use std::collections::HashMap;

use super::{
    handler::handler,
    join::{Join, Site},
    symbol,
};

/// What is shown for stacks on which no function is anybody's handler.
const NO_HANDLER: &str = "(runtime)";

/// What was counted in deferred calls.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cleanup {
    /// Everything.
    pub total: i64,
    /// In deferred calls.
    pub in_cleanup: i64,
    /// By handler, the one with the most cleanup first; those without cleanup left out.
    pub handlers: Vec<HandlerCleanup>,
}

/// What a handler spends in deferred calls.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HandlerCleanup {
    /// The handler: `pay.(*Server).ServeHTTP`.
    pub handler: String,
    /// All that was counted under it.
    pub total: i64,
    /// In deferred calls.
    pub in_cleanup: i64,
    /// By `defer` statement, the largest first. Those that the source does not have stand under the
    /// name of what they called.
    pub sites: Vec<(CleanupSite, i64)>,
}

/// Where a deferred call comes from.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CleanupSite {
    /// The function that was called.
    pub callee: String,
    /// The `defer` statement, where the source has it.
    pub site: Option<Site>,
}

impl Cleanup {
    /// The share of everything that is cleanup, from 0 to 1.
    #[must_use]
    pub fn ratio(&self) -> f64 {
        ratio(self.in_cleanup, self.total)
    }
}

impl HandlerCleanup {
    /// The share of the handler that is cleanup, from 0 to 1.
    #[must_use]
    pub fn ratio(&self) -> f64 {
        ratio(self.in_cleanup, self.total)
    }
}

/// A share; 0 of nothing.
#[must_use]
#[expect(clippy::cast_precision_loss, reason = "a ratio for people")]
pub(super) fn ratio(part: i64, whole: i64) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}

#[derive(Debug, Default)]
struct Sums {
    total: i64,
    in_cleanup: i64,
    sites: HashMap<CleanupSite, i64>,
}

/// Adds up the samples by handler.
pub(super) fn cleanup(join: &mut Join<'_>) -> Cleanup {
    let profile = join.profile;
    let mut sums: HashMap<&str, Sums> = HashMap::new();
    let mut all = Cleanup::default();
    for sample in &profile.samples {
        let value = profile.value(sample);
        let at = handler(join, &sample.stack);
        let name = at.map_or(NO_HANDLER, |at| join.symbol(sample.stack[at]));
        let sum = sums.entry(name).or_default();
        sum.total = sum.total.saturating_add(value);
        all.total = all.total.saturating_add(value);
        let Some(call) = join.deferred(&sample.stack, at.unwrap_or(sample.stack.len())) else {
            continue;
        };
        sum.in_cleanup = sum.in_cleanup.saturating_add(value);
        all.in_cleanup = all.in_cleanup.saturating_add(value);
        let callee = symbol::short(join.symbol(sample.stack[call.at])).to_owned();
        let counted = sum.sites.entry(CleanupSite { callee, site: call.site }).or_default();
        *counted = counted.saturating_add(value);
    }
    all.handlers = sums.into_iter().filter_map(|(name, sum)| shown(name, sum)).collect();
    all.handlers
        .sort_by(|a, b| b.in_cleanup.cmp(&a.in_cleanup).then_with(|| a.handler.cmp(&b.handler)));
    all
}

fn shown(name: &str, sums: Sums) -> Option<HandlerCleanup> {
    let mut sites: Vec<_> = sums.sites.into_iter().collect();
    sites.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    (sums.in_cleanup > 0).then(|| HandlerCleanup {
        handler: symbol::short(name).to_owned(),
        total: sums.total,
        in_cleanup: sums.in_cleanup,
        sites,
    })
}
