//! `rearguard doctor explain CODE`: the page of a rule.

use std::io::Write;

use anyhow::Context as _;
use doctor::{catalogue, rule::Rule};

/// What `doctor explain` is given.
#[derive(Debug, clap::Args)]
pub(crate) struct ExplainArguments {
    /// The rule's code such as defer-in-loop; `list` shows all rules
    #[arg(default_value = "list")]
    code: String,
}

/// Runs the command.
pub(crate) fn run(arguments: &ExplainArguments, out: &mut dyn Write) -> anyhow::Result<()> {
    let code = arguments.code.trim();
    if code == "list" {
        return list(&catalogue::all(), out);
    }
    let rule = catalogue::find(code).ok_or_else(|| unknown(code))?;
    out.write_all(rule.page.as_bytes()).context("the page could not be written")
}

/// What is wrong with a code that no rule has.
pub(super) fn unknown(code: &str) -> anyhow::Error {
    let nearest: Vec<&str> = catalogue::nearest(code).iter().map(|rule| rule.code).collect();
    anyhow::anyhow!(
        "no rule is called {code:?}; the nearest codes are {}; `rearguard doctor --list-rules` shows all",
        nearest.join(", ")
    )
}

/// A table of rules, one a line.
pub(super) fn list(rules: &[&Rule], out: &mut dyn Write) -> anyhow::Result<()> {
    let width = rules.iter().map(|rule| rule.code.len()).max().unwrap_or_default();
    let mut table = format!("{:width$}  severity  confidence  what it finds\n", "code");
    for rule in rules {
        let (severity, confidence) = (rule.severity.as_str(), rule.confidence.as_str());
        table +=
            &format!("{:width$}  {severity:8}  {confidence:10}  {}\n", rule.code, rule.summary);
    }
    out.write_all(table.as_bytes()).context("the list could not be written")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn explained(code: &str) -> anyhow::Result<String> {
        let mut out = Vec::new();
        run(&ExplainArguments { code: code.to_owned() }, &mut out)?;
        Ok(String::from_utf8(out).expect("the output is text"))
    }

    #[test]
    fn a_code_prints_its_page_and_the_list_has_every_rule() {
        assert!(explained("defer-in-loop").unwrap().starts_with("# defer-in-loop\n"));
        let list = explained("list").unwrap();
        assert_eq!(list.lines().count(), catalogue::all().len() + 1);
    }

    #[test]
    fn a_misspelt_code_is_an_error_that_names_the_nearest() {
        let error = explained("defer-in-lop").unwrap_err().to_string();
        let start = "no rule is called \"defer-in-lop\"; the nearest codes are defer-in-loop";
        assert!(error.starts_with(start), "{error}");
    }
}
