//! What is known of packages outside: the standard library's and popular modules' functions, as Go
//! declarations in `data/signatures/`.
//!
//! A declaration may say more in a comment behind it, words by a space:
//!
//! | word | what it says |
//! |---|---|
//! | `acquires=M` | its result has to be released by calling M; several by `\|`, any of which does |
//! | `releases` | it releases its receiver |
//! | `blocks=W` | it may wait for long: `network`, `disk`, `sleep`, `lock`, `process`, `peer` |
//! | `logs` | it writes a log |
//! | `exits` | it ends the process, or the goroutine |
//! | `keeps` | its arguments live on in its result, or behind its receiver |
//! | `writes` | its receiver buffers: only its error at the end says that all was written |

use std::{collections::HashMap, sync::OnceLock};

use super::Type;
use crate::{
    package::{default_name, receiver_name},
    syntax::{
        Lines,
        ast::{Declaration, ExpressionKind, File, Function, InterfaceElement, Signature},
        parse,
    },
};

/// The files of the table.
const TEXTS: [&str; 2] = [
    include_str!("../../data/signatures/standard.go.txt"),
    include_str!("../../data/signatures/modules.go.txt"),
];

/// What is known of one function or method.
#[derive(Clone, Copy, Debug)]
pub struct Entry {
    signature: &'static Signature<'static>,
    package: &'static str,
    words: &'static str,
}

/// A package of the table.
#[derive(Debug, Default)]
struct Stub {
    functions: HashMap<&'static str, Entry>,
    methods: HashMap<(&'static str, &'static str), Entry>,
    fields: HashMap<(&'static str, &'static str), Type<'static>>,
    embedded: HashMap<&'static str, Vec<(&'static str, &'static str)>>,
    variables: HashMap<&'static str, Type<'static>>,
}

#[derive(Debug, Default)]
struct Table {
    stubs: HashMap<&'static str, Stub>,
    /// Package names in the table's own text to import paths.
    names: HashMap<&'static str, &'static str>,
}

impl Entry {
    /// The value of a word, empty where it has none: `acquires=Close`.
    #[must_use]
    pub fn word(&self, name: &str) -> Option<&'static str> {
        self.words.split(' ').find_map(|word| {
            let (word, value) = word.split_once('=').unwrap_or((word, ""));
            (word == name).then_some(value)
        })
    }

    /// By which methods its result is released.
    pub fn acquires(&self) -> Option<impl Iterator<Item = &'static str>> {
        Some(self.word("acquires")?.split('|'))
    }

    /// What it may wait for.
    #[must_use]
    pub fn blocks(&self) -> Option<&'static str> {
        self.word("blocks")
    }

    /// The types of its results.
    #[must_use]
    pub fn results(&self) -> Vec<Type<'static>> {
        Type::results(self.signature, &table().names, self.package)
    }
}

/// What is known of a function of a package.
#[must_use]
pub fn function(package: &str, name: &str) -> Option<Entry> {
    stub(package)?.functions.get(name).copied()
}

/// What is known of a method; of an embedded type's too.
#[must_use]
pub fn method(package: &str, ty: &str, name: &str) -> Option<Entry> {
    let stub = stub(package)?;
    if let Some(entry) = stub.methods.get(&(ty, name)) {
        return Some(*entry);
    }
    let embedded = stub.embedded.get(ty)?;
    embedded.iter().find_map(|(package, ty)| method(package, ty, name))
}

/// The type of a field.
#[must_use]
pub fn field(package: &str, ty: &str, name: &str) -> Option<Type<'static>> {
    stub(package)?.fields.get(&(ty, name)).cloned()
}

/// The type of a variable of a package: `http.DefaultClient`.
#[must_use]
pub fn variable(package: &str, name: &str) -> Option<Type<'static>> {
    stub(package)?.variables.get(name).cloned()
}

/// Whether the table knows the package at all.
#[must_use]
pub fn knows(package: &str) -> bool {
    stub(package).is_some()
}

/// A module's later major versions have the shape of the one in the table unless they are there too.
fn stub(package: &str) -> Option<&'static Stub> {
    let stubs = &table().stubs;
    stubs.get(package).or_else(|| {
        let (before, version) = package.rsplit_once("/v")?;
        version.bytes().all(|byte| byte.is_ascii_digit()).then(|| stubs.get(before)).flatten()
    })
}

fn table() -> &'static Table {
    static TABLE: OnceLock<Table> = OnceLock::new();
    TABLE.get_or_init(|| {
        let mut table = Table::default();
        let chunks: Vec<(&str, &str)> = TEXTS.iter().flat_map(|text| chunks(text)).collect();
        for (path, _) in &chunks {
            table.names.entry(default_name(path)).or_insert(path);
        }
        for (path, text) in chunks {
            let file: &'static File<'static> = Box::leak(Box::new(parse(text)));
            table.names.insert(file.package.name, path);
            let stub = Stub::new(file, text, path, &table.names);
            table.stubs.insert(path, stub);
        }
        table
    })
}

