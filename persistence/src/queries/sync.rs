//! What the background sync wants to know: which calls are still worth a question to the engine.

use chrono::{DateTime, Utc};
use domain::TenantId;
use sqlx::PgConnection;

use super::Stored;

/// For how long after its end a call's transcript is still waited for, in hours; as the machine does.
const WATCH_HOURS: i32 = 24;

/// Returns those of `calls` that are over with nothing missing, or were deleted.
pub(super) async fn settled(
    tx: &mut PgConnection,
    tenant: TenantId,
    calls: &[String],
) -> Stored<Vec<String>> {
    let settled = sqlx::query_scalar!(
        r#"select v.call_id as "call_id!"
           from voice_interviews v
           where v.tenant_id = $1 and v.call_id = any ($2)
               and (v.deleted_at is not null
                   or (v.status in ('ended', 'failed')
                       and (v.outcome is distinct from 'awaiting_transcript'
                           or v.ended_at < now() - make_interval(hours => $3))))"#,
        tenant.0,
        calls,
        WATCH_HOURS,
    );
    Ok(settled.fetch_all(tx).await?)
}

/// Whether the sync may bring news: a call is not over, or lacks its transcript for less than a day.
///
/// Such a call has a wake time, because every live state has a maximum age. The few rows of `wakes` lead
/// to it; the interviews themselves carry no index on what every commit changes.
pub(super) async fn stale(
    tx: &mut PgConnection,
    tenant: TenantId,
    now: DateTime<Utc>,
) -> Stored<bool> {
    let stale = sqlx::query_scalar!(
        r#"select exists (
               select from wakes w
               join voice_interviews v on v.id = w.entity_id
               where w.tenant_id = $1 and w.kind = 'interview'
                   and v.tenant_id = $1 and v.deleted_at is null
                   and (v.status in ('queued', 'ringing', 'in-progress')
                       or (v.outcome = 'awaiting_transcript'
                           and v.ended_at > $2::timestamptz - make_interval(hours => $3)))
           ) as "stale!""#,
        tenant.0,
        now,
        WATCH_HOURS,
    );
    Ok(stale.fetch_one(tx).await?)
}

/// Whether any call of the tenant is not over; found as in [`stale`].
pub(super) async fn open(tx: &mut PgConnection, tenant: TenantId) -> Stored<bool> {
    let open = sqlx::query_scalar!(
        r#"select exists (
               select from wakes w
               join voice_interviews v on v.id = w.entity_id
               where w.tenant_id = $1 and w.kind = 'interview'
                   and v.tenant_id = $1 and v.deleted_at is null
                   and v.status in ('queued', 'ringing', 'in-progress')
           ) as "open!""#,
        tenant.0,
    );
    Ok(open.fetch_one(tx).await?)
}
