//! Go files below folders, for joining with a profile.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, bail};

/// So many files are read at most; the standard library has some 10,000.
const MAX_FILES: usize = 100_000;

/// A larger file is generated, and passed over.
const MAX_FILE_BYTES: u64 = 4 << 20;

/// Folders that hold no code of the program.
const PASSED_OVER: [&str; 3] = ["testdata", "node_modules", "vendor"];

/// Paths and texts of every Go file below the folders, tests left out.
pub(crate) fn read(folders: &[PathBuf]) -> anyhow::Result<Vec<(String, String)>> {
    let mut files = Vec::new();
    for folder in folders {
        let about = fs::metadata(folder)
            .with_context(|| format!("the source {} cannot be read", folder.display()))?;
        if about.is_dir() {
            below(folder, &mut files)?;
        } else {
            one(folder, &mut files)?;
        }
    }
    if files.is_empty() {
        let names: Vec<_> = folders.iter().map(|it| it.display().to_string()).collect();
        bail!("found no Go file in {}; expected the folder that has go.mod", names.join(", "));
    }
    Ok(files)
}

fn below(folder: &Path, files: &mut Vec<(String, String)>) -> anyhow::Result<()> {
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        let entries = fs::read_dir(&folder)
            .with_context(|| format!("the folder {} cannot be read", folder.display()))?;
        let mut entries: Vec<_> = entries.flatten().collect();
        entries.sort_by_key(fs::DirEntry::file_name);
        for entry in entries {
            let (name, path) = (entry.file_name(), entry.path());
            let name = name.to_string_lossy();
            // A link to a folder may lead round in a circle.
            let kind = entry.file_type().with_context(|| path.display().to_string())?;
            if kind.is_dir() {
                let hidden = name.starts_with(['.', '_']);
                if !hidden && !PASSED_OVER.contains(&&*name) {
                    folders.push(path);
                }
            } else if name.ends_with(".go") && !name.ends_with("_test.go") {
                one(&path, files)?;
            }
        }
    }
    Ok(())
}

fn one(path: &Path, files: &mut Vec<(String, String)>) -> anyhow::Result<()> {
    if files.len() >= MAX_FILES {
        bail!("there are more than {MAX_FILES} Go files; name the folders of this program only");
    }
    let read = || -> std::io::Result<Option<String>> {
        if fs::metadata(path)?.len() > MAX_FILE_BYTES {
            return Ok(None);
        }
        Ok(Some(String::from_utf8_lossy(&fs::read(path)?).into_owned()))
    };
    let text = read().with_context(|| format!("{} cannot be read", path.display()))?;
    files.extend(text.map(|text| (path.to_string_lossy().into_owned(), text)));
    Ok(())
}
