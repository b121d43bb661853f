//! TLS on the listener and towards services.

use std::{path::PathBuf, sync::Arc};

use config::routing::{
    ListenerTls, TrafficPolicy,
    UpstreamProtocol::{self, Http1, Http2},
    UpstreamTls,
};
use model::Cause;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::{
    ClientConfig, RootCertStore, ServerConfig,
    pki_types::{CertificateDer, PrivateKeyDer, ServerName, pem::PemObject as _},
    server::WebPkiClientVerifier,
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};
use tokio_rustls::{TlsAcceptor, TlsConnector, client};

use crate::support::{
    Answer, Folder, Served, Setup, ask, echo, get, grpc, h2_client, h2_client_on, read_head,
    serve_h2, service, within,
};

/// An authority with a certificate for `svc` and one for a client.
struct Pki {
    folder: Folder,
}

impl Pki {
    fn new(name: &str) -> Self {
        let folder = Folder::new(name);
        let mut params = CertificateParams::new([]).expect("no names");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().expect("a key");
        let authority = CertifiedIssuer::self_signed(params, key).expect("an authority");
        folder.write("ca.pem", &authority.pem());
        for name in ["svc", "client"] {
            let key = KeyPair::generate().expect("a key");
            let params = CertificateParams::new([name.to_owned()]).expect("a name");
            let certificate = params.signed_by(&key, &authority).expect("a certificate");
            folder.write(&format!("{name}.pem"), &certificate.pem());
            folder.write(&format!("{name}.key"), &key.serialize_pem());
        }
        Self { folder }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.0.join(name)
    }

    fn pair(&self, name: &str) -> (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>) {
        let chain = CertificateDer::pem_file_iter(self.path(&format!("{name}.pem")));
        let chain = chain.expect("a file").collect::<Result<_, _>>().expect("certificates");
        let key = PrivateKeyDer::from_pem_file(self.path(&format!("{name}.key"))).expect("a key");
        (chain, key)
    }

    fn roots(&self) -> Arc<RootCertStore> {
        let mut roots = RootCertStore::empty();
        let authority = CertificateDer::from_pem_file(self.path("ca.pem")).expect("a file");
        roots.add(authority).expect("an authority");
        Arc::new(roots)
    }

    fn listener(&self, mutual: bool) -> ListenerTls {
        ListenerTls {
            certificate: self.path("svc.pem"),
            private_key: self.path("svc.key"),
            client_authorities: mutual.then(|| self.path("ca.pem")),
        }
    }

    fn upstream(&self) -> UpstreamTls {
        UpstreamTls { authorities: Some(self.path("ca.pem")), ..UpstreamTls::default() }
    }

    fn acceptor(&self, alpn: &[&str], mutual: bool) -> TlsAcceptor {
        let (chain, key) = self.pair("svc");
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .expect("versions");
        let builder = if mutual {
            let verifier = WebPkiClientVerifier::builder_with_provider(self.roots(), provider);
            builder.with_client_cert_verifier(verifier.build().expect("a verifier"))
        } else {
            builder.with_no_client_auth()
        };
        let mut config = builder.with_single_cert(chain, key).expect("a pair");
        config.alpn_protocols = alpn.iter().map(|name| name.as_bytes().to_vec()).collect();
        TlsAcceptor::from(Arc::new(config))
    }

    /// Connects to a gateway with TLS.
    async fn connect(
        &self,
        gateway: std::net::SocketAddr,
        alpn: &[&str],
        certificate: Option<&str>,
    ) -> std::io::Result<client::TlsStream<TcpStream>> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_root_certificates(self.roots());
        let mut config = match certificate {
            Some(name) => {
                let (chain, key) = self.pair(name);
                builder.with_client_auth_cert(chain, key).expect("a pair")
            }
            None => builder.with_no_client_auth(),
        };
        config.alpn_protocols = alpn.iter().map(|name| name.as_bytes().to_vec()).collect();
        let tcp = TcpStream::connect(gateway).await.expect("a connection");
        let name = ServerName::try_from("svc").expect("a name");
        TlsConnector::from(Arc::new(config)).connect(name, tcp).await
    }
}

