//! Which folders hold the Go files that are asked for.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs, io,
    path::{Path, PathBuf},
    sync::Arc,
};

use anyhow::{Context as _, bail};

use super::{
    arguments::Include,
    go_mod::{Finder, GoMod},
    paths::shown,
};

/// So many files are looked at most in one run.
pub(super) const MAX_FILES: usize = 500_000;
/// Folders are nested so deep at most; what is deeper is an error.
const MAX_DEPTH: usize = 100;

/// A folder that holds Go files.
#[derive(Debug)]
pub(super) struct Folder {
    /// Every Go file in it, with the path that is shown.
    pub(super) files: Vec<(PathBuf, String)>,
    /// The files that were named, where the folder was not: the others help to understand them.
    pub(super) named: Option<BTreeSet<String>>,
    /// The module that it is in.
    pub(super) module: Option<Arc<GoMod>>,
}

/// Finds the folders of paths, in the order of their names.
pub(super) fn folders(
    paths: &[PathBuf],
    include: &[Include],
    here: &Path,
) -> anyhow::Result<Vec<Folder>> {
    let mut search = Search { include, here, found: BTreeMap::new(), files: 0 };
    for path in paths {
        search.root(path)?;
    }
    let mut modules = Finder::default();
    let mut folders = Vec::with_capacity(search.found.len());
    for (path, mut folder) in search.found.into_values() {
        folder.module = modules.module(&here.join(path));
        folders.push(folder);
    }
    Ok(folders)
}

struct Search<'a> {
    include: &'a [Include],
    here: &'a Path,
    /// By the path that is shown, so that a folder reached in two ways is one.
    found: BTreeMap<String, (PathBuf, Folder)>,
    files: usize,
}

impl Search<'_> {
    fn root(&mut self, path: &Path) -> anyhow::Result<()> {
        // `./...` and `folder/...`, as the go command has it: a folder and all below.
        let path = if path.ends_with("...") { path.parent().unwrap_or(path) } else { path };
        let path = if path.as_os_str().is_empty() { Path::new(".") } else { path };
        let about = fs::metadata(path).with_context(|| {
            format!("cannot read {}; expected a Go file or a folder", path.display())
        })?;
        if about.is_dir() {
            return self.folder(path, 0);
        }
        if path.extension().is_none_or(|extension| extension != "go") {
            bail!("{} is not a .go file; expected a Go file or a folder", path.display());
        }
        let folder = path.parent().unwrap_or(path);
        let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
        let key = shown(folder, self.here);
        if !self.found.contains_key(&key) {
            let (files, _) = self.list(folder)?;
            self.add(key.clone(), folder, files, Some(BTreeSet::new()))?;
        }
        if let Some((_, Folder { named: Some(named), .. })) = self.found.get_mut(&key) {
            named.insert(shown(path, self.here));
        }
        Ok(())
    }

    fn folder(&mut self, path: &Path, depth: usize) -> anyhow::Result<()> {
        if depth > MAX_DEPTH {
            bail!("{} is nested more than {MAX_DEPTH} folders deep", path.display());
        }
        let (files, folders) = self.list(path)?;
        if !files.is_empty() {
            self.add(shown(path, self.here), path, files, None)?;
        }
        for folder in folders {
            self.folder(&folder, depth + 1)?;
        }
        Ok(())
    }

    fn add(
        &mut self,
        key: String,
        path: &Path,
        files: Vec<PathBuf>,
        named: Option<BTreeSet<String>>,
    ) -> anyhow::Result<()> {
        self.files += files.len();
        if self.files > MAX_FILES {
            bail!("there are more than {MAX_FILES} Go files; give folders one by one");
        }
        let files = files.into_iter().map(|file| {
            let shown = shown(&file, self.here);
            (file, shown)
        });
        let folder = Folder { files: files.collect(), named, module: None };
        self.found.insert(key, (path.to_owned(), folder));
        Ok(())
    }

    /// The Go files of a folder and the folders in it that are looked at. Links to folders are not
    /// followed.
    fn list(&self, folder: &Path) -> anyhow::Result<(Vec<PathBuf>, Vec<PathBuf>)> {
        let context = || format!("cannot read the folder {}", folder.display());
        let entries = fs::read_dir(folder).with_context(context)?;
        let mut entries = entries.collect::<io::Result<Vec<_>>>().with_context(context)?;
        entries.sort_by_key(fs::DirEntry::file_name);
        let (mut files, mut folders) = (Vec::new(), Vec::new());
        for entry in entries {
            let name = entry.file_name();
            let name = name.to_string_lossy();
            let kind = entry.file_type().with_context(context)?;
            if kind.is_dir() {
                if self.enters(&name) {
                    folders.push(entry.path());
                }
            } else if name.ends_with(".go") && !name.starts_with(['.', '_']) {
                files.push(entry.path());
            }
        }
        Ok((files, folders))
    }

    fn enters(&self, name: &str) -> bool {
        let needs = match name {
            "vendor" => Include::Vendor,
            "testdata" => Include::Testdata,
            "node_modules" => Include::NodeModules,
            _ if name.starts_with(['.', '_']) => Include::Hidden,
            _ => return true,
        };
        // Nothing of a repository's own is ever in there.
        name != ".git" && self.include.contains(&needs)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(paths: &[&str], include: &[Include]) -> Vec<String> {
        let root = tempfile::tempdir().unwrap();
        for file in [
            "go.mod",
            "a.go",
            "b.txt",
            "x/x.go",
            "x/_left.go",
            "vendor/v/v.go",
            "testdata/t.go",
            ".hidden/h.go",
            "_old/o.go",
            "node_modules/n/n.go",
            "x/y/z.go",
        ] {
            let path = root.path().join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "module m\n").unwrap();
        }
        let paths: Vec<PathBuf> = paths.iter().map(|path| root.path().join(path)).collect();
        let folders = folders(&paths, include, root.path()).unwrap();
        assert!(folders.iter().all(|folder| folder.module.is_some()));
        let named = |folder: Folder| match folder.named {
            Some(named) => named.into_iter().collect(),
            None => folder.files.into_iter().map(|(_, shown)| shown).collect::<Vec<_>>(),
        };
        folders.into_iter().flat_map(named).collect()
    }

    #[test]
    fn folders_are_searched_without_what_is_not_the_repositorys_own() {
        let usual = ["a.go", "x/x.go", "x/y/z.go"];
        assert_eq!(found(&[""], &[]), usual);
        assert_eq!(found(&["..."], &[]), usual);
        assert_eq!(found(&["", "x", "x/..."], &[]), usual);
    }

    #[test]
    fn what_is_left_out_can_be_asked_for_or_named() {
        assert!(found(&[""], &[Include::Vendor]).contains(&"vendor/v/v.go".to_owned()));
        assert!(found(&[""], &[Include::Hidden]).contains(&"_old/o.go".to_owned()));
        assert_eq!(found(&["testdata"], &[]), ["testdata/t.go"]);
    }

    #[test]
    fn of_a_file_that_is_named_the_folder_is_read_and_the_file_is_told_of() {
        assert_eq!(found(&["x/x.go"], &[]), ["x/x.go"]);
        assert_eq!(found(&["x/x.go", "x"], &[]), ["x/x.go", "x/y/z.go"]);
    }

    #[test]
    fn what_is_no_go_file_is_an_error() {
        let error = folders(&[PathBuf::from("Cargo.toml")], &[], Path::new("/")).unwrap_err();
        assert_eq!(
            error.to_string(),
            "Cargo.toml is not a .go file; expected a Go file or a folder"
        );
    }
}
