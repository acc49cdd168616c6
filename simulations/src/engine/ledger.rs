//! What the engine did and saw, for whoever checks the other side against it.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::profile::Outcome;
use super::wire::{CallStatus, Metadata, Provider};
use crate::clock::Moment;

/// Everything since the start or the last reset.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Ledger {
    /// The seed in force.
    pub seed: u64,
    /// Simulated seconds per real second.
    pub speed: f64,
    /// When this was written.
    pub at: Moment,
    /// Sums over what follows.
    pub totals: Totals,
    /// Every `POST /call`, oldest first.
    pub requests: Vec<DialRequest>,
    /// Every call, oldest first.
    pub calls: Vec<CallEntry>,
    /// Every `POST /api/v1/screening/analyze-call`, oldest first.
    pub analyses: Vec<AnalyzeRequest>,
    /// Every `POST /call-provider/refresh`, oldest first.
    pub refreshes: Vec<RefreshRequest>,
}

/// Sums over a [`Ledger`].
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Totals {
    /// Calls that were begun.
    pub calls: u64,
    /// Calls whose line is still taken.
    pub live: u64,
    /// Calls whose last state is reached, the final transcript included.
    pub finished: u64,
    /// Calls with a webhook still to be sent, retries included.
    pub unsettled: u64,
    /// First calls that are scheduled and not begun yet.
    pub scheduled: u64,
    /// Deliveries attempted.
    pub webhooks_sent: u64,
    /// Deliveries answered 2xx.
    pub webhooks_acknowledged: u64,
    /// Webhooks lost by a fault.
    pub webhooks_lost: u64,
    /// Webhooks given up.
    pub webhooks_abandoned: u64,
    /// Requests for an analysis.
    pub analyses: u64,
}

/// Who asked for a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Origin {
    /// The engine itself, as the world says.
    World,
    /// A `POST /call`.
    Request,
}

/// One `POST /call`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DialRequest {
    /// When it came in.
    pub at: Moment,
    /// Its key, where it was readable and had one.
    pub idempotency_key: Option<String>,
    /// Whom it wanted called.
    pub phone_number: Option<String>,
    /// What it was about.
    pub application_id: Option<Uuid>,
    /// What it attached.
    pub metadata: Option<Metadata>,
    /// What became of it.
    pub answer: DialAnswer,
}

/// What became of a `POST /call`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase", tag = "kind")]
pub enum DialAnswer {
    /// A call was begun and the caller told.
    Accepted {
        /// The new call.
        call_id: String,
    },
    /// The key was known: the caller was told of the earlier call.
    Replayed {
        /// The earlier call.
        call_id: String,
    },
    /// A call was begun, the answer held back for ever.
    Unanswered {
        /// The new call.
        call_id: String,
    },
    /// A call was begun, the caller was told that it failed.
    Denied {
        /// The new call.
        call_id: String,
    },
    /// No call was begun.
    Refused {
        /// The HTTP status.
        status: u16,
        /// The error's code.
        code: String,
    },
}

impl DialAnswer {
    /// Returns the call that this request began, if it did.
    pub fn began(&self) -> Option<&str> {
        match self {
            Self::Accepted { call_id }
            | Self::Unanswered { call_id }
            | Self::Denied { call_id } => Some(call_id),
            Self::Replayed { .. } | Self::Refused { .. } => None,
        }
    }

    /// Says whether the caller was told what became of the request.
    pub const fn was_told(&self) -> bool {
        !matches!(self, Self::Unanswered { .. } | Self::Denied { .. })
    }
}

/// One call, with the truth about it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CallEntry {
    /// Its number, from 0.
    pub number: u64,
    /// Its id.
    pub call_id: String,
    /// Who asked for it.
    pub origin: Origin,
    /// The application it was for.
    pub application_id: Option<Uuid>,
    /// Which call of that application it was, from 1.
    pub attempt: u32,
    /// Who was called.
    pub phone_number: String,
    /// The callee's name.
    pub candidate_name: String,
    /// The platform.
    pub provider: Provider,
    /// The key it was asked for with.
    pub idempotency_key: Option<String>,
    /// When it was accepted.
    pub created_at: Moment,
    /// When the phone began to ring, if it has.
    pub rang_at: Option<Moment>,
    /// Its status at the time of writing.
    pub status: CallStatus,
    /// Its last status, once the last state is reached.
    pub final_status: Option<CallStatus>,
    /// How it comes out, known from the start.
    pub outcome: Outcome,
    /// Seconds of conversation.
    pub duration_s: f64,
    /// Characters of the final transcript.
    pub transcript_chars: usize,
    /// Turns, blank and tool turns included.
    pub turns: usize,
    /// Turns that are not blank.
    pub turns_not_blank: usize,
    /// What was told of it.
    pub webhooks: WebhookTally,
    /// Every delivery that was answered 2xx, oldest first.
    pub acknowledged: Vec<Acknowledgement>,
    /// Whether it was told of without the metadata it was placed with.
    #[serde(default)]
    pub metadata_forgotten: bool,
}

/// Counts of a call's webhooks.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct WebhookTally {
    /// How many there are, lost ones and duplicates included.
    pub planned: u32,
    /// How many were lost by a fault.
    pub lost: u32,
    /// How often one was sent, retries included.
    pub sent: u32,
    /// How often one was answered 2xx.
    pub acknowledged: u32,
    /// How many were refused for good (a 4xx that is not retried).
    pub refused: u32,
    /// How many were given up after the last attempt.
    pub abandoned: u32,
    /// When one was last answered 2xx.
    pub last_acknowledged_at: Option<Moment>,
}

impl WebhookTally {
    /// Returns how many webhooks are still to come.
    pub const fn open(&self) -> u32 {
        let settled = self.lost + self.acknowledged + self.refused + self.abandoned;
        self.planned.saturating_sub(settled)
    }
}

/// A delivery that was answered 2xx.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Acknowledgement {
    /// The event.
    pub event_id: String,
    /// The status it told of.
    pub status: CallStatus,
    /// The state's instant, simulated.
    pub occurred_at: DateTime<Utc>,
    /// The attempt that got through.
    pub attempt: u32,
    /// When the answer came.
    pub at: Moment,
}

/// One request for an analysis.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AnalyzeRequest {
    /// When it came in.
    pub at: Moment,
    /// The call it named.
    pub call_id: Option<String>,
    /// The application it named.
    pub application_id: Option<Uuid>,
    /// Characters of the transcript.
    pub transcript_chars: usize,
    /// The HTTP status it was answered with; 504 also where the answer was held back.
    pub status: u16,
    /// The overall score, where there was one.
    pub overall_score: Option<i32>,
}

/// One request to read an HR user's configuration again.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RefreshRequest {
    /// When it came in.
    pub at: Moment,
    /// The user.
    pub user_id: Option<String>,
    /// The HTTP status it was answered with.
    pub status: u16,
}
