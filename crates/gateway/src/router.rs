//! From a request's host and head to a route: the configuration's routes, compiled once and shared
//! by all workers.

use std::{collections::HashMap, sync::Arc, time::Duration};

use config::routing::{
    Action, Destination, HeaderRules, HostPattern, PathRewrite, Redirect, Rewrite, RouteMatch,
    Routing, StringMatch,
};
use regex::Regex;

use crate::message::RequestHead;

/// All routes.
#[derive(Debug, Default)]
pub(crate) struct Router {
    hosts: Vec<Host>,
    exact: HashMap<String, Vec<usize>>,
    /// Longest first.
    suffixes: Vec<(String, usize)>,
    any: Vec<usize>,
    /// What routes send to, each once.
    pub(crate) targets: Vec<TargetKey>,
    pub(crate) routes: Vec<CompiledRoute>,
}

/// What a destination names.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct TargetKey {
    pub(crate) service: Arc<str>,
    pub(crate) subset: Option<Arc<str>>,
    pub(crate) port: Option<u16>,
}

#[derive(Debug)]
struct Host {
    gateways: Vec<String>,
    routes: std::ops::Range<usize>,
}

/// One route, ready to be compared with.
#[derive(Debug)]
pub(crate) struct CompiledRoute {
    pub(crate) name: Arc<str>,
    matches: Vec<CompiledMatch>,
    pub(crate) action: CompiledAction,
    pub(crate) timeout: Option<Duration>,
    pub(crate) rewrite: Rewrite,
    rewrite_regex: Option<Regex>,
    pub(crate) headers: HeaderRules,
}

/// What is done with a request.
#[derive(Debug)]
pub(crate) enum CompiledAction {
    Forward { destinations: Vec<CompiledDestination>, total_weight: u64 },
    Redirect(Redirect),
    DirectResponse { status: u16, body: String },
}

/// Where a share of the requests goes.
#[derive(Debug)]
pub(crate) struct CompiledDestination {
    /// An index into the router's targets.
    pub(crate) target: usize,
    weight: u32,
    pub(crate) headers: HeaderRules,
}

#[derive(Debug)]
struct CompiledMatch {
    uri: Option<Comparison>,
    ignore_uri_case: bool,
    method: Option<Comparison>,
    authority: Option<Comparison>,
    scheme: Option<Comparison>,
    headers: Vec<(String, Comparison)>,
    without_headers: Vec<(String, Comparison)>,
    query_params: Vec<(String, Comparison)>,
    port: Option<u16>,
}

#[derive(Debug)]
enum Comparison {
    Exact(String),
    Prefix(String),
    Regex(Regex),
    Present,
}

/// A regular expression that does not compile; the configuration has checked them before.
#[derive(Debug, thiserror::Error)]
#[error("the regular expression {pattern:?} of route {route} does not compile: {error}")]
pub struct BadPattern {
    route: String,
    pattern: String,
    error: Box<regex::Error>,
}

/// What a request met.
#[derive(Debug)]
pub(crate) struct Hit<'a> {
    /// Its index among the routes.
    pub(crate) index: usize,
    pub(crate) route: &'a CompiledRoute,
    /// How many bytes of the path the match named.
    pub(crate) matched: usize,
}

/// Where a request came in.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Entrance<'a> {
    pub(crate) gateway: Option<&'a str>,
    pub(crate) port: u16,
    pub(crate) scheme: &'a str,
}

impl Router {
    pub(crate) fn compile(routing: &Routing) -> Result<Self, BadPattern> {
        let mut router = Self::default();
        for host in &routing.virtual_hosts {
            let first = router.routes.len();
            for route in &host.routes {
                let compiled = router.compile_route(route)?;
                router.routes.push(compiled);
            }
            let index = router.hosts.len();
            router
                .hosts
                .push(Host { gateways: host.gateways.clone(), routes: first..router.routes.len() });
            for pattern in &host.hosts {
                match pattern {
                    HostPattern::Any => router.any.push(index),
                    HostPattern::Suffix(suffix) => router.suffixes.push((suffix.clone(), index)),
                    HostPattern::Exact(name) => {
                        router.exact.entry(name.clone()).or_default().push(index);
                    }
                }
            }
        }
        router.suffixes.sort_by_key(|(suffix, _)| std::cmp::Reverse(suffix.len()));
        Ok(router)
    }

