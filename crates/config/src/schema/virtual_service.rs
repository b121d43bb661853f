//! `VirtualService`.

use super::{
    field::{COUNT, Field, Kind, PORT, TEXT_MAP, TEXTS, full, inert, kubernetes, not_yet},
    metadata::{API_VERSION, KIND, METADATA, STATUS},
};

/// The greatest weight, which is the Gateway API's.
const MAX_WEIGHT: i64 = 1_000_000;

pub(crate) const VIRTUAL_SERVICE: &[Field] =
    &[API_VERSION, KIND, METADATA, full("spec", Kind::Object(SPEC)), STATUS];

const SPEC: &[Field] = &[
    full("hosts", TEXTS),
    full("gateways", TEXTS),
    full("http", Kind::List(&Kind::Object(HTTP))),
    not_yet("tcp", Kind::List(&Kind::Object(TCP))),
    not_yet("tls", Kind::List(&Kind::Object(TLS))),
    kubernetes("exportTo", TEXTS),
];

const HTTP: &[Field] = &[
    full("name", Kind::Text),
    full("match", Kind::List(&Kind::Object(MATCH))),
    full("route", Kind::List(&Kind::Object(ROUTE_DESTINATION))),
    full("redirect", Kind::Object(REDIRECT)),
    full("directResponse", Kind::Object(DIRECT_RESPONSE)),
    full("rewrite", Kind::Object(REWRITE)),
    full("timeout", Kind::Duration),
    full("headers", Kind::Object(HEADERS)),
    not_yet("retries", Kind::Object(RETRIES)),
    not_yet("fault", Kind::Object(FAULT)),
    not_yet("mirror", Kind::Object(DESTINATION)),
    not_yet("mirrors", Kind::List(&Kind::Object(MIRROR))),
    not_yet("mirrorPercentage", Kind::Object(PERCENTAGE)),
    not_yet("mirrorPercent", Kind::Percent),
    not_yet("mirror_percent", Kind::Percent),
    not_yet("corsPolicy", Kind::Object(CORS_POLICY)),
    not_yet("delegate", Kind::Object(DELEGATE)),
];

const MATCH: &[Field] = &[
    full("uri", Kind::Object(STRING_MATCH)),
    full("ignoreUriCase", Kind::Boolean),
    full("method", Kind::Object(STRING_MATCH)),
    full("authority", Kind::Object(STRING_MATCH)),
    full("scheme", Kind::Object(STRING_MATCH)),
    full("headers", Kind::Map(&Kind::Object(STRING_MATCH))),
    full("withoutHeaders", Kind::Map(&Kind::Object(STRING_MATCH))),
    full("queryParams", Kind::Map(&Kind::Object(STRING_MATCH))),
    full("port", PORT),
    full("gateways", TEXTS),
    full("name", Kind::Text),
    kubernetes("sourceLabels", TEXT_MAP),
    kubernetes("sourceNamespace", Kind::Text),
    inert("statPrefix", Kind::Text),
];

const STRING_MATCH: &[Field] =
    &[full("exact", Kind::Text), full("prefix", Kind::Text), full("regex", Kind::Text)];

const ROUTE_DESTINATION: &[Field] = &[
    full("destination", Kind::Object(DESTINATION)),
    full("weight", Kind::Integer { least: 0, most: MAX_WEIGHT }),
    full("headers", Kind::Object(HEADERS)),
];

const DESTINATION: &[Field] = &[
    full("host", Kind::Text),
    full("subset", Kind::Text),
    full("port", Kind::Object(PORT_SELECTOR)),
];

const PORT_SELECTOR: &[Field] = &[full("number", PORT)];

const HEADERS: &[Field] = &[
    full("request", Kind::Object(HEADER_OPERATIONS)),
    full("response", Kind::Object(HEADER_OPERATIONS)),
];

