//! The statements of an import; each takes any number of rows at once.

use std::collections::{HashMap, HashSet};

use chrono::{DateTime, Utc};
use domain::policy::Score;
use domain::ports::{ApplicationImport, JobPostImport};
use domain::screening::JobPolicy;
use domain::{DedupeKey, EntityId, EntityKey, TenantId};
use serde_json::{Value, json};
use sqlx::PgConnection;
use uuid::Uuid;

use super::{Stored, policy};

/// A job as it is stored.
pub(super) struct Job {
    pub title: String,
    pub description: String,
    pub policy: JobPolicy,
    pub updated_at: DateTime<Utc>,
}

/// What one entity is told.
pub(super) struct Notice {
    pub key: DedupeKey,
    pub to: EntityKey,
    pub schema: u16,
    pub event: String,
}

pub(super) fn column<'a, T, C>(rows: &'a [T], value: impl Fn(&'a T) -> C) -> Vec<C> {
    rows.iter().map(value).collect()
}

/// Writes job posts; answers how many are new or changed. Another tenant's stay as they are.
pub(super) async fn put_posts(
    tx: &mut PgConnection,
    tenant: TenantId,
    posts: &[JobPostImport],
    at: DateTime<Utc>,
) -> Stored<usize> {
    let written = sqlx::query!(
        "insert into job_posts as j (id, tenant_id, title, description, weights, threshold,
             created_at, updated_at)
         select p.id, $1, p.title, p.description, p.weights, p.threshold, $2, $2
         from unnest($3::uuid[], $4::text[], $5::text[], $6::jsonb[], $7::double precision[])
             as p (id, title, description, weights, threshold)
         on conflict (id) do update
         set title = excluded.title, description = excluded.description,
             weights = excluded.weights, threshold = excluded.threshold,
             updated_at = excluded.updated_at
         where j.tenant_id = excluded.tenant_id
             and (j.title, j.description, j.weights, j.threshold) is distinct from
                 (excluded.title, excluded.description, excluded.weights, excluded.threshold)",
        tenant.0,
        at,
        &column(posts, |post| post.id),
        &column(posts, |post| post.title.as_str()) as &[&str],
        &column(posts, |post| post.description.as_str()) as &[&str],
        &column(posts, stored_weights) as &[Option<Value>],
        &column(posts, |post| post.policy.threshold.map(Score::get)) as &[Option<f64>],
    );
    Ok(usize::try_from(written.execute(tx).await?.rows_affected()).unwrap_or(usize::MAX))
}

fn stored_weights(post: &JobPostImport) -> Option<Value> {
    let [resume, quiz, call] = post.policy.weights?.get();
    Some(json!({ "resume": resume, "quiz": quiz, "call": call }))
}

/// Returns those of the tenant's jobs that `ids` name.
pub(super) async fn jobs(
    tx: &mut PgConnection,
    tenant: TenantId,
    ids: &[Uuid],
) -> Stored<HashMap<Uuid, Job>> {
    let rows = sqlx::query!(
        "select id, title, description, weights, threshold, updated_at from job_posts
         where tenant_id = $1 and id = any ($2)",
        tenant.0,
        ids,
    );
    let rows = rows.fetch_all(tx).await?.into_iter().map(|row| {
        let policy = JobPolicy {
            weights: row.weights.as_ref().and_then(policy::weights),
            threshold: row.threshold.and_then(|threshold| Score::parse(threshold).ok()),
        };
        let (title, description, updated_at) = (row.title, row.description, row.updated_at);
        (row.id, Job { title, description, policy, updated_at })
    });
    Ok(rows.collect())
}

