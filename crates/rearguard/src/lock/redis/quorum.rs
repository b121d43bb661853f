use std::{future::poll_fn, mem, sync::Arc, task::Poll, time::Duration};

use redis::IntoConnectionInfo;
use tokio::sync::{Mutex, watch};

use super::node::Node;
use crate::{
    Error, ErrorKind,
    lock::{Answer, BoxFuture, Claim, Release, Renewal, Reply, Store, wakeups::Wakeups},
};

/// The most servers of a quorum.
pub const MAX_SERVERS: usize = 15;

/// The longest and the shortest that one server has to answer. Between them it is a tenth of the time
/// to live: one that is down must not use up the lock's time.
const RESPONSE_TIMEOUT: Duration = Duration::from_millis(500);
const MIN_RESPONSE_TIMEOUT: Duration = Duration::from_millis(10);

/// The longest pause after which those ask again among whom the votes were split.
const SPLIT_PAUSE: Duration = Duration::from_millis(20);

/// Locks in several independent Redis servers, of which a majority must agree: Redlock.
///
/// The servers must be independent masters, not replicas of each other. A lock is held while a
/// majority has it, so it survives the loss of the others. It gives no fencing tokens, and
/// `docs/locks.md` says what it does not guarantee.
///
/// ```
/// use rearguard::lock::{LockManager, RedisQuorumStore};
///
/// let servers = ["redis://10.0.0.1:6379", "redis://10.0.0.2:6379", "redis://10.0.0.3:6379"];
/// let locks = LockManager::new(RedisQuorumStore::new(servers).unwrap());
/// ```
#[derive(Debug)]
pub struct RedisQuorumStore {
    nodes: Vec<Node>,
    wakeups: Arc<Wakeups>,
    /// Makes one step of counting who waits and of subscribing.
    watching: Mutex<()>,
}

impl RedisQuorumStore {
    /// The servers at these addresses. They are connected to when they are first needed.
    ///
    /// # Errors
    /// [`InvalidInput`](ErrorKind::InvalidInput) where one is no address, or where there are none, or
    /// more than [`MAX_SERVERS`], or an even number: an even one survives no more losses than the odd
    /// one before it.
    pub fn new<A: IntoConnectionInfo>(at: impl IntoIterator<Item = A>) -> Result<Self, Error> {
        let wakeups = Arc::<Wakeups>::default();
        let nodes = at.into_iter().map(|at| Node::new(at, Arc::clone(&wakeups)));
        let nodes = nodes.collect::<Result<Vec<_>, _>>()?;
        if nodes.len() % 2 == 0 || nodes.len() > MAX_SERVERS {
            let expected = format!("an odd number of servers, at most {MAX_SERVERS}");
            return Err(Error::new(ErrorKind::InvalidInput, "lock.connect")
                .with("servers", nodes.len().to_string())
                .with("expected", expected));
        }
        Ok(Self { nodes, wakeups, watching: Mutex::default() })
    }

    fn majority(&self) -> usize {
        self.nodes.len() / 2 + 1
    }

    /// Asks all servers at the same time, until a majority has said yes or can no longer.
    async fn vote<'a>(&'a self, ask: impl Fn(&'a Node) -> Reply<'a, bool>) -> Vote {
        let mut asked: Vec<_> = self.nodes.iter().map(|node| Some(ask(node))).collect();
        let mut vote = Vote::default();
        let (all, majority) = (self.nodes.len(), self.majority());
        poll_fn(move |context| {
            for slot in &mut asked {
                let Some(asked) = slot else { continue };
                let Poll::Ready(answer) = asked.as_mut().poll(context) else { continue };
                *slot = None;
                vote.count(answer);
            }
            let against = vote.no + vote.failed.len();
            if vote.yes >= majority || against > all - majority {
                return Poll::Ready(mem::take(&mut vote));
            }
            Poll::Pending
        })
        .await
    }

