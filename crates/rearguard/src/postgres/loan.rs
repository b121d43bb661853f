//! A session while a transaction has it, and what the transaction has sent so far.

use std::{
    fmt,
    future::{Future, poll_fn},
    pin::{Pin, pin},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering::Relaxed},
    },
    task::{Context, Poll, Waker},
    time::Duration,
};

use tokio::sync::oneshot;
use tokio_postgres::Row;

use super::{
    PgManager, TransactionOptions,
    connector::Connector,
    options::Access,
    session::Session,
    sqlstate::{Policy, SqlState},
    stats::{OPEN, STATS},
};
use crate::{
    Error, ErrorKind,
    pool::Lease,
    transactions::{Counters, Open},
};

/// What the server answers (in_failed_sql_transaction) to whoever goes on all the same.
const FAILED_BEFORE: &str = "25P02";

/// What the server answers (invalid_sql_statement_name) where somebody has sent DISCARD ALL or DEALLOCATE
/// ALL, and so dropped the question.
const QUESTION_DROPPED: &str = "26000";

/// An answer that is due, or has come.
type Answer<T> = Pin<Box<dyn Future<Output = Result<T, tokio_postgres::Error>> + Send>>;

/// A session that was taken from a connection, which may itself be lent by a pool.
pub struct Taken {
    pub(super) session: Session,
    pub(super) connector: Arc<Connector>,
    /// Where it goes back to.
    pub(super) back: oneshot::Sender<Session>,
    /// Kept until then.
    pub(super) lease: Option<Lease<PgManager>>,
}

impl fmt::Debug for Taken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Taken").field("session", &self.session).finish_non_exhaustive()
    }
}

/// A session with a transaction on it.
pub(super) struct Loan {
    taken: Taken,
    /// BEGIN was sent; its answer is due, and so may be that to the question.
    due: tokio::sync::Mutex<Due>,
    begin_failed: AtomicBool,
    commit_timeout: Duration,
    /// There may be something to settle, so the number is asked for.
    writes: bool,
    question_dropped: AtomicBool,
    /// The transaction's number, 0 while it has none.
    xid: AtomicU64,
    /// Something was sent that no question followed.
    unasked: AtomicBool,
    /// The body went on after a statement had failed.
    misused: AtomicBool,
    /// How deep the body is in savepoints, and how many the server has.
    pub(super) depth: AtomicU32,
    pub(super) savepoints: AtomicU32,
    /// What failed within a savepoint, and only a run of the whole body can mend.
    conflict: Mutex<Option<SqlState>>,
    open: Open,
}

#[derive(Default)]
struct Due {
    begin: Option<Answer<()>>,
    question: Option<Answer<Option<Row>>>,
}

impl fmt::Debug for Loan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Loan").field("taken", &self.taken).finish_non_exhaustive()
    }
}

impl Loan {
    /// Sends BEGIN. The answer is waited for before anything else is executed.
    pub(super) fn begin(taken: Taken, options: &TransactionOptions) -> Self {
        taken.session.wire().forget_errors();
        let client = taken.session.client().clone();
        let sql = options.begin();
        let begin = sent(async move { client.batch_execute(&sql).await });
        Counters::count(&STATS.begun);
        Self {
            taken,
            due: tokio::sync::Mutex::new(Due { begin: Some(begin), question: None }),
            begin_failed: AtomicBool::new(false),
            commit_timeout: options.commit_timeout,
            writes: options.access == Access::Writes,
            question_dropped: AtomicBool::new(false),
            xid: AtomicU64::new(0),
            unasked: AtomicBool::new(false),
            misused: AtomicBool::new(false),
            depth: AtomicU32::new(0),
            savepoints: AtomicU32::new(0),
            conflict: Mutex::new(None),
            open: OPEN.open(options.name),
        }
    }

    pub(super) fn session(&self) -> &Session {
        &self.taken.session
    }

    pub(super) fn connector(&self) -> &Arc<Connector> {
        &self.taken.connector
    }

    pub(super) const fn commit_timeout(&self) -> Duration {
        self.commit_timeout
    }

