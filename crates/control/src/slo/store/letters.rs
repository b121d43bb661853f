//! Letters, which outlive the process: what waits, and what was given up.

use model::slo::Seconds;
use rusqlite::{Connection, Transaction, params};

use super::super::{Letter, LetterState, Outbox};

pub(super) fn read(connection: &Connection) -> rusqlite::Result<Outbox> {
    let mut statement = connection.prepare(
        "SELECT dead, key, state, receiver, body, attempts, error, written, next FROM letter
         ORDER BY number",
    )?;
    let mut rows = statement.query([])?;
    let (mut waiting, mut dead) = (Vec::new(), Vec::new());
    while let Some(row) = rows.next()? {
        let (state, receiver): (String, String) = (row.get(2)?, row.get(3)?);
        // What this version does not know it cannot deliver.
        let Ok(receiver) = receiver.parse() else { continue };
        let states = [LetterState::Firing, LetterState::Resolved];
        let Some(state) = states.into_iter().find(|it| it.as_str() == state) else { continue };
        let second = |place| row.get(place).map(|at: i64| at.max(0) as Seconds);
        let letter = Letter {
            key: row.get(1)?,
            state,
            receiver,
            body: row.get(4)?,
            attempts: row.get(5)?,
            error: row.get(6)?,
            written: second(7)?,
            next: second(8)?,
        };
        if row.get(0)? { dead.push(letter) } else { waiting.push(letter) }
    }
    Ok(Outbox::restored(waiting, dead))
}

/// All of them anew: there are at most 2,000.
pub(super) fn write(transaction: &Transaction<'_>, outbox: &Outbox) -> rusqlite::Result<()> {
    transaction.execute("DELETE FROM letter", [])?;
    let mut insert = transaction.prepare_cached(
        "INSERT OR REPLACE INTO letter
         (dead, key, state, receiver, body, attempts, error, written, next)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
    )?;
    let dead = outbox.dead().map(|letter| (true, letter));
    for (is_dead, letter) in dead.chain(outbox.waiting().map(|letter| (false, letter))) {
        insert.execute(params![
            is_dead,
            letter.key,
            letter.state.as_str(),
            letter.receiver.to_string(),
            letter.body,
            letter.attempts,
            letter.error,
            letter.written as i64,
            letter.next as i64,
        ])?;
    }
    Ok(())
}
