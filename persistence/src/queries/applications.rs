//! Imports jobs and applications, and tells the applications' screenings.

use std::collections::{BTreeMap, HashMap};

use chrono::{DateTime, Utc};
use domain::interview::{Interview, InterviewEvent};
use domain::policy::Zone;
use domain::ports::{
    ApplicationImport, Applications, ImportRefusal, ImportReport, JobPostImport, Scope, StoreError,
};
use domain::screening::{ApplicationProfile, JobPolicy, Screening, ScreeningEvent};
use domain::{DedupeKey, EntityId, EntityKey, Kind, Machine, TenantId};
use sqlx::PgConnection;
use uuid::Uuid;

use super::import::{self, Job, Notice};
use super::{Answer, Queries, Stored, owner_of, policy, read};
use crate::error::PersistenceError;
use crate::patience::in_time;

/// What an import answers: what it did, or why it did nothing.
type Imported = Result<ImportReport, ImportRefusal>;

impl Applications for Queries {
    fn import(
        &self,
        tenant: TenantId,
        posts: Vec<JobPostImport>,
        applications: Vec<ApplicationImport>,
        at: DateTime<Utc>,
    ) -> Answer<'_, Imported> {
        Box::pin(async move {
            let posts = last_of_each(posts, |post| post.id);
            let applications = last_of_each(applications, |application| application.id);
            let mut connection = self.database.store().await.map_err(PersistenceError::from)?;
            let mut tx = connection.begin().await?;
            let mut report = match import(&mut tx, tenant, &posts, &applications, at).await? {
                Ok(report) => report,
                Err(unknown) => return Ok(Err(unknown)), // Dropped, which undoes it.
            };
            tx.commit().await.map_err(PersistenceError::from)?;
            let mut tx = connection.begin().await?;
            report.asked = ask(&mut tx, tenant, &applications, at).await?;
            tx.commit().await.map_err(PersistenceError::from)?;
            Ok(Ok(report))
        })
    }

    fn zone(&self, scope: Scope, application: Uuid) -> Answer<'_, Option<Zone>> {
        in_time(async move {
            let mut reader = self.reader().await?;
            let mut tx = read(&mut reader, scope).await?;
            Ok(zone(&mut tx, scope, application).await?)
        })
    }
}

async fn zone(tx: &mut PgConnection, scope: Scope, application: Uuid) -> Stored<Option<Zone>> {
    let found = sqlx::query_scalar!(
        "select time_zone from job_applications
         where id = $1 and ($2::uuid is null or belongs_to = $2)",
        application,
        owner_of(scope),
    );
    let found = found.fetch_optional(tx).await?;
    Ok(found.map(|name| Zone::named(name.as_deref())))
}

/// Keeps the last of those with one id, in the order of ids, in which concurrent imports lock them.
pub(super) fn last_of_each<T>(all: Vec<T>, id: impl Fn(&T) -> Uuid) -> Vec<T> {
    let by_id: BTreeMap<Uuid, T> = all.into_iter().map(|one| (id(&one), one)).collect();
    by_id.into_values().collect()
}

async fn import(
    tx: &mut PgConnection,
    tenant: TenantId,
    posts: &[JobPostImport],
    applications: &[ApplicationImport],
    at: DateTime<Utc>,
) -> Result<Imported, StoreError> {
    let job_posts = import::put_posts(tx, tenant, posts, at).await?;
    let named = posts.iter().map(|post| post.id).chain(applications.iter().map(|a| a.job_post));
    let named: Vec<Uuid> = named.collect();
    let jobs = import::jobs(tx, tenant, &named).await?;
    let is_missing = |id: &Uuid| !jobs.contains_key(id);
    // One that was just written is missing only if another tenant's row stood in its way.
    if let Some(taken) = posts.iter().map(|post| post.id).find(is_missing) {
        return Ok(Err(ImportRefusal::JobPostIdUnusable(taken)));
    }
    if let Some(unknown) = applications.iter().map(|a| a.job_post).find(is_missing) {
        return Ok(Err(ImportRefusal::JobPostUnknown(unknown)));
    }

    let written = import::put_applications(tx, tenant, applications, at).await?;
    let changes = import::changes(tx, tenant, applications).await?;
    if let Some(foreign) = applications.iter().find(|a| !changes.contains_key(&a.id)) {
        return Ok(Err(ImportRefusal::ApplicationIdUnusable(foreign.id)));
    }

    let defaults = policy::defaults(tx, tenant).await?;
    let notices = notices(applications, &jobs, &changes, defaults)?;
    let told = put(tx, tenant, notices, at).await?;
    Ok(Ok(ImportReport { job_posts, applications: written, told, asked: Vec::new() }))
}

