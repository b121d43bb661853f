//! What was, for those who look back: reports, and plots after a restart.

use model::{
    Cause,
    slo::{Counts, Objective, Seconds},
};
use rusqlite::{Connection, OptionalExtension as _, params};

use super::key::key;

const DAY: Seconds = 86_400;

/// The number of a [key] in the file.
pub(super) fn id(connection: &Connection, key: &str) -> rusqlite::Result<Option<i64>> {
    connection
        .prepare_cached("SELECT id FROM objective WHERE name = ?1")?
        .query_row([key], |row| row.get(0))
        .optional()
}

/// Each event once: rows of an hour that begin before `fine`, then those of ten minutes, then minutes.
pub(super) fn counts(
    connection: &Connection,
    objective: &Objective,
    from: Seconds,
    fine: Seconds,
    to: Seconds,
) -> rusqlite::Result<Vec<(Seconds, Counts)>> {
    let Some(id) = id(connection, &key(objective))? else { return Ok(Vec::new()) };
    let mut found = Vec::new();
    let mut from = from;
    for (width, to) in [(3_600, fine.min(to)), (600, to), (60, to)] {
        let mut statement = connection.prepare_cached(
            "SELECT start, good, bad FROM bucket
             WHERE width = ?1 AND objective = ?2 AND start >= ?3 AND start < ?4 ORDER BY start",
        )?;
        let mut rows = statement.query(params![width as i64, id, from as i64, to as i64])?;
        while let Some(row) = rows.next()? {
            let (start, good, bad): (i64, i64, i64) = (row.get(0)?, row.get(1)?, row.get(2)?);
            let start = start.max(0) as Seconds;
            found.push((start, Counts { good: good.max(0) as u64, bad: bad.max(0) as u64 }));
            from = start + width;
        }
    }
    Ok(found)
}

pub(super) fn causes(
    connection: &Connection,
    objective: &Objective,
    from: Seconds,
    to: Seconds,
) -> rusqlite::Result<Vec<(Option<Cause>, u64)>> {
    let Some(id) = id(connection, &key(objective))? else { return Ok(Vec::new()) };
    let mut statement = connection.prepare_cached(
        "SELECT cause, sum(bad) FROM cause WHERE objective = ?1 AND day >= ?2 AND day < ?3
         GROUP BY cause ORDER BY sum(bad) DESC, cause",
    )?;
    let days = params![id, (from / DAY) as i64, to.div_ceil(DAY) as i64];
    let rows = statement.query_map(days, |row| {
        let (code, bad): (String, i64) = (row.get(0)?, row.get(1)?);
        Ok((code.parse().ok(), bad.max(0) as u64))
    })?;
    rows.collect()
}
