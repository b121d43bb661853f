//! `Gateway`.

use super::{
    field::{Field, Kind, PORT, TEXT_MAP, TEXTS, full, kubernetes, not_yet},
    metadata::{API_VERSION, KIND, METADATA, STATUS},
};

pub(crate) const GATEWAY: &[Field] =
    &[API_VERSION, KIND, METADATA, full("spec", Kind::Object(SPEC)), STATUS];

const SPEC: &[Field] =
    &[full("servers", Kind::List(&Kind::Object(SERVER))), kubernetes("selector", TEXT_MAP)];

const SERVER: &[Field] = &[
    full("port", Kind::Object(SERVER_PORT)),
    full("hosts", TEXTS),
    full("bind", Kind::Text),
    full("name", Kind::Text),
    full("tls", Kind::Object(TLS)),
    kubernetes("defaultEndpoint", Kind::Text),
];

const SERVER_PORT: &[Field] = &[
    full("number", PORT),
    full("name", Kind::Text),
    full("protocol", Kind::Text),
    kubernetes("targetPort", PORT),
];

const VERSIONS: Kind = Kind::Choice(&["TLS_AUTO", "TLSV1_0", "TLSV1_1", "TLSV1_2", "TLSV1_3"]);

const TLS: &[Field] = &[
    full("mode", Kind::Choice(MODES)),
    full("serverCertificate", Kind::Text),
    full("privateKey", Kind::Text),
    full("caCertificates", Kind::Text),
    full("httpsRedirect", Kind::Boolean),
    kubernetes("credentialName", Kind::Text),
    kubernetes("credentialNames", TEXTS),
    kubernetes("caCertCredentialName", Kind::Text),
    not_yet("tlsCertificates", Kind::List(&Kind::Object(TLS_CERTIFICATE))),
    not_yet("caCrl", Kind::Text),
    not_yet("cipherSuites", TEXTS),
    not_yet("insecureSkipVerify", Kind::Boolean),
    not_yet("minProtocolVersion", VERSIONS),
    not_yet("maxProtocolVersion", VERSIONS),
    not_yet("subjectAltNames", TEXTS),
    not_yet("verifyCertificateHash", TEXTS),
    not_yet("verifyCertificateSpki", TEXTS),
];

const MODES: &[&str] =
    &["SIMPLE", "MUTUAL", "PASSTHROUGH", "AUTO_PASSTHROUGH", "ISTIO_MUTUAL", "OPTIONAL_MUTUAL"];

const TLS_CERTIFICATE: &[Field] = &[
    full("serverCertificate", Kind::Text),
    full("privateKey", Kind::Text),
    full("caCertificates", Kind::Text),
];
