//! One kind's part of the tree: its registry, and everything that is the same for all its entities.

use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use actors::{Bar, Context, Delivery, Inlet, Performer, Pushed, Replied, Rest};
use chrono::{DateTime, Utc};
use dashmap::{DashMap, Entry};
use domain::ports::{Clock, Store};
use domain::{Cause, EntityId, EntityKey, Machine, Nudge, TenantId};
use ractor::{ActorCell, ActorId};
use tokio::sync::{Semaphore, mpsc};

use crate::life::Life;
use crate::loader::Load;
use crate::restarts::Restarts;

/// One entity's place in the registry, from its first lookup to its passivation.
pub(crate) struct Slot<M: Machine> {
    pub inlet: Arc<Inlet<M>>,
    /// When something was last pushed, in ms since the epoch.
    touched_ms: AtomicI64,
    /// How often somebody said that rows lie in its inbox.
    looks_asked: AtomicU64,
    /// Up to which of those times the rows were handed to the actor.
    looks_done: AtomicU64,
}

impl<M: Machine> Slot<M> {
    fn with(inlet: Inlet<M>, now: DateTime<Utc>) -> Self {
        Self {
            inlet: Arc::new(inlet),
            touched_ms: AtomicI64::new(now.timestamp_millis()),
            looks_asked: AtomicU64::new(0),
            looks_done: AtomicU64::new(0),
        }
    }

    pub fn touch(&self, now: DateTime<Utc>) {
        self.touched_ms.store(now.timestamp_millis(), Ordering::Relaxed);
    }

    /// Whether rows of its inbox may be open, so that what comes takes the slow way behind them.
    pub fn has_backlog(&self) -> bool {
        self.looks_asked.load(Ordering::Acquire) != self.looks_done.load(Ordering::Acquire)
    }

    /// Returns how often it was asked to look; what is handed over after this answers all of them.
    pub fn looks(&self) -> u64 {
        self.looks_asked.load(Ordering::Acquire)
    }

    /// Notes that the rows of the first `looks` times lie before the actor.
    pub fn looked(&self, looks: u64) {
        self.looks_done.fetch_max(looks, Ordering::AcqRel);
    }
}

/// An actor that is alive.
pub(crate) struct Child<M: Machine> {
    pub id: EntityId,
    /// Whose data it is, where its checkpoint said so.
    pub tenant: Option<TenantId>,
    pub slot: Arc<Slot<M>>,
}

/// One kind's part of the tree.
pub struct Branch<M: Machine> {
    pub(crate) slots: DashMap<EntityId, Arc<Slot<M>>>,
    pub(crate) children: DashMap<ActorId, Child<M>>,
    pub(crate) store: Arc<dyn Store>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) shared: Arc<Context<M>>,
    pub(crate) performer: Arc<dyn Performer<M>>,
    pub(crate) loads: mpsc::Sender<Load>,
    pub(crate) admission: Arc<Semaphore>,
    pub(crate) restarts: Mutex<Restarts>,
    /// Entities whose quarantine is being written down.
    pub(crate) sealing: DashMap<EntityId, ()>,
    pub(crate) supervisor: RwLock<Option<ActorCell>>,
    pub(crate) accepts: AtomicBool,
    pub(crate) counts: Counts,
    pub(crate) life: Life,
}

/// What a branch counts since its start.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    pub spawned: AtomicU64,
    pub restarted: AtomicU64,
    pub passivated: AtomicU64,
}

impl<M: Machine> Branch<M> {
    /// Returns the entity's slot; makes one, and asks for its checkpoint, when it has none.
    pub(crate) fn slot(&self, id: EntityId) -> Arc<Slot<M>> {
        self.slot_by(id, Load::Activate(id))
    }

    /// Returns the entity's slot; makes one, and starts its actor without a load, when it has none.
    pub(crate) fn begin(&self, id: EntityId) -> Arc<Slot<M>> {
        self.slot_by(id, Load::Begin(id))
    }

    fn slot_by(&self, id: EntityId, load: Load) -> Arc<Slot<M>> {
        if let Some(slot) = self.slots.get(&id) {
            return Arc::clone(&slot);
        }
        match self.slots.entry(id) {
            Entry::Occupied(slot) => Arc::clone(slot.get()),
            Entry::Vacant(vacant) => {
                let slot = Arc::new(Slot::with(Inlet::loading(), self.clock.now()));
                match self.loads.try_send(load) {
                    Ok(()) => drop(vacant.insert(Arc::clone(&slot))),
                    // As many loads wait as may: whoever pushes here is told to come again.
                    Err(_) => slot.inlet.close(),
                }
                slot
            }
        }
    }

    /// Returns the entity's slot, if it has one.
    pub(crate) fn known(&self, id: EntityId) -> Option<Arc<Slot<M>>> {
        self.slots.get(&id).map(|slot| Arc::clone(&slot))
    }

