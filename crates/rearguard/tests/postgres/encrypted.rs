//! The same through TLS: what is read along is what is inside it.

use std::{
    fs, io,
    os::unix::fs::{MetadataExt as _, chown},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use rearguard::{
    Error, ErrorKind,
    postgres::{
        PgManager, PgStream, TransactionOptions,
        tokio_postgres::{
            config::SslMode,
            tls::{ChannelBinding, MakeTlsConnect, TlsConnect, TlsStream},
        },
        transaction,
    },
    testing::TestServer,
};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::{Instant, sleep},
};
use tokio_rustls::{
    TlsConnector, client,
    rustls::{ClientConfig, RootCertStore, pki_types::ServerName},
};

use crate::support::{BOUND, plain};

const OPTIONS: TransactionOptions = TransactionOptions::new();

/// A connector as libraries for tokio-postgres have them.
#[derive(Clone)]
struct Rustls(Arc<ClientConfig>);

struct Encrypted(client::TlsStream<PgStream>);

struct For(Rustls, ServerName<'static>);

impl MakeTlsConnect<PgStream> for Rustls {
    type Stream = Encrypted;
    type TlsConnect = For;
    type Error = io::Error;

    fn make_tls_connect(&mut self, domain: &str) -> io::Result<For> {
        let name = ServerName::try_from(domain.to_owned()).map_err(io::Error::other)?;
        Ok(For(self.clone(), name))
    }
}

impl TlsConnect<PgStream> for For {
    type Stream = Encrypted;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<Encrypted>> + Send>>;

    fn connect(self, stream: PgStream) -> Self::Future {
        let Self(Rustls(config), name) = self;
        Box::pin(
            async move { Ok(Encrypted(TlsConnector::from(config).connect(name, stream).await?)) },
        )
    }
}

impl TlsStream for Encrypted {
    fn channel_binding(&self) -> ChannelBinding {
        ChannelBinding::none()
    }
}

impl AsyncRead for Encrypted {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(context, buffer)
    }
}

impl AsyncWrite for Encrypted {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(context)
    }
}

/// Has a server speak TLS, and returns a connector that trusts it.
async fn encrypt(server: &TestServer) -> Rustls {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let owner = fs::metadata(server.folder()).unwrap();
    let write = |name: &str, text: String| {
        let path = server.folder().join(name);
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
        chown(&path, Some(owner.uid()), Some(owner.gid())).unwrap();
        path.display().to_string()
    };
    let certificate = write("certificate.pem", made.cert.pem());
    let key = write("key.pem", made.signing_key.serialize_pem());
    let client = plain(&server.url()).await;
    for sql in [
        format!("ALTER SYSTEM SET ssl_cert_file = '{certificate}'"),
        format!("ALTER SYSTEM SET ssl_key_file = '{key}'"),
        "ALTER SYSTEM SET ssl = on".to_owned(),
        "SELECT pg_reload_conf()".to_owned(),
    ] {
        client.batch_execute(&sql).await.unwrap();
    }
    let mut roots = RootCertStore::empty();
    roots.add(made.cert.der().clone()).unwrap();
    let config = ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
    Rustls(Arc::new(config))
}

#[tokio::test]
async fn every_way_out_is_the_same_within_tls() {
    let server = TestServer::postgres().start().unwrap();
    let rustls = encrypt(&server).await;
    let mut config: rearguard::postgres::tokio_postgres::Config =
        format!("postgres://postgres@localhost:{}/postgres", server.address().port())
            .parse()
            .unwrap();
    config.ssl_mode(SslMode::Require);
    let manager = PgManager::with_tls(config, rustls);
    let begin = Instant::now();
    // The server takes up its new settings in its own time.
    let mut connection = loop {
        match manager.open().await {
            Ok(connection) => break connection,
            Err(error) => assert!(begin.elapsed() < BOUND, "{error}"),
        }
        sleep(Duration::from_millis(10)).await;
    };
    let client = plain(&server.url()).await;
    client.batch_execute("CREATE TABLE names (name text PRIMARY KEY)").await.unwrap();

    let encrypted = transaction(&mut connection, OPTIONS, async |tx| -> Result<bool, Error> {
        tx.execute("INSERT INTO names VALUES ('kept')", &[]).await?;
        let sql = "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()";
        Ok(tx.query_one(sql, &[]).await?.get(0))
    });
    assert!(encrypted.await.unwrap());

    // A swallowed failure, and a BEGIN by hand, are seen in the answers.
    let swallowed = transaction(&mut connection, OPTIONS, async |tx| -> Result<(), Error> {
        drop(tx.batch_execute("SELECT 1/0").await);
        Ok(())
    });
    assert_eq!(swallowed.await.unwrap_err().kind(), ErrorKind::RolledBack);
    connection.client().await.unwrap().batch_execute("BEGIN").await.unwrap();
    let refused = transaction(&mut connection, OPTIONS, async |tx| tx.batch_execute("").await);
    assert_eq!(refused.await.unwrap_err().kind(), ErrorKind::InvalidInput);
    connection.client().await.unwrap().batch_execute("ROLLBACK").await.unwrap();

    // A CancelRequest goes through TLS too.
    let options = OPTIONS.deadline(Duration::from_millis(200));
    let begin = Instant::now();
    let slow = transaction(&mut connection, options, async |tx| {
        tx.batch_execute("SELECT pg_sleep(600)").await
    });
    assert_eq!(slow.await.unwrap_err().kind(), ErrorKind::DeadlinePassed);
    assert!(begin.elapsed() < BOUND);
    let busy = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%pg_sleep(600)%'
        AND state <> 'idle' AND pid <> pg_backend_pid()";
    assert_eq!(client.query_one(busy, &[]).await.unwrap().get::<_, i64>(0), 0);
}
