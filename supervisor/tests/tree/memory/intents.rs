//! What a step does to intents.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use domain::ports::{DialScope, IntentStep, Step, Verdict};
use domain::{IntentId, Reach};

use super::tables::{IntentRow, Status, Tables};

impl Tables {
    /// Returns the rows that a step changes, as they are afterwards; in the order of the statements:
    /// plan, send, postpone, cancel, close, settle.
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
            IntentStep::Send { attempt, not_after, look_at, .. } => match current.as_ref() {
                Some(row) if self.may_send(row, *attempt) => with(&|row| {
                    row.status = Status::Sending;
                    (row.attempt, row.not_after, row.look_at) = (*attempt, *not_after, *look_at);
                    row.lookups = 0;
                }),
                Some(_) | None => refused("dialing_stopped"),
            },
            IntentStep::Postpone { due, .. } => match status {
                Some(Status::Planned | Status::Sending) => with(&|row| {
                    row.status = Status::Planned;
                    row.due = *due;
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
            IntentStep::Settle { attempt, .. } => match current.as_ref() {
                Some(row) if row.status.is_open() && row.attempt == *attempt => {
                    with(&|row| row.status = Status::Done)
                }
                Some(_) | None => Err(Verdict::Duplicate(Vec::new())),
            },
        }
    }

    fn may_send(&self, row: &IntentRow, attempt: u32) -> bool {
        let is_stopped = row.reach == Reach::Rings
            && self.stops.iter().any(|stop| {
                let tenant = DialScope::Tenant(row.tenant).as_text();
                ["all", "provider:mr-hire", tenant.as_str()].contains(&stop.scope.as_str())
            });
        let is_next = match row.status {
            Status::Planned => true,
            Status::Sending => row.attempt < attempt,
            Status::Ambiguous | Status::Done | Status::Cancelled => false,
        };
        is_next && !is_stopped
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
        lookups: 0,
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
    }
}

fn id_of(step: &IntentStep) -> IntentId {
    match step {
        IntentStep::Plan(new) => new.id,
        IntentStep::Send { id, .. }
        | IntentStep::Postpone { id, .. }
        | IntentStep::Cancel { id }
        | IntentStep::Close { id }
        | IntentStep::Settle { id, .. } => *id,
    }
}
