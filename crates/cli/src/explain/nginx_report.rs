use std::io::{self, Write};

use rearguard::Cause;
use serde_json::{Value, json};

use super::{
    nginx_log::{Group, Summary},
    tally::Tally,
};

/// How many upstreams and requests are shown of each group, and how many unknown shapes.
const SHOWN: usize = 3;

/// What a record of Rearguard holds, that nginx's line does not, to settle the cause.
const fn would_add(cause: Cause) -> &'static str {
    match cause {
        Cause::UpstreamClosedBeforeResponse => {
            "whether the connection was fresh or reused, how long it had been idle, and the time to \
             the close: that tells a panic, the service's write timeout and the idle race apart"
        }
        Cause::UpstreamReset => {
            "whether the connection was fresh or reused, how long it had been idle, and the size of \
             the request's body: that tells an unread body from the idle race"
        }
        Cause::UpstreamClosedMidResponse => {
            "bytes and time until the cut, and a failed outcome beside the 200 that was sent"
        }
        Cause::UpstreamResponseTimedOut => {
            "the time to connect apart from the time to answer and, from a service that reports, \
             work apart from deferred cleanup"
        }
        Cause::UpstreamBodyTimedOut => {
            "the time to the first byte apart from the body's, and how many bytes had come"
        }
        Cause::UpstreamConnectRefused
        | Cause::UpstreamConnectTimedOut
        | Cause::UpstreamUnreachable
        | Cause::UpstreamTlsFailed
        | Cause::UpstreamDnsFailed => "the endpoint, the system's own error, and the time it took",
        Cause::UpstreamNoHealthyEndpoint => "each failed try with its own cause and endpoint",
        Cause::UpstreamProtocolError => "the rule that the answer broke",
        Cause::ClientDisconnected => {
            "when the client left and what the service was doing then: a fixed time is a timeout"
        }
        Cause::ClientBadRequest => "the rule that the request broke",
        Cause::GatewayOverloaded => "what was short, in words",
        Cause::GatewayRateLimited => "nothing yet: this release has no rate limits",
        _ => "the route, the trace id and the time of each phase",
    }
}

/// Writes the summary for people.
pub(super) fn write_text(summary: &Summary, name: &str, out: &mut dyn Write) -> io::Result<()> {
    write!(out, "{name}: {} lines", summary.lines)?;
    if let Some(span) = &summary.span {
        write!(out, " from {} to {}", span.first, span.last)?;
    }
    writeln!(out, ", of which {} name a cause.", summary.explained())?;
    if !summary.groups.is_empty() {
        write_table(summary, out)?;
        writeln!(
            out,
            "\nThese are lines, not requests: nginx writes one for each try. Where several causes are \
             named, the line\nalone does not decide between them; the likeliest stands first."
        )?;
    }
    for group in &summary.groups {
        write_group(group, out)?;
    }
    write_rest(summary, out)
}

fn names(causes: &[Cause]) -> String {
    causes.iter().map(|cause| cause.code()).collect::<Vec<_>>().join(" or ")
}

fn write_table(summary: &Summary, out: &mut dyn Write) -> io::Result<()> {
    let width =
        summary.groups.iter().map(|group| names(group.causes).len()).max().unwrap_or_default();
    writeln!(out, "\n{:>8}  {:width$}  {:19}  last", "lines", "cause", "first")?;
    for group in &summary.groups {
        let causes = names(group.causes);
        let (first, last) = (&group.span.first, &group.span.last);
        writeln!(out, "{:>8}  {causes:width$}  {first}  {last}", group.lines)?;
    }
    Ok(())
}

fn write_group(group: &Group, out: &mut dyn Write) -> io::Result<()> {
    let plural = if group.lines == 1 { "" } else { "s" };
    writeln!(out, "\n{}: {} line{plural}", names(group.causes), group.lines)?;
    for (kind, lines) in &group.kinds {
        writeln!(out, "  {lines:>6}  \"{}\": {}", kind.name(), kind.note)?;
    }
    write_top("upstreams", &group.upstreams, out)?;
    write_top("requests", &group.requests, out)?;
    writeln!(out, "  sample     {}", group.sample)?;
    if let Some(&likeliest) = group.causes.first() {
        writeln!(out, "  Rearguard would add {}.", would_add(likeliest))?;
    }
    for cause in group.causes {
        writeln!(out, "  rearguard explain {cause}")?;
    }
    Ok(())
}