/// A service behind TLS, which says by which name it was called, over HTTP/1.1 or HTTP/2.
async fn tls_service(acceptor: TlsAcceptor) -> Served {
    service(move |tcp, _| {
        let acceptor = acceptor.clone();
        async move {
            let Ok(mut stream) = acceptor.accept(tcp).await else { return };
            if stream.get_ref().1.alpn_protocol() == Some(b"h2") {
                return serve_h2(stream, echo).await;
            }
            let mut head = [0; 4096];
            while stream.read(&mut head).await.is_ok_and(|count| count > 0) {
                let name = stream.get_ref().1.server_name().unwrap_or_default().to_owned();
                let answer =
                    format!("HTTP/1.1 200 OK\r\nsni: {name}\r\ncontent-length: 2\r\n\r\nok");
                drop(stream.write_all(answer.as_bytes()).await);
            }
        }
    })
    .await
}

async fn through(
    protocol: UpstreamProtocol,
    service: &Served,
    tls: UpstreamTls,
) -> (Answer, Option<Cause>) {
    let mut setup = Setup::new(protocol, service.address);
    setup.policy = TrafficPolicy { tls: Some(tls), ..TrafficPolicy::default() };
    let gateway = setup.start();
    let client = h2_client(gateway.address).await;
    let answer = ask(&client, get("/")).await.expect("an answer");
    let cause = match answer.status {
        200 => None,
        _ => gateway.failure().await.cause,
    };
    (answer, cause)
}

#[tokio::test]
async fn the_listener_offers_http2_and_http1() {
    let pki = Pki::new("alpn");
    let service = crate::support::h2_service(echo).await;
    let mut setup = Setup::new(Http2, service.address);
    setup.tls = Some(pki.listener(false));
    let gateway = setup.start();
    for alpn in [&["h2", "http/1.1"][..], &["h2"]] {
        let stream = pki.connect(gateway.address, alpn, None).await.expect("a handshake");
        assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
        let client = h2_client_on(stream).await;
        let answer = ask(&client, get("/")).await.expect("an answer");
        assert_eq!((answer.status, answer.header("seen-x-forwarded-proto")), (200, "https"));
    }
    for alpn in [&["http/1.1"][..], &[]] {
        let mut stream = pki.connect(gateway.address, alpn, None).await.expect("a handshake");
        stream.write_all(b"GET / HTTP/1.1\r\nHost: svc\r\n\r\n").await.expect("sent");
        let (head, _) = read_head(&mut stream).await;
        assert!(head.starts_with("http/1.1 200 ok\r\n"), "{head}");
        assert!(head.contains("\r\nseen-x-forwarded-proto: https\r\n"), "{head}");
    }
}

#[tokio::test]
async fn a_listener_with_client_authorities_wants_a_certificate() {
    let pki = Pki::new("mutual-listener");
    let other = Pki::new("mutual-listener-other");
    let service = crate::support::h2_service(echo).await;
    let mut setup = Setup::new(Http2, service.address);
    setup.tls = Some(pki.listener(true));
    let gateway = setup.start();
    let stream = pki.connect(gateway.address, &["h2"], Some("client")).await.expect("a handshake");
    let client = h2_client_on(stream).await;
    assert_eq!(ask(&client, get("/")).await.expect("an answer").status, 200);
    // In TLS 1.3 the client learns of it when it reads.
    let mut none = pki.connect(gateway.address, &["http/1.1"], None).await.expect("a handshake");
    assert!(within(none.read(&mut [0])).await.is_err());
    let (chain, key) = other.pair("client");
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_root_certificates(pki.roots())
        .with_client_auth_cert(chain, key)
        .expect("a pair");
    let tcp = TcpStream::connect(gateway.address).await.expect("a connection");
    let name = ServerName::try_from("svc").expect("a name");
    let mut foreign = TlsConnector::from(Arc::new(config)).connect(name, tcp).await.expect("half");
    assert!(within(foreign.read(&mut [0])).await.is_err());
}

#[tokio::test]
async fn a_service_behind_tls_is_reached_over_http1_and_http2() {
    let pki = Pki::new("upstream");
    let service = tls_service(pki.acceptor(&["h2", "http/1.1"], false)).await;
    let (answer, _) = through(Http1, &service, pki.upstream()).await;
    assert_eq!((answer.status, answer.header("sni")), (200, "svc"), "{}", answer.text());
    let (answer, _) = through(Http2, &service, pki.upstream()).await;
    assert_eq!((answer.status, answer.header("seen-scheme")), (200, "https"), "{}", answer.text());
}

