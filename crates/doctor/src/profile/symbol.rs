//! What a Go symbol says: package, receiver, name, and which function literal.
//!
//! `example.com/shop/pay.(*Server).Charge.func2.1` is the first literal within the second literal of
//! the method `Charge` of `*Server` in package `example.com/shop/pay`.

/// The import path of a symbol's package.
pub(super) fn package(symbol: &str) -> &str {
    &symbol[..package_end(symbol)]
}

/// The symbol without the path of its package: `pay.(*Server).Charge`.
pub(super) fn short(symbol: &str) -> &str {
    let symbol_end = symbol.find('[').unwrap_or(symbol.len());
    let start = symbol[..symbol_end].rfind('/').map_or(0, |slash| slash + 1);
    &symbol[start..]
}

/// Where the package's path ends: at the first dot after the last slash. Dots in the path's last
/// part are escaped (`%2e`), and type arguments may have paths of their own.
fn package_end(symbol: &str) -> usize {
    let end = symbol.find(['[', '(']).unwrap_or(symbol.len());
    let slash = symbol[..end].rfind('/').map_or(0, |slash| slash + 1);
    symbol[slash..].find('.').map_or(symbol.len(), |dot| slash + dot)
}

/// The declared function that the symbol is, or is a literal of: `Charge`.
pub(super) fn declared(symbol: &str) -> &str {
    let rest = symbol[package_end(symbol)..].trim_start_matches('.');
    let rest = match rest.strip_prefix('(') {
        Some(receiver) => receiver.split_once(").").map_or(receiver, |(_, name)| name),
        None => rest,
    };
    // `T.M`, `F`, `F.func1`, `F[...].func1`, `M-fm`, `glob..func1`.
    let mut parts = rest.split('.').map(|part| part.split(['[', '-']).next().unwrap_or(part));
    let first = parts.next().unwrap_or_default();
    match parts.next() {
        Some(second) if !second.is_empty() && !is_literal(second) => second,
        _ => first,
    }
}

/// Whether the symbol is a function literal, or a wrapper that the compiler made.
pub(super) fn has_literal(symbol: &str) -> bool {
    symbol[package_end(symbol)..].split('.').any(is_literal)
}

/// How many literals deep the symbol is: 2 for `Charge.func2.1`.
pub(super) fn literal_depth(symbol: &str) -> u32 {
    let parts = symbol[package_end(symbol)..].rsplit('.');
    let literals = parts.take_while(|part| is_literal(part));
    literals.filter(|part| !part.starts_with("deferwrap") && !part.starts_with("gowrap")).count()
        as u32
}

/// Whether a declared function of this name is part of the symbol. Literals of a function that was
/// inlined have the names of both.
pub(super) fn mentions(symbol: &str, name: &str) -> bool {
    let rest = &symbol[package_end(symbol)..];
    rest.split(['.', '[', '-', ']', ')']).any(|part| part == name)
        || (name == OF_THE_PACKAGE && rest.starts_with(".init."))
}

/// The name around a literal that is no function's; later versions of Go call it `init`.
pub(super) const OF_THE_PACKAGE: &str = "glob";

/// Whether the compiler made this function to keep the arguments of a deferred call.
pub(super) fn is_defer_wrapper(symbol: &str) -> bool {
    symbol.rsplit('.').next().is_some_and(|last| numbered(last, "deferwrap"))
}

/// `func1`, `deferwrap1`, `gowrap1`, and the bare numbers of literals within literals.
fn is_literal(part: &str) -> bool {
    let part = part.split(['[', '-']).next().unwrap_or(part);
    ["func", "deferwrap", "gowrap", ""].iter().any(|start| numbered(part, start))
}

fn numbered(part: &str, start: &str) -> bool {
    part.strip_prefix(start).is_some_and(|number| {
        !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit())
    })
}

