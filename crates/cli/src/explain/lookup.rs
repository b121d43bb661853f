use rearguard::Cause;

/// How many codes a misspelt one is met with.
const SUGGESTIONS: usize = 3;

/// What a text on the command line stands for.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Lookup {
    /// One cause.
    One(Cause),
    /// Several causes share the flag, status, type or part that was given.
    Several(Vec<Cause>),
    /// None; these codes are spelled most like it.
    Unknown(Vec<Cause>),
}

/// Finds the causes that `text` names: a code, an Envoy flag, a status, a type of RFC 9209, or a
/// part of a code, tried in this order.
pub(super) fn lookup(text: &str) -> Lookup {
    let text = text.trim();
    let lower = text.to_ascii_lowercase();
    let ways: [&dyn Fn(Cause) -> bool; 5] = [
        &|cause| cause.code() == lower,
        &|cause| cause.envoy_flag().is_some_and(|flag| flag.eq_ignore_ascii_case(text)),
        &|cause| cause.status().is_some_and(|status| status.to_string() == lower),
        &|cause| cause.proxy_error() == Some(lower.as_str()),
        &|cause| !lower.is_empty() && cause.code().contains(&lower),
    ];
    for way in ways {
        let found: Vec<Cause> = Cause::ALL.iter().copied().filter(|&cause| way(cause)).collect();
        match found[..] {
            [] => {}
            [cause] => return Lookup::One(cause),
            _ => return Lookup::Several(found),
        }
    }
    Lookup::Unknown(nearest(&lower))
}

/// The codes spelled most like `text`, the best first, judged with and without their party.
fn nearest(text: &str) -> Vec<Cause> {
    let mut scored: Vec<(usize, Cause)> = Cause::ALL
        .iter()
        .map(|&cause| {
            let event = cause.code().split_once('.').map_or(cause.code(), |(_, event)| event);
            (edit_distance(text, cause.code()).min(edit_distance(text, event)), cause)
        })
        .collect();
    scored.sort_by_key(|&(distance, _)| distance);
    scored.into_iter().take(SUGGESTIONS).map(|(_, cause)| cause).collect()
}

/// Levenshtein's distance over bytes, by the usual single row.
fn edit_distance(left: &str, right: &str) -> usize {
    let right = right.as_bytes();
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (index, byte) in left.bytes().enumerate() {
        let mut diagonal = index;
        row[0] = index + 1;
        for column in 0..right.len() {
            let substituted = diagonal + usize::from(right[column] != byte);
            diagonal = row[column + 1];
            row[column + 1] = substituted.min(diagonal + 1).min(row[column] + 1);
        }
    }
    row[right.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cause_is_found_by_code_flag_status_type_or_part() {
        for (text, cause) in [
            ("upstream.reset", Cause::UpstreamReset),
            (" Upstream.Reset ", Cause::UpstreamReset),
            ("NR", Cause::GatewayNoRoute),
            ("dc", Cause::ClientDisconnected),
            ("499", Cause::ClientDisconnected),
            ("508", Cause::GatewayLoopDetected),
            ("http_response_incomplete", Cause::UpstreamClosedMidResponse),
            ("closed_before", Cause::UpstreamClosedBeforeResponse),
            ("rate", Cause::GatewayRateLimited),
        ] {
            assert_eq!(lookup(text), Lookup::One(cause), "{text}");
        }
    }

    #[test]
    fn what_several_causes_share_names_them_all() {
        use Cause::{
            ClientDeadlinePassed, UpstreamBodyTimedOut, UpstreamCleanupOverran,
            UpstreamClosedBeforeResponse, UpstreamClosedMidResponse, UpstreamReset,
            UpstreamResponseTimedOut,
        };
        for (text, causes) in [
            ("UC", vec![UpstreamClosedBeforeResponse, UpstreamReset, UpstreamClosedMidResponse]),
            (
                "UT",
                vec![
                    ClientDeadlinePassed,
                    UpstreamResponseTimedOut,
                    UpstreamBodyTimedOut,
                    UpstreamCleanupOverran,
                ],
            ),
            ("closed_", vec![UpstreamClosedBeforeResponse, UpstreamClosedMidResponse]),
        ] {
            assert_eq!(lookup(text), Lookup::Several(causes), "{text}");
        }
    }

    #[test]
    fn a_misspelt_code_is_met_with_the_nearest_ones() {
        for (text, first) in [
            ("upstream.conect_refused", Cause::UpstreamConnectRefused),
            ("conection_refused", Cause::UpstreamConnectRefused),
            ("paniced", Cause::UpstreamPanicked),
            ("gateway.no-route", Cause::GatewayNoRoute),
        ] {
            match lookup(text) {
                Lookup::Unknown(nearest) => {
                    assert_eq!(nearest[0], first, "{text}");
                    assert_eq!(nearest.len(), SUGGESTIONS);
                }
                other => panic!("{text}: {other:?}"),
            }
        }
        assert!(matches!(lookup(""), Lookup::Unknown(_)));
    }

    #[test]
    fn the_edit_distance_is_levenshteins() {
        for (left, right, distance) in
            [("", "", 0), ("", "abc", 3), ("kitten", "sitting", 3), ("flaw", "lawn", 2)]
        {
            assert_eq!(edit_distance(left, right), distance, "{left} {right}");
            assert_eq!(edit_distance(right, left), distance, "{right} {left}");
        }
    }
}
