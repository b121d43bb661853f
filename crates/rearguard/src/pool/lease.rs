//! A connection on loan.

use std::{
    fmt,
    ops::{Deref, DerefMut},
    sync::Arc,
};

use super::{Discard, Manager, core::Core, state::Parked};
use crate::open::Open;

/// A connection that is lent by a [`Pool`](super::Pool). Dropped, on any way, it goes back: if the
/// [`Manager`] says that it is idle, at once; if it is busy, when it has been reset; if it is broken, or
/// the reset fails, it is closed.
///
/// Keep it no longer than the work needs: what is kept longer than
/// [`Options::leak_after`](super::Options::leak_after) is reported with the line that borrowed it.
#[must_use = "dropped, it goes back at once"]
pub struct Lease<M: Manager> {
    core: Arc<Core<M>>,
    /// There until this is dropped or taken.
    parked: Option<Parked<M::Connection>>,
    pub(super) open: Open,
}

impl<M: Manager> Lease<M> {
    pub(super) fn new(core: &Arc<Core<M>>, parked: Parked<M::Connection>) -> Self {
        Self { core: Arc::clone(core), parked: Some(parked), open: Open::default() }
    }

    pub(super) fn into_parked(mut self) -> Parked<M::Connection> {
        match self.parked.take() {
            Some(parked) => parked,
            None => unreachable!("it is taken by what consumes the lease"),
        }
    }

    /// Has the connection closed rather than lent again, whatever its manager says of it. Counted as
    /// [`Discard::Asked`].
    ///
    /// ```
    /// # use rearguard::{Error, pool::{ConnectionState, Manager}};
    /// # struct Numbers;
    /// # impl Manager for Numbers {
    /// #     type Connection = u32;
    /// #     async fn connect(&self) -> Result<u32, Error> { Ok(7) }
    /// #     fn state(&self, _: &mut u32) -> ConnectionState { ConnectionState::Idle }
    /// #     async fn reset(&self, _: &mut u32) -> Result<(), Error> { Ok(()) }
    /// #     async fn close(&self, _: u32) {}
    /// # }
    /// use rearguard::pool::{Discard, Lease, Options, Pool};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Error> {
    /// let pool = Pool::new(Numbers, Options::new("numbers"))?;
    /// Lease::discard(pool.get().await?);
    /// assert_eq!(pool.snapshot().counters.discarded(Discard::Asked), 1);
    /// # Ok(())
    /// # }
    /// ```
    pub fn discard(this: Self) {
        let core = Arc::clone(&this.core);
        core.discard(this.into_parked(), Discard::Asked);
    }
}

impl<M: Manager> Drop for Lease<M> {
    fn drop(&mut self) {
        if let Some(parked) = self.parked.take() {
            self.core.take_back(parked);
        }
    }
}

impl<M: Manager> Deref for Lease<M> {
    type Target = M::Connection;

    fn deref(&self) -> &M::Connection {
        match &self.parked {
            Some(parked) => &parked.connection,
            None => unreachable!("there until it is dropped"),
        }
    }
}

impl<M: Manager> DerefMut for Lease<M> {
    fn deref_mut(&mut self) -> &mut M::Connection {
        match &mut self.parked {
            Some(parked) => &mut parked.connection,
            None => unreachable!("there until it is dropped"),
        }
    }
}

impl<M: Manager> fmt::Debug for Lease<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lease").field("pool", &self.core.options.name).finish_non_exhaustive()
    }
}
