//! The tables, and the statements that are one step each.

use tokio_postgres::{GenericClient, types::Type};

use crate::{Error, ErrorKind};

/// Who installs waits here for who does so at the same time: "rearguar", as a number.
const INSTALL_LOCK: i64 = 0x7265_6172_6775_6172;

/// The tokens come from a sequence without a cache: with one, each session would have numbers of its
/// own, out of order. Rows are rewritten in place, hence the room on each page.
const SCHEMA: &str = "
    CREATE SEQUENCE IF NOT EXISTS rearguard_lock_tokens AS bigint CACHE 1 NO CYCLE;
    CREATE TABLE IF NOT EXISTS rearguard_locks (
        name text PRIMARY KEY,
        owner text,
        token bigint NOT NULL,
        expires_at timestamptz NOT NULL
    ) WITH (fillfactor = 50);
    CREATE TABLE IF NOT EXISTS rearguard_fences (
        resource text PRIMARY KEY,
        highest bigint NOT NULL
    ) WITH (fillfactor = 50);";

/// The channel on which releases are told.
pub(super) const CHANNEL: &str = "rearguard_locks";

/// A statement and the types of its parameters, which spares a round trip to prepare it.
pub(super) type Statement = (&'static str, &'static [Type]);

/// Takes a lock that is free or has expired. Gives its token; 0 where the row was only made, to be
/// asked for again; or none, and for how many microseconds it is taken.
///
/// The token is drawn when the row is locked, so tokens are in the order of grants (rule 4). One that
/// is drawn for an INSERT is drawn before, so a row is made free, and taken by the next statement.
pub(super) const ACQUIRE: Statement = (
    "WITH granted AS (
        INSERT INTO rearguard_locks AS held (name, owner, token, expires_at)
        VALUES ($1, NULL, 0, 'epoch')
        ON CONFLICT (name) DO UPDATE SET
            owner = $2,
            token = nextval('rearguard_lock_tokens'),
            expires_at = clock_timestamp() + $3 * interval '1 microsecond'
        WHERE held.expires_at <= clock_timestamp()
        RETURNING token)
    SELECT token, 0::bigint FROM granted
    UNION ALL
    SELECT NULL, (extract(epoch FROM expires_at - clock_timestamp()) * 1000000)::bigint
    FROM rearguard_locks WHERE name = $1 AND NOT EXISTS (SELECT FROM granted)",
    &[Type::TEXT, Type::TEXT, Type::INT8],
);

/// Prolongs a lock that is the owner's and has not expired: one that has is never taken again under
/// the old token (rule 2).
pub(super) const RENEW: Statement = (
    "UPDATE rearguard_locks SET expires_at = clock_timestamp() + $3 * interval '1 microsecond'
    WHERE name = $1 AND owner = $2 AND expires_at > clock_timestamp()",
    &[Type::TEXT, Type::TEXT, Type::INT8],
);

/// Frees a lock that is the owner's, and tells who waits (rules 3 and 6). The row stays: the next
/// grant finds it.
pub(super) const RELEASE: Statement = (
    "WITH freed AS (
        UPDATE rearguard_locks SET owner = NULL, expires_at = clock_timestamp()
        WHERE name = $1 AND owner = $2
        RETURNING name)
    SELECT pg_notify('rearguard_locks', name) FROM freed",
    &[Type::TEXT, Type::TEXT],
);

/// Removes rows of locks that nobody has held for so many microseconds.
pub(super) const PURGE: Statement = (
    "DELETE FROM rearguard_locks
    WHERE expires_at < clock_timestamp() - $1 * interval '1 microsecond'",
    &[Type::INT8],
);

/// Draws a token for a lock that is elsewhere. `nextval` alone may not reach the disk before the
/// answer is sent; a transaction that has written does (rule 5).
pub(super) const DRAW: Statement = (
    "SELECT nextval('rearguard_lock_tokens')
    FROM pg_logical_emit_message(true, 'rearguard', '')",
    &[],
);

/// Makes what locks and fences need, where it is not there. It may be called at any time, by several.
pub(in crate::lock) async fn install(client: &impl GenericClient) -> Result<(), Error> {
    // One implicit transaction, so who comes second finds all of it.
    let batch = format!("SELECT pg_advisory_xact_lock({INSTALL_LOCK});{SCHEMA}");
    client.batch_execute(&batch).await.map_err(|error| failed("lock.install", error))
}

/// What the server, or the connection, says.
pub(in crate::lock) fn failed(operation: &'static str, source: tokio_postgres::Error) -> Error {
    let Some(database) = source.as_db_error() else {
        let error = Error::new(ErrorKind::Reset, operation);
        return error.retryable().because(source);
    };
    let code = database.code().code().to_owned();
    let error = Error::new(kind(&code), operation).with("message", database.message().to_owned());
    // 40: serialisation, deadlock. 53: no room. 57P: the server is stopping or starting.
    let passes = ["40", "53", "57P", "08"].iter().any(|class| code.starts_with(class));
    // 42P01 and 42704: no such table or sequence.
    let error = if code == "42P01" || code == "42704" {
        error.with("do this once", "PostgresStore::install")
    } else {
        error
    };
    let error = error.with("sqlstate", code);
    if passes { error.retryable().because(source) } else { error.because(source) }
}

fn kind(code: &str) -> ErrorKind {
    match code {
        "40001" | "40P01" => ErrorKind::Conflict,
        "57014" => ErrorKind::Cancelled,
        _ => ErrorKind::Failed,
    }
}