fn write_top(title: &str, tally: &Tally, out: &mut dyn Write) -> io::Result<()> {
    let top = tally.top(SHOWN);
    if top.is_empty() {
        return Ok(());
    }
    let least = if tally.forgotten() > 0 { "at least " } else { "" };
    let shown: Vec<String> =
        top.iter().map(|(text, count)| format!("{text} ({least}{count})")).collect();
    let more = tally.len().saturating_sub(top.len());
    let more = if more > 0 { format!(", {more} more") } else { String::new() };
    writeln!(out, "  {title:9}  {}{more}", shown.join(", "))
}

fn write_rest(summary: &Summary, out: &mut dyn Write) -> io::Result<()> {
    writeln!(
        out,
        "\nNot about a failed request: {} lines. Not of this log's form: {}. Unknown at warn or above: {}.",
        summary.harmless, summary.foreign, summary.unknown
    )?;
    for (shape, count) in summary.unknown_shapes.top(SHOWN) {
        writeln!(out, "  {count:>6}  {shape}")?;
    }
    if summary.info == 0 {
        writeln!(
            out,
            "No line is at level info, where nginx writes what clients did (left early, sent \
             rubbish): `error_log PATH info;`."
        )?;
    }
    writeln!(
        out,
        "A service that answers 5xx by itself, or panics, logs and answers 200, is not in an error \
         log at all."
    )
}

/// Writes the summary as one JSON object.
pub(super) fn write_json(summary: &Summary, name: &str, out: &mut dyn Write) -> io::Result<()> {
    let groups: Vec<Value> = summary.groups.iter().map(group_json).collect();
    let value = json!({
        "file": name,
        "lines": summary.lines,
        "explained": summary.explained(),
        "harmless": summary.harmless,
        "foreign": summary.foreign,
        "unknown": summary.unknown,
        "unknown_shapes": top_json(&summary.unknown_shapes, "shape"),
        "first": summary.span.as_ref().map(|span| &span.first),
        "last": summary.span.as_ref().map(|span| &span.last),
        "groups": groups,
    });
    writeln!(out, "{value:#}")
}

fn group_json(group: &Group) -> Value {
    let codes: Vec<&str> = group.causes.iter().map(|cause| cause.code()).collect();
    let kinds: Vec<Value> = group
        .kinds
        .iter()
        .map(|(kind, lines)| json!({ "message": kind.parts, "note": kind.note, "lines": lines }))
        .collect();
    json!({
        "causes": codes,
        "lines": group.lines,
        "first": group.span.first,
        "last": group.span.last,
        "kinds": kinds,
        "upstreams": top_json(&group.upstreams, "upstream"),
        "requests": top_json(&group.requests, "request"),
        "sample": group.sample,
    })
}

