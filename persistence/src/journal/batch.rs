//! A batch of steps as the columns of one call.

use chrono::{DateTime, Utc};
use domain::ports::{Decided, Ends, IntentStep, State, Step, VerdictName, Wake};
use domain::{Cause, Claim, Kind, Rejected};
use serde_json::{Map, Value, json};
use uuid::Uuid;

/// The arguments of `journal_commit`, borrowed from the steps they were made of.
#[derive(Default)]
pub(super) struct Batch<'a> {
    pub keys: Keys,
    pub kinds: Kinds,
    pub entities: Entities<'a>,
    pub facts: Facts<'a>,
    pub deliveries: Deliveries<'a>,
    pub applied: Applied,
    pub wakes: Wakes,
    /// Who is woken no more.
    pub gone: Entries,
    /// Of whom only a tombstone is left.
    pub erased: Entries,
    pub owed: Option<Value>,
    /// Per step, in the order given: how many facts of the batch stand before its own.
    pub offsets: Vec<i64>,
}

#[derive(Default)]
pub(super) struct Keys {
    pub ids: Vec<Uuid>,
    pub tenants: Vec<Uuid>,
}

#[derive(Default)]
pub(super) struct Kinds {
    pub names: Vec<String>,
    pub rows: Vec<i32>,
    pub columns: Vec<i32>,
}

#[derive(Default)]
pub(super) struct Entities<'a> {
    pub ids: Vec<Uuid>,
    pub tenants: Vec<Uuid>,
    pub expected: Vec<i64>,
    pub schemas: Vec<i16>,
    pub states: Vec<Option<&'a str>>,
    pub columns: Vec<Option<&'a str>>,
}

#[derive(Default)]
pub(super) struct Facts<'a> {
    pub tenants: Vec<Uuid>,
    pub kinds: Vec<&'static str>,
    pub ids: Vec<Uuid>,
    pub versions: Vec<i64>,
    pub names: Vec<&'static str>,
    pub schemas: Vec<i16>,
    pub data: Vec<&'a str>,
    pub at: Vec<DateTime<Utc>>,
}

#[derive(Default)]
pub(super) struct Deliveries<'a> {
    pub keys: Vec<Uuid>,
    pub tenants: Vec<Uuid>,
    pub kinds: Vec<&'static str>,
    pub ids: Vec<Uuid>,
    pub verdicts: Vec<String>,
    pub remarks: Vec<Option<&'a str>>,
    pub raw: Vec<&'a [u8]>,
    pub received: Vec<DateTime<Utc>>,
}

#[derive(Default)]
pub(super) struct Applied {
    pub rows: Vec<Uuid>,
    pub verdicts: Vec<String>,
}

#[derive(Default)]
pub(super) struct Wakes {
    pub ids: Vec<Uuid>,
    pub kinds: Vec<&'static str>,
    pub tenants: Vec<Uuid>,
    pub due: Vec<DateTime<Utc>>,
    pub versions: Vec<i64>,
}

/// Some entities.
#[derive(Default)]
pub(super) struct Entries {
    pub kinds: Vec<&'static str>,
    pub ids: Vec<Uuid>,
    pub tenants: Vec<Uuid>,
}

