//! The prompt library.

use chrono::{DateTime, Utc};
use domain::TenantId;
use domain::ports::{
    Expected, NewPrompt, PageRequest, PromptChange, PromptEditor, PromptPage, PromptRefusal,
    Prompts,
};
use domain::prompt::{Prompt, PromptName, PromptText};
use sqlx::PgConnection;
use uuid::Uuid;

use super::{Answer, CallingStore, Stored, prompt_rows, stand_in_line};
use crate::database::Database;
use crate::error::PersistenceError;
use crate::patience::in_time;
use crate::queries;

/// Prompts that one user, or the tenant itself, may have: enough for any library that people keep.
const PROMPTS_MAX: i64 = 500;

/// What a change answers: what it did, or why it did nothing.
type Changed<T> = Result<T, PromptRefusal>;

impl Prompts for CallingStore {
    fn prompts(&self, editor: PromptEditor, page: PageRequest) -> Answer<'_, PromptPage> {
        in_time(async move {
            let (tenant, owner) = (editor.tenant(), editor.owner());
            let mut reader = self.database.reader().await.map_err(PersistenceError::from)?;
            let read = Database::read(&mut reader, tenant).await;
            let mut tx = read.map_err(PersistenceError::from)?;
            Ok(PromptPage {
                rows: prompt_rows::page(&mut tx, tenant, owner, page).await?,
                total: prompt_rows::count(&mut tx, tenant, owner).await?,
                seq: queries::seq(&mut tx).await?,
            })
        })
    }

    fn create_prompt(
        &self,
        tenant: TenantId,
        prompt: NewPrompt,
        at: DateTime<Utc>,
    ) -> Answer<'_, Changed<Prompt>> {
        in_time(async move {
            let mut connection = self.database.store().await.map_err(PersistenceError::from)?;
            let mut tx = connection.begin().await?;
            if !has_room(&mut tx, tenant, prompt.belongs_to).await? {
                return Ok(Err(PromptRefusal::TooMany));
            }
            let written = prompt_rows::insert(&mut tx, tenant, &prompt, at).await?;
            tx.commit().await.map_err(PersistenceError::from)?;
            Ok(Ok(written))
        })
    }

    fn change_prompt(
        &self,
        editor: PromptEditor,
        id: Uuid,
        change: PromptChange,
        expected: Expected,
        at: DateTime<Utc>,
    ) -> Answer<'_, Changed<Prompt>> {
        in_time(async move {
            let mut connection = self.database.store().await.map_err(PersistenceError::from)?;
            let mut tx = connection.begin().await?;
            let before = match writable(&mut tx, editor, id, &expected).await? {
                Ok(before) => before,
                Err(refusal) => return Ok(Err(refusal)), // Dropped, which undoes it.
            };
            let owner = before.belongs_to;
            let after = changed(before, change);
            let moves = after.belongs_to != owner;
            if moves && !has_room(&mut tx, editor.tenant(), after.belongs_to).await? {
                return Ok(Err(PromptRefusal::TooMany));
            }
            let written = prompt_rows::update(&mut tx, editor.tenant(), &after, at).await?;
            tx.commit().await.map_err(PersistenceError::from)?;
            Ok(Ok(written))
        })
    }

    fn delete_prompt(
        &self,
        editor: PromptEditor,
        id: Uuid,
        expected: Expected,
    ) -> Answer<'_, Changed<()>> {
        in_time(async move {
            let mut connection = self.database.store().await.map_err(PersistenceError::from)?;
            let mut tx = connection.begin().await?;
            if let Err(refusal) = writable(&mut tx, editor, id, &expected).await? {
                return Ok(Err(refusal));
            }
            prompt_rows::delete(&mut tx, editor.tenant(), id).await?;
            tx.commit().await.map_err(PersistenceError::from)?;
            Ok(Ok(()))
        })
    }

    fn put_interview_prompt(
        &self,
        tenant: TenantId,
        owner: Uuid,
        name: Option<PromptName>,
        text: PromptText,
        expected: Expected,
        at: DateTime<Utc>,
    ) -> Answer<'_, Changed<Prompt>> {
        in_time(async move {
            let mut connection = self.database.store().await.map_err(PersistenceError::from)?;
            let mut tx = connection.begin().await?;
            stand_in_line(&mut tx, tenant, &interview_prompt(owner)).await?;
            let before = prompt_rows::own_for_any(&mut tx, tenant, owner).await?;
            let version = before.as_ref().map(|prompt| prompt.version);
            if !expected.holds(version) {
                return Ok(Err(PromptRefusal::Changed(version)));
            }
            let written = match before {
                Some(before) => {
                    let change = PromptChange { name, text: Some(text), ..PromptChange::default() };
                    prompt_rows::update(&mut tx, tenant, &changed(before, change), at).await?
                }
                None if !has_room(&mut tx, tenant, Some(owner)).await? => {
                    return Ok(Err(PromptRefusal::TooMany));
                }
                None => {
                    let name = name.unwrap_or_else(PromptName::interview);
                    let (platform, belongs_to) = (None, Some(owner));
                    let new = NewPrompt { name, text, platform, belongs_to, is_active: true };
                    prompt_rows::insert(&mut tx, tenant, &new, at).await?
                }
            };
            let keep = Some(written.id);
            prompt_rows::deactivate_for_any(&mut tx, tenant, owner, keep, at).await?;
            tx.commit().await.map_err(PersistenceError::from)?;
            Ok(Ok(written))
        })
    }

    fn reset_interview_prompt(
        &self,
        tenant: TenantId,
        owner: Uuid,
        at: DateTime<Utc>,
    ) -> Answer<'_, ()> {
        in_time(async move {
            let mut connection = self.database.store().await.map_err(PersistenceError::from)?;
            let mut tx = connection.begin().await?;
            stand_in_line(&mut tx, tenant, &interview_prompt(owner)).await?;
            prompt_rows::deactivate_for_any(&mut tx, tenant, owner, None, at).await?;
            Ok(tx.commit().await.map_err(PersistenceError::from)?)
        })
    }
}

