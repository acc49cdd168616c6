//! The pools, and the role each connection steps into.

use std::io::ErrorKind;
use std::time::Duration;

use chrono::{DateTime, Utc};
use domain::TenantId;
use sqlx::postgres::{PgConnectOptions, PgPool, PgPoolOptions};
use sqlx::{Connection, Executor, PgConnection, Postgres, Transaction};
use tokio::time::timeout;

use crate::error::PersistenceError;
use crate::lease::Lease;

/// How long a caller waits for a connection; beyond it the database counts as away.
const ACQUIRE_TIMEOUT: Duration = Duration::from_millis(2_500);
/// How long one statement of REST or of the store may run, in ms.
const STATEMENT_TIMEOUT_MS: &str = "5000";
/// How long one journal batch may run, in ms; beyond it the batch is tried again.
const JOURNAL_STATEMENT_TIMEOUT_MS: &str = "8000";

/// How long an idle connection may take to say that it is alive; beyond it another one is opened, still
/// within the caller's wait.
const IDLE_REPLY_MAX: Duration = Duration::from_secs(1);

/// Whether the store may scan a table: a plan made while a table was small is kept while it grows, and
/// then reads all of it at every activation.
const STORE_PLANS: &str = "off";
/// Whether REST may: its plans are made for what is asked.
const READER_PLANS: &str = "on";

/// How many connections each use may hold.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// REST reads.
    pub readers: u32,
    /// The store beside the journal.
    pub store: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self { readers: 6, store: 4 }
    }
}

/// The database: one address, a pool a role.
#[derive(Clone, Debug)]
pub struct Database {
    options: PgConnectOptions,
    readers: PgPool,
    store: PgPool,
}

impl Database {
    /// Prepares the pools; connects to nothing yet.
    pub fn new(options: PgConnectOptions, limits: Limits) -> Self {
        let options = options.application_name("ringmaster");
        Self {
            readers: pool(limits.readers, options.clone(), "ringmaster_read", READER_PLANS),
            store: pool(limits.store, options.clone(), "ringmaster_journal", STORE_PLANS),
            options,
        }
    }

    /// Prepares the pools for the database that `url` names; connects to nothing yet.
    ///
    /// # Errors
    /// [`PersistenceError::Broken`] when it is no PostgreSQL URL.
    pub fn at(url: &str, limits: Limits) -> Result<Self, PersistenceError> {
        Ok(Self::new(url.parse().map_err(PersistenceError::Broken)?, limits))
    }

    /// Makes the partitions that the days after `at` need.
    ///
    /// # Errors
    /// [`PersistenceError`] when the database does not.
    pub async fn ensure_partitions(&self, at: DateTime<Utc>) -> Result<(), PersistenceError> {
        sqlx::query!("select ensure_partitions($1)", at)
            .fetch_one(&mut *self.store().await?)
            .await?;
        Ok(())
    }

    /// Asks the database whether a commit could be begun now: its head can be read by the journal's role.
    ///
    /// # Errors
    /// [`PersistenceError`] when it does not answer, or not in time.
    pub async fn ping(&self) -> Result<(), PersistenceError> {
        sqlx::query!("select seq from journal_head where id = 1")
            .fetch_one(&mut *self.store().await?)
            .await?;
        Ok(())
    }

    /// Returns the address.
    pub fn options(&self) -> &PgConnectOptions {
        &self.options
    }

    /// Lends a connection that is `ringmaster_journal`.
    pub(crate) async fn store(&self) -> Result<Lease, sqlx::Error> {
        Lease::of(&self.store).await
    }

    /// Lends a connection that is `ringmaster_read`, for [`Self::read`].
    pub(crate) async fn reader(&self) -> Result<Lease, sqlx::Error> {
        Lease::of(&self.readers).await
    }

    /// Begins a read of one tenant's data: one snapshot, row-level security in force.
    pub(crate) async fn read(
        reader: &mut Lease,
        tenant: TenantId,
    ) -> Result<Transaction<'_, Postgres>, sqlx::Error> {
        let mut tx = reader.begin_as("begin isolation level repeatable read read only").await?;
        sqlx::query("select set_config('app.tenant', $1, true)")
            .bind(tenant.to_string())
            .execute(&mut *tx)
            .await?;
        Ok(tx)
    }

    /// Opens a connection as the login role itself, for migrations and checks.
    ///
    /// # Errors
    /// [`PersistenceError::Away`] when the database cannot be reached.
    pub async fn login(&self) -> Result<PgConnection, PersistenceError> {
        Ok(PgConnection::connect_with(&self.options).await?)
    }

    /// Opens the journal's own connection.
    ///
    /// Its plans are kept generic and to index lookups: a hash join cached while a table was small
    /// takes a hundred times as long once it has grown. What is switched off costs so much on paper
    /// that a plan without a way around it would be compiled as well. Read committed, because a batch
    /// takes its snapshots after it waited for the one before.
    pub(crate) async fn journal(&self) -> Result<PgConnection, sqlx::Error> {
        let mut connection = PgConnection::connect_with(&self.options).await?;
        connection
            .execute(sqlx::raw_sql(
                "set role ringmaster_journal;
                 set synchronous_commit = on;
                 set plan_cache_mode = force_generic_plan;
                 set enable_hashjoin = off;
                 set enable_mergejoin = off;
                 set enable_seqscan = off;
                 set jit = off;
                 set default_transaction_isolation = 'read committed';
                 set idle_in_transaction_session_timeout = '10s'",
            ))
            .await?;
        set(&mut connection, "statement_timeout", JOURNAL_STATEMENT_TIMEOUT_MS).await?;
        #[cfg(feature = "planted-defects")]
        crate::planted::loosen(&mut connection).await?;
        Ok(connection)
    }

    /// Closes the pools.
    pub async fn close(&self) {
        self.readers.close().await;
        self.store.close().await;
    }
}

fn pool(size: u32, options: PgConnectOptions, role: &'static str, plans: &'static str) -> PgPool {
    PgPoolOptions::new()
        .max_connections(size)
        .acquire_timeout(ACQUIRE_TIMEOUT)
        // The pool's own test would wait for a dead line as long as the caller does.
        .test_before_acquire(false)
        .before_acquire(|connection, _| Box::pin(is_alive(connection)))
        .after_connect(move |connection, _| {
            Box::pin(async move {
                connection
                    .execute(sqlx::raw_sql(
                        "set synchronous_commit = on;
                         set idle_in_transaction_session_timeout = '10s'",
                    ))
                    .await?;
                set(connection, "enable_seqscan", plans).await?;
                set(connection, "statement_timeout", STATEMENT_TIMEOUT_MS).await?;
                set(connection, "lock_timeout", STATEMENT_TIMEOUT_MS).await?;
                set(connection, "role", role).await
            })
        })
        .connect_lazy_with(options)
}

/// Asks a connection for a sign of life; an error closes it.
async fn is_alive(connection: &mut PgConnection) -> Result<bool, sqlx::Error> {
    match timeout(IDLE_REPLY_MAX, connection.ping()).await {
        Ok(answer) => answer.map(|()| true),
        Err(_) => Err(sqlx::Error::Io(ErrorKind::TimedOut.into())),
    }
}

async fn set(
    connection: &mut PgConnection,
    name: &'static str,
    value: &'static str,
) -> Result<(), sqlx::Error> {
    sqlx::query("select set_config($1, $2, false)")
        .bind(name)
        .bind(value)
        .execute(connection)
        .await
        .map(drop)
}
