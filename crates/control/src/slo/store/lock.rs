//! One process writes a file of budgets at a time.
//!
//! SQLite's own locks last for a transaction. Two processes that both count would spend each budget
//! twice, and tell everything twice, so the first keeps the others out for as long as it lives. The
//! lock is the operating system's and advisory (`flock(2)`): it goes with the process, however that
//! ends.

use std::{
    fs::{File, OpenOptions, TryLockError},
    io::{self, Read as _, Seek as _, Write as _},
    path::{Path, PathBuf},
};

use super::StoreError;

/// A file of budgets that no other process writes.
#[derive(Debug)]
pub(super) struct Lock {
    /// Held for as long as it is open.
    _file: File,
}

/// Beside the file, as SQLite may replace that.
fn beside(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".lock");
    name.into()
}

impl Lock {
    pub(super) fn take(path: &Path) -> Result<Self, StoreError> {
        let beside = beside(path);
        let error = |source| StoreError::Lock { file: beside.display().to_string(), source };
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&beside)
            .map_err(error)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(StoreError::Held {
                    file: path.display().to_string(),
                    holder: holder(&mut file),
                });
            }
            Err(TryLockError::Error(source)) => return Err(error(source)),
        }
        sign(&mut file).map_err(error)?;
        Ok(Self { _file: file })
    }
}

/// Leaves our number for those who come later.
fn sign(file: &mut File) -> io::Result<()> {
    file.set_len(0)?;
    file.rewind()?;
    writeln!(file, "{}", std::process::id())
}

/// Words for whoever has it; it may not have signed yet.
fn holder(file: &mut File) -> String {
    let mut text = String::new();
    match file.read_to_string(&mut text).ok().and_then(|_| text.trim().parse::<u32>().ok()) {
        Some(process) => format!("process {process}"),
        None => "another process".to_owned(),
    }
}
