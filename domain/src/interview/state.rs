//! Where an interview stands.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::asked::Asked;
use super::fact::Ordered;
use super::fetch::{Fetch, FetchStage};
use super::record::{Origin, Record};
use super::status::{CallStatus, Grade};
use crate::ids::{EntityId, IntentId};
use crate::machine::Attempt;
use crate::value::CallId;

/// One candidate voice interview.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Interview {
    pub(super) id: EntityId,
    pub(super) phase: Phase,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "name", rename_all = "snake_case")]
pub(super) enum Phase {
    Absent,
    Dialing(Dialing),
    Live(Live),
    Over(Over),
    Deleted(Tombstone),
}

/// We owe the dial, or sent it; the engine has not named the call yet.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Dialing {
    pub order: Ordered,
    pub dial: Dial,
    pub ordered_at: DateTime<Utc>,
}

/// Where the dial is. From the first attempt whose fate is unknown on it is in doubt for good.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "stage", rename_all = "snake_case")]
pub(super) enum Dial {
    /// Nothing was sent, or `attempt` attempts were and provably did not happen.
    Planned { attempt: Attempt },
    /// On its way for the first time.
    Sending { attempt: Attempt, first_at: DateTime<Utc> },
    /// An attempt was not answered as agreed.
    Unsure { attempt: Attempt, first_at: DateTime<Utc> },
    /// In doubt, and on its way again under the same key.
    Resending { attempt: Attempt, first_at: DateTime<Utc> },
    /// In doubt, and waiting to be sent again under the same key.
    Deferred { attempt: Attempt, first_at: DateTime<Utc> },
}

/// What is known about a call that the engine has named, or that is over.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Call {
    #[serde(default, skip_serializing_if = "Origin::is_heard")]
    pub origin: Origin,
    #[serde(default, skip_serializing_if = "Asked::is_plain")]
    pub asked: Asked,
    pub record: Record,
    #[serde(default, skip_serializing_if = "Fetch::is_unused")]
    pub fetch: Fetch,
}

/// The call is under way, as far as anybody said.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Live {
    pub call_id: CallId,
    pub status: LiveStatus,
    pub since: DateTime<Utc>,
    pub silence: Silence,
    pub call: Call,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum LiveStatus {
    Queued,
    Ringing,
    InProgress,
}

/// Whether the status is older than it may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Silence {
    /// Not yet.
    Fine,
    /// Since then; so many questions brought nothing.
    Overdue { since: DateTime<Utc>, misses: u32 },
}

/// The call is over.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Over {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub call_id: Option<CallId>,
    pub end: End,
    pub ended_at: DateTime<Utc>,
    pub watch: Watch,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub told: Option<Grade>,
    pub call: Call,
}

/// How it came to be over; the order is the rank, and the rank never falls.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum End {
    /// Nobody could say what became of it.
    GivenUp,
    /// It was never sent.
    Cancelled,
    /// The engine said that it failed, or refused it.
    Failed,
    /// The engine said that it ended.
    Ended,
}

/// Whether something that could make an ended call a real one is still waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Watch {
    /// No.
    Settled,
    /// Often, and its screening waits too.
    Awaiting { since: DateTime<Utc>, misses: u32 },
    /// Now and then; its screening was told without.
    Late { since: DateTime<Utc> },
}

/// What is left of a deleted one; nothing about the candidate.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Tombstone {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub call_id: Option<CallId>,
    pub status: CallStatus,
    /// Whose it was: they have to hear that it is gone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub belongs_to: Option<Uuid>,
    pub at: DateTime<Utc>,
}

impl Interview {
    /// Returns its id.
    pub const fn id(&self) -> EntityId {
        self.id
    }

    /// Returns the id of the dial; one interview is dialled once.
    pub(super) fn dial_id(&self) -> IntentId {
        IntentId::derived(self.id, "dial", 1)
    }

    pub(super) fn fetch_id(&self, ordinal: u32) -> IntentId {
        IntentId::derived(self.id, "fetch_call", ordinal)
    }

    /// Makes what a delete needs of an interview whose checkpoint cannot be read: what its row shows.
    ///
    /// It counts as told to its screening, which ends by its own deadline where it still waits.
    pub fn remnant(
        id: EntityId,
        call_id: Option<CallId>,
        status: CallStatus,
        at: DateTime<Utc>,
    ) -> Self {
        let end = End::reported(status).unwrap_or(End::GivenUp);
        let (watch, told, call) = (Watch::Settled, Some(Grade::Unknown), Call::default());
        Self { id, phase: Phase::Over(Over { call_id, end, ended_at: at, watch, told, call }) }
    }

