//! The durable inbox: what could not be decided at once waits here.

use chrono::{DateTime, Utc};
use domain::ports::{Inbox, InboxRow, NewInboxRow, Parking};
use domain::{DedupeKey, EntityId, EntityKey, Kind, TenantId};
use sqlx::PgConnection;
use uuid::Uuid;

use super::{Answer, HOLD_SECONDS, PgStore, Stored, text};
use crate::error::PersistenceError;
use crate::patience::in_time;

/// How many rows one claim takes at most; the backlog brings the rest.
const CLAIM_ROWS_MAX: i64 = 10_000;
/// How long a row waits for an intent before it is routed without it, in hours.
const WAIT_HOURS_MAX: i32 = 24;

impl Inbox for PgStore {
    fn park(&self, row: NewInboxRow) -> Answer<'_, Parking> {
        in_time(async move {
            let mut connection = self.connection().await?;
            let mut tx = connection.begin().await?;
            if !take_key(&mut tx, row.key, row.tenant).await? {
                return Ok(Parking::Duplicate);
            }
            insert(&mut tx, &row).await?;
            tx.commit().await.map_err(PersistenceError::from)?;
            Ok(Parking::Stored)
        })
    }

    fn claim(
        &self,
        kind: Kind,
        ids: Vec<EntityId>,
        now: DateTime<Utc>,
    ) -> Answer<'_, Vec<InboxRow>> {
        in_time(async move {
            let ids: Vec<Uuid> = ids.iter().map(|id| id.0).collect();
            Ok(claim(&mut *self.connection().await?, kind, &ids, now).await?)
        })
    }

    fn backlog(&self, now: DateTime<Utc>, limit: u32) -> Answer<'_, Vec<EntityKey>> {
        in_time(async move { Ok(backlog(&mut *self.connection().await?, now, limit).await?) })
    }

    fn set_aside(&self, row: Uuid, reason: String) -> Answer<'_, ()> {
        in_time(async move { Ok(set_aside(&mut *self.connection().await?, row, &reason).await?) })
    }

    fn aside(&self) -> Answer<'_, Vec<(Kind, i64)>> {
        in_time(async move { Ok(aside(&mut *self.connection().await?).await?) })
    }

    fn released(&self, now: DateTime<Utc>, limit: u32) -> Answer<'_, Vec<InboxRow>> {
        in_time(async move { Ok(released(&mut *self.connection().await?, now, limit).await?) })
    }

    fn readdress(&self, row: Uuid, to: EntityKey) -> Answer<'_, ()> {
        in_time(async move { Ok(readdress(&mut *self.connection().await?, row, to).await?) })
    }
}

/// Takes a dedupe key; answers whether it was free.
///
/// Waits for whoever is taking it right now, so that both ways in agree on one winner.
async fn take_key(tx: &mut PgConnection, key: DedupeKey, tenant: TenantId) -> Stored<bool> {
    let done = sqlx::query!(
        "insert into dedupe_keys (key, tenant_id) values ($1, $2) on conflict do nothing",
        key.0,
        tenant.0,
    )
    .execute(tx)
    .await?;
    Ok(done.rows_affected() == 1)
}

async fn insert(tx: &mut PgConnection, row: &NewInboxRow) -> Stored<()> {
    sqlx::query!(
        "insert into inbox (id, tenant_id, kind, entity_id, waits_for, schema, event, remarks, raw,
             hops, attempts, received_at, available_at)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $12)",
        row.key.0,
        row.tenant.0,
        row.to.kind.as_str(),
        row.to.id.0,
        row.waits_for.map(|intent| intent.0),
        text::small(row.schema),
        row.event,
        row.remarks.as_deref(),
        row.raw.as_deref(),
        text::small(row.hops),
        i32::try_from(row.attempts).unwrap_or(i32::MAX),
        row.received_at,
    )
    .execute(tx)
    .await?;
    Ok(())
}

/// One row as its table holds it.
struct StoredRow {
    id: Uuid,
    tenant_id: Uuid,
    kind: String,
    entity_id: Uuid,
    schema: i16,
    event: String,
    hops: i16,
    received_at: DateTime<Utc>,
}

