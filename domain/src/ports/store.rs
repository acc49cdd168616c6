//! The store beside the journal: checkpoints, inbox, timers, open intents, the feed's history.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::{BoxFuture, Dialing};
use crate::ids::{DedupeKey, EntityId, EntityKey, IntentId, Kind, TenantId};
use crate::machine::{Attempt, Machine, OperationClass, Reach};
use crate::value::{CallId, Phone};

/// The store could not answer.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The database is away or too slow; the same question may be asked again.
    #[error("the store is away")]
    Away(#[source] anyhow::Error),
    /// The database answered with an error that asking again does not change.
    #[error("the store refused")]
    Broken(#[source] anyhow::Error),
}

pub(super) type Answer<'a, T> = BoxFuture<'a, Result<T, StoreError>>;

/// Writes a kind's projection; the one part of a kind that knows its table.
pub trait Repository<M: Machine>: Send + Sync {
    /// Returns the projection of `machine` in the order of the kind's `advance_…` function.
    ///
    /// A document that is not in `documents` is none, which leaves it as it is stored.
    fn columns(&self, machine: &M, documents: &[M::Document]) -> Vec<Option<String>>;
}

/// What is stored of one entity.
#[derive(Clone, Debug)]
pub struct Checkpoint {
    /// Whose data it is.
    pub tenant: TenantId,
    /// How many commits made it.
    pub version: i64,
    /// The schema number of `state`.
    pub schema: u16,
    /// The machine, as JSON.
    pub state: String,
}

/// What an activation starts from.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// Which entity.
    pub id: EntityId,
    /// Its checkpoint; none when it has no row.
    pub checkpoint: Option<Checkpoint>,
    /// Its open inbox rows, in order, claimed by this load.
    pub inbox: Vec<InboxRow>,
    /// Why it may not be activated, when it may not.
    pub quarantine: Option<String>,
}

impl Loaded {
    /// Returns what a load brings of an entity of which nothing is stored.
    pub fn nothing(id: EntityId) -> Self {
        Self { id, checkpoint: None, inbox: Vec::new(), quarantine: None }
    }
}

/// One open row of the inbox.
#[derive(Clone, Debug)]
pub struct InboxRow {
    /// The row.
    pub row: Uuid,
    /// Its dedupe key.
    pub key: DedupeKey,
    /// Whose data it is.
    pub tenant: TenantId,
    /// For whom it is.
    pub to: EntityKey,
    /// The schema number of `event`.
    pub schema: u16,
    /// The event, as JSON.
    pub event: String,
    /// How many entities the chain passed.
    pub hops: u16,
    /// When it came in.
    pub received_at: DateTime<Utc>,
}

/// A delivery that is put into the inbox.
#[derive(Clone, Debug)]
pub struct NewInboxRow {
    /// Its dedupe key, which is also the row's id.
    pub key: DedupeKey,
    /// Whose data it is.
    pub tenant: TenantId,
    /// For whom it is; none while it waits for an intent to say so.
    pub to: EntityKey,
    /// The intent that must resolve before it can be told for whom it is.
    pub waits_for: Option<IntentId>,
    /// The schema number of `event`.
    pub schema: u16,
    /// The event, as JSON.
    pub event: String,
    /// What of it could not be used; it stands beside the verdict later, as the body does.
    pub remarks: Option<String>,
    /// The body as it came, when it was pushed.
    pub raw: Option<Vec<u8>>,
    /// How many entities the chain passed.
    pub hops: u16,
    /// How often its handling already failed.
    pub attempts: u32,
    /// When it came in.
    pub received_at: DateTime<Utc>,
}

/// What became of a delivery that was put into the inbox.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Parking {
    /// It waits there, and will be applied once.
    Stored,
    /// Its key was taken before.
    Duplicate,
}

/// Loads checkpoints.
pub trait Checkpoints: Send + Sync {
    /// Loads many entities of one kind with one statement each for checkpoints and inbox rows.
    ///
    /// Claims the open inbox rows it answers with, at `now`.
    fn load(&self, kind: Kind, ids: Vec<EntityId>, now: DateTime<Utc>) -> Answer<'_, Vec<Loaded>>;
    /// Returns the entities of `kind` that are not final, for a start; `after` pages through them.
    fn open(&self, kind: Kind, after: Option<EntityId>, limit: u32) -> Answer<'_, Vec<EntityId>>;
}

