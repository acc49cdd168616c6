//! From what waits to one step: the machine judges each delivery in order.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use chrono::{DateTime, Utc};
use domain::ports::{
    Decided, Ends, FactRecord, IntentRow, IntentStep, Repository, SignalRow, State, Step,
    VerdictName, Wake,
};
use domain::{
    Alias, Attempt, Cause, Certainty, DedupeKey, EntityKey, HOPS_MAX, IntentId, IntentMove,
    Machine, Named, NewIntent, Nudge, Rejected, Signal, TenantId, Transition,
};

use crate::delivery::Delivery;
use crate::live::{Live, StoredWake};

/// What the machine made of the deliveries it was given.
pub(crate) struct Plan<M: Machine> {
    /// The machine afterwards.
    pub next: M,
    /// The verdicts, in the order of the deliveries.
    pub verdicts: Vec<VerdictName>,
    documents: Vec<M::Document>,
    facts: Vec<FactRecord>,
    intents: Vec<IntentStep>,
    signals: Vec<(Signal, u16)>,
    aliases: Vec<Alias>,
    timer: StoredWake,
}

/// A delivery that made the machine panic.
pub(crate) struct Poison {
    /// Its place among the deliveries.
    pub index: usize,
    /// What the panic said.
    pub said: String,
}

impl<M: Machine> Plan<M> {
    /// Judges `deliveries` in order, each on top of the one before.
    pub fn judge(
        live: &Live<M>,
        deliveries: &[Delivery<M>],
        now: DateTime<Utc>,
        settling: Duration,
    ) -> Result<Self, Poison> {
        let mut plan = Self {
            next: live.machine.clone(),
            verdicts: Vec::with_capacity(deliveries.len()),
            documents: Vec::new(),
            facts: Vec::new(),
            intents: Vec::new(),
            signals: Vec::new(),
            aliases: Vec::new(),
            timer: live.timer,
        };
        for (index, delivery) in deliveries.iter().enumerate() {
            let verdict = match refused_unread(live, &deliveries[..index], delivery) {
                Some(why) => VerdictName::Rejected(why),
                None => plan
                    .judge_one(delivery, now, settling)
                    .map_err(|said| Poison { index, said })?,
            };
            plan.verdicts.push(verdict);
        }
        Ok(plan)
    }

    fn judge_one(
        &mut self,
        delivery: &Delivery<M>,
        now: DateTime<Utc>,
        settling: Duration,
    ) -> Result<VerdictName, String> {
        if delivery.cause == Cause::Nudge(Nudge::Woke) {
            // Taking a wake time pushes its row ahead, so what is stored is not known any more.
            self.timer = StoredWake::Unknown;
        }
        let before = self.intents.len();
        // The machine moves on a copy: if it panics half-way, the copy is thrown away with the plan.
        let next = &mut self.next;
        let applied = catch_unwind(AssertUnwindSafe(|| {
            #[cfg(feature = "planted-defects")]
            crate::planted::panic_over(delivery);
            next.apply(&delivery.event, now)
        }))
        .map_err(panic_text)?;
        let verdict = match applied {
            Ok(transition) => {
                self.absorb(transition, delivery, now, settling);
                VerdictName::Applied
            }
            Err(why) => VerdictName::Rejected(why),
        };
        self.settle(delivery, before, verdict);
        Ok(verdict)
    }

    fn absorb(
        &mut self,
        transition: Transition<M>,
        delivery: &Delivery<M>,
        now: DateTime<Utc>,
        settling: Duration,
    ) {
        let decision = transition.decision;
        self.facts.extend(decision.facts.iter().map(|fact| record::<M>(fact, now)));
        self.documents.extend(decision.documents);
        self.intents.extend(decision.intents.into_iter().map(|i| intent_step::<M>(i, settling)));
        self.signals.extend(decision.signals.into_iter().map(|s| (s, delivery.hops + 1)));
        self.aliases.extend(decision.aliases);
    }

