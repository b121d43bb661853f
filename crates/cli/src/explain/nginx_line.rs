/// The parts of one line of nginx's error log that matter here.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Line<'a> {
    /// `2026/11/21 22:30:00`, in the local time of the machine that wrote it.
    pub(super) time: &'a str,
    /// How grave nginx takes it.
    pub(super) level: Level,
    /// What happened and during what, without the context that follows.
    pub(super) message: &'a str,
    /// The request line as the client sent it.
    pub(super) request: Option<&'a str>,
    /// The upstream's URL.
    pub(super) upstream: Option<&'a str>,
}

/// nginx's levels, in three classes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Level {
    /// `debug` and `notice`: not about a failure.
    Chatter,
    /// `info`: where nginx logs what clients do wrong.
    Info,
    /// `warn` and above.
    Problem,
}

const TIME_SHAPE: &[u8] = b"0000/00/00 00:00:00 [";
const TIME_LENGTH: usize = TIME_SHAPE.len() - 2;

/// What follows a message: its context, in the order in which nginx writes it.
const CONTEXT_KEYS: [&str; 5] = ["request", "subrequest", "upstream", "host", "referrer"];

/// Reads a line. Whatever stands before the time (syslog, a container's name) is passed over.
pub(super) fn parse(line: &str) -> Option<Line<'_>> {
    let start = find_time(line.as_bytes())?;
    let time = line.get(start..start + TIME_LENGTH)?;
    let rest = line.get(start + TIME_SHAPE.len()..)?;
    let (level, rest) = rest.split_once("] ")?;
    let level = match level {
        "debug" | "notice" => Level::Chatter,
        "info" => Level::Info,
        "warn" | "error" | "crit" | "alert" | "emerg" => Level::Problem,
        _ => return None,
    };
    let rest = after_process(rest);
    let (message, context) = split_context(rest);
    Some(Line {
        time,
        level,
        message,
        request: quoted(context, ", request: \""),
        upstream: quoted(context, ", upstream: \""),
    })
}

fn find_time(line: &[u8]) -> Option<usize> {
    line.windows(TIME_SHAPE.len()).position(|window| {
        window.iter().zip(TIME_SHAPE).all(|(byte, shape)| match shape {
            b'0' => byte.is_ascii_digit(),
            _ => byte == shape,
        })
    })
}

/// Drops `PID#TID: ` and the connection's number `*N `, where they are there.
fn after_process(text: &str) -> &str {
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'#');
    let text = match text.split_once(": ") {
        Some((process, rest)) if digits(process) => rest,
        _ => text,
    };
    match text.strip_prefix('*').and_then(|text| text.split_once(' ')) {
        Some((connection, rest)) if digits(connection) => rest,
        _ => text,
    }
}

/// Separates the message from `, client: …`; a line about no request has no context, or begins it
/// with another key.
fn split_context(text: &str) -> (&str, &str) {
    [", client: ", ", server: ", ", upstream: \"", ", context: "]
        .iter()
        .filter_map(|key| text.find(key))
        .min()
        .map_or((text, ""), |at| text.split_at(at))
}

/// The quoted value after `key`. It ends where the next key begins, since clients may send quotes;
/// nginx cuts lines at 2 KB, so the end may be missing.
fn quoted<'a>(context: &'a str, key: &str) -> Option<&'a str> {
    let value = &context[context.find(key)? + key.len()..];
    let end = CONTEXT_KEYS
        .iter()
        .filter_map(|next| value.find(&format!("\", {next}: \"")))
        .min()
        .unwrap_or_else(|| value.rfind('"').unwrap_or(value.len()));
    Some(&value[..end])
}

/// `host:port`, or the path of a Unix socket, out of the upstream's URL.
pub(super) fn upstream_address(url: &str) -> &str {
    let address = url.split_once("://").map_or(url, |(_, address)| address);
    if let Some(path) = address.strip_prefix("unix:") {
        let end = path.find(':').unwrap_or(path.len());
        return &address[.."unix:".len() + end];
    }
    address.split(['/', '?']).next().unwrap_or(address)
}

/// Method and path of a request line, without the query, with numbers and ids as `*`, so that
/// `/orders/17` and `/orders/18` are one.
pub(super) fn request_shape(request: &str) -> String {
    let mut parts = request.split(' ');
    let (Some(method), Some(target)) = (parts.next(), parts.next()) else {
        return "not a request line".to_owned();
    };
    let path = target.split(['?', '#']).next().unwrap_or(target);
    let segments: Vec<&str> =
        path.split('/').map(|segment| if is_id(segment) { "*" } else { segment }).collect();
    format!("{method} {}", segments.join("/"))
}

