//! The statements about `ai_call_prompts`.

use chrono::{DateTime, Utc};
use domain::TenantId;
use domain::ports::{NewPrompt, PageRequest};
use domain::prompt::{Candidate, Platform, Prompt};
use sqlx::PgConnection;
use uuid::Uuid;

use super::{Stored, offset, unknown};

struct Row {
    id: Uuid,
    name: String,
    system_prompt: String,
    platform: Option<String>,
    belongs_to_id: Option<Uuid>,
    is_active: bool,
    version: i64,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
}

impl Row {
    fn read(self) -> Stored<Prompt> {
        Ok(Prompt {
            id: self.id,
            name: self.name,
            system_prompt: self.system_prompt,
            platform: platform(self.platform)?,
            belongs_to: self.belongs_to_id,
            is_active: self.is_active,
            version: self.version,
            created_at: self.created_at,
            updated_at: self.updated_at,
        })
    }
}

fn platform(name: Option<String>) -> Stored<Option<Platform>> {
    name.map(|name| Platform::parse(&name).map_err(unknown)).transpose()
}

/// Returns one.
pub(super) async fn find(
    tx: &mut PgConnection,
    tenant: TenantId,
    id: Uuid,
) -> Stored<Option<Prompt>> {
    let row = sqlx::query_as!(
        Row,
        "select id, name, system_prompt, platform, belongs_to_id, is_active, version, created_at,
             updated_at
         from ai_call_prompts where tenant_id = $1 and id = $2",
        tenant.0,
        id,
    );
    row.fetch_optional(tx).await?.map(Row::read).transpose()
}

/// Returns one, which nobody else changes until the transaction ends.
pub(super) async fn lock(
    tx: &mut PgConnection,
    tenant: TenantId,
    id: Uuid,
) -> Stored<Option<Prompt>> {
    let row = sqlx::query_as!(
        Row,
        "select id, name, system_prompt, platform, belongs_to_id, is_active, version, created_at,
             updated_at
         from ai_call_prompts where tenant_id = $1 and id = $2 for update",
        tenant.0,
        id,
    );
    row.fetch_optional(tx).await?.map(Row::read).transpose()
}

/// Returns a page of what `owner` sees, or everybody's, the one written last first.
pub(super) async fn page(
    tx: &mut PgConnection,
    tenant: TenantId,
    owner: Option<Uuid>,
    page: PageRequest,
) -> Stored<Vec<Prompt>> {
    let rows = sqlx::query_as!(
        Row,
        "select id, name, system_prompt, platform, belongs_to_id, is_active, version, created_at,
             updated_at
         from ai_call_prompts
         where tenant_id = $1
             and ($2::uuid is null or belongs_to_id is null or belongs_to_id = $2)
         order by updated_at desc, id limit $3 offset $4",
        tenant.0,
        owner,
        i64::from(page.limit),
        offset(page),
    );
    rows.fetch_all(tx).await?.into_iter().map(Row::read).collect()
}

/// Counts what `owner` sees, or everybody's.
pub(super) async fn count(
    tx: &mut PgConnection,
    tenant: TenantId,
    owner: Option<Uuid>,
) -> Stored<i64> {
    let counted = sqlx::query_scalar!(
        r#"select count(*) as "count!" from ai_call_prompts
           where tenant_id = $1
               and ($2::uuid is null or belongs_to_id is null or belongs_to_id = $2)"#,
        tenant.0,
        owner,
    );
    Ok(counted.fetch_one(tx).await?)
}

/// Counts those that belong to `owner`, or to the tenant.
pub(super) async fn count_of(
    tx: &mut PgConnection,
    tenant: TenantId,
    owner: Option<Uuid>,
) -> Stored<i64> {
    let counted = sqlx::query_scalar!(
        r#"select count(*) as "count!" from ai_call_prompts
           where tenant_id = $1 and belongs_to_id is not distinct from $2"#,
        tenant.0,
        owner,
    );
    Ok(counted.fetch_one(tx).await?)
}

