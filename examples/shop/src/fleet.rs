//! All that the shop is made of, opened in one scope: what was opened last is closed first.

use std::{
    error::Error,
    io::{self, Write},
    net::SocketAddr,
    time::Duration,
};

use axum::Router;
use rearguard::{
    OwnedScope, Reaper,
    client::{Client, ClientOptions},
    layers::AfterResponse,
    lock::{LockManager, RedisStore},
    testing::TestServer,
};
use tokio::sync::watch;

use crate::{
    database::{self, Database},
    serve,
    services::{
        accounts, catalog,
        neighbours::Neighbours,
        orders::{self, Orders},
        payments,
        receipts::{self, Removed},
        stats::{self, Held},
    },
    settings::Settings,
};

/// Where the services are.
#[derive(Debug)]
pub(crate) struct Fleet {
    services: Vec<(&'static str, SocketAddr)>,
    database_url: String,
    redis_url: String,
    stop: watch::Sender<bool>,
}

/// What each service has.
const ROUTES: [(&str, &[&str]); 5] = [
    ("catalog", &["GET /products", "POST /reserve", "POST /release"]),
    ("payments", &["POST /charge", "POST /refund"]),
    (
        "accounts",
        &[
            "GET /accounts",
            "POST /transfer?from=ada&to=ben&amount=100[&fail=between|panic|timeout|cancel]",
        ],
    ),
    (
        "orders",
        &[
            "POST /checkout?product=tea&count=1&account=ada[&fail=…], with an Idempotency-Key",
            "GET /orders",
            "GET /receipt?cleanup=deferred|after_response",
        ],
    ),
    ("stats", &["GET /stats"]),
];

impl Fleet {
    /// Starts everything. What was opened is closed by the scope, also where this fails half way.
    pub(crate) async fn start(
        scope: &mut OwnedScope,
        settings: &Settings,
    ) -> Result<Self, Box<dyn Error>> {
        let postgres = settings.database_url.clone();
        let database_url = url_or_server(scope, postgres, || TestServer::postgres().start())?;
        let redis = settings.redis_url.clone();
        let redis_url = url_or_server(scope, redis, || TestServer::redis().start())?;
        let mut databases = Vec::new();
        for name in ["catalog", "payments", "accounts", "orders"] {
            databases.push(open_database(scope, &database_url, name, settings.grace)?);
        }
        let [catalog, payments, accounts, orders] = &databases[..] else { unreachable!("four") };
        database::install(orders).await?;
        let locks = LockManager::new(RedisStore::new(redis_url.as_str())?);
        let locks = locks.with_tokens(database::tokens(&database_url).await?);
        let client = open_client(scope, settings.grace);
        let (stop, stopped) = watch::channel(false);
        let mut fleet = Self { services: Vec::new(), database_url, redis_url, stop };
        fleet.serve(scope, settings, "catalog", catalog::routes(catalog.clone()), &stopped).await?;
        fleet
            .serve(scope, settings, "payments", payments::routes(payments.clone()), &stopped)
            .await?;
        fleet
            .serve(scope, settings, "accounts", accounts::routes(accounts.clone()), &stopped)
            .await?;
        let neighbours = Neighbours {
            client: client.clone(),
            catalog: fleet.url("catalog"),
            payments: fleet.url("payments"),
        };
        let removed = Removed::default();
        let orders = Orders { database: orders.clone(), locks: locks.clone(), neighbours };
        let routes = orders::routes(orders).merge(receipts::routes(removed.clone()));
        fleet.serve(scope, settings, "orders", routes, &stopped).await?;
        let held = Held { databases: databases.clone(), locks, client, removed };
        fleet.serve(scope, settings, "stats", stats::routes(held), &stopped).await?;
        defer_draining(scope, settings.grace);
        Ok(fleet)
    }

    async fn serve(
        &mut self,
        scope: &mut OwnedScope,
        settings: &Settings,
        name: &'static str,
        routes: Router,
        stopped: &watch::Receiver<bool>,
    ) -> io::Result<()> {
        let index = u16::try_from(self.services.len()).unwrap_or_default();
        let port = settings.port.map_or(0, |port| port + index);
        let address =
            serve::start(scope, name, port, settings.timeout, routes, stopped.clone()).await?;
        self.services.push((name, address));
        Ok(())
    }

    fn url(&self, service: &str) -> String {
        let found = self.services.iter().find(|(name, _)| *name == service);
        found.map(|(_, address)| format!("http://{address}")).unwrap_or_default()
    }

    /// Lets no more requests in.
    pub(crate) fn stop(&self) {
        self.stop.send_replace(true);
    }

    /// Says where everything is, and how to put the gateway before it.
    pub(crate) fn describe(&self, out: &mut impl Write) -> io::Result<()> {
        for (service, routes) in ROUTES {
            writeln!(out, "{service:<9} {}", self.url(service))?;
            for route in routes {
                writeln!(out, "          {route}")?;
            }
        }
        writeln!(out, "database  {}", self.database_url)?;
        writeln!(out, "redis     {}", self.redis_url)?;
        write!(out, "gateway:  rearguard up")?;
        for (service, address) in self.services.iter().filter(|(name, _)| *name != "stats") {
            write!(out, " --upstream {service}.local=http://{address}")?;
        }
        writeln!(out)?;
        out.flush()
    }
}

/// The URL that is given, or that of a server which is started, and thrown away at the end.
fn url_or_server(
    scope: &mut OwnedScope,
    url: Option<String>,
    start: impl FnOnce() -> Result<TestServer, rearguard::Error>,
) -> Result<String, rearguard::Error> {
    if let Some(url) = url {
        return Ok(url);
    }
    let server = start()?;
    let url = server.url();
    scope.defer(async move { drop(server) });
    Ok(url)
}

fn open_database(
    scope: &mut OwnedScope,
    url: &str,
    name: &'static str,
    bound: Duration,
) -> Result<Database, rearguard::Error> {
    let database = database::open(url, name)?;
    let closing = database.clone();
    scope.defer(async move {
        let left = closing.close(bound).await;
        let count = left.holders.len() + left.ending;
        if count == 0 { Ok(()) } else { Err(format!("{count} connections of {name} are left")) }
    });
    Ok(database)
}

fn open_client(scope: &mut OwnedScope, bound: Duration) -> Client {
    let client = Client::new(ClientOptions::new());
    let closing = client.clone();
    scope.defer(async move {
        match closing.close(bound).await {
            0 => Ok(()),
            cut => Err(format!("{cut} requests to neighbours were cut off")),
        }
    });
    client
}

/// What requests left to be done after their answers, and what was cancelled.
fn defer_draining(scope: &mut OwnedScope, bound: Duration) {
    scope.defer(async move {
        let after = AfterResponse::global().drain(bound).await;
        let reaper = Reaper::global().drain(bound).await;
        let count = after.waiting + after.running + reaper.waiting;
        if count == 0 { Ok(()) } else { Err(format!("{count} cleanups are left")) }
    });
}