fn top_json(tally: &Tally, key: &str) -> Vec<Value> {
    tally.top(10).into_iter().map(|(text, lines)| json!({ key: text, "lines": lines })).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::explain::nginx_log::read;

    /// Lines that nginx 1.22.1 wrote when each of these failures was brought about.
    const RECORDED: &[u8] = include_bytes!("../../tests/data/nginx-error.log");

    fn written(log: &[u8], format: fn(&Summary, &str, &mut dyn Write) -> io::Result<()>) -> String {
        let mut out = Vec::new();
        format(&read(&mut &log[..]).unwrap(), "error.log", &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_log_of_real_nginx_is_counted_by_cause() {
        let text = written(RECORDED, write_text);
        let table: String = text
            .lines()
            .take_while(|line| !line.starts_with("These"))
            .fold(String::new(), |table, line| table + line + "\n");
        insta::assert_snapshot!(table, @r##"
        error.log: 160 lines from 2026/11/21 22:40:35 to 2026/11/21 22:41:26, of which 100 name a cause.

           lines  cause                                                    first                last
              14  client.bad_request                                       2026/11/21 22:40:51  2026/11/21 22:40:51
              12  gateway.overloaded                                       2026/11/21 22:41:24  2026/11/21 22:41:24
               9  upstream.closed_before_response                          2026/11/21 22:40:36  2026/11/21 22:40:48
               8  upstream.protocol_error                                  2026/11/21 22:40:38  2026/11/21 22:40:40
               6  upstream.closed_mid_response                             2026/11/21 22:40:36  2026/11/21 22:40:41
               5  upstream.response_timed_out or upstream.cleanup_overran  2026/11/21 22:40:37  2026/11/21 22:41:25
               5  upstream.connect_refused                                 2026/11/21 22:40:41  2026/11/21 22:40:46
               5  upstream.connect_timed_out                               2026/11/21 22:40:42  2026/11/21 22:40:45
               5  upstream.dns_failed                                      2026/11/21 22:40:45  2026/11/21 22:40:46
               5  client.too_large                                         2026/11/21 22:40:48  2026/11/21 22:40:51
               5  client.disconnected                                      2026/11/21 22:40:54  2026/11/21 22:41:01
               4  upstream.reset                                           2026/11/21 22:40:36  2026/11/21 22:40:48
               3  upstream.body_timed_out                                  2026/11/21 22:40:38  2026/11/21 22:40:41
               3  upstream.tls_failed                                      2026/11/21 22:40:40  2026/11/21 22:40:43
               3  gateway.rate_limited                                     2026/11/21 22:40:46  2026/11/21 22:40:47
               2  client.too_slow                                          2026/11/21 22:40:52  2026/11/21 22:40:53
               1  upstream.closed_mid_response or client.disconnected      2026/11/21 22:40:40  2026/11/21 22:40:40
               1  upstream.failed or upstream.panicked                     2026/11/21 22:40:40  2026/11/21 22:40:40
               1  upstream.unreachable                                     2026/11/21 22:40:42  2026/11/21 22:40:42
               1  gateway.no_upstream                                      2026/11/21 22:40:46  2026/11/21 22:40:46
               1  upstream.failed                                          2026/11/21 22:40:46  2026/11/21 22:40:46
               1  upstream.no_healthy_endpoint                             2026/11/21 22:40:46  2026/11/21 22:40:46
        "##);
    }

    #[test]
    fn a_group_shows_what_was_seen_where_and_what_to_run() {
        let text = written(RECORDED, write_text);
        let group = text.split("\n\n").find(|part| part.starts_with("upstream.reset:")).unwrap();
        insta::assert_snapshot!(group, @r##"
        upstream.reset: 4 lines
               2  "failed (104: Connection reset by peer) … while reading response header from upstream": a panic or a death with the request's body unread, the idle race, or a box in between
               1  "upstream rejected request with error": RST_STREAM with this HTTP/2 error; 2 is INTERNAL_ERROR: a panic, or Go's WriteTimeout
               1  "upstream sent goaway with error": GOAWAY with this HTTP/2 error; 11 is ENHANCE_YOUR_CALM
          upstreams  127.0.0.1:9601 (1), 127.0.0.1:9602 (1), 127.0.0.1:9631 (1), 1 more
          requests   GET /h2_goaway/* (1), GET /h2_rst/* (1), GET /reset_before/* (1), 1 more
          sample     2026/11/21 22:40:36 [error] 30489#30489: *3 recv() failed (104: Connection reset by peer) while reading response header from upstream, client: 127.0.0.1, server: shop.example, request: "GET /reset_before/42?card=1 HTTP/1.1", upstream: "http://127.0.0.1:9601/reset_before/42?card=1", host: "shop.example"
          Rearguard would add whether the connection was fresh or reused, how long it had been idle, and the size of the request's body: that tells an unread body from the idle race.
          rearguard explain upstream.reset
        "##);
    }

    #[test]
    fn what_is_not_explained_is_accounted_for() {
        let text = written(RECORDED, write_text);
        insta::assert_snapshot!(text.split("\n\n").last().unwrap(), @r##"
        Not about a failed request: 59 lines. Not of this log's form: 0. Unknown at warn or above: 1.
               1  rewrite or internal redirection cycle while processing "…"
        A service that answers 5xx by itself, or panics, logs and answers 200, is not in an error log at all.
        "##);
        let json: Value = serde_json::from_str(&written(RECORDED, write_json)).unwrap();
        let number = |key: &str| json[key].as_u64().unwrap();
        assert_eq!(
            number("lines"),
            number("explained") + number("harmless") + number("foreign") + number("unknown")
        );
    }

    #[test]
    fn json_has_the_groups_with_codes_that_read_back() {
        let json: Value = serde_json::from_str(&written(RECORDED, write_json)).unwrap();
        for group in json["groups"].as_array().unwrap() {
            for code in group["causes"].as_array().unwrap() {
                assert!(code.as_str().unwrap().parse::<Cause>().is_ok(), "{code}");
            }
        }
        assert_eq!(json["unknown_shapes"][0]["lines"], 1);
    }

    #[test]
    fn an_empty_log_says_so() {
        let text = written(b"", write_text);
        assert!(text.starts_with("error.log: 0 lines, of which 0 name a cause.\n"), "{text}");
        assert!(text.contains("No line is at level info"), "{text}");
    }
}
