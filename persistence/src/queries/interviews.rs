//! Lists of interviews, and one with everything that is known of it.

use chrono::{DateTime, Utc};
use domain::interview::{AnswerClass, CallStatus, FailureReason, InterviewOutcome};
use domain::ports::{
    InterviewDetail, InterviewFilter, InterviewOwners, InterviewPage, InterviewQueries,
    InterviewStats, InterviewSummary, KnownCall, PageRequest, Scope, TurnView,
};
use domain::{EntityId, Provider, TenantId};
use sqlx::{PgConnection, QueryBuilder};
use uuid::Uuid;

use super::{Answer, Queries, Stored, filter, owner_of, read, seq, stats, sync, unknown};
use crate::patience::in_time;

impl InterviewQueries for Queries {
    fn page(
        &self,
        scope: Scope,
        filter: InterviewFilter,
        page: PageRequest,
    ) -> Answer<'_, InterviewPage> {
        in_time(async move {
            let mut reader = self.reader().await?;
            let mut tx = read(&mut reader, scope).await?;
            Ok(self::page(&mut tx, scope, &filter, page).await?)
        })
    }

    fn detail(&self, scope: Scope, id: EntityId) -> Answer<'_, Option<InterviewDetail>> {
        in_time(async move {
            let mut reader = self.reader().await?;
            let mut tx = read(&mut reader, scope).await?;
            Ok(detail(&mut tx, scope, id).await?)
        })
    }

    fn owners(&self, tenant: TenantId, ids: Vec<EntityId>) -> Answer<'_, InterviewOwners> {
        in_time(async move {
            let mut reader = self.reader().await?;
            let mut tx = read(&mut reader, Scope::Tenant(tenant)).await?;
            Ok(owners(&mut tx, tenant, &ids).await?)
        })
    }

    fn stats(&self, scope: Scope, filter: InterviewFilter) -> Answer<'_, InterviewStats> {
        in_time(async move {
            let mut reader = self.reader().await?;
            let mut tx = read(&mut reader, scope).await?;
            Ok(stats::stats(&mut tx, scope, &filter).await?)
        })
    }

    fn known(&self, tenant: TenantId, calls: Vec<String>) -> Answer<'_, Vec<KnownCall>> {
        in_time(async move {
            let mut reader = self.reader().await?;
            let mut tx = read(&mut reader, Scope::Tenant(tenant)).await?;
            Ok(sync::known(&mut tx, tenant, &calls).await?)
        })
    }

    fn stale(&self, tenant: TenantId, before: DateTime<Utc>) -> Answer<'_, bool> {
        in_time(async move {
            let mut reader = self.reader().await?;
            let mut tx = read(&mut reader, Scope::Tenant(tenant)).await?;
            Ok(sync::stale(&mut tx, tenant, before).await?)
        })
    }
}

async fn page(
    tx: &mut PgConnection,
    scope: Scope,
    filter: &InterviewFilter,
    request: PageRequest,
) -> Stored<InterviewPage> {
    let total = count(tx, scope, filter).await?;
    let ids = ids(tx, scope, filter, request).await?;
    Ok(InterviewPage { rows: summaries(tx, &ids).await?, total, seq: seq(tx).await? })
}

async fn count(tx: &mut PgConnection, scope: Scope, filter: &InterviewFilter) -> Stored<i64> {
    let mut sql = QueryBuilder::new("select count(*) from voice_interviews i");
    filter::push(&mut sql, scope, filter);
    Ok(sql.build_query_scalar().fetch_one(tx).await?)
}

/// Returns the ids of a page, newest first; a page beyond the last is empty.
async fn ids(
    tx: &mut PgConnection,
    scope: Scope,
    filter: &InterviewFilter,
    request: PageRequest,
) -> Stored<Vec<Uuid>> {
    let limit = i64::from(request.limit);
    let offset = i64::from(request.page.saturating_sub(1)) * limit;
    let mut sql = QueryBuilder::new("select i.id from voice_interviews i");
    filter::push(&mut sql, scope, filter);
    sql.push(" order by i.created_at desc, i.id desc limit ").push_bind(limit);
    sql.push(" offset ").push_bind(offset);
    Ok(sql.build_query_scalar().fetch_all(tx).await?)
}

