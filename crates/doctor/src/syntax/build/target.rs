//! What is built for.

use std::collections::BTreeSet;

/// A system, a processor and tags.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// GOOS.
    pub os: String,
    /// GOARCH.
    pub architecture: String,
    /// Whether C is built too: the tag `cgo`.
    pub cgo: bool,
    /// The newest language version: 27 for Go 1.27, whose tags are `go1.1` to `go1.27`.
    pub go_minor: u32,
    /// Tags given with `-tags`, and experiments.
    pub tags: BTreeSet<String>,
}

/// The values of GOOS, and whether the tag `unix` holds for them (`internal/syslist`).
const SYSTEMS: [(&str, bool); 18] = [
    ("aix", true),
    ("android", true),
    ("darwin", true),
    ("dragonfly", true),
    ("freebsd", true),
    ("hurd", true),
    ("illumos", true),
    ("ios", true),
    ("js", false),
    ("linux", true),
    ("nacl", false),
    ("netbsd", true),
    ("openbsd", true),
    ("plan9", false),
    ("solaris", true),
    ("wasip1", false),
    ("windows", false),
    ("zos", false),
];

/// The values of GOARCH (`internal/syslist`).
const ARCHITECTURES: [&str; 24] = [
    "386",
    "amd64",
    "amd64p32",
    "arm",
    "armbe",
    "arm64",
    "arm64be",
    "loong64",
    "mips",
    "mipsle",
    "mips64",
    "mips64le",
    "mips64p32",
    "mips64p32le",
    "ppc",
    "ppc64",
    "ppc64le",
    "riscv",
    "riscv64",
    "s390",
    "s390x",
    "sparc",
    "sparc64",
    "wasm",
];

pub(super) fn is_system(name: &str) -> bool {
    SYSTEMS.iter().any(|(system, _)| *system == name)
}

pub(super) fn is_architecture(name: &str) -> bool {
    ARCHITECTURES.contains(&name)
}

impl Default for Target {
    /// Linux on amd64 with cgo, as Go 1.27 builds it.
    fn default() -> Self {
        Self {
            os: "linux".to_owned(),
            architecture: "amd64".to_owned(),
            cgo: true,
            go_minor: 27,
            tags: BTreeSet::new(),
        }
    }
}

impl Target {
    /// Whether `tag` holds (`go help buildconstraint`).
    #[must_use]
    pub fn has(&self, tag: &str) -> bool {
        let os = self.os.as_str();
        if tag == os || tag == self.architecture || tag == "gc" || self.tags.contains(tag) {
            return true;
        }
        match tag {
            "cgo" => self.cgo,
            "unix" => SYSTEMS.iter().any(|&(system, is_unix)| system == os && is_unix),
            "linux" => os == "android",
            "solaris" => os == "illumos",
            "darwin" => os == "ios",
            _ => tag
                .strip_prefix("go1.")
                .and_then(|minor| minor.parse().ok())
                .is_some_and(|minor: u32| (1..=self.go_minor).contains(&minor)),
        }
    }
}