const HEADER_OPERATIONS: &[Field] =
    &[full("set", TEXT_MAP), full("add", TEXT_MAP), full("remove", TEXTS)];

const REDIRECT: &[Field] = &[
    full("uri", Kind::Text),
    full("prefixRewrite", Kind::Text),
    full("authority", Kind::Text),
    full("port", PORT),
    full("derivePort", Kind::Choice(&["FROM_PROTOCOL_DEFAULT", "FROM_REQUEST_PORT"])),
    full("scheme", Kind::Text),
    full("redirectCode", COUNT),
];

const DIRECT_RESPONSE: &[Field] = &[
    full("status", Kind::Integer { least: 200, most: 599 }),
    full("body", Kind::Object(HTTP_BODY)),
];

const HTTP_BODY: &[Field] = &[full("string", Kind::Text), full("bytes", Kind::Text)];

const REWRITE: &[Field] = &[
    full("uri", Kind::Text),
    full("authority", Kind::Text),
    full("uriRegexRewrite", Kind::Object(REGEX_REWRITE)),
];

const REGEX_REWRITE: &[Field] = &[full("match", Kind::Text), full("rewrite", Kind::Text)];

const RETRIES: &[Field] = &[
    full("attempts", COUNT),
    full("perTryTimeout", Kind::Duration),
    full("retryOn", Kind::Text),
    full("retryRemoteLocalities", Kind::Boolean),
    full("retryIgnorePreviousHosts", Kind::Boolean),
    full("backoff", Kind::Duration),
];

const FAULT: &[Field] = &[full("delay", Kind::Object(DELAY)), full("abort", Kind::Object(ABORT))];

const DELAY: &[Field] = &[
    full("fixedDelay", Kind::Duration),
    full("exponentialDelay", Kind::Duration),
    full("percentage", Kind::Object(PERCENTAGE)),
    full("percent", Kind::Percent),
];

const ABORT: &[Field] = &[
    full("httpStatus", Kind::Integer { least: 200, most: 599 }),
    full("grpcStatus", Kind::Text),
    full("http2Error", Kind::Text),
    full("percentage", Kind::Object(PERCENTAGE)),
];

const PERCENTAGE: &[Field] = &[full("value", Kind::Percent)];

const MIRROR: &[Field] =
    &[full("destination", Kind::Object(DESTINATION)), full("percentage", Kind::Object(PERCENTAGE))];

const CORS_POLICY: &[Field] = &[
    full("allowOrigins", Kind::List(&Kind::Object(STRING_MATCH))),
    full("allowOrigin", TEXTS),
    full("allowMethods", TEXTS),
    full("allowHeaders", TEXTS),
    full("exposeHeaders", TEXTS),
    full("maxAge", Kind::Duration),
    full("allowCredentials", Kind::Boolean),
    full("unmatchedPreflights", Kind::Choice(&["UNSPECIFIED", "FORWARD", "IGNORE"])),
];

const DELEGATE: &[Field] = &[full("name", Kind::Text), full("namespace", Kind::Text)];

const TCP: &[Field] = &[
    full("match", Kind::List(&Kind::Object(L4_MATCH))),
    full("route", Kind::List(&Kind::Object(L4_ROUTE))),
];

const TLS: &[Field] = &[
    full("match", Kind::List(&Kind::Object(L4_MATCH))),
    full("route", Kind::List(&Kind::Object(L4_ROUTE))),
];

const L4_MATCH: &[Field] = &[
    full("sniHosts", TEXTS),
    full("destinationSubnets", TEXTS),
    full("port", PORT),
    full("sourceLabels", TEXT_MAP),
    full("sourceSubnet", Kind::Text),
    full("sourceNamespace", Kind::Text),
    full("gateways", TEXTS),
];

const L4_ROUTE: &[Field] = &[
    full("destination", Kind::Object(DESTINATION)),
    full("weight", Kind::Integer { least: 0, most: MAX_WEIGHT }),
];
