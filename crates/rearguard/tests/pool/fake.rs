//! A server that a test scripts, and counts what it sees.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};

use rearguard::{
    Error, ErrorKind,
    pool::{ConnectionState, Manager, Options, Pool},
};
use tokio::time::sleep;

/// What the server has seen, and how it behaves.
#[derive(Clone, Debug, Default)]
pub(crate) struct Server {
    /// Sessions that it has now, from the first packet to the last.
    pub(crate) sessions: usize,
    pub(crate) most_sessions: usize,
    pub(crate) attempts: usize,
    pub(crate) attempts_at_once: usize,
    pub(crate) most_attempts_at_once: usize,
    pub(crate) opened: usize,
    pub(crate) closed_in_order: usize,
    pub(crate) resets: usize,
    /// How the next attempts to connect go; when there are none left, as `refuses` says.
    pub(crate) next: VecDeque<Way>,
    pub(crate) refuses: Option<ErrorKind>,
    pub(crate) connect_takes: Duration,
    pub(crate) reset_takes: Duration,
    pub(crate) close_takes: Duration,
    pub(crate) reset: Way,
    pub(crate) close: Way,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Way {
    #[default]
    Well,
    Fails,
    Panics,
    Hangs,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Fake(pub(crate) Arc<Mutex<Server>>);

#[derive(Debug)]
pub(crate) struct Connection {
    pub(crate) id: usize,
    pub(crate) state: ConnectionState,
    pub(crate) state_panics: bool,
    _session: Session,
}

/// A session ends when its socket is dropped.
#[derive(Debug)]
struct Session(Fake);

impl Drop for Session {
    fn drop(&mut self) {
        self.0.server().sessions -= 1;
    }
}

/// An attempt ends when its future is dropped.
struct Attempt(Fake);

impl Drop for Attempt {
    fn drop(&mut self) {
        self.0.server().attempts_at_once -= 1;
    }
}

impl Fake {
    pub(crate) fn server(&self) -> MutexGuard<'_, Server> {
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// What it has seen so far.
    pub(crate) fn seen(&self) -> Server {
        self.server().clone()
    }

    pub(crate) fn pool(&self, options: Options) -> Pool<Self> {
        Pool::new(self.clone(), options).unwrap()
    }

    fn session(&self) -> Session {
        let mut server = self.server();
        server.sessions += 1;
        server.most_sessions = server.most_sessions.max(server.sessions);
        Session(self.clone())
    }

    async fn go(&self, way: Way, takes: Duration, operation: &'static str) -> Result<(), Error> {
        if takes > Duration::ZERO {
            sleep(takes).await;
        }
        match way {
            Way::Well => Ok(()),
            Way::Fails => Err(Error::new(ErrorKind::Failed, operation)),
            Way::Panics => panic!("scripted"),
            Way::Hangs => std::future::pending().await,
        }
    }
}

impl Manager for Fake {
    type Connection = Connection;

    async fn connect(&self) -> Result<Connection, Error> {
        let (way, refuses, takes, id) = {
            let mut server = self.server();
            server.attempts += 1;
            server.attempts_at_once += 1;
            server.most_attempts_at_once =
                server.most_attempts_at_once.max(server.attempts_at_once);
            let way = server.next.pop_front().unwrap_or_default();
            (way, server.refuses, server.connect_takes, server.attempts)
        };
        let _attempt = Attempt(self.clone());
        let session = self.session();
        self.go(way, takes, "fake.connect").await?;
        if let Some(kind) = refuses {
            return Err(Error::new(kind, "fake.connect"));
        }
        self.server().opened += 1;
        let state = ConnectionState::Idle;
        Ok(Connection { id, state, state_panics: false, _session: session })
    }

    fn state(&self, connection: &mut Connection) -> ConnectionState {
        assert!(!connection.state_panics, "scripted");
        connection.state
    }

    async fn reset(&self, connection: &mut Connection) -> Result<(), Error> {
        let (way, takes) = {
            let mut server = self.server();
            server.resets += 1;
            (server.reset, server.reset_takes)
        };
        self.go(way, takes, "fake.reset").await?;
        connection.state = ConnectionState::Idle;
        Ok(())
    }

    async fn close(&self, connection: Connection) {
        let (way, takes) = {
            let server = self.server();
            (server.close, server.close_takes)
        };
        drop(self.go(way, takes, "fake.close").await);
        drop(connection);
        self.server().closed_in_order += 1;
    }
}
