//! Small things that a reader would trip over.

use std::fs;

use anyhow::{Context as _, Result};

use super::Problems;

/// At this length, ask whether two ideas live in the file.
const MAXIMUM_LINES: usize = 600;

/// Rust files that may be longer, and why.
const LONG_FILES: &[(&str, &str)] = &[];

/// What is read as text. The rest may hold any bytes.
const TEXT: &[&str] =
    &["css", "go", "html", "js", "json", "md", "py", "rs", "sh", "toml", "txt", "yaml", "yml"];

/// Where tabs belong.
const TABBED: &[&str] = &["go", "mod"];

/// Folders whose files quote Go code, which is written with tabs.
const QUOTE_GO: &[&str] = &["docs/doctor", "crates/doctor/data/"];

/// Beginnings of paths that exist on one machine only.
const LOCAL_PATHS: &[&str] = &["/root/", "/work/", "/home/", "/Users/"];

/// What says that something is not done.
const UNDONE: &[&str] = &["todo!(", "unimplemented!(", "TODO", "FIXME", "#[ignore]"];

pub(super) fn check(files: &[String]) -> Result<Problems> {
    let mut problems = Vec::new();
    for file in files {
        let extension = file.rsplit_once('.').map_or("", |(_, extension)| extension);
        if !TEXT.contains(&extension) {
            continue;
        }
        let text = fs::read_to_string(file).with_context(|| format!("cannot read {file}"))?;
        problems.extend(check_length(file, extension, &text));
        if !text.is_empty() && !text.ends_with('\n') {
            problems.push(format!("{file}: the last line has no end: add a newline"));
        }
        for (index, line) in text.lines().enumerate() {
            if let Some(problem) = check_line(file, extension, line) {
                problems.push(format!("{file}:{}: {problem}", index + 1));
            }
        }
    }
    Ok(problems)
}

fn check_length(file: &str, extension: &str, text: &str) -> Option<String> {
    let lines = text.lines().count();
    let allowed = LONG_FILES.iter().any(|(long, _)| *long == file);
    (extension == "rs" && lines > MAXIMUM_LINES && !allowed).then(|| {
        format!(
            "{file} has {lines} lines, and {MAXIMUM_LINES} is the most: split it by idea, or add \
             it with its reason to {}",
            file!()
        )
    })
}

fn check_line(file: &str, extension: &str, line: &str) -> Option<String> {
    if line.ends_with([' ', '\t', '\r']) {
        return Some("blanks at the end of the line: remove them".to_owned());
    }
    let quotes_go = extension != "rs" && QUOTE_GO.iter().any(|folder| file.starts_with(folder));
    if line.contains('\t') && !TABBED.contains(&extension) && !quotes_go {
        return Some("a tab: use spaces".to_owned());
    }
    // The lists above name what they forbid.
    if file == file!() {
        return None;
    }
    if let Some(path) = LOCAL_PATHS.iter().find(|path| begins_a_path(line, path)) {
        return Some(format!("{path} exists on one machine only: use a relative path"));
    }
    let word = UNDONE.iter().find(|word| line.contains(**word) && !is_name_in_go(line, word))?;
    Some(format!("{word} says that something is not done: do it, or open an issue"))
}

/// Whether the word is only the name of Go's `context.TODO()`.
fn is_name_in_go(line: &str, word: &str) -> bool {
    word == "TODO" && (line.contains("TODO()") || line.contains("\"TODO\""))
}

/// Whether `path` stands in `line` as the beginning of an absolute path, not inside another.
fn begins_a_path(line: &str, path: &str) -> bool {
    line.match_indices(path).any(|(at, _)| {
        !line[..at].ends_with(|before: char| before.is_alphanumeric() || "_-.}*".contains(before))
    })
}

#[cfg(test)]
mod tests {
    use super::{begins_a_path, check_length, check_line};

    #[test]
    fn a_path_of_one_machine_is_told_from_a_part_of_another() {
        assert!(begins_a_path("see /root/x", "/root/"));
        assert!(begins_a_path("`/root/x`", "/root/"));
        assert!(!begins_a_path("src/root/x", "/root/"));
        assert!(!begins_a_path("$HOME/work/", "/work/"));
    }

    #[test]
    fn lines_are_refused_for_blanks_tabs_and_undone_work() {
        for (extension, line, refused) in [
            ("rs", "let x = 1;", false),
            ("rs", "let x = 1; ", true),
            ("rs", "\tlet x = 1;", true),
            ("go", "\tx := 1", false),
            ("md", "\tx := 1", true),
            ("rs", concat!("context.TO", "DO()"), false),
            ("rs", concat!("todo", "!()"), true),
        ] {
            assert_eq!(check_line("a file", extension, line).is_some(), refused, "{line:?}");
        }
    }

    #[test]
    fn only_rust_files_are_refused_for_their_length() {
        let long = "\n".repeat(601);
        assert!(check_length("a file", "rs", &long).is_some());
        assert!(check_length("a file", "rs", &long[1..]).is_none());
        assert!(check_length("a file", "md", &long).is_none());
    }
}