    /// Does something at all servers, at the same time, and waits for all.
    async fn all<'a, T>(&'a self, act: impl Fn(&'a Node) -> BoxFuture<'a, T>) -> Vec<T> {
        let mut acts: Vec<_> = self.nodes.iter().map(|node| Some(act(node))).collect();
        let mut done = Vec::with_capacity(acts.len());
        poll_fn(|context| {
            for slot in &mut acts {
                let Some(act) = slot else { continue };
                let Poll::Ready(value) = act.as_mut().poll(context) else { continue };
                *slot = None;
                done.push(value);
            }
            if done.len() == acts.len() { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
        done
    }
}

/// How the servers voted, as far as was waited for.
#[derive(Debug, Default)]
struct Vote {
    yes: usize,
    no: usize,
    failed: Vec<Error>,
}

impl Vote {
    fn count(&mut self, answer: Result<bool, Error>) {
        match answer {
            Ok(true) => self.yes += 1,
            Ok(false) => self.no += 1,
            Err(error) => self.failed.push(error),
        }
    }

    /// Too few have answered.
    fn unknown(self, operation: &'static str) -> Error {
        let votes = format!("{} yes, {} no, {} failed", self.yes, self.no, self.failed.len());
        let error = Error::new(ErrorKind::Failed, operation).with("votes", votes).retryable();
        match self.failed.into_iter().next() {
            Some(first) => error.because(first),
            None => error,
        }
    }
}

fn within(claim: &Claim) -> Duration {
    (claim.ttl / 10).clamp(MIN_RESPONSE_TIMEOUT, RESPONSE_TIMEOUT)
}

impl Store for RedisQuorumStore {
    fn kind(&self) -> &'static str {
        "redis quorum"
    }

    fn acquire<'a>(&'a self, claim: &'a Claim) -> Reply<'a, Answer> {
        Box::pin(async move {
            let vote = self.vote(|node| {
                Box::pin(async move {
                    let answer = node.acquire(claim, within(claim)).await?;
                    Ok(matches!(answer, Answer::Granted(_)))
                })
            });
            let vote = vote.await;
            if vote.yes >= self.majority() {
                return Ok(Answer::Granted(None));
            }
            // What a minority granted is released everywhere, also where no answer came.
            self.all(|node| {
                Box::pin(async move { drop(node.take_back(claim, within(claim)).await) })
            })
            .await;
            if vote.failed.len() > self.nodes.len() - self.majority() {
                return Err(vote.unknown("lock.acquire"));
            }
            // If the votes were split nobody holds it, so it is asked for again soon, at random.
            let split = vote.yes > 0;
            let free_in = split.then(|| SPLIT_PAUSE.mul_f64(fastrand::f64()));
            Ok(Answer::Taken { free_in })
        })
    }

    fn renew<'a>(&'a self, claim: &'a Claim) -> Reply<'a, Renewal> {
        Box::pin(async move {
            let vote = self.vote(|node| {
                Box::pin(async move {
                    let answer = node.renew(claim, within(claim)).await?;
                    Ok(answer == Renewal::Renewed)
                })
            });
            let vote = vote.await;
            if vote.yes >= self.majority() {
                Ok(Renewal::Renewed)
            } else if vote.no > self.nodes.len() - self.majority() {
                Ok(Renewal::Refused)
            } else {
                Err(vote.unknown("lock.renew"))
            }
        })
    }

    fn release<'a>(&'a self, claim: &'a Claim) -> Reply<'a, Release> {
        Box::pin(async move {
            let answers = self.all(|node| Box::pin(node.release(claim, within(claim)))).await;
            let mut vote = Vote::default();
            for answer in answers {
                vote.count(answer.map(|answer| answer == Release::Released));
            }
            if vote.yes >= self.majority() {
                Ok(Release::Released)
            } else if vote.no > self.nodes.len() - self.majority() {
                Ok(Release::NotHeld)
            } else {
                Err(vote.unknown("lock.release"))
            }
        })
    }

    fn watch<'a>(&'a self, name: &'a str) -> BoxFuture<'a, watch::Receiver<()>> {
        Box::pin(async move {
            let _turn = self.watching.lock().await;
            let (told, first) = self.wakeups.add(name);
            if first {
                self.all(|node| Box::pin(node.subscribe(name, RESPONSE_TIMEOUT))).await;
            }
            told
        })
    }

    fn unwatch<'a>(&'a self, name: &'a str) -> BoxFuture<'a, ()> {
        Box::pin(async move {
            let _turn = self.watching.lock().await;
            if self.wakeups.remove(name) {
                self.all(|node| Box::pin(node.unsubscribe(name, RESPONSE_TIMEOUT))).await;
            }
        })
    }
}
