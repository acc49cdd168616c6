//! Prompts on the wire.

use chrono::{DateTime, Utc};
use domain::ports::PromptChange;
use domain::prompt::{ActivePrompt, Platform, Prompt, PromptName, PromptText, TemplateError};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::given;
use crate::contract::sets;
use crate::error::ApiError;
use crate::routes::checks::Checks;

/// A prompt to be written.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = CallPromptRequest)]
#[serde(rename_all = "camelCase")]
pub struct NewPromptRequest {
    /// Not blank.
    #[schema(min_length = 1, max_length = 200)]
    name: String,
    /// At most 32 KiB; `{{candidateName}}` is a placeholder, and nothing else is one.
    #[serde(alias = "system_prompt")]
    #[schema(min_length = 1, max_length = 32768)]
    system_prompt: String,
    /// Null is all of them.
    #[serde(default)]
    #[schema(inline, value_type = Option<sets::PlatformName>)]
    platform: Option<String>,
    /// Left out, it is the caller's own; null makes it global, for administrators.
    #[serde(default, alias = "belongs_to_id", deserialize_with = "given")]
    #[schema(value_type = Option<Uuid>)]
    pub(super) belongs_to_id: Option<Option<Uuid>>,
    #[serde(default, alias = "is_active")]
    is_active: Option<bool>,
}

/// What is to be changed of a prompt; what is left out stays.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = CallPromptChange)]
#[serde(rename_all = "camelCase")]
pub struct PromptChangeRequest {
    #[serde(default)]
    #[schema(min_length = 1, max_length = 200)]
    name: Option<String>,
    #[serde(default, alias = "system_prompt")]
    #[schema(min_length = 1, max_length = 32768)]
    system_prompt: Option<String>,
    /// Null is all of them.
    #[serde(default, deserialize_with = "given")]
    #[schema(inline, value_type = Option<sets::PlatformName>)]
    platform: Option<Option<String>>,
    /// Null makes it global; for administrators.
    #[serde(default, alias = "belongs_to_id", deserialize_with = "given")]
    #[schema(value_type = Option<Uuid>)]
    pub(super) belongs_to_id: Option<Option<Uuid>>,
    #[serde(default, alias = "is_active")]
    is_active: Option<bool>,
}

/// The caller's own interview prompt.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct InterviewPromptRequest {
    #[serde(alias = "system_prompt")]
    #[schema(min_length = 1, max_length = 32768)]
    system_prompt: String,
    #[serde(default)]
    #[schema(min_length = 1, max_length = 200)]
    name: Option<String>,
}

/// What an active prompt is asked for.
#[derive(Debug, Deserialize)]
pub struct ActiveQuery {
    pub(super) platform: Option<String>,
}

/// What a new prompt says, but for whose it is.
pub(super) struct Content {
    pub name: PromptName,
    pub text: PromptText,
    pub platform: Option<Platform>,
    pub is_active: bool,
}

/// Takes a prompt's template, whose flaws have a code of their own.
fn template(checks: &mut Checks, text: &str) -> Option<PromptText> {
    let wrong =
        |why: TemplateError| checks.wrong_as("invalid_template", "systemPrompt", why.to_string());
    PromptText::parse(text).map_err(wrong).ok()
}

impl NewPromptRequest {
    pub(super) fn parse(&self) -> Result<Content, ApiError> {
        let mut checks = Checks::default();
        let name = checks.take("name", PromptName::parse(&self.name));
        let text = template(&mut checks, &self.system_prompt);
        let platform = self.platform.as_deref().map(Platform::parse);
        let platform = platform.and_then(|parsed| checks.take("platform", parsed));
        match (name, text) {
            (Some(name), Some(text)) if checks.is_clean() => {
                let is_active = self.is_active.unwrap_or(true);
                Ok(Content { name, text, platform, is_active })
            }
            _ => Err(checks.refusal()),
        }
    }
}

impl PromptChangeRequest {
    pub(super) fn parse(&self) -> Result<PromptChange, ApiError> {
        let mut checks = Checks::default();
        let name = self.name.as_deref().map(PromptName::parse);
        let name = name.and_then(|parsed| checks.take("name", parsed));
        let text = self.system_prompt.as_deref().and_then(|text| template(&mut checks, text));
        let platform = self.platform.as_ref();
        let platform = platform.map(|name| {
            let parsed = name.as_deref().map(Platform::parse);
            parsed.and_then(|parsed| checks.take("platform", parsed))
        });
        checks.passed()?;
        let (belongs_to, is_active) = (self.belongs_to_id, self.is_active);
        Ok(PromptChange { name, text, platform, belongs_to, is_active })
    }
}

impl InterviewPromptRequest {
    pub(super) fn parse(&self) -> Result<(Option<PromptName>, PromptText), ApiError> {
        let mut checks = Checks::default();
        let name = self.name.as_deref().map(PromptName::parse);
        let name = name.and_then(|parsed| checks.take("name", parsed));
        match template(&mut checks, &self.system_prompt) {
            Some(text) if checks.is_clean() => Ok((name, text)),
            _ => Err(checks.refusal()),
        }
    }
}

/// One prompt.
#[derive(Serialize, ToSchema)]
#[schema(as = CallPrompt)]
#[serde(rename_all = "camelCase")]
pub struct PromptView {
    id: Uuid,
    name: String,
    system_prompt: String,
    #[schema(schema_with = sets::platform)]
    platform: Option<&'static str>,
    belongs_to_id: Option<Uuid>,
    is_active: bool,
    version: i64,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
}

/// What the agent is told, and why.
#[derive(Serialize, ToSchema)]
#[schema(as = ActiveCallPrompt)]
#[serde(rename_all = "camelCase")]
pub struct ActiveView {
    /// The template.
    system_prompt: String,
    /// The prompt it is; null where it is the built-in text.
    prompt: Option<PromptView>,
    why: PromptWhyView,
}

/// Why it is this prompt.
#[derive(Serialize, ToSchema)]
#[schema(as = CallPromptWhy)]
struct PromptWhyView {
    /// 4 own and for this platform, 3 own, 2 global and for this platform, 1 global, 0 built-in.
    score: u8,
    reason: &'static str,
}

/// What a delete answers.
#[derive(Serialize, ToSchema)]
#[schema(as = CallPromptDeleted)]
pub struct DeletedView {
    pub(super) id: Uuid,
    pub(super) deleted: bool,
}

impl From<Prompt> for PromptView {
    fn from(prompt: Prompt) -> Self {
        Self {
            id: prompt.id,
            name: prompt.name,
            system_prompt: prompt.system_prompt,
            platform: prompt.platform.map(Platform::as_str),
            belongs_to_id: prompt.belongs_to,
            is_active: prompt.is_active,
            version: prompt.version,
            created_at: prompt.created_at,
            updated_at: prompt.updated_at,
        }
    }
}

impl From<ActivePrompt> for ActiveView {
    fn from(active: ActivePrompt) -> Self {
        let why = PromptWhyView { score: active.score(), reason: active.reason() };
        let system_prompt = active.system_prompt().to_owned();
        let prompt = match active {
            ActivePrompt::Stored { prompt, .. } => Some(prompt.into()),
            ActivePrompt::BuiltIn { .. } => None,
        };
        Self { system_prompt, prompt, why }
    }
}
