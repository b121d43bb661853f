//! From text to trees, within bounds.

use std::{collections::HashMap, ops::Range};

use saphyr_parser::{Event, Parser, ScalarStyle, Span, Tag};

use super::{
    indentation,
    node::{Entry, Node, Value, shortened},
};
use crate::{
    diagnostic::Severity,
    report::{Finding, Report},
    source::{At, Place, Source},
};

/// The longest file that is read.
pub const MAX_FILE_BYTES: usize = 4 * 1024 * 1024;

/// How deep lists and mappings may nest. Istio's own documents need 12.
pub const MAX_DEPTH: usize = 64;

/// How many nodes a file may have once its aliases are filled in: bounds what a few aliases of
/// aliases can grow to.
pub const MAX_NODES: usize = 500_000;

/// The documents of a file. What cannot be read is reported, and reading goes on with the next
/// document.
pub(crate) fn parse(file: usize, source: &Source, report: &mut Report) -> Vec<Node> {
    let text = source.text.as_str();
    if text.len() > MAX_FILE_BYTES {
        let message = format!(
            "the file has {} bytes, more than the {MAX_FILE_BYTES} that are read",
            text.len()
        );
        let place = Place::new(file, 0..0);
        report.error("file-too-large", place, message, "split it into several files");
        return Vec::new();
    }
    let mut nodes_left = MAX_NODES;
    let mut documents = Vec::new();
    for chunk in chunks(text) {
        let body = &text[chunk.clone()];
        if only_comments(body) {
            continue;
        }
        if indentation::is_lost(body) {
            report.push(indentation::finding(file, chunk.start, body));
            continue;
        }
        let offsets = Offsets::new(file, chunk.start, body);
        let mut builder = Builder { offsets, report, nodes_left: &mut nodes_left };
        builder.documents(body, &mut documents);
        if nodes_left == 0 {
            break;
        }
    }
    documents
}

/// Splits at lines that begin with `---`, which cannot stand inside a document. Each part is
/// parsed alone, so that an error in one does not hide the next.
fn chunks(text: &str) -> Vec<Range<usize>> {
    let mut chunks = Vec::new();
    let mut start = if text.starts_with('\u{feff}') { '\u{feff}'.len_utf8() } else { 0 };
    let mut at = start;
    for line in text[start..].split_inclusive('\n') {
        let marker = line.trim_end() == "---" || line.starts_with("--- ");
        if marker && at > start {
            chunks.push(start..at);
            start = at;
        }
        at += line.len();
    }
    chunks.push(start..text.len());
    chunks
}

/// Whether there is nothing but comments, directives and markers.
fn only_comments(chunk: &str) -> bool {
    chunk.lines().all(|line| {
        let line = line.trim();
        line.is_empty()
            || line.starts_with('#')
            || line.starts_with('%')
            || line == "---"
            || line == "..."
    })
}

/// Turns the parser's offsets, which count characters of one chunk, into bytes of the file.
struct Offsets {
    file: usize,
    base: usize,
    length: usize,
    /// For each character its byte; empty when all characters are one byte long.
    bytes: Vec<u32>,
}

impl Offsets {
    fn new(file: usize, base: usize, chunk: &str) -> Self {
        let bytes = if chunk.is_ascii() {
            Vec::new()
        } else {
            chunk.char_indices().map(|(i, _)| u32::try_from(i).unwrap_or(u32::MAX)).collect()
        };
        Self { file, base, length: chunk.len(), bytes }
    }

    fn byte(&self, index: usize) -> usize {
        let within = if self.bytes.is_empty() {
            index.min(self.length)
        } else {
            self.bytes.get(index).map_or(self.length, |&b| b as usize)
        };
        self.base + within
    }

    fn place(&self, start: usize, end: usize) -> Place {
        Place::new(self.file, self.byte(start)..self.byte(end))
    }

    fn span(&self, span: Span) -> Place {
        self.place(span.start.index(), span.end.index())
    }
}

/// A list or mapping that is not yet at its end.
struct Open {
    start: Span,
    anchor: usize,
    kind: OpenKind,
}

enum OpenKind {
    List(Vec<Node>),
    Map { entries: Vec<Entry>, keys: HashMap<String, Place>, key: Option<At<String>> },
}

struct Builder<'a> {
    offsets: Offsets,
    report: &'a mut Report,
    nodes_left: &'a mut usize,
}

