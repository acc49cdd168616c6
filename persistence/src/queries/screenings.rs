//! Screenings: what became of an application's calls.

use domain::ports::{PageRequest, Scope, ScreeningPage, ScreeningQueries, ScreeningSummary};
use sqlx::PgConnection;
use uuid::Uuid;

use super::{Answer, Queries, Stored, owner_of, read, seq, tenant_of};
use crate::patience::in_time;

impl ScreeningQueries for Queries {
    fn screening(&self, scope: Scope, application: Uuid) -> Answer<'_, Option<ScreeningSummary>> {
        in_time(async move {
            let mut reader = self.reader().await?;
            let mut tx = read(&mut reader, scope).await?;
            let ids = visible(&mut tx, scope, &[application]).await?;
            Ok(summaries(&mut tx, &ids).await?.pop())
        })
    }

    fn screenings(&self, scope: Scope, page: PageRequest) -> Answer<'_, ScreeningPage> {
        in_time(async move {
            let mut reader = self.reader().await?;
            let mut tx = read(&mut reader, scope).await?;
            let ids = ids(&mut tx, scope, page).await?;
            let rows = summaries(&mut tx, &ids).await?;
            let total = count(&mut tx, scope).await?;
            Ok(ScreeningPage { rows, total, seq: seq(&mut tx).await? })
        })
    }
}

/// Returns those of `ids` that the scope may see.
async fn visible(tx: &mut PgConnection, scope: Scope, ids: &[Uuid]) -> Stored<Vec<Uuid>> {
    let found = sqlx::query_scalar!(
        "select s.id from screening_results s
         where s.tenant_id = $1 and s.id = any ($2)
             and ($3::uuid is null or exists (
                 select from job_applications a
                 where a.id = s.application_id and a.belongs_to = $3))",
        tenant_of(scope).0,
        ids,
        owner_of(scope),
    );
    Ok(found.fetch_all(tx).await?)
}

/// Returns the ids of a page, newest first; a page beyond the last is empty.
async fn ids(tx: &mut PgConnection, scope: Scope, request: PageRequest) -> Stored<Vec<Uuid>> {
    let limit = i64::from(request.limit);
    let found = sqlx::query_scalar!(
        "select s.id from screening_results s
         where s.tenant_id = $1
             and ($2::uuid is null or exists (
                 select from job_applications a
                 where a.id = s.application_id and a.belongs_to = $2))
         order by s.created_at desc, s.id desc
         limit $3 offset $4",
        tenant_of(scope).0,
        owner_of(scope),
        limit,
        i64::from(request.page.saturating_sub(1)) * limit,
    );
    Ok(found.fetch_all(tx).await?)
}

async fn count(tx: &mut PgConnection, scope: Scope) -> Stored<i64> {
    let total = sqlx::query_scalar!(
        r#"select count(*) as "total!" from screening_results s
           where s.tenant_id = $1
               and ($2::uuid is null or exists (
                   select from job_applications a
                   where a.id = s.application_id and a.belongs_to = $2))"#,
        tenant_of(scope).0,
        owner_of(scope),
    );
    Ok(total.fetch_one(tx).await?)
}

/// Loads the rows of `ids`, newest first.
async fn summaries(tx: &mut PgConnection, ids: &[Uuid]) -> Stored<Vec<ScreeningSummary>> {
    let rows = sqlx::query_as!(
        ScreeningSummary,
        "select application_id, status, call_status, attempts, call_id, call_processed_at,
             next_attempt_at, resume_score, quiz_score, communication_score, technical_score,
             call_score, final_score, failure_reason, candidate_info, version, created_at,
             updated_at
         from screening_results
         where id = any ($1)
         order by created_at desc, id desc",
        ids,
    );
    Ok(rows.fetch_all(tx).await?)
}
