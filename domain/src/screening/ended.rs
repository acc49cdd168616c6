//! What the end of an interview means for its application.

use chrono::{DateTime, Utc};

use super::decide::Decided;
use super::event::InterviewEnd;
use super::fact::{Effect, Fact, Shortfall};
use super::state::{Calling, Known, ORDERS_MAX, Screening, Stage, was_never_sent};
use crate::ids::EntityId;
use crate::interview::{Grade, InterviewEvent, Tally};
use crate::machine::{Decision, IntentMove, NewIntent, OperationClass, Reach, Rejected};
use crate::policy::{ATTEMPTS_MAX, CallingWindow, Score, retry_due};
use crate::signal::Signal;
use crate::value::CallId;

impl Screening {
    pub(super) fn ended(&self, known: &Known, end: &InterviewEnd, now: DateTime<Utc>) -> Decided {
        if end.tally == Tally::Extra && end.grade != Grade::Real {
            return Err(Rejected::NothingNew); // It is nobody's attempt, and there is nothing to score.
        }
        let before = known.heard(end.interview);
        if before >= Some(end.grade) && !known.stage.may_hear_again(end) {
            return Err(Rejected::Duplicate);
        }
        match (&known.stage, end.grade) {
            (Stage::Analyzing(_) | Stage::Scored { .. }, _) => Err(Rejected::OutOfPhase),
            (_, Grade::Real) => self.real(known, end, now),
            (Stage::Exhausted { .. } | Stage::ScoringUnknown { .. }, _) => {
                Err(Rejected::OutOfPhase)
            }
            (_, Grade::Pending) => known.pending(end, now),
            (_, Grade::Unknown) => known.unknown(end, now),
            (Stage::CallUnknown { .. }, Grade::Failed | Grade::Short) => known.too_late(end, now),
            (
                Stage::AwaitingCall | Stage::Calling(_) | Stage::RetryWaiting { .. },
                Grade::Failed | Grade::Short,
            ) => known.came_to_nothing(end, now),
        }
    }

    /// An interview that can be scored ends the search for one, wherever it stands.
    fn real(&self, known: &Known, end: &InterviewEnd, now: DateTime<Utc>) -> Decided {
        let call_id = end.call_id.clone().ok_or(Rejected::OutOfPhase)?;
        let interview = end.interview;
        let effect = self.analysis(known, interview, &call_id);
        let plan = self.analysis_intent(known.requests + 1, effect, now);
        let mut decision = heard(end);
        decision.facts.push(Fact::AnalysisPlanned { interview, call_id, at: now });
        decision.intents.push(IntentMove::Plan(plan));
        decision.signals = known.take_back(interview);
        Ok(decision)
    }

    pub(super) fn analysis(&self, known: &Known, interview: EntityId, call_id: &CallId) -> Effect {
        Effect::Analyze {
            interview,
            call_id: call_id.clone(),
            application: self.id,
            job_title: known.profile.job_title.clone(),
            job_description: known.profile.job_description.clone(),
        }
    }

    pub(super) fn analysis_intent(
        &self,
        ordinal: u32,
        effect: Effect,
        due: DateTime<Utc>,
    ) -> NewIntent<Effect> {
        NewIntent {
            id: self.request_id(ordinal),
            operation: "analyze",
            class: OperationClass::Idempotent,
            reach: Reach::Silent,
            callee: None,
            effect,
            due,
        }
    }
}

impl Stage {
    /// Whether the same good news may be told twice: after the analyzer was away for too long.
    fn may_hear_again(&self, end: &InterviewEnd) -> bool {
        matches!(self, Self::ScoringUnknown { .. }) && end.grade == Grade::Real
    }

    fn is_calling(&self, interview: EntityId) -> bool {
        matches!(self, Self::Calling(calling) if calling.interview == interview)
    }
}

impl Known {
    /// Asks the interview that was ordered, and not placed yet, to be taken back in favour of another.
    fn take_back(&self, in_favour_of: EntityId) -> Vec<Signal> {
        match &self.stage {
            Stage::Calling(Calling { interview, call_id: None, .. })
                if *interview != in_favour_of =>
            {
                vec![Signal::Interview(*interview, InterviewEvent::CancelAsked)]
            }
            _ => Vec::new(),
        }
    }

