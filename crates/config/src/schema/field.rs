//! How a table describes a field.

/// A field of a mapping.
#[derive(Debug)]
pub(crate) struct Field {
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
    pub(crate) effect: Effect,
}

/// Whether a field does something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Effect {
    /// It does what Istio's documentation says.
    Full,
    /// It means something in Kubernetes or in a sidecar only: accepted, named in a note.
    Kubernetes,
    /// It tunes something that is not here yet: accepted with a warning.
    Inert,
    /// It changes where requests go or what protects them, and is not here yet: refused.
    NotYet,
}

/// The type of a value.
#[derive(Debug)]
pub(crate) enum Kind {
    Text,
    Choice(&'static [&'static str]),
    Boolean,
    Integer {
        least: i64,
        most: i64,
    },
    /// A number from 0 to 100.
    Percent,
    Number,
    Duration,
    List(&'static Kind),
    /// Keys of the user's choice.
    Map(&'static Kind),
    Object(&'static [Field]),
    /// Texts under keys of the user's choice; under those of ours, durations.
    Annotations,
    /// Not looked into.
    Any,
}

/// A port number.
pub(crate) const PORT: Kind = Kind::Integer { least: 1, most: 65_535 };
/// Istio's `int32` and `uint32` where only what is not negative makes sense.
pub(crate) const COUNT: Kind = Kind::Integer { least: 0, most: 4_294_967_295 };
pub(crate) const TEXTS: Kind = Kind::List(&Kind::Text);
pub(crate) const TEXT_MAP: Kind = Kind::Map(&Kind::Text);

/// A field that has its effect.
pub(crate) const fn full(name: &'static str, kind: Kind) -> Field {
    Field { name, kind, effect: Effect::Full }
}

/// A field that means something in Kubernetes only.
pub(crate) const fn kubernetes(name: &'static str, kind: Kind) -> Field {
    Field { name, kind, effect: Effect::Kubernetes }
}

/// A field that tunes something that is not here yet.
pub(crate) const fn inert(name: &'static str, kind: Kind) -> Field {
    Field { name, kind, effect: Effect::Inert }
}

/// A field that is refused for now.
pub(crate) const fn not_yet(name: &'static str, kind: Kind) -> Field {
    Field { name, kind, effect: Effect::NotYet }
}

impl Kind {
    /// The fields that a value of this type, or of its items, may have.
    pub(crate) fn fields(&self) -> &'static [Field] {
        match self {
            Self::Object(fields) => fields,
            Self::List(inner) | Self::Map(inner) => inner.fields(),
            _ => &[],
        }
    }

    /// What is written after the name of such a field in a path: `http[]`.
    pub(crate) fn path_suffix(&self) -> &'static str {
        match self {
            Self::List(_) => "[]",
            Self::Map(_) => ".*",
            _ => "",
        }
    }

    /// What was expected, in words.
    pub(crate) fn describe(&self) -> String {
        match self {
            Self::Text => "text".to_owned(),
            Self::Choice(words) => format!("one of {}", words.join(", ")),
            Self::Boolean => "`true` or `false`".to_owned(),
            Self::Integer { least, most } => format!("a whole number from {least} to {most}"),
            Self::Percent => "a number from 0 to 100".to_owned(),
            Self::Number => "a number".to_owned(),
            Self::Duration => "a duration such as `10s`".to_owned(),
            Self::List(_) => "a list".to_owned(),
            Self::Map(_) | Self::Object(_) | Self::Annotations => "a mapping".to_owned(),
            Self::Any => "anything".to_owned(),
        }
    }
}
