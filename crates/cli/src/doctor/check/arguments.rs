//! What the command is given.

use std::path::PathBuf;

use clap::ValueEnum;

/// Where the code is, and everything else.
#[derive(Debug, clap::Args)]
pub(crate) struct CheckArguments {
    /// Folders with all that is in them (`./...` is the same), or single files
    #[arg(value_name = "PATH", default_value = ".")]
    pub(super) paths: Vec<PathBuf>,
    #[command(flatten)]
    pub(super) choice: Choice,
    #[command(flatten)]
    pub(super) known: Known,
    #[command(flatten)]
    pub(super) print: Print,
    #[command(flatten)]
    pub(super) mend: Mend,
}

/// What is looked for, and where.
#[derive(Debug, Default, clap::Args)]
#[command(next_help_heading = "What is looked for")]
pub(crate) struct Choice {
    /// Asks these rules only
    #[arg(long, value_name = "CODE,…", value_delimiter = ',')]
    pub(super) rules: Option<Vec<String>>,
    /// Does not ask these rules
    #[arg(long, value_name = "CODE,…", value_delimiter = ',')]
    pub(super) skip: Vec<String>,
    /// How sure a finding has to be [default: medium]
    #[arg(long, value_name = "LEAST")]
    pub(super) confidence: Option<Confidence>,
    /// How severe a finding has to be [default: note]
    #[arg(long, value_name = "LEAST")]
    pub(super) severity: Option<Severity>,
    /// Leaves files out, as in .gitignore: `*.pb.go`, `cmd/**`
    #[arg(long, value_name = "PATTERN")]
    pub(super) exclude: Vec<String>,
    /// Looks at what is left out by default
    #[arg(long, value_name = "WHAT,…", value_delimiter = ',')]
    pub(super) include: Vec<Include>,
    /// Leaves `*_test.go` out
    #[arg(long)]
    pub(super) skip_tests: bool,
    /// Build tags that hold, beside those of Linux on amd64; GOOS and GOARCH may be given as tags
    #[arg(long, value_name = "TAG,…", value_delimiter = ',')]
    pub(super) tags: Vec<String>,
    /// The configuration; otherwise .rearguard/doctor.yaml or rearguard-doctor.yaml in this folder or
    /// the nearest one above
    #[arg(long, value_name = "FILE")]
    pub(super) config: Option<PathBuf>,
    /// Reads no configuration
    #[arg(long, conflicts_with = "config")]
    pub(super) no_config: bool,
}

/// What is known already.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "What is known already")]
pub(super) struct Known {
    /// Shows findings about lines that changed since this revision of git only
    #[arg(long, value_name = "REV", conflicts_with_all = ["fix", "write_baseline"])]
    pub(super) since: Option<String>,
    /// Leaves findings out that this file knows
    #[arg(long, value_name = "FILE")]
    pub(super) baseline: Option<PathBuf>,
    /// Writes what is found into the baseline's file
    #[arg(long)]
    pub(super) write_baseline: bool,
}

/// How it is printed.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "How it is printed")]
pub(super) struct Print {
    /// How to print findings
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    pub(super) format: Format,
    /// Prints to a file
    #[arg(long, value_name = "FILE")]
    pub(super) output: Option<PathBuf>,
    /// Adds how often each rule found something; for --format text
    #[arg(long)]
    pub(super) statistics: bool,
    /// Shows every rule, and does nothing else
    #[arg(long)]
    pub(super) list_rules: bool,
}

/// How it is mended.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "How it is mended")]
pub(super) struct Mend {
    /// Applies fixes that keep what the program means
    #[arg(long)]
    pub(super) fix: bool,
    /// Applies fixes that may change it too
    #[arg(long = "unsafe", requires = "fix")]
    pub(super) is_unsafe: bool,
    /// Shows what fixes would change, and writes nothing
    #[arg(long, requires = "fix")]
    pub(super) diff: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    /// With the lines of source
    Text,
    /// Everything, in a shape that stays
    Json,
    /// SARIF 2.1.0, for code scanning
    Sarif,
    /// Annotations of GitHub Actions
    Github,
    /// What golangci-lint prints as JSON
    Golangci,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Confidence {
    /// Hints too: a person has to look
    Low,
    /// Right in at least nine cases of ten
    Medium,
    /// Right by what the language says
    High,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Severity {
    Note,
    Warning,
    Error,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Include {
    /// Folders called vendor
    Vendor,
    /// Folders called testdata
    Testdata,
    /// Folders called `node_modules`
    NodeModules,
    /// Folders whose names begin with `.` or `_`
    Hidden,
    /// Files that say that they are generated
    Generated,
}
