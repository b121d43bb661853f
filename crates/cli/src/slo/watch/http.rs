//! Asking and telling over HTTP and HTTPS.

use std::{sync::Arc, time::Duration};

use ureq::{
    Agent, Body,
    http::Response,
    tls::{Certificate, RootCerts, TlsConfig, TlsProvider},
};

/// For all of a request, from the name's resolution to the end of the answer.
pub(crate) const TIMEOUT: Duration = Duration::from_secs(5);

/// So much of an answer is read.
const MAX_ANSWER_BYTES: u64 = 1 << 20;

/// A client that trusts whom the system trusts, or whom `SSL_CERT_FILE` and `SSL_CERT_DIR` say,
/// follows no redirect, and gives up after [`TIMEOUT`].
///
/// Gives, beside it, why certificates could not be read: those are not trusted then.
pub(crate) fn agent() -> (Agent, Vec<String>) {
    agent_within(TIMEOUT)
}

/// The same, giving up after `timeout`.
pub(crate) fn agent_within(timeout: Duration) -> (Agent, Vec<String>) {
    let found = rustls_native_certs::load_native_certs();
    let roots: Vec<_> =
        found.certs.iter().map(|it| Certificate::from_der(it.as_ref()).to_owned()).collect();
    let tls = TlsConfig::builder()
        .provider(TlsProvider::Rustls)
        .root_certs(RootCerts::new_with_certs(&roots))
        .unversioned_rustls_crypto_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .build();
    let config = Agent::config_builder()
        .timeout_global(Some(timeout))
        .max_redirects(0)
        .http_status_as_error(false)
        .proxy(None)
        .user_agent(concat!("rearguard/", env!("CARGO_PKG_VERSION")))
        .tls_config(tls)
        .build();
    let problems = found.errors.iter().map(ToString::to_string).collect();
    (Agent::new_with_config(config), problems)
}

/// Posts JSON; 2xx is a success.
pub(crate) fn post(agent: &Agent, address: &str, body: &str) -> Result<(), String> {
    let sent = agent.post(address).header("content-type", "application/json").send(body);
    let mut answer = sent.map_err(|error| error.to_string())?;
    if answer.status().is_success() {
        return Ok(());
    }
    Err(refusal(&mut answer))
}

/// Gets a text; 2xx is a success.
pub(crate) fn get(agent: &Agent, address: &str, query: &[(&str, &str)]) -> Result<String, String> {
    let asked = agent.get(address).query_pairs(query.iter().copied()).call();
    let mut answer = asked.map_err(|error| error.to_string())?;
    if answer.status().is_success() {
        return text(&mut answer).map_err(|error| error.to_string());
    }
    Err(refusal(&mut answer))
}

fn text(answer: &mut Response<Body>) -> Result<String, ureq::Error> {
    answer.body_mut().with_config().limit(MAX_ANSWER_BYTES).read_to_string()
}

/// The status, and the beginning of what was said with it.
fn refusal(answer: &mut Response<Body>) -> String {
    let said: String = text(answer).unwrap_or_default().chars().take(200).collect();
    format!("{} {}", answer.status(), said.trim()).trim_end().to_owned()
}
