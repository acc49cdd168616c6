//! Mistakes that can be switched on, so that a check is seen to find them. Never in a release.

use sqlx::{Executor as _, PgConnection};

use crate::error::PersistenceError;

/// The mistakes that lie in the database, each with the script that makes it.
const SCRIPTS: [(&str, &str); 4] = [
    ("drop-the-fence", include_str!("drop_the_fence.sql")),
    ("refuse-without-the-fence", include_str!("refuse_without_the_fence.sql")),
    ("skip-the-dedupe-key", include_str!("skip_the_dedupe_key.sql")),
    ("seq-from-a-sequence", include_str!("seq_from_a_sequence.sql")),
];

fn is_planted(name: &str) -> bool {
    std::env::var("PLANTED_DEFECT").is_ok_and(|planted| planted == name)
}

/// Makes the mistake that is asked for, if it is one of the database's.
///
/// # Errors
/// [`PersistenceError`] when its script does not find what it would spoil.
pub async fn spoil(login: &mut PgConnection) -> Result<(), PersistenceError> {
    for (name, script) in SCRIPTS {
        if is_planted(name) {
            login.execute(sqlx::raw_sql(script)).await?;
        }
    }
    Ok(())
}

/// Lets the journal's connection say "done" before it is.
pub(crate) async fn loosen(connection: &mut PgConnection) -> Result<(), sqlx::Error> {
    if is_planted("synchronous-commit-off") {
        connection.execute(sqlx::raw_sql("set synchronous_commit = off")).await?;
    }
    Ok(())
}
