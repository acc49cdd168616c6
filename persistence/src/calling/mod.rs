//! What calls are placed with: configurations, settings and prompts. Written outside of the journal, each
//! change in one transaction of its own.

mod config_rows;
mod configs;
mod prompt_rows;
mod prompts;
mod settings;

use std::sync::Arc;

use chrono::{DateTime, Utc};
use domain::calling::{AllowedProviders, ProviderChoice, resolve};
use domain::ports::{BoxFuture, CallingSettings, PageRequest, StoreError};
use domain::prompt::{ActivePrompt, Platform, select};
use domain::{InvalidValue, Provider, TenantId};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::database::Database;
use crate::error::PersistenceError;
use crate::patience::in_time;
use crate::seal::Keyring;

type Answer<'a, T> = BoxFuture<'a, Result<T, StoreError>>;
type Stored<T> = Result<T, PersistenceError>;

/// Implements the ports of the calling settings on PostgreSQL.
#[derive(Clone, Debug)]
pub struct CallingStore {
    database: Database,
    keys: Arc<Keyring>,
}

impl CallingStore {
    /// Makes the store; credentials are sealed with `keys`.
    pub fn new(database: Database, keys: Arc<Keyring>) -> Self {
        Self { database, keys }
    }

    /// Writes the default tenant's `CALL_PROVIDER`, unless there is one: from then on it is data.
    ///
    /// # Errors
    /// [`PersistenceError`] when it cannot be written.
    pub async fn begin_with(
        &self,
        provider: Provider,
        at: DateTime<Utc>,
    ) -> Result<(), PersistenceError> {
        let mut connection = self.database.store().await?;
        settings::begin(&mut connection, TenantId::DEFAULT, provider, at).await
    }
}

impl CallingSettings for CallingStore {
    fn active_prompt(
        &self,
        tenant: TenantId,
        owner: Option<Uuid>,
        platform: Option<Platform>,
    ) -> Answer<'_, ActivePrompt> {
        in_time(async move {
            let mut reader = self.database.reader().await.map_err(PersistenceError::from)?;
            let read = Database::read(&mut reader, tenant).await;
            let mut tx = read.map_err(PersistenceError::from)?;
            let platform_name = platform.map(Platform::as_str);
            let candidates = prompt_rows::candidates(&mut tx, tenant, owner, platform_name).await?;
            let Some((chosen, fit)) = select(&candidates, owner, platform) else {
                return Ok(ActivePrompt::BuiltIn { platform });
            };
            let prompt = prompt_rows::find(&mut tx, tenant, chosen.id).await?;
            // It is of the same snapshot.
            Ok(prompt.map_or(ActivePrompt::BuiltIn { platform }, |prompt| ActivePrompt::Stored {
                prompt,
                fit,
            }))
        })
    }

    fn provider(
        &self,
        tenant: TenantId,
        owner: Option<Uuid>,
        order: Option<Provider>,
    ) -> Answer<'_, ProviderChoice> {
        in_time(async move {
            let mut reader = self.database.reader().await.map_err(PersistenceError::from)?;
            let read = Database::read(&mut reader, tenant).await;
            let mut tx = read.map_err(PersistenceError::from)?;
            let config = match owner {
                Some(user) => config_rows::find(&mut tx, tenant, user).await?,
                None => None,
            };
            let config = config.filter(|config| config.is_active);
            let providers = config.as_ref().map(|config| &config.providers);
            Ok(choice(&mut tx, tenant, order, providers).await?)
        })
    }
}

/// Resolves the provider of somebody with this active configuration, if any.
async fn choice(
    tx: &mut PgConnection,
    tenant: TenantId,
    order: Option<Provider>,
    config: Option<&AllowedProviders>,
) -> Stored<ProviderChoice> {
    let (global, enabled) = settings::read(tx, tenant).await?;
    Ok(resolve(order, config, global, &enabled))
}

/// Has changes of one thing wait for each other, whether there is a row of it yet or not.
async fn stand_in_line(tx: &mut PgConnection, tenant: TenantId, thing: &str) -> Stored<()> {
    let name = format!("{tenant}/{thing}");
    sqlx::query!("select pg_advisory_xact_lock(hashtextextended($1, 0))", name).execute(tx).await?;
    Ok(())
}

/// Returns how many rows lie before a page.
fn offset(page: PageRequest) -> i64 {
    i64::from(page.page.saturating_sub(1)) * i64::from(page.limit)
}

/// A stored value is none of its set.
fn unknown(value: InvalidValue) -> PersistenceError {
    sqlx::Error::Decode(value.into()).into()
}
