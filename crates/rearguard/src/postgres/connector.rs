//! How sessions are opened: the hosts of a configuration in turn, each with a bound.

use std::{io, net::IpAddr, sync::Arc, time::Duration};

use tokio::{net::lookup_host, time::timeout};
use tokio_postgres::{
    Config, SimpleQueryMessage,
    config::{Host, LoadBalanceHosts, TargetSessionAttrs},
};

use super::{
    IDLE_IN_TRANSACTION_TIMEOUT, encryption::Encryption, session::Session, socket::Address,
    wire::Wire,
};
use crate::{Error, ErrorKind};

/// How long an attempt to open a session may take, for each address of a server, unless the
/// configuration's `connect_timeout` says otherwise.
pub const DEFAULT_CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// How often a server that runs a query looks whether its client is still there. A client that was
/// killed leaves no query behind for longer.
pub const CLIENT_CHECK_INTERVAL: Duration = Duration::from_secs(5);

/// Opens sessions.
#[derive(Clone, Debug)]
pub(super) struct Connector {
    pub(super) config: Config,
    pub(super) encryption: Arc<dyn Encryption>,
}

/// One server to try.
struct Server {
    host: String,
    addresses: Vec<Address>,
}

impl Connector {
    /// Opens a session on the first server that lets it.
    pub(super) async fn open(&self) -> Result<Session, Error> {
        let mut last = failed(ErrorKind::InvalidInput).with("expected", "a host");
        for (index, port) in self.order()? {
            let server = match self.resolve(index, port).await {
                Ok(server) => server,
                Err(error) => {
                    last = failed(ErrorKind::DnsFailed).because(error);
                    continue;
                }
            };
            for address in &server.addresses {
                let limit =
                    self.config.get_connect_timeout().copied().unwrap_or(DEFAULT_CONNECT_TIMEOUT);
                match timeout(limit, self.open_at(&server.host, address)).await {
                    Ok(Ok(session)) => return Ok(session),
                    Ok(Err(error)) => last = error,
                    Err(_) => last = failed(ErrorKind::ConnectTimedOut).retryable(),
                }
                last = last.with("address", format!("{address}"));
            }
        }
        Err(last)
    }

    /// The hosts by number, with their ports, in the order in which they are tried.
    fn order(&self) -> Result<Vec<(usize, u16)>, Error> {
        let (hosts, addresses) = (self.config.get_hosts(), self.config.get_hostaddrs());
        let ports = self.config.get_ports();
        let count = hosts.len().max(addresses.len());
        if !hosts.is_empty() && !addresses.is_empty() && hosts.len() != addresses.len() {
            let found = format!("{} hosts, {} addresses", hosts.len(), addresses.len());
            return Err(failed(ErrorKind::InvalidInput).with("expected as many of each", found));
        }
        if ports.len() > 1 && ports.len() != count {
            let found = format!("{} ports, {count} hosts", ports.len());
            return Err(failed(ErrorKind::InvalidInput).with("expected one or as many", found));
        }
        let port = |index| ports.get(index).or(ports.first()).copied().unwrap_or(5432);
        let mut order: Vec<_> = (0..count).map(|index| (index, port(index))).collect();
        if self.config.get_load_balance_hosts() == LoadBalanceHosts::Random {
            fastrand::shuffle(&mut order);
        }
        Ok(order)
    }

    async fn resolve(&self, index: usize, port: u16) -> io::Result<Server> {
        let host = self.config.get_hosts().get(index);
        let name = match host {
            Some(Host::Tcp(name)) => name.clone(),
            _ => String::new(),
        };
        let address: Option<&IpAddr> = self.config.get_hostaddrs().get(index);
        let addresses = match (address, host) {
            (Some(address), _) => vec![Address::Tcp((*address, port).into())],
            (None, Some(Host::Unix(folder))) => {
                vec![Address::Unix(folder.join(format!(".s.PGSQL.{port}")))]
            }
            (None, _) => lookup_host((name.as_str(), port)).await?.map(Address::Tcp).collect(),
        };
        Ok(Server { host: name, addresses })
    }

    async fn open_at(&self, host: &str, address: &Address) -> Result<Session, Error> {
        let socket = address.connect().await.map_err(connect_error)?;
        let wire = Wire::new();
        let (client, connection) =
            self.encryption.open(&self.config, host, socket, wire.clone()).await?;
        let mut session = Session::begin(
            client,
            connection,
            wire,
            address.clone(),
            host.to_owned(),
            self.encryption.clone(),
        );
        self.check(&session).await?;
        set_up(&session).await?;
        session.prepare().await?;
        Ok(session)
    }

    /// Whether the server is what `target_session_attrs` asks for.
    async fn check(&self, session: &Session) -> Result<(), Error> {
        let wanted = match self.config.get_target_session_attrs() {
            TargetSessionAttrs::ReadWrite => "off",
            TargetSessionAttrs::ReadOnly => "on",
            _ => return Ok(()),
        };
        let answer = session.client().simple_query("SHOW transaction_read_only").await?;
        let read_only = answer.iter().find_map(|message| match message {
            SimpleQueryMessage::Row(row) => row.get(0),
            _ => None,
        });
        if read_only == Some(wanted) {
            return Ok(());
        }
        Err(failed(ErrorKind::Failed)
            .with("expected transaction_read_only", wanted)
            .with("found", read_only.unwrap_or("nothing").to_owned())
            .retryable())
    }
}

/// Sets what bounds a session whose client hangs or is gone, unless the server, the role or the
/// database has a bound of its own. Older servers lack one of the settings.
async fn set_up(session: &Session) -> Result<(), Error> {
    let sql = format!(
        "SELECT set_config(name, CASE name WHEN 'client_connection_check_interval' THEN '{}' \
         ELSE '{}' END, false) FROM pg_catalog.pg_settings WHERE setting = '0' AND name IN \
         ('client_connection_check_interval', 'idle_in_transaction_session_timeout')",
        CLIENT_CHECK_INTERVAL.as_millis(),
        IDLE_IN_TRANSACTION_TIMEOUT.as_millis()
    );
    match session.client().batch_execute(&sql).await {
        // A server whose system cannot tell whether the client is there says so.
        Err(error) if error.as_db_error().is_none() => Err(error.into()),
        _ => Ok(()),
    }
}

fn connect_error(error: io::Error) -> Error {
    let kind = match error.kind() {
        io::ErrorKind::ConnectionRefused | io::ErrorKind::NotFound => ErrorKind::ConnectRefused,
        io::ErrorKind::TimedOut => ErrorKind::ConnectTimedOut,
        io::ErrorKind::ConnectionReset => ErrorKind::Reset,
        _ => ErrorKind::Unreachable,
    };
    failed(kind).because(error).retryable()
}

fn failed(kind: ErrorKind) -> Error {
    Error::new(kind, "postgres.connect")
}
