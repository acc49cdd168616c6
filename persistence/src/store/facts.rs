//! The history of the feed.

use chrono::{DateTime, Utc};
use domain::ports::{FactPage, Facts, StoredFact};
use domain::{EntityKey, TenantId};
use sqlx::PgConnection;
use uuid::Uuid;

use super::{Answer, PgStore, Stored, text};
use crate::patience::in_time;

impl Facts for PgStore {
    fn after(&self, seq: i64, limit: u32) -> Answer<'_, FactPage> {
        in_time(async move { Ok(after(&mut *self.connection().await?, seq, limit).await?) })
    }

    fn of(&self, key: EntityKey, seq: i64, limit: u32) -> Answer<'_, Vec<StoredFact>> {
        in_time(async move { Ok(of(&mut *self.connection().await?, key, seq, limit).await?) })
    }

    fn head(&self) -> Answer<'_, (i64, String)> {
        in_time(async move { Ok(head(&mut *self.connection().await?).await?) })
    }
}

/// One fact as its table holds it.
struct FactRow {
    seq: i64,
    tenant_id: Uuid,
    kind: String,
    entity_id: Uuid,
    version: i64,
    name: String,
    schema: i16,
    data: String,
    at: DateTime<Utc>,
}

/// Reads facts; those of kinds that only a newer release knows are passed over.
fn known(rows: Vec<FactRow>) -> Vec<StoredFact> {
    let fact = |row: FactRow| {
        Some(StoredFact {
            seq: row.seq,
            tenant: TenantId(row.tenant_id),
            key: text::entity_key(&row.kind, row.entity_id)?,
            version: row.version,
            name: row.name,
            schema: text::schema(row.schema),
            data: row.data,
            at: row.at,
        })
    };
    rows.into_iter().filter_map(fact).collect()
}

async fn after(connection: &mut PgConnection, seq: i64, limit: u32) -> Stored<FactPage> {
    let rows = sqlx::query_as!(
        FactRow,
        "select seq, tenant_id, kind, entity_id, version, name, schema, data, at
         from call_events
         where seq > $1
         order by seq
         limit $2",
        seq,
        i64::from(limit),
    );
    let rows = rows.fetch_all(connection).await?;
    let after = rows.first().map_or(seq, |row| row.seq - 1);
    let to = rows.last().map_or(seq, |row| row.seq);
    Ok(FactPage { facts: known(rows), after, to })
}

async fn of(
    connection: &mut PgConnection,
    key: EntityKey,
    seq: i64,
    limit: u32,
) -> Stored<Vec<StoredFact>> {
    let rows = sqlx::query_as!(
        FactRow,
        "select seq, tenant_id, kind, entity_id, version, name, schema, data, at
         from call_events
         where entity_id = $1 and kind = $2 and seq > $3
         order by seq
         limit $4",
        key.id.0,
        key.kind.as_str(),
        seq,
        i64::from(limit),
    );
    Ok(known(rows.fetch_all(connection).await?))
}

async fn head(connection: &mut PgConnection) -> Stored<(i64, String)> {
    let head =
        sqlx::query!(r#"select seq, epoch::text as "epoch!" from journal_head where id = 1"#)
            .fetch_one(connection)
            .await?;
    Ok((head.seq, head.epoch))
}