impl Builder<'_> {
    /// The documents of one chunk. On an error the document it is in is dropped.
    fn documents(&mut self, chunk: &str, into: &mut Vec<Node>) {
        let mut parser = Parser::new_from_str(chunk);
        let mut open: Vec<Open> = Vec::new();
        let mut anchors: HashMap<usize, Node> = HashMap::new();
        while let Some(next) = parser.next_event() {
            let (event, span) = match next {
                Ok(next) => next,
                Err(error) => {
                    let at = error.marker().index();
                    let place = self.offsets.place(at, at + 1);
                    self.report.push(syntax_error(
                        error.info(),
                        place,
                        chunk,
                        error.marker().line(),
                    ));
                    return;
                }
            };
            let ended = match self.event(event, span, &mut open, &mut anchors) {
                Ok(ended) => ended,
                Err(finding) => {
                    self.report.push(*finding);
                    return;
                }
            };
            let Some((node, anchor)) = ended else { continue };
            if let Err(finding) = self.keep(node, anchor, &mut anchors, &mut open, into) {
                self.report.push(*finding);
                return;
            }
        }
    }

    /// Takes one event; gives the node that it completes, with its anchor.
    fn event(
        &mut self,
        event: Event<'_>,
        span: Span,
        open: &mut Vec<Open>,
        anchors: &mut HashMap<usize, Node>,
    ) -> Result<Option<(Node, usize)>, Box<Finding>> {
        let place = self.offsets.span(span);
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                self.spend(1, place)?;
                let value = scalar(text.into_owned(), style, tag.as_deref(), place)?;
                Ok(Some((Node { place, value }, anchor)))
            }
            Event::Alias(anchor) => {
                let Some(node) = anchors.get(&anchor) else {
                    return Err(refusal(
                        "yaml-alias",
                        place,
                        "this alias stands inside its own anchor",
                    ));
                };
                let size = size(node);
                if open.len() + size.height > MAX_DEPTH {
                    return Err(too_deep(place));
                }
                let node = node.clone();
                self.spend(size.nodes, place)?;
                Ok(Some((node, 0)))
            }
            Event::SequenceStart(anchor, _) => {
                let kind = OpenKind::List(Vec::new());
                self.open(Open { start: span, anchor, kind }, open, place)?;
                Ok(None)
            }
            Event::MappingStart(anchor, _) => {
                let kind = OpenKind::Map { entries: Vec::new(), keys: HashMap::new(), key: None };
                self.open(Open { start: span, anchor, kind }, open, place)?;
                Ok(None)
            }
            Event::SequenceEnd | Event::MappingEnd => Ok(open.pop().map(|ended| {
                let place = self.offsets.place(ended.start.start.index(), span.end.index());
                let value = match ended.kind {
                    OpenKind::List(items) => Value::List(items),
                    OpenKind::Map { entries, .. } => Value::Map(entries),
                };
                (Node { place, value }, ended.anchor)
            })),
            Event::DocumentStart(_) => {
                anchors.clear();
                Ok(None)
            }
            Event::Nothing | Event::StreamStart | Event::StreamEnd | Event::DocumentEnd => Ok(None),
        }
    }

    fn open(&mut self, one: Open, open: &mut Vec<Open>, at: Place) -> Result<(), Box<Finding>> {
        if open.len() >= MAX_DEPTH {
            return Err(too_deep(at));
        }
        self.spend(1, at)?;
        open.push(one);
        Ok(())
    }

    fn spend(&mut self, nodes: usize, at: Place) -> Result<(), Box<Finding>> {
        match self.nodes_left.checked_sub(nodes) {
            Some(left) => {
                *self.nodes_left = left;
                Ok(())
            }
            None => {
                *self.nodes_left = 0;
                let message =
                    format!("the file has more than {MAX_NODES} values, its aliases filled in");
                Err(refusal("yaml-too-large", at, message))
            }
        }
    }

    /// Remembers a node that has an anchor, then puts it where it belongs.
    fn keep(
        &mut self,
        node: Node,
        anchor: usize,
        anchors: &mut HashMap<usize, Node>,
        open: &mut [Open],
        documents: &mut Vec<Node>,
    ) -> Result<(), Box<Finding>> {
        if anchor != 0 {
            self.spend(size(&node).nodes, node.place)?;
            anchors.insert(anchor, node.clone());
        }
        self.add(node, open, documents)
    }

    /// Puts a node where it belongs.
    fn add(
        &mut self,
        node: Node,
        open: &mut [Open],
        documents: &mut Vec<Node>,
    ) -> Result<(), Box<Finding>> {
        let Some(parent) = open.last_mut() else {
            if !matches!(node.value, Value::Null) {
                documents.push(node);
            }
            return Ok(());
        };
        match &mut parent.kind {
            OpenKind::List(items) => items.push(node),
            OpenKind::Map { entries, keys, key } => match key.take() {
                None => *key = Some(key_of(node)?),
                Some(found) => {
                    if let Some(&first) = keys.get(&found.value) {
                        self.report.push(duplicate_key(&found, first));
                    } else {
                        keys.insert(found.value.clone(), found.place);
                        entries.push(Entry { key: found, value: node });
                    }
                }
            },
        }
        Ok(())
    }
}