    /// The transaction's number, if it is known.
    pub(super) fn xid(&self) -> Option<u64> {
        Some(self.xid.load(Relaxed)).filter(|xid| *xid != 0)
    }

    /// From here on things are sent that are not seen.
    pub(super) fn lend_raw(&self) {
        self.unasked.store(true, Relaxed);
    }

    /// Waits until what was sent is answered: BEGIN, and the question, whose answer came right behind
    /// that of a statement. What was left of a savepoint is rolled back.
    pub(super) async fn ready(&self) -> Result<(), Error> {
        {
            let mut due = self.due.lock().await;
            if let Some(begin) = &mut due.begin {
                let answer = begin.await;
                due.begin = None;
                if let Err(error) = answer {
                    self.begin_failed.store(true, Relaxed);
                    return Err(error.into());
                }
            }
            if let Some(question) = &mut due.question {
                let answer = question.await;
                due.question = None;
                self.learn(answer);
            }
        }
        if self.begin_failed.load(Relaxed) {
            return Err(Error::new(ErrorKind::RolledBack, "transaction.begin")
                .with("because", "it could not be begun"));
        }
        self.leave_savepoints().await
    }

    /// Sends a request that changes nothing, as long as BEGIN is not answered yet right behind it.
    pub(super) async fn prepare<T>(
        &self,
        request: impl Future<Output = Result<T, tokio_postgres::Error>>,
    ) -> Result<T, Error> {
        if self.savepoints.load(Relaxed) > self.depth.load(Relaxed) {
            self.ready().await?;
        }
        let mut request = pin!(request);
        // The first poll sends it.
        let first = poll_fn(|context| Poll::Ready(request.as_mut().poll(context))).await;
        self.ready().await?;
        match first {
            Poll::Ready(done) => Ok(done?),
            Poll::Pending => Ok(request.await?),
        }
    }

    /// Sends a request once all before it is answered, with the question behind it.
    pub(super) async fn execute<T>(
        &self,
        request: impl Future<Output = Result<T, tokio_postgres::Error>>,
    ) -> Result<T, Error> {
        self.ready().await?;
        let mut request = pin!(request);
        // The first poll sends it.
        let first = poll_fn(|context| Poll::Ready(request.as_mut().poll(context))).await;
        if let Poll::Ready(done) = first {
            self.lend_raw();
            return Ok(done?);
        }
        self.ask();
        request.await.map_err(|error| {
            let error = Error::from(error);
            if error.context("sqlstate") == Some(FAILED_BEFORE) {
                self.misused.store(true, Relaxed);
            }
            error
        })
    }

    /// Sends the question.
    fn ask(&self) {
        let Some(question) = self.session().question() else { return };
        if !self.writes || self.xid().is_some() {
            return;
        }
        let due = self.due.try_lock();
        let Some(mut due) = due.ok().filter(|due| due.question.is_none()) else {
            self.unasked.store(true, Relaxed);
            return;
        };
        let (client, question) = (self.session().client().clone(), question.clone());
        due.question = Some(sent(async move { client.query_opt(&question, &[]).await }));
        self.unasked.store(false, Relaxed);
    }

    /// Makes sure before COMMIT that the number is known if there is one: a round trip only where a
    /// statement went past [`Loan::execute`].
    pub(super) async fn settle_number(&self) -> Result<(), Error> {
        if self.xid().is_none() && self.unasked.load(Relaxed) {
            self.ask();
            self.ready().await?;
        }
        Ok(())
    }

    /// Whether it is known to have written nothing.
    pub(super) fn wrote_nothing(&self) -> bool {
        !self.writes || (self.session().question().is_some() && self.xid().is_none())
    }

    fn learn(&self, answer: Result<Option<Row>, tokio_postgres::Error>) {
        match answer {
            Ok(row) => {
                let text = row.and_then(|row| row.get::<_, Option<String>>(0));
                let xid = text.and_then(|text| text.parse().ok());
                self.xid.store(xid.unwrap_or(0), Relaxed);
            }
            Err(error) if error.code().is_some_and(|code| code.code() == QUESTION_DROPPED) => {
                self.question_dropped.store(true, Relaxed);
            }
            // The transaction has failed, which shows elsewhere.
            Err(_) => {}
        }
    }

