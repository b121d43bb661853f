use std::{error::Error, fmt, str::FromStr, time::Duration};

use model::slo::{Alarm, Seconds};
use serde_json::{Value, json};

use super::notice::{Notice, span};

/// In whose format somebody is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Format {
    /// Alertmanager's API v2, `POST /api/v2/alerts`.
    Alertmanager,
    /// What Alertmanager itself sends to a webhook, version 4.
    Webhook,
    /// What Slack's incoming webhooks take, and Mattermost's and others'.
    Slack,
}

impl Format {
    /// The name by which it is chosen.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Alertmanager => "alertmanager",
            Self::Webhook => "webhook",
            Self::Slack => "slack",
        }
    }

    /// Whether it takes what it is not told of again to be over: Alertmanager does, also of what it
    /// was told before it was restarted.
    #[must_use]
    pub const fn forgets(self) -> bool {
        matches!(self, Self::Alertmanager)
    }
}

/// How often a receiver that [forgets](Format::forgets) is told again of what still fires; Prometheus
/// itself does so each minute.
pub const REPEAT_INTERVAL: Duration = Duration::from_secs(60);

/// For how long what it is told holds: it may miss four.
pub const REPEAT_HOLDS: Duration = Duration::from_secs(300);

/// Who is told: `webhook=http://127.0.0.1:5001/alerts`, `slack=https://…`,
/// `alertmanager=http://127.0.0.1:9093`.
///
/// ```
/// use control::slo::{Format, Receiver};
///
/// let receiver: Receiver = "alertmanager=http://127.0.0.1:9093".parse().unwrap();
/// assert_eq!(receiver.format, Format::Alertmanager);
/// assert_eq!(receiver.address(), "http://127.0.0.1:9093/api/v2/alerts");
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Receiver {
    /// In whose format.
    pub format: Format,
    /// The URL that was given.
    pub url: String,
}

/// The text names no receiver.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvalidReceiver(String);

impl fmt::Display for InvalidReceiver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "expected alertmanager=URL, webhook=URL or slack=URL with an http or https URL, found {:?}",
            self.0
        )
    }
}

impl Error for InvalidReceiver {}

impl FromStr for Receiver {
    type Err = InvalidReceiver;

    fn from_str(text: &str) -> Result<Self, InvalidReceiver> {
        let invalid = || InvalidReceiver(text.to_owned());
        let (format, url) = text.split_once('=').ok_or_else(invalid)?;
        let formats = [Format::Alertmanager, Format::Webhook, Format::Slack];
        let format = formats.into_iter().find(|it| it.as_str() == format).ok_or_else(invalid)?;
        let rest = url.strip_prefix("http://").or_else(|| url.strip_prefix("https://"));
        if rest.is_none_or(|rest| rest.is_empty() || rest.starts_with('/')) {
            return Err(invalid());
        }
        Ok(Self { format, url: url.to_owned() })
    }
}

impl fmt::Display for Receiver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}={}", self.format.as_str(), self.url)
    }
}

impl Receiver {
    /// Where it is posted to.
    #[must_use]
    pub fn address(&self) -> String {
        match self.format {
            Format::Alertmanager => format!("{}/api/v2/alerts", self.url.trim_end_matches('/')),
            Format::Webhook | Format::Slack => self.url.clone(),
        }
    }

    /// What is posted, as JSON. `page` is where more can be seen.
    #[must_use]
    pub fn body(&self, notice: &Notice, page: &str) -> String {
        let value = match self.format {
            Format::Alertmanager => json!([alert_of_api(notice, page)]),
            Format::Webhook => webhook(notice, page),
            Format::Slack => slack(notice, page),
        };
        value.to_string()
    }
}

const fn is_over(notice: &Notice) -> bool {
    matches!(notice.alarm, Alarm::Resolved | Alarm::DataAgain)
}

fn labels(notice: &Notice) -> Value {
    json!({
        "alertname": if notice.is_of_data() { "ErrorBudgetNoData" } else { "ErrorBudgetBurn" },
        "severity": notice.alert.severity.as_str(),
        "service": &*notice.service,
        "slo": &*notice.objective,
        "long_window": span(notice.alert.long),
        "short_window": span(notice.alert.short),
    })
}

fn annotations(notice: &Notice) -> Value {
    json!({ "summary": notice.summary(), "description": notice.description() })
}

/// What still fires has an end that is put off again and again. Without one, Alertmanager would take
/// its own `resolve_timeout`, which may be shorter than a receiver is away for.
fn alert_of_api(notice: &Notice, page: &str) -> Value {
    let mut alert = alert(notice, page);
    if !is_over(notice) {
        alert["endsAt"] = json!(time(notice.at + REPEAT_HOLDS.as_secs()));
    }
    alert
}

/// What still fires has no end.
fn alert(notice: &Notice, page: &str) -> Value {
    let mut alert = json!({
        "labels": labels(notice),
        "annotations": annotations(notice),
        "startsAt": time(notice.since),
        "generatorURL": page,
    });
    if is_over(notice) {
        alert["endsAt"] = json!(time(notice.at));
    }
    alert
}

fn webhook(notice: &Notice, page: &str) -> Value {
    let status = if is_over(notice) { "resolved" } else { "firing" };
    let mut one = alert(notice, page);
    one["status"] = json!(status);
    one["fingerprint"] = json!(format!("{:016x}", fingerprint(&labels(notice).to_string())));
    if !is_over(notice) {
        // Alertmanager writes the year 1 for what has not ended.
        one["endsAt"] = json!("0001-01-01T00:00:00Z");
    }
    json!({
        "version": "4",
        "groupKey": format!("{{}}:{{slo=\"{}\"}}", notice.objective),
        "truncatedAlerts": 0,
        "status": status,
        "receiver": "rearguard",
        "groupLabels": { "slo": &*notice.objective },
        "commonLabels": labels(notice),
        "commonAnnotations": annotations(notice),
        "externalURL": page,
        "alerts": [one],
    })
}

fn slack(notice: &Notice, page: &str) -> Value {
    let (color, word) = match (notice.alarm, notice.alert.severity) {
        (Alarm::Resolved | Alarm::DataAgain, _) => ("good", "over"),
        (Alarm::Fired | Alarm::NoData, model::slo::Severity::Page) => ("danger", "page"),
        (Alarm::Fired | Alarm::NoData, model::slo::Severity::Ticket) => ("warning", "ticket"),
    };
    json!({
        "text": format!("[{word}] {}", notice.summary()),
        "attachments": [{
            "color": color,
            "title": notice.name(),
            "title_link": page,
            "text": notice.description(),
            "ts": notice.at,
        }],
    })
}

/// FNV-1a (Fowler, Noll, Vo; 64 bits), which Alertmanager's fingerprints are too.
fn fingerprint(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

/// RFC 3339, in UTC.
pub(super) fn time(at: Seconds) -> String {
    let at = i64::try_from(at).ok().and_then(|at| jiff::Timestamp::from_second(at).ok());
    at.unwrap_or(jiff::Timestamp::MAX).to_string()
}
