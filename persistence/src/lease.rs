//! A connection of a pool, on loan.

use std::ops::{Deref, DerefMut};
use std::time::Duration;

use sqlx::pool::PoolConnection;
use sqlx::{Connection, PgConnection, PgPool, Postgres, Transaction};
use tokio::runtime::Handle;
use tokio::time::timeout;

use crate::error::PersistenceError;

/// How long a connection that comes back may take to say that it is alive: what was given up half-way may
/// still run, for as long as one statement may.
const RETURN_REPLY_MAX: Duration = Duration::from_secs(6);

/// A connection that goes back into its pool in bounded time, or not at all.
///
/// The pool asks each connection that comes back for a sign of life, and would wait for that of a dead
/// line for good, as would everybody for the place that it keeps. So whatever is asked of a pool is asked
/// over one of these.
#[derive(Debug)]
pub(crate) struct Lease(PoolConnection<Postgres>);

impl Lease {
    /// Takes a connection of `pool`.
    pub async fn of(pool: &PgPool) -> Result<Self, sqlx::Error> {
        pool.acquire().await.map(Self)
    }

    /// Begins a transaction; dropped, it goes back.
    pub async fn begin(&mut self) -> Result<Transaction<'_, Postgres>, PersistenceError> {
        Ok(Connection::begin(&mut *self.0).await?)
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        // What the pool's own drop does, but for the bound; without a runtime there is no pool either.
        if let Ok(runtime) = Handle::try_current() {
            let returned = self.0.return_to_pool();
            // Beyond the bound it is dropped, which closes it and frees its place.
            runtime.spawn(async move { timeout(RETURN_REPLY_MAX, returned).await });
        }
    }
}

impl Deref for Lease {
    type Target = PgConnection;

    fn deref(&self) -> &PgConnection {
        &self.0
    }
}

impl DerefMut for Lease {
    fn deref_mut(&mut self) -> &mut PgConnection {
        &mut self.0
    }
}
