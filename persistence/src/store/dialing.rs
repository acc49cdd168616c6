//! The red button: a row is a stop that is in force.

use chrono::{DateTime, Utc};
use domain::TenantId;
use domain::ports::{DialScope, DialStop, Dialing};
use sqlx::PgConnection;

use super::{Answer, PgStore, Stored};
use crate::error::PersistenceError;
use crate::patience::in_time;

impl Dialing for PgStore {
    fn stop(
        &self,
        scope: DialScope,
        by: String,
        reason: Option<String>,
        at: DateTime<Utc>,
    ) -> Answer<'_, ()> {
        in_time(async move {
            let mut connection = self.connection().await?;
            let mut tx = connection.begin().await?;
            stand_in_line(&mut tx).await?;
            put_stop(&mut tx, &scope, &by, reason.as_deref(), at).await?;
            Ok(tx.commit().await.map_err(PersistenceError::from)?)
        })
    }

    fn resume(&self, scope: DialScope) -> Answer<'_, bool> {
        in_time(async move { Ok(drop_stop(&mut *self.connection().await?, &scope).await?) })
    }

    fn leaving(
        &self,
        scope: DialScope,
        now: DateTime<Utc>,
        before: DateTime<Utc>,
    ) -> Answer<'_, u32> {
        in_time(
            async move { Ok(leaving(&mut *self.connection().await?, &scope, now, before).await?) },
        )
    }

    fn stops(&self) -> Answer<'_, Vec<DialStop>> {
        in_time(async move { Ok(list(&mut *self.connection().await?).await?) })
    }
}

/// Waits for the journal batch under way and holds the next ones back until the commit.
///
/// So every `sending` either committed before the stop, or reads it.
async fn stand_in_line(tx: &mut PgConnection) -> Stored<()> {
    sqlx::query_scalar!("select seq from journal_head where id = 1 for update")
        .fetch_one(tx)
        .await?;
    Ok(())
}

/// Writes a stop; one that is in force already keeps its beginning.
async fn put_stop(
    tx: &mut PgConnection,
    scope: &DialScope,
    by: &str,
    reason: Option<&str>,
    at: DateTime<Utc>,
) -> Stored<()> {
    let tenant = match scope {
        DialScope::Tenant(tenant) => *tenant,
        DialScope::All | DialScope::Provider(_) | DialScope::Unknown(_) => TenantId::DEFAULT,
    };
    sqlx::query!(
        "insert into dialing_stops (scope, tenant_id, stopped_by, reason, since)
         values ($1, $2, $3, $4, $5)
         on conflict (scope) do update
         set stopped_by = excluded.stopped_by, reason = excluded.reason",
        scope.as_text(),
        tenant.0,
        by,
        reason,
        at,
    )
    .execute(tx)
    .await?;
    Ok(())
}

/// Takes a stop away; answers whether there was one.
async fn drop_stop(connection: &mut PgConnection, scope: &DialScope) -> Stored<bool> {
    let done = sqlx::query!("delete from dialing_stops where scope = $1", scope.as_text())
        .execute(connection)
        .await?;
    Ok(done.rows_affected() > 0)
}

/// Counts dials that were sent, by whatever instance, are not answered, and whose time is not over.
async fn leaving(
    connection: &mut PgConnection,
    scope: &DialScope,
    now: DateTime<Utc>,
    before: DateTime<Utc>,
) -> Stored<u32> {
    let tenant = match scope {
        DialScope::Tenant(tenant) => Some(tenant.0),
        DialScope::All | DialScope::Provider(_) | DialScope::Unknown(_) => None,
    };
    let leaving = sqlx::query_scalar!(
        r#"select count(*) as "leaving!" from intents
           where status = 'sending' and reach = 'rings' and not_after > $1 and not_after <= $2
               and ($3::uuid is null or tenant_id = $3)"#,
        now,
        before,
        tenant,
    );
    Ok(u32::try_from(leaving.fetch_one(connection).await?).unwrap_or(u32::MAX))
}

async fn list(connection: &mut PgConnection) -> Stored<Vec<DialStop>> {
    let stops = sqlx::query!(
        r#"select scope, stopped_by as "by", reason, since from dialing_stops
           order by since, scope"#,
    );
    let stops = stops.fetch_all(connection).await?.into_iter().map(|row| DialStop {
        scope: DialScope::read(&row.scope),
        by: row.by,
        reason: row.reason,
        since: row.since,
    });
    Ok(stops.collect())
}
