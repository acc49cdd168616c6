//! Stand-ins for the tables behind the feed.

use std::collections::HashMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicI64, Ordering};

use chrono::{DateTime, Utc};
use domain::ports::{
    BoxFuture, Clock, FactPage, Facts, InterviewDetail, InterviewFilter, InterviewOwners,
    InterviewPage, InterviewQueries, InterviewStats, KnownCall, PageRequest, PersonStanding, Scope,
    Standing, Standings, StoreError, StoredFact, TenantStanding,
};
use domain::{EntityId, EntityKey, Kind, TenantId};
use uuid::Uuid;

type Answer<'a, T> = BoxFuture<'a, Result<T, StoreError>>;

/// Returns a fact of the `n`-th call.
pub fn fact(seq: i64, n: u128, data: &str) -> StoredFact {
    StoredFact {
        seq,
        tenant: TenantId::DEFAULT,
        key: EntityKey { kind: Kind::Interview, id: EntityId(Uuid::from_u128(n)) },
        version: 1,
        name: "reported".to_owned(),
        schema: 1,
        data: data.to_owned(),
        at: DateTime::UNIX_EPOCH,
    }
}

/// The rows, and every question about owners that was asked.
#[derive(Default)]
pub struct Table {
    rows: Mutex<HashMap<EntityId, Option<Uuid>>>,
    asked: Mutex<Vec<Vec<EntityId>>>,
    seq: AtomicI64,
}

impl Table {
    pub fn put(&self, n: u128, owner: Option<Uuid>, seq: i64) {
        self.rows.lock().unwrap().insert(EntityId(Uuid::from_u128(n)), owner);
        self.seq.store(seq, Ordering::Relaxed);
    }

    pub fn questions(&self) -> usize {
        self.asked.lock().unwrap().len()
    }
}

impl InterviewQueries for Table {
    fn page(&self, _: Scope, _: InterviewFilter, _: PageRequest) -> Answer<'_, InterviewPage> {
        let total = i64::try_from(self.rows.lock().unwrap().len()).unwrap();
        let seq = self.seq.load(Ordering::Relaxed);
        Box::pin(async move { Ok(InterviewPage { rows: Vec::new(), total, seq }) })
    }

    fn owners(&self, _: TenantId, ids: Vec<EntityId>) -> Answer<'_, InterviewOwners> {
        let rows = self.rows.lock().unwrap();
        let owners = ids.iter().filter_map(|id| Some((*id, *rows.get(id)?))).collect();
        self.asked.lock().unwrap().push(ids);
        let seq = self.seq.load(Ordering::Relaxed);
        Box::pin(async move { Ok(InterviewOwners { owners, seq }) })
    }

    fn detail(&self, _: Scope, _: EntityId) -> Answer<'_, Option<InterviewDetail>> {
        unreachable!("no test of the feed reads one")
    }

    fn stats(&self, _: Scope, _: InterviewFilter) -> Answer<'_, InterviewStats> {
        unreachable!("the feed reads no figures")
    }

    fn known(&self, _: TenantId, _: Vec<String>) -> Answer<'_, Vec<KnownCall>> {
        unreachable!("the feed syncs nothing")
    }

    fn stale(&self, _: TenantId, _: DateTime<Utc>) -> Answer<'_, bool> {
        unreachable!("the feed syncs nothing")
    }
}

/// The log: numbers up to `head`, all but these facts of kinds that nobody here knows.
pub struct Log {
    pub known: Vec<StoredFact>,
    pub head: i64,
}

impl Facts for Log {
    fn after(&self, seq: i64, limit: u32) -> Answer<'_, FactPage> {
        let to = self.head.min(seq + i64::from(limit));
        let facts = self.known.iter().filter(|fact| fact.seq > seq && fact.seq <= to);
        let page = FactPage { facts: facts.cloned().collect(), after: seq, to };
        Box::pin(async move { Ok(page) })
    }

    fn of(&self, _: EntityKey, _: i64, _: u32) -> Answer<'_, Vec<StoredFact>> {
        unreachable!("the feed reads the whole log")
    }

    fn head(&self) -> Answer<'_, (i64, String)> {
        Box::pin(async { Ok((self.head, "epoch".to_owned())) })
    }
}

/// A clock that a test moves, and how the one person stands who comes; `None` is a database that is away.
pub struct Door {
    seconds: AtomicI64,
    person: Mutex<Option<PersonStanding>>,
}

impl Default for Door {
    fn default() -> Self {
        let person = Mutex::new(Some(PersonStanding::Unlisted));
        Self { seconds: AtomicI64::new(1_800_000_000), person }
    }
}

impl Door {
    pub fn set(&self, person: Option<PersonStanding>) {
        *self.person.lock().unwrap() = person;
    }

    pub fn pass(&self, seconds: i64) {
        self.seconds.fetch_add(seconds, Ordering::Relaxed);
    }
}

impl Clock for Door {
    fn now(&self) -> DateTime<Utc> {
        DateTime::from_timestamp(self.seconds.load(Ordering::Relaxed), 0).unwrap()
    }
}

impl Standings for Door {
    fn standing(&self, _: TenantId, _: Uuid) -> Answer<'_, Standing> {
        let person = *self.person.lock().unwrap();
        let person = person.ok_or_else(|| StoreError::Away(anyhow::anyhow!("it is away")));
        let tenant = TenantStanding::Open;
        Box::pin(async move { Ok(Standing { tenant, person: person? }) })
    }
}