/// One row as its table holds it.
struct SummaryRow {
    id: Uuid,
    call_id: Option<String>,
    status: String,
    answered_by: String,
    outcome: Option<String>,
    provider: Option<String>,
    phone_number: Option<String>,
    candidate_name: Option<String>,
    duration: Option<f64>,
    cost: Option<f64>,
    recording_url: Option<String>,
    summary: Option<String>,
    failure_reason: Option<String>,
    application_id: Option<Uuid>,
    belongs_to: Option<Uuid>,
    version: i64,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
}

impl SummaryRow {
    /// Reads the row; a value of a set that we do not know is an error, never another value.
    fn read(self) -> Stored<InterviewSummary> {
        let provider = self.provider.as_deref().map(Provider::parse);
        let reason = self.failure_reason.as_deref().map(FailureReason::parse);
        let failure_reason = reason.transpose().map_err(unknown)?;
        let outcome = self.outcome.as_deref();
        let outcome = outcome.map(|name| InterviewOutcome::parse(name, failure_reason));
        Ok(InterviewSummary {
            id: EntityId(self.id),
            call_id: self.call_id,
            status: CallStatus::parse(&self.status).map_err(unknown)?,
            answered_by: AnswerClass::parse(&self.answered_by).map_err(unknown)?,
            outcome: outcome.transpose().map_err(unknown)?,
            provider: provider.transpose().map_err(unknown)?,
            phone_number: self.phone_number,
            candidate_name: self.candidate_name,
            duration: self.duration,
            cost: self.cost,
            recording_url: self.recording_url,
            summary: self.summary,
            failure_reason,
            application_id: self.application_id,
            belongs_to: self.belongs_to,
            version: self.version,
            created_at: self.created_at,
            updated_at: self.updated_at,
        })
    }
}

/// Loads the rows of `ids`, newest first.
async fn summaries(tx: &mut PgConnection, ids: &[Uuid]) -> Stored<Vec<InterviewSummary>> {
    let rows = sqlx::query_as!(
        SummaryRow,
        "select id, call_id, status, answered_by, outcome, provider, phone_number, candidate_name,
             duration, cost, recording_url, summary, failure_reason, application_id, belongs_to,
             version, created_at, updated_at
         from voice_interviews
         where id = any ($1) and deleted_at is null
         order by created_at desc, id desc",
        ids,
    );
    rows.fetch_all(tx).await?.into_iter().map(SummaryRow::read).collect()
}

async fn detail(
    tx: &mut PgConnection,
    scope: Scope,
    id: EntityId,
) -> Stored<Option<InterviewDetail>> {
    let found = summaries(tx, &[id.0]).await?.pop();
    let visible =
        |row: &InterviewSummary| owner_of(scope).is_none_or(|owner| row.belongs_to == Some(owner));
    let Some(summary) = found.filter(visible) else { return Ok(None) };
    Ok(Some(InterviewDetail {
        summary,
        transcript: transcript(tx, id).await?,
        turns: turns(tx, id).await?,
        seq: seq(tx).await?,
    }))
}

/// Returns whose these are; of what was deleted too, since that is a fact they have to hear.
async fn owners(
    tx: &mut PgConnection,
    tenant: TenantId,
    ids: &[EntityId],
) -> Stored<InterviewOwners> {
    let ids: Vec<Uuid> = ids.iter().map(|id| id.0).collect();
    let rows = sqlx::query!(
        "select id, belongs_to from voice_interviews where tenant_id = $1 and id = any ($2)",
        tenant.0,
        &ids,
    );
    let rows = rows.fetch_all(&mut *tx).await?.into_iter();
    let owners = rows.map(|row| (EntityId(row.id), row.belongs_to)).collect();
    Ok(InterviewOwners { owners, seq: seq(tx).await? })
}

/// Returns what was said, as one text; nothing of what was deleted.
pub(super) async fn transcript(
    connection: &mut PgConnection,
    id: EntityId,
) -> Stored<Option<String>> {
    let found = sqlx::query_scalar!(
        "select transcript from voice_interviews where id = $1 and deleted_at is null",
        id.0,
    );
    Ok(found.fetch_optional(connection).await?.flatten())
}

async fn turns(tx: &mut PgConnection, id: EntityId) -> Stored<Vec<TurnView>> {
    let turns = sqlx::query_as!(
        TurnView,
        r#"select coalesce(role, '') as "role!", coalesce(message, '') as "message!",
               sequence_order as "sequence_order!"
           from voice_interview_messages
           where voice_interview_id = $1
           order by sequence_order"#,
        id.0,
    );
    Ok(turns.fetch_all(tx).await?)
}
