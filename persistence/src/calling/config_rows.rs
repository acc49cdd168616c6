//! The statements about `hr_call_configs`.

use chrono::{DateTime, Utc};
use domain::calling::AllowedProviders;
use domain::ports::{HrCallConfig, PageRequest};
use domain::{EntityId, InvalidValue, Provider, TenantId};
use sqlx::PgConnection;
use uuid::Uuid;

use super::{Stored, offset, unknown};
use crate::seal::{Place, Sealed};

/// A row without what is sealed in it.
struct Row {
    id: Uuid,
    user_id: Uuid,
    version: i64,
    allowed_providers: Vec<String>,
    default_provider: String,
    has_credentials: bool,
    is_active: bool,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
}

impl Row {
    fn read(self) -> Stored<HrCallConfig> {
        let allowed: Result<Vec<_>, _> =
            self.allowed_providers.iter().map(|name| Provider::parse(name)).collect();
        let default = Provider::parse(&self.default_provider).map_err(unknown)?;
        let providers = AllowedProviders::new(allowed.map_err(unknown)?, default)
            .map_err(|_| unknown(InvalidValue { what: "hr_call_configs", why: "is unusable" }))?;
        Ok(HrCallConfig {
            id: self.id,
            user: self.user_id,
            providers,
            has_credentials: self.has_credentials,
            is_active: self.is_active,
            version: self.version,
            created_at: self.created_at,
            updated_at: self.updated_at,
        })
    }
}

/// What is written; the credentials only where they change.
pub(super) struct Draft {
    pub user: Uuid,
    pub providers: AllowedProviders,
    pub credentials: Option<Option<Sealed>>,
    pub is_active: bool,
}

/// Derives a configuration's id, so that what is sealed in it can name its row before there is one.
pub(super) fn id_of(tenant: TenantId, user: Uuid) -> Uuid {
    EntityId::derived(tenant, "hr-call-config", &user.to_string()).0
}

/// Returns where a configuration's credentials stand.
pub(super) fn place(tenant: TenantId, id: Uuid) -> Place {
    Place { tenant, table: "hr_call_configs", row: id, column: "credentials" }
}

fn names(providers: &AllowedProviders) -> Vec<String> {
    providers.list().iter().map(|provider| provider.as_str().to_owned()).collect()
}

/// Returns a user's configuration.
pub(super) async fn find(
    tx: &mut PgConnection,
    tenant: TenantId,
    user: Uuid,
) -> Stored<Option<HrCallConfig>> {
    let row = sqlx::query_as!(
        Row,
        r#"select id, user_id, version, allowed_providers, default_provider,
               credentials is not null as "has_credentials!", is_active, created_at, updated_at
           from hr_call_configs where tenant_id = $1 and user_id = $2"#,
        tenant.0,
        user,
    );
    row.fetch_optional(tx).await?.map(Row::read).transpose()
}

/// Returns a page, newest first.
pub(super) async fn page(
    tx: &mut PgConnection,
    tenant: TenantId,
    page: PageRequest,
) -> Stored<Vec<HrCallConfig>> {
    let rows = sqlx::query_as!(
        Row,
        r#"select id, user_id, version, allowed_providers, default_provider,
               credentials is not null as "has_credentials!", is_active, created_at, updated_at
           from hr_call_configs where tenant_id = $1
           order by created_at desc, id desc limit $2 offset $3"#,
        tenant.0,
        i64::from(page.limit),
        offset(page),
    );
    rows.fetch_all(tx).await?.into_iter().map(Row::read).collect()
}

/// Counts a tenant's configurations.
pub(super) async fn count(tx: &mut PgConnection, tenant: TenantId) -> Stored<i64> {
    let counted = sqlx::query_scalar!(
        r#"select count(*) as "count!" from hr_call_configs where tenant_id = $1"#,
        tenant.0
    );
    Ok(counted.fetch_one(tx).await?)
}

/// Returns what is sealed in a configuration.
pub(super) async fn sealed(
    tx: &mut PgConnection,
    tenant: TenantId,
    user: Uuid,
) -> Stored<Option<Sealed>> {
    let row = sqlx::query!(
        "select credentials, credentials_key from hr_call_configs
         where tenant_id = $1 and user_id = $2",
        tenant.0,
        user,
    );
    let row = row.fetch_optional(tx).await?;
    Ok(row.and_then(|row| Some(Sealed { key: row.credentials_key?, blob: row.credentials? })))
}

/// Creates a configuration, or replaces the one there is.
pub(super) async fn put(
    tx: &mut PgConnection,
    tenant: TenantId,
    draft: &Draft,
    at: DateTime<Utc>,
) -> Stored<HrCallConfig> {
    let given = draft.credentials.as_ref();
    let sealed = given.and_then(Option::as_ref);
    let row = sqlx::query_as!(
        Row,
        r#"insert into hr_call_configs as c (id, tenant_id, user_id, version, allowed_providers,
               default_provider, credentials, credentials_key, is_active, created_at, updated_at)
           values ($1, $2, $3, 1, $4, $5, $6, $7, $8, $9, $9)
           on conflict on constraint hr_call_configs_user_id_key do update
           set version = c.version + 1, allowed_providers = excluded.allowed_providers,
               default_provider = excluded.default_provider,
               credentials = case when $10 then excluded.credentials else c.credentials end,
               credentials_key =
                   case when $10 then excluded.credentials_key else c.credentials_key end,
               is_active = excluded.is_active, updated_at = excluded.updated_at
           returning id, user_id, version, allowed_providers, default_provider,
               credentials is not null as "has_credentials!", is_active, created_at, updated_at"#,
        id_of(tenant, draft.user),
        tenant.0,
        draft.user,
        &names(&draft.providers),
        draft.providers.default().as_str(),
        sealed.map(|sealed| sealed.blob.as_slice()),
        sealed.map(|sealed| sealed.key.as_str()),
        draft.is_active,
        at,
        given.is_some(),
    );
    row.fetch_one(tx).await?.read()
}

/// Removes a configuration, and what is sealed in it.
pub(super) async fn delete(tx: &mut PgConnection, tenant: TenantId, user: Uuid) -> Stored<()> {
    sqlx::query!(
        "delete from hr_call_configs where tenant_id = $1 and user_id = $2",
        tenant.0,
        user
    )
    .execute(tx)
    .await?;
    Ok(())
}
