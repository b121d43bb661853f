//! The README in both languages says the same: the same sections, code blocks and tables, in the
//! same order.

use std::fs;

use anyhow::{Context as _, Result};

use super::Problems;

const ENGLISH: &str = "README.md";
const CHINESE: &str = "README.zh-CN.md";

pub(super) fn check() -> Result<Problems> {
    let read = |file: &str| fs::read_to_string(file).with_context(|| format!("cannot read {file}"));
    Ok(compare(&Shape::of(&read(ENGLISH)?), &Shape::of(&read(CHINESE)?)))
}

/// What does not depend on the language.
#[derive(Debug, Default)]
struct Shape {
    /// The hashes of each heading.
    headings: Vec<String>,
    /// Each block with its fences.
    blocks: Vec<String>,
    /// How many rows of tables and items of lists.
    rows: usize,
}

impl Shape {
    fn of(text: &str) -> Self {
        let mut shape = Self::default();
        let mut block: Option<String> = None;
        for line in text.lines() {
            let fence = line.starts_with("```");
            match (&mut block, fence) {
                (None, true) => block = Some(format!("{line}\n")),
                (Some(open), _) => {
                    open.push_str(line);
                    open.push('\n');
                    if fence {
                        shape.blocks.extend(block.take());
                    }
                }
                (None, false) if line.starts_with('#') => {
                    shape.headings.push(line.chars().take_while(|c| *c == '#').collect());
                }
                (None, false) if line.starts_with('|') || line.starts_with("- ") => {
                    shape.rows += 1;
                }
                (None, false) => {}
            }
        }
        shape.blocks.extend(block);
        shape
    }
}

fn compare(english: &Shape, chinese: &Shape) -> Problems {
    let mut problems = Vec::new();
    if english.headings != chinese.headings {
        problems.push(format!(
            "{ENGLISH} has the headings [{}] and {CHINESE} [{}]: write the same sections in both",
            english.headings.join(" "),
            chinese.headings.join(" "),
        ));
    }
    if english.rows != chinese.rows {
        problems.push(format!(
            "{ENGLISH} has {} rows and items and {CHINESE} {}: write the same in both",
            english.rows, chinese.rows,
        ));
    }
    let places = english.blocks.len().max(chinese.blocks.len());
    let differs =
        (0..places).find(|place| english.blocks.get(*place) != chinese.blocks.get(*place));
    if let Some(place) = differs {
        let one = english.blocks.get(place).or_else(|| chinese.blocks.get(place));
        let line = one.and_then(|block| block.lines().nth(1)).unwrap_or_default();
        problems.push(format!(
            "code block {} (`{line}`) differs between {ENGLISH} and {CHINESE}: copy it",
            place + 1,
        ));
    }
    problems
}

#[cfg(test)]
mod tests {
    use super::{Shape, compare};

    #[test]
    fn the_languages_may_differ_in_words_only() {
        let english = "# A\ntext\n## B\n```sh\nrun # it\n```\n| a |\n- b\n";
        for (chinese, problems) in [
            ("# 甲\n文字\n更多\n## 乙\n```sh\nrun # it\n```\n| 丙 |\n- 丁\n", 0),
            ("# 甲\n```sh\nrun # it\n```\n| 丙 |\n- 丁\n", 1),
            ("# 甲\n## 乙\n```sh\nrun # 它\n```\n| 丙 |\n- 丁\n", 1),
            ("# 甲\n## 乙\n| 丙 |\n- 丁\n", 1),
            ("# 甲\n## 乙\n```sh\nrun # it\n```\n| 丙 |\n", 1),
            ("", 3),
        ] {
            let found = compare(&Shape::of(english), &Shape::of(chinese));
            assert_eq!(found.len(), problems, "{chinese:?}: {found:?}");
        }
    }
}
