//! `DestinationRule`.

use super::{
    field::{COUNT, Field, Kind, PORT, TEXT_MAP, TEXTS, full, inert, kubernetes, not_yet},
    metadata::{API_VERSION, KIND, METADATA, STATUS},
};

pub(crate) const DESTINATION_RULE: &[Field] =
    &[API_VERSION, KIND, METADATA, full("spec", Kind::Object(SPEC)), STATUS];

const SPEC: &[Field] = &[
    full("host", Kind::Text),
    full("trafficPolicy", Kind::Object(TRAFFIC_POLICY)),
    full("subsets", Kind::List(&Kind::Object(SUBSET))),
    kubernetes("exportTo", TEXTS),
    kubernetes("workloadSelector", Kind::Object(WORKLOAD_SELECTOR)),
];

const SUBSET: &[Field] = &[
    full("name", Kind::Text),
    full("labels", TEXT_MAP),
    full("trafficPolicy", Kind::Object(TRAFFIC_POLICY)),
];

const TRAFFIC_POLICY: &[Field] = &[
    full("loadBalancer", Kind::Object(LOAD_BALANCER)),
    full("connectionPool", Kind::Object(CONNECTION_POOL)),
    full("tls", Kind::Object(TLS)),
    inert("outlierDetection", Kind::Object(OUTLIER_DETECTION)),
    inert("retryBudget", Kind::Object(RETRY_BUDGET)),
    not_yet("portLevelSettings", Kind::List(&Kind::Object(PORT_POLICY))),
    not_yet("tunnel", Kind::Object(TUNNEL)),
    not_yet("proxyProtocol", Kind::Object(PROXY_PROTOCOL)),
];

const PORT_POLICY: &[Field] = &[
    full("port", Kind::Object(PORT_SELECTOR)),
    full("loadBalancer", Kind::Object(LOAD_BALANCER)),
    full("connectionPool", Kind::Object(CONNECTION_POOL)),
    full("tls", Kind::Object(TLS)),
    full("outlierDetection", Kind::Object(OUTLIER_DETECTION)),
];

const PORT_SELECTOR: &[Field] = &[full("number", PORT)];

const LOAD_BALANCER: &[Field] = &[
    full("simple", Kind::Choice(BALANCERS)),
    not_yet("consistentHash", Kind::Object(CONSISTENT_HASH)),
    inert("localityLbSetting", Kind::Any),
    inert("zoneAwareLbSetting", Kind::Any),
    inert("warmup", Kind::Object(WARMUP)),
    inert("warmupDurationSecs", Kind::Duration),
];

const BALANCERS: &[&str] =
    &["ROUND_ROBIN", "LEAST_REQUEST", "LEAST_CONN", "RANDOM", "PASSTHROUGH", "UNSPECIFIED"];

const WARMUP: &[Field] = &[
    full("duration", Kind::Duration),
    full("minimumPercent", Kind::Percent),
    full("aggression", Kind::Number),
];

const CONSISTENT_HASH: &[Field] = &[
    full("httpHeaderName", Kind::Text),
    full("httpCookie", Kind::Object(HTTP_COOKIE)),
    full("useSourceIp", Kind::Boolean),
    full("httpQueryParameterName", Kind::Text),
    full("minimumRingSize", COUNT),
    full("ringHash", Kind::Object(RING_HASH)),
    full("maglev", Kind::Object(MAGLEV)),
];

const HTTP_COOKIE: &[Field] = &[
    full("name", Kind::Text),
    full("path", Kind::Text),
    full("ttl", Kind::Duration),
    full("attributes", Kind::Any),
];

const RING_HASH: &[Field] = &[full("minimumRingSize", COUNT)];

const MAGLEV: &[Field] = &[full("tableSize", COUNT)];

const CONNECTION_POOL: &[Field] =
    &[full("tcp", Kind::Object(TCP_SETTINGS)), full("http", Kind::Object(HTTP_SETTINGS))];

const TCP_SETTINGS: &[Field] = &[
    full("maxConnections", COUNT),
    full("connectTimeout", Kind::Duration),
    full("idleTimeout", Kind::Duration),
    inert("tcpKeepalive", Kind::Object(TCP_KEEPALIVE)),
    inert("maxConnectionDuration", Kind::Duration),
];

const TCP_KEEPALIVE: &[Field] =
    &[full("probes", COUNT), full("time", Kind::Duration), full("interval", Kind::Duration)];

const HTTP_SETTINGS: &[Field] = &[
    full("http1MaxPendingRequests", COUNT),
    full("http2MaxRequests", COUNT),
    full("maxRequestsPerConnection", COUNT),
    full("idleTimeout", Kind::Duration),
    full("h2UpgradePolicy", Kind::Choice(&["DEFAULT", "DO_NOT_UPGRADE", "UPGRADE"])),
    inert("maxRetries", COUNT),
    inert("maxConcurrentStreams", COUNT),
    inert("http2KeepAlive", Kind::Object(HTTP2_KEEP_ALIVE)),
    not_yet("useClientProtocol", Kind::Boolean),
];

const HTTP2_KEEP_ALIVE: &[Field] =
    &[full("interval", Kind::Duration), full("timeout", Kind::Duration)];

const OUTLIER_DETECTION: &[Field] = &[
    full("consecutive5xxErrors", COUNT),
    full("consecutiveGatewayErrors", COUNT),
    full("consecutiveLocalOriginFailures", COUNT),
    full("consecutiveErrors", COUNT),
    full("splitExternalLocalOriginErrors", Kind::Boolean),
    full("interval", Kind::Duration),
    full("baseEjectionTime", Kind::Duration),
    full("maxEjectionPercent", Kind::Percent),
    full("minHealthPercent", Kind::Percent),
    full("outlierDetectionHttpErrorCodes", Kind::List(&HTTP_STATUS)),
];

const HTTP_STATUS: Kind = Kind::Integer { least: 100, most: 599 };

const RETRY_BUDGET: &[Field] = &[
    full("percent", Kind::Percent),
    full("minRetryConcurrency", COUNT),
    full("budgetInterval", Kind::Duration),
];

const TUNNEL: &[Field] =
    &[full("protocol", Kind::Text), full("targetHost", Kind::Text), full("targetPort", PORT)];

const PROXY_PROTOCOL: &[Field] = &[full("version", Kind::Choice(&["V1", "V2"]))];

const TLS: &[Field] = &[
    full("mode", Kind::Choice(&["DISABLE", "SIMPLE", "MUTUAL", "ISTIO_MUTUAL"])),
    full("sni", Kind::Text),
    full("caCertificates", Kind::Text),
    full("clientCertificate", Kind::Text),
    full("privateKey", Kind::Text),
    full("insecureSkipVerify", Kind::Boolean),
    kubernetes("credentialName", Kind::Text),
    not_yet("subjectAltNames", TEXTS),
    not_yet("caCrl", Kind::Text),
];

const WORKLOAD_SELECTOR: &[Field] = &[kubernetes("matchLabels", TEXT_MAP)];