    /// What was said is still to come. A planned retry is dropped; an order is asked to be taken back,
    /// and its own end decides what follows, because it may be too late for that.
    fn pending(&self, end: &InterviewEnd, now: DateTime<Utc>) -> Decided {
        if self.heard(end.interview).is_none() {
            return Err(Rejected::NothingNew);
        }
        let (interview, call_id) = (end.interview, end.call_id.clone());
        let mut decision = heard(end);
        decision.signals = self.take_back(interview);
        if matches!(self.stage, Stage::RetryWaiting { .. }) {
            decision.facts.push(Fact::CallAwaited { interview, call_id, at: now });
        }
        Ok(decision)
    }

    /// Nobody knows: nobody is rung again.
    fn unknown(&self, end: &InterviewEnd, now: DateTime<Utc>) -> Decided {
        let another = match &self.stage {
            _ if self.has_unknown() => return Err(Rejected::NothingNew),
            Stage::AwaitingCall | Stage::RetryWaiting { .. } => false,
            Stage::Calling(current) => current.interview != end.interview,
            _ => return Err(Rejected::NothingNew),
        };
        let mut decision = heard(end);
        if !another {
            decision.facts.push(Fact::CallUnknown { call_id: end.call_id.clone(), at: now });
        }
        Ok(decision)
    }

    /// A call whose outcome was given up came to nothing after all; it only counts.
    fn too_late(&self, end: &InterviewEnd, now: DateTime<Utc>) -> Decided {
        self.may_count(end)?;
        let mut next = self.clone();
        next.hear(end);
        let mut decision = heard(end);
        if next.counted() >= ATTEMPTS_MAX && !next.has_unknown() {
            decision.facts.push(next.exhausted(end, now));
        }
        Ok(decision)
    }

    fn came_to_nothing(&self, end: &InterviewEnd, now: DateTime<Utc>) -> Decided {
        let current = self.stage.is_calling(end.interview);
        if was_never_sent(end) {
            // The pipeline's first call too: nobody else would ring any more.
            return if current || matches!(self.stage, Stage::AwaitingCall) {
                Ok(Decision::of(self.follow(end, now)))
            } else {
                Err(Rejected::NothingNew)
            };
        }
        self.may_count(end)?;
        let mut next = self.clone();
        next.hear(end);
        let mut decision = heard(end);
        match &self.stage {
            Stage::Calling(_) if !current => {} // Another call is under way: its end decides.
            Stage::RetryWaiting { attempt, due, .. } if next.counted() == self.counted() => {
                let reason = Shortfall::of(end);
                decision.facts.push(Fact::RetryPlanned { attempt: *attempt, due: *due, reason });
            }
            Stage::AwaitingCall | Stage::Calling(_) | Stage::RetryWaiting { .. } => {
                decision.facts.push(next.follow(end, now));
            }
            _ => return Err(Rejected::OutOfPhase),
        }
        Ok(decision)
    }

    /// Refuses calls beyond what counts, so that the list of calls stays short.
    fn may_count(&self, end: &InterviewEnd) -> Result<(), Rejected> {
        let new = self.heard(end.interview).is_none() && !self.stage.is_calling(end.interview);
        if new && self.counted() >= ATTEMPTS_MAX { Err(Rejected::NothingNew) } else { Ok(()) }
    }

    /// Returns what follows once no call is under way and none was real.
    fn follow(&self, end: &InterviewEnd, now: DateTime<Utc>) -> Fact {
        let awaited = self.calls.iter().find(|call| call.grade == Grade::Pending);
        if let Some(call) = awaited.filter(|call| call.interview != end.interview) {
            return Fact::CallAwaited { interview: call.interview, call_id: None, at: now };
        }
        let unknown = Fact::CallUnknown { call_id: end.call_id.clone(), at: now };
        if self.has_unknown() {
            return unknown;
        }
        let window = CallingWindow::of(self.profile.zone);
        match retry_due(self.counted(), window, now) {
            Some(due) if self.orders < ORDERS_MAX => {
                let attempt = self.counted() + 1;
                Fact::RetryPlanned { attempt, due, reason: Shortfall::of(end) }
            }
            Some(_) => unknown,
            None => self.exhausted(end, now),
        }
    }

    fn exhausted(&self, end: &InterviewEnd, now: DateTime<Utc>) -> Fact {
        Fact::Exhausted {
            reason: Shortfall::of(end),
            call_id: end.call_id.clone(),
            result: self.result(Score::ZERO),
            at: now,
        }
    }
}

fn heard(end: &InterviewEnd) -> Decision<Screening> {
    Decision::of(Fact::CallHeard { end: end.clone() })
}
