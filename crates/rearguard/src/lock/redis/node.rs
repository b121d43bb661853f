//! One server: its connection, and the steps there.

use std::{sync::Arc, time::Duration};

use redis::{
    AsyncConnectionConfig, Client, Cmd, ErrorKind as RedisKind, IntoConnectionInfo,
    ProtocolVersion, PushInfo, PushKind, RedisError, Value, aio::MultiplexedConnection, cmd,
};
use tokio::{
    sync::Mutex,
    time::{Instant, timeout, timeout_at},
};

use super::scripts::{RELEASE, RENEW, Step, TAKE_BACK};
use crate::{
    Error, ErrorKind,
    lock::{Answer, Claim, Release, Renewal, silence::Silence, wakeups::Wakeups},
};

/// How long a connection may take to come about.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);

/// After a connection failed, none is tried for so long: commands fail at once.
const CONNECT_PAUSE: Duration = Duration::from_millis(50);

/// What keys and channels of locks begin with.
const PREFIX: &str = "rearguard:lock:";

#[derive(Debug)]
pub(super) struct Node {
    client: Client,
    address: String,
    link: Mutex<Link>,
    silence: Silence,
    wakeups: Arc<Wakeups>,
}

/// A connection, or none yet, or none any more.
#[derive(Default)]
struct Link {
    connection: Option<MultiplexedConnection>,
    /// Counts connections, so that one that failed is not taken for the one after.
    generation: u64,
    not_before: Option<Instant>,
}

impl std::fmt::Debug for Link {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Link").field("generation", &self.generation).finish_non_exhaustive()
    }
}

impl Node {
    pub(super) fn new(at: impl IntoConnectionInfo, wakeups: Arc<Wakeups>) -> Result<Self, Error> {
        let invalid = |source: RedisError| {
            Error::new(ErrorKind::InvalidInput, "lock.connect")
                .with("expected", "the address of a Redis, as in redis://127.0.0.1:6379/0")
                .because(source)
        };
        let mut info = at.into_connection_info().map_err(invalid)?;
        let address = info.addr.to_string();
        // The third version has commands and what is published on one connection.
        info.redis.protocol = ProtocolVersion::RESP3;
        let client = Client::open(info).map_err(invalid)?;
        let (link, silence) = (Mutex::default(), Silence::default());
        Ok(Self { client, address, link, silence, wakeups })
    }

    pub(super) async fn acquire(&self, claim: &Claim, within: Duration) -> Result<Answer, Error> {
        let key = key(&claim.name);
        let mut set = cmd("SET");
        let owner = claim.owner.to_string();
        set.arg(&key).arg(owner).arg("NX").arg("PX").arg(millis(claim.ttl));
        if self.send("lock.acquire", &set, within).await? == Value::Okay {
            return Ok(Answer::Granted(None));
        }
        let left = self.send("lock.acquire", cmd("PTTL").arg(&key), within).await?;
        let free_in = match left {
            Value::Int(millis) => match u64::try_from(millis) {
                Ok(millis) => Some(Duration::from_millis(millis)),
                // -2: gone meanwhile. -1: it never expires, so it is no lock of ours.
                Err(_) => (millis == -2).then_some(Duration::ZERO),
            },
            _ => None,
        };
        Ok(Answer::Taken { free_in })
    }

    pub(super) async fn renew(&self, claim: &Claim, within: Duration) -> Result<Renewal, Error> {
        let arguments = [claim.owner.to_string(), millis(claim.ttl).to_string()];
        let done = self.run("lock.renew", &RENEW, claim, &arguments, within).await?;
        Ok(if done { Renewal::Renewed } else { Renewal::Refused })
    }

    pub(super) async fn release(&self, claim: &Claim, within: Duration) -> Result<Release, Error> {
        let arguments = [claim.owner.to_string()];
        let done = self.run("lock.release", &RELEASE, claim, &arguments, within).await?;
        Ok(if done { Release::Released } else { Release::NotHeld })
    }

    /// Releases what was not held as a whole.
    pub(super) async fn take_back(&self, claim: &Claim, within: Duration) -> Result<bool, Error> {
        let arguments = [claim.owner.to_string()];
        self.run("lock.release", &TAKE_BACK, claim, &arguments, within).await
    }

    /// A connection that comes later subscribes to what is waited for then.
    pub(super) async fn subscribe(&self, name: &str, within: Duration) {
        // Where it fails, who waits asks from time to time all the same.
        drop(self.send("lock.watch", cmd("SUBSCRIBE").arg(key(name)), within).await);
    }

    pub(super) async fn unsubscribe(&self, name: &str, within: Duration) {
        // Where it fails, what is told is told to nobody.
        drop(self.send("lock.watch", cmd("UNSUBSCRIBE").arg(key(name)), within).await);
    }

