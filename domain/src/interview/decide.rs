//! How an interview judges what happens to it.

use chrono::{DateTime, Utc};

use super::event::InterviewEvent as E;
use super::fact::{Document, Effect, Fact};
use super::fetch::FetchStage;
use super::record::Origin;
use super::state::{End, Interview, Over, Phase};
use super::status::Grade;
use crate::ids::{EntityId, Kind};
use crate::machine::{
    Alias, Decision, IntentMove, Machine, NewIntent, OperationClass, Reach, Rejected,
};
use crate::screening::{InterviewEnd, ScreeningEvent};
use crate::signal::Signal;
use crate::value::MR_HIRE;

pub(super) type Decided = Result<Decision<Interview>, Rejected>;

impl Machine for Interview {
    const KIND: Kind = Kind::Interview;
    const SCHEMA: u16 = 2;
    type Event = E;
    type Fact = Fact;
    type Effect = Effect;
    type Document = Document;

    fn absent(id: EntityId) -> Self {
        Self { id, phase: Phase::Absent }
    }

    fn decide(&self, event: &E, now: DateTime<Utc>) -> Decided {
        if matches!(self.phase, Phase::Deleted(_)) {
            return Err(Rejected::Deleted);
        }
        let decision = match event {
            E::Reported(report) => self.hear(report, None, now),
            E::Imported(report) => self.import(report, now),
            E::PlacingAsked(order) => self.place(order, now),
            E::AskedAgain { request } => Err(self.asked_again(*request)),
            E::CancelAsked => self.cancel(now),
            E::DialAnswered { intent, call_id, provider, .. } => {
                self.dial_answered(*intent, call_id, *provider, now)
            }
            E::DialRefused { intent, attempt, code } => {
                self.dial_refused(*intent, *attempt, code, now)
            }
            E::DialPostponed { intent, attempt, until } => {
                self.dial_postponed(*intent, *attempt, *until)
            }
            E::DialUnsure { intent, attempt } => self.dial_unsure(*intent, *attempt),
            E::Fetched { intent, report } => self.fetched(*intent, report, now),
            E::FetchFailed { intent, why } => self.fetch_failed(*intent, *why, now),
            E::ApplicationImported { application } => self.tell_again(*application, now),
            E::Deleted { by } => self.delete(by, now),
            E::Woke => self.woke(now),
            E::IntentDue { intent, attempt } if *intent == self.dial_id() => {
                self.dial_due(*attempt, now)
            }
            E::IntentDue { intent, attempt } => self.fetch_due(*intent, *attempt, now),
            E::IntentUnknown { intent } if *intent == self.dial_id() => self.dial_unknown(now),
            E::IntentUnknown { intent } => self.fetch_unknown(*intent, now),
        }?;
        Ok(self.complete(decision))
    }

    fn evolve(&mut self, fact: &Fact) {
        self.fold(fact);
    }

    fn wake_at(&self) -> Option<DateTime<Utc>> {
        self.deadline()
    }

    fn is_erased(&self) -> bool {
        self.is_deleted()
    }
}

impl Interview {
    /// Adds what follows from the move itself, whatever caused it: questions that became wanted or
    /// unwanted, a dial that is owed no longer, a name learnt, a screening to be told.
    fn complete(&self, mut decision: Decision<Self>) -> Decision<Self> {
        let mut next = self.clone();
        for fact in &decision.facts {
            next.fold(fact);
        }
        self.drop_dial(&next, &mut decision);
        self.move_fetch(&next, &mut decision);
        self.tell_placed(&next, &mut decision);
        self.tell_ended(&next, &mut decision);
        self.release_callee(&next, &mut decision);
        decision
    }

    fn drop_dial(&self, next: &Self, decision: &mut Decision<Self>) {
        let Phase::Dialing(dialing) = &self.phase else { return };
        if matches!(next.phase, Phase::Dialing(_)) {
            return;
        }
        let intent = self.dial_id();
        decision.intents.push(if dialing.is_waiting() {
            IntentMove::Cancel { intent }
        } else {
            // Whatever told us of the call settles the dial too, and its answer need not come any more.
            IntentMove::Close { intent }
        });
    }

