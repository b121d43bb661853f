//! One session with a server, and what it takes to bring it to idle: wait, cancel, roll back.

use std::{future::poll_fn, sync::Arc, task::Poll, time::Duration};

use tokio::{
    io::AsyncReadExt,
    sync::{mpsc, oneshot},
    time::timeout,
};
use tokio_postgres::{Client, Statement};

use super::{
    encryption::{Driven, Encryption},
    socket::Address,
    stats::STATS,
    wire::{Status, Wire},
};
use crate::{Error, ErrorKind, transactions::Counters};

/// How long a CancelRequest may take: to connect, to be sent, and to be taken in by the server.
pub const CANCEL_TIMEOUT: Duration = Duration::from_secs(2);

/// How long a ROLLBACK may take, and the end of a query that was cancelled.
pub const ROLLBACK_TIMEOUT: Duration = Duration::from_secs(5);

/// How long the server has to take note that a session is closed.
pub const CLOSE_TIMEOUT: Duration = Duration::from_secs(1);

/// How often ROLLBACK is sent, should a cancel that was meant for the query before have hit it.
const ROLLBACKS: usize = 2;

/// Asks for the transaction's number, which it has from its first write on.
const QUESTION: &str = "SELECT pg_catalog.pg_current_xact_id_if_assigned()::pg_catalog.text";

/// How many may wait for the driver at a time: a session has one user.
const WAITING_FOR_DRIVER: usize = 4;

/// A client, and the task that reads and writes for it.
#[derive(Debug)]
pub(super) struct Session {
    // Dropped first: that is what tells the driver to end.
    client: Arc<Client>,
    wire: Arc<Wire>,
    address: Address,
    host: String,
    encryption: Arc<dyn Encryption>,
    /// Asks the driver to write what it has and to answer.
    driver: mpsc::Sender<oneshot::Sender<()>>,
    question: Option<Statement>,
    /// Its user was given the client as it is, so there may be requests that nobody waits for.
    pub(super) lent_raw: bool,
}

impl Session {
    pub(super) fn begin(
        client: Client,
        connection: Box<dyn Driven>,
        wire: Arc<Wire>,
        address: Address,
        host: String,
        encryption: Arc<dyn Encryption>,
    ) -> Self {
        let (driver, asked) = mpsc::channel(WAITING_FOR_DRIVER);
        drop(tokio::spawn(drive(connection, asked, wire.clone())));
        let client = Arc::new(client);
        Self { client, wire, address, host, encryption, driver, question: None, lent_raw: false }
    }

    pub(super) fn client(&self) -> &Arc<Client> {
        &self.client
    }

    pub(super) fn wire(&self) -> &Arc<Wire> {
        &self.wire
    }

    /// The question for a transaction's number, prepared. `None` where the server does not know it.
    pub(super) fn question(&self) -> Option<&Statement> {
        self.question.as_ref()
    }

    /// Prepares what every transaction needs.
    pub(super) async fn prepare(&mut self) -> Result<(), Error> {
        match self.client.prepare(QUESTION).await {
            Ok(question) => self.question = Some(question),
            // Not PostgreSQL, or one before 13.
            Err(error) if error.as_db_error().is_some() => {}
            Err(error) => return Err(error.into()),
        }
        Ok(())
    }

    pub(super) fn is_closed(&self) -> bool {
        self.wire.is_closed() || self.client.is_closed()
    }

    /// Waits until all that was asked for so far is written, be it by a future that was dropped: from
    /// here on the wire knows of it. No round trip.
    pub(super) async fn flush(&self) {
        let (done, answer) = oneshot::channel();
        if self.driver.send(done).await.is_ok() {
            // An error is a driver that has ended: the wire says that it is closed.
            drop(answer.await);
        }
    }

