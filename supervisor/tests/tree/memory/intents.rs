//! What a step does to intents.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use domain::policy::PERMITS_DEFAULT;
use domain::ports::{DialScope, Ends, IntentStep, Step, Verdict};
use domain::{Claim, IntentId, Reach};

use super::tables::{IntentRow, Status, Tables};

impl Tables {
    /// Returns the rows that a step changes, as they are afterwards; in the order of the statements:
    /// plan, send, postpone, cancel, close, settle, release.
    pub fn move_intents(
        &self,
        step: &Step,
        now: DateTime<Utc>,
    ) -> Result<HashMap<IntentId, IntentRow>, Verdict> {
        let mut moved: HashMap<IntentId, IntentRow> = HashMap::new();
        let mut steps: Vec<&IntentStep> = step.intents.iter().collect();
        steps.sort_by_key(|step| place(step));
        for one in steps {
            let id = id_of(one);
            let current = moved.get(&id).or_else(|| self.intents.get(&id)).cloned();
            if let Some(row) = self.move_intent(step, one, current, now)? {
                moved.insert(id, row);
            }
        }
        Ok(moved)
    }

    fn move_intent(
        &self,
        step: &Step,
        one: &IntentStep,
        current: Option<IntentRow>,
        now: DateTime<Utc>,
    ) -> Result<Option<IntentRow>, Verdict> {
        let refused = |why: &str| Err(Verdict::Refused(why.to_owned()));
        let status = current.as_ref().map(|row| row.status);
        let with = |change: &dyn Fn(&mut IntentRow)| {
            let mut row = current.clone();
            row.iter_mut().for_each(change);
            Ok(row)
        };
        match one {
            IntentStep::Plan(_) if current.is_some() => refused("intents_pkey"),
            IntentStep::Plan(new) => Ok(Some(planned(step, new, now))),
            IntentStep::Send { id, attempt, not_after, look_at, claim } => match current.as_ref() {
                Some(row) if is_next(row, *attempt) => {
                    let until = match claim {
                        Claim::Nothing => None,
                        Claim::Callee { until, .. } => Some(*until),
                    };
                    if row.reach == Reach::Rings
                        && let Some(why) = self.dial_refusal(*id, row, now)
                    {
                        return refused(why);
                    }
                    with(&|row| {
                        let was_sending = row.status == Status::Sending;
                        row.unanswered = if was_sending { row.unanswered + 1 } else { 0 };
                        row.status = Status::Sending;
                        (row.attempt, row.not_after, row.look_at) =
                            (*attempt, *not_after, *look_at);
                        (row.lookups, row.held_until) = (0, until);
                    })
                }
                Some(_) | None => refused("intent_not_planned"),
            },
            IntentStep::Release { .. } => with(&|row| row.held_until = None),
            IntentStep::Postpone { due, .. } => match status {
                Some(Status::Planned | Status::Sending) => with(&|row| {
                    row.status = Status::Planned;
                    (row.due, row.held_until) = (*due, None);
                }),
                Some(_) | None => Ok(None),
            },
            IntentStep::Cancel { .. } => match status {
                Some(Status::Planned) => with(&|row| row.status = Status::Cancelled),
                Some(_) | None => refused("intent_not_planned"),
            },
            IntentStep::Close { .. } => match status {
                Some(Status::Planned) => with(&|row| row.status = Status::Cancelled),
                Some(Status::Sending | Status::Ambiguous) => with(&|row| row.status = Status::Done),
                Some(_) | None => Ok(None),
            },
            IntentStep::Settle { attempt, ends, .. } => match current.as_ref() {
                Some(row)
                    if row.status.is_open()
                        && (row.attempt == *attempt
                            || (*ends == Ends::Intent && row.attempt > *attempt)) =>
                {
                    with(&|row| row.status = Status::Done)
                }
                Some(_) | None => Err(Verdict::Duplicate(Vec::new())),
            },
        }
    }

    fn dial_refusal(
        &self,
        id: IntentId,
        row: &IntentRow,
        now: DateTime<Utc>,
    ) -> Option<&'static str> {
        let provider = DialScope::Provider("mr-hire".to_owned());
        let stops = [DialScope::All, provider, DialScope::Tenant(row.tenant)];
        let is_running = |other: &IntentRow| other.held_until.is_some_and(|until| until > now);
        let holds = |other: &IntentRow| {
            let is_open = matches!(other.status, Status::Sending | Status::Ambiguous);
            other.callee.is_some()
                && (other.tenant, &other.callee) == (row.tenant, &row.callee)
                && (is_running(other) || (is_open && other.held_until.is_some()))
        };
        let others = || self.intents.iter().filter(|(other, _)| **other != id);
        if self.stops.iter().any(|stop| stops.contains(&stop.scope)) {
            Some("dialing_stopped")
        } else if others().any(|(_, other)| holds(other)) {
            Some("callee_held")
        } else if others().filter(|(_, other)| is_running(other)).count()
            >= PERMITS_DEFAULT as usize
        {
            Some("no_permit")
        } else {
            None
        }
    }
}

fn is_next(row: &IntentRow, attempt: u32) -> bool {
    match row.status {
        Status::Planned => true,
        Status::Sending => row.attempt < attempt,
        Status::Ambiguous | Status::Done | Status::Cancelled => false,
    }
}

fn planned(step: &Step, new: &domain::ports::IntentRow, now: DateTime<Utc>) -> IntentRow {
    IntentRow {
        owner: step.key,
        tenant: step.tenant,
        operation: new.operation,
        class: new.class,
        reach: new.reach,
        callee: new.callee.clone(),
        schema: new.schema,
        effect: new.effect.clone(),
        status: Status::Planned,
        attempt: 0,
        due: new.due,
        not_after: now,
        look_at: now,
        unanswered: 0,
        lookups: 0,
        held_until: None,
        ambiguous_since: None,
        planned_at: now,
    }
}

fn place(step: &IntentStep) -> u8 {
    match step {
        IntentStep::Plan(_) => 0,
        IntentStep::Send { .. } => 1,
        IntentStep::Postpone { .. } => 2,
        IntentStep::Cancel { .. } => 3,
        IntentStep::Close { .. } => 4,
        IntentStep::Settle { .. } => 5,
        IntentStep::Release { .. } => 6,
    }
}

fn id_of(step: &IntentStep) -> IntentId {
    match step {
        IntentStep::Plan(new) => new.id,
        IntentStep::Send { id, .. }
        | IntentStep::Postpone { id, .. }
        | IntentStep::Cancel { id }
        | IntentStep::Close { id }
        | IntentStep::Release { id }
        | IntentStep::Settle { id, .. } => *id,
    }
}
