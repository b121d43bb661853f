use std::{fmt, path::Path, sync::Arc};

use tokio::sync::{Mutex, OwnedMutexGuard};

use crate::Error;

/// A connection to a database of SQLite. Cloned, it is the same one: transactions on it run one after
/// the other. For readers beside a writer, open another one of the same file.
///
/// ```
/// use rearguard::sqlite::Connection;
///
/// let connection = Connection::new(rusqlite::Connection::open_in_memory()?);
/// # Ok::<(), rusqlite::Error>(())
/// ```
#[derive(Clone)]
pub struct Connection(Arc<Mutex<rusqlite::Connection>>);

impl Connection {
    /// Takes one that was opened, with its settings. Its busy timeout is set by each transaction.
    #[must_use]
    pub fn new(connection: rusqlite::Connection) -> Self {
        Self(Arc::new(Mutex::new(connection)))
    }

    /// Opens a file, or makes it, with a write-ahead log, in which readers and a writer do not wait for
    /// each other, and with foreign keys checked. Blocks for as long as the file system needs.
    ///
    /// # Errors
    /// Where the file cannot be opened, or is no database.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, Error> {
        let connection = rusqlite::Connection::open(path)?;
        connection.pragma_update(None, "journal_mode", "WAL")?;
        connection.pragma_update(None, "foreign_keys", true)?;
        Ok(Self::new(connection))
    }

    /// Waits for its turn.
    pub(super) async fn take(&self) -> OwnedMutexGuard<rusqlite::Connection> {
        self.0.clone().lock_owned().await
    }
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Connection").finish()
    }
}
