//! The ports beside the journal.

use chrono::{DateTime, Utc};
use domain::ports::{
    BoxFuture, Checkpoint, Checkpoints, DialScope, DialStop, Dialing, DueIntent, DueWake, FactPage,
    Facts, Inbox, InboxRow, IntentCount, Intents, Loaded, NewInboxRow, OpenIntent, OpenStatus,
    Parking, Quarantine, QuarantinedEntity, Resolution, Resolver, StoreError, StoredFact, Timers,
    Whose,
};
use domain::{Attempt, EntityId, EntityKey, IntentId, Kind, MR_HIRE, Reach, TenantId};
use uuid::Uuid;

use super::Memory;
use super::tables::{HOLD, IntentRow, QuarantineRow, Row, Status, Tables, WakeRow};

type Answer<'a, T> = BoxFuture<'a, Result<T, StoreError>>;

impl Checkpoints for Memory {
    fn load(&self, kind: Kind, ids: Vec<EntityId>, now: DateTime<Utc>) -> Answer<'_, Vec<Loaded>> {
        Box::pin(self.ask(move |tables| {
            let mut rows = tables.claim(kind, &ids, now);
            let load = |id: EntityId| {
                *tables.loads.entry(id).or_default() += 1;
                let row = tables.entities.get(&id).filter(|row| row.kind == kind);
                let checkpoint = row.map(|row| Checkpoint {
                    tenant: row.tenant,
                    version: row.version,
                    schema: row.schema,
                    state: row.state.clone(),
                });
                let quarantine =
                    tables.quarantine.get(&EntityKey { kind, id }).map(|row| row.reason.clone());
                let inbox = rows.extract_if(.., |row| row.to.id == id).collect();
                Loaded { id, checkpoint, inbox, quarantine }
            };
            ids.into_iter().map(load).collect()
        }))
    }

    fn open(&self, kind: Kind, after: Option<EntityId>, limit: u32) -> Answer<'_, Vec<EntityId>> {
        Box::pin(self.ask(move |tables| {
            let of_kind = tables.wakes.keys().filter(|key| key.kind == kind);
            let mut ids: Vec<_> =
                of_kind.map(|key| key.id).filter(|id| Some(*id) > after).collect();
            ids.sort();
            ids.truncate(limit as usize);
            ids
        }))
    }
}

impl Inbox for Memory {
    fn park(&self, row: NewInboxRow) -> Answer<'_, Parking> {
        let now = self.0.clock.now();
        Box::pin(self.ask(move |tables| {
            if !tables.keys.insert(row.key) {
                return Parking::Duplicate;
            }
            tables.insert_row(Row {
                id: row.key.0,
                tenant: row.tenant,
                to: row.to,
                waits_for: row.waits_for,
                schema: row.schema,
                event: row.event,
                remarks: row.remarks,
                hops: row.hops,
                attempts: row.attempts,
                received_at: row.received_at,
                available_at: now,
                set_aside: None,
            });
            Parking::Stored
        }))
    }

    fn claim(
        &self,
        kind: Kind,
        ids: Vec<EntityId>,
        now: DateTime<Utc>,
    ) -> Answer<'_, Vec<InboxRow>> {
        Box::pin(self.ask(move |tables| tables.claim(kind, &ids, now)))
    }

    fn backlog(&self, now: DateTime<Utc>, limit: u32) -> Answer<'_, Vec<EntityKey>> {
        Box::pin(self.ask(move |tables| {
            let Tables { inbox, quarantine, .. } = tables;
            let mut receivers = Vec::new();
            let is_due = |row: &&mut Row| {
                let is_free = !quarantine.contains_key(&row.to);
                row.is_open() && row.available_at <= now && is_free
            };
            for row in inbox.values_mut().filter(is_due).take(limit as usize) {
                row.available_at = now + HOLD;
                if !receivers.contains(&row.to) {
                    receivers.push(row.to);
                }
            }
            receivers
        }))
    }

    fn set_aside(&self, row: Uuid, reason: String) -> Answer<'_, ()> {
        Box::pin(self.ask(move |tables| {
            if let Some(row) = tables.row_mut(row) {
                row.set_aside = Some(reason);
            }
        }))
    }

    fn aside(&self) -> Answer<'_, Vec<(Kind, i64)>> {
        Box::pin(self.ask(|tables| {
            let count = |kind: Kind| {
                let is_aside = |row: &&Row| row.to.kind == kind && row.set_aside.is_some();
                let rows = tables.inbox.values().filter(is_aside).count();
                (kind, i64::try_from(rows).unwrap())
            };
            Kind::ALL.map(count).into_iter().filter(|(_, rows)| *rows > 0).collect()
        }))
    }

    fn released(&self, now: DateTime<Utc>, limit: u32) -> Answer<'_, Vec<InboxRow>> {
        Box::pin(self.ask(move |tables| {
            let Tables { inbox, intents, .. } = tables;
            let is_over = |id: IntentId| {
                let is_live =
                    |row: &IntentRow| row.status == Status::Planned || row.status.is_open();
                !intents.get(&id).is_some_and(is_live)
            };
            let is_free = |row: &&mut Row| {
                let is_taken = row.available_at > now || row.set_aside.is_some();
                row.waits_for.is_some_and(is_over) && !is_taken
            };
            let free = inbox.values_mut().filter(is_free);
            let mut rows = Vec::new();
            for row in free.take(limit as usize) {
                row.available_at = now + HOLD;
                rows.push(row.read());
            }
            rows
        }))
    }

    fn readdress(&self, row: Uuid, to: EntityKey) -> Answer<'_, ()> {
        Box::pin(self.ask(move |tables| {
            if let Some(row) = tables.row_mut(row).filter(|row| row.waits_for.is_some()) {
                row.to = to;
                row.waits_for = None;
            }
        }))
    }
}

