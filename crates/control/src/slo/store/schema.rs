//! The tables, and how older ones become them.

use rusqlite::Connection;

use super::StoreError;

/// One step a version; a step that was released is never changed.
const STEPS: &[&str] = &["
    -- 0 is not an objective, but the seconds in which somebody looked.
    CREATE TABLE objective (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);
    -- `width` is 60, 600 or 3600 seconds.
    CREATE TABLE bucket (
        objective INTEGER NOT NULL,
        width INTEGER NOT NULL,
        start INTEGER NOT NULL,
        good INTEGER NOT NULL,
        bad INTEGER NOT NULL,
        PRIMARY KEY (width, objective, start)
    ) WITHOUT ROWID;
    -- `cause` is empty where there was none.
    CREATE TABLE cause (
        objective INTEGER NOT NULL,
        day INTEGER NOT NULL,
        cause TEXT NOT NULL,
        bad INTEGER NOT NULL,
        PRIMARY KEY (objective, day, cause)
    ) WITHOUT ROWID;
    CREATE TABLE alert (
        objective INTEGER NOT NULL,
        burn REAL NOT NULL,
        long INTEGER NOT NULL,
        short INTEGER NOT NULL,
        since INTEGER NOT NULL,
        PRIMARY KEY (objective, burn, long, short)
    ) WITHOUT ROWID;
    CREATE TABLE clock (only INTEGER PRIMARY KEY CHECK (only = 0), latest INTEGER NOT NULL);
    INSERT INTO objective (id, name) VALUES (0, '');
    INSERT INTO clock (only, latest) VALUES (0, 0);
", "
    -- Minutes before this are summed up.
    ALTER TABLE clock ADD COLUMN summed INTEGER NOT NULL DEFAULT 0;
    UPDATE clock SET summed = latest / 600 * 600;
    -- In the order in which they were written. `dead` is 1 where it was given up.
    -- Buckets of an objective below 0 are the seconds in which it was asked for, where it is polled.
    CREATE TABLE letter (
        number INTEGER PRIMARY KEY,
        dead INTEGER NOT NULL,
        key TEXT NOT NULL,
        state TEXT NOT NULL,
        receiver TEXT NOT NULL,
        body TEXT NOT NULL,
        attempts INTEGER NOT NULL,
        error TEXT NOT NULL,
        written INTEGER NOT NULL,
        next INTEGER NOT NULL,
        UNIQUE (key, state, receiver)
    );
", "
    -- `since` is 0 where an alert does not fire, and this where it does not lack data.
    ALTER TABLE alert ADD COLUMN no_data INTEGER NOT NULL DEFAULT 0;
"];

const VERSION: &str = "PRAGMA user_version";

/// Looks whether the file can be read as it is.
pub(super) fn check(connection: &Connection, file: &str) -> Result<(), StoreError> {
    let error = |source| StoreError::Database { what: "open", file: file.to_owned(), source };
    let known = STEPS.len() as i64;
    let found: i64 = connection.query_row(VERSION, [], |row| row.get(0)).map_err(error)?;
    let file = file.to_owned();
    match found.cmp(&known) {
        std::cmp::Ordering::Less => Err(StoreError::Older { file, found, known }),
        std::cmp::Ordering::Equal => Ok(()),
        std::cmp::Ordering::Greater => Err(StoreError::Newer { file, found, known }),
    }
}

/// Brings the file up to date.
pub(super) fn migrate(connection: &mut Connection, file: &str) -> Result<(), StoreError> {
    let error = |source| StoreError::Database { what: "open", file: file.to_owned(), source };
    let known = STEPS.len() as i64;
    let transaction = connection
        .transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)
        .map_err(error)?;
    let found: i64 = transaction.query_row(VERSION, [], |row| row.get(0)).map_err(error)?;
    if found > known {
        return Err(StoreError::Newer { file: file.to_owned(), found, known });
    }
    for step in STEPS.iter().skip(usize::try_from(found).unwrap_or(0)) {
        transaction.execute_batch(step).map_err(error)?;
    }
    transaction.pragma_update(None, "user_version", known).map_err(error)?;
    transaction.commit().map_err(error)
}
