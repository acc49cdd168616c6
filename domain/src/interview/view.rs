//! What the row of an interview shows.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::record::Record;
use super::state::{End, Interview, Over, Phase};
use super::status::{AnswerClass, CallStatus, FailureReason, Grade, InterviewOutcome};
use crate::ids::EntityId;
use crate::value::{CallId, Phone, Provider};

/// Every projected value of an interview.
#[derive(Clone, Debug, PartialEq)]
pub struct InterviewView {
    /// The engine's name for the call, once known.
    pub call_id: Option<CallId>,
    /// How far it got.
    pub status: CallStatus,
    /// Who took it.
    pub answered_by: AnswerClass,
    /// What came of it; none while it is not over.
    pub outcome: Option<InterviewOutcome>,
    /// Who carries it.
    pub provider: Option<Provider>,
    /// The number called.
    pub phone: Option<Phone>,
    /// The candidate's name.
    pub candidate_name: Option<String>,
    /// Seconds.
    pub duration: Option<f64>,
    /// US dollars.
    pub cost: Option<f64>,
    /// Where the recording lies.
    pub recording_url: Option<String>,
    /// Why it failed; not shown of a completed one.
    pub failure_reason: Option<FailureReason>,
    /// The application it is for.
    pub application: Option<EntityId>,
    /// The HR user it belongs to.
    pub belongs_to: Option<Uuid>,
    /// The length of the transcript in Unicode scalar values.
    pub transcript_chars: u32,
    /// How many turns are stored.
    pub turns: u32,
    /// When it was first known to be over.
    pub ended_at: Option<DateTime<Utc>>,
    /// When it was deleted; the candidate's data are not shown then, and must not be kept.
    pub deleted_at: Option<DateTime<Utc>>,
}

impl Interview {
    /// Returns what the row shows; none before there is one.
    pub fn view(&self) -> Option<InterviewView> {
        match &self.phase {
            Phase::Absent => None,
            Phase::Dialing(dialing) => {
                Some(InterviewView::of(None, CallStatus::Queued, &Record::of_order(&dialing.order)))
            }
            Phase::Live(live) => Some(InterviewView::of(
                Some(live.call_id.clone()),
                live.status.into(),
                &live.call.record,
            )),
            Phase::Over(over) => Some(over.view()),
            Phase::Deleted(stone) => Some(InterviewView {
                belongs_to: stone.belongs_to,
                deleted_at: Some(stone.at),
                ..InterviewView::of(stone.call_id.clone(), stone.status, &Record::default())
            }),
        }
    }

    /// Whether it was deleted.
    pub const fn is_deleted(&self) -> bool {
        matches!(self.phase, Phase::Deleted(_))
    }

    /// Whether nothing is waited for any more; late reports may still tell something.
    pub fn is_settled(&self) -> bool {
        self.deadline().is_none()
    }
}

impl InterviewView {
    fn of(call_id: Option<CallId>, status: CallStatus, record: &Record) -> Self {
        Self {
            call_id,
            status,
            answered_by: AnswerClass::Unknown,
            outcome: None,
            provider: record.provider,
            phone: record.phone.clone(),
            candidate_name: record.candidate_name.clone(),
            duration: record.duration.map(crate::value::Seconds::get),
            cost: record.cost.map(crate::value::CostUsd::get),
            recording_url: record.recording_url.clone(),
            failure_reason: record.failure_reason,
            application: record.application,
            belongs_to: record.belongs_to,
            transcript_chars: record.transcript_chars(),
            turns: record.turns.map_or(0, |mark| mark.count),
            ended_at: None,
            deleted_at: None,
        }
    }
}

impl Over {
    fn view(&self) -> InterviewView {
        InterviewView {
            answered_by: self.answered_by(),
            outcome: Some(self.outcome()),
            failure_reason: self.failure_reason(),
            ended_at: Some(self.ended_at),
            ..InterviewView::of(self.call_id.clone(), self.end.status(), &self.call.record)
        }
    }

    fn answered_by(&self) -> AnswerClass {
        let record = &self.call.record;
        let spoke = record.turns.is_some_and(|mark| mark.user > 0);
        if record.failure_reason == Some(FailureReason::Voicemail) {
            AnswerClass::Voicemail
        } else if self.end == End::Ended && spoke {
            AnswerClass::Person
        } else {
            AnswerClass::Unknown
        }
    }

    fn outcome(&self) -> InterviewOutcome {
        match (self.end, self.grade()) {
            (End::GivenUp, _) => InterviewOutcome::OutcomeUnknown,
            (End::Cancelled, _) => InterviewOutcome::Cancelled,
            (End::Failed, _) => InterviewOutcome::NotReached(self.call.record.failure_reason),
            (End::Ended, Grade::Real) => InterviewOutcome::Completed,
            (End::Ended, Grade::Pending) => InterviewOutcome::AwaitingTranscript,
            (End::Ended, Grade::Unknown | Grade::Failed | Grade::Short) => {
                InterviewOutcome::TooShort
            }
        }
    }

    /// Returns why it failed: ours where it is ours, else what the engine said.
    pub(super) fn failure_reason(&self) -> Option<FailureReason> {
        match self.end {
            End::GivenUp => Some(FailureReason::OutcomeUnknown),
            End::Cancelled => Some(FailureReason::Cancelled),
            End::Failed => self.call.record.failure_reason,
            End::Ended if self.grade() == Grade::Real => None,
            End::Ended => self.call.record.failure_reason,
        }
    }
}
