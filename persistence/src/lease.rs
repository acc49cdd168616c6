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
pub(crate) struct Lease {
    connection: PoolConnection<Postgres>,
    begin: Begin,
}

/// What is known of the last transaction that was begun.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Begin {
    /// The driver knows whether one is open, and ends it when it is dropped.
    Known,
    /// It was asked for, and whoever asked went away before the answer. One may be open of which the driver
    /// knows nothing: what is written over this connection would never be committed.
    Unanswered,
}

impl Lease {
    /// Takes a connection of `pool`.
    pub async fn of(pool: &PgPool) -> Result<Self, sqlx::Error> {
        let connection = pool.acquire().await?;
        Ok(Self { connection, begin: Begin::Known })
    }

    /// Begins a transaction; dropped, it goes back.
    pub async fn begin(&mut self) -> Result<Transaction<'_, Postgres>, PersistenceError> {
        Ok(self.begin_as("begin").await?)
    }

    /// Begins a transaction by a statement of its own.
    pub async fn begin_as(
        &mut self,
        statement: &'static str,
    ) -> Result<Transaction<'_, Postgres>, sqlx::Error> {
        self.begin = Begin::Unanswered;
        let begun = Connection::begin_with(&mut *self.connection, statement).await;
        self.begin = Begin::Known;
        begun
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        if self.begin == Begin::Unanswered {
            self.connection.close_on_drop();
            return;
        }
        // What the pool's own drop does, but for the bound; without a runtime there is no pool either.
        if let Ok(runtime) = Handle::try_current() {
            let returned = self.connection.return_to_pool();
            // Beyond the bound it is dropped, which closes it and frees its place.
            runtime.spawn(async move { timeout(RETURN_REPLY_MAX, returned).await });
        }
    }
}

impl Deref for Lease {
    type Target = PgConnection;

    fn deref(&self) -> &PgConnection {
        &self.connection
    }
}

impl DerefMut for Lease {
    fn deref_mut(&mut self) -> &mut PgConnection {
        &mut self.connection
    }
}
