//! The tables.

use std::collections::{BTreeMap, HashMap, HashSet};

use chrono::{DateTime, Duration, Utc};
use domain::ports::{DialStop, InboxRow, StoredFact, VerdictName};
use domain::{
    Attempt, DedupeKey, EntityId, EntityKey, IntentId, Kind, OperationClass, Reach, TenantId,
};
use uuid::Uuid;

/// How long taken work is invisible to other takers.
pub const HOLD: Duration = Duration::seconds(30);

#[derive(Default)]
pub struct Tables {
    pub seq: i64,
    pub entities: HashMap<EntityId, EntityRow>,
    pub keys: HashSet<DedupeKey>,
    pub decided: Vec<(DedupeKey, VerdictName)>,
    pub facts: Vec<StoredFact>,
    pub keep_no_facts: bool,
    /// Numbers of facts whose kind only a newer release knows.
    pub unknown: HashSet<i64>,
    pub inbox: BTreeMap<i64, Row>,
    pub positions: HashMap<Uuid, i64>,
    pub last_position: i64,
    pub wakes: HashMap<EntityKey, WakeRow>,
    pub intents: HashMap<IntentId, IntentRow>,
    pub aliases: HashMap<(TenantId, String, String), EntityId>,
    pub quarantine: HashMap<EntityKey, QuarantineRow>,
    pub stops: Vec<DialStop>,
    pub loads: HashMap<EntityId, usize>,
}

#[derive(Clone, Debug)]
pub struct EntityRow {
    pub kind: Kind,
    pub tenant: TenantId,
    pub version: i64,
    pub schema: u16,
    pub state: String,
    /// Facts appended by its steps.
    pub facts: i64,
    /// When it last changed.
    pub updated_at: DateTime<Utc>,
}

/// A row of the inbox.
#[derive(Clone, Debug)]
pub struct Row {
    pub id: Uuid,
    pub tenant: TenantId,
    pub to: EntityKey,
    pub waits_for: Option<IntentId>,
    pub schema: u16,
    pub event: String,
    pub remarks: Option<String>,
    pub hops: u16,
    pub attempts: u32,
    pub received_at: DateTime<Utc>,
    pub available_at: DateTime<Utc>,
    pub set_aside: Option<String>,
}

#[derive(Clone, Copy, Debug)]
pub struct WakeRow {
    pub tenant: TenantId,
    pub due: DateTime<Utc>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    Planned,
    Sending,
    Ambiguous,
    Done,
    Cancelled,
}

impl Status {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Planned => "planned",
            Self::Sending => "sending",
            Self::Ambiguous => "ambiguous",
            Self::Done => "done",
            Self::Cancelled => "cancelled",
        }
    }

    pub const fn is_open(self) -> bool {
        matches!(self, Self::Sending | Self::Ambiguous)
    }
}

#[derive(Clone, Debug)]
pub struct IntentRow {
    pub owner: EntityKey,
    pub tenant: TenantId,
    pub operation: &'static str,
    pub class: OperationClass,
    pub reach: Reach,
    pub callee: Option<String>,
    pub schema: u16,
    pub effect: String,
    pub status: Status,
    pub attempt: Attempt,
    pub due: DateTime<Utc>,
    pub not_after: DateTime<Utc>,
    pub held_until: Option<DateTime<Utc>>,
    pub unanswered: u32,
    pub look_at: DateTime<Utc>,
    pub lookups: u32,
    pub ambiguous_since: Option<DateTime<Utc>>,
    pub planned_at: DateTime<Utc>,
}

#[derive(Clone, Debug)]
pub struct QuarantineRow {
    pub tenant: TenantId,
    pub reason: String,
    pub poison: Option<Uuid>,
    pub since: DateTime<Utc>,
}

impl Row {
    pub fn read(&self) -> InboxRow {
        InboxRow {
            row: self.id,
            key: DedupeKey(self.id),
            tenant: self.tenant,
            to: self.to,
            schema: self.schema,
            event: self.event.clone(),
            hops: self.hops,
            received_at: self.received_at,
        }
    }

    pub fn is_open(&self) -> bool {
        self.set_aside.is_none() && self.waits_for.is_none()
    }
}

impl Tables {
    pub fn insert_row(&mut self, row: Row) {
        self.last_position += 1;
        self.positions.insert(row.id, self.last_position);
        self.inbox.insert(self.last_position, row);
    }

    pub fn row_mut(&mut self, id: Uuid) -> Option<&mut Row> {
        self.inbox.get_mut(self.positions.get(&id)?)
    }

    pub fn remove_row(&mut self, id: Uuid) {
        if let Some(position) = self.positions.remove(&id) {
            self.inbox.remove(&position);
        }
    }

    /// Claims the open rows of `ids`, in order, whenever they were claimed before.
    pub fn claim(&mut self, kind: Kind, ids: &[EntityId], now: DateTime<Utc>) -> Vec<InboxRow> {
        if self.inbox.is_empty() {
            return Vec::new();
        }
        let Self { inbox, quarantine, .. } = self;
        let mut claimed = Vec::new();
        for row in inbox.values_mut() {
            let is_asked = row.to.kind == kind && ids.contains(&row.to.id);
            if is_asked && row.is_open() && !quarantine.contains_key(&row.to) {
                row.attempts += 1;
                row.available_at = now + HOLD;
                claimed.push(row.read());
            }
        }
        claimed
    }

    /// Moves an entity on as another instance would, without changing what it says.
    pub fn overtake(&mut self, key: EntityKey, tenant: TenantId) {
        let row = self.entities.entry(key.id).or_insert_with(|| EntityRow {
            kind: key.kind,
            tenant,
            version: 0,
            schema: 1,
            state: String::new(),
            facts: 0,
            updated_at: DateTime::UNIX_EPOCH,
        });
        row.version += 1;
    }
}
