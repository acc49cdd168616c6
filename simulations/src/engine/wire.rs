//! The engine's JSON: what it is asked, what it answers and what it pushes.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::talk::Turn;

/// The platform a call is placed through.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Provider {
    /// VAPI, also what is taken when nobody chose.
    #[default]
    Vapi,
    /// OpenAI over a Twilio line.
    OpenaiTwilio,
    /// ElevenLabs.
    #[serde(rename = "elevenlabs")]
    ElevenLabs,
    /// NVIDIA over a Twilio line.
    NvidiaTwilio,
}

impl Provider {
    /// Says whether recordings lie at Twilio, which wants a login for them.
    pub const fn records_at_twilio(self) -> bool {
        matches!(self, Self::OpenaiTwilio | Self::NvidiaTwilio)
    }
}

/// How far a call is. It only moves forward; the last two are final.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CallStatus {
    /// Accepted, not dialled yet.
    Queued,
    /// The phone rings.
    Ringing,
    /// Somebody answered.
    InProgress,
    /// Over after a conversation.
    Ended,
    /// Over without one.
    Failed,
}

impl CallStatus {
    /// Says whether nothing can follow.
    pub const fn is_final(self) -> bool {
        matches!(self, Self::Ended | Self::Failed)
    }
}

/// Why there was no conversation with a person.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FailureReason {
    /// It rang until the carrier gave up.
    NoAnswer,
    /// The line was engaged.
    Busy,
    /// The callee declined.
    Rejected,
    /// There is no such number.
    InvalidNumber,
    /// The platform failed before it rang.
    ProviderError,
    /// A machine answered.
    Voicemail,
}

/// The body of `POST /call`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PlaceCall {
    /// Whom to call, in E.164.
    #[serde(default)]
    pub phone_number: String,
    /// What the agent is told.
    #[serde(default)]
    pub system_prompt: String,
    /// The callee's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub candidate_name: Option<String>,
    /// The title of the post.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<String>,
    /// The application the call is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub application_id: Option<Uuid>,
    /// The HR user it belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub belongs_to: Option<Uuid>,
    /// The platform to use instead of the HR user's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider: Option<Provider>,
    /// Given back in everything that is said about the call.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metadata: Option<Metadata>,
    /// Makes a repetition of this request harmless for 24 hours.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub idempotency_key: Option<String>,
}

/// What the caller attached to a call.
pub type Metadata = BTreeMap<String, String>;

/// The answer to an accepted `POST /call`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Accepted {
    /// The engine's name for the call.
    pub call_id: String,
    /// Always `queued`: nothing was dialled yet.
    pub status: CallStatus,
    /// The platform that was chosen.
    pub provider: Provider,
}

/// One row of `GET /calls`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CallRow {
    /// The engine's name for the call.
    pub call_id: String,
    /// How far it is.
    pub status: CallStatus,
    /// The platform it runs on.
    pub provider: Provider,
    /// Who was called.
    pub phone_number: String,
    /// The callee's name.
    pub candidate_name: String,
    /// What the caller attached.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metadata: Option<Metadata>,
    /// When it was accepted.
    pub created_at: DateTime<Utc>,
    /// When it last changed.
    pub updated_at: DateTime<Utc>,
}

/// A page of `GET /calls`, newest first.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CallPage {
    /// The rows.
    pub calls: Vec<CallRow>,
    /// Where the next page begins; absent on the last one.
    pub next_cursor: Option<String>,
}

/// All there is to say about a call: a webhook's body and the answer to `GET /call/{callId}`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CallBody {
    /// The state change this tells of; a repetition has the same.
    pub event_id: String,
    /// When that change happened.
    pub occurred_at: DateTime<Utc>,
    /// Which attempt at delivery this is, from 1; absent in answers to pulls.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attempt: Option<u32>,
    /// The engine's name for the call.
    pub call_id: String,
    /// How far it is.
    pub status: CallStatus,
    /// The platform it runs on.
    pub provider: Provider,
    /// Who was called.
    pub phone_number: String,
    /// The callee's name.
    pub candidate_name: String,
    /// How long they talked, in seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duration: Option<f64>,
    /// What it cost, in US dollars.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cost: Option<f64>,
    /// What was said, one turn a line.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub transcript: Option<String>,
    /// Where the recording is, or will be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recording_url: Option<String>,
    /// What it came to, in a sentence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub summary: Option<String>,
    /// Why there was no conversation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure_reason: Option<FailureReason>,
    /// The application the call is about.
    pub application_id: Option<Uuid>,
    /// The HR user it belongs to.
    pub belongs_to: Option<Uuid>,
    /// The turns, blank and tool turns included.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub messages: Option<Vec<Turn>>,
    /// What the caller attached.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metadata: Option<Metadata>,
}

/// The body of `POST /api/v1/screening/analyze-call`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AnalyzeCall {
    /// What was said.
    #[serde(default)]
    pub transcript: String,
    /// The call it was said in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub call_id: Option<String>,
    /// The application the call was about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub application_id: Option<Uuid>,
}

/// The answer to an analysis.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Analysis {
    /// From 0 to 100, unless a fault says otherwise.
    pub communication_score: i32,
    /// From 0 to 100, unless a fault says otherwise.
    pub technical_score: i32,
    /// The mean of the other two.
    pub overall_score: i32,
    /// What the candidate said about themselves.
    pub candidate_info: CandidateInfo,
    /// What it came to, in a sentence.
    pub summary: String,
    /// What spoke for the candidate.
    pub strengths: Vec<String>,
    /// What spoke against.
    pub concerns: Vec<String>,
    /// What the analysis used up.
    pub usage: Usage,
}

/// What the analyzer read out of a conversation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CandidateInfo {
    /// The present yearly package.
    pub current_ctc: String,
    /// The package hoped for.
    pub expected_ctc: String,
    /// How long until the candidate could start.
    pub notice_period_days: u32,
    /// Where the candidate lives.
    pub location: String,
    /// For how long the candidate has worked.
    pub years_of_experience: u32,
}

/// What an analysis used up.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Usage {
    /// Tokens read.
    pub prompt_tokens: u64,
    /// Tokens written.
    pub completion_tokens: u64,
    /// The price of both, in US dollars.
    pub cost_usd: f64,
}
