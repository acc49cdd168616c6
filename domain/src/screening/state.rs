//! Where a screening stands.

use chrono::{DateTime, Duration, Utc};
use serde::{Deserialize, Serialize};

use super::event::InterviewEnd;
use super::fact::{CallScores, Final, Shortfall};
use super::profile::{ApplicationProfile, CandidateInfo};
use crate::ids::{EntityId, IntentId};
use crate::interview::{FailureReason, Grade};
use crate::value::CallId;

/// Hours an ordered or awaited call may be silent before its outcome is unknown to us. Source: ours; longer
/// than an interview may take to give up by itself: 24 h planned, 20 h in doubt, and 27 h as a call.
pub const CALLING_HOURS_MAX: i64 = 72;

/// Hours after its first failure for which an analysis is tried again. Source: the issue.
pub const ANALYSIS_HOURS_MAX: i64 = 24;

/// Seconds to wait after the first failed analysis; doubles with each further one. Source: ours.
pub const ANALYSIS_RETRY_MIN_S: i64 = 30;

/// The longest wait between two tries, in seconds, where the analyzer asks for no longer one. Source: ours.
pub const ANALYSIS_RETRY_MAX_S: i64 = 1_800;

/// Seconds a request to the analyzer may take to leave us. Source: ours; its answer may take 60 s.
pub const ANALYSIS_SEND_TIMEOUT_S: i64 = 30;

/// How many calls one application may order, those included that were taken back or never sent.
/// Source: ours; it bounds what a switched-off engine can cause.
pub const ORDERS_MAX: u32 = 6;

/// The screening of one job application.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Screening {
    pub(super) id: EntityId,
    pub(super) standing: Standing,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "name", rename_all = "snake_case")]
pub(super) enum Standing {
    Absent,
    Known(Box<Known>),
}

/// An application that was imported.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Known {
    pub profile: ApplicationProfile,
    /// Its calls that ended, by the order in which they were first heard of.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub calls: Vec<Heard>,
    /// How many calls were ordered.
    #[serde(default)]
    pub orders: u32,
    /// How many requests went to the analyzer, the open one included.
    #[serde(default)]
    pub requests: u32,
    pub stage: Stage,
}

/// What was last heard of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Heard {
    pub interview: EntityId,
    pub grade: Grade,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "name", rename_all = "snake_case")]
pub(super) enum Stage {
    /// No call has ended yet, and none was ordered by us.
    AwaitingCall,
    /// A call was ordered, or what was said in one is awaited.
    Calling(Calling),
    /// The next call is due.
    RetryWaiting { attempt: u32, due: DateTime<Utc>, reason: Shortfall },
    /// A call is being scored.
    Analyzing(Analyzing),
    /// It was scored.
    Scored {
        call_id: CallId,
        scores: CallScores,
        candidate: CandidateInfo,
        result: Final,
        at: DateTime<Utc>,
    },
    /// All attempts came to nothing.
    Exhausted {
        reason: Shortfall,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        call_id: Option<CallId>,
        result: Final,
        at: DateTime<Utc>,
    },
    /// Nobody knows what became of a call.
    CallUnknown {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        call_id: Option<CallId>,
        at: DateTime<Utc>,
    },
    /// The analyzer was away for too long.
    ScoringUnknown { interview: EntityId, call_id: CallId, first: u32, at: DateTime<Utc> },
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Calling {
    pub attempt: u32,
    pub interview: EntityId,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub call_id: Option<CallId>,
    pub since: DateTime<Utc>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Analyzing {
    pub interview: EntityId,
    pub call_id: CallId,
    /// The first request about this call; the open one is the screening's last.
    pub first: u32,
    pub request: RequestStage,
    pub trouble: Trouble,
    pub since: DateTime<Utc>,
}

/// Where the open request to the analyzer is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum RequestStage {
    Planned,
    Sent,
}

/// Since when the analyzer fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Trouble {
    None,
    Since(DateTime<Utc>),
}

impl Screening {
    pub(super) fn request_id(&self, ordinal: u32) -> IntentId {
        IntentId::derived(self.id, "analyze", ordinal)
    }

    pub(super) fn deadline(&self) -> Option<DateTime<Utc>> {
        match &self.standing {
            Standing::Absent => None,
            Standing::Known(known) => known.stage.deadline(),
        }
    }
}

impl Stage {
    fn deadline(&self) -> Option<DateTime<Utc>> {
        match self {
            Self::Calling(calling) => Some(calling.since + Duration::hours(CALLING_HOURS_MAX)),
            Self::RetryWaiting { due, .. } => Some(*due),
            Self::Analyzing(analyzing) => Some(analyzing.deadline()),
            Self::AwaitingCall
            | Self::Scored { .. }
            | Self::Exhausted { .. }
            | Self::CallUnknown { .. }
            | Self::ScoringUnknown { .. } => None,
        }
    }
}

impl Analyzing {
    fn deadline(&self) -> DateTime<Utc> {
        let since = match self.trouble {
            Trouble::None => self.since,
            Trouble::Since(first) => first,
        };
        since + Duration::hours(ANALYSIS_HOURS_MAX)
    }
}

impl Known {
    /// Returns what was last heard of an interview.
    pub fn heard(&self, interview: EntityId) -> Option<Grade> {
        self.calls.iter().find(|call| call.interview == interview).map(|call| call.grade)
    }

    pub fn hear(&mut self, end: &InterviewEnd) {
        let heard = Heard { interview: end.interview, grade: end.grade };
        match self.calls.iter_mut().find(|call| call.interview == end.interview) {
            Some(call) => *call = heard,
            None => self.calls.push(heard),
        }
    }

    /// Returns how many calls count as attempts that came to nothing.
    pub fn counted(&self) -> u32 {
        let counts = |call: &&Heard| matches!(call.grade, Grade::Failed | Grade::Short);
        u32::try_from(self.calls.iter().filter(counts).count()).unwrap_or(u32::MAX)
    }

    /// Whether the outcome of some call is unknown.
    pub fn has_unknown(&self) -> bool {
        self.calls.iter().any(|call| call.grade == Grade::Unknown)
    }
}

impl Shortfall {
    pub(super) fn of(end: &InterviewEnd) -> Self {
        if end.grade == Grade::Short { Self::TooShort } else { Self::Failed(end.failure_reason) }
    }
}

/// Whether an interview never took place because its order was taken back or could not be sent.
pub(super) fn was_never_sent(end: &InterviewEnd) -> bool {
    end.grade == Grade::Failed && end.failure_reason == Some(FailureReason::Cancelled)
}
