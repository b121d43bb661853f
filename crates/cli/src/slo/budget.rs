//! `rearguard slo budget --allowed 5m --used 3m12s`

use std::{io::Write, process::ExitCode, time::Duration};

use anyhow::ensure;
use config::parse_duration;
use model::slo::Budget;

/// What `budget` is given.
#[derive(Debug, clap::Args)]
pub(crate) struct BudgetArguments {
    /// How long things may be bad in the period
    #[arg(long, value_name = "DURATION", value_parser = parse_duration)]
    allowed: Duration,
    /// How long they were
    #[arg(long, value_name = "DURATION", value_parser = parse_duration)]
    used: Duration,
}

pub(super) fn run(arguments: &BudgetArguments, out: &mut dyn Write) -> anyhow::Result<ExitCode> {
    ensure!(!arguments.allowed.is_zero(), "--allowed is 0: there is no budget to spend");
    let budget = Budget::of_time(arguments.allowed, arguments.used);
    let ratio = budget.remaining_ratio().unwrap_or_default();
    if budget.remaining() >= 0.0 {
        writeln!(out, "{:.1} % left, {}", ratio * 100.0, spoken(budget.remaining()))?;
    } else {
        writeln!(out, "overspent by {:.1} %, {}", -ratio * 100.0, spoken(-budget.remaining()))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Seconds as people say them: `1 m 48 s`.
pub(crate) fn spoken(seconds: f64) -> String {
    if seconds < 60.0 {
        let text = format!("{seconds:.1}");
        return format!("{} s", text.strip_suffix(".0").unwrap_or(&text));
    }
    let whole = seconds.round() as u64;
    let parts = [
        (whole / 86_400, "d"),
        (whole / 3_600 % 24, "h"),
        (whole / 60 % 60, "m"),
        (whole % 60, "s"),
    ];
    let shown = parts.iter().filter(|(number, _)| *number > 0).take(2);
    shown.map(|(number, unit)| format!("{number} {unit}")).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn say(allowed: u64, used: u64) -> String {
        let mut out = Vec::new();
        let arguments = BudgetArguments {
            allowed: Duration::from_secs(allowed),
            used: Duration::from_secs(used),
        };
        run(&arguments, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn what_is_left_and_what_was_overspent_is_said() {
        assert_eq!(say(300, 192), "36.0 % left, 1 m 48 s\n");
        assert_eq!(say(300, 0), "100.0 % left, 5 m\n");
        assert_eq!(say(300, 330), "overspent by 10.0 %, 30 s\n");
        assert_eq!(say(2_592_000, 0), "100.0 % left, 30 d\n");
    }

    #[test]
    fn no_budget_is_an_error() {
        let arguments = BudgetArguments { allowed: Duration::ZERO, used: Duration::ZERO };
        assert!(run(&arguments, &mut Vec::new()).is_err());
    }
}