/// A number, or at least 16 hexadecimal digits and dashes.
fn is_id(segment: &str) -> bool {
    let number = segment.bytes().all(|byte| byte.is_ascii_digit());
    let hexadecimal = segment.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-');
    !segment.is_empty() && (number || (hexadecimal && segment.len() >= 16))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_about_a_request_gives_its_parts() {
        let line = concat!(
            r#"2026/11/21 22:40:09 [error] 30489#30489: *1 upstream prematurely closed connection "#,
            r#"while reading response header from upstream, client: 127.0.0.1, server: shop.example, "#,
            r#"request: "GET /pay/42?card=1 HTTP/1.1", upstream: "http://127.0.0.1:3000/pay/42?card=1", "#,
            r#"host: "shop.example""#
        );
        assert_eq!(
            parse(line),
            Some(Line {
                time: "2026/11/21 22:40:09",
                level: Level::Problem,
                message: "upstream prematurely closed connection while reading response header \
                          from upstream",
                request: Some("GET /pay/42?card=1 HTTP/1.1"),
                upstream: Some("http://127.0.0.1:3000/pay/42?card=1"),
            })
        );
    }

    #[test]
    fn lines_may_be_prefixed_cut_short_or_about_no_request() {
        for (line, message, request) in [
            (
                "web-1  | 2026/11/21 22:40:09 [crit] 1#1: *7 accept4() failed (24: Too many)",
                "accept4() failed (24: Too many)",
                None,
            ),
            (
                "2026/11/21 22:41:22 [emerg] 1#1: host not found in upstream \"a\" in /n.conf:2",
                "host not found in upstream \"a\" in /n.conf:2",
                None,
            ),
            (
                r#"2026/11/21 22:40:09 [info] 1#1: *2 too long URI, client: ::1, server: s, request: "GET /aaa"#,
                "too long URI",
                Some("GET /aaa"),
            ),
            (
                r#"2026/11/21 22:40:09 [error] 1#1: *2 no, client: ::1, server: s, request: "GET /"," HTTP/1.1", host: "h", referrer: "http://h/""#,
                "no",
                Some(r#"GET /"," HTTP/1.1"#),
            ),
        ] {
            let parsed = parse(line).unwrap();
            assert_eq!((parsed.message, parsed.request), (message, request), "{line}");
        }
    }

    #[test]
    fn what_is_not_a_line_of_the_error_log_is_refused() {
        for line in [
            "",
            "#0 /srv/app/pay.php(3): pay()",
            r#"127.0.0.1 - - [21/Nov/2026:22:40:09 +0000] "GET / HTTP/1.1" 502 157"#,
            "2026/11/21 22:40:09 [shout] 1#1: x",
            "2026/11/21 22:40:09 [",
        ] {
            assert_eq!(parse(line), None, "{line}");
        }
    }

    #[test]
    fn upstreams_are_named_by_host_and_port_or_socket() {
        for (url, address) in [
            ("http://127.0.0.1:3000/pay?x=1", "127.0.0.1:3000"),
            ("https://[2001:db8::1]:443/", "[2001:db8::1]:443"),
            ("fastcgi://127.0.0.1:9000", "127.0.0.1:9000"),
            ("fastcgi://unix:/run/php/fpm.sock:", "unix:/run/php/fpm.sock"),
            ("http://unix:/run/a.sock:/pay", "unix:/run/a.sock"),
            ("http://backend/dead", "backend"),
            ("10.0.0.1:5432", "10.0.0.1:5432"),
        ] {
            assert_eq!(upstream_address(url), address);
        }
    }

    #[test]
    fn requests_that_differ_by_an_id_have_one_shape() {
        for (request, shape) in [
            ("GET /orders/17?full=1 HTTP/1.1", "GET /orders/*"),
            ("POST /u/0f8fad5b-d9cb-469f-a165-70867728950e/pay HTTP/1.1", "POST /u/*/pay"),
            ("GET / HTTP/1.1", "GET /"),
            ("GET /face HTTP/1.1", "GET /face"),
            ("hello", "not a request line"),
        ] {
            assert_eq!(request_shape(request), shape);
        }
    }
}