#[tokio::test]
async fn the_name_to_ask_for_can_be_given() {
    let pki = Pki::new("sni");
    let service = tls_service(pki.acceptor(&["http/1.1"], false)).await;
    let named = |name: &str| UpstreamTls { server_name: Some(name.to_owned()), ..pki.upstream() };
    let (answer, _) = through(Http1, &service, named("svc")).await;
    assert_eq!((answer.status, answer.header("sni")), (200, "svc"));
    let (answer, cause) = through(Http1, &service, named("other")).await;
    assert_eq!((answer.status, cause), (502, Some(Cause::UpstreamTlsFailed)));
    assert!(answer.header("proxy-status").contains("error=tls_certificate_error"), "{answer:?}");
}

#[tokio::test]
async fn a_certificate_of_an_unknown_authority_is_refused_unless_it_is_not_checked() {
    let (pki, other) = (Pki::new("wrong"), Pki::new("wrong-other"));
    let service = tls_service(pki.acceptor(&["h2", "http/1.1"], false)).await;
    for protocol in [Http1, Http2] {
        let (answer, cause) = through(protocol, &service, other.upstream()).await;
        assert_eq!((answer.status, cause), (502, Some(Cause::UpstreamTlsFailed)));
        let expected = "rearguard; error=tls_certificate_error; details=\"upstream.tls_failed\"";
        assert_eq!(answer.header("proxy-status"), expected);
        assert!(answer.text().contains("invalid peer certificate"), "{}", answer.text());
        let trusting = UpstreamTls { skip_verification: true, ..other.upstream() };
        assert_eq!(through(protocol, &service, trusting).await.0.status, 200);
    }
}

#[tokio::test]
async fn what_is_no_tls_is_a_protocol_error_and_no_matter_of_certificates() {
    let pki = Pki::new("plain");
    let service = service(|mut stream, _| async move {
        drop(stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await);
        drop(stream.read(&mut [0]).await);
    })
    .await;
    for protocol in [Http1, Http2] {
        let (answer, cause) = through(protocol, &service, pki.upstream()).await;
        assert_eq!((answer.status, cause), (502, Some(Cause::UpstreamTlsFailed)));
        assert!(answer.header("proxy-status").contains("error=tls_protocol_error"), "{answer:?}");
    }
}

#[tokio::test]
async fn a_service_that_does_not_agree_on_http2_is_not_spoken_to_in_it() {
    let pki = Pki::new("no-h2");
    for alpn in [&["http/1.1"][..], &[]] {
        let service = tls_service(pki.acceptor(alpn, false)).await;
        let (answer, cause) = through(Http2, &service, pki.upstream()).await;
        assert_eq!((answer.status, cause), (502, Some(Cause::UpstreamTlsFailed)), "{alpn:?}");
    }
}

#[tokio::test]
async fn a_service_can_ask_for_a_certificate() {
    let pki = Pki::new("mutual");
    let service = tls_service(pki.acceptor(&["h2", "http/1.1"], true)).await;
    let ours = UpstreamTls {
        client_certificate: Some(pki.path("client.pem")),
        client_key: Some(pki.path("client.key")),
        ..pki.upstream()
    };
    for protocol in [Http1, Http2] {
        let (answer, _) = through(protocol, &service, ours.clone()).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        // In TLS 1.3 the service refuses only once the handshake is over on this side.
        let (answer, cause) = through(protocol, &service, pki.upstream()).await;
        assert_eq!(
            (answer.status, cause),
            (502, Some(Cause::UpstreamTlsFailed)),
            "{}",
            answer.text()
        );
    }
}

#[tokio::test]
async fn grpc_passes_over_tls_on_both_sides() {
    let pki = Pki::new("grpcs");
    let service = tls_service(pki.acceptor(&["h2"], false)).await;
    let mut setup = Setup::new(Http2, service.address);
    setup.policy = TrafficPolicy { tls: Some(pki.upstream()), ..TrafficPolicy::default() };
    setup.tls = Some(pki.listener(false));
    let gateway = setup.start();
    let stream = pki.connect(gateway.address, &["h2"], None).await.expect("a handshake");
    let client = h2_client_on(stream).await;
    let answer = ask(&client, grpc("/pkg.Service/Method")).await.expect("an answer");
    assert_eq!((answer.status, answer.header("seen-te")), (200, "trailers"));
}