/// Returns the active ones among which the choice is for `owner` and `platform`.
pub(super) async fn candidates(
    tx: &mut PgConnection,
    tenant: TenantId,
    owner: Option<Uuid>,
    on: Option<&str>,
) -> Stored<Vec<Candidate>> {
    let rows = sqlx::query!(
        "select id, platform, belongs_to_id, updated_at from ai_call_prompts
         where tenant_id = $1 and is_active and (belongs_to_id is null or belongs_to_id = $2)
             and (platform is null or platform = $3)",
        tenant.0,
        owner,
        on,
    );
    let rows = rows.fetch_all(tx).await?.into_iter().map(|row| {
        Ok(Candidate {
            id: row.id,
            platform: platform(row.platform)?,
            belongs_to: row.belongs_to_id,
            updated_at: row.updated_at,
        })
    });
    rows.collect()
}

/// Writes a new one.
pub(super) async fn insert(
    tx: &mut PgConnection,
    tenant: TenantId,
    prompt: &NewPrompt,
    at: DateTime<Utc>,
) -> Stored<Prompt> {
    let row = sqlx::query_as!(
        Row,
        "insert into ai_call_prompts (tenant_id, version, name, system_prompt, platform,
             belongs_to_id, is_active, created_at, updated_at)
         values ($1, 1, $2, $3, $4, $5, $6, $7, $7)
         returning id, name, system_prompt, platform, belongs_to_id, is_active, version,
             created_at, updated_at",
        tenant.0,
        prompt.name.as_str(),
        prompt.text.as_str(),
        prompt.platform.map(Platform::as_str),
        prompt.belongs_to,
        prompt.is_active,
        at,
    );
    row.fetch_one(tx).await?.read()
}

/// Writes over one that is locked.
pub(super) async fn update(
    tx: &mut PgConnection,
    tenant: TenantId,
    prompt: &Prompt,
    at: DateTime<Utc>,
) -> Stored<Prompt> {
    let row = sqlx::query_as!(
        Row,
        "update ai_call_prompts
         set version = version + 1, name = $3, system_prompt = $4, platform = $5,
             belongs_to_id = $6, is_active = $7, updated_at = $8
         where tenant_id = $1 and id = $2
         returning id, name, system_prompt, platform, belongs_to_id, is_active, version,
             created_at, updated_at",
        tenant.0,
        prompt.id,
        prompt.name,
        prompt.system_prompt,
        prompt.platform.map(Platform::as_str),
        prompt.belongs_to,
        prompt.is_active,
        at,
    );
    row.fetch_one(tx).await?.read()
}

/// Deletes one.
pub(super) async fn delete(tx: &mut PgConnection, tenant: TenantId, id: Uuid) -> Stored<()> {
    sqlx::query!("delete from ai_call_prompts where tenant_id = $1 and id = $2", tenant.0, id)
        .execute(tx)
        .await?;
    Ok(())
}

/// Returns the active prompt of `owner` for any platform that was written last.
pub(super) async fn own_for_any(
    tx: &mut PgConnection,
    tenant: TenantId,
    owner: Uuid,
) -> Stored<Option<Prompt>> {
    let row = sqlx::query_as!(
        Row,
        "select id, name, system_prompt, platform, belongs_to_id, is_active, version, created_at,
             updated_at
         from ai_call_prompts
         where tenant_id = $1 and belongs_to_id = $2 and platform is null and is_active
         order by updated_at desc, id limit 1 for update",
        tenant.0,
        owner,
    );
    row.fetch_optional(tx).await?.map(Row::read).transpose()
}

/// Has the active prompts of `owner` for any platform count no more, but for `keep`.
pub(super) async fn deactivate_for_any(
    tx: &mut PgConnection,
    tenant: TenantId,
    owner: Uuid,
    keep: Option<Uuid>,
    at: DateTime<Utc>,
) -> Stored<()> {
    sqlx::query!(
        "update ai_call_prompts set is_active = false, version = version + 1, updated_at = $4
         where tenant_id = $1 and belongs_to_id = $2 and platform is null and is_active
             and id is distinct from $3",
        tenant.0,
        owner,
        keep,
        at,
    )
    .execute(tx)
    .await?;
    Ok(())
}