impl Timers for Memory {
    fn take_due(&self, now: DateTime<Utc>, limit: u32) -> Answer<'_, Vec<DueWake>> {
        Box::pin(self.ask(move |tables| {
            let mut taken = Vec::new();
            let mut due: Vec<_> =
                tables.wakes.iter_mut().filter(|(_, wake)| wake.due <= now).collect();
            due.sort_by_key(|(_, wake)| wake.due);
            for (key, wake) in due.into_iter().take(limit as usize) {
                taken.push(DueWake { key: *key, tenant: wake.tenant, due: wake.due });
                wake.due = now + HOLD;
            }
            taken
        }))
    }
}

impl Intents for Memory {
    fn take_planned(
        &self,
        now: DateTime<Utc>,
        reach: Reach,
        limit: u32,
    ) -> Answer<'_, Vec<DueIntent>> {
        Box::pin(self.ask(move |tables| {
            let Tables { intents, quarantine, .. } = tables;
            let mut due: Vec<_> = intents
                .iter_mut()
                .filter(|(_, row)| row.status == Status::Planned && row.due <= now)
                .filter(|(_, row)| row.reach == reach)
                .filter(|(_, row)| !quarantine.contains_key(&row.owner))
                .collect();
            due.sort_by_key(|(id, row)| (row.due, **id));
            let take = |(id, row): (&IntentId, &mut IntentRow)| {
                row.due = now + HOLD;
                let attempt = row.attempt + 1;
                DueIntent { id: *id, owner: row.owner, tenant: row.tenant, attempt }
            };
            due.into_iter().take(limit as usize).map(take).collect()
        }))
    }

    fn take_unresolved(&self, now: DateTime<Utc>, limit: u32) -> Answer<'_, Vec<OpenIntent>> {
        Box::pin(self.ask(move |tables| {
            let mut due: Vec<_> = tables
                .intents
                .iter_mut()
                .filter(|(_, row)| row.status.is_open() && row.look_at <= now)
                .collect();
            due.sort_by_key(|(id, row)| (row.look_at, **id));
            let take = |(id, row): (&IntentId, &mut IntentRow)| {
                row.look_at = now + HOLD;
                open(*id, row)
            };
            due.into_iter().take(limit as usize).map(take).collect()
        }))
    }

    fn sending(&self, ids: Vec<IntentId>) -> Answer<'_, Vec<OpenIntent>> {
        Box::pin(self.ask(move |tables| {
            let rows = ids.iter().filter_map(|id| Some((*id, tables.intents.get(id)?)));
            let sending = rows.filter(|(_, row)| row.status == Status::Sending);
            sending.map(|(id, row)| open(id, row)).collect()
        }))
    }

    fn not_found(&self, id: IntentId, attempt: Attempt, look_at: DateTime<Utc>) -> Answer<'_, ()> {
        Box::pin(self.ask(move |tables| {
            let is_it = |row: &&mut IntentRow| row.status.is_open() && row.attempt == attempt;
            if let Some(row) = tables.intents.get_mut(&id).filter(is_it) {
                row.lookups += 1;
                row.look_at = look_at;
            }
        }))
    }

    fn ambiguous(
        &self,
        id: IntentId,
        attempt: Attempt,
        now: DateTime<Utc>,
        until: DateTime<Utc>,
    ) -> Answer<'_, ()> {
        Box::pin(self.ask(move |tables| {
            let is_it = |row: &&mut IntentRow| row.status.is_open() && row.attempt == attempt;
            if let Some(row) = tables.intents.get_mut(&id).filter(is_it) {
                row.status = Status::Ambiguous;
                row.ambiguous_since.get_or_insert(now);
                row.look_at = until;
                row.held_until = row.held_until.map(|held| held.max(until));
            }
        }))
    }

    fn permits_taken(&self, now: DateTime<Utc>) -> Answer<'_, u32> {
        Box::pin(self.ask(move |tables| {
            let is_running = |row: &&IntentRow| row.held_until.is_some_and(|until| until > now);
            u32::try_from(tables.intents.values().filter(is_running).count()).unwrap()
        }))
    }

    fn counts(&self) -> Answer<'_, Vec<IntentCount>> {
        Box::pin(self.ask(|tables| {
            let count = |status: OpenStatus| {
                let has = |row: &&IntentRow| row.status.as_str() == status.as_str();
                let rows = tables.intents.values().filter(has).count();
                let count = i64::try_from(rows).unwrap();
                IntentCount { tenant: TenantId::DEFAULT, status, count }
            };
            OpenStatus::ALL.map(count).to_vec()
        }))
    }
}

