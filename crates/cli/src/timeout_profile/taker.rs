//! Takes a profile and says where the request waits.

use std::{
    collections::HashMap,
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::Context as _;
use doctor::profile::{Profile, SourceIndex, Suspect, suspect};
use model::RequestRecord;

use super::{Amendment, Amendments, PROFILE_EVERY, UrlPattern, amendments::Attempt};
use crate::doctor::profile::fetch::Fetch;

/// For one profile, from the connection to its last byte.
const TIMEOUT: Duration = Duration::from_secs(3);

/// A profile that a timeout takes has at most this many bytes: 16 MiB hold some hundred thousand
/// goroutines.
const MAX_BYTES: u64 = 16 << 20;

/// So many services are remembered. Beyond it the one asked longest ago is forgotten.
const MAX_SERVICES: usize = 1024;

#[derive(Debug)]
pub(super) struct Taker {
    pattern: UrlPattern,
    source: Option<SourceIndex>,
    fetch: Fetch,
    asked: HashMap<Arc<str>, Instant>,
    amendments: Arc<Amendments>,
}

impl Taker {
    /// `source` are Go files, each a path and its text.
    pub(super) fn new(
        pattern: UrlPattern,
        source: &[(String, String)],
        amendments: Arc<Amendments>,
    ) -> Self {
        let source = (!source.is_empty()).then(|| SourceIndex::new(source));
        let fetch = Fetch::new(TIMEOUT, MAX_BYTES);
        Self { pattern, source, fetch, asked: HashMap::new(), amendments }
    }

    /// Takes a profile of the request's service, unless it was asked a moment ago.
    pub(super) fn look_at(&mut self, record: &RequestRecord) {
        if !self.may_ask(&record.service, Instant::now()) {
            return self.amendments.count(Attempt::Skipped);
        }
        let (attempt, amendment) = match self.profile(record) {
            Ok(amendment) => (Attempt::Taken, amendment),
            Err(reason) => (Attempt::Failed, without_place(reason)),
        };
        self.amendments.count(attempt);
        self.amendments.keep(record, amendment);
    }

    fn may_ask(&mut self, service: &Arc<str>, now: Instant) -> bool {
        let last = self.asked.get(service);
        if last.is_some_and(|last| now.duration_since(*last) < PROFILE_EVERY) {
            return false;
        }
        if self.asked.len() >= MAX_SERVICES
            && let Some((oldest, _)) = self.asked.iter().min_by_key(|(_, last)| **last)
        {
            let oldest = Arc::clone(oldest);
            self.asked.remove(&oldest);
        }
        self.asked.insert(Arc::clone(service), now);
        true
    }

    fn profile(&self, record: &RequestRecord) -> Result<Amendment, String> {
        let mut refused = Vec::new();
        for base in self.pattern.bases(record) {
            // Not debug=2: that would stop the service for as long as it writes.
            let url = format!("{base}/goroutine");
            let profile = self.fetch.get(&url).and_then(|bytes| {
                doctor::profile::read(&bytes).with_context(|| format!("{url} is no profile"))
            });
            match profile {
                Ok(profile) => return Ok(self.judge(record, &profile)),
                Err(error) => refused.push(format!("{error:#}")),
            }
        }
        if refused.is_empty() {
            return Err(
                "no goroutine profile could be asked for: the request reached no endpoint".into()
            );
        }
        Err(format!("no goroutine profile could be had: {}", refused.join("; ")))
    }

    fn judge(&self, record: &RequestRecord, profile: &Profile) -> Amendment {
        let trace_id = record.trace_id.to_string();
        let path = record.path.split('?').next().unwrap_or_default();
        let marks = [("trace id", &*trace_id), ("path", path), ("route", &record.route)];
        let found = suspect(profile, self.source.as_ref(), &marks);
        match found {
            Some(found) => amendment(&found, self.source.is_some()),
            None => without_place(
                "a goroutine profile taken after the timeout shows no goroutine that serves a request \
                 and waits"
                    .to_owned(),
            ),
        }
    }
}

fn without_place(sentence: String) -> Amendment {
    Amendment { sentence, blocked_at: None, in_deferred_call: false, deferred_at: None }
}

fn amendment(found: &Suspect, has_source: bool) -> Amendment {
    let blocked = &found.blocked;
    let mut sentence = format!("blocked in {} at {}", blocked.reason, blocked.place);
    let mut deferred_at = None;
    match &blocked.cleanup {
        Some(call) => {
            sentence += ", in a deferred call";
            if let Some(site) = &call.site {
                let at = format!("{}:{}", site.path, site.line);
                sentence += &format!(" (`defer {}` at {at})", site.text);
                deferred_at = Some(at);
            }
        }
        None if has_source => sentence += ", not in a deferred call",
        None => sentence += "; whether in a deferred call, --profile-source would say",
    }
    sentence += &format!(", handler {} ({})", blocked.handler, found.certainty.sentence());
    Amendment {
        sentence,
        blocked_at: Some(format!("{}:{}", blocked.place.path, blocked.place.line)),
        in_deferred_call: blocked.cleanup.is_some(),
        deferred_at,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_is_asked_once_in_a_while_and_others_are_not_held_up() {
        let amendments = Arc::new(Amendments::default());
        let mut taker = Taker::new(UrlPattern::Auto, &[], amendments);
        let (pay, stock) = (Arc::from("pay"), Arc::from("stock"));
        let now = Instant::now();
        assert!(taker.may_ask(&pay, now));
        assert!(!taker.may_ask(&pay, now + PROFILE_EVERY / 2));
        assert!(taker.may_ask(&stock, now + PROFILE_EVERY / 2));
        assert!(taker.may_ask(&pay, now + PROFILE_EVERY));
    }

    #[test]
    fn only_so_many_services_are_remembered() {
        let mut taker = Taker::new(UrlPattern::Auto, &[], Arc::default());
        let now = Instant::now();
        for service in 0..=MAX_SERVICES {
            let service = Arc::from(format!("service-{service}"));
            assert!(taker.may_ask(&service, now + Duration::from_millis(1)));
        }
        assert_eq!(taker.asked.len(), MAX_SERVICES);
    }
}
