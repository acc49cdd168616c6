//! The tenant's settings: who carries calls, and who is switched on.

use chrono::{DateTime, Utc};
use domain::calling::EnabledProviders;
use domain::ports::{SystemConfig, SystemConfigs};
use domain::{Provider, TenantId};
use serde_json::{Value, json};
use sqlx::PgConnection;
use tracing::{error, warn};

use super::{Answer, CallingStore, Stored};
use crate::database::Database;
use crate::error::PersistenceError;
use crate::patience::in_time;

/// The key of the tenant's provider in `system_configs`.
const CALL_PROVIDER: &str = "CALL_PROVIDER";
/// The key of the list of those switched on.
const ENABLED: &str = "ENABLED_CALL_PROVIDERS";

impl SystemConfigs for CallingStore {
    fn system_configs(&self, tenant: TenantId) -> Answer<'_, (Option<Provider>, EnabledProviders)> {
        in_time(async move {
            let mut reader = self.database.reader().await.map_err(PersistenceError::from)?;
            let begun = Database::read(&mut reader, tenant).await;
            let mut tx = begun.map_err(PersistenceError::from)?;
            Ok(read(&mut tx, tenant).await?)
        })
    }

    fn put_system_config(
        &self,
        tenant: TenantId,
        config: SystemConfig,
        at: DateTime<Utc>,
    ) -> Answer<'_, ()> {
        in_time(async move {
            let (key, value) = match config {
                SystemConfig::CallProvider(provider) => {
                    (CALL_PROVIDER, json!(provider.map(Provider::as_str)))
                }
                SystemConfig::EnabledProviders(enabled) => {
                    (ENABLED, enabled.iter().map(Provider::as_str).collect())
                }
            };
            let mut connection = self.database.store().await.map_err(PersistenceError::from)?;
            Ok(put(&mut connection, tenant, key, &value, at).await?)
        })
    }
}

/// Reads both. What is not there is not said: no provider of the tenant's, and everybody is switched on.
pub(super) async fn read(
    tx: &mut PgConnection,
    tenant: TenantId,
) -> Stored<(Option<Provider>, EnabledProviders)> {
    let rows = sqlx::query!(
        "select key, value from system_configs where tenant_id = $1 and key = any ($2)",
        tenant.0,
        &[CALL_PROVIDER.to_owned(), ENABLED.to_owned()],
    );
    let (mut provider, mut enabled) = (None, EnabledProviders::all());
    for row in rows.fetch_all(tx).await? {
        if row.key == CALL_PROVIDER {
            provider = call_provider(&row.value);
        } else {
            enabled = enabled_providers(&row.value);
        }
    }
    Ok((provider, enabled))
}

/// Writes the first value of `CALL_PROVIDER`.
pub(super) async fn begin(
    tx: &mut PgConnection,
    tenant: TenantId,
    provider: Provider,
    at: DateTime<Utc>,
) -> Stored<()> {
    sqlx::query!(
        "insert into system_configs (tenant_id, key, value, updated_at) values ($1, $2, $3, $4)
         on conflict on constraint system_configs_pkey do nothing",
        tenant.0,
        CALL_PROVIDER,
        json!(provider.as_str()),
        at,
    )
    .execute(tx)
    .await?;
    Ok(())
}

async fn put(
    tx: &mut PgConnection,
    tenant: TenantId,
    key: &str,
    value: &Value,
    at: DateTime<Utc>,
) -> Stored<()> {
    sqlx::query!(
        "insert into system_configs as c (tenant_id, key, value, updated_at)
         values ($1, $2, $3, $4)
         on conflict on constraint system_configs_pkey do update
         set value = excluded.value, updated_at = excluded.updated_at",
        tenant.0,
        key,
        value,
        at,
    )
    .execute(tx)
    .await?;
    Ok(())
}

/// Reads the stored provider; an unusable one counts as not given, and is logged.
fn call_provider(stored: &Value) -> Option<Provider> {
    if stored.is_null() {
        return None;
    }
    let usable = stored.as_str().and_then(|name| Provider::parse(name).ok());
    if usable.is_none() {
        warn!(config.key = CALL_PROVIDER, "the stored CALL_PROVIDER is unusable: none applies");
    }
    usable
}

/// Reads the stored list. What is no list switches everybody off: nobody is rung by whom one meant to stop.
fn enabled_providers(stored: &Value) -> EnabledProviders {
    let known = |name: &Value| name.as_str().and_then(|name| Provider::parse(name).ok());
    let Some(list) = stored.as_array() else {
        error!(config.key = ENABLED, "the stored ENABLED_CALL_PROVIDERS is no list: all are off");
        return EnabledProviders::none();
    };
    EnabledProviders::of(list.iter().filter_map(known))
}
