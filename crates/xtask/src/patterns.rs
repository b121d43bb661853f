//! `docs/patterns.md`, from its text in `docs/patterns/page.md` and from the programs beside it with
//! what they printed. Whether they still print that is a test of `rearguard`.

use std::{collections::BTreeSet, fs, iter, path::Path};

use anyhow::{Context as _, Result, ensure};

use crate::{shell, tools};

pub(crate) const FILE: &str = "docs/patterns.md";

const FOLDER: &str = "docs/patterns";

/// The text of the page, with a line `{{NAME}}` for each program.
const TEXT: &str = "docs/patterns/page.md";

/// Runs the programs, and writes down what they print. Without Go, its part stays as it is.
pub(crate) fn record() -> Result<()> {
    let mut command = shell::cargo();
    command.args(["test", "--quiet", "-p", "rearguard", "--all-features", "--test", "it"]);
    command.arg("patterns::").env("REARGUARD_RECORD", "1");
    if let Some(go) = tools::GO.find() {
        command.env(tools::GO.variable(), go);
    }
    shell::capture(&mut command).map(drop)
}

/// The page, from what was written down.
pub(crate) fn page() -> Result<String> {
    let mut page = String::new();
    let mut unnamed = BTreeSet::new();
    for entry in fs::read_dir(FOLDER).with_context(|| format!("cannot read {FOLDER}"))? {
        let entry = entry?;
        if entry.path().is_dir() {
            unnamed.insert(entry.file_name().to_string_lossy().into_owned());
        }
    }
    for line in read(Path::new(TEXT))?.lines() {
        match line.strip_prefix("{{").and_then(|rest| rest.strip_suffix("}}")) {
            Some(name) => {
                ensure!(unnamed.remove(name), "{TEXT}: {line} names no folder, or one again");
                page.push_str(&Pattern::read(name)?.section());
            }
            None => {
                page.push_str(line);
                page.push('\n');
            }
        }
    }
    let left = unnamed.into_iter().collect::<Vec<_>>().join(", ");
    ensure!(left.is_empty(), "{TEXT} names not all of {FOLDER}: add a line for {left}");
    Ok(page)
}

fn read(file: &Path) -> Result<String> {
    fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))
}

/// The same in both languages, and what it prints.
#[derive(Debug)]
struct Pattern {
    name: String,
    go: String,
    rust: String,
    go_prints: String,
    rust_prints: String,
    /// By the rules that Go had for loops before 1.22.
    old_go_prints: Option<String>,
}

impl Pattern {
    fn read(name: &str) -> Result<Self> {
        let folder = Path::new(FOLDER).join(name);
        let old = folder.join("go1.21.txt");
        Ok(Self {
            name: name.to_owned(),
            go: read(&folder.join("main.go"))?,
            rust: read(&folder.join("main.rs"))?,
            go_prints: read(&folder.join("go.txt"))?,
            rust_prints: read(&folder.join("rust.txt"))?,
            old_go_prints: if old.is_file() { Some(read(&old)?) } else { None },
        })
    }

    fn section(&self) -> String {
        let Self { name, go_prints, rust_prints, .. } = self;
        let go_prints = match &self.old_go_prints {
            None => prints("prints:", go_prints),
            Some(old) if old == go_prints => prints("prints, before Go 1.22 too:", go_prints),
            Some(old) => {
                prints("prints, before Go 1.22:", old)
                    + &prints("prints, since Go 1.22:", go_prints)
            }
        };
        let rust_prints = if *rust_prints == self.go_prints {
            "// prints the same\n".to_owned()
        } else {
            prints("prints:", rust_prints)
        };
        format!(
            "[Go](patterns/{name}/main.go), [Rust](patterns/{name}/main.rs):\n\n\
             ```go\n{}{go_prints}```\n\n```rust\n{}{rust_prints}```\n",
            // Spaces, as in all pages.
            without_imports(&self.go).replace('\t', "    "),
            without_imports(&self.rust).replace("pub(crate) ", ""),
        )
    }
}

/// What is printed, as a comment under the code.
fn prints(when: &str, text: &str) -> String {
    let lines = text.lines().map(|line| format!("//   {line}\n"));
    iter::once(format!("// {when}\n")).chain(lines).collect()
}

/// The code after what it begins with: the package and what is imported.
fn without_imports(code: &str) -> &str {
    let mut rest = code;
    while ["package ", "import ", "use "].iter().any(|word| rest.starts_with(word)) {
        match rest.split_once("\n\n") {
            Some((_, after)) => rest = after,
            None => return rest,
        }
    }
    rest
}

#[cfg(test)]
mod tests {
    use super::{Pattern, without_imports};

    #[test]
    fn code_begins_after_its_imports() {
        for (code, expected) in [
            ("package main\n\nimport \"fmt\"\n\nfunc main() {}\n", "func main() {}\n"),
            ("package main\n\nvar x int\n\nfunc f() {}\n", "var x int\n\nfunc f() {}\n"),
            ("use a::{\n    b,\n};\n\nuse c;\n\nfn main() {}\n", "fn main() {}\n"),
            ("fn main() {}\n", "fn main() {}\n"),
        ] {
            assert_eq!(without_imports(code), expected);
        }
    }

    #[test]
    fn what_is_printed_stands_under_the_code() {
        for (go, old, rust, go_prints, rust_prints) in [
            ("1\n", None, "1\n", "// prints:\n//   1\n", "// prints the same\n"),
            ("1\n", None, "2\n", "// prints:\n//   1\n", "// prints:\n//   2\n"),
            (
                "1\n",
                Some("1\n"),
                "1\n",
                "// prints, before Go 1.22 too:\n//   1\n",
                "// prints the same\n",
            ),
            (
                "1\n",
                Some("0\n"),
                "1\n",
                "// prints, before Go 1.22:\n//   0\n// prints, since Go 1.22:\n//   1\n",
                "// prints the same\n",
            ),
        ] {
            let pattern = Pattern {
                name: "name".to_owned(),
                go: "func main() {\n\tf()\n}\n".to_owned(),
                rust: "pub(crate) fn main() {}\n".to_owned(),
                go_prints: go.to_owned(),
                rust_prints: rust.to_owned(),
                old_go_prints: old.map(str::to_owned),
            };
            let blocks = format!(
                "```go\nfunc main() {{\n    f()\n}}\n{go_prints}```\n\n\
                 ```rust\nfn main() {{}}\n{rust_prints}```\n"
            );
            let section = pattern.section();
            assert!(section.ends_with(&blocks), "{section}");
        }
    }
}
