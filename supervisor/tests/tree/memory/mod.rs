//! The store in memory: what PostgreSQL does for the tree, under one lock, with faults by switch.

mod commit;
mod intents;
mod ports;
mod tables;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use domain::ports::{
    BoxFuture, Clock, FactSink, Journal, JournalError, LedgerAnswer, Step, StoreError, StoredFact,
    Verdict, VerdictName,
};
use domain::{DedupeKey, EntityId, IntentId};
use tokio::sync::watch;

use tables::Tables;
pub use tables::{EntityRow, IntentRow, Row, Status};

/// One database, shared by every tree that is built on it.
#[derive(Clone)]
pub struct Memory(Arc<Inner>);

struct Inner {
    clock: Arc<dyn Clock>,
    tables: Mutex<Tables>,
    faults: Mutex<Faults>,
    sink: Mutex<Option<Arc<dyn FactSink>>>,
    /// While it says so, nothing is committed.
    held: watch::Sender<bool>,
}

/// What goes wrong, and how often.
#[derive(Clone, Debug, Default)]
pub struct Faults {
    /// The journal answers nothing, and commits nothing.
    pub journal_away: bool,
    /// The journal's queue is full.
    pub journal_busy: bool,
    /// So many steps commit, and are answered as away.
    pub replies_lost: u32,
    /// How long each commit takes.
    pub journal_delay: Duration,
    /// The store beside the journal answers nothing.
    pub store_away: bool,
    /// How long each answer of the store takes.
    pub store_delay: Duration,
    /// Entities that another instance moves on just before their next step, and how often.
    pub overtaken: HashMap<EntityId, u32>,
}

