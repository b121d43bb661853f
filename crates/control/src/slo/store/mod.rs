//! Where budgets are written down: SQLite, in one file.
//!
//! Counts go into rows of a minute, which are summed into rows of ten minutes and of an hour when
//! those are over, and dropped when no window of that fineness reaches back so far. So a restart
//! finds the last 6 hours to the minute, 3 days to ten minutes, and a quarter to the hour. At most
//! what came since the last flush is lost: [`FLUSH_INTERVAL`].

mod key;
mod letters;
mod load;
mod lock;
mod past;
mod schema;
mod write;

use std::{path::Path, time::Duration};

use rusqlite::{Connection, OpenFlags};

use self::lock::Lock;
use super::{Engine, Outbox};
use model::{
    Cause,
    slo::{Counts, Objective, Seconds},
};

/// How often counts are to be written down: what a death of the process may lose.
pub const FLUSH_INTERVAL: Duration = Duration::from_secs(2);

/// What cannot be done with the store.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// SQLite says so.
    #[error("cannot {what} the budgets in {file}: {source}")]
    Database {
        /// What was tried.
        what: &'static str,
        /// The file.
        file: String,
        /// Why.
        source: rusqlite::Error,
    },
    /// Another process writes it.
    #[error(
        "{file} is in use by {holder}, and two processes would count everything twice: stop that \
         one, or name another folder"
    )]
    Held {
        /// The file.
        file: String,
        /// Its process, if that is known.
        holder: String,
    },
    /// The file beside it, by which other processes are kept out, cannot be used.
    #[error("cannot lock {file}: {source}; expected a folder on this machine that can be written")]
    Lock {
        /// The file.
        file: String,
        /// Why.
        source: std::io::Error,
    },
    /// An earlier version wrote it, and it was opened only to be read.
    #[error(
        "{file} was written by an earlier version (schema {found}, and this one reads {known}): \
         start `rearguard up` with it once, which brings it up to date"
    )]
    Older {
        /// The file.
        file: String,
        /// Its schema.
        found: i64,
        /// The one that is known.
        known: i64,
    },
    /// A later version wrote it.
    #[error(
        "{file} was written by a later version (schema {found}, and this one knows {known}): \
         run that version, or name another file"
    )]
    Newer {
        /// The file.
        file: String,
        /// Its schema.
        found: i64,
        /// The newest that is known.
        known: i64,
    },
}

/// The file that budgets are written to.
#[derive(Debug)]
pub struct Store {
    connection: Connection,
    file: String,
    /// Minutes before this are summed up.
    summed: Seconds,
    /// The outbox as it was when it was written down.
    letters: u64,
    /// Where it is not only read.
    _lock: Option<Lock>,
}

