//! What REST reads and imports.
//!
//! A read is one transaction in one tenant's sight: its rows, its total and its sequence number are of
//! one snapshot, so that a list and the feed after it have no gap between them.

mod applications;
mod filter;
mod identity;
mod import;
mod interviews;
mod node_imports;
mod policy;
mod recordings;
mod screenings;
mod stats;
mod sync;
mod tenants;
mod transcripts;
mod users;

use domain::ports::{BoxFuture, Scope, StoreError};
use domain::{InvalidValue, TenantId};
use sqlx::{PgConnection, Postgres, Transaction};
use uuid::Uuid;

use crate::database::Database;
use crate::error::PersistenceError;
use crate::lease::Lease;

type Answer<'a, T> = BoxFuture<'a, Result<T, StoreError>>;
type Stored<T> = Result<T, PersistenceError>;

/// Implements the reading ports, and the import, on PostgreSQL.
#[derive(Clone, Debug)]
pub struct Queries {
    database: Database,
}

impl Queries {
    /// Makes the queries on the database's pool of the reading role; imports use the journal role's.
    pub fn new(database: Database) -> Self {
        Self { database }
    }

    /// Lends a connection to read over.
    async fn reader(&self) -> Stored<Lease> {
        Ok(self.database.reader().await?)
    }
}

/// Begins a read in the sight of the scope's tenant.
async fn read(reader: &mut Lease, scope: Scope) -> Stored<Transaction<'_, Postgres>> {
    Ok(Database::read(reader, tenant_of(scope)).await?)
}

const fn tenant_of(scope: Scope) -> TenantId {
    match scope {
        Scope::Tenant(tenant) | Scope::Owner(tenant, _) => tenant,
    }
}

/// Returns the user the scope is narrowed to, if it is.
const fn owner_of(scope: Scope) -> Option<Uuid> {
    match scope {
        Scope::Tenant(_) => None,
        Scope::Owner(_, owner) => Some(owner),
    }
}

/// A stored value is none of its set.
fn unknown(value: InvalidValue) -> PersistenceError {
    sqlx::Error::Decode(value.into()).into()
}

/// Returns the number of the last fact that the snapshot can know of.
pub(crate) async fn seq(tx: &mut PgConnection) -> Stored<i64> {
    Ok(sqlx::query_scalar!("select seq from journal_head where id = 1").fetch_one(tx).await?)
}