impl Memory {
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self(Arc::new(Inner {
            clock,
            tables: Mutex::new(Tables::default()),
            faults: Mutex::default(),
            sink: Mutex::default(),
            held: watch::Sender::new(false),
        }))
    }

    /// Forgets the facts themselves: a stress test counts them only.
    pub fn keep_no_facts(&self) {
        self.tables().keep_no_facts = true;
    }

    /// Makes a committed fact one of a kind that only a newer release knows.
    pub fn forget_kind(&self, seq: i64) {
        self.tables().unknown.insert(seq);
    }

    /// Publishes what is committed from now on.
    pub fn publish_to(&self, sink: Arc<dyn FactSink>) {
        *self.0.sink.lock().unwrap() = Some(sink);
    }

    pub fn fail(&self, change: impl FnOnce(&mut Faults)) {
        change(&mut self.0.faults.lock().unwrap());
    }

    /// Lets another instance move an entity on just before each of its next `times` steps.
    pub fn overtake(&self, id: EntityId, times: u32) {
        self.fail(|faults| {
            faults.overtaken.insert(id, times);
        });
    }

    /// Holds every commit back until it is called with `false`.
    pub fn hold(&self, held: bool) {
        self.0.held.send_replace(held);
    }

    pub fn entity(&self, id: EntityId) -> Option<EntityRow> {
        self.tables().entities.get(&id).cloned()
    }

    /// Returns every entity's row.
    pub fn entities(&self) -> Vec<EntityRow> {
        self.tables().entities.values().cloned().collect()
    }

    /// Changes an intent's row as nobody here does.
    pub fn change_intent(&self, id: IntentId, change: impl FnOnce(&mut IntentRow)) {
        self.tables().intents.get_mut(&id).map(change);
    }

    /// Returns the entity's machine.
    pub fn state<M: domain::Machine>(&self, id: EntityId) -> M {
        let row = self.entity(id);
        row.map_or_else(|| M::absent(id), |row| serde_json::from_str(&row.state).unwrap())
    }

    /// Returns how often a checkpoint was loaded.
    pub fn loads(&self, id: EntityId) -> usize {
        self.tables().loads.get(&id).copied().unwrap_or_default()
    }

    pub fn intent(&self, id: IntentId) -> Option<IntentRow> {
        self.tables().intents.get(&id).cloned()
    }

    /// Returns the rows in an entity's inbox, in order.
    pub fn rows(&self, id: EntityId) -> Vec<Row> {
        self.tables().inbox.values().filter(|row| row.to.id == id).cloned().collect()
    }

    /// Returns the verdicts on one key, in the order they were committed.
    pub fn verdicts(&self, key: DedupeKey) -> Vec<VerdictName> {
        let tables = self.tables();
        tables.decided.iter().filter(|(k, _)| *k == key).map(|(_, verdict)| *verdict).collect()
    }

    pub fn facts(&self) -> Vec<StoredFact> {
        self.tables().facts.clone()
    }

    /// Returns the last number given to a fact.
    pub fn seq(&self) -> i64 {
        self.tables().seq
    }

    /// Returns when an entity is woken.
    pub fn wake(&self, id: EntityId) -> Option<chrono::DateTime<chrono::Utc>> {
        let key = domain::EntityKey { kind: domain::Kind::Interview, id };
        self.tables().wakes.get(&key).map(|wake| wake.due)
    }

    /// Makes an entity's checkpoint unreadable.
    pub fn spoil(&self, id: EntityId) {
        let key = domain::EntityKey { kind: domain::Kind::Interview, id };
        self.tables().overtake(key, domain::TenantId::DEFAULT);
    }

    /// Makes what is stored of an entity that has a row unreadable.
    pub fn garble(&self, id: EntityId) {
        self.tables().entities.get_mut(&id).unwrap().state = "{".to_owned();
    }

    /// Commits as another instance does: nothing of it is published here.
    pub fn commit_elsewhere(&self, step: &Step) -> Verdict {
        let now = self.0.clock.now();
        self.tables().commit(step, now).0
    }

    fn tables(&self) -> MutexGuard<'_, Tables> {
        self.0.tables.lock().unwrap()
    }

    fn faults(&self) -> Faults {
        self.0.faults.lock().unwrap().clone()
    }

    /// Answers as the store does in its present state.
    async fn ask<T>(&self, answer: impl FnOnce(&mut Tables) -> T + Send) -> Result<T, StoreError> {
        let faults = self.faults();
        if !faults.store_delay.is_zero() {
            tokio::time::sleep(faults.store_delay).await;
        }
        if faults.store_away {
            return Err(StoreError::Away(anyhow::anyhow!("switched off")));
        }
        Ok(answer(&mut self.tables()))
    }

    fn commit(&self, step: &Step) -> LedgerAnswer {
        let (is_away, is_lost) = {
            let mut faults = self.0.faults.lock().unwrap();
            let overtaken = faults.overtaken.get_mut(&step.key.id).filter(|times| **times > 0);
            if let Some(times) = overtaken {
                *times -= 1;
                self.tables().overtake(step.key, step.tenant);
            }
            let is_lost = faults.replies_lost > 0 && !faults.journal_away;
            faults.replies_lost -= u32::from(is_lost);
            (faults.journal_away, is_lost)
        };
        if is_away {
            return Err(JournalError::Away);
        }
        let now = self.0.clock.now();
        let mut tables = self.tables();
        let (verdict, facts) = tables.commit(step, now);
        if let Some(sink) = &*self.0.sink.lock().unwrap()
            && !facts.is_empty()
        {
            // Under the tables' lock: batches are published in the order of their numbers.
            sink.publish(facts);
        }
        drop(tables);
        if is_lost { Err(JournalError::Away) } else { Ok(verdict) }
    }
}

impl Journal for Memory {
    /// A step that was submitted commits, whether or not anybody still waits for the answer.
    fn submit(&self, step: Step) -> BoxFuture<'static, LedgerAnswer> {
        let faults = self.faults();
        if faults.journal_busy {
            return Box::pin(async { Err(JournalError::Busy) });
        }
        if faults.journal_delay.is_zero() && !*self.0.held.borrow() {
            let answer = self.commit(&step);
            return Box::pin(async move { answer });
        }
        let memory = self.clone();
        let commit = tokio::spawn(async move {
            tokio::time::sleep(faults.journal_delay).await;
            let mut held = memory.0.held.subscribe();
            held.wait_for(|held| !held).await.unwrap();
            memory.commit(&step)
        });
        Box::pin(async move { commit.await.unwrap() })
    }
}
