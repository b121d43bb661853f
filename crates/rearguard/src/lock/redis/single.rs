use std::{sync::Arc, time::Duration};

use redis::IntoConnectionInfo;
use tokio::sync::{Mutex, watch};

use super::node::Node;
use crate::{
    Error,
    lock::{Answer, BoxFuture, Claim, Release, Renewal, Reply, Store, wakeups::Wakeups},
};

/// How long a server has to answer. A renewal has less: a sixth of the time to live.
const RESPONSE_TIMEOUT: Duration = Duration::from_millis(500);

/// Locks in one Redis server, version 6 or later. A lock is the key `rearguard:lock:NAME`; who waits
/// is told by the channel of the same name.
///
/// It gives no fencing tokens: what a Redis counts may not outlive its crash. Put a sequence
/// beside it with [`LockManager::with_tokens`](crate::lock::LockManager::with_tokens).
///
/// ```
/// use rearguard::lock::{LockManager, RedisStore};
///
/// let locks = LockManager::new(RedisStore::new("redis://127.0.0.1:6379").unwrap());
/// assert!(RedisStore::new("an address").is_err());
/// ```
#[derive(Debug)]
pub struct RedisStore {
    node: Node,
    wakeups: Arc<Wakeups>,
    /// Makes one step of counting who waits and of subscribing.
    watching: Mutex<()>,
}

impl RedisStore {
    /// The server at this address. It is connected to when it is first needed.
    ///
    /// # Errors
    /// [`InvalidInput`](crate::ErrorKind::InvalidInput) where that is no address.
    pub fn new(at: impl IntoConnectionInfo) -> Result<Self, Error> {
        let wakeups = Arc::<Wakeups>::default();
        let node = Node::new(at, Arc::clone(&wakeups))?;
        Ok(Self { node, wakeups, watching: Mutex::default() })
    }
}

impl Store for RedisStore {
    fn kind(&self) -> &'static str {
        "redis"
    }

    fn acquire<'a>(&'a self, claim: &'a Claim) -> Reply<'a, Answer> {
        Box::pin(self.node.acquire(claim, RESPONSE_TIMEOUT))
    }

    fn renew<'a>(&'a self, claim: &'a Claim) -> Reply<'a, Renewal> {
        Box::pin(self.node.renew(claim, RESPONSE_TIMEOUT))
    }

    fn release<'a>(&'a self, claim: &'a Claim) -> Reply<'a, Release> {
        Box::pin(self.node.release(claim, RESPONSE_TIMEOUT))
    }

    fn watch<'a>(&'a self, name: &'a str) -> BoxFuture<'a, watch::Receiver<()>> {
        Box::pin(async move {
            let _turn = self.watching.lock().await;
            let (told, first) = self.wakeups.add(name);
            if first {
                self.node.subscribe(name, RESPONSE_TIMEOUT).await;
            }
            told
        })
    }

    fn unwatch<'a>(&'a self, name: &'a str) -> BoxFuture<'a, ()> {
        Box::pin(async move {
            let _turn = self.watching.lock().await;
            if self.wakeups.remove(name) {
                self.node.unsubscribe(name, RESPONSE_TIMEOUT).await;
            }
        })
    }
}
