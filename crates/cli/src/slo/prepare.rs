//! What is to be watched, before it is.

use std::{path::Path, sync::Arc, time::Duration};

use anyhow::Context as _;
use config::routing::Routing;
use control::slo::{Engine, Receiver, Store};
use gateway::observe::Watched;
use model::slo::{Good, Indicator, Method, Objective, Origin, Rule, Target, Window};

use super::watch::Watcher;

/// What is suggested where nothing was asked for.
const SUGGESTED_RATIO: f64 = 0.999;
const SUGGESTED_PERIOD: Duration = Duration::from_secs(30 * 86_400);

/// The file in the folder of `--state`.
pub(crate) const FILE: &str = "slo.db";

/// Objectives, and what the gateway counts for them.
#[derive(Debug)]
pub(crate) struct Prepared {
    pub(crate) objectives: Vec<Objective>,
    /// What the gateway counts.
    pub(crate) watched: Box<[Watched]>,
    /// The objective of each of those, by its place.
    pub(crate) places: Vec<usize>,
}

impl Prepared {
    /// These, or a suggestion for each service where there is none.
    pub(crate) fn new(mut objectives: Vec<Objective>, routing: &Routing) -> anyhow::Result<Self> {
        if objectives.is_empty() {
            let names = routing.services.iter().map(|service| &service.name);
            objectives = names.map(suggestion).collect::<anyhow::Result<_>>()?;
        }
        let (mut watched, mut places) = (Vec::new(), Vec::new());
        for (place, objective) in objectives.iter().enumerate() {
            if let Indicator::Requests(rule) = &objective.indicator {
                watched.push(Watched {
                    name: Arc::clone(&objective.name),
                    service: Arc::clone(&objective.service),
                    rule: Arc::new(rule.clone()),
                });
                places.push(place);
            }
        }
        Ok(Self { objectives, watched: watched.into(), places })
    }

    /// Objectives of services that nothing is routed to: no request will count for them.
    pub(crate) fn idle(&self, routing: &Routing) -> Vec<String> {
        let is_known = |name: &str| routing.services.iter().any(|service| *service.name == *name);
        let objectives = self.places.iter().map(|place| &self.objectives[*place]);
        let idle = objectives.filter(|objective| !is_known(&objective.service));
        idle.map(|objective| {
            format!(
                "objective {} is of service {}, which no route names: nothing counts for it",
                objective.name, objective.service
            )
        })
        .collect()
    }

    /// With what was written down in the folder, if one is named.
    pub(crate) fn watcher(
        self,
        state: Option<&Path>,
        receivers: Vec<Receiver>,
        page: String,
    ) -> anyhow::Result<Watcher> {
        let store = state.map(open).transpose()?;
        Ok(Watcher::new(Engine::new(self.objectives), self.places, receivers, page, store)?)
    }
}

/// The file in a folder, which is made where it is not there.
fn open(folder: &Path) -> anyhow::Result<Store> {
    std::fs::create_dir_all(folder)
        .with_context(|| format!("cannot make the folder {} of --state", folder.display()))?;
    Ok(Store::open(&folder.join(FILE))?)
}

fn suggestion(service: &Arc<str>) -> anyhow::Result<Objective> {
    Ok(Objective {
        name: Arc::clone(service),
        slo: Arc::clone(service),
        service: Arc::clone(service),
        title: "A suggestion: requests are served".into(),
        target: Target::from_ratio(SUGGESTED_RATIO)?,
        agreement: None,
        indicator: Indicator::Requests(Rule::new(Good::Served)),
        window: Window::Rolling(SUGGESTED_PERIOD),
        method: Method::Occurrences,
        // Nobody asked, so nobody is woken.
        alerts: [].into(),
        weight: 1.0,
        origin: Origin::Suggested,
    })
}
