//! The tables as a page for people.

use std::fmt::{self, Write as _};

use super::{
    DESTINATION_RULE, GATEWAY, PROMISES, SERVICE_ENTRY, VIRTUAL_SERVICE,
    field::{Effect, Field, Kind},
};

const HEAD: &str = "\
# Fields of the configuration

This page is made from the tables that documents are checked with; `cargo run -p config --example
fields` prints it. What the fields mean here, beyond Istio's own documentation, stands in
[configuration.md](configuration.md).

What a field does here; `[]` marks a list, `.*` a mapping whose keys you choose:

- **yes**: what Istio's documentation says.
- **warned**: checked, but not in effect yet; a warning says so.
- **refused**: checked, but not supported yet; an error says so. Fields inside it are not listed.
- **Kubernetes**: means something in Kubernetes or in a sidecar only; named in one note a document.
";

/// A Markdown page with every field of every kind, its type and what it does here.
pub fn field_reference() -> String {
    let mut page = HEAD.to_owned();
    let kinds = [
        ("Gateway", GATEWAY),
        ("ServiceEntry", SERVICE_ENTRY),
        ("DestinationRule", DESTINATION_RULE),
        ("VirtualService", VIRTUAL_SERVICE),
    ];
    let written = write_common(GATEWAY, &mut page).and_then(|()| {
        kinds.iter().try_for_each(|(name, fields)| write_kind(name, fields, &mut page))
    });
    debug_assert!(written.is_ok(), "writing to a string failed");
    page
}

/// The rows of one kind: `spec` and what is in it.
fn write_kind(name: &str, fields: &'static [Field], page: &mut String) -> fmt::Result {
    let mut table = Table::new(name, page)?;
    fields.iter().filter(|field| field.name == "spec").try_for_each(|field| table.row("", field))
}

/// The rows that all kinds have: everything but `spec`.
fn write_common(fields: &'static [Field], page: &mut String) -> fmt::Result {
    let mut table = Table::new("Every kind", page)?;
    fields.iter().filter(|field| field.name != "spec").try_for_each(|field| table.row("", field))
}

struct Table<'a> {
    page: &'a mut String,
    /// Tables of fields that stand above, and where.
    seen: Vec<(&'static [Field], String)>,
}

impl<'a> Table<'a> {
    /// Writes the title and the head of the table.
    fn new(title: &str, page: &'a mut String) -> Result<Self, fmt::Error> {
        writeln!(page, "\n## {title}\n\n| field | type | here |\n|---|---|---|")?;
        Ok(Self { page, seen: Vec::new() })
    }

    fn rows(&mut self, parent: &str, fields: &'static [Field]) -> fmt::Result {
        fields.iter().try_for_each(|field| self.row(parent, field))
    }

    fn row(&mut self, parent: &str, field: &'static Field) -> fmt::Result {
        let path = format!("{parent}{}{}", field.name, field.kind.path_suffix());
        let inner = field.kind.fields();
        let above = self.seen.iter().find(|(seen, _)| std::ptr::eq(*seen, inner));
        let kind = match above {
            Some((_, first)) if !inner.is_empty() => format!("as `{first}`"),
            _ => shown(&field.kind),
        };
        let here = match field.effect {
            Effect::Full => "yes",
            Effect::Inert => "warned",
            Effect::NotYet => "refused",
            Effect::Kubernetes => "Kubernetes",
        };
        let repeated = above.is_some();
        if inner.is_empty() || repeated || field.effect != Effect::Full {
            writeln!(self.page, "| `{path}` | {kind} | {here} |")?;
        }
        if matches!(field.kind, Kind::Annotations) {
            for name in PROMISES {
                writeln!(self.page, "| `{path}[{name}]` | duration | on a ServiceEntry |")?;
            }
        }
        if inner.is_empty() || repeated || field.effect != Effect::Full {
            return Ok(());
        }
        self.seen.push((inner, path.clone()));
        self.rows(&format!("{path}."), inner)
    }
}

/// The type in few words.
fn shown(kind: &Kind) -> String {
    match kind {
        Kind::Text => "text".to_owned(),
        Kind::Choice(words) => words.join(", "),
        Kind::Boolean => "boolean".to_owned(),
        Kind::Integer { least, most } if *most > 1_000_000 => format!("number from {least}"),
        Kind::Integer { least, most } => format!("{least} to {most}"),
        Kind::Percent => "0 to 100".to_owned(),
        Kind::Number => "number".to_owned(),
        Kind::Duration => "duration".to_owned(),
        Kind::List(inner) | Kind::Map(inner) => shown(inner),
        Kind::Annotations => "mapping to text".to_owned(),
        Kind::Object(_) => "mapping".to_owned(),
        Kind::Any => "anything".to_owned(),
    }
}
