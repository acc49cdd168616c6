//! The statements of the journal.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

use super::batch::Batch;

/// What `journal_try` says of a part of a batch.
pub(super) struct Tried {
    pub outcome: String,
    pub base: Option<i64>,
    pub keys: Option<Vec<Uuid>>,
    pub detail: Option<String>,
}

/// Commits a whole batch in one round trip; answers the number before its first fact.
pub(super) async fn commit(
    connection: &mut PgConnection,
    writer: Uuid,
    number: i64,
    batch: &Batch<'_>,
    at: DateTime<Utc>,
) -> Result<i64, sqlx::Error> {
    let Batch { keys, kinds, entities, facts, deliveries, applied, wakes, gone, erased, .. } =
        batch;
    sqlx::query_scalar!(
        r#"select journal_commit($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15,
            $16, $17, $18, $19, $20, $21, $22, $23, $24, $25, $26, $27, $28, $29, $30, $31, $32,
            $33, $34, $35, $36, $37, $38, $39, $40, $41, $42, $43, $44) as "base!""#,
        writer,
        number,
        &keys.ids,
        &keys.tenants,
        &kinds.names,
        &kinds.rows,
        &kinds.columns,
        &entities.ids,
        &entities.tenants,
        &entities.expected,
        &entities.schemas,
        &entities.states as _,
        &entities.columns as _,
        at,
        &facts.tenants,
        &facts.kinds as _,
        &facts.ids,
        &facts.versions,
        &facts.names as _,
        &facts.schemas,
        &facts.data as _,
        &facts.at,
        &deliveries.keys,
        &deliveries.tenants,
        &deliveries.kinds as _,
        &deliveries.ids,
        &deliveries.verdicts,
        &deliveries.remarks as _,
        &deliveries.raw as _,
        &deliveries.received,
        &applied.rows,
        &applied.verdicts,
        &wakes.ids,
        &wakes.kinds as _,
        &wakes.tenants,
        &wakes.due,
        &wakes.versions,
        &gone.kinds as _,
        &gone.ids,
        &gone.tenants,
        &erased.kinds as _,
        &erased.ids,
        &erased.tenants,
        batch.owed.as_ref(),
    )
    .fetch_one(connection)
    .await
}

/// Commits a part of a batch inside the transaction of the careful way.
pub(super) async fn attempt(
    connection: &mut PgConnection,
    writer: Uuid,
    batch: &Batch<'_>,
    at: DateTime<Utc>,
) -> Result<Tried, sqlx::Error> {
    let Batch { keys, kinds, entities, facts, deliveries, applied, wakes, gone, erased, .. } =
        batch;
    sqlx::query_as!(
        Tried,
        r#"select outcome as "outcome!", base, keys, detail
           from journal_try($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16,
            $17, $18, $19, $20, $21, $22, $23, $24, $25, $26, $27, $28, $29, $30, $31, $32, $33,
            $34, $35, $36, $37, $38, $39, $40, $41, $42, $43)"#,
        &keys.ids,
        &keys.tenants,
        &kinds.names,
        &kinds.rows,
        &kinds.columns,
        &entities.ids,
        &entities.tenants,
        &entities.expected,
        &entities.schemas,
        &entities.states as _,
        &entities.columns as _,
        at,
        &facts.tenants,
        &facts.kinds as _,
        &facts.ids,
        &facts.versions,
        &facts.names as _,
        &facts.schemas,
        &facts.data as _,
        &facts.at,
        &deliveries.keys,
        &deliveries.tenants,
        &deliveries.kinds as _,
        &deliveries.ids,
        &deliveries.verdicts,
        &deliveries.remarks as _,
        &deliveries.raw as _,
        &deliveries.received,
        &applied.rows,
        &applied.verdicts,
        &wakes.ids,
        &wakes.kinds as _,
        &wakes.tenants,
        &wakes.due,
        &wakes.versions,
        &gone.kinds as _,
        &gone.ids,
        &gone.tenants,
        &erased.kinds as _,
        &erased.ids,
        &erased.tenants,
        batch.owed.as_ref(),
        writer,
    )
    .fetch_one(connection)
    .await
}

/// Takes the lock that orders all journals, and waits for whoever holds it.
pub(super) async fn lock_head(connection: &mut PgConnection) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar!("select seq from journal_head where id = 1 for update")
        .fetch_one(connection)
        .await
}

/// Records what the careful way answered, in its own transaction; fails when a later batch was answered.
pub(super) async fn record(
    connection: &mut PgConnection,
    writer: Uuid,
    number: i64,
    answers: &str,
) -> Result<(), sqlx::Error> {
    sqlx::query!("select journal_answer($1, $2, $3)", writer, number, answers)
        .execute(connection)
        .await
        .map(drop)
}

/// Returns what the writer's batch of that number was answered, if it committed.
pub(super) async fn recorded(
    connection: &mut PgConnection,
    writer: Uuid,
    number: i64,
) -> Result<Option<String>, sqlx::Error> {
    sqlx::query_scalar!(
        "select answers from journal_writers where writer = $1 and batch = $2",
        writer,
        number,
    )
    .fetch_optional(connection)
    .await
}
