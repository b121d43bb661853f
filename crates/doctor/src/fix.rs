//! Applies fixes.
//!
//! [`rounds`] applies what may be applied, asks for findings again, and so on until nothing is left. A
//! fix after which a file no longer reads as well as before is left out and said.

use std::collections::HashSet;

use crate::{
    finding::{Edit, Finding, Fix, Safety},
    syntax::{Lines, Span, parse},
};

/// Fixes make room for others; after so many rounds it is enough.
pub const MAX_ROUNDS: usize = 10;

/// A file and what was done to it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fixed {
    /// Its text now.
    pub text: String,
    /// What was applied, round by round.
    pub applied: Vec<Applied>,
    /// What was left out.
    pub refused: Vec<Refused>,
}

/// A fix that was applied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Applied {
    /// The rule.
    pub rule: &'static str,
    /// The line, from 1, as it was when it was applied.
    pub line: u32,
    /// What it did.
    pub title: String,
}

/// A fix that was left out, since the file would not read as well after it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// The rule.
    pub rule: &'static str,
    /// The line, from 1.
    pub line: u32,
    /// What the parser said.
    pub reason: String,
}

/// Applies the fixes of all files of a package until there are none, or for [`MAX_ROUNDS`].
/// `analyse` is given the texts and gives the findings of each.
pub fn rounds(
    texts: Vec<String>,
    level: Safety,
    analyse: &mut dyn FnMut(&[String]) -> Vec<Vec<Finding>>,
) -> Vec<Fixed> {
    let mut texts = texts;
    let mut all = vec![Fixed::default(); texts.len()];
    // A fix that leaves its finding would be applied again and again.
    let mut done: HashSet<(usize, String)> = HashSet::new();
    for _ in 0..MAX_ROUNDS {
        let findings = analyse(&texts);
        let mut changed = false;
        let mut keys = Vec::new();
        for (at, (text, findings)) in texts.iter_mut().zip(findings).enumerate() {
            let (again, new): (Vec<Finding>, Vec<Finding>) =
                findings.into_iter().partition(|finding| done.contains(&(at, key(text, finding))));
            keys.extend(new.iter().map(|finding| (at, key(text, finding))));
            let round = apply(text, &new, level);
            changed |= !round.applied.is_empty();
            let fixed = &mut all[at];
            fixed.applied.extend(round.applied);
            // What is refused is refused in every round.
            fixed.refused = round.refused;
            fixed.refused.extend(again.iter().filter(|it| may(it, level)).map(|finding| {
                let line = Lines::new(text).line(finding.span.start);
                let reason = "it is found again after its fix".to_owned();
                Refused { rule: finding.rule.code, line, reason }
            }));
            *text = round.text;
        }
        done.extend(keys);
        if !changed {
            break;
        }
    }
    for (fixed, text) in all.iter_mut().zip(texts) {
        fixed.text = text;
    }
    all
}

/// What a finding with its fix is known by in the next round.
fn key(text: &str, finding: &Finding) -> String {
    let edits = finding.fix.iter().flat_map(|fix| &fix.edits).map(|edit| edit.text.as_str());
    let parts = [finding.rule.code, finding.span.of(text)];
    parts.into_iter().chain(edits).collect::<Vec<_>>().join("\0")
}

/// Whether it has a fix that may be applied.
fn may(finding: &Finding, level: Safety) -> bool {
    finding.fix.as_ref().is_some_and(|fix| {
        !fix.edits.is_empty() && (fix.safety == Safety::Safe || level == Safety::Unsafe)
    })
}

/// Applies those fixes of one file that do not touch each other.
#[must_use]
pub fn apply(text: &str, findings: &[Finding], level: Safety) -> Fixed {
    let lines = Lines::new(text);
    let mut chosen: Vec<(&Finding, &Fix)> = Vec::new();
    for finding in findings {
        if let Some(fix) = finding.fix.as_ref().filter(|_| may(finding, level))
            && !chosen.iter().any(|(_, other)| touches(fix, other))
        {
            chosen.push((finding, fix));
        }
    }
    let errors = parse(text).errors.len();
    let mut fixed = Fixed { text: text.to_owned(), ..Fixed::default() };
    if chosen.is_empty() {
        return fixed;
    }
    // Nearly always all of them do; only then is each tried by itself.
    let mut kept: Vec<(&Finding, &Fix)> = chosen.clone();
    if let Err(_worse) = with(text, &chosen, errors) {
        kept.clear();
        for (finding, fix) in chosen {
            kept.push((finding, fix));
            if let Err(reason) = with(text, &kept, errors) {
                kept.pop();
                let line = lines.line(finding.span.start);
                fixed.refused.push(Refused { rule: finding.rule.code, line, reason });
            }
        }
    }
    if let Ok(new) = with(text, &kept, errors) {
        fixed.text = new;
        fixed.applied = kept
            .iter()
            .map(|(finding, fix)| Applied {
                rule: finding.rule.code,
                line: lines.line(finding.span.start),
                title: fix.title.clone(),
            })
            .collect();
    }
    fixed
}

/// The text with all these fixes, or what the parser has against it.
fn with(text: &str, fixes: &[(&Finding, &Fix)], errors: usize) -> Result<String, String> {
    let edits: Vec<Edit> = fixes.iter().flat_map(|(_, fix)| fix.edits.iter().cloned()).collect();
    let new = edited(text, &edits).ok_or_else(|| "its edits overlap".to_owned())?;
    let after = parse(&new).errors;
    match after.last() {
        Some(error) if after.len() > errors => Err(error.message.clone()),
        _ => Ok(new),
    }
}

/// Whether two fixes change the same place. Two insertions at one place do: their order would be
/// anybody's guess.
fn touches(fix: &Fix, other: &Fix) -> bool {
    fix.edits.iter().any(|one| other.edits.iter().any(|two| meets(one.span, two.span)))
}

fn meets(one: Span, two: Span) -> bool {
    one.start < two.end && two.start < one.end
        || one.start == two.start
        || (one.start == one.end || two.start == two.end)
            && (two.start <= one.start && one.start <= two.end
                || one.start <= two.start && two.start <= one.end)
}

/// The text with these edits, in whatever order they are given. `None` when they overlap or are not of
/// this text. Insertions at one place keep their order.
#[must_use]
pub fn edited(text: &str, edits: &[Edit]) -> Option<String> {
    let mut edits: Vec<&Edit> = edits.iter().collect();
    edits.sort_by_key(|edit| (edit.span.start, edit.span.end));
    let mut new = String::with_capacity(text.len());
    let mut at = 0;
    for edit in edits {
        let (start, end) = (edit.span.start as usize, edit.span.end as usize);
        if start < at || end < start {
            return None;
        }
        new.push_str(text.get(at..start)?);
        new.push_str(&edit.text);
        text.get(start..end)?;
        at = end;
    }
    new.push_str(text.get(at..)?);
    Some(new)
}

#[cfg(test)]
mod tests;