/// The packages of a text: each begins with `package name // import "path"`.
fn chunks(text: &'static str) -> Vec<(&'static str, &'static str)> {
    let starts: Vec<usize> = text.match_indices("\npackage ").map(|(at, _)| at + 1).collect();
    let ends = starts.iter().skip(1).copied().chain([text.len()]);
    let chunks = starts.iter().zip(ends).filter_map(|(&start, end)| {
        let chunk = &text[start..end];
        let path = chunk.lines().next()?.split('"').nth(1)?;
        Some((path, chunk))
    });
    chunks.collect()
}

impl Stub {
    fn new(
        file: &'static File<'static>,
        text: &'static str,
        path: &'static str,
        names: &HashMap<&'static str, &'static str>,
    ) -> Self {
        let lines = Lines::new(text);
        let comments: HashMap<u32, &'static str> = file
            .comments
            .iter()
            .map(|span| (lines.line(span.start), span.of(text).trim_start_matches('/').trim()))
            .collect();
        let words = |end: u32| comments.get(&lines.line(end)).copied().unwrap_or_default();
        let mut stub = Self::default();
        for declaration in &file.declarations {
            match declaration {
                Declaration::Function(function) => {
                    let words = words(function.span.end.saturating_sub(1));
                    stub.function(
                        function,
                        Entry { signature: &function.signature, package: path, words },
                    );
                }
                Declaration::Types(types) => {
                    for spec in &types.specs {
                        let name = spec.name.name;
                        match &spec.ty.kind {
                            ExpressionKind::Struct(fields) => {
                                for field in fields {
                                    let ty = Type::read(&field.ty, names, path);
                                    if field.names.is_empty() {
                                        stub.embedded.entry(name).or_default().extend(ty.name());
                                    }
                                    for field in &field.names {
                                        stub.fields.insert((name, field.name), ty.clone());
                                    }
                                }
                            }
                            ExpressionKind::Interface(elements) => {
                                for element in elements {
                                    stub.element(name, element, path, names, &words);
                                }
                            }
                            _ => {}
                        }
                    }
                }
                Declaration::Values(values) => {
                    for spec in &values.specs {
                        let ty = spec.ty.as_ref().map(|ty| Type::read(ty, names, path));
                        for name in &spec.names {
                            stub.variables.insert(name.name, ty.clone().unwrap_or_default());
                        }
                    }
                }
                Declaration::Bad(_) => {}
            }
        }
        stub
    }

    fn function(&mut self, function: &'static Function<'static>, entry: Entry) {
        match function.receiver.as_ref().and_then(|receiver| receiver_name(&receiver.ty)) {
            Some(ty) => self.methods.insert((ty, function.name.name), entry),
            None => self.functions.insert(function.name.name, entry),
        };
    }

    fn element(
        &mut self,
        ty: &'static str,
        element: &'static InterfaceElement<'static>,
        package: &'static str,
        names: &HashMap<&'static str, &'static str>,
        words: &impl Fn(u32) -> &'static str,
    ) {
        match element {
            InterfaceElement::Method { name, signature } => {
                let words = words(signature.span.end.saturating_sub(1));
                self.methods.insert((ty, name.name), Entry { signature, package, words });
            }
            InterfaceElement::Embedded(written) => {
                let embedded = Type::read(written, names, package);
                self.embedded.entry(ty).or_default().extend(embedded.name());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_go_that_reads_whole() {
        for text in TEXTS {
            for (path, chunk) in chunks(text) {
                let file = parse(chunk);
                assert_eq!(file.errors, [], "{path}");
            }
        }
    }

    #[test]
    fn a_function_has_its_results_and_what_it_acquires() {
        let open = function("os", "Open").unwrap();
        assert_eq!(open.acquires().unwrap().collect::<Vec<_>>(), ["Close"]);
        let results = open.results();
        assert!(results[0].is_or_points_to("os", "File"));
        assert!(results[1].is_error());
        let query = method("database/sql", "DB", "Query").unwrap();
        assert!(query.results()[0].is_or_points_to("database/sql", "Rows"));
        assert_eq!(query.blocks(), Some("network"));
    }

    #[test]
    fn methods_of_what_is_embedded_are_known() {
        assert!(method("net", "TCPConn", "Close").is_some());
        assert!(method("io", "ReadCloser", "Close").is_some());
    }

    #[test]
    fn a_later_version_of_a_module_has_its_shape() {
        assert!(knows("github.com/redis/go-redis/v9"));
        assert!(!knows("example.com/nothing"));
    }
}