/// Writes applications; answers how many are new or changed. Another tenant's stay as they are.
pub(super) async fn put_applications(
    tx: &mut PgConnection,
    tenant: TenantId,
    applications: &[ApplicationImport],
    at: DateTime<Utc>,
) -> Stored<usize> {
    let written = sqlx::query_file!(
        "queries/import_applications.sql",
        tenant.0,
        at,
        &column(applications, |a| a.id),
        &column(applications, |a| a.job_post),
        &column(applications, |a| a.candidate_name.as_str()) as &[&str],
        &column(applications, |a| a.phone.as_str()) as &[&str],
        &column(applications, |a| a.zone.as_deref()) as &[Option<&str>],
        &column(applications, |a| a.belongs_to) as &[Option<Uuid>],
        &column(applications, |a| a.stages.resume.map(Score::get)) as &[Option<f64>],
        &column(applications, |a| a.stages.quiz.map(Score::get)) as &[Option<f64>],
    );
    Ok(usize::try_from(written.execute(tx).await?.rows_affected()).unwrap_or(usize::MAX))
}

/// Returns when each of the tenant's `applications` last changed.
pub(super) async fn changes(
    tx: &mut PgConnection,
    tenant: TenantId,
    applications: &[ApplicationImport],
) -> Stored<HashMap<Uuid, DateTime<Utc>>> {
    let rows = sqlx::query!(
        "select id, updated_at from job_applications where tenant_id = $1 and id = any ($2)",
        tenant.0,
        &column(applications, |a| a.id),
    );
    Ok(rows.fetch_all(tx).await?.into_iter().map(|row| (row.id, row.updated_at)).collect())
}

/// Takes the notices' keys; answers those that were free.
pub(super) async fn take_keys(
    tx: &mut PgConnection,
    tenant: TenantId,
    notices: &[Notice],
) -> Stored<HashSet<Uuid>> {
    let taken = sqlx::query_scalar!(
        "insert into dedupe_keys (key, tenant_id)
         select n.key, $1 from unnest($2::uuid[]) as n (key)
         on conflict do nothing
         returning key",
        tenant.0,
        &column(notices, |notice| notice.key.0),
    );
    Ok(taken.fetch_all(tx).await?.into_iter().collect())
}

/// Waits for the journal batch under way; the next ones wait for this transaction.
pub(super) async fn stand_in_line(tx: &mut PgConnection) -> Stored<()> {
    sqlx::query_scalar!("select seq from journal_head where id = 1 for update")
        .fetch_one(tx)
        .await?;
    Ok(())
}

/// Returns the interviews of these applications, and whose each is.
pub(super) async fn interviews(
    tx: &mut PgConnection,
    tenant: TenantId,
    applications: &[ApplicationImport],
) -> Stored<Vec<(EntityId, EntityId)>> {
    let rows = sqlx::query!(
        r#"select id, application_id as "application_id!" from voice_interviews
           where tenant_id = $1 and application_id = any ($2) and deleted_at is null"#,
        tenant.0,
        &column(applications, |a| a.id),
    );
    let rows = rows.fetch_all(tx).await?.into_iter();
    Ok(rows.map(|row| (EntityId(row.id), EntityId(row.application_id))).collect())
}

/// Puts notices into the inboxes of those they are for.
pub(super) async fn tell(
    tx: &mut PgConnection,
    tenant: TenantId,
    notices: &[Notice],
    at: DateTime<Utc>,
) -> Stored<()> {
    sqlx::query!(
        "insert into inbox (id, tenant_id, kind, entity_id, schema, event, hops, received_at,
             available_at)
         select n.key, $1, n.kind, n.entity_id, n.schema, n.event, 0, $2, $2
         from unnest($3::uuid[], $4::text[], $5::uuid[], $6::smallint[], $7::text[])
             as n (key, kind, entity_id, schema, event)",
        tenant.0,
        at,
        &column(notices, |notice| notice.key.0),
        &column(notices, |notice| notice.to.kind.as_str()) as &[&str],
        &column(notices, |notice| notice.to.id.0),
        &column(notices, |notice| i16::try_from(notice.schema).unwrap_or(i16::MAX)),
        &column(notices, |notice| notice.event.as_str()) as &[&str],
    )
    .execute(tx)
    .await?;
    Ok(())
}