    fn compile_route(
        &mut self,
        route: &config::routing::Route,
    ) -> Result<CompiledRoute, BadPattern> {
        let compile = |pattern: &str, whole: bool| {
            let text = if whole { format!("^(?:{pattern})$") } else { pattern.to_owned() };
            Regex::new(&text).map_err(|error| BadPattern {
                route: route.name.to_string(),
                pattern: pattern.to_owned(),
                error: Box::new(error),
            })
        };
        let action = match &route.action {
            Action::Forward(destinations) => CompiledAction::Forward {
                total_weight: destinations.iter().map(|to| u64::from(to.weight)).sum(),
                destinations: destinations.iter().map(|to| self.destination(to)).collect(),
            },
            Action::Redirect(redirect) => CompiledAction::Redirect(redirect.clone()),
            Action::DirectResponse { status, body } => {
                CompiledAction::DirectResponse { status: *status, body: body.clone() }
            }
        };
        let rewrite_regex = match &route.rewrite.uri {
            Some(PathRewrite::Regex { pattern, .. }) => Some(compile(pattern, false)?),
            _ => None,
        };
        let matches = route
            .matches
            .iter()
            .map(|of| CompiledMatch::new(of, &|pattern| compile(pattern, true)))
            .collect::<Result<_, _>>()?;
        Ok(CompiledRoute {
            name: Arc::clone(&route.name),
            matches,
            action,
            timeout: route.timeout,
            rewrite: route.rewrite.clone(),
            rewrite_regex,
            headers: route.headers.clone(),
        })
    }

    fn destination(&mut self, to: &Destination) -> CompiledDestination {
        let key = TargetKey {
            service: Arc::clone(&to.service),
            subset: to.subset.clone(),
            port: to.port,
        };
        let target = self.targets.iter().position(|known| *known == key).unwrap_or_else(|| {
            self.targets.push(key);
            self.targets.len() - 1
        });
        CompiledDestination { target, weight: to.weight, headers: to.headers.clone() }
    }

    /// The first route that matches, of the host that matches best: an exact one before a suffix,
    /// a longer suffix before a shorter one, any of them before `*`.
    pub(crate) fn find(&self, head: &RequestHead, entrance: Entrance<'_>) -> Option<Hit<'_>> {
        let host = host_of(head.authority());
        let bound = |index: &usize| {
            let gateways = &self.hosts[*index].gateways;
            gateways.is_empty()
                || entrance.gateway.is_some_and(|name| gateways.iter().any(|bound| bound == name))
        };
        let lowered;
        let host = if host.bytes().any(|byte| byte.is_ascii_uppercase()) {
            lowered = host.to_ascii_lowercase();
            &lowered
        } else {
            host
        };
        let exact = self.exact.get(host).into_iter().flatten();
        let suffix = self
            .suffixes
            .iter()
            .filter(|(suffix, _)| host.len() > suffix.len() && host.ends_with(suffix.as_str()))
            .map(|(_, index)| index);
        let index = *exact.chain(suffix).chain(&self.any).find(|index| bound(index))?;
        let range = self.hosts[index].routes.clone();
        range.clone().zip(&self.routes[range]).find_map(|(index, route)| {
            let matched = route.matches(head, host, entrance)?;
            Some(Hit { index, route, matched })
        })
    }
}

/// What a match without `uri` names of a path: its first slash.
const ROOT: usize = 1;

/// An authority without its port.
pub(crate) fn host_of(authority: &str) -> &str {
    match authority.rfind(':') {
        Some(colon) if !authority[colon..].contains(']') => &authority[..colon],
        _ => authority,
    }
}

impl CompiledRoute {
    /// How much of the path was matched, if the request matches.
    fn matches(&self, head: &RequestHead, host: &str, entrance: Entrance<'_>) -> Option<usize> {
        if self.matches.is_empty() {
            return Some(ROOT);
        }
        self.matches.iter().find_map(|of| of.matches(head, host, entrance))
    }

    /// The path and query to send on.
    pub(crate) fn rewrite_path<'a>(
        &self,
        path: &'a str,
        matched: usize,
    ) -> std::borrow::Cow<'a, str> {
        let Some(rewrite) = &self.rewrite.uri else { return path.into() };
        let (plain, query) = split_query(path);
        let plain = match rewrite {
            PathRewrite::Replace(path) => path.clone(),
            PathRewrite::ReplaceMatched(prefix) => {
                let rest = plain.get(matched..).unwrap_or_default();
                join_prefix(prefix, rest)
            }
            PathRewrite::Regex { replacement, .. } => match &self.rewrite_regex {
                Some(regex) => {
                    regex.replace_all(plain, re2_groups(replacement).as_str()).into_owned()
                }
                None => plain.to_owned(),
            },
        };
        let slash = if plain.starts_with('/') { "" } else { "/" };
        format!("{slash}{plain}{query}").into()
    }
}

/// `/v1` + `/x` and `/` + `x` join with exactly one slash where the match ended at one.
fn join_prefix(prefix: &str, rest: &str) -> String {
    if prefix.ends_with('/') && rest.starts_with('/') {
        format!("{prefix}{}", &rest[1..])
    } else {
        format!("{prefix}{rest}")
    }
}

/// RE2's `\1` becomes `${1}`; a dollar stands for itself.
fn re2_groups(replacement: &str) -> String {
    let mut out = String::with_capacity(replacement.len());
    let mut letters = replacement.chars();
    while let Some(letter) = letters.next() {
        match (letter, letter == '\\') {
            (_, true) => match letters.next() {
                Some(digit) if digit.is_ascii_digit() => {
                    out.push_str("${");
                    out.push(digit);
                    out.push('}');
                }
                Some(other) => out.push(other),
                None => {}
            },
            ('$', _) => out.push_str("$$"),
            (other, _) => out.push(other),
        }
    }
    out
}