/// The durable inbox.
pub trait Inbox: Send + Sync {
    /// Commits a delivery to the inbox under its key.
    fn park(&self, row: NewInboxRow) -> Answer<'_, Parking>;
    /// Claims the open rows of live entities; they are hidden from the sweep for 30 s.
    fn claim(
        &self,
        kind: Kind,
        ids: Vec<EntityId>,
        now: DateTime<Utc>,
    ) -> Answer<'_, Vec<InboxRow>>;
    /// Returns receivers with open rows that nobody claimed lately; pushes those rows 30 s ahead.
    fn backlog(&self, now: DateTime<Utc>, limit: u32) -> Answer<'_, Vec<EntityKey>>;
    /// Sets a row aside for good, with the reason; it stays visible.
    fn set_aside(&self, row: Uuid, reason: String) -> Answer<'_, ()>;
    /// Counts, by kind, the rows that were set aside.
    fn aside(&self) -> Answer<'_, Vec<(Kind, i64)>>;
    /// Takes rows whose intent resolved, for 30 s: until [`Inbox::readdress`] they stay linked to it.
    fn released(&self, now: DateTime<Utc>, limit: u32) -> Answer<'_, Vec<InboxRow>>;
    /// Gives a linked row its receiver, and unlinks it; one that was given its own before keeps that.
    fn readdress(&self, row: Uuid, to: EntityKey) -> Answer<'_, ()>;
}

/// A wake time that came.
#[derive(Clone, Copy, Debug)]
pub struct DueWake {
    /// Who is woken.
    pub key: EntityKey,
    /// Whose data it is.
    pub tenant: TenantId,
    /// When it was due.
    pub due: DateTime<Utc>,
}

/// The durable timers.
pub trait Timers: Send + Sync {
    /// Takes wake times that are due; each is pushed 30 s ahead, so that a crash only delays it.
    fn take_due(&self, now: DateTime<Utc>, limit: u32) -> Answer<'_, Vec<DueWake>>;
}

/// A planned intent whose time came.
#[derive(Clone, Debug)]
pub struct DueIntent {
    /// Which intent.
    pub id: IntentId,
    /// Who owes it.
    pub owner: EntityKey,
    /// Whose data it is.
    pub tenant: TenantId,
    /// The attempt that sending it now would be.
    pub attempt: Attempt,
}

/// An intent that was sent, or is being sent.
#[derive(Clone, Debug)]
pub struct OpenIntent {
    /// Which intent.
    pub id: IntentId,
    /// Who owes it.
    pub owner: EntityKey,
    /// Whose data it is.
    pub tenant: TenantId,
    /// What is done.
    pub operation: String,
    /// What may be done about it.
    pub class: OperationClass,
    /// Whether it rings a phone.
    pub reach: Reach,
    /// The attempt under way.
    pub attempt: Attempt,
    /// The schema number of `effect`.
    pub schema: u16,
    /// What is needed to do it, as JSON.
    pub effect: String,
    /// No request leaves after this instant.
    pub not_after: DateTime<Utc>,
    /// How many attempts before this one were never answered.
    pub unanswered: u32,
    /// How many complete lookups did not find it.
    pub lookups: u32,
    /// When it was planned.
    pub planned_at: DateTime<Utc>,
    /// Set once it is known that its outcome cannot be found out.
    pub ambiguous_since: Option<DateTime<Utc>>,
}

/// The status of an intent that is not over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum OpenStatus {
    /// It is owed, and nothing was sent.
    Planned,
    /// It was sent, or is about to be.
    Sending,
    /// What became of it cannot be found out.
    Ambiguous,
}

impl OpenStatus {
    /// Every status of an open intent.
    pub const ALL: [Self; 3] = [Self::Planned, Self::Sending, Self::Ambiguous];

    /// Returns the stored text.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Planned => "planned",
            Self::Sending => "sending",
            Self::Ambiguous => "ambiguous",
        }
    }

    /// Reads the stored text; none where the intent is over.
    pub fn read(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.as_str() == text)
    }
}

/// How many open intents of one tenant have one status.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct IntentCount {
    /// Whose.
    pub tenant: TenantId,
    /// Which status.
    pub status: OpenStatus,
    /// How many.
    pub count: i64,
}

/// The intents beside the journal: finding work, and what is learnt without a decision.
pub trait Intents: Send + Sync {
    /// Takes planned intents of that reach that are due; pushes them 30 s ahead.
    fn take_planned(
        &self,
        now: DateTime<Utc>,
        reach: Reach,
        limit: u32,
    ) -> Answer<'_, Vec<DueIntent>>;
    /// Takes sent intents whose outcome is missing although it should be known; pushes them 30 s ahead.
    fn take_unresolved(&self, now: DateTime<Utc>, limit: u32) -> Answer<'_, Vec<OpenIntent>>;
    /// Loads intents that were just moved to `sending`.
    fn sending(&self, ids: Vec<IntentId>) -> Answer<'_, Vec<OpenIntent>>;
    /// Records a complete lookup that did not find it; the next one is not before `look_at`.
    fn not_found(&self, id: IntentId, attempt: Attempt, look_at: DateTime<Utc>) -> Answer<'_, ()>;
    /// Records that its outcome cannot be found out; it is held until `until`.
    fn ambiguous(
        &self,
        id: IntentId,
        attempt: Attempt,
        now: DateTime<Utc>,
        until: DateTime<Utc>,
    ) -> Answer<'_, ()>;
    /// Counts the permits that are taken: calls of ours that may be under way.
    fn permits_taken(&self, now: DateTime<Utc>) -> Answer<'_, u32>;
    /// Counts open intents by tenant and status, for the tree.
    fn counts(&self) -> Answer<'_, Vec<IntentCount>>;
}

