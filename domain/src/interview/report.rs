//! What somebody outside says about one call.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::status::{CallStatus, FailureReason};
use super::turns::Turns;
use crate::ids::{EntityId, IntentId};
use crate::value::{CallId, CostUsd, Phone, Provider, Seconds};

/// A webhook, a poll's answer or a row of the sync about one call; everything but the call is optional.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CallReport {
    /// The engine's name for the call.
    pub call_id: CallId,
    /// How far it got; none when the report does not say, or says something nobody knows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<CallStatus>,
    /// Who carries it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider: Option<Provider>,
    /// The number called.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phone: Option<Phone>,
    /// The candidate's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub candidate_name: Option<String>,
    /// How long it lasted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duration: Option<Seconds>,
    /// What it cost.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cost: Option<CostUsd>,
    /// What was said, as one text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub transcript: Option<String>,
    /// Where the recording lies.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recording_url: Option<String>,
    /// The engine's summary.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub summary: Option<String>,
    /// The application it is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub application: Option<EntityId>,
    /// The HR user it belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub belongs_to: Option<Uuid>,
    /// What was said, turn by turn.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub messages: Option<Turns>,
    /// Why it failed; reasons of ours are ignored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure_reason: Option<FailureReason>,
    /// Our intent, echoed from the dial's metadata.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub intent: Option<IntentId>,
    /// When it happened, by the engine's clock; shown, and never used to judge.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub occurred_at: Option<DateTime<Utc>>,
}

impl CallReport {
    /// Returns a report that says nothing yet.
    pub const fn of(call_id: CallId) -> Self {
        Self {
            call_id,
            status: None,
            provider: None,
            phone: None,
            candidate_name: None,
            duration: None,
            cost: None,
            transcript: None,
            recording_url: None,
            summary: None,
            application: None,
            belongs_to: None,
            messages: None,
            failure_reason: None,
            intent: None,
            occurred_at: None,
        }
    }
}
