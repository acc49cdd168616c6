//! The prompt library.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::{BoxFuture, Expected, PageRequest, StoreError};
use crate::ids::TenantId;
use crate::prompt::{Platform, Prompt, PromptName, PromptText};

type Answer<'a, T> = BoxFuture<'a, Result<T, StoreError>>;

/// Who reads and writes prompts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PromptEditor {
    /// Sees and writes every prompt of the tenant.
    Admin(TenantId),
    /// Sees their own and the global ones, and writes their own.
    Owner(TenantId, Uuid),
}

impl PromptEditor {
    /// Returns the tenant.
    pub const fn tenant(self) -> TenantId {
        match self {
            Self::Admin(tenant) | Self::Owner(tenant, _) => tenant,
        }
    }

    /// Returns the user who is confined to their own, if it is one.
    pub const fn owner(self) -> Option<Uuid> {
        match self {
            Self::Admin(_) => None,
            Self::Owner(_, user) => Some(user),
        }
    }
}

/// A prompt to be written.
#[derive(Clone, Debug)]
pub struct NewPrompt {
    /// What people call it.
    pub name: PromptName,
    /// What the agent is told.
    pub text: PromptText,
    /// What it is for; none is everything.
    pub platform: Option<Platform>,
    /// Whose it is; none is the whole tenant's.
    pub belongs_to: Option<Uuid>,
    /// Whether it counts.
    pub is_active: bool,
}

/// What is to be changed of a prompt; what is none stays as it is.
#[derive(Clone, Debug, Default)]
pub struct PromptChange {
    /// What people call it.
    pub name: Option<PromptName>,
    /// What the agent is told.
    pub text: Option<PromptText>,
    /// What it is for; none inside is everything.
    pub platform: Option<Option<Platform>>,
    /// Whose it is; none inside is the whole tenant's.
    pub belongs_to: Option<Option<Uuid>>,
    /// Whether it counts.
    pub is_active: Option<bool>,
}

/// Why nothing was changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PromptRefusal {
    /// There is no such prompt, or not for this editor.
    NotFound,
    /// It is global, and the editor may only read it.
    Global,
    /// It is another version than the change is based on; none when there is nothing.
    Changed(Option<i64>),
    /// Its owner has as many as one may have.
    TooMany,
}

/// A page of prompts, read from one snapshot.
#[derive(Clone, Debug)]
pub struct PromptPage {
    /// The rows, the one written last first.
    pub rows: Vec<Prompt>,
    /// How many there are for this editor.
    pub total: i64,
    /// The number of the last fact the page can know of.
    pub seq: i64,
}

/// Reads and changes the prompts of a tenant.
pub trait Prompts: Send + Sync {
    /// Returns a page of those that `editor` sees.
    fn prompts(&self, editor: PromptEditor, page: PageRequest) -> Answer<'_, PromptPage>;
    /// Writes a new one. Whose it may be is the caller's to judge.
    fn create_prompt(
        &self,
        tenant: TenantId,
        prompt: NewPrompt,
        at: DateTime<Utc>,
    ) -> Answer<'_, Result<Prompt, PromptRefusal>>;
    /// Changes one.
    fn change_prompt(
        &self,
        editor: PromptEditor,
        id: Uuid,
        change: PromptChange,
        expected: Expected,
        at: DateTime<Utc>,
    ) -> Answer<'_, Result<Prompt, PromptRefusal>>;
    /// Deletes one.
    fn delete_prompt(
        &self,
        editor: PromptEditor,
        id: Uuid,
        expected: Expected,
    ) -> Answer<'_, Result<(), PromptRefusal>>;
    /// Makes `text` the one active prompt of `owner` for any platform; others of that kind stop counting.
    fn put_interview_prompt(
        &self,
        tenant: TenantId,
        owner: Uuid,
        name: Option<PromptName>,
        text: PromptText,
        expected: Expected,
        at: DateTime<Utc>,
    ) -> Answer<'_, Result<Prompt, PromptRefusal>>;
    /// Has no prompt of `owner` for any platform count any more; they stay listed.
    fn reset_interview_prompt(
        &self,
        tenant: TenantId,
        owner: Uuid,
        at: DateTime<Utc>,
    ) -> Answer<'_, ()>;
}
