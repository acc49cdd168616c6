//! The dial: ordered once, sent inside the callee's window only, never in doubt for ever.

use chrono::{DateTime, Duration, Utc};

use super::decide::Decided;
use super::event::DialOrder;
use super::fact::{Effect, Fact, Ordered};
use super::report::CallReport;
use super::state::{Dial, Dialing, Interview, Phase};
use super::status::{CallStatus, FailureReason};
use super::timing::DIAL_SEND_TIMEOUT_S;
use crate::ids::{IntentId, RequestMark};
use crate::machine::{
    Attempt, Claim, Decision, IntentMove, NewIntent, OperationClass, Reach, Rejected,
};
use crate::policy::{CallingWindow, held_until};
use crate::value::{CallId, Provider};

impl Interview {
    pub(super) fn place(&self, order: &DialOrder, now: DateTime<Utc>) -> Decided {
        if !matches!(self.phase, Phase::Absent) {
            let repeated = |request| self.asked_again(request);
            return Err(order.asked.request.map_or(Rejected::OutOfPhase, repeated));
        }
        let plan = IntentMove::Plan(NewIntent {
            id: self.dial_id(),
            operation: "dial",
            class: OperationClass::Searchable,
            reach: Reach::Rings,
            callee: Some(order.phone.clone()),
            effect: Effect::Dial(order.clone()),
            due: CallingWindow::of(order.zone).next_open(now),
        });
        let fact = Fact::DialPlanned { order: Ordered::from(order), at: now };
        Ok(Decision { intents: vec![plan], ..Decision::of(fact) })
    }

    /// Says what a request is that asks for this interview: nobody's yet, the one that led to it, or
    /// another one.
    pub(super) fn asked_again(&self, request: RequestMark) -> Rejected {
        match &self.phase {
            Phase::Absent => Rejected::Absent,
            Phase::Deleted(_) => Rejected::Deleted,
            Phase::Dialing(_) | Phase::Live(_) | Phase::Over(_)
                if self.asked_by().request == Some(request) =>
            {
                Rejected::Duplicate
            }
            Phase::Dialing(_) | Phase::Live(_) | Phase::Over(_) => Rejected::OtherRequest,
        }
    }

    /// Takes the order back; possible only while the dial waits, and so provably did not happen.
    pub(super) fn cancel(&self, now: DateTime<Utc>) -> Decided {
        match &self.phase {
            Phase::Dialing(dialing) if dialing.is_waiting() => {
                Ok(Decision::of(Fact::DialCancelled { at: now }))
            }
            Phase::Absent => Err(Rejected::Absent),
            Phase::Dialing(_) | Phase::Live(_) | Phase::Over(_) => Err(Rejected::OutOfPhase),
            Phase::Deleted(_) => Err(Rejected::Deleted),
        }
    }

    /// Judges at the moment of sending whether the phone may ring.
    pub(super) fn dial_due(&self, attempt: Attempt, now: DateTime<Utc>) -> Decided {
        let dialing = self.dialing()?;
        if attempt <= dialing.dial.attempt() {
            return Err(Rejected::Stale);
        }
        if now >= dialing.deadline() {
            return self.woke(now); // Too late for this order, whoever noticed it first.
        }
        let intent = self.dial_id();
        // The phone may ring as late as the request may leave.
        let not_after = now + Duration::seconds(DIAL_SEND_TIMEOUT_S);
        let (step, fact) = match CallingWindow::of(dialing.order.zone).judge(now, not_after) {
            Ok(verdict) => {
                let claim = Claim::Callee { until: held_until(not_after), verdict };
                let step = IntentMove::Send { intent, attempt, not_after, claim };
                (step, Fact::DialSent { attempt, at: now })
            }
            Err(until) => {
                (IntentMove::Postpone { intent, due: until }, Fact::DialPostponed { until })
            }
        };
        Ok(Decision { intents: vec![step], ..Decision::of(fact) })
    }

    /// An answer is evidence of a call, whichever attempt it answers.
    pub(super) fn dial_answered(
        &self,
        intent: IntentId,
        call_id: &CallId,
        provider: Option<Provider>,
        now: DateTime<Utc>,
    ) -> Decided {
        if intent != self.dial_id() {
            return Err(Rejected::Stale);
        }
        match &self.phase {
            Phase::Absent => Err(Rejected::Absent),
            Phase::Dialing(_) => Ok(placed(call_id, provider, now)),
            Phase::Over(over) if over.call_id.is_none() => Ok(placed(call_id, provider, now)),
            Phase::Live(_) | Phase::Over(_) => {
                let status = Some(CallStatus::Queued);
                self.hear(
                    &CallReport { status, provider, ..CallReport::of(call_id.clone()) },
                    None,
                    now,
                )
            }
            Phase::Deleted(_) => Err(Rejected::Deleted),
        }
    }

    pub(super) fn dial_refused(
        &self,
        intent: IntentId,
        attempt: Attempt,
        code: &str,
        now: DateTime<Utc>,
    ) -> Decided {
        self.sending(intent, attempt)?;
        let reason = FailureReason::of_refusal(code);
        Ok(Decision::of(Fact::DialRefused { code: code.to_owned(), reason, at: now }))
    }

    pub(super) fn dial_postponed(
        &self,
        intent: IntentId,
        attempt: Attempt,
        until: DateTime<Utc>,
    ) -> Decided {
        let dialing = self.sending(intent, attempt)?;
        let until = CallingWindow::of(dialing.order.zone).next_open(until);
        let step = IntentMove::Postpone { intent, due: until };
        Ok(Decision { intents: vec![step], ..Decision::of(Fact::DialPostponed { until }) })
    }

    pub(super) fn dial_unsure(&self, intent: IntentId, attempt: Attempt) -> Decided {
        self.sending(intent, attempt)?;
        Ok(Decision::of(Fact::DialUnsure { attempt }))
    }

    pub(super) fn dial_unknown(&self, now: DateTime<Utc>) -> Decided {
        match self.dialing()?.dial {
            Dial::Planned { .. } => Err(Rejected::Stale),
            Dial::Sending { .. }
            | Dial::Unsure { .. }
            | Dial::Resending { .. }
            | Dial::Deferred { .. } => Ok(Decision::of(Fact::GivenUp { at: now })),
        }
    }

    fn dialing(&self) -> Result<&Dialing, Rejected> {
        match &self.phase {
            Phase::Dialing(dialing) => Ok(dialing),
            Phase::Absent => Err(Rejected::Absent),
            Phase::Live(_) | Phase::Over(_) => Err(Rejected::OutOfPhase),
            Phase::Deleted(_) => Err(Rejected::Deleted),
        }
    }

    /// Returns the dial if `attempt` is the one under way.
    fn sending(&self, intent: IntentId, attempt: Attempt) -> Result<&Dialing, Rejected> {
        let dialing = self.dialing()?;
        let current = match dialing.dial {
            Dial::Sending { attempt, .. }
            | Dial::Unsure { attempt, .. }
            | Dial::Resending { attempt, .. } => attempt,
            Dial::Planned { .. } | Dial::Deferred { .. } => return Err(Rejected::Stale),
        };
        if intent == self.dial_id() && attempt == current {
            Ok(dialing)
        } else {
            Err(Rejected::Stale)
        }
    }
}

fn placed(call_id: &CallId, provider: Option<Provider>, now: DateTime<Utc>) -> Decision<Interview> {
    Decision::of(Fact::DialPlaced { call_id: call_id.clone(), provider, at: now })
}