    /// Ends the intent that a delivery is about, unless the machine moved it otherwise.
    fn settle(&mut self, delivery: &Delivery<M>, before: usize, verdict: VerdictName) {
        let end = match &delivery.cause {
            Cause::Outcome { intent, attempt, certainty: Certainty::Known } => {
                let ends = match verdict {
                    VerdictName::Applied => Ends::Intent,
                    VerdictName::Rejected(_) => Ends::Attempt,
                };
                IntentStep::Settle { id: *intent, attempt: *attempt, ends }
            }
            Cause::Nudge(Nudge::IntentUnknown { intent }) => IntentStep::Close { id: *intent },
            Cause::Nudge(Nudge::IntentDue { intent, attempt }) => {
                match unwanted(*intent, *attempt, verdict) {
                    Some(end) => end,
                    None => return,
                }
            }
            Cause::Outcome { .. }
            | Cause::Nudge(Nudge::Woke)
            | Cause::Pushed { .. }
            | Cause::Inbox { .. }
            | Cause::Command => return,
        };
        // What is wanted no longer may have been ended by any delivery of the step.
        let since = if matches!(end, IntentStep::Close { .. }) { 0 } else { before };
        if !self.intents[since..].iter().any(|step| moved(step) == moved(&end)) {
            self.intents.push(end);
        }
    }

    /// Returns what must be written so that the entity is woken in time.
    pub fn wake(&self) -> Wake {
        self.timer.change(self.next.wake_at())
    }

    /// Returns what is stored of the wake time once the step is.
    pub fn timer(&self) -> StoredWake {
        self.timer.after(self.wake())
    }

    /// Returns the intents that go out with the step, and as which attempt.
    pub fn sends(&self) -> Vec<(IntentId, Attempt)> {
        let send = |step: &IntentStep| match step {
            IntentStep::Send { id, attempt, .. } => Some((*id, *attempt)),
            _ => None,
        };
        self.intents.iter().filter_map(send).collect()
    }

    /// Whether the step plans an intent or makes one due.
    pub fn owes(&self) -> bool {
        self.intents
            .iter()
            .any(|step| matches!(step, IntentStep::Plan(_) | IntentStep::Postpone { .. }))
    }

    /// Returns who is sent a message.
    pub fn receivers(&self) -> Vec<EntityKey> {
        self.signals.iter().map(|(signal, _)| signal.receiver()).collect()
    }

    /// Whether the machine moved.
    pub fn has_moved(&self) -> bool {
        !self.facts.is_empty()
    }

    /// Writes the plan down as the step of one commit.
    pub fn step(
        &self,
        key: EntityKey,
        tenant: TenantId,
        expected: i64,
        deliveries: &[Delivery<M>],
        repository: &dyn Repository<M>,
    ) -> serde_json::Result<Step> {
        let state = if self.has_moved() {
            State::Moved {
                schema: M::SCHEMA,
                state: serde_json::to_string(&self.next)?,
                columns: repository.columns(&self.next, &self.documents),
            }
        } else {
            State::Unmoved
        };
        Ok(Step {
            key,
            tenant,
            expected,
            state,
            wake: self.wake(),
            deliveries: self.decided(deliveries),
            facts: self.facts.clone(),
            intents: self.intents.clone(),
            signals: self.signal_rows(key, expected)?,
            aliases: self.aliases.clone(),
            erase: self.next.is_erased(),
        })
    }

    fn decided(&self, deliveries: &[Delivery<M>]) -> Vec<Decided> {
        let decided = deliveries.iter().zip(&self.verdicts).map(|(delivery, verdict)| Decided {
            cause: delivery.cause.clone(),
            received_at: delivery.received_at,
            verdict: *verdict,
            remarks: delivery.remarks.clone(),
        });
        decided.collect()
    }

    fn signal_rows(&self, key: EntityKey, version: i64) -> serde_json::Result<Vec<SignalRow>> {
        let rows = self.signals.iter().enumerate().map(|(ordinal, (signal, hops))| {
            let to = signal.receiver();
            let name = format!("{key}/{}/{ordinal}", version + 1);
            Ok(SignalRow {
                id: DedupeKey::named(to, &name),
                to,
                schema: signal.schema(),
                event: signal.encode()?,
                hops: *hops,
            })
        });
        rows.collect()
    }
}

/// Puts what offers an intent for sending behind everything else that waits, in order.
///
/// The owner judges an offer by all that is known when its step is decided. Else it would send what
/// the next delivery of the same step deletes, ends or settles.
pub(crate) fn offers_last<M: Machine>(mut waiting: Vec<Delivery<M>>) -> Vec<Delivery<M>> {
    waiting.sort_by_key(|one| matches!(one.cause, Cause::Nudge(Nudge::IntentDue { .. })));
    waiting
}

