//! The database, as its owner sees it.

use tokio_postgres::NoTls;

/// Sessions of the shop; those in a transaction; locks of rows and tables that are waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Sessions {
    pub(crate) all: i64,
    pub(crate) in_transaction: i64,
}

/// Looks at `pg_stat_activity`.
pub(crate) async fn sessions(url: &str) -> Sessions {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await.unwrap();
    let connection = tokio::spawn(connection);
    let sql = "SELECT count(*), count(*) FILTER (WHERE xact_start IS NOT NULL)
               FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()";
    let row = client.query_one(sql, &[]).await.unwrap();
    drop(client);
    connection.await.unwrap().unwrap();
    Sessions { all: row.get(0), in_transaction: row.get(1) }
}
