//! What was decided about a screening, and what is owed because of it.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::event::{AnalysisFailure, InterviewEnd};
use super::profile::{ApplicationProfile, CandidateInfo};
use crate::ids::EntityId;
use crate::interview::FailureReason;
use crate::machine::Named;
use crate::policy::Score;
use crate::value::{CallId, CostUsd};

/// Why a call counts as an attempt that came to nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Shortfall {
    /// It ended without enough to score.
    TooShort,
    /// There was no conversation, for this reason if one was given.
    Failed(Option<FailureReason>),
}

impl Shortfall {
    /// Returns the name on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::TooShort => "too_short",
            Self::Failed(None) => "failed",
            Self::Failed(Some(reason)) => reason.as_str(),
        }
    }
}

/// The three scores of a call.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct CallScores {
    /// How they speak.
    pub communication: Score,
    /// What they know.
    pub technical: Score,
    /// Both; the one that counts.
    pub overall: Score,
}

/// What the final score means for the candidate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FinalVerdict {
    /// At or above the threshold.
    Shortlisted,
    /// Below the threshold.
    Rejected,
    /// There is no threshold.
    ScoringComplete,
}

/// The end of a screening.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Final {
    /// The weighted mean of all stages.
    pub score: Score,
    /// What it means.
    pub verdict: FinalVerdict,
}

/// What was decided about a screening.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Fact {
    /// The application is known, or known better.
    Imported {
        /// What is known.
        profile: Box<ApplicationProfile>,
    },
    /// The ordered call has a name.
    CallPlaced {
        /// The interview that is the call.
        interview: EntityId,
        /// The engine's name for it.
        call_id: CallId,
        /// When.
        at: DateTime<Utc>,
    },
    /// An interview ended, or is worth more than it was.
    CallHeard {
        /// How.
        end: InterviewEnd,
    },
    /// Another call is due.
    RetryPlanned {
        /// Which attempt it will be, from 1.
        attempt: u32,
        /// When.
        due: DateTime<Utc>,
        /// Why.
        reason: Shortfall,
    },
    /// The call that was due waits for the callee's morning.
    RetryMoved {
        /// When it is due now.
        due: DateTime<Utc>,
    },
    /// A call was ordered.
    CallOrdered {
        /// Which attempt it is, from 1.
        attempt: u32,
        /// Which of this application's orders it is, from 1.
        order: u32,
        /// The interview that will be the call.
        interview: EntityId,
        /// When.
        at: DateTime<Utc>,
    },
    /// What was said in an interview is still to come; no other call is made meanwhile.
    CallAwaited {
        /// Which interview.
        interview: EntityId,
        /// The engine's name for the call.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        call_id: Option<CallId>,
        /// When.
        at: DateTime<Utc>,
    },
    /// An interview is to be scored.
    AnalysisPlanned {
        /// Which interview.
        interview: EntityId,
        /// The engine's name for the call.
        call_id: CallId,
        /// When.
        at: DateTime<Utc>,
    },
    /// A request to the analyzer goes out.
    AnalysisSent {
        /// Which request.
        request: u32,
    },
    /// A request to the analyzer brought nothing; the next one follows.
    AnalysisMissed {
        /// Which request.
        request: u32,
        /// Why.
        why: AnalysisFailure,
        /// When the next one is due.
        due: DateTime<Utc>,
        /// When.
        at: DateTime<Utc>,
    },
    /// The interview was scored.
    Scored {
        /// Its scores.
        scores: CallScores,
        /// What the candidate said about themselves.
        candidate: CandidateInfo,
        /// What follows.
        result: Final,
        /// When.
        at: DateTime<Utc>,
    },
    /// All attempts came to nothing: the call counts 0.
    Exhausted {
        /// Why.
        reason: Shortfall,
        /// The last call, when it was placed.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        call_id: Option<CallId>,
        /// What follows.
        result: Final,
        /// When.
        at: DateTime<Utc>,
    },
    /// It cannot be found out what became of the call; nobody is rung again without being asked for.
    CallUnknown {
        /// The call, when it was placed.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        call_id: Option<CallId>,
        /// When.
        at: DateTime<Utc>,
    },
    /// The analyzer was away for too long.
    ScoringUnknown {
        /// When.
        at: DateTime<Utc>,
    },
}

impl Named for Fact {
    fn name(&self) -> &'static str {
        match self {
            Self::Imported { .. } => "imported",
            Self::CallPlaced { .. } => "call_placed",
            Self::CallHeard { .. } => "call_heard",
            Self::RetryPlanned { .. } => "retry_planned",
            Self::RetryMoved { .. } => "retry_moved",
            Self::CallOrdered { .. } => "call_ordered",
            Self::CallAwaited { .. } => "call_awaited",
            Self::AnalysisPlanned { .. } => "analysis_planned",
            Self::AnalysisSent { .. } => "analysis_sent",
            Self::AnalysisMissed { .. } => "analysis_missed",
            Self::Scored { .. } => "scored",
            Self::Exhausted { .. } => "exhausted",
            Self::CallUnknown { .. } => "call_unknown",
            Self::ScoringUnknown { .. } => "scoring_unknown",
        }
    }
}

/// What a screening owes to the outside.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Effect {
    /// Have the transcript of an interview scored.
    Analyze {
        /// Which interview; its transcript lies in its row.
        interview: EntityId,
        /// The engine's name for the call.
        call_id: CallId,
        /// The application.
        application: EntityId,
        /// The job's title.
        job_title: String,
        /// The job's description.
        job_description: String,
    },
}

/// What a screening hands to its repository beside its state.
#[derive(Clone, Debug, PartialEq)]
pub enum Document {
    /// A row of the ledger: what the analysis of a call cost.
    AnalysisCost {
        /// The engine's name for the call.
        call_id: CallId,
        /// What it cost.
        cost: CostUsd,
    },
}
