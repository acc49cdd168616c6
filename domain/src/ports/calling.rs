//! What placing a call asks of the settings, and what is common to those who change them.

use uuid::Uuid;

use super::{BoxFuture, EngineError, StoreError};
use crate::calling::ProviderChoice;
use crate::ids::TenantId;
use crate::prompt::{ActivePrompt, Platform};
use crate::value::Provider;

type Answer<'a, T> = BoxFuture<'a, Result<T, StoreError>>;

/// What a call is placed with.
pub trait CallingSettings: Send + Sync {
    /// Returns the prompt that counts for `owner` on `platform`; the built-in one where nobody wrote any.
    fn active_prompt(
        &self,
        tenant: TenantId,
        owner: Option<Uuid>,
        platform: Option<Platform>,
    ) -> Answer<'_, ActivePrompt>;
    /// Returns the provider that carries a call of `owner`, and why; `order` is whom the order names.
    fn provider(
        &self,
        tenant: TenantId,
        owner: Option<Uuid>,
        order: Option<Provider>,
    ) -> Answer<'_, ProviderChoice>;
}

/// Tells the engine that a recruiter's provider may have changed.
pub trait ProviderRefresh: Send + Sync {
    /// Sends it once; whoever asks does not depend on the answer.
    fn refresh_provider(&self, user: Uuid) -> BoxFuture<'_, Result<(), EngineError>>;
}

/// Which version a change is based on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Expected {
    /// Whichever there is, if any.
    Any,
    /// Some version: there must be one.
    Existing,
    /// One of these.
    Versions(Vec<i64>),
}

impl Expected {
    /// Whether `current` is what was expected; none is nothing stored.
    pub fn holds(&self, current: Option<i64>) -> bool {
        match (self, current) {
            (Self::Any, _) | (Self::Existing, Some(_)) => true,
            (Self::Versions(versions), Some(current)) => versions.contains(&current),
            (Self::Existing | Self::Versions(_), None) => false,
        }
    }
}
