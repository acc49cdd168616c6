//! What is checked before anything is served.

use sqlx::PgConnection;

use crate::error::PersistenceError;

/// Refuses a login that row-level security would not bind.
///
/// # Errors
/// [`PersistenceError::LoginTooPowerful`] for a superuser or a role with `bypassrls`.
pub async fn check_login(connection: &mut PgConnection) -> Result<(), PersistenceError> {
    let login = sqlx::query!(
        r#"select rolname::text as "role!", rolsuper as "is_superuser!", rolbypassrls as "bypasses!"
           from pg_roles where rolname = session_user"#
    )
    .fetch_one(connection)
    .await?;
    let why = match (login.is_superuser, login.bypasses) {
        (true, _) => "is a superuser",
        (false, true) => "bypasses row-level security",
        (false, false) => return Ok(()),
    };
    Err(PersistenceError::LoginTooPowerful { role: login.role, why })
}
