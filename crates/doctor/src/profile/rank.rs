//! Findings of the code, those first that the profile shows to hurt now.

use std::collections::HashMap;

use super::{
    Profile, SourceIndex, Wait, blocked::Blocked, join::Join, lock_holders::ContendedLock,
};
use crate::finding::Finding;

/// A finding beside what the profile counts there.
#[derive(Clone, Debug)]
pub struct Ranked<'f> {
    /// The file, as the finding has it.
    pub path: &'f str,
    /// The line of the finding; 0 where the file is not among the source.
    pub line: u32,
    /// The finding.
    pub finding: &'f Finding,
    /// Goroutines that wait in the call that the finding is about, or for a lock that is held there.
    pub blocked: i64,
    /// What the profile counts in the function around the finding and in what it calls: time, bytes,
    /// or goroutines that wait.
    pub in_function: i64,
}

/// Orders findings: those in whose very call goroutines wait, then by what their function costs, then
/// by how much they matter and how sure they are.
#[must_use]
pub(super) fn rank<'f>(
    findings: &'f [(String, Finding)],
    source: &SourceIndex,
    profile: &Profile,
    blocked: &[Blocked],
    locks: &[ContendedLock],
) -> Vec<Ranked<'f>> {
    let lines = waiting_by_line(blocked, locks);
    let functions = cost_by_function(source, profile);
    let mut ranked: Vec<Ranked<'f>> = findings
        .iter()
        .map(|(path, finding)| {
            let line = source.line_of(path, finding.span).unwrap_or_default();
            let function = source.at(path, line);
            let here = function.map(|found| (found.path, found.function.first_line));
            let at_line = function.and_then(|found| lines.get(&(found.path, line)));
            Ranked {
                path,
                line,
                finding,
                blocked: at_line.copied().unwrap_or_default(),
                in_function: here.and_then(|it| functions.get(&it)).copied().unwrap_or_default(),
            }
        })
        .collect();
    ranked.sort_by(|a, b| {
        let order = |it: &Ranked<'_>| {
            let rule = it.finding.rule.severity;
            std::cmp::Reverse((it.blocked, it.in_function, rule, it.finding.confidence))
        };
        order(a).cmp(&order(b)).then_with(|| (a.path, a.line).cmp(&(b.path, b.line)))
    });
    ranked
}

/// Goroutines that wait, by the lines that a finding about it may stand on: the `defer`, the line on
/// which they wait, and the line that took a lock.
fn waiting_by_line<'b>(
    blocked: &'b [Blocked],
    locks: &'b [ContendedLock],
) -> HashMap<(&'b str, u32), i64> {
    let mut lines: HashMap<(&str, u32), i64> = HashMap::new();
    for group in blocked {
        let site = group.cleanup.as_ref().and_then(|call| call.site.as_ref());
        let deferred = site.map(|site| (site.path.as_str(), site.line));
        let place = Some((group.place.path.as_str(), group.place.line));
        for line in [deferred, place.filter(|place| Some(*place) != deferred)].into_iter().flatten()
        {
            *lines.entry(line).or_default() += group.goroutines;
        }
    }
    for lock in locks {
        for holder in &lock.holders {
            let line = (holder.taken.path.as_str(), holder.taken.line);
            *lines.entry(line).or_default() += lock.waiters;
        }
    }
    lines
}

fn cost_by_function<'s>(
    source: &'s SourceIndex,
    profile: &'s Profile,
) -> HashMap<(&'s str, u32), i64> {
    let mut join = Join::new(profile, Some(source));
    let mut costs: HashMap<(&str, u32), i64> = HashMap::new();
    let mut counted = Vec::new();
    for sample in profile
        .samples
        .iter()
        .filter(|sample| sample.wait != Wait::Running || !profile.kind.counts_goroutines())
    {
        counted.clear();
        for frame in &sample.stack {
            let Some(found) = join.found(*frame) else { continue };
            let function = (found.path, found.function.first_line);
            if !counted.contains(&function) {
                counted.push(function);
                let cost = costs.entry(function).or_default();
                *cost = cost.saturating_add(profile.value(sample));
            }
        }
    }
    costs
}

#[cfg(test)]
mod tests {
    use super::{
        super::{
            Question, Report,
            by_hand::{goroutines, seconds},
        },
        *,
    };
    use crate::{
        rule::{Confidence, Rule, Severity},
        syntax::Span,
    };

    static RULE: Rule = Rule {
        code: "slow-defer",
        summary: "",
        severity: Severity::Warning,
        confidence: Confidence::Medium,
        page: "",
    };

    const SOURCE: &str = "package pay\n\nfunc cold() {\n\tdefer x.Close()\n}\n\nfunc hot() {\n\tdefer x.Close()\n}\n";

    /// The lines of findings at both defers, as a profile ranks them, with what it counts there.
    fn ranked(profile: &Profile) -> Vec<(u32, i64, i64)> {
        let source = SourceIndex::new(&[("pay.go", SOURCE)]);
        let at =
            |start| ("pay.go".to_owned(), Finding::new(&RULE, Span::new(start, start + 5), "x"));
        let findings: Vec<_> = SOURCE.match_indices("defer").map(|(it, _)| at(it as u32)).collect();
        let question = Question { profile, source: Some(&source), base: None, findings: &findings };
        let report = Report::new(&question);
        report.findings.iter().map(|it| (it.line, it.blocked, it.in_function)).collect()
    }

    #[test]
    fn a_finding_in_whose_defer_goroutines_wait_goes_first() {
        let stack = [("pay.(*X).Close", 99), ("pay.hot", 9)];
        assert_eq!(ranked(&goroutines(&[&stack, &stack])), [(8, 2, 2), (4, 0, 0)]);
    }

    #[test]
    fn of_others_the_one_in_the_costlier_function_goes_first() {
        let profile = seconds(&[(7, &[("pay.hot", 8)]), (3, &[("pay.cold", 4)])]);
        assert_eq!(ranked(&profile), [(8, 0, 7), (4, 0, 3)]);
    }
}
