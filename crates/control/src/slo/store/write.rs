//! Writing down.

use model::slo::{Counts, Objective, Seconds};
use rusqlite::{Connection, Transaction, params};

use super::super::{
    Engine, Outbox, Tracked,
    tracked::{Alerts, Unwritten},
};
use super::key::key;

const MINUTE: Seconds = 60;
const DAY: Seconds = 86_400;

/// The coarser widths: what each is summed from, and for how long that is kept afterwards.
const SUMS: [(Seconds, Seconds, Seconds); 2] =
    [(600, MINUTE, 7 * 3_600), (3_600, 600, 3 * DAY + 7_200)];

/// How long rows of an hour, and causes, are kept: a quarter and a bit.
const KEPT: Seconds = 94 * DAY;

const COUNT: &str = "
    INSERT INTO bucket (objective, width, start, good, bad) VALUES (?1, ?2, ?3, ?4, ?5)
    ON CONFLICT DO UPDATE SET good = good + excluded.good, bad = bad + excluded.bad";

const CAUSE: &str = "
    INSERT INTO cause (objective, day, cause, bad) VALUES (?1, ?2, ?3, ?4)
    ON CONFLICT DO UPDATE SET bad = bad + excluded.bad";

/// Returns until when minutes are summed up.
pub(super) fn flush(
    connection: &mut Connection,
    engine: &mut Engine,
    letters: Option<&Outbox>,
    summed: Seconds,
) -> rusqlite::Result<Seconds> {
    let unwritten = engine.take_unwritten();
    let now = engine.now();
    let transaction = connection.transaction()?;
    for (at, counts) in unwritten.looks {
        count(&transaction, 0, at, counts)?;
    }
    for (place, unwritten) in unwritten.objectives.iter().enumerate() {
        objective(&transaction, engine, place, unwritten)?;
    }
    for (key, slices) in unwritten.composites.iter().filter(|(_, slices)| !slices.is_empty()) {
        let id = id(&transaction, key)?;
        for (at, counts) in slices {
            count(&transaction, id, *at, *counts)?;
        }
    }
    if let Some(letters) = letters {
        super::letters::write(&transaction, letters)?;
    }
    // Only ever later, also where a clock was set back between two runs.
    transaction.execute("UPDATE clock SET latest = max(latest, ?1)", [now as i64])?;
    let over = now / 600 * 600;
    if over > summed {
        sum_up(&transaction, now, summed)?;
        transaction.execute("UPDATE clock SET summed = ?1", [over as i64])?;
    }
    transaction.commit()?;
    Ok(over.max(summed))
}

fn objective(
    transaction: &Transaction<'_>,
    engine: &Engine,
    place: usize,
    unwritten: &Unwritten,
) -> rusqlite::Result<()> {
    if *unwritten == Unwritten::default() {
        return Ok(());
    }
    let tracked = &engine.tracked()[place];
    let id = id(transaction, &key(tracked.objective()))?;
    for (at, counts) in &unwritten.counted {
        count(transaction, id, *at, *counts)?;
    }
    for (at, polled) in &unwritten.polls {
        count(transaction, -id, *at, *polled)?;
    }
    for (at, cause, bad) in &unwritten.causes {
        let code = cause.map_or("", model::Cause::code);
        let mut statement = transaction.prepare_cached(CAUSE)?;
        statement.execute(params![id, (at / DAY) as i64, code, *bad as i64])?;
    }
    if unwritten.alerts == Alerts::Changed {
        alerts(transaction, tracked, id)?;
    }
    Ok(())
}

fn alerts(transaction: &Transaction<'_>, tracked: &Tracked, id: i64) -> rusqlite::Result<()> {
    transaction.prepare_cached("DELETE FROM alert WHERE objective = ?1")?.execute([id])?;
    for (alert, state) in tracked.objective().alerts.iter().zip(tracked.alerts()) {
        if state.since().is_some() || state.no_data_since().is_some() {
            let second = |since: Option<Seconds>| since.unwrap_or_default() as i64;
            let (since, no_data) = (second(state.since()), second(state.no_data_since()));
            let (long, short) = (alert.long.as_secs() as i64, alert.short.as_secs() as i64);
            transaction
                .prepare_cached(
                    "INSERT OR REPLACE INTO alert (objective, burn, long, short, since, no_data)
                     VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
                )?
                .execute(params![id, alert.burn, long, short, since, no_data])?;
        }
    }
    Ok(())
}

pub(super) fn end_alerts(connection: &Connection, objective: &Objective) -> rusqlite::Result<()> {
    let ended = "DELETE FROM alert WHERE objective = (SELECT id FROM objective WHERE name = ?1)";
    connection.execute(ended, [key(objective)]).map(|_| ())
}

fn id(transaction: &Transaction<'_>, name: &str) -> rusqlite::Result<i64> {
    transaction
        .prepare_cached("INSERT INTO objective (name) VALUES (?1) ON CONFLICT DO NOTHING")?
        .execute([name])?;
    transaction
        .prepare_cached("SELECT id FROM objective WHERE name = ?1")?
        .query_row([name], |row| row.get(0))
}

fn count(
    transaction: &Transaction<'_>,
    objective: i64,
    at: Seconds,
    counts: Counts,
) -> rusqlite::Result<()> {
    let start = (at / MINUTE * MINUTE) as i64;
    let mut statement = transaction.prepare_cached(COUNT)?;
    statement.execute(params![
        objective,
        MINUTE as i64,
        start,
        counts.good as i64,
        counts.bad as i64
    ])?;
    Ok(())
}

/// Sums up what is over, and drops what no window reaches any more.
fn sum_up(transaction: &Transaction<'_>, now: Seconds, summed: Seconds) -> rusqlite::Result<()> {
    for (width, from, kept) in SUMS {
        let over = now / width * width;
        // What was summed up before may have been dropped; what was not is still there, however long
        // nobody wrote.
        let from_here = summed / width * width;
        transaction.execute(
            "INSERT OR REPLACE INTO bucket (objective, width, start, good, bad)
             SELECT objective, ?1, start / ?1 * ?1, sum(good), sum(bad) FROM bucket
             WHERE width = ?2 AND start >= ?3 AND start < ?4
             GROUP BY objective, start / ?1",
            params![width as i64, from as i64, from_here as i64, over as i64],
        )?;
        transaction.execute(
            "DELETE FROM bucket WHERE width = ?1 AND start < ?2",
            params![from as i64, now.saturating_sub(kept) as i64],
        )?;
    }
    let oldest = now.saturating_sub(KEPT);
    transaction.execute("DELETE FROM bucket WHERE width = 3600 AND start < ?1", [oldest as i64])?;
    transaction.execute("DELETE FROM cause WHERE day < ?1", [(oldest / DAY) as i64])?;
    Ok(())
}