fn open(id: IntentId, row: &IntentRow) -> OpenIntent {
    OpenIntent {
        id,
        owner: row.owner,
        tenant: row.tenant,
        operation: row.operation.to_owned(),
        class: row.class,
        reach: row.reach,
        attempt: row.attempt,
        schema: row.schema,
        effect: row.effect.clone(),
        not_after: row.not_after,
        unanswered: row.unanswered,
        lookups: row.lookups,
        planned_at: row.planned_at,
        ambiguous_since: row.ambiguous_since,
    }
}

impl Dialing for Memory {
    fn stop(
        &self,
        scope: DialScope,
        by: String,
        reason: Option<String>,
        at: DateTime<Utc>,
    ) -> Answer<'_, ()> {
        Box::pin(self.ask(move |tables| {
            tables.stops.retain(|stop| stop.scope != scope);
            tables.stops.push(DialStop { scope, by, reason, since: at });
        }))
    }

    fn leaving(
        &self,
        scope: DialScope,
        now: DateTime<Utc>,
        before: DateTime<Utc>,
    ) -> Answer<'_, u32> {
        Box::pin(self.ask(move |tables| {
            let is_meant = |row: &&IntentRow| match &scope {
                DialScope::Tenant(tenant) => row.tenant == *tenant,
                DialScope::All | DialScope::Provider(_) | DialScope::Unknown(_) => true,
            };
            let is_leaving = |row: &&IntentRow| {
                row.status == Status::Sending
                    && row.reach == Reach::Rings
                    && (row.not_after > now && row.not_after <= before)
            };
            let leaving = tables.intents.values().filter(is_meant).filter(is_leaving).count();
            u32::try_from(leaving).unwrap()
        }))
    }

    fn resume(&self, scope: DialScope) -> Answer<'_, bool> {
        Box::pin(self.ask(move |tables| {
            let before = tables.stops.len();
            tables.stops.retain(|stop| stop.scope != scope);
            tables.stops.len() < before
        }))
    }

    fn stops(&self) -> Answer<'_, Vec<DialStop>> {
        Box::pin(self.ask(|tables| tables.stops.clone()))
    }
}

