//! Folders of `/proc/self` whose entries are numbers.

use std::{fs, path::PathBuf};

/// Each number that `/proc/self/FOLDER` lists, and its path; none where there is no such folder.
pub(super) fn numbered(folder: &str) -> impl Iterator<Item = (u32, PathBuf)> {
    let entries = fs::read_dir(format!("/proc/self/{folder}")).into_iter().flatten().flatten();
    entries.filter_map(|entry| {
        let number = entry.file_name().to_str()?.parse().ok()?;
        Some((number, entry.path()))
    })
}
