//! Prints what was found.

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    fs,
    io::{self, IsTerminal as _, Write},
};

use anyhow::Context as _;
use doctor::report::{self, Color, Report, Unread};

use super::arguments::{Format, Print};
use crate::documents;

/// So many files that could not be read as a whole are named.
const MOST_UNREAD: usize = 10;

/// Prints findings to standard output or to a file.
pub(super) fn print(report: Report<'_>, print: &Print, out: &mut dyn Write) -> anyhow::Result<()> {
    let mut shown = match print.format {
        Format::Text => report::text(report, color(print)),
        Format::Json => report::json(report),
        Format::Sarif => report::sarif(report),
        Format::Github => report::github(report),
        Format::Golangci => report::golangci(report),
    };
    if print.statistics {
        shown += &statistics(report);
    }
    match &print.output {
        Some(file) => {
            fs::write(file, shown).with_context(|| format!("cannot write {}", file.display()))
        }
        None => out.write_all(shown.as_bytes()).context("the findings could not be written"),
    }
}

fn color(print: &Print) -> Color {
    let is_terminal = print.output.is_none() && io::stdout().is_terminal();
    match documents::color(is_terminal) {
        config::Color::Always => Color::Always,
        config::Color::Never => Color::Never,
    }
}

/// How often each rule found something, the most frequent first.
fn statistics(report: Report<'_>) -> String {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for (_, found) in report.findings() {
        *counts.entry(found.finding.rule.code).or_default() += 1;
    }
    let mut counts: Vec<(&str, usize)> = counts.into_iter().collect();
    counts.sort_by_key(|(code, count)| (std::cmp::Reverse(*count), *code));
    counts.iter().fold(String::new(), |mut shown, (code, count)| {
        writeln!(shown, "{count:>7}  {code}").unwrap_or_default();
        shown
    })
}

/// Says which files could not be read as a whole.
pub(super) fn tell_unread(unread: &[Unread], said: &mut dyn Write) -> io::Result<()> {
    if unread.is_empty() {
        return Ok(());
    }
    let (were, s) = if unread.len() == 1 { ("was", "") } else { ("were", "s") };
    writeln!(
        said,
        "note: {} file{s} {were} not read as a whole; findings may be missing there",
        unread.len()
    )?;
    for Unread { path, line, column, message } in unread.iter().take(MOST_UNREAD) {
        writeln!(said, "  {path}:{line}:{column}: {message}")?;
    }
    match unread.len().saturating_sub(MOST_UNREAD) {
        0 => Ok(()),
        more => writeln!(said, "  and {more} more"),
    }
}