    /// Brings the session to idle, whatever it is in the middle of. What runs is cancelled, after
    /// `patience`.
    ///
    /// # Errors
    /// Where that cannot be done in time: it must be closed.
    pub(super) async fn reset(&mut self, patience: Duration) -> Result<(), Error> {
        self.flush().await;
        if self.wire.is_busy() && timeout(patience, self.wire.quiet()).await.is_err() {
            self.cancel().await?;
        }
        if !self.wire.is_busy() && self.wire.status() == Status::Idle && !self.is_closed() {
            self.lent_raw = false;
            return Ok(());
        }
        self.rollback().await
    }

    /// Sends ROLLBACK, and waits for the answer.
    async fn rollback(&mut self) -> Result<(), Error> {
        let mut last = failed(ErrorKind::ClosedBeforeResponse);
        for _ in 0..ROLLBACKS {
            match timeout(ROLLBACK_TIMEOUT, self.client.batch_execute("ROLLBACK")).await {
                Err(_) => return Err(failed(ErrorKind::ResponseTimedOut)),
                Ok(Err(error)) => last = error.into(),
                Ok(Ok(())) => {}
            }
            if self.is_closed() {
                break;
            }
            // It was the newest request, and it is answered.
            self.wire.settled();
            if self.wire.status() == Status::Idle {
                self.lent_raw = false;
                return Ok(());
            }
        }
        Err(last)
    }

    /// Cancels what runs. When this is done the server has taken the request in, so that it hits
    /// nothing that is sent after it.
    ///
    /// # Errors
    /// Where the request did not get through in time.
    pub(super) async fn cancel(&self) -> Result<(), Error> {
        Counters::count(&STATS.queries_cancelled);
        let failed = || Error::new(ErrorKind::Cancelled, "postgres.cancel");
        let ask = async {
            let socket = self.address.connect().await.map_err(|error| failed().because(error))?;
            let (socket, mut end) = socket.share();
            let token = self.client.cancel_token();
            self.encryption.cancel(&token, &self.host, socket).await?;
            // The server closes its end when it has signalled the session.
            let mut rest = [0; 64];
            while matches!(end.read(&mut rest).await, Ok(count) if count > 0) {}
            Ok(())
        };
        timeout(CANCEL_TIMEOUT, ask)
            .await
            .unwrap_or_else(|_| Err(failed().with("within", format!("{CANCEL_TIMEOUT:?}"))))
    }

    /// Ends it: cancels what runs, says goodbye where it is idle, and waits a little for the
    /// server to see it.
    pub(super) async fn close(self) {
        self.flush().await;
        if self.wire.is_busy() && !self.is_closed() {
            // The connection is closed in any case.
            drop(self.cancel().await);
            drop(timeout(CLOSE_TIMEOUT, self.wire.quiet()).await);
        }
        let Self { client, driver, .. } = self;
        drop(client);
        // It keeps the other end until it has closed the socket.
        drop(timeout(CLOSE_TIMEOUT, driver.closed()).await);
    }
}

/// Reads and writes for a client until it is dropped. What is due then is not waited for.
async fn drive(
    mut connection: Box<dyn Driven>,
    mut asked: mpsc::Receiver<oneshot::Sender<()>>,
    wire: Arc<Wire>,
) {
    let mut waiting = Vec::with_capacity(WAITING_FOR_DRIVER);
    poll_fn(|context| {
        let mut gone = false;
        while let Poll::Ready(done) = asked.poll_recv(context) {
            match done {
                Some(done) => waiting.push(done),
                None => {
                    gone = true;
                    break;
                }
            }
        }
        // Notices and notifications have nobody to go to.
        while let Poll::Ready(message) = connection.poll_message(context) {
            if !matches!(message, Some(Ok(_))) {
                return Poll::Ready(());
            }
        }
        // Polled until there was nothing left to write.
        for done in waiting.drain(..) {
            // Who asked may have gone.
            done.send(()).ok();
        }
        if gone && wire.is_busy() { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
    wire.close();
    drop(connection);
}

fn failed(kind: ErrorKind) -> Error {
    Error::new(kind, "postgres.rollback")
}
