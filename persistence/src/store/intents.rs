//! Outside effects beside the journal: finding those that need work, and what is learnt meanwhile.

use chrono::{DateTime, Utc};
use domain::ports::{DueIntent, IntentCount, Intents, OpenIntent, OpenStatus};
use domain::{Attempt, IntentId, OperationClass, Reach, TenantId};
use sqlx::PgConnection;
use uuid::Uuid;

use super::{Answer, HOLD_SECONDS, PgStore, Stored, text};
use crate::patience::in_time;

impl Intents for PgStore {
    fn take_planned(
        &self,
        now: DateTime<Utc>,
        reach: Reach,
        limit: u32,
    ) -> Answer<'_, Vec<DueIntent>> {
        in_time(async move {
            Ok(take_planned(&mut *self.connection().await?, now, reach, limit).await?)
        })
    }

    fn take_unresolved(&self, now: DateTime<Utc>, limit: u32) -> Answer<'_, Vec<OpenIntent>> {
        in_time(
            async move { Ok(take_unresolved(&mut *self.connection().await?, now, limit).await?) },
        )
    }

    fn sending(&self, ids: Vec<IntentId>) -> Answer<'_, Vec<OpenIntent>> {
        in_time(async move { Ok(sending(&mut *self.connection().await?, &ids).await?) })
    }

    fn not_found(&self, id: IntentId, attempt: Attempt, look_at: DateTime<Utc>) -> Answer<'_, ()> {
        in_time(async move {
            Ok(not_found(&mut *self.connection().await?, id, attempt, look_at).await?)
        })
    }

    fn ambiguous(
        &self,
        id: IntentId,
        attempt: Attempt,
        now: DateTime<Utc>,
        until: DateTime<Utc>,
    ) -> Answer<'_, ()> {
        in_time(async move {
            Ok(ambiguous(&mut *self.connection().await?, id, attempt, now, until).await?)
        })
    }

    fn permits_taken(&self, now: DateTime<Utc>) -> Answer<'_, u32> {
        in_time(async move { Ok(permits_taken(&mut *self.connection().await?, now).await?) })
    }

    fn counts(&self) -> Answer<'_, Vec<IntentCount>> {
        in_time(async move { Ok(counts(&mut *self.connection().await?).await?) })
    }
}

/// Takes planned intents, longest due first; those of a quarantined owner wait for its release.
///
/// The attempt is only named here: it is counted when the journal moves the intent to `sending`.
async fn take_planned(
    connection: &mut PgConnection,
    now: DateTime<Utc>,
    reach: Reach,
    limit: u32,
) -> Stored<Vec<DueIntent>> {
    let rows = sqlx::query!(
        r#"with due as (
               select n.id, n.due_at from intents n
               where n.status = 'planned' and n.due_at <= $1 and n.kind = any ($2)
                   and n.reach = $3
                   and not (n.reach = 'rings' and (
                       exists (select from dialing_stops s where s.scope = 'tenant:' || n.tenant_id)
                       or exists (select from intents h
                           where h.tenant_id = n.tenant_id and h.callee = n.callee and h.id <> n.id
                               and h.held_until is not null
                               and (h.held_until > $1 or h.status in ('sending', 'ambiguous')))))
                   and not exists (select from quarantine q
                       where q.kind = n.kind and q.entity_id = n.entity_id)
               order by n.due_at
               limit $4
               for update of n skip locked
           ), taken as (
               update intents n
               set due_at = $1 + make_interval(secs => $5)
               from due d
               where n.id = d.id
               returning n.id, n.kind, n.entity_id, n.tenant_id, n.attempt, d.due_at
           )
           select t.id as "id!", t.kind as "kind!", t.entity_id as "entity_id!",
               t.tenant_id as "tenant_id!", t.attempt as "attempt!"
           from taken t
           order by t.due_at"#,
        now,
        &text::known_kinds(),
        reach.as_str(),
        i64::from(limit),
        HOLD_SECONDS,
    );
    let rows = rows.fetch_all(connection).await?.into_iter();
    let intents = rows.filter_map(|row| {
        Some(DueIntent {
            id: IntentId(row.id),
            owner: text::entity_key(&row.kind, row.entity_id)?,
            tenant: TenantId(row.tenant_id),
            attempt: text::count(row.attempt) + 1,
        })
    });
    Ok(intents.collect())
}

/// One intent as its table holds it.
struct OpenRow {
    id: Uuid,
    tenant_id: Uuid,
    kind: String,
    entity_id: Uuid,
    operation: String,
    class: String,
    reach: String,
    attempt: i32,
    schema: i16,
    effect: String,
    not_after: DateTime<Utc>,
    unanswered: i32,
    lookups: i32,
    planned_at: DateTime<Utc>,
    ambiguous_since: Option<DateTime<Utc>>,
}

