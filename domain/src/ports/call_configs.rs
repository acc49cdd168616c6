//! The recruiters' call configurations, and the tenant's settings behind them.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::{BoxFuture, Expected, PageRequest, StoreError};
use crate::calling::{AllowedProviders, Credentials, EnabledProviders, ProviderChoice};
use crate::ids::TenantId;
use crate::value::Provider;

type Answer<'a, T> = BoxFuture<'a, Result<T, StoreError>>;

/// One recruiter's configuration. What its credentials are is not in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HrCallConfig {
    /// Its id.
    pub id: Uuid,
    /// Whose it is.
    pub user: Uuid,
    /// The providers they may use.
    pub providers: AllowedProviders,
    /// Whether credentials are stored.
    pub has_credentials: bool,
    /// Whether it counts; one that does not stays listed.
    pub is_active: bool,
    /// How often it was written.
    pub version: i64,
    /// When it was first written.
    pub created_at: DateTime<Utc>,
    /// When it was last written.
    pub updated_at: DateTime<Utc>,
}

/// A page of configurations, read from one snapshot.
#[derive(Clone, Debug)]
pub struct ConfigPage {
    /// The rows, newest first.
    pub rows: Vec<HrCallConfig>,
    /// How many there are.
    pub total: i64,
    /// The number of the last fact the page can know of.
    pub seq: i64,
}

/// What happens to the credentials.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CredentialsChange {
    /// They stay as they are.
    Keep,
    /// There are none any more.
    Clear,
    /// These are sealed and stored.
    Set(Credentials),
}

/// A configuration as somebody wants it.
#[derive(Clone, Debug)]
pub struct ConfigChange {
    /// Whose.
    pub user: Uuid,
    /// The providers they may use.
    pub allowed: Vec<Provider>,
    /// The default; where none is given the one there is, and the first of the list for a new one.
    pub default: Option<Provider>,
    /// The credentials.
    pub credentials: CredentialsChange,
    /// Whether it counts; where nothing is said it stays so, and a new one does.
    pub is_active: Option<bool>,
}

/// What a save came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ConfigSaved {
    /// There was none before.
    Created(HrCallConfig),
    /// There was one, and this is it now.
    Updated(HrCallConfig),
    /// There was one, and it was left alone.
    Kept(HrCallConfig),
}

impl ConfigSaved {
    /// Returns what is stored now.
    pub fn into_config(self) -> HrCallConfig {
        match self {
            Self::Created(config) | Self::Updated(config) | Self::Kept(config) => config,
        }
    }
}

/// Why nothing was changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConfigRefusal {
    /// There is no such configuration.
    NotFound,
    /// It is another version than the change is based on; none when there is nothing.
    Changed(Option<i64>),
    /// The default is none of the allowed providers.
    DefaultNotAllowed,
    /// Credentials cannot be sealed, or not be opened: the key is not configured here.
    SealingOff,
}

/// What the call engine is told of a recruiter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ConfigAccess {
    /// They have no configuration.
    None,
    /// They have one that does not count.
    Inactive(HrCallConfig),
    /// They have this one.
    Active {
        /// The configuration.
        config: HrCallConfig,
        /// Its credentials, opened.
        credentials: Option<Credentials>,
    },
}

/// Reads and changes the configurations of a tenant.
pub trait CallConfigs: Send + Sync {
    /// Returns a page.
    fn configs(&self, tenant: TenantId, page: PageRequest) -> Answer<'_, ConfigPage>;
    /// Returns one.
    fn config(&self, tenant: TenantId, user: Uuid) -> Answer<'_, Option<HrCallConfig>>;
    /// Creates or replaces one.
    fn put_config(
        &self,
        tenant: TenantId,
        change: ConfigChange,
        expected: Expected,
        at: DateTime<Utc>,
    ) -> Answer<'_, Result<ConfigSaved, ConfigRefusal>>;
    /// Creates one that allows `only`, unless there is one.
    fn create_config(
        &self,
        tenant: TenantId,
        user: Uuid,
        only: Provider,
        at: DateTime<Utc>,
    ) -> Answer<'_, ConfigSaved>;
    /// Changes the default, and nothing else.
    fn set_default(
        &self,
        tenant: TenantId,
        user: Uuid,
        default: Provider,
        expected: Expected,
        at: DateTime<Utc>,
    ) -> Answer<'_, Result<HrCallConfig, ConfigRefusal>>;
    /// Removes one.
    fn remove_config(
        &self,
        tenant: TenantId,
        user: Uuid,
        expected: Expected,
    ) -> Answer<'_, Result<(), ConfigRefusal>>;
    /// Returns one with its credentials opened, and the provider it comes to. The only way to credentials.
    fn opened_config(
        &self,
        tenant: TenantId,
        user: Uuid,
    ) -> Answer<'_, Result<(ConfigAccess, ProviderChoice), ConfigRefusal>>;
}

/// One of the tenant's settings, with its value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SystemConfig {
    /// `CALL_PROVIDER`: who carries calls where the recruiter does not say; none leaves it to the fallback.
    CallProvider(Option<Provider>),
    /// `ENABLED_CALL_PROVIDERS`: who is switched on.
    EnabledProviders(EnabledProviders),
}

/// Reads and changes the settings of a tenant.
pub trait SystemConfigs: Send + Sync {
    /// Returns who carries calls where the recruiter does not say, and who is switched on.
    fn system_configs(&self, tenant: TenantId) -> Answer<'_, (Option<Provider>, EnabledProviders)>;
    /// Writes one.
    fn put_system_config(
        &self,
        tenant: TenantId,
        config: SystemConfig,
        at: DateTime<Utc>,
    ) -> Answer<'_, ()>;
}