fn interview_prompt(owner: Uuid) -> String {
    format!("interview_prompt/{owner}")
}

/// Whether one more may belong to `owner`, or to the tenant.
async fn has_room(tx: &mut PgConnection, tenant: TenantId, owner: Option<Uuid>) -> Stored<bool> {
    Ok(prompt_rows::count_of(tx, tenant, owner).await? < PROMPTS_MAX)
}

/// Locks a prompt that `editor` may write.
async fn writable(
    tx: &mut PgConnection,
    editor: PromptEditor,
    id: Uuid,
    expected: &Expected,
) -> Stored<Changed<Prompt>> {
    let Some(prompt) = prompt_rows::lock(tx, editor.tenant(), id).await? else {
        return Ok(Err(PromptRefusal::NotFound));
    };
    match (editor, prompt.belongs_to) {
        (PromptEditor::Owner(_, user), Some(owner)) if owner != user => {
            return Ok(Err(PromptRefusal::NotFound));
        }
        (PromptEditor::Owner(..), None) => return Ok(Err(PromptRefusal::Global)),
        (PromptEditor::Owner(..) | PromptEditor::Admin(_), _) => {}
    }
    let version = Some(prompt.version);
    Ok(if expected.holds(version) { Ok(prompt) } else { Err(PromptRefusal::Changed(version)) })
}

fn changed(before: Prompt, change: PromptChange) -> Prompt {
    let PromptChange { name, text, platform, belongs_to, is_active } = change;
    Prompt {
        name: name.map_or(before.name, |name| name.as_str().to_owned()),
        system_prompt: text.map_or(before.system_prompt, |text| text.as_str().to_owned()),
        platform: platform.unwrap_or(before.platform),
        belongs_to: belongs_to.unwrap_or(before.belongs_to),
        is_active: is_active.unwrap_or(before.is_active),
        ..before
    }
}