    async fn run(
        &self,
        operation: &'static str,
        step: &Step,
        claim: &Claim,
        arguments: &[String],
        within: Duration,
    ) -> Result<bool, Error> {
        let key = key(&claim.name);
        match self.send(operation, &step.known(&key, arguments), within).await {
            // The server was started anew, or has forgotten it.
            Err(error) if is_unknown_script(&error) => {
                self.send(operation, &step.full(&key, arguments), within).await
            }
            answer => answer,
        }
        .map(|answer| answer == Value::Int(1))
    }

    /// Sends a command, over a connection that is made if there is none. Dropped half way, its answer
    /// is read and thrown away.
    async fn send(
        &self,
        operation: &'static str,
        command: &Cmd,
        within: Duration,
    ) -> Result<Value, Error> {
        let until = Instant::now() + within;
        let late = |kind| self.failed(kind, operation).with("within", format!("{within:?}"));
        let (mut connection, generation) = match timeout_at(until, self.connection()).await {
            Ok(connected) => connected?,
            Err(_) => return Err(late(ErrorKind::ConnectTimedOut)),
        };
        match timeout_at(until, command.query_async::<Value>(&mut connection)).await {
            Ok(Ok(value)) => {
                self.silence.end();
                Ok(value)
            }
            Ok(Err(error)) => {
                self.silence.end();
                if error.is_unrecoverable_error() || error.is_io_error() {
                    self.disconnect(generation).await;
                }
                Err(self.error(operation, error))
            }
            Err(_) => Err(late(ErrorKind::ResponseTimedOut)),
        }
    }

    async fn connection(&self) -> Result<(MultiplexedConnection, u64), Error> {
        let mut link = self.link.lock().await;
        if let Some(connection) = link.connection.as_ref().filter(|_| self.silence.ask()) {
            return Ok((connection.clone(), link.generation));
        }
        link.connection = None;
        if link.not_before.is_some_and(|moment| Instant::now() < moment) {
            return Err(self.failed(ErrorKind::ConnectRefused, "lock.connect"));
        }
        // Also where this is dropped half way.
        link.not_before = Some(Instant::now() + CONNECT_PAUSE);
        let mut connection = match timeout(CONNECT_TIMEOUT, self.connect()).await {
            Ok(connected) => connected.map_err(|error| self.error("lock.connect", error))?,
            Err(_) => return Err(self.failed(ErrorKind::ConnectTimedOut, "lock.connect")),
        };
        for name in self.wakeups.known() {
            let subscribe = cmd("SUBSCRIBE").arg(key(&name)).clone();
            let subscribed = subscribe.query_async::<Value>(&mut connection).await;
            subscribed.map_err(|error| self.error("lock.connect", error))?;
        }
        self.silence.end();
        link.connection = Some(connection.clone());
        link.generation += 1;
        link.not_before = None;
        Ok((connection, link.generation))
    }

    async fn connect(&self) -> Result<MultiplexedConnection, RedisError> {
        let wakeups = Arc::clone(&self.wakeups);
        let told = move |push: PushInfo| -> Result<(), RedisError> {
            match (push.kind, push.data.first()) {
                (PushKind::Message, Some(Value::BulkString(channel))) => {
                    let name = channel.strip_prefix(PREFIX.as_bytes()).unwrap_or_default();
                    wakeups.wake(&String::from_utf8_lossy(name));
                }
                (PushKind::Disconnection, _) => wakeups.wake_all(),
                _ => {}
            }
            Ok(())
        };
        // No bound here on commands: each has one of its own.
        let config = AsyncConnectionConfig::new().set_push_sender(told);
        self.client.get_multiplexed_async_connection_with_config(&config).await
    }

    async fn disconnect(&self, generation: u64) {
        let mut link = self.link.lock().await;
        if link.generation == generation {
            link.connection = None;
        }
    }

    fn error(&self, operation: &'static str, source: RedisError) -> Error {
        let kind = if source.is_timeout() {
            ErrorKind::ResponseTimedOut
        } else if source.is_connection_refusal() {
            ErrorKind::ConnectRefused
        } else if source.is_io_error() {
            ErrorKind::Reset
        } else {
            ErrorKind::Failed
        };
        let passes = matches!(
            source.kind(),
            RedisKind::IoError
                | RedisKind::BusyLoadingError
                | RedisKind::TryAgain
                | RedisKind::MasterDown
                | RedisKind::ClusterDown
        );
        let error = Error::new(kind, operation).with("server", self.address.clone());
        if passes { error.retryable().because(source) } else { error.because(source) }
    }

    fn failed(&self, kind: ErrorKind, operation: &'static str) -> Error {
        Error::new(kind, operation).with("server", self.address.clone()).retryable()
    }
}

fn is_unknown_script(error: &Error) -> bool {
    let source = std::error::Error::source(error);
    source
        .and_then(|source| source.downcast_ref::<RedisError>())
        .is_some_and(|source| source.kind() == RedisKind::NoScriptError)
}

fn key(name: &str) -> String {
    format!("{PREFIX}{name}")
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
