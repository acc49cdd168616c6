//! What can happen to an interview.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use chrono::{DateTime, Utc};

use super::asked::Asked;
use super::report::CallReport;
use crate::ids::{EntityId, IntentId, RequestMark};
use crate::machine::{Attempt, Nudge};
use crate::policy::Zone;
use crate::value::{CallId, Phone, Provider};

/// An order to ring a candidate.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DialOrder {
    /// The application the call is for, if it is for one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub application: Option<EntityId>,
    /// Whom to ring.
    pub phone: Phone,
    /// Their name.
    pub candidate_name: String,
    /// The job's title.
    pub role: String,
    /// What the agent is told.
    pub system_prompt: String,
    /// The HR user whose call it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub belongs_to: Option<Uuid>,
    /// The callee's time zone.
    pub zone: Zone,
    /// Which of the application's calls this is, from 1; 1 too where nobody counts.
    pub attempt: u32,
    /// Who shall carry it; the engine's choice where nobody says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider: Option<Provider>,
    /// By whom it was asked for.
    #[serde(default, skip_serializing_if = "Asked::is_plain")]
    pub asked: Asked,
}

/// Why a fetch brought nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FetchFailure {
    /// The engine knows no such call, or not yet.
    NotFound,
    /// The engine could not be asked, or gave no usable answer.
    Unreachable,
}

/// What can happen to an interview.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum InterviewEvent {
    /// A webhook or a pull said something about the call.
    Reported(Box<CallReport>),
    /// Another system, which this one replaces, knew the call: this is what it knew.
    Imported(Box<CallReport>),
    /// A call was ordered.
    PlacingAsked(DialOrder),
    /// A request came again that may have led to this call. It changes nothing: how it is refused tells
    /// whether it did.
    AskedAgain {
        /// The request.
        request: RequestMark,
    },
    /// The order was taken back.
    CancelAsked,
    /// The engine took the dial.
    DialAnswered {
        /// The dial.
        intent: IntentId,
        /// The attempt that was answered.
        attempt: Attempt,
        /// The engine's name for the call.
        call_id: CallId,
        /// Who carries it, when it said so.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        provider: Option<Provider>,
    },
    /// The engine refused the dial for good.
    DialRefused {
        /// The dial.
        intent: IntentId,
        /// The attempt that was refused.
        attempt: Attempt,
        /// The engine's code.
        code: String,
    },
    /// The dial provably did not happen, and may be tried later.
    DialPostponed {
        /// The dial.
        intent: IntentId,
        /// The attempt that did not happen.
        attempt: Attempt,
        /// Not before this instant.
        until: DateTime<Utc>,
    },
    /// It is not known whether the dial happened.
    DialUnsure {
        /// The dial.
        intent: IntentId,
        /// The attempt in question.
        attempt: Attempt,
    },
    /// A fetch was answered.
    Fetched {
        /// The fetch.
        intent: IntentId,
        /// What the engine knows.
        report: Box<CallReport>,
    },
    /// A fetch brought nothing.
    FetchFailed {
        /// The fetch.
        intent: IntentId,
        /// Why.
        why: FetchFailure,
    },
    /// Its application became known here, perhaps after the call was over.
    ApplicationImported {
        /// The application.
        application: EntityId,
    },
    /// Somebody deleted it.
    Deleted {
        /// Who, by the subject of their token.
        by: String,
    },
    /// The wake time came.
    Woke,
    /// An intent may be sent now.
    IntentDue {
        /// Which intent.
        intent: IntentId,
        /// The attempt that sending it now would be.
        attempt: Attempt,
    },
    /// What became of a sent intent cannot be found out any more.
    IntentUnknown {
        /// Which intent.
        intent: IntentId,
    },
}

impl From<Nudge> for InterviewEvent {
    fn from(nudge: Nudge) -> Self {
        match nudge {
            Nudge::Woke => Self::Woke,
            Nudge::IntentDue { intent, attempt } => Self::IntentDue { intent, attempt },
            Nudge::IntentUnknown { intent } => Self::IntentUnknown { intent },
        }
    }
}

impl From<CallReport> for InterviewEvent {
    fn from(report: CallReport) -> Self {
        Self::Reported(Box::new(report))
    }
}
