//! Connections to the cluster, and what the first of them sets up.

use std::path::Path;
use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgSslMode};
use sqlx::{Connection as _, PgConnection};
use tokio::time::timeout;
use tracing::info;

use super::cluster::SUPERUSER;
use super::error::EmbeddedError;

/// The login role of our own connections, and the name of the database it owns.
pub(super) const ROLE: &str = "ringmaster";

/// How long one connection or one statement of this file may take.
const ANSWER_WAIT_MAX: Duration = Duration::from_secs(15);

/// Returns how our own connections reach the cluster.
pub(super) fn app_options(sockets: &Path) -> PgConnectOptions {
    options(sockets, ROLE, ROLE)
}

/// Connects as the superuser, to the database that every cluster has.
pub(super) async fn superuser(sockets: &Path) -> Result<PgConnection, EmbeddedError> {
    let options = options(sockets, SUPERUSER, "postgres");
    answered("accept a connection", PgConnection::connect_with(&options)).await
}

/// Creates the app's role and database when they are missing.
///
/// The role is no superuser, so row-level security holds for it; it may create the roles that the
/// migrations need.
pub(super) async fn ensure_database(connection: &mut PgConnection) -> Result<(), EmbeddedError> {
    let role = "select exists (select from pg_roles where rolname = $1)";
    if !exists(connection, role).await? {
        let create = "create role ringmaster login nosuperuser nobypassrls noreplication \
                      nocreatedb createrole";
        answered("create the role", sqlx::query(create).execute(&mut *connection)).await?;
        info!("created the database role {ROLE}");
    }
    let database = "select exists (select from pg_database where datname = $1)";
    if !exists(connection, database).await? {
        let create = "create database ringmaster owner ringmaster encoding 'UTF8' \
                      template template0";
        answered("create the database", sqlx::query(create).execute(connection)).await?;
        info!("created the database {ROLE}");
    }
    Ok(())
}

/// Ends every session of the app's role, and waits for their end: they are a dead server's.
pub(super) async fn end_sessions(connection: &mut PgConnection) -> Result<(), EmbeddedError> {
    // The second argument waits, in ms, so that no transaction of theirs commits after ours began.
    let ended: i64 = answered(
        "end the sessions of the server before",
        sqlx::query_scalar(
            "select count(*) filter (where pg_terminate_backend(pid, 5000))
             from pg_stat_activity
             where usename = $1 and backend_type = 'client backend' and pid <> pg_backend_pid()",
        )
        .bind(ROLE)
        .fetch_one(connection),
    )
    .await?;
    info!(ended, "ended {ended} sessions of the server before");
    Ok(())
}

/// Names everything that the environment could otherwise set.
fn options(sockets: &Path, user: &str, database: &str) -> PgConnectOptions {
    PgConnectOptions::new_without_pgpass()
        .host(&sockets.to_string_lossy())
        .port(5432)
        .username(user)
        .database(database)
        .ssl_mode(PgSslMode::Disable)
        .application_name("ringmaster")
}

async fn exists(connection: &mut PgConnection, asked: &'static str) -> Result<bool, EmbeddedError> {
    answered("list its roles", sqlx::query_scalar(asked).bind(ROLE).fetch_one(connection)).await
}

async fn answered<T>(
    action: &'static str,
    asked: impl Future<Output = Result<T, sqlx::Error>>,
) -> Result<T, EmbeddedError> {
    let limit_s = ANSWER_WAIT_MAX.as_secs();
    match timeout(ANSWER_WAIT_MAX, asked).await {
        Ok(answer) => answer.map_err(EmbeddedError::database(action)),
        Err(_elapsed) => Err(EmbeddedError::Slow { program: "postgresql", limit_s }),
    }
}
