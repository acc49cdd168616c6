mod calls;
mod extra;
mod properties;
mod scoring;
mod world;

use chrono::{DateTime, Utc};

use super::*;
use crate::ids::{EntityId, IntentId};
use crate::interview::{DialOrder, FailureReason, Grade, InterviewEvent};
use crate::machine::{Rejected, Transition};
use crate::policy::{Score, StageWeights, Zone};
use crate::signal::Signal;
use crate::testing::{Bench, Outcome, at};
use crate::value::{CallId, CostUsd, Phone};

type Desk = Bench<Screening>;

impl Outcome for ScreeningEvent {
    fn outcome_of(&self) -> Option<IntentId> {
        match self {
            Self::Analyzed { intent, .. }
            | Self::AnalysisFailed { intent, .. }
            | Self::IntentUnknown { intent } => Some(*intent),
            _ => None,
        }
    }
}

fn application() -> EntityId {
    EntityId(uuid::Uuid::from_u128(77))
}

/// The interview of a call that somebody else placed.
fn outside(number: u128) -> EntityId {
    EntityId(uuid::Uuid::from_u128(1_000 + number))
}

fn ordered(order: u32) -> EntityId {
    EntityId::of_attempt(application(), order)
}

fn call_id(interview: EntityId) -> CallId {
    CallId::parse(&format!("call-{interview}")).unwrap()
}

fn profile() -> ApplicationProfile {
    ApplicationProfile {
        phone: Phone::parse("+919529117230").unwrap(),
        candidate_name: "Asha Rao".into(),
        zone: Zone::default(),
        belongs_to: None,
        job_title: "Backend Engineer".into(),
        job_description: "Rust".into(),
        policy: JobPolicy {
            weights: Some(StageWeights::parse(1.0, 1.0, 2.0).unwrap()),
            threshold: Some(Score::parse(70.0).unwrap()),
        },
        stages: StageScores {
            resume: Some(Score::parse(80.0).unwrap()),
            quiz: Some(Score::parse(60.0).unwrap()),
        },
    }
}

fn end(interview: EntityId, grade: Grade) -> InterviewEnd {
    let failure_reason = (grade == Grade::Failed).then_some(FailureReason::NoAnswer);
    InterviewEnd {
        call_id: Some(call_id(interview)),
        failure_reason,
        ..InterviewEnd::of(interview, grade)
    }
}

fn scored(overall: f64) -> Box<AnalysisResult> {
    Box::new(AnalysisResult {
        communication: 74.0,
        technical: 68.0,
        overall,
        candidate: CandidateInfo { location: Some("Pune".into()), ..CandidateInfo::default() },
        cost: Some(CostUsd::parse(0.0061).unwrap()),
    })
}

/// A screening whose application was just imported.
fn imported() -> Desk {
    let mut desk = Desk::new(application());
    desk.tell(ScreeningEvent::ApplicationImported(Box::new(profile()))).unwrap();
    desk
}

impl Desk {
    fn hear(
        &mut self,
        interview: EntityId,
        grade: Grade,
    ) -> Result<Transition<Screening>, Rejected> {
        self.tell(ScreeningEvent::InterviewEnded(end(interview, grade)))
    }

    fn shown(&self) -> ScreeningView {
        self.machine.view().unwrap()
    }

    fn orders(&self) -> Vec<(EntityId, DialOrder)> {
        let orders = self.signals.iter().filter_map(|signal| match signal {
            Signal::Interview(to, InterviewEvent::PlacingAsked(order)) => {
                Some((*to, order.clone()))
            }
            _ => None,
        });
        orders.collect()
    }

    fn taken_back(&self) -> Vec<EntityId> {
        let asked = self.signals.iter().filter_map(|signal| match signal {
            Signal::Interview(to, InterviewEvent::CancelAsked) => Some(*to),
            _ => None,
        });
        asked.collect()
    }

    /// Sends the open request to the analyzer.
    fn request(&mut self) -> IntentId {
        self.dispatch("analyze").unwrap()
    }

    fn analysis_fails(
        &mut self,
        retry_after_s: Option<u32>,
    ) -> Result<Transition<Screening>, Rejected> {
        let intent = self.request();
        let why = AnalysisFailure::Unreachable;
        self.tell(ScreeningEvent::AnalysisFailed { intent, retry_after_s, why })
    }

    fn wakes_at(&self) -> DateTime<Utc> {
        crate::machine::Machine::wake_at(&self.machine).unwrap()
    }
}
