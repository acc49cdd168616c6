//! How a screening judges what happens to it.

use chrono::{DateTime, Utc};

use super::event::{AnalysisFailure, ScreeningEvent as E};
use super::fact::{Document, Effect, Fact, Final, FinalVerdict};
use super::profile::ApplicationProfile;
use super::state::{Calling, Known, RequestStage, Screening, Stage, Standing};
use crate::ids::{EntityId, Kind};
use crate::interview::{Asked, DialOrder, InterviewEvent};
use crate::machine::{Decision, IntentMove, Machine, Rejected};
use crate::policy::{CallingWindow, Score, Stages, weighted_mean};
use crate::prompt::BUILT_IN;
use crate::signal::Signal;
use crate::value::CallId;

pub(super) type Decided = Result<Decision<Screening>, Rejected>;

impl Machine for Screening {
    const KIND: Kind = Kind::Screening;
    const SCHEMA: u16 = 2;
    type Event = E;
    type Fact = Fact;
    type Effect = Effect;
    type Document = Document;

    fn absent(id: EntityId) -> Self {
        Self { id, standing: Standing::Absent }
    }

    fn decide(&self, event: &E, now: DateTime<Utc>) -> Decided {
        let known = match (&self.standing, event) {
            (Standing::Absent, E::ApplicationImported(profile)) => {
                return Ok(Decision::of(Fact::Imported { profile: profile.clone() }));
            }
            (Standing::Absent, _) => return Err(Rejected::Absent),
            (Standing::Known(known), _) => known,
        };
        match event {
            E::ApplicationImported(profile) => known.import(profile),
            E::DialPlaced { interview, call_id } => known.placed(*interview, call_id, now),
            E::InterviewEnded(end) => self.ended(known, end, now),
            E::Analyzed { intent, result } => self.analyzed(known, *intent, result, now),
            E::AnalysisFailed { intent, retry_after_s, why } => {
                self.analysis_failed(known, *intent, *retry_after_s, *why, now)
            }
            E::Woke => self.woke(known, now),
            E::IntentDue { intent, attempt } => self.analysis_due(known, *intent, *attempt, now),
            E::IntentUnknown { intent } => {
                self.analysis_failed(known, *intent, None, AnalysisFailure::Unknown, now)
            }
        }
    }

    fn evolve(&mut self, fact: &Fact) {
        self.fold(fact);
    }

    fn wake_at(&self) -> Option<DateTime<Utc>> {
        self.deadline()
    }
}

impl Screening {
    fn woke(&self, known: &Known, now: DateTime<Utc>) -> Decided {
        if self.deadline().is_none_or(|deadline| now < deadline) {
            return Err(Rejected::Stale);
        }
        match &known.stage {
            Stage::Calling(calling) => {
                let call_id = calling.call_id.clone();
                Ok(Decision::of(Fact::CallUnknown { call_id, at: now }))
            }
            Stage::RetryWaiting { attempt, .. } => Ok(self.ring(known, *attempt, now)),
            Stage::Analyzing(analyzing) => {
                let mut decision = Decision::of(Fact::ScoringUnknown { at: now });
                if analyzing.request == RequestStage::Planned {
                    let intent = self.request_id(known.requests);
                    decision.intents.push(IntentMove::Cancel { intent });
                }
                Ok(decision)
            }
            Stage::AwaitingCall
            | Stage::Scored { .. }
            | Stage::Exhausted { .. }
            | Stage::CallUnknown { .. }
            | Stage::ScoringUnknown { .. } => Err(Rejected::Stale),
        }
    }

    /// Orders the call that is due, or moves it to the callee's next morning.
    fn ring(&self, known: &Known, attempt: u32, now: DateTime<Utc>) -> Decision<Self> {
        let window = CallingWindow::of(known.profile.zone);
        if !window.contains(now) {
            return Decision::of(Fact::RetryMoved { due: window.next_open(now) });
        }
        let order = known.orders.saturating_add(1);
        let interview = EntityId::of_attempt(self.id, order);
        let asked = InterviewEvent::PlacingAsked(known.dial_order(self.id, attempt));
        let mut decision = Decision::of(Fact::CallOrdered { attempt, order, interview, at: now });
        decision.signals.push(Signal::Interview(interview, asked));
        decision
    }
}

impl Known {
    /// Takes a new or better profile, until the final score stands.
    fn import(&self, profile: &ApplicationProfile) -> Decided {
        if *profile == self.profile {
            return Err(Rejected::NothingNew);
        }
        match &self.stage {
            Stage::Scored { .. } | Stage::Exhausted { .. } => Err(Rejected::OutOfPhase),
            Stage::AwaitingCall
            | Stage::Calling(_)
            | Stage::RetryWaiting { .. }
            | Stage::Analyzing(_)
            | Stage::CallUnknown { .. }
            | Stage::ScoringUnknown { .. } => {
                Ok(Decision::of(Fact::Imported { profile: Box::new(profile.clone()) }))
            }
        }
    }

    fn placed(&self, interview: EntityId, call_id: &CallId, now: DateTime<Utc>) -> Decided {
        match &self.stage {
            Stage::Calling(Calling { interview: current, call_id: Some(known), .. })
                if *current == interview && known == call_id =>
            {
                Err(Rejected::NothingNew)
            }
            Stage::Calling(Calling { interview: current, call_id: None, .. })
                if *current == interview =>
            {
                let call_id = call_id.clone();
                Ok(Decision::of(Fact::CallPlaced { interview, call_id, at: now }))
            }
            _ => Err(Rejected::OutOfPhase),
        }
    }

    fn dial_order(&self, application: EntityId, attempt: u32) -> DialOrder {
        DialOrder {
            application: Some(application),
            phone: self.profile.phone.clone(),
            candidate_name: self.profile.candidate_name.clone(),
            role: self.profile.job_title.clone(),
            system_prompt: BUILT_IN.to_owned(),
            belongs_to: self.profile.belongs_to,
            zone: self.profile.zone,
            attempt,
            provider: None,
            asked: Asked::default(),
        }
    }

    /// Returns the final score and what it means, with `call` as the score of the call.
    pub(super) fn result(&self, call: Score) -> Final {
        let stages = self.profile.stages;
        let stages = Stages { resume: stages.resume, quiz: stages.quiz, call: Some(call) };
        let weights = self.profile.policy.weights.unwrap_or_default();
        let score = weighted_mean(stages, weights).unwrap_or(call);
        let verdict = match self.profile.policy.threshold {
            Some(threshold) if score >= threshold => FinalVerdict::Shortlisted,
            Some(_) => FinalVerdict::Rejected,
            None => FinalVerdict::ScoringComplete,
        };
        Final { score, verdict }
    }
}