/// Returns the planned intent that a step moves on.
fn moved(step: &IntentStep) -> Option<IntentId> {
    match step {
        IntentStep::Send { id, .. }
        | IntentStep::Postpone { id, .. }
        | IntentStep::Cancel { id }
        | IntentStep::Close { id }
        | IntentStep::Settle { id, .. } => Some(*id),
        IntentStep::Plan(_) | IntentStep::Release { .. } => None,
    }
}

/// Returns what ends an intent that was offered for sending and refused.
///
/// What a machine does not want to send is owed no longer. But an offer may also come late, when the
/// intent was sent meanwhile and its outcome is on its way; such a one is stale, and ends at most the
/// attempt before it, whose outcome a crash lost.
fn unwanted(id: IntentId, attempt: Attempt, verdict: VerdictName) -> Option<IntentStep> {
    match verdict {
        VerdictName::Applied => None,
        VerdictName::Rejected(Rejected::Stale) if attempt > 1 => {
            Some(IntentStep::Settle { id, attempt: attempt - 1, ends: Ends::Attempt })
        }
        VerdictName::Rejected(Rejected::Stale) => None,
        VerdictName::Rejected(_) => Some(IntentStep::Close { id }),
    }
}

/// Returns why a delivery is refused before the machine sees it, if it is.
///
/// A row of the inbox is never refused so: that it is still there says that nobody decided it.
fn refused_unread<M: Machine>(
    live: &Live<M>,
    earlier: &[Delivery<M>],
    delivery: &Delivery<M>,
) -> Option<Rejected> {
    if delivery.hops > HOPS_MAX {
        return Some(Rejected::TooManyHops);
    }
    let Cause::Pushed { key, .. } = &delivery.cause else { return None };
    let is_repeat = live.has_decided(*key) || earlier.iter().any(|e| e.key() == Some(*key));
    is_repeat.then_some(Rejected::Duplicate)
}

fn record<M: Machine>(fact: &M::Fact, now: DateTime<Utc>) -> FactRecord {
    FactRecord {
        name: fact.name(),
        schema: M::SCHEMA,
        // Our own facts are maps of strings and numbers, which always have a JSON form.
        data: serde_json::to_string(fact).unwrap_or_default(),
        at: now,
    }
}

fn intent_step<M: Machine>(moved: IntentMove<M::Effect>, settling: Duration) -> IntentStep {
    match moved {
        IntentMove::Plan(new) => IntentStep::Plan(intent_row::<M>(new)),
        IntentMove::Send { intent, attempt, not_after, claim } => {
            let look_at = not_after + settling;
            IntentStep::Send { id: intent, attempt, not_after, look_at, claim }
        }
        IntentMove::Close { intent } => IntentStep::Close { id: intent },
        IntentMove::Release { intent } => IntentStep::Release { id: intent },
        IntentMove::Postpone { intent, due } => IntentStep::Postpone { id: intent, due },
        IntentMove::Cancel { intent } => IntentStep::Cancel { id: intent },
    }
}

fn intent_row<M: Machine>(new: NewIntent<M::Effect>) -> IntentRow {
    IntentRow {
        id: new.id,
        operation: new.operation,
        class: new.class,
        reach: new.reach,
        callee: new.callee.map(|phone| phone.as_str().to_owned()),
        schema: M::SCHEMA,
        effect: serde_json::to_string(&new.effect).unwrap_or_default(),
        due: new.due,
    }
}

