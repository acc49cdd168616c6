//! Running `migrations/`, which are embedded in the binary.

use sqlx::PgConnection;
use sqlx::migrate::{Migrate, Migrator};

use crate::error::PersistenceError;

static MIGRATOR: Migrator = sqlx::migrate!("../migrations");

/// A migration that the database lacks.
#[derive(Clone, Debug)]
pub struct Pending {
    /// Its number.
    pub version: i64,
    /// Its name.
    pub name: String,
    /// What it runs.
    pub sql: String,
}

/// The migrations this binary holds.
#[derive(Clone, Copy, Debug)]
pub struct Migrations;

impl Migrations {
    /// Returns what the database lacks, in order.
    ///
    /// # Errors
    /// [`PersistenceError`] when the database cannot be asked.
    pub async fn pending(connection: &mut PgConnection) -> Result<Vec<Pending>, PersistenceError> {
        let table = MIGRATOR.table_name.as_ref();
        connection.ensure_migrations_table(table).await.map_err(PersistenceError::Migration)?;
        let applied =
            connection.list_applied_migrations(table).await.map_err(PersistenceError::Migration)?;
        Ok(MIGRATOR
            .iter()
            .filter(|known| applied.iter().all(|done| done.version != known.version))
            .map(|known| Pending {
                version: known.version,
                name: known.description.to_string(),
                sql: known.sql.as_str().to_owned(),
            })
            .collect())
    }

    /// Applies what the database lacks, under a lock that other migrators wait for.
    ///
    /// That lock is of this database alone, as all advisory locks are, and there is none that a login without
    /// rights on the cluster could take for all of it. Only the two roles belong to the cluster: the migration
    /// that makes them looks, tries, and tries again when another database was faster. One that touches roles
    /// has to do the same.
    ///
    /// # Errors
    /// [`PersistenceError::Migration`] when one fails, or when the database is of a newer release.
    pub async fn apply(connection: &mut PgConnection) -> Result<(), PersistenceError> {
        MIGRATOR.run(connection).await.map_err(PersistenceError::Migration)
    }
}
