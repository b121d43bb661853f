use std::{sync::Arc, time::Duration};

use model::{
    Cause,
    slo::{Budget, BurnAlert, Counts, Forecast, Indicator, Origin, Period, Seconds, Target, burn},
};

use super::{engine::Engine, tracked::Tracked};

/// The windows over which burn is shown.
pub const BURN_WINDOWS: [Duration; 7] = [
    Duration::from_secs(300),
    Duration::from_secs(1_800),
    Duration::from_secs(3_600),
    Duration::from_secs(7_200),
    Duration::from_secs(21_600),
    Duration::from_secs(86_400),
    Duration::from_secs(259_200),
];

/// The window whose burn a forecast goes by.
const FORECAST_WINDOW: Duration = Duration::from_secs(3_600);

/// How an objective stands.
#[derive(Clone, Debug)]
pub struct Status {
    /// The objective's name.
    pub name: Arc<str>,
    /// The service.
    pub service: Arc<str>,
    /// What people call it.
    pub title: Arc<str>,
    /// Whether it was asked for.
    pub origin: Origin,
    /// The share that must be good.
    pub target: Target,
    /// When this was so.
    pub now: Seconds,
    /// The time that is looked at.
    pub period: Period,
    /// What was counted in it: events or slices.
    pub counts: Counts,
    /// How many of these make one event, sample or slice: [`model::slo::PARTS`] where ratios are counted.
    pub parts: u64,
    /// Whether samples are counted, and no events.
    pub is_sampled: bool,
    /// How wide a slice is, if slices are counted.
    pub slice: Option<Duration>,
    /// What is left: in events, or in seconds if slices are counted.
    pub budget: Budget,
    /// What a contract leaves, if there is one.
    pub agreement: Option<(Target, Budget)>,
    /// How fast it burns.
    pub burns: Vec<Burn>,
    /// Its alerts.
    pub alerts: Vec<AlertStatus>,
    /// Which causes spent it, in events, the greatest part first.
    pub causes: Vec<(Option<Cause>, u64)>,
    /// The share of the period so far in which somebody looked, 0 to 1.
    pub coverage: f64,
    /// When it will be spent if things go on as in the last hour.
    pub forecast: Forecast,
}

/// How fast a budget burns over a window.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Burn {
    /// The window.
    pub window: Duration,
    /// 1 spends the budget in just its period. `None` without events.
    pub burn: Option<f64>,
    /// The share of the window in which somebody looked.
    pub coverage: f64,
}

/// An alert and its state.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AlertStatus {
    /// The alert.
    pub alert: BurnAlert,
    /// Since when it fires, if it does.
    pub since: Option<Seconds>,
    /// Whether too little was looked at to decide.
    pub is_blind: bool,
    /// Since when somebody is told that it has no data.
    pub no_data_since: Option<Seconds>,
}

impl Status {
    pub(super) fn of(tracked: &Tracked, engine: &Engine) -> Self {
        let (objective, now) = (tracked.objective(), engine.now());
        let elapsed = objective.window.elapsed(now);
        let budget = tracked.budget(now);
        let bad = tracked.over(FORECAST_WINDOW).bad as f64 / objective.parts() as f64;
        let unit = tracked.slice_width().map_or(1.0, |width| width.as_secs_f64());
        let coverage = |window| tracked.polled(window).unwrap_or(engine.coverage(window));
        let burns = BURN_WINDOWS.map(|window| Burn {
            window,
            burn: burn(tracked.over(window), objective.target),
            coverage: coverage(window),
        });
        let alerts =
            objective.alerts.iter().zip(tracked.alerts()).map(|(alert, state)| AlertStatus {
                alert: *alert,
                since: state.since(),
                is_blind: state.is_blind(),
                no_data_since: state.no_data_since(),
            });
        Self {
            name: Arc::clone(&objective.name),
            service: Arc::clone(&objective.service),
            title: Arc::clone(&objective.title),
            origin: objective.origin,
            target: objective.target,
            now,
            period: objective.window.period(now),
            counts: tracked.over(elapsed),
            parts: objective.parts(),
            is_sampled: matches!(objective.indicator, Indicator::Samples(_)),
            slice: tracked.slice_width(),
            budget,
            agreement: objective.agreement.map(|target| (target, tracked.budget_for(target, now))),
            burns: burns.to_vec(),
            alerts: alerts.collect(),
            causes: tracked.causes(now),
            coverage: coverage(elapsed),
            forecast: Forecast::of(budget, bad * unit, FORECAST_WINDOW),
        }
    }
}
