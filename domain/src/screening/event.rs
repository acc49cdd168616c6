//! What can happen to a screening.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::profile::{ApplicationProfile, CandidateInfo};
use crate::ids::{EntityId, IntentId};
use crate::interview::{FailureReason, Grade, Tally};
use crate::machine::{Attempt, Nudge};
use crate::ports::Analysis;
use crate::value::{CallId, CostUsd, Seconds};

/// How one of an application's interviews ended, as far as it is known.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct InterviewEnd {
    /// Which interview.
    pub interview: EntityId,
    /// The engine's name for the call; none when it was never placed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub call_id: Option<CallId>,
    /// What it is worth.
    pub grade: Grade,
    /// How long it lasted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duration: Option<Seconds>,
    /// The length of the transcript in Unicode scalar values.
    #[serde(default)]
    pub transcript_chars: u32,
    /// Why it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure_reason: Option<FailureReason>,
    /// What it cost so far.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cost: Option<CostUsd>,
    /// Whether the call is one of the application's attempts.
    #[serde(default, skip_serializing_if = "Tally::is_attempt")]
    pub tally: Tally,
}

impl InterviewEnd {
    /// Returns an end of which nothing but the grade is known.
    pub const fn of(interview: EntityId, grade: Grade) -> Self {
        Self {
            interview,
            call_id: None,
            grade,
            duration: None,
            transcript_chars: 0,
            failure_reason: None,
            cost: None,
            tally: Tally::Attempt,
        }
    }
}

/// What the analyzer made of a transcript; its numbers are judged by the machine.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AnalysisResult {
    /// 0 to 100 when it is usable.
    pub communication: f64,
    /// 0 to 100 when it is usable.
    pub technical: f64,
    /// 0 to 100 when it is usable.
    pub overall: f64,
    /// What the candidate said about themselves.
    #[serde(default)]
    pub candidate: CandidateInfo,
    /// What the analysis cost.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cost: Option<CostUsd>,
}

impl From<Analysis> for AnalysisResult {
    fn from(analysis: Analysis) -> Self {
        let Analysis { communication, technical, overall, candidate, cost } = analysis;
        Self { communication, technical, overall, candidate, cost }
    }
}

/// Why an analysis brought nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AnalysisFailure {
    /// The analyzer has no room.
    Throttled,
    /// The analyzer could not be asked, or gave no usable answer.
    Unreachable,
    /// The analyzer refused.
    Refused,
    /// No engine is configured.
    Off,
    /// The transcript is not there.
    NoTranscript,
    /// A score was not between 0 and 100.
    OutOfRange,
    /// It cannot be found out what became of the request.
    Unknown,
}

impl fmt::Display for AnalysisFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Throttled => "the analyzer has no room",
            Self::Unreachable => "the analyzer gave no usable answer",
            Self::Refused => "the analyzer refused",
            Self::Off => "no call engine is configured",
            Self::NoTranscript => "the transcript is not there",
            Self::OutOfRange => "a score is not between 0 and 100",
            Self::Unknown => "it cannot be found out what became of the request",
        })
    }
}

/// What can happen to a screening.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum ScreeningEvent {
    /// The application was imported, or imported again.
    ApplicationImported(Box<ApplicationProfile>),
    /// A call that was ordered has a name.
    DialPlaced {
        /// The interview that is the call.
        interview: EntityId,
        /// The engine's name for it.
        call_id: CallId,
    },
    /// One of the application's interviews ended, or is worth more than it was.
    InterviewEnded(InterviewEnd),
    /// The analyzer scored the transcript.
    Analyzed {
        /// The request.
        intent: IntentId,
        /// What it answered.
        result: Box<AnalysisResult>,
    },
    /// The analyzer did not score the transcript.
    AnalysisFailed {
        /// The request.
        intent: IntentId,
        /// How many seconds it asked us to wait.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        retry_after_s: Option<u32>,
        /// Why.
        why: AnalysisFailure,
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

impl From<Nudge> for ScreeningEvent {
    fn from(nudge: Nudge) -> Self {
        match nudge {
            Nudge::Woke => Self::Woke,
            Nudge::IntentDue { intent, attempt } => Self::IntentDue { intent, attempt },
            Nudge::IntentUnknown { intent } => Self::IntentUnknown { intent },
        }
    }
}
