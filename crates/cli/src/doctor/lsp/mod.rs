//! `rearguard doctor lsp`: findings and quick fixes in an editor, by the Language Server Protocol 3.17
//! on standard input and output.
//!
//! Why ours: it is five messages, one after the other, and a library for it brings a runtime.
//! [`run`] is the entry point; [`server::Server`] answers messages, [`frame`] reads and writes them.

mod document;
mod frame;
mod server;

use std::{
    io::{BufRead, Write},
    process::ExitCode,
};

use anyhow::Context as _;

use self::server::{Next, Server};
use super::check::{arguments::Choice, paths, settings::resolve};

/// What `doctor lsp` is given.
#[derive(Debug, clap::Args)]
pub(crate) struct LspArguments {
    #[command(flatten)]
    choice: Choice,
    /// Editors say it; it is the only way there is
    #[arg(long, hide = true)]
    stdio: bool,
}

/// Answers messages until the editor says `exit` or closes.
pub(crate) fn run(
    arguments: &LspArguments,
    input: &mut dyn BufRead,
    out: &mut dyn Write,
) -> anyhow::Result<ExitCode> {
    let here = paths::here().context("the working folder is not known")?;
    let mut server = Server::new(resolve(&arguments.choice, None, &here)?);
    while let Some(message) = frame::read(input)? {
        let next = server.answer(&message, &mut |message| frame::write(out, &message))?;
        if let Next::Exit(code) = next {
            return Ok(code);
        }
    }
    // The editor has gone without a word.
    Ok(ExitCode::FAILURE)
}
