//! Loading what activations start from, many entities at a time.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use domain::ports::{Checkpoint, Checkpoints, Loaded};
use domain::{EntityId, Kind, TenantId};
use sqlx::PgConnection;
use uuid::Uuid;

use super::{Answer, PgStore, Stored, inbox, text};
use crate::patience::in_time;

impl Checkpoints for PgStore {
    fn load(&self, kind: Kind, ids: Vec<EntityId>, now: DateTime<Utc>) -> Answer<'_, Vec<Loaded>> {
        in_time(async move { Ok(load(&mut *self.connection().await?, kind, &ids, now).await?) })
    }

    fn open(&self, kind: Kind, after: Option<EntityId>, limit: u32) -> Answer<'_, Vec<EntityId>> {
        in_time(async move { Ok(open(&mut *self.connection().await?, kind, after, limit).await?) })
    }
}

/// Loads `ids` with three statements, whatever their number; answers in the order asked.
///
/// Checkpoints are read first: a row decided elsewhere in between is then simply not there any more,
/// and a checkpoint that moved in between fails its fence.
async fn load(
    connection: &mut PgConnection,
    kind: Kind,
    ids: &[EntityId],
    now: DateTime<Utc>,
) -> Stored<Vec<Loaded>> {
    let asked: Vec<Uuid> = ids.iter().map(|id| id.0).collect();
    let mut checkpoints = match kind {
        Kind::Interview => interviews(connection, &asked).await?,
        Kind::Screening => screenings(connection, &asked).await?,
    };
    let mut quarantine = quarantined(connection, kind, &asked).await?;
    let mut rows: HashMap<Uuid, Vec<_>> = HashMap::new();
    for row in inbox::claim(connection, kind, &asked, now).await? {
        rows.entry(row.to.id.0).or_default().push(row);
    }
    let loaded = ids.iter().map(|id| Loaded {
        id: *id,
        checkpoint: checkpoints.remove(&id.0),
        inbox: rows.remove(&id.0).unwrap_or_default(),
        quarantine: quarantine.remove(&id.0),
    });
    Ok(loaded.collect())
}

/// One checkpoint as its table holds it.
struct CheckpointRow {
    id: Uuid,
    tenant_id: Uuid,
    version: i64,
    schema: i16,
    state: String,
}

fn by_id(rows: Vec<CheckpointRow>) -> HashMap<Uuid, Checkpoint> {
    let checkpoint = |row: CheckpointRow| Checkpoint {
        tenant: TenantId(row.tenant_id),
        version: row.version,
        schema: text::schema(row.schema),
        state: row.state,
    };
    rows.into_iter().map(|row| (row.id, checkpoint(row))).collect()
}

async fn interviews(
    connection: &mut PgConnection,
    ids: &[Uuid],
) -> Stored<HashMap<Uuid, Checkpoint>> {
    let rows = sqlx::query_as!(
        CheckpointRow,
        "select id, tenant_id, version, schema, state from voice_interviews where id = any ($1)",
        ids,
    );
    Ok(by_id(rows.fetch_all(connection).await?))
}

async fn screenings(
    connection: &mut PgConnection,
    ids: &[Uuid],
) -> Stored<HashMap<Uuid, Checkpoint>> {
    let rows = sqlx::query_as!(
        CheckpointRow,
        "select id, tenant_id, version, schema, state from screening_results where id = any ($1)",
        ids,
    );
    Ok(by_id(rows.fetch_all(connection).await?))
}

async fn quarantined(
    connection: &mut PgConnection,
    kind: Kind,
    ids: &[Uuid],
) -> Stored<HashMap<Uuid, String>> {
    let rows = sqlx::query!(
        "select entity_id, reason from quarantine where kind = $1 and entity_id = any ($2)",
        kind.as_str(),
        ids,
    );
    let rows = rows.fetch_all(connection).await?;
    Ok(rows.into_iter().map(|row| (row.entity_id, row.reason)).collect())
}

/// Returns a page of the entities that have a wake time, which every entity has that is not final.
async fn open(
    connection: &mut PgConnection,
    kind: Kind,
    after: Option<EntityId>,
    limit: u32,
) -> Stored<Vec<EntityId>> {
    let ids = sqlx::query_scalar!(
        "select entity_id from wakes
         where kind = $1 and entity_id > coalesce($2, '00000000-0000-0000-0000-000000000000'::uuid)
         order by entity_id
         limit $3",
        kind.as_str(),
        after.map(|id| id.0),
        i64::from(limit),
    );
    Ok(ids.fetch_all(connection).await?.into_iter().map(EntityId).collect())
}