/// Asks each interview of these applications, once, to tell its screening of an end that came before.
///
/// In a transaction after the import's own, and in line with the journal: an end that this one does not
/// see is written behind the import, and its screening hears of the import first.
async fn ask(
    tx: &mut PgConnection,
    tenant: TenantId,
    applications: &[ApplicationImport],
    at: DateTime<Utc>,
) -> Result<Vec<EntityId>, StoreError> {
    import::stand_in_line(tx).await?;
    let mut notices = Vec::new();
    for (interview, application) in import::interviews(tx, tenant, applications).await? {
        let to = EntityKey { kind: Kind::Interview, id: interview };
        let event = InterviewEvent::ApplicationImported { application };
        notices.push(Notice {
            key: DedupeKey::named(to, &format!("application/{application}")),
            to,
            schema: Interview::SCHEMA,
            event: serde_json::to_string(&event)
                .map_err(|error| StoreError::Broken(error.into()))?,
        });
    }
    put(tx, tenant, notices, at).await
}

/// Puts those notices into their inboxes that were not put there before; answers for whom.
async fn put(
    tx: &mut PgConnection,
    tenant: TenantId,
    mut notices: Vec<Notice>,
    at: DateTime<Utc>,
) -> Result<Vec<EntityId>, StoreError> {
    let news = import::take_keys(tx, tenant, &notices).await?;
    notices.retain(|notice| news.contains(&notice.key.0));
    import::tell(tx, tenant, &notices, at).await?;
    Ok(notices.iter().map(|notice| notice.to.id).collect())
}

/// Writes what each application's screening is told.
fn notices(
    applications: &[ApplicationImport],
    jobs: &HashMap<Uuid, Job>,
    changes: &HashMap<Uuid, DateTime<Utc>>,
    defaults: JobPolicy,
) -> Result<Vec<Notice>, StoreError> {
    let mut notices = Vec::with_capacity(applications.len());
    for application in applications {
        let (Some(job), Some(changed_at)) =
            (jobs.get(&application.job_post), changes.get(&application.id))
        else {
            continue; // Both were looked up just before.
        };
        let changed_at = job.updated_at.max(*changed_at);
        let told = notice(application, job, defaults, changed_at);
        notices.push(told.map_err(|error| StoreError::Broken(error.into()))?);
    }
    Ok(notices)
}

/// Writes one notice, keyed by what it says and by when its rows last changed.
///
/// An import that repeats the last one changes no row, so its notice is the same and counts once. One
/// that goes back to an earlier content does change rows, and is told again.
fn notice(
    application: &ApplicationImport,
    job: &Job,
    defaults: JobPolicy,
    changed_at: DateTime<Utc>,
) -> serde_json::Result<Notice> {
    let profile = ApplicationProfile {
        phone: application.phone.clone(),
        candidate_name: application.candidate_name.clone(),
        zone: Zone::named(application.zone.as_deref()),
        belongs_to: application.belongs_to,
        job_title: job.title.clone(),
        job_description: job.description.clone(),
        policy: job.policy.or(defaults),
        stages: application.stages,
    };
    let screening = EntityKey { kind: Kind::Screening, id: EntityId(application.id) };
    let content = format!("{}@{}", serde_json::to_string(&profile)?, changed_at.timestamp_micros());
    Ok(Notice {
        key: DedupeKey::of_bytes(screening, content.as_bytes()),
        to: screening,
        schema: Screening::SCHEMA,
        event: serde_json::to_string(&ScreeningEvent::ApplicationImported(Box::new(profile)))?,
    })
}
