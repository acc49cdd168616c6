//! What was decided about an interview, and what is owed because of it.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::asked::Asked;
use super::event::{DialOrder, FetchFailure};
use super::record::Record;
use super::status::{CallStatus, FailureReason};
use super::turns::Turns;
use crate::ids::EntityId;
use crate::machine::{Attempt, Named};
use crate::policy::Zone;
use crate::value::{CallId, Phone, Provider};

/// What an interview keeps of the order to dial.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Ordered {
    /// The application the call is for, if it is for one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub application: Option<EntityId>,
    /// Whom to ring.
    pub phone: Phone,
    /// Their name.
    pub candidate_name: String,
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

impl From<&DialOrder> for Ordered {
    fn from(order: &DialOrder) -> Self {
        Self {
            application: order.application,
            phone: order.phone.clone(),
            candidate_name: order.candidate_name.clone(),
            belongs_to: order.belongs_to,
            zone: order.zone,
            attempt: order.attempt,
            provider: order.provider,
            asked: order.asked,
        }
    }
}

/// What a report changed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Reported {
    /// The call.
    pub call_id: CallId,
    /// The status it has now.
    pub status: CallStatus,
    /// The status it had before, when the report moved it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<CallStatus>,
    /// What is known now and was not before.
    pub news: Record,
    /// The fetch it answers, by number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fetch: Option<u32>,
    /// When it happened, by the engine's clock.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub occurred_at: Option<DateTime<Utc>>,
    /// When it was decided.
    pub at: DateTime<Utc>,
}

/// What was decided about an interview.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Fact {
    /// A report moved it or told something new.
    Reported(Box<Reported>),
    /// It was taken over from the system that this one replaces.
    Imported(Box<Reported>),
    /// A dial is owed.
    DialPlanned {
        /// The order.
        order: Ordered,
        /// When.
        at: DateTime<Utc>,
    },
    /// The dial goes out.
    DialSent {
        /// Which attempt.
        attempt: Attempt,
        /// When.
        at: DateTime<Utc>,
    },
    /// The dial waits; nothing was sent, or the engine proved that nothing happened.
    DialPostponed {
        /// Until when.
        until: DateTime<Utc>,
    },
    /// The dial was sent, and nobody knows whether it happened.
    DialUnsure {
        /// Which attempt.
        attempt: Attempt,
    },
    /// The engine took the dial.
    DialPlaced {
        /// The engine's name for the call.
        call_id: CallId,
        /// Who carries it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        provider: Option<Provider>,
        /// When.
        at: DateTime<Utc>,
    },
    /// The engine refused the dial for good.
    DialRefused {
        /// The engine's code.
        code: String,
        /// What that means.
        reason: FailureReason,
        /// When.
        at: DateTime<Utc>,
    },
    /// The dial was taken back, or nobody could send it in time.
    DialCancelled {
        /// When.
        at: DateTime<Utc>,
    },
    /// Nothing was heard for too long: the engine is asked.
    Overdue {
        /// When.
        at: DateTime<Utc>,
    },
    /// A fetch goes out.
    FetchSent {
        /// Which one.
        fetch: u32,
    },
    /// A fetch brought nothing new.
    FetchMissed {
        /// Which one.
        fetch: u32,
        /// Why, when it brought no report at all.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        why: Option<FetchFailure>,
        /// When.
        at: DateTime<Utc>,
    },
    /// The transcript did not come in time.
    TranscriptMissed {
        /// When.
        at: DateTime<Utc>,
    },
    /// The transcript is waited for no longer.
    WatchEnded {
        /// When.
        at: DateTime<Utc>,
    },
    /// It cannot be found out what became of the call.
    GivenUp {
        /// When.
        at: DateTime<Utc>,
    },
    /// Its screening, which did not exist when it ended, was told of the end.
    ToldAgain {
        /// When.
        at: DateTime<Utc>,
    },
    /// It was deleted. Whatever the log said before may be erased, so this says all that is left.
    Deleted {
        /// By whom.
        by: String,
        /// The engine's name for the call, once known.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        call_id: Option<CallId>,
        /// How far it got.
        status: CallStatus,
        /// The HR user whose call it was.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        belongs_to: Option<Uuid>,
        /// When.
        at: DateTime<Utc>,
    },
    /// What stood here was erased with the interview.
    Erased,
}

impl Named for Fact {
    fn name(&self) -> &'static str {
        match self {
            Self::Reported(_) => "reported",
            Self::Imported(_) => "imported",
            Self::DialPlanned { .. } => "dial_planned",
            Self::DialSent { .. } => "dial_sent",
            Self::DialPostponed { .. } => "dial_postponed",
            Self::DialUnsure { .. } => "dial_unsure",
            Self::DialPlaced { .. } => "dial_placed",
            Self::DialRefused { .. } => "dial_refused",
            Self::DialCancelled { .. } => "dial_cancelled",
            Self::Overdue { .. } => "overdue",
            Self::FetchSent { .. } => "fetch_sent",
            Self::FetchMissed { .. } => "fetch_missed",
            Self::TranscriptMissed { .. } => "transcript_missed",
            Self::WatchEnded { .. } => "watch_ended",
            Self::GivenUp { .. } => "given_up",
            Self::ToldAgain { .. } => "told_again",
            Self::Deleted { .. } => "deleted",
            Self::Erased => "erased",
        }
    }
}

/// What an interview owes to the outside.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Effect {
    /// Ring the candidate.
    Dial(DialOrder),
    /// Ask the engine what it knows about the call.
    FetchCall {
        /// The call.
        call_id: CallId,
    },
}

/// What lives in the interview's row beside its state.
#[derive(Clone, Debug, PartialEq)]
pub enum Document {
    /// What was said, as one text.
    Transcript(String),
    /// What was said, turn by turn; replaces the stored turns whole.
    Turns(Turns),
    /// The engine's summary.
    Summary(String),
}