    fn move_fetch(&self, next: &Self, decision: &mut Decision<Self>) {
        let (before, after) = (self.fetch(), next.fetch());
        let gone = before.ordinal != after.ordinal || after.stage == FetchStage::Idle;
        if before.stage.due().is_some() && gone {
            decision.intents.push(IntentMove::Cancel { intent: self.fetch_id(before.ordinal) });
        }
        let (Some(due), Some(call_id)) = (after.stage.due(), next.call_id()) else { return };
        if after.ordinal != before.ordinal {
            decision.intents.push(IntentMove::Plan(NewIntent {
                id: self.fetch_id(after.ordinal),
                operation: "fetch_call",
                class: OperationClass::Idempotent,
                reach: Reach::Silent,
                callee: None,
                effect: Effect::FetchCall { call_id: call_id.clone() },
                due,
            }));
        }
    }

    /// The end was told to a screening that did not exist yet. Before the end there is nothing to tell,
    /// and the end will find it.
    fn tell_again(&self, application: EntityId, now: DateTime<Utc>) -> Decided {
        match &self.phase {
            Phase::Absent => Err(Rejected::Absent),
            Phase::Over(over) if over.call.record.application == Some(application) => {
                let grade = over.told.ok_or(Rejected::NothingNew)?;
                let ended = ScreeningEvent::InterviewEnded(over.told_as(self.id, grade));
                let signals = vec![Signal::Screening(application, ended)];
                Ok(Decision { signals, ..Decision::of(Fact::ToldAgain { at: now }) })
            }
            Phase::Dialing(_) | Phase::Live(_) | Phase::Over(_) => Err(Rejected::NothingNew),
            Phase::Deleted(_) => Err(Rejected::Deleted),
        }
    }

    /// A call that we dialled is over: its callee may be rung again.
    fn release_callee(&self, next: &Self, decision: &mut Decision<Self>) {
        let is_over = |phase: &Phase| match phase {
            Phase::Over(over) => {
                over.call.origin == Origin::Ordered && matches!(over.end, End::Failed | End::Ended)
            }
            Phase::Absent | Phase::Dialing(_) | Phase::Live(_) | Phase::Deleted(_) => false,
        };
        if is_over(&next.phase) && !is_over(&self.phase) {
            decision.intents.push(IntentMove::Release { intent: self.dial_id() });
        }
    }

    /// A call that we ordered has a name now.
    fn tell_placed(&self, next: &Self, decision: &mut Decision<Self>) {
        let known = !matches!(self.phase, Phase::Absent) && self.call_id().is_none();
        let (true, Some(call_id), Some(call)) = (known, next.call_id(), next.call()) else {
            return;
        };
        decision.aliases.push(Alias { source: MR_HIRE, external: call_id.as_str().to_owned() });
        if let Some(application) = call.record.application {
            let placed =
                ScreeningEvent::DialPlaced { interview: self.id, call_id: call_id.clone() };
            decision.signals.push(Signal::Screening(application, placed));
        }
    }

    fn tell_ended(&self, next: &Self, decision: &mut Decision<Self>) {
        let Phase::Over(over) = &next.phase else { return };
        let (Some(grade), Some(application)) = (over.told, over.call.record.application) else {
            return;
        };
        let told_before = match &self.phase {
            Phase::Over(before) => {
                before.told == over.told && before.call.record.application == Some(application)
            }
            Phase::Absent | Phase::Dialing(_) | Phase::Live(_) | Phase::Deleted(_) => false,
        };
        if !told_before {
            let ended = ScreeningEvent::InterviewEnded(over.told_as(self.id, grade));
            decision.signals.push(Signal::Screening(application, ended));
        }
    }
}

impl Over {
    fn told_as(&self, interview: EntityId, grade: Grade) -> InterviewEnd {
        let record = &self.call.record;
        InterviewEnd {
            interview,
            call_id: self.call_id.clone(),
            grade,
            duration: record.duration,
            transcript_chars: record.transcript_chars(),
            failure_reason: self.failure_reason(),
            cost: record.cost,
            tally: self.call.asked.tally,
        }
    }
}
