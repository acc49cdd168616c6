//! Entities that may not be activated until somebody releases them.

use chrono::{DateTime, Utc};
use domain::ports::{Quarantine, QuarantinedEntity};
use domain::{EntityKey, TenantId};
use sqlx::PgConnection;
use uuid::Uuid;

use super::{Answer, PgStore, Stored, text};
use crate::error::PersistenceError;
use crate::patience::in_time;

impl Quarantine for PgStore {
    fn put(
        &self,
        key: EntityKey,
        tenant: TenantId,
        reason: String,
        poison: Option<Uuid>,
        at: DateTime<Utc>,
    ) -> Answer<'_, ()> {
        in_time(async move {
            let mut connection = self.connection().await?;
            let mut tx = connection.begin().await?;
            put(&mut tx, key, tenant, &reason, poison, at).await?;
            take_wake_away(&mut tx, key, tenant).await?;
            Ok(tx.commit().await.map_err(PersistenceError::from)?)
        })
    }

    fn release(
        &self,
        key: EntityKey,
        tenant: Option<TenantId>,
        at: DateTime<Utc>,
    ) -> Answer<'_, bool> {
        in_time(async move { Ok(release(&mut *self.connection().await?, key, tenant, at).await?) })
    }

    fn list(&self, limit: u32) -> Answer<'_, Vec<QuarantinedEntity>> {
        in_time(async move { Ok(list(&mut *self.connection().await?, limit).await?) })
    }
}

/// Writes the row; an entity that is there already keeps its beginning and gets the newer reason.
async fn put(
    tx: &mut PgConnection,
    key: EntityKey,
    tenant: TenantId,
    reason: &str,
    poison: Option<Uuid>,
    at: DateTime<Utc>,
) -> Stored<()> {
    sqlx::query!(
        "insert into quarantine (entity_id, kind, tenant_id, reason, poison, since)
         values ($1, $2, $3, $4, $5, $6)
         on conflict on constraint quarantine_pkey do update
         set reason = excluded.reason, poison = coalesce(excluded.poison, quarantine.poison)
         where quarantine.tenant_id = excluded.tenant_id",
        key.id.0,
        key.kind.as_str(),
        tenant.0,
        reason,
        poison,
        at,
    )
    .execute(tx)
    .await?;
    Ok(())
}

async fn take_wake_away(tx: &mut PgConnection, key: EntityKey, tenant: TenantId) -> Stored<()> {
    sqlx::query!(
        "delete from wakes where kind = $1 and entity_id = $2 and tenant_id = $3",
        key.kind.as_str(),
        key.id.0,
        tenant.0,
    )
    .execute(tx)
    .await?;
    Ok(())
}

/// Lets an entity go with one statement: its rows count from zero again, and it is woken.
///
/// The wake carries version 0, older than any commit: the entity's own next one replaces it.
async fn release(
    connection: &mut PgConnection,
    key: EntityKey,
    tenant: Option<TenantId>,
    at: DateTime<Utc>,
) -> Stored<bool> {
    let released = sqlx::query_scalar!(
        r#"with released as (
               delete from quarantine
               where entity_id = $1 and kind = $2 and tenant_id = coalesce($4, tenant_id)
               returning entity_id, kind, tenant_id
           ), unclaimed as (
               update inbox i
               set attempts = 0, available_at = $3
               from released r
               where i.kind = r.kind and i.entity_id = r.entity_id
                   and i.tenant_id = r.tenant_id
           ), woken as (
               insert into wakes (entity_id, kind, tenant_id, due_at, version)
               select r.entity_id, r.kind, r.tenant_id, $3, 0 from released r
               on conflict on constraint wakes_pkey do nothing
           )
           select count(*) as "released!" from released"#,
        key.id.0,
        key.kind.as_str(),
        at,
        tenant.map(|tenant| tenant.0),
    );
    Ok(released.fetch_one(connection).await? > 0)
}

async fn list(connection: &mut PgConnection, limit: u32) -> Stored<Vec<QuarantinedEntity>> {
    let rows = sqlx::query!(
        r#"select q.entity_id as "entity_id!", q.kind as "kind!", q.tenant_id as "tenant_id!",
               q.reason as "reason!", q.poison, q.since as "since!",
               (select count(*) from inbox i
                where i.kind = q.kind and i.entity_id = q.entity_id
                    and i.set_aside is null) as "waiting!"
           from (select entity_id, kind, tenant_id, reason, poison, since,
                     row_number() over (partition by tenant_id order by since, entity_id) as place
                 from quarantine
                 where kind = any ($1)) q
           where q.place <= $2
           order by q.since, q.entity_id"#,
        &text::known_kinds(),
        i64::from(limit),
    );
    let rows = rows.fetch_all(connection).await?.into_iter();
    let entities = rows.filter_map(|row| {
        Some(QuarantinedEntity {
            key: text::entity_key(&row.kind, row.entity_id)?,
            tenant: TenantId(row.tenant_id),
            reason: row.reason,
            poison: row.poison,
            since: row.since,
            waiting: row.waiting,
        })
    });
    Ok(entities.collect())
}