impl Quarantine for Memory {
    fn put(
        &self,
        key: EntityKey,
        tenant: TenantId,
        reason: String,
        poison: Option<Uuid>,
        at: DateTime<Utc>,
    ) -> Answer<'_, ()> {
        Box::pin(self.ask(move |tables| {
            let row = QuarantineRow { tenant, reason, poison, since: at };
            tables.quarantine.insert(key, row);
            tables.wakes.remove(&key);
        }))
    }

    fn release(
        &self,
        key: EntityKey,
        tenant: Option<TenantId>,
        at: DateTime<Utc>,
    ) -> Answer<'_, bool> {
        Box::pin(self.ask(move |tables| {
            let is_theirs = |row: &QuarantineRow| tenant.is_none_or(|tenant| row.tenant == tenant);
            if !tables.quarantine.get(&key).is_some_and(is_theirs) {
                return false;
            }
            let Some(released) = tables.quarantine.remove(&key) else { return false };
            for row in tables.inbox.values_mut().filter(|row| row.to == key) {
                row.attempts = 0;
                row.available_at = at;
            }
            let wake = WakeRow { tenant: released.tenant, due: at };
            tables.wakes.entry(key).or_insert(wake);
            true
        }))
    }

    fn list(&self, limit: u32) -> Answer<'_, Vec<QuarantinedEntity>> {
        Box::pin(self.ask(move |tables| {
            let waiting = |key: EntityKey| {
                let of = |row: &&Row| row.to == key && row.set_aside.is_none();
                i64::try_from(tables.inbox.values().filter(of).count()).unwrap()
            };
            let entity = |(key, row): (&EntityKey, &QuarantineRow)| QuarantinedEntity {
                key: *key,
                tenant: row.tenant,
                reason: row.reason.clone(),
                poison: row.poison,
                since: row.since,
                waiting: waiting(*key),
            };
            tables.quarantine.iter().take(limit as usize).map(entity).collect()
        }))
    }
}

impl Facts for Memory {
    fn after(&self, seq: i64, limit: u32) -> Answer<'_, FactPage> {
        Box::pin(self.ask(move |tables| {
            let rows = tables.facts.iter().filter(|fact| fact.seq > seq);
            let rows: Vec<_> = rows.take(limit as usize).cloned().collect();
            let after = rows.first().map_or(seq, |fact| fact.seq - 1);
            let to = rows.last().map_or(seq, |fact| fact.seq);
            let is_known = |fact: &StoredFact| !tables.unknown.contains(&fact.seq);
            FactPage { facts: rows.into_iter().filter(is_known).collect(), after, to }
        }))
    }

    fn of(&self, key: EntityKey, seq: i64, limit: u32) -> Answer<'_, Vec<StoredFact>> {
        Box::pin(self.ask(move |tables| {
            let facts = tables.facts.iter().filter(|fact| fact.key == key && fact.seq > seq);
            facts.take(limit as usize).cloned().collect()
        }))
    }

    fn head(&self) -> Answer<'_, (i64, String)> {
        Box::pin(self.ask(|tables| (tables.seq, "memory".to_owned())))
    }
}

impl Resolver for Memory {
    fn resolve(&self, asked: Vec<Whose>) -> Answer<'_, Vec<Resolution>> {
        Box::pin(
            self.ask(move |tables| asked.iter().map(|whose| whose_is(tables, whose)).collect()),
        )
    }
}

fn whose_is(tables: &Tables, whose: &Whose) -> Resolution {
    let call_id = whose.call_id.as_str();
    let named = EntityId::derived(whose.tenant, MR_HIRE, call_id);
    let alias = (whose.tenant, MR_HIRE.to_owned(), call_id.to_owned());
    let known = whose.intent.and_then(|id| Some(tables.intents.get(&id)?.owner.id));
    let known = known.or_else(|| tables.aliases.get(&alias).copied());
    let known = known.or_else(|| tables.entities.contains_key(&named).then_some(named));
    if let Some(id) = known {
        return Resolution::Known(id);
    }
    let phone = whose.phone.as_ref().map(|phone| phone.as_str());
    let is_ringing = |row: &IntentRow| {
        row.status.is_open() && row.reach == Reach::Rings && row.callee.as_deref() == phone
    };
    let ringing = tables.intents.iter().find(|(_, row)| phone.is_some() && is_ringing(row));
    let key = EntityKey { kind: Kind::Interview, id: named };
    let is_open = |row: &Row| row.to == key && row.waits_for.is_none();
    let is_stored = tables.inbox.values().any(is_open) || tables.quarantine.contains_key(&key);
    match ringing {
        Some((id, _)) => Resolution::Waits(*id),
        None if is_stored => Resolution::Known(named),
        None => Resolution::New(named),
    }
}
