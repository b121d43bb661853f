//! The one binary.

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