    /// Removes a slot that is done for, unless another one took its place.
    pub(crate) fn forget(&self, id: EntityId, slot: &Arc<Slot<M>>) {
        self.slots.remove_if(&id, |_, current| Arc::ptr_eq(current, slot));
    }

    /// Lets nothing reach an entity, whatever is in its place now.
    pub(crate) fn seal(&self, id: EntityId, bar: Bar) {
        let sealed = Arc::new(Slot::with(Inlet::barred(bar), self.clock.now()));
        if let Some(before) = self.slots.insert(id, sealed) {
            if let Some(actor) = before.inlet.actor() {
                actor.stop(None);
            }
            before.inlet.close();
        }
    }

    /// Whether an actor of this entity is alive here.
    pub fn is_live(&self, id: EntityId) -> bool {
        self.slots.get(&id).is_some_and(|slot| slot.inlet.actor().is_some())
    }

    /// Whether the entity may not be activated, as far as is known here.
    pub(crate) fn is_quarantined(&self, id: EntityId) -> bool {
        self.known(id).is_some_and(|slot| slot.inlet.barred_for() == Some(Bar::Quarantine))
    }

    /// Whether deliveries are taken; they are not once the tree is drained.
    pub fn is_open(&self) -> bool {
        self.accepts.load(Ordering::Acquire)
    }

    /// Tells an entity something of the shell's own; what is lost comes back by its row.
    pub(crate) fn nudge(&self, id: EntityId, tenant: TenantId, nudge: Nudge) {
        let now = self.clock.now();
        let delivery = Delivery {
            tenant,
            event: Arc::new(M::Event::from(nudge)),
            cause: Cause::Nudge(nudge),
            hops: 0,
            received_at: now,
            remarks: None,
            reply: Replied::Nobody,
            admission: None,
        };
        let slot = self.slot(id);
        let Pushed::Closed(delivery) = slot.inlet.push(delivery) else { return };
        self.forget(id, &slot);
        self.slot(id).inlet.push(delivery);
    }

    /// Says that rows lie in an entity's inbox: they are loaded with it, or claimed for it.
    pub fn look_into_inbox(&self, id: EntityId) {
        let Some(slot) = self.known(id) else {
            // The rows were committed before, so the load of the checkpoint sees them.
            self.slot(id);
            return;
        };
        slot.looks_asked.fetch_add(1, Ordering::AcqRel);
        if self.loads.try_send(Load::Claim(id)).is_err() {
            // The sweep finds the rows again.
            metrics::counter!("ringmaster_load_queue_full_total").increment(1);
        }
    }

    /// Passivates entities nobody pushed to since `before`; answers how many.
    ///
    /// Closing the queue and leaving the registry is one step, and only an idle entity takes it. An
    /// entity that is barred for what the store says of it is looked up afresh next time, because
    /// another instance may have released it.
    pub fn passivate(&self, before: DateTime<Utc>) -> usize {
        let before_ms = before.timestamp_millis();
        let idle: Vec<EntityId> = self
            .slots
            .iter()
            .filter(|slot| {
                slot.touched_ms.load(Ordering::Relaxed) < before_ms || may_be_released(slot)
            })
            .map(|slot| *slot.key())
            .collect();
        let mut passivated = 0;
        for id in idle {
            let mut actor = None;
            self.slots.remove_if(&id, |_, slot| match slot.inlet.rest() {
                Rest::Taken(idle) => {
                    actor = Some(idle);
                    true
                }
                Rest::WasClosed => true,
                Rest::Refused => may_be_released(slot) && !self.sealing.contains_key(&id),
            });
            if let Some(actor) = actor {
                actor.stop(None);
                passivated += 1;
            }
        }
        self.counts.passivated.fetch_add(passivated as u64, Ordering::Relaxed);
        passivated
    }

    /// Lets a barred entity be looked up afresh.
    pub(crate) fn unbar(&self, id: EntityId, bar: Bar) {
        self.slots.remove_if(&id, |_, slot| slot.inlet.barred_for() == Some(bar));
    }

    /// Closes every inlet: whoever still waits learns that nothing was decided.
    pub(crate) fn clear(&self) {
        self.slots.retain(|_, slot| {
            slot.inlet.close();
            false
        });
    }

    pub(crate) fn with_restarts<T>(&self, act: impl FnOnce(&mut Restarts) -> T) -> T {
        act(&mut self.restarts.lock().unwrap_or_else(PoisonError::into_inner))
    }

    pub(crate) fn supervisor_cell(&self) -> Option<ActorCell> {
        self.supervisor.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn key(id: EntityId) -> EntityKey {
        EntityKey { kind: M::KIND, id }
    }
}

/// Whether an entity is barred for what the store says of it, which may change without us.
fn may_be_released<M: Machine>(slot: &Slot<M>) -> bool {
    matches!(slot.inlet.barred_for(), Some(Bar::Quarantine | Bar::Newer))
}
