use std::io::{self, BufRead};

use rearguard::Cause;

use super::{
    nginx_line::{self, Level, Line},
    nginx_messages::{Kind, classify},
    tally::{Tally, clip},
};

/// nginx cuts its lines at 2 KB; what stands beyond this in a line is not looked at.
const LONGEST_LINE: usize = 16 * 1024;

/// What an error log says.
#[derive(Debug, Default)]
pub(super) struct Summary {
    /// All lines.
    pub(super) lines: u64,
    /// Lines that are not of the error log's form: continuations, or another log.
    pub(super) foreign: u64,
    /// Lines at `info`. Without any, what clients did is mostly not in the log.
    pub(super) info: u64,
    /// Lines that are known to say nothing about a failed request.
    pub(super) harmless: u64,
    /// Lines at `warn` or above that are not known.
    pub(super) unknown: u64,
    /// The shapes of the unknown ones.
    pub(super) unknown_shapes: Tally,
    /// From the first to the last line.
    pub(super) span: Option<Span>,
    /// The lines that name causes, by their candidates; most lines first.
    pub(super) groups: Vec<Group>,
}

/// The earliest and the latest time, in the words of the log.
#[derive(Clone, Debug)]
pub(super) struct Span {
    pub(super) first: String,
    pub(super) last: String,
}

/// The lines with the same candidates.
#[derive(Debug)]
pub(super) struct Group {
    /// The candidates, the likeliest first.
    pub(super) causes: &'static [Cause],
    pub(super) lines: u64,
    pub(super) span: Span,
    pub(super) kinds: Vec<(&'static Kind, u64)>,
    pub(super) upstreams: Tally,
    pub(super) requests: Tally,
    /// The first of the lines.
    pub(super) sample: String,
}

impl Summary {
    /// Lines that name a cause.
    pub(super) fn explained(&self) -> u64 {
        self.groups.iter().map(|group| group.lines).sum()
    }

    fn add(&mut self, text: &str) {
        self.lines += 1;
        let Some(line) = nginx_line::parse(text) else {
            self.foreign += 1;
            return;
        };
        widen(self.span.get_or_insert_with(|| Span::at(line.time)), line.time);
        self.info += u64::from(line.level == Level::Info);
        match classify(line.message) {
            Some(kind) if !kind.causes.is_empty() => self.group(kind, &line, text),
            Some(_) => self.harmless += 1,
            None if line.level == Level::Problem => {
                self.unknown += 1;
                self.unknown_shapes.add(&shape(line.message));
            }
            None => self.harmless += 1,
        }
    }

