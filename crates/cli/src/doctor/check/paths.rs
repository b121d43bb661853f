//! Paths as they are shown.

use std::{
    io,
    path::{Component, Path, PathBuf},
};

/// Relative to the working folder where it is within, with `/` between the parts, without `./`.
pub(crate) fn shown(path: &Path, here: &Path) -> String {
    let path = path.strip_prefix(here).unwrap_or(path);
    let parts = path.components().filter(|part| *part != Component::CurDir);
    let shown: PathBuf = parts.collect();
    let shown = shown.display().to_string();
    if std::path::MAIN_SEPARATOR == '/' { shown } else { shown.replace('\\', "/") }
}

/// The working folder.
pub(crate) fn here() -> io::Result<PathBuf> {
    std::env::current_dir()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_shown_relative_to_the_working_folder() {
        for (path, expected) in [
            ("./a/b.go", "a/b.go"),
            ("a/./b.go", "a/b.go"),
            ("/base/a/b.go", "a/b.go"),
            ("/other/b.go", "/other/b.go"),
            ("../b.go", "../b.go"),
            (".", ""),
        ] {
            assert_eq!(shown(Path::new(path), Path::new("/base")), expected, "{path}");
        }
    }
}
