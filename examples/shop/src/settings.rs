//! What the shop is told, by variables of its environment.

use std::{env, error::Error, time::Duration};

/// How long requests and cleanups have when the shop is told to stop, unless `SHOP_GRACE_SECONDS`
/// says otherwise.
const DEFAULT_GRACE: Duration = Duration::from_secs(10);

/// How long a request has, unless its caller gives it less, or `SHOP_TIMEOUT_MS` says otherwise.
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(5);

/// The settings.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    /// `DATABASE_URL`: a PostgreSQL; without it one is started, and thrown away at the end.
    pub(crate) database_url: Option<String>,
    /// `REDIS_URL`: the same for Redis.
    pub(crate) redis_url: Option<String>,
    /// `SHOP_PORT`: the first service's; the others have those that follow. Free ones without it.
    pub(crate) port: Option<u16>,
    /// `SHOP_TIMEOUT_MS`.
    pub(crate) timeout: Duration,
    /// `SHOP_GRACE_SECONDS`.
    pub(crate) grace: Duration,
}

impl Settings {
    pub(crate) fn read() -> Result<Self, Box<dyn Error>> {
        let port = number("SHOP_PORT")?.map(u16::try_from).transpose();
        let timeout = number("SHOP_TIMEOUT_MS")?.map(Duration::from_millis);
        let grace = number("SHOP_GRACE_SECONDS")?.map(Duration::from_secs);
        Ok(Self {
            database_url: env::var("DATABASE_URL").ok(),
            redis_url: env::var("REDIS_URL").ok(),
            port: port.map_err(|_| "SHOP_PORT is above 65535")?,
            timeout: timeout.unwrap_or(DEFAULT_TIMEOUT),
            grace: grace.unwrap_or(DEFAULT_GRACE),
        })
    }
}

fn number(name: &str) -> Result<Option<u64>, String> {
    let Ok(text) = env::var(name) else { return Ok(None) };
    text.parse().map(Some).map_err(|_| format!("{name} is {text:?}, expected a number"))
}
