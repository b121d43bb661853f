use std::io::Write;

use anyhow::Context as _;
use rearguard::{Blame, Cause};

use super::{
    lookup::{Lookup, lookup},
    page,
};

/// Explains a cause, or an nginx error log in the words of causes
#[derive(Debug, clap::Args)]
pub(crate) struct ExplainArguments {
    /// A cause's code such as upstream.reset, a part of one, an Envoy flag (UC), or a status (502);
    /// `list` shows all causes
    #[arg(default_value = "list")]
    code: String,
}

/// Runs the command; what it has to say goes to `out`.
pub(crate) fn run(arguments: &ExplainArguments, out: &mut dyn Write) -> anyhow::Result<()> {
    explain(&arguments.code, out)
}

fn explain(text: &str, out: &mut dyn Write) -> anyhow::Result<()> {
    if text == "list" {
        return list(Cause::ALL, out).context("the list could not be written");
    }
    match lookup(text) {
        Lookup::One(cause) => {
            out.write_all(page(cause).as_bytes()).context("the page could not be written")
        }
        Lookup::Several(causes) => several(text, &causes, out).context("it could not be written"),
        Lookup::Unknown(nearest) => {
            let nearest: Vec<&str> = nearest.iter().map(|cause| cause.code()).collect();
            anyhow::bail!(
                "no cause is called {text:?}; the nearest codes are {}; `rearguard explain list` \
                 shows all",
                nearest.join(", ")
            )
        }
    }
}

fn several(text: &str, causes: &[Cause], out: &mut dyn Write) -> std::io::Result<()> {
    writeln!(out, "{text} stands for {} causes:\n", causes.len())?;
    list(causes, out)?;
    writeln!(out, "\nRun `rearguard explain CODE` for the page of one of them.")
}

/// A table of causes, one a line.
fn list(causes: &[Cause], out: &mut dyn Write) -> std::io::Result<()> {
    let width = Cause::ALL.iter().map(|cause| cause.code().len()).max().unwrap_or_default();
    writeln!(out, "{:width$}  status  flag          counts against  what happened", "code")?;
    for cause in causes {
        let status = cause.status().map_or_else(|| "–".to_owned(), |status| status.to_string());
        let blame = match cause.blame() {
            Blame::Nobody => "nobody",
            Blame::Gateway => "the gateway",
            Blame::Service => "the service",
        };
        writeln!(
            out,
            "{:width$}  {status:6}  {:12}  {blame:14}  {}",
            cause.code(),
            cause.envoy_flag().unwrap_or("–"),
            cause.sentence(),
        )?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn explained(text: &str) -> anyhow::Result<String> {
        let mut out = Vec::new();
        explain(text, &mut out)?;
        Ok(String::from_utf8(out).expect("the output is text"))
    }

    #[test]
    fn a_code_prints_its_page() {
        assert_eq!(explained("upstream.reset").unwrap(), page(Cause::UpstreamReset));
    }

    #[test]
    fn the_list_has_a_line_for_every_cause() {
        let list = explained("list").unwrap();
        assert_eq!(list.lines().count(), Cause::ALL.len() + 1);
        for cause in Cause::ALL {
            assert!(list.contains(cause.code()), "{cause}");
        }
    }

    #[test]
    fn a_shared_flag_lists_its_causes() {
        let text = explained("UC").unwrap();
        assert!(text.starts_with("UC stands for 3 causes:"), "{text}");
        assert!(text.contains("\nupstream.closed_mid_response "), "{text}");
    }

    #[test]
    fn a_misspelt_code_is_an_error_that_names_the_nearest() {
        let error = explained("upstream.rest").unwrap_err().to_string();
        assert!(
            error.starts_with(
                r#"no cause is called "upstream.rest"; the nearest codes are upstream.reset,"#
            ),
            "{error}"
        );
    }
}
