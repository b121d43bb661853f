//! A report for people.

use std::fmt::{self, Write as _};

use super::{
    super::{
        blocked::Blocked,
        cleanup::{CleanupSite, ratio},
        flame::amount,
        lock_holders::ContendedLock,
    },
    Report,
};

/// A list shows at most this many lines; what is left out is counted.
const MAX_LINES: usize = 20;

impl fmt::Display for Report<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let all = self.amount(self.total);
        writeln!(f, "{}: {all} in {} stacks", self.heading, self.samples)?;
        self.write_blocked(f)?;
        self.write_locks(f)?;
        self.write_cleanup(f)?;
        self.write_growth(f)?;
        self.write_findings(f)?;
        self.write_functions(f)?;
        for note in &self.notes {
            writeln!(f, "\nnote: {note}")?;
        }
        Ok(())
    }
}

impl Report<'_> {
    fn amount(&self, value: i64) -> String {
        amount(value, &self.value.unit)
    }

    fn write_blocked(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.kind.counts_goroutines() {
            return Ok(());
        }
        let in_cleanup: Vec<&Blocked> = self.blocked_in_cleanup().collect();
        let goroutines: i64 = in_cleanup.iter().map(|group| group.goroutines).sum();
        writeln!(f, "\ngoroutines blocked in a deferred call: {goroutines}")?;
        for group in in_cleanup.iter().take(MAX_LINES) {
            writeln!(f, "  {}", sentence(group))?;
        }
        left_out(f, in_cleanup.len())?;
        let others: Vec<&Blocked> = self.blocked.iter().filter(|it| it.cleanup.is_none()).collect();
        writeln!(f, "\nother goroutines that wait:")?;
        for group in others.iter().take(MAX_LINES) {
            writeln!(f, "  {}", sentence(group))?;
        }
        left_out(f, others.len())
    }

    fn write_locks(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for lock in self.locks.iter().take(MAX_LINES) {
            write_lock(f, lock)?;
        }
        left_out(f, self.locks.len())
    }

    fn write_cleanup(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let cleanup = &self.cleanup;
        if !self.has_source && cleanup.in_cleanup == 0 {
            let share = ratio(self.bookkeeping, self.total) * 100.0;
            return writeln!(f, "\ndefer bookkeeping: {share:.1} %");
        }
        writeln!(
            f,
            "\nin deferred calls: {} of {}, {:.1} %; defer bookkeeping: {:.1} %",
            self.amount(cleanup.in_cleanup),
            self.amount(cleanup.total),
            cleanup.ratio() * 100.0,
            ratio(self.bookkeeping, self.total) * 100.0,
        )?;
        for handler in cleanup.handlers.iter().take(MAX_LINES) {
            writeln!(
                f,
                "  {}: {} of {} in cleanup, {:.1} %",
                handler.handler,
                self.amount(handler.in_cleanup),
                self.amount(handler.total),
                handler.ratio() * 100.0
            )?;
            for (site, value) in handler.sites.iter().take(MAX_LINES) {
                writeln!(f, "    {:>10}  {}", self.amount(*value), site_text(site))?;
            }
        }
        left_out(f, cleanup.handlers.len())
    }

    fn write_growth(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(growth) = &self.growth else { return Ok(()) };
        let heading = if growth.is_empty() { "nothing grew" } else { "grew" };
        writeln!(f, "\n{heading} since the earlier profile")?;
        for grown in growth.iter().take(MAX_LINES) {
            let (before, after) = (self.amount(grown.before), self.amount(grown.after));
            let by = self.amount(grown.by());
            writeln!(f, "  +{by}  {before} to {after}  {}", grown.place)?;
        }
        left_out(f, growth.len())
    }

    fn write_findings(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.findings.is_empty() {
            return Ok(());
        }
        writeln!(f, "\nfindings in the source, those first that this profile shows at work")?;
        for ranked in self.findings.iter().take(MAX_LINES) {
            let mut why = String::new();
            if ranked.blocked > 0 {
                write!(why, "{} goroutines wait here; ", ranked.blocked)?;
            }
            if ranked.in_function > 0 {
                write!(why, "{} in its function; ", self.amount(ranked.in_function))?;
            }
            let (path, line) = (ranked.path, ranked.line);
            let (message, code) = (&ranked.finding.message, ranked.finding.rule.code);
            writeln!(f, "  {why}{path}:{line}: {message} ({code})")?;
        }
        left_out(f, self.findings.len())
    }

    fn write_functions(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "\n{:>10} {:>6}  {:>10} {:>6}  function", "flat", "", "cumulative", "")?;
        for row in self.functions.iter().take(MAX_LINES) {
            writeln!(
                f,
                "{:>10} {:>5.1}%  {:>10} {:>5.1}%  {}",
                self.amount(row.flat),
                ratio(row.flat, self.total) * 100.0,
                self.amount(row.cumulative),
                ratio(row.cumulative, self.total) * 100.0,
                row.function,
            )?;
        }
        left_out(f, self.functions.len())
    }
}

fn left_out(f: &mut fmt::Formatter<'_>, all: usize) -> fmt::Result {
    match all.saturating_sub(MAX_LINES) {
        0 => Ok(()),
        more => writeln!(f, "  and {more} more, in --format json"),
    }
}

/// `5 × chan receive for 3 minutes at main.(*conn).Close (conn.go:24), deferred by …`
fn sentence(group: &Blocked) -> String {
    let mut text = format!("{} × {}", group.goroutines, group.reason);
    if let Some(minutes) = group.minutes {
        text += &format!(" for {minutes} minutes");
    }
    text += &format!(" at {}", group.place);
    if let Some(call) = &group.cleanup {
        let how = if call.by_panic { "run by a panic, deferred" } else { "deferred" };
        match &call.site {
            Some(site) => {
                text += &format!(", {how} at {}:{} `defer {}`", site.path, site.line, site.text)
            }
            None if call.by_panic => text += ", in a deferred call that a panic runs",
            None => text += &format!(", {how} by {}", call.caller),
        }
    }
    if group.serves {
        text += &format!(", serving {}", group.handler);
    } else if group.handler != group.place.function {
        text += &format!(", in {}", group.handler);
    }
    text
}

fn write_lock(f: &mut fmt::Formatter<'_>, lock: &ContendedLock) -> fmt::Result {
    writeln!(f, "\n{} goroutines wait for the lock {}", lock.waiters, lock.lock)?;
    for (place, goroutines) in lock.waiting.iter().take(MAX_LINES) {
        writeln!(f, "  {goroutines} at {place}")?;
    }
    if lock.holders.is_empty() {
        return writeln!(
            f,
            "  who holds it does not show: no goroutine stands between its Lock and Unlock in the source given"
        );
    }
    let sure = if lock.holders.len() == 1 { "held by" } else { "may be held by" };
    for holder in lock.holders.iter().take(MAX_LINES) {
        let reason = holder.reason.as_deref().unwrap_or("running");
        let place = holder.waits.as_ref().unwrap_or(&holder.stands);
        write!(
            f,
            "  {sure} {} goroutines that took it at {} and stand in {reason} at {place}",
            holder.goroutines, holder.taken
        )?;
        match &holder.cleanup {
            Some(site) => writeln!(f, ", in `defer {}` of line {}", site.text, site.line)?,
            None => writeln!(f)?,
        }
    }
    Ok(())
}

fn site_text(site: &CleanupSite) -> String {
    match &site.site {
        Some(at) => format!("{}  {}:{} `defer {}`", site.callee, at.path, at.line, at.text),
        None => site.callee.clone(),
    }
}
