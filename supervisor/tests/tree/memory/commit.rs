//! The commit of one step: all of it or nothing, checked in the order in which the database does.

use chrono::{DateTime, Utc};
use domain::ports::{State, Step, StoredFact, Verdict, VerdictName, Wake};
use domain::{Cause, DedupeKey, EntityKey, Rejected};
use uuid::Uuid;

use super::tables::{EntityRow, Row, Tables, WakeRow};

impl Tables {
    /// Commits a step; answers the verdict and the facts it committed.
    pub fn commit(&mut self, step: &Step, now: DateTime<Utc>) -> (Verdict, Vec<StoredFact>) {
        let keys = pushed_keys(step);
        let rows = applied_rows(step);
        let taken = |tables: &Self| {
            let taken = keys.iter().filter(|key| tables.keys.contains(key)).copied();
            let gone = rows.iter().filter(|row| !tables.positions.contains_key(row));
            taken.chain(gone.map(|row| DedupeKey(*row))).collect::<Vec<_>>()
        };
        if keys.iter().any(|key| self.keys.contains(key)) || repeats(&keys) {
            return (Verdict::Duplicate(taken(self)), Vec::new());
        }
        let before = self.entities.get(&step.key.id);
        let version = before.map_or(0, |row| row.version);
        if version != step.expected || before.is_some_and(|row| row.tenant != step.tenant) {
            return (Verdict::Stale, Vec::new());
        }
        if rows.iter().any(|row| !self.positions.contains_key(row)) || repeats(&rows) {
            return (Verdict::Duplicate(taken(self)), Vec::new());
        }
        let intents = match self.move_intents(step, now) {
            Ok(intents) => intents,
            Err(verdict) => return (verdict, Vec::new()),
        };
        if step.signals.iter().any(|signal| self.keys.contains(&signal.id)) {
            return (Verdict::Refused("dedupe_keys_pkey".to_owned()), Vec::new());
        }
        let is_foreign = |source: &str, external: &str| {
            let alias = (step.tenant, source.to_owned(), external.to_owned());
            self.aliases.get(&alias).is_some_and(|id| *id != step.key.id)
        };
        if step.aliases.iter().any(|alias| is_foreign(alias.source, &alias.external)) {
            return (Verdict::Refused("call_aliases_pkey".to_owned()), Vec::new());
        }
        self.intents.extend(intents);
        self.keys.extend(keys);
        let verdict = self.write(step, now);
        let facts = self.append(step);
        if step.erase {
            self.erase(step.key);
        }
        (verdict, facts)
    }

    fn erase(&mut self, key: EntityKey) {
        for fact in self.facts.iter_mut().filter(|fact| fact.key == key && fact.name != "deleted") {
            fact.data = r#"{"type":"erased"}"#.to_owned();
        }
        self.quarantine.remove(&key);
    }

    /// Writes everything that cannot fail any more, but the facts.
    fn write(&mut self, step: &Step, now: DateTime<Utc>) -> Verdict {
        self.advance(step, now);
        for delivery in &step.deliveries {
            match &delivery.cause {
                Cause::Pushed { key, .. } => self.decided.push((*key, delivery.verdict)),
                Cause::Inbox { row, key } => {
                    self.remove_row(*row);
                    self.decided.push((*key, delivery.verdict));
                }
                Cause::Outcome { .. } | Cause::Command | Cause::Nudge(_) => {}
            }
        }
        match step.wake {
            Wake::Keep => {}
            Wake::Never => drop(self.wakes.remove(&step.key)),
            Wake::At(due) => {
                self.wakes.insert(step.key, WakeRow { tenant: step.tenant, due });
            }
        }
        for signal in &step.signals {
            self.keys.insert(signal.id);
            self.insert_row(Row {
                id: signal.id.0,
                tenant: step.tenant,
                to: signal.to,
                waits_for: None,
                schema: signal.schema,
                event: signal.event.clone(),
                remarks: None,
                hops: signal.hops,
                attempts: 0,
                received_at: now,
                available_at: now,
                set_aside: None,
            });
        }
        for alias in &step.aliases {
            let name = (step.tenant, alias.source.to_owned(), alias.external.clone());
            self.aliases.insert(name, step.key.id);
        }
        Verdict::Committed { first_seq: self.seq + i64::from(!step.facts.is_empty()) }
    }

    fn advance(&mut self, step: &Step, now: DateTime<Utc>) {
        let State::Moved { schema, state, .. } = &step.state else { return };
        let row = self.entities.entry(step.key.id).or_insert_with(|| EntityRow {
            kind: step.key.kind,
            tenant: step.tenant,
            version: 0,
            schema: *schema,
            state: String::new(),
            facts: 0,
            updated_at: now,
        });
        row.version += 1;
        row.schema = *schema;
        row.updated_at = now;
        row.state.clone_from(state);
        row.facts += i64::try_from(step.facts.len()).unwrap();
    }

    fn append(&mut self, step: &Step) -> Vec<StoredFact> {
        let mut facts = Vec::new();
        for fact in &step.facts {
            self.seq += 1;
            if !self.keep_no_facts {
                facts.push(StoredFact {
                    seq: self.seq,
                    tenant: step.tenant,
                    key: step.key,
                    version: step.expected + 1,
                    name: fact.name.to_owned(),
                    schema: fact.schema,
                    data: fact.data.clone(),
                    at: fact.at,
                });
            }
        }
        self.facts.extend(facts.iter().cloned());
        facts
    }
}

fn pushed_keys(step: &Step) -> Vec<DedupeKey> {
    let keys = step.deliveries.iter().filter_map(|delivery| match &delivery.cause {
        Cause::Pushed { key, .. }
            if delivery.verdict != VerdictName::Rejected(Rejected::Duplicate) =>
        {
            Some(*key)
        }
        _ => None,
    });
    keys.collect()
}

fn applied_rows(step: &Step) -> Vec<Uuid> {
    let rows = step.deliveries.iter().filter_map(|delivery| match delivery.cause {
        Cause::Inbox { row, .. } => Some(row),
        _ => None,
    });
    rows.collect()
}

fn repeats<T: PartialEq>(list: &[T]) -> bool {
    (1..list.len()).any(|n| list[..n].contains(&list[n]))
}
