use std::{
    fs::File,
    io::{self, BufRead, BufReader, Write},
    path::{Path, PathBuf},
};

use anyhow::Context as _;
use rearguard::{Blame, Cause};

use super::{
    lookup::{Lookup, lookup},
    nginx_log, nginx_report, page, request,
};

/// Explains a cause, or an nginx error log in the words of causes
#[derive(Debug, clap::Args)]
pub(crate) struct ExplainArguments {
    /// A cause's code such as upstream.reset, a part of one, an Envoy flag (UC), or a status (502);
    /// `list` shows all causes; a trace id shows what a running gateway knows of that request
    #[arg(default_value = "list")]
    code: String,
    /// Reads an nginx error log (`-`: standard input) and counts its lines by cause
    #[arg(long, value_name = "FILE", conflicts_with = "code")]
    nginx_error_log: Option<PathBuf>,
    /// With a trace id: the admin address of the running gateway
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:9900")]
    admin: String,
    /// With --nginx-error-log: prints one JSON object
    #[arg(long, requires = "nginx_error_log")]
    json: bool,
}

/// Runs the command; what it has to say goes to `out`.
pub(crate) fn run(arguments: &ExplainArguments, out: &mut dyn Write) -> anyhow::Result<()> {
    let Some(path) = &arguments.nginx_error_log else {
        if request::is_trace_id(&arguments.code) {
            let text = request::explain(&arguments.code, &arguments.admin)?;
            return out.write_all(text.as_bytes()).context("it could not be written");
        }
        return explain(&arguments.code, out);
    };
    let format = if arguments.json { nginx_report::write_json } else { nginx_report::write_text };
    let name = path.display().to_string();
    if path == Path::new("-") {
        return error_log(&mut io::stdin().lock(), "standard input", format, out);
    }
    let file =
        File::open(path).with_context(|| format!("the error log {name} could not be opened"))?;
    error_log(&mut BufReader::new(file), &name, format, out)
}

type Format = fn(&nginx_log::Summary, &str, &mut dyn Write) -> io::Result<()>;

fn error_log(
    reader: &mut dyn BufRead,
    name: &str,
    format: Format,
    out: &mut dyn Write,
) -> anyhow::Result<()> {
    let summary =
        nginx_log::read(reader).with_context(|| format!("{name} could not be read to its end"))?;
    if summary.lines > 0 && summary.lines == summary.foreign {
        anyhow::bail!(
            "none of the {} lines of {name} is of nginx's error log; expected lines such as \
             `2026/11/21 22:30:00 [error] 12#12: *3 …`; is it the access log?",
            summary.lines
        );
    }
    format(&summary, name, out).context("the summary could not be written")
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