impl<'a> Batch<'a> {
    /// Lays `steps` out as columns, grouped by kind.
    ///
    /// `permits` is how many calls may run at once.
    pub fn of(steps: &[&'a Step], permits: u32) -> Self {
        let mut batch = Self { offsets: vec![0; steps.len()], ..Self::default() };
        let mut owed = Map::new();
        for kind in Kind::ALL {
            let group: Vec<usize> =
                (0..steps.len()).filter(|&n| steps[n].key.kind == kind).collect();
            if group.is_empty() {
                continue;
            }
            batch.add_kind(kind, &group, steps);
            for &n in &group {
                batch.offsets[n] = i64::try_from(batch.facts.ids.len()).unwrap_or(i64::MAX);
                batch.add_step(steps[n], &mut owed);
            }
        }
        if owed.contains_key("send") {
            owed.insert("permits".to_owned(), json!(permits));
        }
        if !owed.is_empty() {
            batch.owed = Some(Value::Object(owed));
        }
        batch
    }

    fn add_kind(&mut self, kind: Kind, group: &[usize], steps: &[&'a Step]) {
        let width = group.iter().map(|&n| columns(steps[n]).len()).max().unwrap_or(0);
        self.kinds.names.push(kind.as_str().to_owned());
        self.kinds.rows.push(small(group.len()));
        self.kinds.columns.push(small(width));
        for column in 0..width {
            for &n in group {
                let value = columns(steps[n]).get(column).and_then(Option::as_deref);
                self.entities.columns.push(value);
            }
        }
    }

    fn add_step(&mut self, step: &'a Step, owed: &mut Map<String, Value>) {
        let (schema, state) = match &step.state {
            State::Unmoved => (0, None),
            State::Moved { schema, state, .. } => (*schema, Some(state.as_str())),
        };
        self.entities.ids.push(step.key.id.0);
        self.entities.tenants.push(step.tenant.0);
        self.entities.expected.push(step.expected);
        self.entities.schemas.push(short(schema));
        self.entities.states.push(state);
        for delivery in &step.deliveries {
            self.add_delivery(step, delivery);
        }
        self.add_facts(step);
        self.add_wake(step);
        if step.erase {
            self.erased.push(step);
        }
        owe(step, owed);
    }

    fn add_delivery(&mut self, step: &Step, delivery: &'a Decided) {
        match &delivery.cause {
            Cause::Pushed { key, raw } => {
                if delivery.verdict != VerdictName::Rejected(Rejected::Duplicate) {
                    self.keys.ids.push(key.0);
                    self.keys.tenants.push(step.tenant.0);
                }
                self.deliveries.keys.push(key.0);
                self.deliveries.tenants.push(step.tenant.0);
                self.deliveries.kinds.push(step.key.kind.as_str());
                self.deliveries.ids.push(step.key.id.0);
                self.deliveries.verdicts.push(delivery.verdict.as_text());
                self.deliveries.remarks.push(delivery.remarks.as_deref());
                self.deliveries.raw.push(raw);
                self.deliveries.received.push(delivery.received_at);
            }
            // A row that was handed over twice leaves once, with its first verdict.
            Cause::Inbox { row, .. } if self.applied.rows.contains(row) => {}
            Cause::Inbox { row, .. } => {
                self.applied.rows.push(*row);
                self.applied.verdicts.push(delivery.verdict.as_text());
            }
            Cause::Outcome { .. } | Cause::Command | Cause::Nudge(_) => {}
        }
    }

    fn add_facts(&mut self, step: &'a Step) {
        for fact in &step.facts {
            self.facts.tenants.push(step.tenant.0);
            self.facts.kinds.push(step.key.kind.as_str());
            self.facts.ids.push(step.key.id.0);
            self.facts.versions.push(step.expected + 1);
            self.facts.names.push(fact.name);
            self.facts.schemas.push(short(fact.schema));
            self.facts.data.push(&fact.data);
            self.facts.at.push(fact.at);
        }
    }

    fn add_wake(&mut self, step: &Step) {
        match step.wake {
            Wake::Keep => {}
            Wake::Never => self.gone.push(step),
            Wake::At(due) => {
                self.wakes.ids.push(step.key.id.0);
                self.wakes.kinds.push(step.key.kind.as_str());
                self.wakes.tenants.push(step.tenant.0);
                self.wakes.due.push(due);
                self.wakes.versions.push(step.expected + 1);
            }
        }
    }
}

impl Entries {
    fn push(&mut self, step: &Step) {
        self.kinds.push(step.key.kind.as_str());
        self.ids.push(step.key.id.0);
        self.tenants.push(step.tenant.0);
    }
}

/// Adds what the step owes to the document of what the batch owes.
fn owe(step: &Step, owed: &mut Map<String, Value>) {
    for intent in &step.intents {
        let (list, row) = intent_row(step, intent);
        push(owed, list, row);
    }
    for signal in &step.signals {
        let at = step.deliveries.first().map(|d| d.received_at);
        push(
            owed,
            "signals",
            json!({
                "id": signal.id, "tenant_id": step.tenant, "kind": signal.to.kind.as_str(),
                "entity_id": signal.to.id, "schema": signal.schema, "event": signal.event,
                "hops": signal.hops, "at": at,
            }),
        );
    }
    for alias in &step.aliases {
        push(
            owed,
            "aliases",
            json!({
                "source": alias.source, "external": alias.external, "tenant_id": step.tenant,
                "entity_id": step.key.id,
            }),
        );
    }
}

fn intent_row(step: &Step, intent: &IntentStep) -> (&'static str, Value) {
    let tenant = step.tenant;
    match intent {
        IntentStep::Plan(row) => (
            "plan",
            json!({
                "id": row.id, "tenant_id": tenant, "kind": step.key.kind.as_str(),
                "entity_id": step.key.id, "operation": row.operation,
                "class": row.class.as_str(), "reach": row.reach.as_str(), "callee": row.callee,
                "schema": row.schema, "effect": row.effect, "due_at": row.due,
            }),
        ),
        IntentStep::Send { id, attempt, not_after, look_at, claim } => {
            let (held_until, verdict) = match claim {
                Claim::Nothing => (None, None),
                Claim::Callee { until, verdict } => (Some(until), Some(verdict)),
            };
            (
                "send",
                json!({
                    "id": id, "tenant_id": tenant, "attempt": attempt, "not_after": not_after,
                    "look_at": look_at, "held_until": held_until, "dial_verdict": verdict,
                }),
            )
        }
        IntentStep::Postpone { id, due } => {
            ("postpone", json!({ "id": id, "tenant_id": tenant, "due_at": due }))
        }
        IntentStep::Cancel { id } => ("cancel", json!({ "id": id, "tenant_id": tenant })),
        IntentStep::Close { id } => ("close", json!({ "id": id, "tenant_id": tenant })),
        IntentStep::Release { id } => ("release", json!({ "id": id, "tenant_id": tenant })),
        IntentStep::Settle { id, attempt, ends } => {
            let last = match ends {
                Ends::Intent => None,
                Ends::Attempt => Some(attempt),
            };
            ("settle", json!({ "id": id, "tenant_id": tenant, "attempt": attempt, "last": last }))
        }
    }
}

fn push(owed: &mut Map<String, Value>, list: &'static str, row: Value) {
    if let Value::Array(rows) = owed.entry(list).or_insert_with(|| json!([])) {
        rows.push(row);
    }
}

fn columns(step: &Step) -> &[Option<String>] {
    match &step.state {
        State::Unmoved => &[],
        State::Moved { columns, .. } => columns,
    }
}

fn small(count: usize) -> i32 {
    i32::try_from(count).unwrap_or(i32::MAX)
}

fn short(schema: u16) -> i16 {
    i16::try_from(schema).unwrap_or(i16::MAX)
}
