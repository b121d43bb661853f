//! Reading back.

use model::{
    Cause,
    slo::{AlertState, Counts, Seconds},
};
use rusqlite::{Connection, params};

use super::{
    super::{Engine, Tracked},
    key::key,
};

/// The number of the seconds in which somebody looked.
const LOOKS: i64 = 0;

const DAY: Seconds = 86_400;
const HOUR: Seconds = 3_600;

pub(super) fn load(connection: &Connection, engine: &mut Engine) -> rusqlite::Result<()> {
    let latest = latest(connection)?;
    counts(connection, LOOKS, latest, |at, counts| engine.restore_look(at, counts))?;
    // One that is no longer asked for stays in the file until it is too old.
    for place in 0..engine.tracked().len() {
        if let Some((id, tracked)) = known(connection, engine, place)? {
            objective(connection, tracked, id, latest)?;
            alerts(connection, tracked, id)?;
        }
    }
    composites(connection, engine)?;
    engine.restore_now(latest);
    Ok(())
}

/// Fills the objective at this place with its counts, if it was written down before.
pub(super) fn one(
    connection: &Connection,
    engine: &mut Engine,
    place: usize,
) -> rusqlite::Result<()> {
    let latest = latest(connection)?;
    match known(connection, engine, place)? {
        Some((id, tracked)) => objective(connection, tracked, id, latest),
        None => Ok(()),
    }
}

/// The objective at this place with its number, if it was written down before.
fn known<'a>(
    connection: &Connection,
    engine: &'a mut Engine,
    place: usize,
) -> rusqlite::Result<Option<(i64, &'a mut Tracked)>> {
    let Some(tracked) = engine.tracked_mut(place) else { return Ok(None) };
    let id = super::past::id(connection, &key(tracked.objective()))?;
    Ok(id.map(|id| (id, tracked)))
}

/// Fills composites of which nothing is known yet.
pub(super) fn composites(connection: &Connection, engine: &mut Engine) -> rusqlite::Result<()> {
    let latest = latest(connection)?;
    for composite in engine.composites_mut().iter_mut().filter(|it| it.is_empty()) {
        if let Some(id) = super::past::id(connection, &composite.key())? {
            counts(connection, id, latest, |at, counts| composite.restore(at, counts))?;
        }
    }
    Ok(())
}

fn latest(connection: &Connection) -> rusqlite::Result<Seconds> {
    let latest = "SELECT latest FROM clock";
    connection.query_row(latest, [], |row| row.get(0)).map(|at: i64| at.max(0) as Seconds)
}

fn objective(
    connection: &Connection,
    tracked: &mut Tracked,
    id: i64,
    latest: Seconds,
) -> rusqlite::Result<()> {
    counts(connection, id, latest, |at, counts| tracked.restore_counts(at, counts))?;
    counts(connection, -id, latest, |at, polled| tracked.restore_poll(at, polled))?;
    let mut causes = connection
        .prepare_cached("SELECT day, cause, bad FROM cause WHERE objective = ?1 ORDER BY day")?;
    let mut rows = causes.query([id])?;
    while let Some(row) = rows.next()? {
        let (day, code, bad): (i64, String, i64) = (row.get(0)?, row.get(1)?, row.get(2)?);
        let cause = if code.is_empty() { None } else { code.parse::<Cause>().ok() };
        tracked.restore_cause(day.max(0) as Seconds * DAY, cause, bad.max(0) as u64);
    }
    Ok(())
}

fn alerts(connection: &Connection, tracked: &mut Tracked, id: i64) -> rusqlite::Result<()> {
    let mut alerts = connection.prepare_cached(
        "SELECT burn, long, short, since, no_data FROM alert WHERE objective = ?1",
    )?;
    let mut rows = alerts.query([id])?;
    while let Some(row) = rows.next()? {
        let (burn, since): (f64, i64) = (row.get(0)?, row.get(3)?);
        let (long, short): (i64, i64) = (row.get(1)?, row.get(2)?);
        let known = tracked.objective().alerts.iter().position(|alert| {
            let windows = (alert.long.as_secs() as i64, alert.short.as_secs() as i64);
            alert.burn.total_cmp(&burn).is_eq() && windows == (long, short)
        });
        if let Some(alert) = known {
            tracked.restore_alert(alert, alert_state(since, row.get(4)?));
        }
    }
    Ok(())
}

/// 0 is never.
fn alert_state(since: i64, no_data: i64) -> AlertState {
    let second = |at: i64| Seconds::try_from(at).ok().filter(|at| *at > 0);
    let state = second(since).map_or_else(AlertState::default, AlertState::firing_since);
    second(no_data).map_or(state, |at| state.without_data_since(at))
}

/// Each row once, the oldest first: hours up to 3 days ago, ten minutes up to 6 hours ago, minutes.
fn counts(
    connection: &Connection,
    objective: i64,
    latest: Seconds,
    mut restore: impl FnMut(Seconds, Counts),
) -> rusqlite::Result<()> {
    // A row counts whole, so they meet at the end of an hour that is over.
    let fine = latest.saturating_sub(6 * HOUR) / HOUR * HOUR;
    let middle = latest.saturating_sub(3 * DAY) / HOUR * HOUR;
    for (width, from, to) in [(HOUR, 0, middle), (600, middle, fine), (60, fine, Seconds::MAX >> 1)]
    {
        let mut statement = connection.prepare_cached(
            "SELECT start, good, bad FROM bucket
             WHERE width = ?1 AND objective = ?2 AND start >= ?3 AND start < ?4 ORDER BY start",
        )?;
        let mut rows = statement.query(params![width as i64, objective, from as i64, to as i64])?;
        while let Some(row) = rows.next()? {
            let (start, good, bad): (i64, i64, i64) = (row.get(0)?, row.get(1)?, row.get(2)?);
            let end = (start.max(0) as Seconds + width - 1).min(latest);
            restore(end, Counts { good: good.max(0) as u64, bad: bad.max(0) as u64 });
        }
    }
    Ok(())
}