    /// Returns the engine's name for the call, once known.
    pub fn call_id(&self) -> Option<&CallId> {
        match &self.phase {
            Phase::Absent | Phase::Dialing(_) => None,
            Phase::Live(live) => Some(&live.call_id),
            Phase::Over(over) => over.call_id.as_ref(),
            Phase::Deleted(stone) => stone.call_id.as_ref(),
        }
    }

    /// Returns how far the call got; none before it was first heard of.
    pub fn status(&self) -> Option<CallStatus> {
        match &self.phase {
            Phase::Absent => None,
            Phase::Dialing(_) => Some(CallStatus::Queued),
            Phase::Live(live) => Some(live.status.into()),
            Phase::Over(over) => Some(over.end.status()),
            Phase::Deleted(stone) => Some(stone.status),
        }
    }

    /// Returns the HR user it belongs to, once known.
    pub(super) fn belongs_to(&self) -> Option<Uuid> {
        match &self.phase {
            Phase::Absent => None,
            Phase::Dialing(dialing) => dialing.order.belongs_to,
            Phase::Live(live) => live.call.record.belongs_to,
            Phase::Over(over) => over.call.record.belongs_to,
            Phase::Deleted(stone) => stone.belongs_to,
        }
    }

    /// Returns by whom it was asked for; nobody's, where a report began it or it was deleted.
    pub(super) fn asked_by(&self) -> Asked {
        match &self.phase {
            Phase::Dialing(dialing) => dialing.order.asked,
            Phase::Live(_) | Phase::Over(_) | Phase::Absent | Phase::Deleted(_) => {
                self.call().map_or_else(Asked::default, |call| call.asked)
            }
        }
    }

    pub(super) fn call(&self) -> Option<&Call> {
        match &self.phase {
            Phase::Live(live) => Some(&live.call),
            Phase::Over(over) => Some(&over.call),
            Phase::Absent | Phase::Dialing(_) | Phase::Deleted(_) => None,
        }
    }

    pub(super) fn fetch(&self) -> Fetch {
        self.call().map_or_else(Fetch::default, |call| call.fetch)
    }
}

impl Dialing {
    /// Whether the intent waits in the table, where it can be cancelled.
    pub const fn is_waiting(&self) -> bool {
        matches!(self.dial, Dial::Planned { .. } | Dial::Deferred { .. })
    }
}

impl Dial {
    /// Returns the last attempt that was sent; 0 before the first.
    pub const fn attempt(self) -> Attempt {
        match self {
            Self::Planned { attempt }
            | Self::Sending { attempt, .. }
            | Self::Unsure { attempt, .. }
            | Self::Resending { attempt, .. }
            | Self::Deferred { attempt, .. } => attempt,
        }
    }
}

impl From<LiveStatus> for CallStatus {
    fn from(status: LiveStatus) -> Self {
        match status {
            LiveStatus::Queued => Self::Queued,
            LiveStatus::Ringing => Self::Ringing,
            LiveStatus::InProgress => Self::InProgress,
        }
    }
}

impl Over {
    /// Whether something that could make it real is missing altogether.
    pub fn is_pending(&self) -> bool {
        self.end == End::Ended && self.call.record.grade_ended() == Grade::Pending
    }

    /// Returns what it is worth to its screening now.
    pub fn grade(&self) -> Grade {
        match (self.end, self.watch) {
            (End::GivenUp, _) => Grade::Unknown,
            (End::Cancelled | End::Failed, _) => Grade::Failed,
            (End::Ended, Watch::Late { .. } | Watch::Settled) if self.is_pending() => Grade::Short,
            (End::Ended, _) => self.call.record.grade_ended(),
        }
    }
}

impl End {
    pub const fn status(self) -> CallStatus {
        match self {
            Self::GivenUp | Self::Cancelled | Self::Failed => CallStatus::Failed,
            Self::Ended => CallStatus::Ended,
        }
    }
}

impl FetchStage {
    /// Returns when it is due, while it is owed.
    pub const fn due(self) -> Option<DateTime<Utc>> {
        match self {
            Self::Planned(due) => Some(due),
            Self::Idle | Self::Sent => None,
        }
    }
}