/// The first parts of the import paths of the standard library.
const STANDARD: &[&str] = &[
    "archive",
    "bufio",
    "bytes",
    "cmp",
    "compress",
    "container",
    "context",
    "crypto",
    "database",
    "debug",
    "embed",
    "encoding",
    "errors",
    "expvar",
    "flag",
    "fmt",
    "go",
    "hash",
    "html",
    "image",
    "index",
    "internal",
    "io",
    "iter",
    "log",
    "maps",
    "math",
    "mime",
    "net",
    "os",
    "path",
    "plugin",
    "reflect",
    "regexp",
    "runtime",
    "slices",
    "sort",
    "strconv",
    "strings",
    "structs",
    "sync",
    "syscall",
    "testing",
    "text",
    "time",
    "unicode",
    "unique",
    "unsafe",
    "vendor",
    "weak",
];

/// Whether the symbol is of the standard library or the runtime.
pub(super) fn is_standard(symbol: &str) -> bool {
    let path = package(symbol);
    let first = path.split('/').next().unwrap_or(path);
    is_made(symbol) || STANDARD.binary_search(&first).is_ok()
}

/// Whether the symbol is of the runtime, or of what the compiler calls as if it were.
pub(super) fn is_runtime(symbol: &str) -> bool {
    let path = package(symbol);
    is_made(symbol)
        || ["runtime", "internal/bytealg"].contains(&path)
        || path.starts_with("runtime/internal/")
        || path.starts_with("internal/runtime/")
}

/// Whether the compiler made the function (`type:.eq.main.T`), or an assembler, whose functions have
/// no package (`memeqbody`).
fn is_made(symbol: &str) -> bool {
    symbol.starts_with("type:") || symbol.starts_with("go:") || !symbol.contains('.')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_symbol_is_taken_apart() {
        for (symbol, path, name, literal) in [
            ("main.main", "main", "main", false),
            ("example.com/a.b/pay.(*Server).Charge", "example.com/a.b/pay", "Charge", false),
            ("example.com/pay.(*Server).Charge.func2.1", "example.com/pay", "Charge", true),
            ("example.com/pay.Money.String", "example.com/pay", "String", false),
            ("example.com/pay.Pick[...]", "example.com/pay", "Pick", false),
            ("example.com/pay.Pick[...].func1", "example.com/pay", "Pick", true),
            ("example.com/pay.(*List[...]).Add", "example.com/pay", "Add", false),
            ("main.(*Server).Charge-fm", "main", "Charge", false),
            ("main.init.0.func1", "main", "init", true),
            ("main.glob..func1", "main", "glob", true),
            ("main.run.deferwrap1", "main", "run", true),
            ("gopkg.in/yaml%2ev3.Read", "gopkg.in/yaml%2ev3", "Read", false),
        ] {
            assert_eq!(package(symbol), path, "{symbol}");
            assert_eq!(declared(symbol), name, "{symbol}");
            assert_eq!(has_literal(symbol), literal, "{symbol}");
        }
        assert_eq!(short("example.com/a.b/pay.(*Server).Charge"), "pay.(*Server).Charge");
        assert!(is_defer_wrapper("main.run.deferwrap12"));
        assert!(!is_defer_wrapper("main.deferwrapper"));
    }

    #[test]
    fn the_standard_library_is_told_from_modules() {
        assert!(STANDARD.is_sorted());
        for (symbol, standard) in [
            ("net/http.(*conn).serve", true),
            ("internal/poll.runtime_pollWait", true),
            ("runtime.gopark", true),
            ("main.main", false),
            ("example.com/net/http.Serve", false),
            ("shop/pay.Charge", false),
            ("memeqbody", true),
            ("type:.eq.main.T", true),
        ] {
            assert_eq!(is_standard(symbol), standard, "{symbol}");
        }
        assert!(is_runtime("internal/runtime/maps.(*Map).Get"));
        assert!(!is_runtime("runtime/pprof.StartCPUProfile"));
    }
}
