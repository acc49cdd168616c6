//! Whether a database keeps what it has acknowledged.

use sqlx::PgConnection;

use super::error::EmbeddedError;
use super::installation::MAJOR_MIN;

/// The values of `synchronous_commit` under which a commit is on the local disk when it returns.
const SYNCHRONOUS: [&str; 4] = ["on", "remote_write", "remote_apply", "local"];

/// Refuses a database, embedded or given, that could lose an acknowledged commit.
///
/// It reads the settings as this very session has them, so what was set for its role or its
/// database counts.
///
/// # Errors
/// [`EmbeddedError::ServerTooOld`], or [`EmbeddedError::NotDurable`] with the setting and its value.
pub async fn check_durability(connection: &mut PgConnection) -> Result<(), EmbeddedError> {
    let (number, version, fsync, full_page_writes, synchronous_commit) =
        sqlx::query_as::<_, (i32, String, String, String, String)>(
            "select current_setting('server_version_num')::int4,
                    current_setting('server_version'),
                    current_setting('fsync'),
                    current_setting('full_page_writes'),
                    current_setting('synchronous_commit')",
        )
        .fetch_one(connection)
        .await
        .map_err(EmbeddedError::database("show its settings"))?;
    if u32::try_from(number / 10_000).unwrap_or_default() < MAJOR_MIN {
        return Err(EmbeddedError::ServerTooOld { version });
    }
    refuse_unless("fsync", fsync, &["on"], "on")?;
    refuse_unless("full_page_writes", full_page_writes, &["on"], "on")?;
    let wanted = "on, remote_write, remote_apply or local";
    refuse_unless("synchronous_commit", synchronous_commit, &SYNCHRONOUS, wanted)
}

fn refuse_unless(
    name: &'static str,
    value: String,
    accepted: &[&str],
    wanted: &'static str,
) -> Result<(), EmbeddedError> {
    if accepted.contains(&value.as_str()) {
        return Ok(());
    }
    Err(EmbeddedError::NotDurable { name, value, wanted })
}
