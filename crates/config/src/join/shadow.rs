//! Routes that can never match because an earlier one takes all their requests.

use crate::{
    diagnostic::Severity,
    report::{Finding, Report},
    routing::{Route, RouteMatch, StringMatch},
    source::Place,
};

use super::RoutePlaces;

/// Beyond this many routes in one VirtualService only those for everything are compared, which
/// keeps the time linear.
const MOST_COMPARED: usize = 500;

/// Warns about every route that an earlier one covers.
pub(super) fn check(routes: &[Route], places: &[RoutePlaces], report: &mut Report) {
    for (index, route) in routes.iter().enumerate() {
        let Some(place) = places.get(index).and_then(|p| p.route) else { continue };
        let first = routes[..index].iter().position(|earlier| {
            if routes.len() > MOST_COMPARED { takes_all(earlier) } else { covers(earlier, route) }
        });
        if let Some(first) = first {
            let earlier = places.get(first).and_then(|p| p.route);
            report.push(finding(route, &routes[first], place, earlier));
        }
    }
}

fn finding(route: &Route, earlier: &Route, place: Place, first: Option<Place>) -> Finding {
    let (why, label) = if takes_all(earlier) {
        ("matches every request", "this one matches every request")
    } else {
        ("matches all that it would match", "this one matches first")
    };
    let message =
        format!("route `{}` can never match: `{}` before it {why}", route.name, earlier.name);
    let mut finding = Finding::new(Severity::Warning, "route-never-matches", message)
        .at(place)
        .hint("the first route that matches is taken: write the narrower one first");
    if let Some(first) = first {
        finding = finding.related(first, label);
    }
    finding
}

fn takes_all(route: &Route) -> bool {
    route.matches.is_empty() || route.matches.iter().any(is_everything)
}

fn is_everything(m: &RouteMatch) -> bool {
    covers_match(m, &RouteMatch::default())
}

/// Whether every request that `later` would match is matched by `earlier`. May say no where the
/// answer is yes: expressions are compared as text.
fn covers(earlier: &Route, later: &Route) -> bool {
    if takes_all(earlier) {
        return true;
    }
    let alternatives = &later.matches;
    !alternatives.is_empty()
        && alternatives.iter().all(|l| earlier.matches.iter().any(|e| covers_match(e, l)))
}

fn covers_match(a: &RouteMatch, b: &RouteMatch) -> bool {
    let same = |a: &Option<StringMatch>, b: &Option<StringMatch>| a.is_none() || a == b;
    covers_uri(a, b)
        && same(&a.method, &b.method)
        && same(&a.authority, &b.authority)
        && same(&a.scheme, &b.scheme)
        && a.headers.iter().all(|h| b.headers.contains(h))
        && a.without_headers.iter().all(|h| b.without_headers.contains(h))
        && a.query_params.iter().all(|q| b.query_params.contains(q))
        && (a.port.is_none() || a.port == b.port)
}

fn covers_uri(a: &RouteMatch, b: &RouteMatch) -> bool {
    let Some(uri) = &a.uri else { return true };
    let everything = match uri {
        StringMatch::Prefix(prefix) => prefix.is_empty() || prefix == "/",
        StringMatch::Regex(regex) => matches!(regex.as_str(), ".*" | "/.*"),
        _ => false,
    };
    if everything {
        return true;
    }
    if a.ignore_uri_case != b.ignore_uri_case {
        return false;
    }
    match (uri, &b.uri) {
        (
            StringMatch::Prefix(prefix),
            Some(StringMatch::Exact(path) | StringMatch::Prefix(path)),
        ) => path.starts_with(prefix.as_str()),
        (a, Some(b)) => a == b,
        _ => false,
    }
}
