//! The check of a fencing token at a resource in PostgreSQL (rule 4).
//!
//! A holder that was paused does not know that its lock has expired, and writes. Only the resource can
//! refuse that: it remembers the highest token that it has seen, and refuses those below.
//!
//! [`check`] does so in the transaction of the write, so that both are done or neither:
//!
//! ```no_run
//! use rearguard::{Error, lock::{FencingToken, fence}};
//! use tokio_postgres::Client;
//!
//! /// Sets a price, under the lock `prices/NAME`.
//! async fn set_price(client: &mut Client, token: FencingToken) -> Result<(), Box<dyn std::error::Error>> {
//!     let transaction = client.transaction().await?;
//!     fence::check(&transaction, "prices/tea", token).await?;
//!     transaction.execute("UPDATE prices SET cents = 350 WHERE name = 'tea'", &[]).await?;
//!     transaction.commit().await?;
//!     Ok(())
//! }
//! ```
//!
//! Where the resource is one row, a column of its own costs less than a table beside it. The row says
//! whether the write was fenced, by being changed or not:
//!
//! ```no_run
//! # async fn set_price(client: &tokio_postgres::Client, token: rearguard::lock::FencingToken)
//! # -> Result<(), tokio_postgres::Error> {
//! let changed = client
//!     .execute(
//!         "UPDATE prices SET cents = 350, fence = $1 WHERE name = 'tea' AND fence <= $1",
//!         &[&token.get()],
//!     )
//!     .await?;
//! assert_eq!(changed, 1, "a newer holder has written");
//! # Ok(())
//! # }
//! ```

use tokio_postgres::{GenericClient, types::Type};

use super::{FencingToken, postgres};
use crate::{Error, ErrorKind};

/// Makes the table of fences where it is not there, as [`PostgresStore::install`] does.
///
/// [`PostgresStore::install`]: super::PostgresStore::install
///
/// # Errors
/// The database's.
pub async fn install(client: &impl GenericClient) -> Result<(), Error> {
    postgres::install(client).await
}

/// Refuses a token below the highest that `resource` has seen. `client` must be the transaction that
/// writes: an older holder's check then waits for a newer one's end, and the other way round.
///
/// # Errors
/// * [`ErrorKind::Fenced`]: a newer holder was here. Roll back, and give up: the lock is lost.
/// * [`ErrorKind::Conflict`]: in a transaction that is `REPEATABLE READ` or stricter, another one
///   has passed here since it began. Run it again.
/// * The database's.
pub async fn check(
    client: &impl GenericClient,
    resource: &str,
    token: FencingToken,
) -> Result<(), Error> {
    let passed = client
        .execute_typed(
            "INSERT INTO rearguard_fences AS fence (resource, highest) VALUES ($1, $2)
            ON CONFLICT (resource) DO UPDATE SET highest = excluded.highest
            WHERE fence.highest <= excluded.highest",
            &[(&resource, Type::TEXT), (&token.get(), Type::INT8)],
        )
        .await
        .map_err(|error| postgres::failed("fence.check", error))?;
    if passed == 1 {
        return Ok(());
    }
    Err(Error::new(ErrorKind::Fenced, "fence.check")
        .with("resource", resource.to_owned())
        .with("token", token.to_string()))
}
