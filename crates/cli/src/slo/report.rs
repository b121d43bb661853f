//! `rearguard slo report --month 2026-11 --state DIR PATH…`: a month, as Markdown.

use std::{
    io::{self, Write},
    path::PathBuf,
    process::ExitCode,
    time::Duration,
};

use anyhow::{Context as _, ensure};
use control::slo::Store;
use jiff::{ToSpan as _, civil::Date, tz::TimeZone};
use model::{
    Cause,
    slo::{Budget, Counts, Indicator, Objective, Seconds, Target},
};

use super::{PathArguments, budget::spoken, prepare};
use crate::documents;

/// What `report` is given.
#[derive(Debug, clap::Args)]
pub(crate) struct ReportArguments {
    /// The month, in UTC
    #[arg(long, value_name = "YYYY-MM", value_parser = month)]
    month: Month,
    /// The folder that `rearguard up --state` was given
    #[arg(long, value_name = "DIR")]
    state: PathBuf,
    #[command(flatten)]
    paths: PathArguments,
}

/// A month of UTC.
#[derive(Clone, Debug)]
struct Month {
    name: String,
    start: Seconds,
    end: Seconds,
}

fn month(text: &str) -> Result<Month, String> {
    let invalid = || format!("expected a year and a month such as 2026-11, found {text:?}");
    let first: Date = format!("{text}-01").parse().map_err(|_| invalid())?;
    let second = |date: Date| -> Option<Seconds> {
        date.to_zoned(TimeZone::UTC).ok()?.timestamp().as_second().try_into().ok()
    };
    let next = first.checked_add(1.month()).map_err(|_| invalid())?;
    let (start, end) =
        second(first).zip(second(next)).filter(|_| text.len() == 7).ok_or_else(invalid)?;
    Ok(Month { name: text.to_owned(), start, end })
}

pub(super) fn run(arguments: &ReportArguments, out: &mut dyn Write) -> anyhow::Result<ExitCode> {
    let sources = documents::read(&arguments.paths.paths)?;
    let loaded = super::load(&sources);
    let color = documents::stderr_color();
    documents::show(&loaded.diagnostics, &sources, color, &mut io::stderr())?;
    if loaded.has_errors() {
        return Ok(ExitCode::FAILURE);
    }
    let file = arguments.state.join(prepare::FILE);
    ensure!(
        file.is_file(),
        "found no {}; expected the folder that `rearguard up --state` was given",
        file.display()
    );
    let store = Store::read(&file)?;
    let month = &arguments.month;
    writeln!(out, "# Objectives in {}\n", month.name)?;
    writeln!(out, "From the first second of the month to its last, in UTC.")?;
    for objective in &loaded.objectives {
        let about = Month::of(month, &store, objective)
            .with_context(|| format!("no report of {}", objective.name))?;
        about.write(objective, out)?;
    }
    Ok(ExitCode::SUCCESS)
}

/// What was counted for an objective in a month.
struct Counted {
    counts: Counts,
    causes: Vec<(Option<Cause>, u64)>,
    seconds: Seconds,
}

impl Month {
    fn of(&self, store: &Store, objective: &Objective) -> anyhow::Result<Counted> {
        let parts = store.past(objective, self.start, self.end)?;
        let counts = parts.iter().fold(Counts::NONE, |sum, (_, counts)| sum + *counts);
        let causes = store.past_causes(objective, self.start, self.end)?;
        Ok(Counted { counts, causes, seconds: self.end - self.start })
    }
}

impl Counted {
    /// By events, or by slices of the month.
    fn budget(&self, objective: &Objective, target: Target) -> Budget {
        objective.budget(self.counts, target, Duration::from_secs(self.seconds))
    }

