//! What the agent of a call is told: templates, which of them counts, and what they say in the end.
//!
//! A template is text with placeholders, `{{candidateName}}`, and nothing else: no expressions, no blocks,
//! no filters. It is filled in one pass, so that a value can never open a placeholder.

mod defaults;
mod render;
mod select;
mod template;
#[cfg(test)]
mod tests;

pub use defaults::INTERVIEW as BUILT_IN;
pub use render::{RENDERED_BYTES_MAX, Rendered, VALUE_BYTES_MAX, VARIABLES, call_values, render};
pub use select::{ActivePrompt, Candidate, Fit, select};
pub use template::{
    Flaw, NAME_BYTES_MAX, Position, TEMPLATE_BYTES_MAX, Template, TemplateError, parse,
};

use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::value::{InvalidValue, Provider};

/// The longest name of a prompt, in characters.
const TITLE_CHARS_MAX: usize = 200;

/// What speaks a prompt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Platform {
    /// A candidate's call, by this provider.
    Call(Provider),
    /// Miss Ozone, who rings students.
    MissOzone,
}

impl Platform {
    /// Every platform there is.
    pub const ALL: [Self; 5] = [
        Self::Call(Provider::Vapi),
        Self::Call(Provider::OpenaiTwilio),
        Self::Call(Provider::Elevenlabs),
        Self::Call(Provider::NvidiaTwilio),
        Self::MissOzone,
    ];

    /// Returns the name on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Call(provider) => provider.as_str(),
            Self::MissOzone => "miss_ozone",
        }
    }

    /// Parses the name on the wire.
    ///
    /// # Errors
    /// [`InvalidValue`] when there is no such platform.
    pub fn parse(name: &str) -> Result<Self, InvalidValue> {
        Self::ALL.into_iter().find(|platform| platform.as_str() == name).ok_or(InvalidValue {
            what: "platform",
            why: "is none of vapi, openai_twilio, elevenlabs, nvidia_twilio, miss_ozone",
        })
    }
}

/// The name under which a person finds a prompt: 1 to 200 characters, none of them a control character.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PromptName(String);

impl PromptName {
    /// The name of the prompt that a recruiter writes without naming it.
    pub fn interview() -> Self {
        Self("Interview prompt".to_owned())
    }

    /// Parses a name; space around it is cut off.
    ///
    /// # Errors
    /// [`InvalidValue`] when it is blank, too long or has control characters.
    pub fn parse(text: &str) -> Result<Self, InvalidValue> {
        let invalid = |why| InvalidValue { what: "name", why };
        let text = text.trim();
        if text.is_empty() {
            return Err(invalid("is blank"));
        }
        if text.chars().count() > TITLE_CHARS_MAX {
            return Err(invalid("is longer than 200 characters"));
        }
        if text.chars().any(char::is_control) {
            return Err(invalid("has control characters"));
        }
        Ok(Self(text.to_owned()))
    }

    /// Returns the text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The text of a prompt that was parsed as a template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PromptText(String);

impl PromptText {
    /// Parses a text.
    ///
    /// # Errors
    /// [`TemplateError`] as [`parse`].
    pub fn parse(text: &str) -> Result<Self, TemplateError> {
        parse(text)?;
        Ok(Self(text.to_owned()))
    }

    /// Returns the text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// One stored prompt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prompt {
    /// Its id.
    pub id: Uuid,
    /// What people call it.
    pub name: String,
    /// What the agent is told, with placeholders.
    pub system_prompt: String,
    /// What it is for; none is everything.
    pub platform: Option<Platform>,
    /// Whose it is; none is the whole tenant's.
    pub belongs_to: Option<Uuid>,
    /// Whether it counts.
    pub is_active: bool,
    /// How often it was written.
    pub version: i64,
    /// When it was first written.
    pub created_at: DateTime<Utc>,
    /// When it was last written.
    pub updated_at: DateTime<Utc>,
}
