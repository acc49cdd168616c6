//! The recruiters' configurations.

use chrono::{DateTime, Utc};
use domain::calling::{AllowedProviders, Credentials, ProviderChoice};
use domain::ports::{
    CallConfigs, ConfigAccess, ConfigChange, ConfigPage, ConfigRefusal, ConfigSaved,
    CredentialsChange, Expected, HrCallConfig, PageRequest, StoreError,
};
use domain::{Provider, TenantId};
use sqlx::PgConnection;
use tracing::error;
use uuid::Uuid;

use super::config_rows::{self, Draft};
use super::{Answer, CallingStore, Stored, choice, stand_in_line};
use crate::database::Database;
use crate::error::PersistenceError;
use crate::patience::in_time;
use crate::queries;
use crate::seal::{Closed, Keyring, Sealed};

/// What a change answers: what it did, or why it did nothing.
type Changed<T> = Result<T, ConfigRefusal>;

impl CallConfigs for CallingStore {
    fn configs(&self, tenant: TenantId, page: PageRequest) -> Answer<'_, ConfigPage> {
        in_time(async move {
            let mut reader = self.database.reader().await.map_err(PersistenceError::from)?;
            let read = Database::read(&mut reader, tenant).await;
            let mut tx = read.map_err(PersistenceError::from)?;
            Ok(ConfigPage {
                rows: config_rows::page(&mut tx, tenant, page).await?,
                total: config_rows::count(&mut tx, tenant).await?,
                seq: queries::seq(&mut tx).await?,
            })
        })
    }

    fn config(&self, tenant: TenantId, user: Uuid) -> Answer<'_, Option<HrCallConfig>> {
        in_time(async move {
            let mut reader = self.database.reader().await.map_err(PersistenceError::from)?;
            let read = Database::read(&mut reader, tenant).await;
            let mut tx = read.map_err(PersistenceError::from)?;
            Ok(config_rows::find(&mut tx, tenant, user).await?)
        })
    }

    fn put_config(
        &self,
        tenant: TenantId,
        change: ConfigChange,
        expected: Expected,
        at: DateTime<Utc>,
    ) -> Answer<'_, Changed<ConfigSaved>> {
        in_time(async move {
            let mut connection = self.database.store().await.map_err(PersistenceError::from)?;
            let mut tx = connection.begin().await?;
            let before = lock(&mut tx, tenant, change.user).await?;
            let draft = match draft(&self.keys, tenant, change, before.as_ref(), &expected) {
                Ok(draft) => draft,
                Err(refusal) => return Ok(Err(refusal)), // Dropped, which undoes it.
            };
            let config = config_rows::put(&mut tx, tenant, &draft, at).await?;
            tx.commit().await.map_err(PersistenceError::from)?;
            Ok(Ok(match before {
                None => ConfigSaved::Created(config),
                Some(_) => ConfigSaved::Updated(config),
            }))
        })
    }

    fn create_config(
        &self,
        tenant: TenantId,
        user: Uuid,
        only: Provider,
        at: DateTime<Utc>,
    ) -> Answer<'_, ConfigSaved> {
        in_time(async move {
            let mut connection = self.database.store().await.map_err(PersistenceError::from)?;
            let mut tx = connection.begin().await?;
            if let Some(config) = lock(&mut tx, tenant, user).await? {
                return Ok(ConfigSaved::Kept(config));
            }
            let providers = AllowedProviders::only(only);
            let draft = Draft { user, providers, credentials: None, is_active: true };
            let config = config_rows::put(&mut tx, tenant, &draft, at).await?;
            tx.commit().await.map_err(PersistenceError::from)?;
            Ok(ConfigSaved::Created(config))
        })
    }

    fn set_default(
        &self,
        tenant: TenantId,
        user: Uuid,
        default: Provider,
        expected: Expected,
        at: DateTime<Utc>,
    ) -> Answer<'_, Changed<HrCallConfig>> {
        in_time(async move {
            let mut connection = self.database.store().await.map_err(PersistenceError::from)?;
            let mut tx = connection.begin().await?;
            let before = match existing(&mut tx, tenant, user, &expected).await? {
                Ok(before) => before,
                Err(refusal) => return Ok(Err(refusal)),
            };
            let Ok(providers) = before.providers.with_default(default) else {
                return Ok(Err(ConfigRefusal::DefaultNotAllowed));
            };
            let is_active = before.is_active;
            let draft = Draft { user, providers, credentials: None, is_active };
            let config = config_rows::put(&mut tx, tenant, &draft, at).await?;
            tx.commit().await.map_err(PersistenceError::from)?;
            Ok(Ok(config))
        })
    }

    fn remove_config(
        &self,
        tenant: TenantId,
        user: Uuid,
        expected: Expected,
    ) -> Answer<'_, Changed<()>> {
        in_time(async move {
            let mut connection = self.database.store().await.map_err(PersistenceError::from)?;
            let mut tx = connection.begin().await?;
            if let Err(refusal) = existing(&mut tx, tenant, user, &expected).await? {
                return Ok(Err(refusal));
            }
            config_rows::delete(&mut tx, tenant, user).await?;
            tx.commit().await.map_err(PersistenceError::from)?;
            Ok(Ok(()))
        })
    }

    fn opened_config(
        &self,
        tenant: TenantId,
        user: Uuid,
    ) -> Answer<'_, Changed<(ConfigAccess, ProviderChoice)>> {
        in_time(async move {
            let mut reader = self.database.reader().await.map_err(PersistenceError::from)?;
            let read = Database::read(&mut reader, tenant).await;
            let mut tx = read.map_err(PersistenceError::from)?;
            let Some(config) = config_rows::find(&mut tx, tenant, user).await? else {
                return Ok(Ok((ConfigAccess::None, choice(&mut tx, tenant, None, None).await?)));
            };
            if !config.is_active {
                let choice = choice(&mut tx, tenant, None, None).await?;
                return Ok(Ok((ConfigAccess::Inactive(config), choice)));
            }
            let choice = choice(&mut tx, tenant, None, Some(&config.providers)).await?;
            let sealed = config_rows::sealed(&mut tx, tenant, user).await?;
            let credentials = match open(&self.keys, tenant, &config, sealed)? {
                Ok(credentials) => credentials,
                Err(refusal) => return Ok(Err(refusal)),
            };
            Ok(Ok((ConfigAccess::Active { config, credentials }, choice)))
        })
    }
}