    /// Rolls back savepoints whose body is gone.
    async fn leave_savepoints(&self) -> Result<(), Error> {
        let (depth, savepoints) = (self.depth.load(Relaxed), self.savepoints.load(Relaxed));
        if savepoints <= depth {
            return Ok(());
        }
        // Boxed, as it is large, seldom, and part of every statement's future.
        Box::pin(self.roll_back_to(depth)).await
    }

    async fn roll_back_to(&self, depth: u32) -> Result<(), Error> {
        self.note_conflict();
        self.session().flush().await;
        if self.session().wire().is_busy() {
            self.session().cancel().await?;
        }
        let name = savepoint(depth + 1);
        let sql = format!("ROLLBACK TO SAVEPOINT {name};RELEASE SAVEPOINT {name}");
        self.move_savepoints(&sql, depth).await
    }

    /// Sends what changes how many savepoints there are. Once it is sent it will be done, whether or
    /// not this goes on.
    pub(super) async fn move_savepoints(&self, sql: &str, then: u32) -> Result<(), Error> {
        let mut request = pin!(self.session().client().batch_execute(sql));
        let first = poll_fn(|context| Poll::Ready(request.as_mut().poll(context))).await;
        self.savepoints.store(then, Relaxed);
        match first {
            Poll::Ready(done) => Ok(done?),
            Poll::Pending => Ok(request.await?),
        }
    }

    /// Remembers what made a savepoint fail if only a run of the whole can mend it.
    pub(super) fn note_conflict(&self) {
        let found = self.session().wire().failure();
        if let Some(state) = found.filter(|state| state.policy() == Policy::RunAgain) {
            *self.conflict.lock().unwrap_or_else(PoisonError::into_inner) = Some(state);
        }
    }

    /// What made it fail, if something did that the server knows of.
    pub(super) fn failure(&self) -> Option<SqlState> {
        let conflict = *self.conflict.lock().unwrap_or_else(PoisonError::into_inner);
        self.session().wire().failure().or(conflict)
    }

    /// What is to be done about that.
    pub(super) fn policy(&self) -> Option<Policy> {
        match self.failure()?.policy() {
            // Ours, and not the body's fault.
            Policy::GiveUp if self.question_dropped.load(Relaxed) => Some(Policy::Reconnect),
            Policy::GiveUp if self.misused.load(Relaxed) => Some(Policy::Discard),
            policy => Some(policy),
        }
    }

    /// Brings the session to idle. What runs is cancelled, after `patience`.
    pub(super) async fn reset(&mut self, patience: Duration) -> Result<(), Error> {
        // Their answers come before that of ROLLBACK, and go to nobody.
        *self.due.get_mut() = Due::default();
        self.taken.session.reset(patience).await
    }

    /// Gives the session back, or closes it.
    pub(super) async fn end(self, fate: Fate) {
        let Self { taken: Taken { session, back, lease, .. }, open, .. } = self;
        drop(open);
        match fate {
            Fate::Keep => {
                if let Err(unwanted) = back.send(session) {
                    unwanted.close().await;
                }
            }
            Fate::Discard => {
                Counters::count(&STATS.connections_discarded);
                session.close().await;
                drop(back);
            }
        }
        drop(lease);
    }
}

/// What becomes of a session after a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    Keep,
    Discard,
}

/// The name of a savepoint, by its depth from 1.
pub(super) fn savepoint(depth: u32) -> String {
    format!("rearguard_{depth}")
}

/// Polls a future once, which sends its request.
fn sent<T, F>(future: F) -> Answer<T>
where
    T: Send + 'static,
    F: Future<Output = Result<T, tokio_postgres::Error>> + Send + 'static,
{
    let mut future: Answer<T> = Box::pin(future);
    match future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Pending => future,
        Poll::Ready(answer) => Box::pin(std::future::ready(answer)),
    }
}
