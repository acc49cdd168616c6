//! Wake times that survive a restart.

use chrono::{DateTime, Utc};
use domain::TenantId;
use domain::ports::{DueWake, Timers};
use sqlx::PgConnection;

use super::{Answer, HOLD_SECONDS, PgStore, Stored, text};
use crate::patience::in_time;

impl Timers for PgStore {
    fn take_due(&self, now: DateTime<Utc>, limit: u32) -> Answer<'_, Vec<DueWake>> {
        in_time(async move { Ok(take_due(&mut *self.connection().await?, now, limit).await?) })
    }
}

/// Takes what is due, longest overdue first; what another taker holds is left to it.
async fn take_due(
    connection: &mut PgConnection,
    now: DateTime<Utc>,
    limit: u32,
) -> Stored<Vec<DueWake>> {
    let rows = sqlx::query!(
        r#"with due as (
               select w.kind, w.entity_id, w.due_at from wakes w
               where w.due_at <= $1 and w.kind = any ($2)
               order by w.due_at
               limit $3
               for update skip locked
           ), taken as (
               update wakes w
               set due_at = $1 + make_interval(secs => $4)
               from due d
               where w.kind = d.kind and w.entity_id = d.entity_id
               returning w.entity_id, w.kind, w.tenant_id, d.due_at
           )
           select t.entity_id as "entity_id!", t.kind as "kind!", t.tenant_id as "tenant_id!",
               t.due_at as "due_at!"
           from taken t
           order by t.due_at"#,
        now,
        &text::known_kinds(),
        i64::from(limit),
        HOLD_SECONDS,
    );
    let rows = rows.fetch_all(connection).await?.into_iter();
    let wakes = rows.filter_map(|row| {
        let key = text::entity_key(&row.kind, row.entity_id)?;
        Some(DueWake { key, tenant: TenantId(row.tenant_id), due: row.due_at })
    });
    Ok(wakes.collect())
}
