//! Values that were parsed once, at the edge.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A value that does not have the form its type asks for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{what} {why}")]
pub struct InvalidValue {
    /// What it should have been.
    pub what: &'static str,
    /// What is wrong with it.
    pub why: &'static str,
}

const fn invalid(what: &'static str, why: &'static str) -> InvalidValue {
    InvalidValue { what, why }
}

/// The call engine's name: of its calls in the alias table and in derived ids, and of what a stop covers.
pub const MR_HIRE: &str = "mr-hire";

/// The longest call id that is accepted, in bytes; platforms use about 40.
pub const CALL_ID_BYTES_MAX: usize = 200;

/// The engine's name for one call, unique within a tenant.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct CallId(String);

impl CallId {
    /// Parses a call id.
    ///
    /// # Errors
    /// [`InvalidValue`] when it is blank, longer than [`CALL_ID_BYTES_MAX`], has control characters, or
    /// characters that were lost on the way: two calls' ids could become one by that.
    pub fn parse(text: &str) -> Result<Self, InvalidValue> {
        if text.trim().is_empty() {
            return Err(invalid("call id", "is blank"));
        }
        if text.len() > CALL_ID_BYTES_MAX {
            return Err(invalid("call id", "is longer than 200 bytes"));
        }
        if text.chars().any(char::is_control) {
            return Err(invalid("call id", "has control characters"));
        }
        if text.contains(char::REPLACEMENT_CHARACTER) {
            return Err(invalid("call id", "has lost characters"));
        }
        Ok(Self(text.to_owned()))
    }

    /// Returns the text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for CallId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A telephone number in E.164: a plus sign, then 8 to 15 digits, the first not 0.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Phone(String);

impl Phone {
    /// Parses a number that is already in E.164, spaces and hyphens aside.
    ///
    /// # Errors
    /// [`InvalidValue`] when it is not.
    pub fn parse(text: &str) -> Result<Self, InvalidValue> {
        let compact: String =
            text.chars().filter(|c| !matches!(c, ' ' | '-' | '(' | ')' | '.')).collect();
        let Some(digits) = compact.strip_prefix('+') else {
            return Err(invalid("phone number", "is not in E.164: it starts with no plus sign"));
        };
        let plausible = (8..=15).contains(&digits.len())
            && digits.bytes().all(|b| b.is_ascii_digit())
            && !digits.starts_with('0');
        if plausible {
            Ok(Self(compact))
        } else {
            Err(invalid("phone number", "is not in E.164: + and 8 to 15 digits"))
        }
    }

    /// Returns the text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The platform that carries a candidate's call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Provider {
    /// VAPI.
    Vapi,
    /// OpenAI's voice over Twilio's line.
    OpenaiTwilio,
    /// ElevenLabs.
    Elevenlabs,
    /// NVIDIA's voice over Twilio's line.
    NvidiaTwilio,
}

impl Provider {
    /// Every provider there is.
    pub const ALL: [Self; 4] =
        [Self::Vapi, Self::OpenaiTwilio, Self::Elevenlabs, Self::NvidiaTwilio];

    /// Returns the name on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Vapi => "vapi",
            Self::OpenaiTwilio => "openai_twilio",
            Self::Elevenlabs => "elevenlabs",
            Self::NvidiaTwilio => "nvidia_twilio",
        }
    }

    /// Parses the name on the wire.
    ///
    /// # Errors
    /// [`InvalidValue`] when there is no such provider.
    pub fn parse(name: &str) -> Result<Self, InvalidValue> {
        Self::ALL
            .into_iter()
            .find(|provider| provider.as_str() == name)
            .ok_or(invalid("provider", "is none of vapi, openai_twilio, elevenlabs, nvidia_twilio"))
    }
}

/// A duration as platforms report it: seconds, finite, 0 to one week.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Seconds(f64);

impl Seconds {
    /// Parses a number of seconds.
    ///
    /// # Errors
    /// [`InvalidValue`] when it is negative, not finite, or over a week.
    pub fn parse(value: f64) -> Result<Self, InvalidValue> {
        if value.is_finite() && (0.0..=604_800.0).contains(&value) {
            Ok(Self(value))
        } else {
            Err(invalid("duration", "is not between 0 s and a week"))
        }
    }

    /// Returns the number of seconds.
    pub const fn get(self) -> f64 {
        self.0
    }
}

/// A cost in US dollars, finite, 0 to 10,000.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(transparent)]
pub struct CostUsd(f64);

impl CostUsd {
    /// Parses an amount.
    ///
    /// # Errors
    /// [`InvalidValue`] when it is negative, not finite, or over 10,000.
    pub fn parse(value: f64) -> Result<Self, InvalidValue> {
        if value.is_finite() && (0.0..=10_000.0).contains(&value) {
            Ok(Self(value))
        } else {
            Err(invalid("cost", "is not between 0 and 10,000 dollars"))
        }
    }

    /// Returns the amount in dollars.
    pub const fn get(self) -> f64 {
        self.0
    }
}