impl Store {
    /// Opens the file, or makes it; brings an older schema up to date. No other process can open it
    /// so while this one lives.
    ///
    /// # Errors
    /// Where another process has it, it cannot be read, is no such file, or is from a later version.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        let lock = Lock::take(path)?;
        let file = path.display().to_string();
        let error = |source| StoreError::Database { what: "open", file: file.clone(), source };
        let mut connection = Connection::open(path).map_err(error)?;
        connection.busy_timeout(Duration::from_secs(5)).map_err(error)?;
        // Each commit is in the log when it returns; it outlives the death of the process.
        connection.pragma_update(None, "journal_mode", "WAL").map_err(error)?;
        connection.pragma_update(None, "synchronous", "NORMAL").map_err(error)?;
        schema::migrate(&mut connection, &file)?;
        Self::with(connection, file, Some(lock))
    }

    /// Opens a file that is there, to be read only: also while another process writes it.
    ///
    /// # Errors
    /// Where it cannot be read, is no such file, or is from another version.
    pub fn read(path: &Path) -> Result<Self, StoreError> {
        let file = path.display().to_string();
        let error = |source| StoreError::Database { what: "open", file: file.clone(), source };
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(path, flags).map_err(error)?;
        connection.busy_timeout(Duration::from_secs(5)).map_err(error)?;
        schema::check(&connection, &file)?;
        Self::with(connection, file, None)
    }

    fn with(connection: Connection, file: String, lock: Option<Lock>) -> Result<Self, StoreError> {
        let summed: i64 = connection
            .query_row("SELECT summed FROM clock", [], |row| row.get(0))
            .map_err(|source| StoreError::Database { what: "read", file: file.clone(), source })?;
        let summed = summed.max(0) as Seconds;
        Ok(Self { connection, file, summed, letters: 0, _lock: lock })
    }

    /// Fills an engine with what was written down before.
    ///
    /// # Errors
    /// Where it cannot be read.
    pub fn load(&self, engine: &mut Engine) -> Result<(), StoreError> {
        load::load(&self.connection, engine).map_err(|source| self.error("read", source))
    }

    /// Fills the objective at this place of an engine with the counts that were written down before:
    /// one that is watched again. Its alerts [have ended](Self::end_alerts).
    ///
    /// # Errors
    /// Where it cannot be read.
    pub fn load_objective(&self, engine: &mut Engine, place: usize) -> Result<(), StoreError> {
        load::one(&self.connection, engine, place).map_err(|source| self.error("read", source))
    }

    /// The alerts of an objective that is watched no more are over.
    ///
    /// # Errors
    /// Where it cannot be written.
    pub fn end_alerts(&mut self, objective: &Objective) -> Result<(), StoreError> {
        write::end_alerts(&self.connection, objective).map_err(|source| self.error("write", source))
    }

    /// Fills those composites of an engine for which nothing has counted yet.
    ///
    /// # Errors
    /// Where it cannot be read.
    pub fn load_composites(&self, engine: &mut Engine) -> Result<(), StoreError> {
        load::composites(&self.connection, engine).map_err(|source| self.error("read", source))
    }

    /// The letters that were waiting, and those that were given up.
    ///
    /// # Errors
    /// Where they cannot be read.
    pub fn outbox(&self) -> Result<Outbox, StoreError> {
        letters::read(&self.connection).map_err(|source| self.error("read", source))
    }

    /// Writes down what came since the last time, alerts and letters together, at once or not at all.
    /// Where it fails, those counts are lost.
    ///
    /// # Errors
    /// Where it cannot be written.
    pub fn flush(&mut self, engine: &mut Engine, outbox: &Outbox) -> Result<(), StoreError> {
        let letters = (outbox.revision() != self.letters).then_some(outbox);
        let summed = write::flush(&mut self.connection, engine, letters, self.summed);
        self.summed = summed.map_err(|source| self.error("write", source))?;
        self.letters = outbox.revision();
        Ok(())
    }

    /// What was counted for an objective from one second to before another, hour by hour, the oldest
    /// first: the second in which each hour began. What is not summed up yet comes in smaller parts.
    ///
    /// # Errors
    /// Where it cannot be read.
    pub fn past(
        &self,
        objective: &Objective,
        from: Seconds,
        to: Seconds,
    ) -> Result<Vec<(Seconds, Counts)>, StoreError> {
        past::counts(&self.connection, objective, from, to, to)
            .map_err(|source| self.error("read", source))
    }

    /// The same, and by ten minutes from the first hour on that begins at `fine` or later, which is to
    /// be at most 3 days before the end.
    ///
    /// # Errors
    /// Where it cannot be read.
    pub fn past_finely(
        &self,
        objective: &Objective,
        from: Seconds,
        fine: Seconds,
        to: Seconds,
    ) -> Result<Vec<(Seconds, Counts)>, StoreError> {
        past::counts(&self.connection, objective, from, fine, to)
            .map_err(|source| self.error("read", source))
    }

    /// The bad events of an objective by cause, the greatest part first, from the day (in UTC) of one
    /// second to before that of another.
    ///
    /// # Errors
    /// Where they cannot be read.
    pub fn past_causes(
        &self,
        objective: &Objective,
        from: Seconds,
        to: Seconds,
    ) -> Result<Vec<(Option<Cause>, u64)>, StoreError> {
        past::causes(&self.connection, objective, from, to)
            .map_err(|source| self.error("read", source))
    }

    fn error(&self, what: &'static str, source: rusqlite::Error) -> StoreError {
        StoreError::Database { what, file: self.file.clone(), source }
    }
}