impl StoredRow {
    fn read(self) -> Option<InboxRow> {
        Some(InboxRow {
            row: self.id,
            key: DedupeKey(self.id),
            tenant: TenantId(self.tenant_id),
            to: text::entity_key(&self.kind, self.entity_id)?,
            schema: text::schema(self.schema),
            event: self.event,
            hops: text::schema(self.hops),
            received_at: self.received_at,
        })
    }
}

/// Claims the open rows of `ids` in the order they came in, whenever they were claimed before.
///
/// An attempt is counted by the claim itself: a row that kills its reader is counted all the same.
pub(super) async fn claim(
    connection: &mut PgConnection,
    kind: Kind,
    ids: &[Uuid],
    now: DateTime<Utc>,
) -> Stored<Vec<InboxRow>> {
    let rows = sqlx::query_file_as!(
        StoredRow,
        "queries/inbox_claim.sql",
        ids,
        kind.as_str(),
        CLAIM_ROWS_MAX,
        now,
        HOLD_SECONDS,
    );
    Ok(rows.fetch_all(connection).await?.into_iter().filter_map(StoredRow::read).collect())
}

/// Returns who has rows that nobody claimed lately, the longest waiting rows first.
async fn backlog(
    connection: &mut PgConnection,
    now: DateTime<Utc>,
    limit: u32,
) -> Stored<Vec<EntityKey>> {
    let rows = sqlx::query!(
        r#"with due as (
               select i.id from inbox i
               where i.set_aside is null and i.waits_for is null and i.available_at <= $1
                   and i.kind = any ($2)
                   and not exists (select from quarantine q
                       where q.kind = i.kind and q.entity_id = i.entity_id)
               order by i.available_at, i.position
               limit $3
               for update of i skip locked
           ), pushed as (
               update inbox i
               set available_at = $1 + make_interval(secs => $4)
               from due d
               where i.id = d.id
               returning i.kind, i.entity_id
           )
           select distinct p.kind as "kind!", p.entity_id as "entity_id!" from pushed p"#,
        now,
        &text::known_kinds(),
        i64::from(limit),
        HOLD_SECONDS,
    );
    let rows = rows.fetch_all(connection).await?.into_iter();
    Ok(rows.filter_map(|row| text::entity_key(&row.kind, row.entity_id)).collect())
}

async fn set_aside(connection: &mut PgConnection, row: Uuid, reason: &str) -> Stored<()> {
    sqlx::query!("update inbox set set_aside = $2 where id = $1", row, reason)
        .execute(connection)
        .await?;
    Ok(())
}

async fn aside(connection: &mut PgConnection) -> Stored<Vec<(Kind, i64)>> {
    let rows = sqlx::query!(
        r#"select kind, count(*) as "count!" from inbox where set_aside is not null group by kind"#
    );
    let rows = rows.fetch_all(connection).await?.into_iter();
    Ok(rows.filter_map(|row| Some((row.kind.parse().ok()?, row.count))).collect())
}

/// Takes rows behind intents that are no longer open, are gone, or were waited for long enough.
async fn released(
    connection: &mut PgConnection,
    now: DateTime<Utc>,
    limit: u32,
) -> Stored<Vec<InboxRow>> {
    let rows = sqlx::query_file_as!(
        StoredRow,
        "queries/inbox_released.sql",
        now,
        WAIT_HOURS_MAX,
        &text::known_kinds(),
        i64::from(limit),
        HOLD_SECONDS,
    );
    Ok(rows.fetch_all(connection).await?.into_iter().filter_map(StoredRow::read).collect())
}

/// Unlinks a row and addresses it with one statement: whoever crashes before it finds the row linked.
async fn readdress(connection: &mut PgConnection, row: Uuid, to: EntityKey) -> Stored<()> {
    sqlx::query!(
        "update inbox set kind = $2, entity_id = $3, waits_for = null
         where id = $1 and waits_for is not null",
        row,
        to.kind.as_str(),
        to.id.0,
    )
    .execute(connection)
    .await?;
    Ok(())
}
