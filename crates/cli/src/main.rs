//! The one binary.

#[cfg_attr(not(test), expect(dead_code, reason = "`up` will start it"))]
#[expect(unused_imports, reason = "`up` will start it")]
mod admin;
mod explain;

use clap::Parser;

#[derive(Parser)]
#[command(name = "rearguard", version)]
enum Arguments {
    Explain(explain::ExplainArguments),
}

fn main() -> anyhow::Result<()> {
    match Arguments::parse() {
        Arguments::Explain(arguments) => explain::run(&arguments, &mut std::io::stdout().lock()),
    }
}