/// An entity that may not be activated.
#[derive(Clone, Debug)]
pub struct QuarantinedEntity {
    /// Which entity.
    pub key: EntityKey,
    /// Whose data it is.
    pub tenant: TenantId,
    /// Why.
    pub reason: String,
    /// The inbox row that brought it there, where it is known.
    pub poison: Option<Uuid>,
    /// Since when.
    pub since: DateTime<Utc>,
    /// How many rows wait in its inbox.
    pub waiting: i64,
}

/// The quarantine.
pub trait Quarantine: Send + Sync {
    /// Puts an entity into quarantine and takes its wake time away.
    fn put(
        &self,
        key: EntityKey,
        tenant: TenantId,
        reason: String,
        poison: Option<Uuid>,
        at: DateTime<Utc>,
    ) -> Answer<'_, ()>;
    /// Releases it, if it is `tenant`'s or no tenant is named: its rows may be claimed again, and it is
    /// woken; answers whether it was there.
    fn release(
        &self,
        key: EntityKey,
        tenant: Option<TenantId>,
        at: DateTime<Utc>,
    ) -> Answer<'_, bool>;
    /// Returns who is in quarantine, oldest first, at most `limit` of each tenant's.
    fn list(&self, limit: u32) -> Answer<'_, Vec<QuarantinedEntity>>;
}

/// A committed fact.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredFact {
    /// Its number: no gaps, in commit order.
    pub seq: i64,
    /// Whose data it is.
    pub tenant: TenantId,
    /// Whose fact it is.
    pub key: EntityKey,
    /// The entity's version that it belongs to.
    pub version: i64,
    /// Its name.
    pub name: String,
    /// The schema number of `data`.
    pub schema: u16,
    /// The fact, as JSON.
    pub data: String,
    /// When it was decided.
    pub at: DateTime<Utc>,
}

/// A stretch of the log. Facts of kinds that only a newer release knows are passed over, so who goes
/// on from here goes by the numbers, not by the last fact.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FactPage {
    /// The facts, in order.
    pub facts: Vec<StoredFact>,
    /// The number the stretch begins after; beyond the one asked for where older facts aged out.
    pub after: i64,
    /// The number it reaches, which is the one it begins after when nothing follows that.
    pub to: i64,
}

/// The history of the feed.
pub trait Facts: Send + Sync {
    /// Reads up to `limit` facts after `seq`.
    fn after(&self, seq: i64, limit: u32) -> Answer<'_, FactPage>;
    /// Returns one entity's facts after `seq`, in order.
    fn of(&self, key: EntityKey, seq: i64, limit: u32) -> Answer<'_, Vec<StoredFact>>;
    /// Returns the last number, and the epoch of the log, which changes only when it is reset.
    fn head(&self) -> Answer<'_, (i64, String)>;
}

/// What a report says about whose call it is.
#[derive(Clone, Debug)]
pub struct Whose {
    /// Whose data it is.
    pub tenant: TenantId,
    /// The engine's name for the call.
    pub call_id: CallId,
    /// Our intent, when the engine echoes it.
    pub intent: Option<IntentId>,
    /// The number that was called.
    pub phone: Option<Phone>,
}

/// Whose call a report is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resolution {
    /// That entity's, known by our intent, by an alias, or because something of it is stored.
    Known(EntityId),
    /// Not to be told before this intent, which rings that number now, resolves.
    Waits(IntentId),
    /// Nobody's yet: the report creates the entity under its derived id, of which nothing is stored, so that
    /// there is nothing to load either.
    New(EntityId),
}

/// Tells whose call a report is about.
pub trait Resolver: Send + Sync {
    /// Answers for many reports with one statement.
    fn resolve(&self, asked: Vec<Whose>) -> Answer<'_, Vec<Resolution>>;
}

/// Everything the tree needs of the store.
pub trait Store:
    Checkpoints + Inbox + Timers + Intents + Dialing + Quarantine + Facts + Resolver
{
}

impl<T> Store for T where
    T: Checkpoints + Inbox + Timers + Intents + Dialing + Quarantine + Facts + Resolver
{
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_open_status_is_read_as_it_is_written() {
        for status in OpenStatus::ALL {
            assert_eq!(OpenStatus::read(status.as_str()), Some(status));
        }
        assert_eq!(OpenStatus::read("done"), None);
    }
}