    fn write(&self, objective: &Objective, out: &mut dyn Write) -> io::Result<()> {
        let title = if objective.title.is_empty() { &objective.name } else { &objective.title };
        writeln!(out, "\n## {title}\n\nOf {}, `{}`.\n", objective.service, objective.name)?;
        let is_sliced = objective.method.slice_width().is_some();
        let unit = match objective.indicator {
            _ if is_sliced => "slices of time",
            Indicator::Samples(_) => "samples",
            Indicator::Requests(_) | Indicator::Prometheus(_) => "events",
        };
        if self.counts == Counts::NONE {
            return writeln!(out, "Nothing was counted.");
        }
        let Counts { good, bad } = self.counts;
        // A ratio of parts has a fraction.
        let whole = |counts: u64| (counts as f64 / objective.parts() as f64 * 1e3).round() / 1e3;
        writeln!(out, "| | |\n|---|---|\n| Objective | {} |", objective.target)?;
        let total = self.counts.total();
        let ratio = good as f64 / total as f64 * 100.0;
        writeln!(
            out,
            "| Reached | {ratio:.4} % |\n| Counted | {} {unit} |\n| Bad | {} |",
            whole(total),
            whole(bad)
        )?;
        let budget = self.budget(objective, objective.target);
        let used = budget.used_ratio().unwrap_or_default() * 100.0;
        let left = if is_sliced {
            spoken(budget.remaining().abs())
        } else {
            format!("{:.1} {unit}", budget.remaining().abs())
        };
        let word = if budget.remaining() < 0.0 { "overspent by" } else { "left" };
        writeln!(out, "| Budget used | {used:.1} % ({word} {left}) |")?;
        if let Some(agreement) = objective.agreement {
            let is_broken = self.budget(objective, agreement).remaining() < 0.0;
            let state = if is_broken { "**broken**" } else { "kept" };
            writeln!(out, "| Contract | {agreement}: {state} |")?;
        }
        if self.causes.is_empty() {
            return Ok(());
        }
        writeln!(out, "\n| Cause | Bad events | Share |\n|---|---|---|")?;
        let all: u64 = self.causes.iter().map(|(_, bad)| bad).sum();
        for (cause, bad) in &self.causes {
            let code = cause.map_or("no cause", Cause::code);
            let share = *bad as f64 / all.max(1) as f64 * 100.0;
            writeln!(out, "| {code} | {bad} | {share:.1} % |")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use control::slo::{Engine, Outbox};

    use super::{
        super::watch::tests::{objective, tally},
        *,
    };

    #[test]
    fn a_month_is_its_own_seconds_and_no_others() {
        let month = month("2026-11").unwrap();
        assert_eq!(month.end - month.start, 30 * 86_400);
        for text in ["2026-13", "2026", "2026-1", "November"] {
            assert!(super::month(text).unwrap_err().contains("such as 2026-11"), "{text}");
        }
    }

    #[test]
    fn a_report_says_what_was_used_what_was_kept_and_what_spent_it() {
        let folder = tempfile::tempdir().unwrap();
        let mut store = Store::open(&folder.path().join(prepare::FILE)).unwrap();
        let mut engine = Engine::new(vec![objective("payments")]);
        let month = month("2026-11").unwrap();
        for at in [month.start - 1, month.start, month.start + 40_000, month.start + 40_001] {
            engine.look(at);
            engine.record(0, at, &tally(9_992, 8));
            engine.evaluate();
        }
        store.flush(&mut engine, &Outbox::default()).unwrap();
        let mut out = Vec::new();
        let counted = month.of(&store, &objective("payments")).unwrap();
        counted.write(&objective("payments"), &mut out).unwrap();
        insta::assert_snapshot!(String::from_utf8(out).unwrap(), @r"

        ## Payments are served

        Of payment-service, `payments`.

        | | |
        |---|---|
        | Objective | 99.9 % |
        | Reached | 99.9200 % |
        | Counted | 30000 events |
        | Bad | 24 |
        | Budget used | 80.0 % (left 6.0 events) |
        | Contract | 99.5 %: kept |

        | Cause | Bad events | Share |
        |---|---|---|
        | upstream.reset | 24 | 100.0 % |
        ");
    }
}
