//! Prompts on the wire.

use chrono::{DateTime, Utc};
use domain::InvalidValue;
use domain::ports::PromptChange;
use domain::prompt::{ActivePrompt, Platform, Prompt, PromptName, PromptText, TemplateError};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::{given, wrong_field};
use crate::error::{ApiError, FieldError};

/// A prompt to be written.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = CallPromptRequest)]
#[serde(rename_all = "camelCase")]
pub struct NewPromptRequest {
    /// At most 200 characters.
    name: String,
    /// At most 32 KiB; `{{candidateName}}` is a placeholder, and nothing else is one.
    #[serde(alias = "system_prompt")]
    system_prompt: String,
    /// A provider, `miss_ozone`, or null for all of them.
    #[serde(default)]
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
    name: Option<String>,
    #[serde(default, alias = "system_prompt")]
    system_prompt: Option<String>,
    /// Null is all of them.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<String>)]
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
    system_prompt: String,
    #[serde(default)]
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

/// Collects what is wrong, so that one answer names all of it.
#[derive(Default)]
struct Checks(Vec<FieldError>);

impl Checks {
    fn name(&mut self, name: &str) -> Option<PromptName> {
        self.take("#/name", PromptName::parse(name))
    }

    fn platform(&mut self, name: &str) -> Option<Platform> {
        self.take("#/platform", Platform::parse(name))
    }

    fn text(&mut self, text: &str) -> Option<PromptText> {
        PromptText::parse(text).map_err(|why| self.0.push(wrong_template(&why))).ok()
    }

    fn take<T>(&mut self, pointer: &str, parsed: Result<T, InvalidValue>) -> Option<T> {
        parsed.map_err(|why| self.0.push(wrong_field(pointer, why.to_string()))).ok()
    }

    fn end(self) -> ApiError {
        ApiError::invalid_all(self.0)
    }
}

fn wrong_template(why: &TemplateError) -> FieldError {
    FieldError { code: "invalid_template", ..wrong_field("#/systemPrompt", why.to_string()) }
}

impl NewPromptRequest {
    pub(super) fn parse(&self) -> Result<Content, ApiError> {
        let mut checks = Checks::default();
        let name = checks.name(&self.name);
        let text = checks.text(&self.system_prompt);
        let platform = self.platform.as_deref().and_then(|name| checks.platform(name));
        match (name, text) {
            (Some(name), Some(text)) if checks.0.is_empty() => {
                let is_active = self.is_active.unwrap_or(true);
                Ok(Content { name, text, platform, is_active })
            }
            _ => Err(checks.end()),
        }
    }
}

impl PromptChangeRequest {
    pub(super) fn parse(&self) -> Result<PromptChange, ApiError> {
        let mut checks = Checks::default();
        let name = self.name.as_deref().and_then(|name| checks.name(name));
        let text = self.system_prompt.as_deref().and_then(|text| checks.text(text));
        let platform = self.platform.as_ref();
        let platform = platform.map(|name| name.as_deref().and_then(|name| checks.platform(name)));
        if !checks.0.is_empty() {
            return Err(checks.end());
        }
        let (belongs_to, is_active) = (self.belongs_to_id, self.is_active);
        Ok(PromptChange { name, text, platform, belongs_to, is_active })
    }
}

impl InterviewPromptRequest {
    pub(super) fn parse(&self) -> Result<(Option<PromptName>, PromptText), ApiError> {
        let mut checks = Checks::default();
        let name = self.name.as_deref().and_then(|name| checks.name(name));
        match checks.text(&self.system_prompt) {
            Some(text) if checks.0.is_empty() => Ok((name, text)),
            _ => Err(checks.end()),
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