impl OpenRow {
    fn read(self) -> Option<OpenIntent> {
        Some(OpenIntent {
            id: IntentId(self.id),
            owner: text::entity_key(&self.kind, self.entity_id)?,
            tenant: TenantId(self.tenant_id),
            operation: self.operation,
            class: OperationClass::parse(&self.class)?,
            // Named by a check constraint; whatever is not known to be silent counts as ringing.
            reach: Reach::parse(&self.reach).unwrap_or(Reach::Rings),
            attempt: text::count(self.attempt),
            schema: text::schema(self.schema),
            effect: self.effect,
            not_after: self.not_after,
            unanswered: text::count(self.unanswered),
            lookups: text::count(self.lookups),
            planned_at: self.planned_at,
            ambiguous_since: self.ambiguous_since,
        })
    }
}

/// Takes sent intents that should have an outcome by now, those that waited longest first.
async fn take_unresolved(
    connection: &mut PgConnection,
    now: DateTime<Utc>,
    limit: u32,
) -> Stored<Vec<OpenIntent>> {
    let rows = sqlx::query_file_as!(
        OpenRow,
        "queries/intents_unresolved.sql",
        now,
        &text::known_kinds(),
        i64::from(limit),
        HOLD_SECONDS,
    );
    Ok(rows.fetch_all(connection).await?.into_iter().filter_map(OpenRow::read).collect())
}

async fn sending(connection: &mut PgConnection, ids: &[IntentId]) -> Stored<Vec<OpenIntent>> {
    let ids: Vec<Uuid> = ids.iter().map(|id| id.0).collect();
    let rows = sqlx::query_as!(
        OpenRow,
        r#"select id, tenant_id, kind, entity_id, operation, class, reach, attempt, schema, effect,
               not_after as "not_after!", unanswered, lookups, planned_at, ambiguous_since
           from intents
           where id = any ($1) and status = 'sending'"#,
        &ids,
    );
    Ok(rows.fetch_all(connection).await?.into_iter().filter_map(OpenRow::read).collect())
}

async fn not_found(
    connection: &mut PgConnection,
    id: IntentId,
    attempt: Attempt,
    look_at: DateTime<Utc>,
) -> Stored<()> {
    sqlx::query!(
        "update intents set lookups = lookups + 1, look_at = $3
         where id = $1 and attempt = $2 and status in ('sending', 'ambiguous')",
        id.0,
        i32::try_from(attempt).unwrap_or(i32::MAX),
        look_at,
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Marks an intent ambiguous; one that is so already keeps its beginning.
async fn ambiguous(
    connection: &mut PgConnection,
    id: IntentId,
    attempt: Attempt,
    now: DateTime<Utc>,
    until: DateTime<Utc>,
) -> Stored<()> {
    sqlx::query!(
        "update intents
         set status = 'ambiguous', ambiguous_since = coalesce(ambiguous_since, $3), look_at = $4,
             held_until = case when held_until is not null then greatest(held_until, $4) end
         where id = $1 and attempt = $2 and status in ('sending', 'ambiguous')",
        id.0,
        i32::try_from(attempt).unwrap_or(i32::MAX),
        now,
        until,
    )
    .execute(connection)
    .await?;
    Ok(())
}

async fn permits_taken(connection: &mut PgConnection, now: DateTime<Utc>) -> Stored<u32> {
    let taken = sqlx::query_scalar!(
        r#"select count(*) as "taken!" from intents where held_until is not null and held_until > $1"#,
        now,
    );
    Ok(u32::try_from(taken.fetch_one(connection).await?).unwrap_or(u32::MAX))
}

/// Counts open intents. Two halves, because each has its own partial index.
async fn counts(connection: &mut PgConnection) -> Stored<Vec<IntentCount>> {
    let counts = sqlx::query!(
        r#"select n.tenant_id as "tenant!", n.status as "status!", count(*) as "count!"
           from intents n where n.status = 'planned' group by n.tenant_id, n.status
           union all
           select n.tenant_id, n.status, count(*)
           from intents n where n.status in ('sending', 'ambiguous')
           group by n.tenant_id, n.status"#
    );
    let counts = counts.fetch_all(connection).await?.into_iter().filter_map(|row| {
        let status = OpenStatus::read(&row.status)?;
        Some(IntentCount { tenant: TenantId(row.tenant), status, count: row.count })
    });
    Ok(counts.collect())
}
