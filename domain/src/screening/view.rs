//! What the row of a screening shows.

use chrono::{DateTime, Utc};

use super::fact::FinalVerdict;
use super::profile::CandidateInfo;
use super::state::{Known, Screening, Stage, Standing};
use crate::policy::Score;
use crate::value::CallId;

/// Where an application's calls stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CallState {
    /// No call has ended yet.
    AwaitingCall,
    /// A call is under way.
    Calling,
    /// The next call is due later.
    RetryScheduled,
    /// A call is being scored.
    Analyzing,
    /// A call was scored.
    Completed,
    /// All attempts came to nothing.
    Exhausted,
    /// It cannot be found out.
    Unknown,
}

impl CallState {
    /// Returns the name on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::AwaitingCall => "awaiting_call",
            Self::Calling => "calling",
            Self::RetryScheduled => "retry_scheduled",
            Self::Analyzing => "analyzing",
            Self::Completed => "completed",
            Self::Exhausted => "exhausted",
            Self::Unknown => "unknown",
        }
    }
}

/// Where a screening stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ScreeningStatus {
    /// Something is still to come.
    InProgress,
    /// At or above the threshold.
    Shortlisted,
    /// Below the threshold.
    Rejected,
    /// Scored, without a threshold.
    ScoringComplete,
    /// The analyzer was away for too long.
    ScoringUnknown,
    /// It cannot be found out what became of a call.
    OutcomeUnknown,
}

impl ScreeningStatus {
    /// Returns the name on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::InProgress => "in_progress",
            Self::Shortlisted => "shortlisted",
            Self::Rejected => "rejected",
            Self::ScoringComplete => "scoring_complete",
            Self::ScoringUnknown => "scoring_unknown",
            Self::OutcomeUnknown => "outcome_unknown",
        }
    }
}

impl From<FinalVerdict> for ScreeningStatus {
    fn from(verdict: FinalVerdict) -> Self {
        match verdict {
            FinalVerdict::Shortlisted => Self::Shortlisted,
            FinalVerdict::Rejected => Self::Rejected,
            FinalVerdict::ScoringComplete => Self::ScoringComplete,
        }
    }
}

/// Every projected value of a screening.
#[derive(Clone, Debug, PartialEq)]
pub struct ScreeningView {
    /// Where it stands.
    pub status: ScreeningStatus,
    /// Where its calls stand.
    pub call_status: CallState,
    /// How many calls were made, the one under way included.
    pub attempts: u32,
    /// The engine's name for the current call; none while a retry waits.
    pub call_id: Option<CallId>,
    /// When the current call's result was decided; none while a retry waits.
    pub call_processed_at: Option<DateTime<Utc>>,
    /// When the next call is due.
    pub next_attempt_at: Option<DateTime<Utc>>,
    /// The resume's score.
    pub resume_score: Option<f64>,
    /// The quiz's score.
    pub quiz_score: Option<f64>,
    /// How they speak.
    pub communication_score: Option<f64>,
    /// What they know.
    pub technical_score: Option<f64>,
    /// The call's score: the analysis' overall one, or 0 when all attempts came to nothing.
    pub call_score: Option<f64>,
    /// The weighted mean of all stages.
    pub final_score: Option<f64>,
    /// Why the last call came to nothing.
    pub failure_reason: Option<&'static str>,
    /// What the candidate said about themselves.
    pub candidate: Option<CandidateInfo>,
}

impl Screening {
    /// Returns what the row shows; none before there is one.
    pub fn view(&self) -> Option<ScreeningView> {
        match &self.standing {
            Standing::Absent => None,
            Standing::Known(known) => Some(known.view()),
        }
    }

    /// Whether nothing is waited for any more.
    pub fn is_settled(&self) -> bool {
        self.deadline().is_none()
    }
}

impl Known {
    fn view(&self) -> ScreeningView {
        let counted = self.counted();
        let base = ScreeningView {
            status: ScreeningStatus::InProgress,
            call_status: CallState::AwaitingCall,
            attempts: counted,
            call_id: None,
            call_processed_at: None,
            next_attempt_at: None,
            resume_score: self.profile.stages.resume.map(Score::get),
            quiz_score: self.profile.stages.quiz.map(Score::get),
            communication_score: None,
            technical_score: None,
            call_score: None,
            final_score: None,
            failure_reason: None,
            candidate: None,
        };
        match &self.stage {
            Stage::AwaitingCall => base,
            Stage::Calling(calling) => ScreeningView {
                call_status: CallState::Calling,
                attempts: calling.attempt,
                call_id: calling.call_id.clone(),
                ..base
            },
            Stage::RetryWaiting { due, reason, .. } => ScreeningView {
                call_status: CallState::RetryScheduled,
                next_attempt_at: Some(*due),
                failure_reason: Some(reason.as_str()),
                ..base
            },
            Stage::Analyzing(analyzing) => ScreeningView {
                call_status: CallState::Analyzing,
                attempts: counted + 1,
                call_id: Some(analyzing.call_id.clone()),
                ..base
            },
            Stage::Scored { .. } | Stage::Exhausted { .. } => self.final_view(base),
            Stage::CallUnknown { call_id, .. } => ScreeningView {
                call_id: call_id.clone(),
                status: ScreeningStatus::OutcomeUnknown,
                call_status: CallState::Unknown,
                attempts: counted + 1,
                failure_reason: Some("outcome-unknown"),
                ..base
            },
            Stage::ScoringUnknown { call_id, .. } => ScreeningView {
                status: ScreeningStatus::ScoringUnknown,
                call_status: CallState::Unknown,
                attempts: counted + 1,
                call_id: Some(call_id.clone()),
                ..base
            },
        }
    }

    /// Fills in what only the end knows; any other stage shows what it showed.
    fn final_view(&self, base: ScreeningView) -> ScreeningView {
        match &self.stage {
            Stage::Scored { call_id, scores, candidate, result, at } => ScreeningView {
                status: result.verdict.into(),
                call_status: CallState::Completed,
                attempts: base.attempts + 1,
                call_id: Some(call_id.clone()),
                call_processed_at: Some(*at),
                communication_score: Some(scores.communication.get()),
                technical_score: Some(scores.technical.get()),
                call_score: Some(scores.overall.get()),
                final_score: Some(result.score.get()),
                candidate: Some(candidate.clone()),
                ..base
            },
            Stage::Exhausted { reason, call_id, result, at } => ScreeningView {
                call_id: call_id.clone(),
                status: result.verdict.into(),
                call_status: CallState::Exhausted,
                call_processed_at: Some(*at),
                call_score: Some(0.0),
                final_score: Some(result.score.get()),
                failure_reason: Some(reason.as_str()),
                ..base
            },
            _ => base,
        }
    }
}