pub(crate) fn panic_text(panic: Box<dyn std::any::Any + Send>) -> String {
    panic
        .downcast_ref::<&str>()
        .map(|said| (*said).to_owned())
        .or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "a panic without a text".to_owned())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use domain::interview::{CallReport, CallStatus, DialOrder, Interview, InterviewEvent};
    use domain::policy::Zone;
    use domain::{CallId, EntityId, Phone};
    use uuid::Uuid;

    use super::*;
    use crate::delivery::Replied;

    type Event = InterviewEvent;

    /// Noon in India.
    const NOON: &str = "2026-11-20T06:30:00Z";
    const SETTLING: Duration = Duration::from_secs(20);

    fn now() -> DateTime<Utc> {
        DateTime::parse_from_rfc3339(NOON).unwrap().to_utc()
    }

    fn id() -> EntityId {
        EntityId(Uuid::from_u128(1))
    }

    fn dial() -> IntentId {
        IntentId::derived(id(), "dial", 1)
    }

    fn delivery(cause: Cause, event: Event) -> Delivery<Interview> {
        Delivery {
            tenant: TenantId::DEFAULT,
            event: Arc::new(event),
            cause,
            hops: 0,
            received_at: now(),
            remarks: None,
            reply: Replied::Nobody,
            admission: None,
        }
    }

    fn offer(attempt: Attempt) -> Delivery<Interview> {
        let nudge = Nudge::IntentDue { intent: dial(), attempt };
        delivery(Cause::Nudge(nudge), nudge.into())
    }

    fn order() -> Event {
        Event::PlacingAsked(DialOrder {
            application: Some(EntityId(Uuid::from_u128(2))),
            phone: Phone::parse("+919529117230").unwrap(),
            candidate_name: "Asha".to_owned(),
            role: "Engineer".to_owned(),
            system_prompt: "Ask.".to_owned(),
            belongs_to: None,
            zone: Zone::default(),
            attempt: 1,
            provider: None,
            asked: domain::interview::Asked::default(),
        })
    }

    /// An interview whose dial was sent so many times, each time without a clear answer.
    fn ordered(sent: Attempt) -> Live<Interview> {
        let mut machine = Interview::absent(id());
        machine.apply(&order(), now()).unwrap();
        for attempt in 1..=sent {
            machine.apply(&offer(attempt).event, now()).unwrap();
            machine.apply(&Event::DialUnsure { intent: dial(), attempt }, now()).unwrap();
        }
        Live::new(machine, 1, Some(TenantId::DEFAULT))
    }

    fn judged(live: &Live<Interview>, waiting: Vec<Delivery<Interview>>) -> Plan<Interview> {
        let waiting = offers_last(waiting);
        Plan::judge(live, &waiting, now(), SETTLING)
            .unwrap_or_else(|poison| panic!("{}", poison.said))
    }

    /// Calls `each` with every order of the numbers below `count`, of every length.
    fn every_order(count: usize, taken: &mut Vec<usize>, each: &mut impl FnMut(&[usize])) {
        each(taken);
        for next in 0..count {
            if !taken.contains(&next) {
                taken.push(next);
                every_order(count, taken, each);
                taken.pop();
            }
        }
    }

    #[test]
    fn nothing_is_sent_that_its_owner_does_not_want_after_the_step_whatever_the_order() {
        for sent in [0, 1] {
            let live = ordered(sent);
            let report = CallReport {
                status: Some(CallStatus::Ringing),
                intent: Some(dial()),
                ..CallReport::of(CallId::parse("call").unwrap())
            };
            let (intent, attempt) = (dial(), sent);
            let call_id = CallId::parse("call").unwrap();
            let answered = Event::DialAnswered { intent, attempt, call_id, provider: None };
            let certainty = Certainty::Known;
            let waits = |n: usize| match n {
                0 => offer(sent + 1),
                1 => delivery(Cause::Command, Event::Deleted { by: "admin".to_owned() }),
                2 => delivery(Cause::Command, Event::CancelAsked),
                3 => delivery(Cause::Command, Event::from(report.clone())),
                _ => delivery(Cause::Outcome { intent, attempt, certainty }, answered.clone()),
            };
            every_order(5, &mut Vec::new(), &mut |order| {
                let plan = judged(&live, order.iter().map(|n| waits(*n)).collect());
                for (intent, attempt) in plan.sends() {
                    let again = Nudge::IntentDue { intent, attempt };
                    let said = plan.next.decide(&again.into(), now()).unwrap_err();
                    assert_eq!(said, Rejected::Stale, "{order:?} after {sent} attempts");
                }
                assert!(order != [0] || plan.sends() == [(dial(), sent + 1)], "alone it is sent");
            });
        }
    }

    #[test]
    fn offer_that_a_delete_overtakes_is_refused_and_the_intent_is_ended_once() {
        let deleted = delivery(Cause::Command, Event::Deleted { by: "admin".to_owned() });

        let plan = judged(&ordered(0), vec![offer(1), deleted]);

        assert_eq!(plan.verdicts, [VerdictName::Applied, VerdictName::Rejected(Rejected::Deleted)]);
        assert!(matches!(plan.intents[..], [IntentStep::Cancel { id }] if id == dial()));
    }
}
