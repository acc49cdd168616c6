//! What the background sync wants to know: which calls are worth a question to the engine.

use chrono::{DateTime, Utc};
use domain::TenantId;
use domain::interview::CallStatus;
use domain::ports::KnownCall;
use sqlx::PgConnection;

use super::{Stored, unknown};

/// Returns what is known of those of `calls` that have a row, with one statement.
pub(super) async fn known(
    tx: &mut PgConnection,
    tenant: TenantId,
    calls: &[String],
) -> Stored<Vec<KnownCall>> {
    let rows = sqlx::query!(
        r#"select v.call_id as "call_id!", v.status,
               v.outcome is not distinct from 'awaiting_transcript' as "awaits_transcript!",
               v.deleted_at is not null as "is_deleted!", v.updated_at
           from voice_interviews v
           where v.tenant_id = $1 and v.call_id = any ($2)"#,
        tenant.0,
        calls,
    );
    let known = rows.fetch_all(tx).await?.into_iter().map(|row| {
        Ok(KnownCall {
            call_id: row.call_id,
            status: CallStatus::parse(&row.status).map_err(unknown)?,
            awaits_transcript: row.awaits_transcript,
            is_deleted: row.is_deleted,
            updated_at: row.updated_at,
        })
    });
    known.collect()
}

/// Whether any call of the tenant is not over and has not changed since `before`.
///
/// Such a call has a wake time, because every live state has a maximum age. The few rows of `wakes` lead
/// to it; the interviews themselves carry no index on what every commit changes.
pub(super) async fn stale(
    tx: &mut PgConnection,
    tenant: TenantId,
    before: DateTime<Utc>,
) -> Stored<bool> {
    let stale = sqlx::query_scalar!(
        r#"select exists (
               select from wakes w
               join voice_interviews v on v.id = w.entity_id
               where w.tenant_id = $1 and w.kind = 'interview'
                   and v.tenant_id = $1 and v.deleted_at is null
                   and v.status in ('queued', 'ringing', 'in-progress') and v.updated_at < $2
           ) as "stale!""#,
        tenant.0,
        before,
    );
    Ok(stale.fetch_one(tx).await?)
}