/// The path, and the query with its question mark.
pub(crate) fn split_query(path: &str) -> (&str, &str) {
    path.split_at(path.find('?').unwrap_or(path.len()))
}

impl CompiledAction {
    /// Picks a destination by weight; `draw` is uniform over `0..total`.
    pub(crate) fn pick(
        destinations: &[CompiledDestination],
        total: u64,
        draw: impl FnOnce(u64) -> u64,
    ) -> Option<(usize, &CompiledDestination)> {
        if destinations.len() == 1 || total == 0 {
            return destinations.first().map(|only| (0, only));
        }
        let mut left = draw(total);
        destinations.iter().enumerate().find(|(_, to)| {
            let here = left < u64::from(to.weight);
            left = left.saturating_sub(u64::from(to.weight));
            here
        })
    }
}

impl CompiledMatch {
    fn new(
        of: &RouteMatch,
        compile: &dyn Fn(&str) -> Result<Regex, BadPattern>,
    ) -> Result<Self, BadPattern> {
        let one = |of: &StringMatch| Comparison::new(of, compile);
        let optional = |of: &Option<StringMatch>| of.as_ref().map(one).transpose();
        let named = |of: &[(String, StringMatch)]| {
            of.iter().map(|(name, of)| Ok((name.clone(), one(of)?))).collect::<Result<Vec<_>, _>>()
        };
        Ok(Self {
            uri: optional(&of.uri)?,
            ignore_uri_case: of.ignore_uri_case,
            method: optional(&of.method)?,
            authority: optional(&of.authority)?,
            scheme: optional(&of.scheme)?,
            headers: named(&of.headers)?,
            without_headers: named(&of.without_headers)?,
            query_params: named(&of.query_params)?,
            port: of.port,
        })
    }

    fn matches(&self, head: &RequestHead, host: &str, entrance: Entrance<'_>) -> Option<usize> {
        if self.port.is_some_and(|wanted| wanted != entrance.port) {
            return None;
        }
        let (path, query) = split_query(head.path());
        let matched = match &self.uri {
            None => ROOT,
            Some(of) if self.ignore_uri_case => of.matched_ignoring_case(path)?,
            Some(of) => of.matched(path)?,
        };
        let holds = |of: &Option<Comparison>, value: &str| {
            of.as_ref().is_none_or(|of| of.matched(value).is_some())
        };
        let has = |(name, of): &(String, Comparison)| {
            let value = head.fields.find(name).and_then(|value| std::str::from_utf8(value).ok());
            value.is_some_and(|value| of.matched(value).is_some())
        };
        let has_parameter = |(name, of): &(String, Comparison)| {
            let value = parameter(query, name);
            value.is_some_and(|value| of.matched(value).is_some())
        };
        (holds(&self.method, head.method())
            && holds(&self.authority, host)
            && holds(&self.scheme, entrance.scheme)
            && self.headers.iter().all(has)
            && !self.without_headers.iter().any(has)
            && self.query_params.iter().all(has_parameter))
        .then_some(matched)
    }
}

/// A parameter's value in a query that begins with its question mark.
fn parameter<'a>(query: &'a str, name: &str) -> Option<&'a str> {
    query.strip_prefix('?')?.split('&').find_map(|pair| {
        let (found, value) = pair.split_once('=').unwrap_or((pair, ""));
        (found == name).then_some(value)
    })
}

impl Comparison {
    fn new(
        of: &StringMatch,
        compile: &dyn Fn(&str) -> Result<Regex, BadPattern>,
    ) -> Result<Self, BadPattern> {
        Ok(match of {
            StringMatch::Exact(text) => Self::Exact(text.clone()),
            StringMatch::Prefix(text) => Self::Prefix(text.clone()),
            StringMatch::Regex(pattern) => Self::Regex(compile(pattern)?),
            StringMatch::Present => Self::Present,
        })
    }

    fn matched(&self, value: &str) -> Option<usize> {
        match self {
            Self::Exact(text) => (value == text).then_some(value.len()),
            Self::Prefix(text) => value.starts_with(text.as_str()).then_some(text.len()),
            Self::Regex(regex) => regex.is_match(value).then_some(value.len()),
            Self::Present => Some(value.len()),
        }
    }

    fn matched_ignoring_case(&self, value: &str) -> Option<usize> {
        match self {
            Self::Exact(text) => value.eq_ignore_ascii_case(text).then_some(value.len()),
            Self::Prefix(text) => value
                .get(..text.len())
                .is_some_and(|start| start.eq_ignore_ascii_case(text))
                .then_some(text.len()),
            Self::Regex(_) | Self::Present => self.matched(value),
        }
    }
}
