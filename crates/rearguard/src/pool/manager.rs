//! What a pool must know of the connections that it keeps.

use std::future::Future;

use crate::Error;

/// Opens, judges, cleans and closes connections of one kind.
///
/// The pool bounds every future of it by an option, and goes on where one panics.
///
/// ```
/// use rearguard::{Error, pool::{ConnectionState, Manager}};
///
/// #[derive(Debug)]
/// struct Numbers;
///
/// impl Manager for Numbers {
///     type Connection = u32;
///
///     async fn connect(&self) -> Result<u32, Error> {
///         Ok(7)
///     }
///
///     fn state(&self, _: &mut u32) -> ConnectionState {
///         ConnectionState::Idle
///     }
///
///     async fn reset(&self, _: &mut u32) -> Result<(), Error> {
///         Ok(())
///     }
///
///     async fn close(&self, _: u32) {}
/// }
/// # assert_eq!(Numbers.state(&mut 1), ConnectionState::Idle);
/// ```
pub trait Manager: Send + Sync + 'static {
    /// What is lent.
    type Connection: Send + 'static;

    /// Opens one.
    ///
    /// # Errors
    /// Where the server cannot be reached or refuses: the pool waits and tries again.
    fn connect(&self) -> impl Future<Output = Result<Self::Connection, Error>> + Send;

    /// Whether it may be lent. Cheap, and without a round trip: it is asked each time one comes back
    /// and each time one is lent.
    fn state(&self, connection: &mut Self::Connection) -> ConnectionState;

    /// Brings one that came back busy to idle: rolls back, discards what the session holds. Also asked
    /// of one that lay idle for long, as a proof that it is alive.
    ///
    /// # Errors
    /// Where it cannot: the connection is discarded.
    fn reset(
        &self,
        connection: &mut Self::Connection,
    ) -> impl Future<Output = Result<(), Error>> + Send;

    /// Closes one. Its place is free for another when this is done, so it is done when the server has
    /// let go of it.
    fn close(&self, connection: Self::Connection) -> impl Future<Output = ()> + Send;
}

/// Whether a connection may be lent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConnectionState {
    /// It is clean.
    Idle,
    /// It is in the middle of something, which [`Manager::reset`] can end: `in transaction`, `query
    /// running`.
    Busy(&'static str),
    /// It is of no use any more: `closed`, `protocol error`.
    Broken(&'static str),
}