/// Returns a user's configuration, which nobody else changes until the transaction ends.
async fn lock(tx: &mut PgConnection, tenant: TenantId, user: Uuid) -> Stored<Option<HrCallConfig>> {
    stand_in_line(tx, tenant, &format!("hr_call_configs/{user}")).await?;
    config_rows::find(tx, tenant, user).await
}

/// As [`lock`], where there must be one.
async fn existing(
    tx: &mut PgConnection,
    tenant: TenantId,
    user: Uuid,
    expected: &Expected,
) -> Stored<Changed<HrCallConfig>> {
    let Some(config) = lock(tx, tenant, user).await? else {
        return Ok(Err(ConfigRefusal::NotFound));
    };
    let version = Some(config.version);
    Ok(if expected.holds(version) { Ok(config) } else { Err(ConfigRefusal::Changed(version)) })
}

/// Works out what is to be stored.
fn draft(
    keys: &Keyring,
    tenant: TenantId,
    change: ConfigChange,
    before: Option<&HrCallConfig>,
    expected: &Expected,
) -> Changed<Draft> {
    let version = before.map(|config| config.version);
    if !expected.holds(version) {
        return Err(ConfigRefusal::Changed(version));
    }
    let ConfigChange { user, allowed, default, credentials, is_active } = change;
    let default = default.or(before.map(|config| config.providers.default()));
    let default = default.or(allowed.first().copied()).ok_or(ConfigRefusal::DefaultNotAllowed)?;
    let providers =
        AllowedProviders::new(allowed, default).map_err(|_| ConfigRefusal::DefaultNotAllowed)?;
    let credentials = match credentials {
        CredentialsChange::Keep => None,
        CredentialsChange::Clear => Some(None),
        CredentialsChange::Set(given) => {
            let place = config_rows::place(tenant, config_rows::id_of(tenant, user));
            let sealed = keys.seal(&place, given.expose().as_bytes());
            Some(Some(sealed.ok_or(ConfigRefusal::SealingOff)?))
        }
    };
    let is_active = is_active.unwrap_or(before.is_none_or(|config| config.is_active));
    Ok(Draft { user, providers, credentials, is_active })
}

/// Opens what is sealed in a configuration. The one function by which credentials leave the table.
fn open(
    keys: &Keyring,
    tenant: TenantId,
    config: &HrCallConfig,
    sealed: Option<Sealed>,
) -> Result<Changed<Option<Credentials>>, StoreError> {
    let Some(sealed) = sealed else { return Ok(Ok(None)) };
    let bytes = match keys.open(&config_rows::place(tenant, config.id), &sealed) {
        Ok(bytes) => bytes,
        Err(closed @ Closed::KeyUnknown) => {
            let (id, key) = (config.id, sealed.key);
            error!(config.id = %id, seal.key = key, "credentials of {id} do not open: {closed}");
            return Ok(Err(ConfigRefusal::SealingOff));
        }
        Err(closed @ Closed::Forged) => return Err(StoreError::Broken(closed.into())),
    };
    let text = String::from_utf8(bytes).map_err(|_| StoreError::Broken(Closed::Forged.into()))?;
    let credentials = Credentials::from_text(&text);
    Ok(Ok(Some(credentials.map_err(|error| StoreError::Broken(error.into()))?)))
}
