//! What can go wrong between us and PostgreSQL.

use domain::ports::StoreError;

/// An error of this crate, named for what the caller can do about it.
#[derive(Debug, thiserror::Error)]
pub enum PersistenceError {
    /// The database cannot be reached, or did not answer in time; try again.
    #[error("the database is away")]
    Away(#[source] sqlx::Error),
    /// The database answered with an error that trying again does not change.
    #[error("the database refused")]
    Broken(#[source] sqlx::Error),
    /// A migration failed, or the database is of a newer release.
    #[error("the migrations do not fit")]
    Migration(#[source] sqlx::migrate::MigrateError),
    /// The login is too powerful for row-level security to bind it.
    #[error(
        "the database role {role} {why}; give DATABASE_URL a role made with \
         `create role ringmaster login createrole` that owns the database"
    )]
    LoginTooPowerful {
        /// The role.
        role: String,
        /// What it may do that it must not.
        why: &'static str,
    },
}

/// SQLSTATE classes that say "not now" rather than "not so": connection, resources, operator.
const AWAY_CLASSES: [&str; 4] = ["08", "53", "57", "58"];
/// SQLSTATEs of other classes that a second try may get past: serialization, deadlock, lock.
const AWAY_CODES: [&str; 4] = ["40001", "40P01", "55P03", "25006"];

/// Whether asking again may help.
pub(crate) fn is_away(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Database(answer) => answer.code().is_some_and(|code| {
            AWAY_CLASSES.iter().any(|class| code.starts_with(class))
                || AWAY_CODES.contains(&code.as_ref())
        }),
        sqlx::Error::Io(_)
        | sqlx::Error::Tls(_)
        | sqlx::Error::Protocol(_)
        | sqlx::Error::PoolTimedOut
        | sqlx::Error::PoolClosed
        | sqlx::Error::WorkerCrashed => true,
        _ => false,
    }
}

impl From<sqlx::Error> for PersistenceError {
    fn from(error: sqlx::Error) -> Self {
        if is_away(&error) { Self::Away(error) } else { Self::Broken(error) }
    }
}

impl From<PersistenceError> for StoreError {
    fn from(error: PersistenceError) -> Self {
        match error {
            PersistenceError::Away(_) => Self::Away(error.into()),
            _ => Self::Broken(error.into()),
        }
    }
}
