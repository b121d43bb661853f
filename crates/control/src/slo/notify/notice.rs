use std::{fmt::Write as _, sync::Arc, time::Duration};

use model::{
    Cause,
    slo::{Alarm, BurnAlert, Seconds, Target, burn},
};

use super::super::{Engine, Event};

/// So many causes are named.
const CAUSES_NAMED: usize = 3;

/// What an alert has to say when it fires and when it is over.
#[derive(Clone, Debug, PartialEq)]
pub struct Notice {
    /// The objective.
    pub objective: Arc<str>,
    /// What people call it; may be empty.
    pub title: Arc<str>,
    /// The service.
    pub service: Arc<str>,
    /// The share that must be good.
    pub target: Target,
    /// The alert.
    pub alert: BurnAlert,
    /// What has changed.
    pub alarm: Alarm,
    /// When it began to fire, or to lack data.
    pub since: Seconds,
    /// When this was so.
    pub at: Seconds,
    /// How fast the budget burns over the long and the short window.
    pub burns: [Option<f64>; 2],
    /// The share of the budget that is left; negative when overspent.
    pub remaining_ratio: Option<f64>,
    /// Which causes spent it, with their share of what is bad.
    pub causes: Vec<(Option<Cause>, f64)>,
}

impl Notice {
    /// What there is to say of an event.
    #[must_use]
    pub fn of(engine: &Engine, event: &Event) -> Option<Self> {
        let tracked = engine.tracked().get(event.objective)?;
        let objective = tracked.objective();
        let alert = *objective.alerts.get(event.alert)?;
        let burns =
            [alert.long, alert.short].map(|window| burn(tracked.over(window), objective.target));
        let causes = tracked.causes(event.at);
        let all: u64 = causes.iter().map(|(_, bad)| bad).sum();
        let causes = causes.into_iter().take(CAUSES_NAMED);
        Some(Self {
            objective: Arc::clone(&objective.name),
            title: Arc::clone(&objective.title),
            service: Arc::clone(&objective.service),
            target: objective.target,
            alert,
            alarm: event.alarm,
            since: event.since,
            at: event.at,
            burns,
            remaining_ratio: tracked.budget(event.at).remaining_ratio(),
            causes: causes.map(|(cause, bad)| (cause, bad as f64 / all.max(1) as f64)).collect(),
        })
    }

    /// Tells one alert from another, for as long as it fires: the same when it is over.
    #[must_use]
    pub fn key(&self) -> String {
        let alert = &self.alert;
        let windows = (alert.long.as_secs(), alert.short.as_secs());
        let what = if self.is_of_data() { "/no-data" } else { "" };
        format!(
            "{}/{}/{}/{}/{}{what}",
            self.objective, alert.burn, windows.0, windows.1, self.since
        )
    }

    /// Whether it is about data that is missing, and not about burning.
    pub(super) const fn is_of_data(&self) -> bool {
        matches!(self.alarm, Alarm::NoData | Alarm::DataAgain)
    }

    /// Whether it is asked for.
    #[must_use]
    pub const fn is_wanted(&self) -> bool {
        let when = self.alert.when;
        match self.alarm {
            Alarm::Fired => when.breaching,
            Alarm::Resolved => when.resolved,
            Alarm::NoData | Alarm::DataAgain => when.no_data,
        }
    }

    /// What people call it.
    #[must_use]
    pub fn name(&self) -> &str {
        if self.title.is_empty() { &self.objective } else { &self.title }
    }

    /// One line: what burns, and how fast.
    #[must_use]
    pub fn summary(&self) -> String {
        let (service, name) = (&self.service, self.name());
        match self.alarm {
            Alarm::Fired => format!(
                "{service}: the error budget of {name} burns {} times too fast",
                self.burns[0].map_or_else(|| "many".to_owned(), |burn| format!("{burn:.1}")),
            ),
            Alarm::Resolved => {
                format!("{service}: the error budget of {name} no longer burns too fast")
            }
            Alarm::NoData => {
                format!("{service}: there is no data for {name}, so nobody knows how it stands")
            }
            Alarm::DataAgain => format!("{service}: there is data for {name} again"),
        }
    }

    /// A few lines: thresholds, what is left, what spent it.
    #[must_use]
    pub fn description(&self) -> String {
        let alert = &self.alert;
        let mut text = format!(
            "Objective {}: alert at {} over {} and {}.",
            self.target,
            trimmed(alert.burn),
            span(alert.long),
            span(alert.short),
        );
        let mut say = |words: std::fmt::Arguments<'_>| {
            // A string takes what it is given.
            let _always = text.write_fmt(words);
        };
        if let [Some(long), Some(short)] = self.burns {
            say(format_args!(" It burns at {long:.1} and {short:.1}."));
        }
        if let Some(remaining) = self.remaining_ratio {
            say(format_args!(" {:.1} % of the budget is left.", remaining * 100.0));
        }
        if !self.causes.is_empty() {
            say(format_args!(" Spent by: "));
            for (index, (cause, share)) in self.causes.iter().enumerate() {
                let comma = if index == 0 { "" } else { ", " };
                let code = cause.map_or("no cause", Cause::code);
                say(format_args!("{comma}{code} {:.0} %", share * 100.0));
            }
            say(format_args!("."));
        }
        text
    }
}

/// A number without needless digits.
fn trimmed(number: f64) -> String {
    let text = format!("{number:.3}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// A window as people write it: `5m`, `1h`, `3d`.
#[must_use]
pub fn span(window: Duration) -> String {
    match window.as_secs() {
        seconds if seconds.is_multiple_of(86_400) => format!("{}d", seconds / 86_400),
        seconds if seconds.is_multiple_of(3_600) => format!("{}h", seconds / 3_600),
        seconds if seconds.is_multiple_of(60) => format!("{}m", seconds / 60),
        seconds => format!("{seconds}s"),
    }
}
