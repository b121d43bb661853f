//! TLS by rustls, on the listener and towards services.

use std::{io, path::Path, sync::Arc};

use config::routing::{ListenerTls, UpstreamProtocol, UpstreamTls};
use rustls::{
    ClientConfig, DigitallySignedStruct, RootCertStore, ServerConfig, SignatureScheme,
    client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    crypto::CryptoProvider,
    pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime, pem::PemObject as _},
    server::WebPkiClientVerifier,
};
use tokio::net::TcpStream;
use tokio_rustls::{TlsAcceptor, TlsConnector};

use crate::{router::host_of, stream::Stream};

/// A certificate, key or authority cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("{what} {path}: {problem}")]
pub struct TlsError {
    what: &'static str,
    path: String,
    problem: String,
}

impl TlsError {
    fn new(what: &'static str, path: &Path, problem: impl ToString) -> Self {
        Self { what, path: path.display().to_string(), problem: problem.to_string() }
    }
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

fn certificates(what: &'static str, path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let read = CertificateDer::pem_file_iter(path).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    let found = read.map_err(|error| TlsError::new(what, path, error))?;
    if found.is_empty() {
        return Err(TlsError::new(what, path, "expected at least one PEM certificate, found none"));
    }
    Ok(found)
}

fn key(what: &'static str, path: &Path) -> Result<PrivateKeyDer<'static>, TlsError> {
    PrivateKeyDer::from_pem_file(path).map_err(|error| TlsError::new(what, path, error))
}

fn roots(what: &'static str, path: &Path) -> Result<RootCertStore, TlsError> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(what, path)? {
        roots.add(certificate).map_err(|error| TlsError::new(what, path, error))?;
    }
    Ok(roots)
}

/// The listener's side, offering HTTP/2 and HTTP/1.1.
pub(crate) fn acceptor(tls: &ListenerTls) -> Result<TlsAcceptor, TlsError> {
    let chain = certificates("the certificate", &tls.certificate)?;
    let private = key("the private key", &tls.private_key)?;
    let bad_pair = |error: rustls::Error| TlsError::new("the private key", &tls.private_key, error);
    let builder = ServerConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .map_err(bad_pair)?;
    let builder = match &tls.client_authorities {
        None => builder.with_no_client_auth(),
        Some(path) => {
            let roots = Arc::new(roots("the client authorities", path)?);
            let verifier = WebPkiClientVerifier::builder_with_provider(roots, provider())
                .build()
                .map_err(|error| TlsError::new("the client authorities", path, error))?;
            builder.with_client_cert_verifier(verifier)
        }
    };
    let mut config = builder.with_single_cert(chain, private).map_err(bad_pair)?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(TlsAcceptor::from(Arc::new(config)))
}

/// The gateway's side towards one service.
pub(crate) struct UpstreamConnector {
    connector: TlsConnector,
    name: ServerName<'static>,
}

impl std::fmt::Debug for UpstreamConnector {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("UpstreamConnector").field("name", &self.name).finish_non_exhaustive()
    }
}

impl UpstreamConnector {
    pub(crate) fn new(
        tls: &UpstreamTls,
        service: &str,
        protocol: UpstreamProtocol,
    ) -> Result<Self, TlsError> {
        let wanted = tls.server_name.as_deref().unwrap_or_else(|| host_of(service));
        let name = ServerName::try_from(wanted.trim_matches(['[', ']']).to_owned())
            .map_err(|error| TlsError::new("the server name", Path::new(wanted), error))?;
        let builder = ClientConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .map_err(|error| TlsError::new("TLS towards", Path::new(service), error))?;
        let builder = if tls.skip_verification {
            builder
                .dangerous()
                .with_custom_certificate_verifier(Arc::new(NoVerification(provider())))
        } else {
            builder.with_root_certificates(match &tls.authorities {
                Some(path) => roots("the authorities", path)?,
                None => system_roots(),
            })
        };
        let mut config = match (&tls.client_certificate, &tls.client_key) {
            (Some(certificate), Some(private)) => builder
                .with_client_auth_cert(
                    certificates("the client certificate", certificate)?,
                    key("the client key", private)?,
                )
                .map_err(|error| TlsError::new("the client key", private, error))?,
            _ => builder.with_no_client_auth(),
        };
        config.alpn_protocols = vec![match protocol {
            UpstreamProtocol::Http1 => b"http/1.1".to_vec(),
            UpstreamProtocol::Http2 => b"h2".to_vec(),
        }];
        Ok(Self { connector: TlsConnector::from(Arc::new(config)), name })
    }

    pub(crate) async fn connect(&self, tcp: TcpStream) -> io::Result<Stream> {
        let stream = self.connector.connect(self.name.clone(), tcp).await?;
        Ok(Stream::ClientTls(Box::new(stream)))
    }
}

/// The system's authorities; a certificate among them that cannot be read is left out.
fn system_roots() -> RootCertStore {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    roots
}

/// `insecureSkipVerify`: whoever answers is believed; the handshake's signatures still have to
/// fit. The configuration warns of it.
#[derive(Debug)]
struct NoVerification(Arc<CryptoProvider>);

impl ServerCertVerifier for NoVerification {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        rustls::crypto::verify_tls12_signature(message, certificate, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
