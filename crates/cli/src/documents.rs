//! Reading configuration files, and showing what there is to say about them.

use std::{
    fs,
    io::{self, IsTerminal as _, Write},
    path::{Path, PathBuf},
};

use anyhow::{Context as _, bail};
use config::{Color, Defaults, Diagnostic, Loaded, Severity, Source, Upstream};
use gateway::Timeouts;

/// A folder is read this deep.
const MAX_DEPTH: usize = 8;
/// So many files are read at most.
const MAX_FILES: usize = 10_000;

/// Reads every file, and every `*.yaml` and `*.yml` of every folder, in the order of their names.
pub(crate) fn read(paths: &[PathBuf]) -> anyhow::Result<Vec<Source>> {
    let mut files = Vec::new();
    for path in paths {
        let about = fs::metadata(path).with_context(|| {
            format!("cannot read {}; expected a YAML file or a folder of them", path.display())
        })?;
        if about.is_dir() {
            let before = files.len();
            collect(path, 0, &mut files)?;
            if files.len() == before {
                bail!("{} holds no .yaml or .yml file", path.display());
            }
        } else {
            files.push(path.clone());
        }
    }
    files
        .iter()
        .map(|path| {
            let bytes =
                fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
            let text = String::from_utf8(bytes).map_err(|error| {
                let at = error.utf8_error().valid_up_to();
                anyhow::anyhow!("{} is not UTF-8 text (at byte {at})", path.display())
            })?;
            Ok(Source::new(path.display().to_string(), text))
        })
        .collect()
}

fn collect(folder: &Path, depth: usize, files: &mut Vec<PathBuf>) -> anyhow::Result<()> {
    let entries =
        fs::read_dir(folder).with_context(|| format!("cannot read folder {}", folder.display()))?;
    let mut paths = entries.map(|entry| Ok(entry?.path())).collect::<io::Result<Vec<_>>>()?;
    paths.sort();
    for path in paths {
        let hidden = path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."));
        if path.is_dir() && !hidden && depth < MAX_DEPTH {
            collect(&path, depth + 1, files)?;
        } else if path.extension().is_some_and(|ending| ending == "yaml" || ending == "yml") {
            files.push(path);
        }
        if files.len() > MAX_FILES {
            bail!("{} holds more than {MAX_FILES} files", folder.display());
        }
    }
    Ok(())
}

/// Loads with the gateway's own defaults.
pub(crate) fn load(sources: &[Source], upstreams: &[Upstream], timeouts: &Timeouts) -> Loaded {
    let defaults = Defaults {
        response_timeout: timeouts.response,
        idle_timeout: timeouts.upstream_idle,
        ..Defaults::default()
    };
    config::load(sources, upstreams, &defaults)
}

/// Shows every finding, and says how many errors and warnings there are.
pub(crate) fn show(
    diagnostics: &[Diagnostic],
    sources: &[Source],
    color: Color,
    out: &mut dyn Write,
) -> io::Result<()> {
    for diagnostic in diagnostics {
        writeln!(out, "{}", diagnostic.render(sources, color))?;
    }
    let count = |severity| diagnostics.iter().filter(|found| found.severity == severity).count();
    let (errors, warnings) = (count(Severity::Error), count(Severity::Warning));
    if errors + warnings > 0 {
        writeln!(out, "{errors} error{}, {warnings} warning{}", s(errors), s(warnings))?;
    }
    Ok(())
}

/// The ending of a plural.
pub(crate) const fn s(count: usize) -> &'static str {
    if count == 1 { "" } else { "s" }
}

/// Colours for people, none for files; `NO_COLOR` is honoured (<https://no-color.org>).
pub(crate) fn color(is_terminal: bool) -> Color {
    let refused = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    if is_terminal && !refused { Color::Always } else { Color::Never }
}

/// Colours as standard error wants them.
pub(crate) fn stderr_color() -> Color {
    color(io::stderr().is_terminal())
}