    fn group(&mut self, kind: &'static Kind, line: &Line<'_>, text: &str) {
        let index = self.groups.iter().position(|group| group.causes == kind.causes);
        let index = index.unwrap_or_else(|| {
            self.groups.push(Group::new(kind.causes, line, text));
            self.groups.len() - 1
        });
        let group = &mut self.groups[index];
        group.lines += 1;
        widen(&mut group.span, line.time);
        match group.kinds.iter_mut().find(|(known, _)| *known == kind) {
            Some((_, lines)) => *lines += 1,
            None => group.kinds.push((kind, 1)),
        }
        if let Some(url) = line.upstream {
            group.upstreams.add(&printable(nginx_line::upstream_address(url)));
        }
        if let Some(request) = line.request {
            group.requests.add(&printable(&nginx_line::request_shape(request)));
        }
    }
}

impl Span {
    fn at(time: &str) -> Self {
        Self { first: time.to_owned(), last: time.to_owned() }
    }
}

impl Group {
    fn new(causes: &'static [Cause], line: &Line<'_>, text: &str) -> Self {
        Self {
            causes,
            lines: 0,
            span: Span::at(line.time),
            kinds: Vec::new(),
            upstreams: Tally::default(),
            requests: Tally::default(),
            sample: printable(clip(text, 1024)),
        }
    }
}

/// nginx's times compare as text.
fn widen(span: &mut Span, time: &str) {
    if time < span.first.as_str() {
        time.clone_into(&mut span.first);
    }
    if time > span.last.as_str() {
        time.clone_into(&mut span.last);
    }
}

/// Reads an error log to its end, in bounded memory. Bytes that are not UTF-8 are replaced.
pub(super) fn read(reader: &mut dyn BufRead) -> io::Result<Summary> {
    let mut summary = Summary::default();
    let mut line = Vec::new();
    while read_line(reader, &mut line)? {
        summary.add(String::from_utf8_lossy(&line).trim_end());
    }
    summary.groups.sort_by_key(|group| std::cmp::Reverse(group.lines));
    for group in &mut summary.groups {
        group.kinds.sort_by_key(|&(_, lines)| std::cmp::Reverse(lines));
    }
    Ok(summary)
}

/// Puts the next line's beginning into `line`; false at the end of the input.
fn read_line(reader: &mut dyn BufRead, line: &mut Vec<u8>) -> io::Result<bool> {
    line.clear();
    let mut any = false;
    loop {
        let buffer = match reader.fill_buf() {
            Ok(buffer) => buffer,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        if buffer.is_empty() {
            return Ok(any);
        }
        any = true;
        let newline = buffer.iter().position(|&byte| byte == b'\n');
        let end = newline.unwrap_or(buffer.len());
        let room = LONGEST_LINE - line.len();
        line.extend_from_slice(&buffer[..end.min(room)]);
        let used = newline.map_or(end, |at| at + 1);
        reader.consume(used);
        if newline.is_some() {
            return Ok(true);
        }
    }
}

/// Clients choose parts of these lines: nothing of theirs may steer a terminal.
fn printable(text: &str) -> String {
    text.chars()
        .flat_map(|character| {
            let escaped = character.is_control().then(|| character.escape_default());
            let plain = escaped.is_none().then_some(character);
            escaped.into_iter().flatten().chain(plain)
        })
        .collect()
}

/// A message with numbers as `N` and quoted text as `"…"`, so that alike ones are counted together.
fn shape(message: &str) -> String {
    let mut shape = String::new();
    let mut quoted = false;
    for character in printable(clip(message, 400)).chars() {
        match character {
            '"' => {
                quoted = !quoted;
                shape.push_str(if quoted { "\"…" } else { "\"" });
            }
            _ if quoted => {}
            '0'..='9' if shape.ends_with('N') => {}
            '0'..='9' => shape.push('N'),
            _ => shape.push(character),
        }
    }
    clip(&shape, 160).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_text(text: &[u8]) -> Summary {
        read(&mut io::BufReader::with_capacity(7, text)).unwrap()
    }

    #[test]
    fn lines_are_grouped_by_cause_with_times_upstreams_and_requests() {
        let line = |time: &str, path: &str| {
            format!(
                "2026/11/21 {time} [error] 1#1: *1 upstream prematurely closed connection while \
                 reading response header from upstream, client: ::1, server: s, request: \"POST \
                 {path} HTTP/1.1\", upstream: \"http://10.0.0.1:3000{path}\", host: \"h\"\n"
            )
        };
        let text = [line("10:00:02", "/pay/1"), line("10:00:01", "/pay/2"), line("10:00:03", "/")];
        let summary = read_text(text.concat().as_bytes());
        let [group] = &summary.groups[..] else { panic!("{:?}", summary.groups) };
        assert_eq!(group.causes, [Cause::UpstreamClosedBeforeResponse]);
        assert_eq!((group.lines, summary.explained()), (3, 3));
        assert_eq!(
            (&*group.span.first, &*group.span.last),
            ("2026/11/21 10:00:01", "2026/11/21 10:00:03")
        );
        assert_eq!(group.upstreams.top(9), [("10.0.0.1:3000", 3)]);
        assert_eq!(group.requests.top(9), [("POST /pay/*", 2), ("POST /", 1)]);
    }

    #[test]
    fn unknown_problems_are_counted_by_shape_and_chatter_is_not() {
        let summary = read_text(
            b"2026/11/21 10:00:01 [alert] 1#1: *1 open socket #12 left in connection 5\n\
              2026/11/21 10:00:01 [alert] 1#1: *1 open socket #3 left in connection 77\n\
              2026/11/21 10:00:01 [notice] 1#1: using the \"epoll\" event method\n\
              no line of nginx's\n",
        );
        assert_eq!((summary.unknown, summary.harmless, summary.foreign), (2, 1, 1));
        assert_eq!(summary.unknown_shapes.top(9), [("open socket #N left in connection N", 2)]);
    }

    #[test]
    fn overlong_lines_and_foreign_bytes_are_read_in_bounded_memory() {
        let mut text =
            b"2026/11/21 10:00:01 [error] 1#1: *1 connect() failed (111: Connection refused), \
                         client: \xff\xfe, server: "
                .to_vec();
        text.resize(10 * LONGEST_LINE, b'x');
        text.extend_from_slice(b"\n2026/11/21 10:00:02 [error] 1#1: *1 no live upstreams");
        let summary = read_text(&text);
        assert_eq!((summary.lines, summary.explained()), (2, 2));
        assert!(summary.groups[0].sample.len() <= 4 * 1024);
    }

    #[test]
    fn nothing_that_a_client_sent_reaches_the_terminal_raw() {
        assert_eq!(printable("a\u{1b}[2Jb\u{9b}"), "a\\u{1b}[2Jb\\u{9b}");
        assert_eq!(shape("bad \"a\u{1b}\" at 42"), "bad \"…\" at N");
    }
}