/// How much there is of a node.
struct Size {
    nodes: usize,
    height: usize,
}

fn size(node: &Node) -> Size {
    let mut size = Size { nodes: 1, height: 0 };
    let children = node.items().iter().chain(node.entries().iter().map(|e| &e.value));
    for child in children {
        let child = self::size(child);
        size.nodes += child.nodes;
        size.height = size.height.max(child.height);
    }
    if matches!(node.value, Value::List(_) | Value::Map(_)) {
        size.height += 1;
    }
    size
}

fn scalar(
    text: String,
    style: ScalarStyle,
    tag: Option<&Tag>,
    place: Place,
) -> Result<Value, Box<Finding>> {
    let mut plain = style == ScalarStyle::Plain;
    if let Some(tag) = tag {
        let known = tag.is_yaml_core_schema() || (tag.handle.is_empty() && tag.suffix == "!");
        if !known {
            return Err(refusal("yaml-tag", place, format!("the tag `{tag}` means nothing here")));
        }
        plain &= tag.suffix != "str";
    }
    if plain && matches!(text.as_str(), "" | "~" | "null" | "Null" | "NULL") {
        return Ok(Value::Null);
    }
    Ok(Value::Scalar { text, plain })
}

fn key_of(node: Node) -> Result<At<String>, Box<Finding>> {
    match node.value {
        Value::Scalar { text, .. } if text == "<<" => {
            let message = "merge keys (`<<`) are not read; write the fields out";
            Err(refusal("yaml-merge-key", node.place, message))
        }
        Value::Scalar { text, .. } => Ok(At { value: text, place: node.place }),
        _ => {
            let message = format!("a key must be text, but this is {}", node.describe());
            let hint = "is this a template (`{{ … }}`)? render it first";
            let finding = Finding::new(Severity::Error, "yaml-key", message).at(node.place);
            Err(Box::new(finding.hint(hint)))
        }
    }
}

fn duplicate_key(found: &At<String>, first: Place) -> Finding {
    let message = format!("`{}` stands twice in one mapping", shortened(&found.value));
    Finding::new(Severity::Error, "duplicate-key", message)
        .at(found.place)
        .label("again here")
        .related(first, "first here")
        .hint("keep one of them; did the second one lose its indentation, or its `- `?")
}

fn too_deep(at: Place) -> Box<Finding> {
    let message = format!("lists and mappings nest deeper than {MAX_DEPTH} levels");
    refusal("yaml-too-deep", at, message)
}

/// An error after which the rest of the document is not read.
fn refusal(code: &'static str, at: Place, message: impl Into<String>) -> Box<Finding> {
    Box::new(Finding::new(Severity::Error, code, message).at(at))
}

/// `line` is the line within the chunk, from 1.
fn syntax_error(info: &str, place: Place, chunk: &str, line: usize) -> Finding {
    let finding =
        Finding::new(Severity::Error, "yaml-syntax", format!("not YAML: {info}")).at(place);
    let around = chunk.lines().skip(line.saturating_sub(2)).take(2);
    if around.clone().any(|l| l.trim_start_matches(' ').starts_with('\t')) {
        return finding.hint("YAML is indented with spaces; this line begins with a tab");
    }
    if around.clone().any(|line| line.contains("{{")) {
        return finding.hint("is this a template (`{{ … }}`)? render it first");
    }
    finding.hint("check the indentation and the colons of this line and the one before it")
}
