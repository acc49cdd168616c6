//! Activation: checkpoints are loaded in groups, as steps are committed in groups.

use std::collections::HashMap;
use std::panic::AssertUnwindSafe;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};
use std::time::Duration;

use actors::{Bar, Delivery, EntityActor, Replied, Start};
use domain::ports::{InboxRow, Loaded, StoreError};
use domain::{Cause, EntityId, Machine};
use futures_util::FutureExt as _;
use ractor::Actor;
use tokio::sync::mpsc;
use tokio::time::timeout;
use tracing::{error, warn};

use crate::branch::{Branch, Child, Slot};

/// Entities loaded with one statement.
const GROUP_MAX: usize = 256;
/// How long one load may take; beyond it whoever waits is told that nothing was decided.
pub(crate) const LOAD_TIMEOUT: Duration = Duration::from_secs(5);
/// How long rows wait that could not be claimed.
const CLAIM_PAUSE: Duration = Duration::from_secs(1);

/// What is asked of the loader.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Load {
    /// Start the actor of an entity of which nothing is stored.
    Begin(EntityId),
    /// Load the checkpoint and the inbox, and start an actor.
    Activate(EntityId),
    /// Hand the open rows of the inbox to the actor that is alive.
    Claim(EntityId),
}

/// Serves one branch until it is gone.
pub(crate) async fn run<M: Machine>(branch: Weak<Branch<M>>, mut asked: mpsc::Receiver<Load>) {
    let mut group = Vec::with_capacity(GROUP_MAX);
    while asked.recv_many(&mut group, GROUP_MAX).await > 0 {
        let Some(branch) = branch.upgrade() else { return };
        let (mut fresh, mut live) = (Vec::new(), Vec::new());
        for load in group.drain(..) {
            let (list, id): (&mut Vec<_>, _) = match load {
                Load::Begin(id) => {
                    branch.begin_now(id).await;
                    continue;
                }
                Load::Activate(id) => (&mut fresh, id),
                Load::Claim(id) => (&mut live, id),
            };
            if !list.contains(&id) {
                list.push(id);
            }
        }
        if !fresh.is_empty() {
            branch.activate(fresh).await;
        }
        if !live.is_empty() {
            branch.claim(live).await;
        }
    }
}

impl<M: Machine> Branch<M> {
    /// Loads and starts; whoever could not be started is looked up afresh by the next delivery.
    async fn activate(self: &Arc<Self>, ids: Vec<EntityId>) {
        // Another slot may take the place of one of these meanwhile, and waits for a load of its own.
        let loading: Vec<_> = ids
            .into_iter()
            .filter_map(|id| Some((id, self.known(id)?)))
            .filter(|(_, slot)| slot.inlet.is_loading())
            .collect();
        let ids: Vec<_> = loading.iter().map(|(id, _)| *id).collect();
        // What reads a checkpoint is a kind's own code: its panic must not end the loader.
        match AssertUnwindSafe(self.load(ids)).catch_unwind().await {
            Ok(Ok(())) => {}
            Ok(Err(failure)) => {
                let (error, count) = (&failure as &dyn std::error::Error, loading.len());
                warn!(error, "{count} activations of kind {} failed", M::KIND);
            }
            Err(_) => error!("{} activations of kind {} panicked", loading.len(), M::KIND),
        }
        for (id, slot) in loading {
            if slot.inlet.close_if_loading() {
                self.forget(id, &slot);
            }
        }
    }

    /// Starts an entity of which nothing is stored.
    async fn begin_now(self: &Arc<Self>, id: EntityId) {
        let Some(slot) = self.known(id) else { return };
        // What makes a machine is a kind's own code, as what reads one is.
        if AssertUnwindSafe(self.start(Loaded::nothing(id))).catch_unwind().await.is_err() {
            error!("an entity of kind {} cannot be begun: that panicked", M::KIND);
        }
        if slot.inlet.close_if_loading() {
            self.forget(id, &slot);
        }
    }

    async fn load(self: &Arc<Self>, ids: Vec<EntityId>) -> Result<(), StoreError> {
        let load = self.store.load(M::KIND, ids, self.clock.now());
        let loaded = timeout(LOAD_TIMEOUT, load).await.unwrap_or_else(|_| Err(too_slow()))?;
        fail::fail_point!("activation-after-claim", |_| std::process::abort());
        for one in loaded {
            self.start(one).await;
        }
        Ok(())
    }

    /// Starts the actor of a loaded entity, and opens its inlet.
    async fn start(self: &Arc<Self>, loaded: Loaded) {
        let id = loaded.id;
        let Some(slot) = self.known(id).filter(|slot| slot.inlet.is_loading()) else { return };
        let start = match self.readable(&loaded) {
            Ok(start) => start,
            Err(bar) => return slot.inlet.bar(bar),
        };
        let tenant = start.tenant;
        let first = self.readable_rows(loaded.inbox);
        let actor = EntityActor::new(id, Arc::clone(&slot.inlet), Arc::clone(&self.shared));
        let Some(supervisor) = self.supervisor_cell() else { return };
        match Actor::spawn_linked(None, actor, start, supervisor).await {
            Ok((actor, _)) => {
                let child = Child { id, tenant, slot: Arc::clone(&slot) };
                self.children.insert(actor.get_id(), child);
                self.counts.spawned.fetch_add(1, Ordering::Relaxed);
                if !slot.inlet.open(actor.clone(), first) {
                    actor.stop(None);
                }
            }
            Err(failure) => error!(entity.id = %id, "the actor of {id} does not start: {failure}"),
        }
    }

    fn readable(self: &Arc<Self>, loaded: &Loaded) -> Result<Start<M>, Bar> {
        if loaded.quarantine.is_some() {
            return Err(Bar::Quarantine);
        }
        let Some(checkpoint) = &loaded.checkpoint else {
            return Ok(Start { machine: M::absent(loaded.id), version: 0, tenant: None });
        };
        if checkpoint.schema > M::SCHEMA {
            warn!(entity.id = %loaded.id, "{} is of schema {}", loaded.id, checkpoint.schema);
            return Err(Bar::Newer);
        }
        match serde_json::from_str(&checkpoint.state) {
            Ok(machine) => {
                let (version, tenant) = (checkpoint.version, Some(checkpoint.tenant));
                Ok(Start { machine, version, tenant })
            }
            Err(failure) => {
                let reason = format!("its checkpoint cannot be read: {failure}");
                self.quarantine(loaded.id, checkpoint.tenant, reason, None);
                Err(Bar::Quarantine)
            }
        }
    }

    /// Hands claimed rows to actors that are alive; a claim for one that is not starts it, and its
    /// load brings the rows. Whoever is barred keeps them until it is started again.
    async fn claim(self: &Arc<Self>, ids: Vec<EntityId>) {
        let mut takers = Vec::with_capacity(ids.len());
        for id in ids {
            match self.known(id) {
                Some(slot) if slot.inlet.is_closed() => self.look_afresh(id, &slot),
                Some(slot) if slot.inlet.barred_for().is_some() => {}
                Some(slot) => takers.push((id, slot.looks(), slot)),
                None => drop(self.slot(id)),
            }
        }
        if takers.is_empty() {
            return;
        }
        let asked = takers.iter().map(|(id, ..)| *id).collect();
        let claim = self.store.claim(M::KIND, asked, self.clock.now());
        let rows = match timeout(LOAD_TIMEOUT, claim).await.unwrap_or_else(|_| Err(too_slow())) {
            Ok(rows) => rows,
            Err(failure) => {
                warn!(error = &failure as &dyn std::error::Error, "inbox rows cannot be claimed");
                return self.claim_later(takers.into_iter().map(|(id, ..)| id).collect());
            }
        };
        let mut by_entity: HashMap<EntityId, Vec<InboxRow>> = HashMap::new();
        for row in rows {
            by_entity.entry(row.to.id).or_default().push(row);
        }
        for (id, looks, slot) in takers {
            let rows = by_entity.remove(&id).unwrap_or_default();
            if !rows.is_empty() {
                slot.touch(self.clock.now());
            }
            if slot.inlet.push_rows(self.readable_rows(rows)) {
                slot.looked(looks);
            } else if slot.inlet.is_closed() {
                self.look_afresh(id, &slot);
            }
        }
    }

    /// Starts an entity whose inlet is done for; its load brings the open rows.
    fn look_afresh(&self, id: EntityId, slot: &Arc<Slot<M>>) {
        self.forget(id, slot);
        self.slot(id);
    }

    fn claim_later(self: &Arc<Self>, ids: Vec<EntityId>) {
        let branch = Arc::clone(self);
        self.life.duty(async move {
            let closing = branch.life.closing().clone();
            if closing.run_until_cancelled(tokio::time::sleep(CLAIM_PAUSE)).await.is_some() {
                for id in ids {
                    branch.look_into_inbox(id);
                }
            }
        });
    }

    /// Reads rows as deliveries; one that cannot be read is set aside, a newer one is left alone.
    fn readable_rows(&self, rows: Vec<InboxRow>) -> Vec<Delivery<M>> {
        let mut deliveries = Vec::with_capacity(rows.len());
        for row in rows {
            if row.schema > M::SCHEMA {
                continue;
            }
            match serde_json::from_str(&row.event) {
                Ok(event) => deliveries.push(Delivery {
                    tenant: row.tenant,
                    event: Arc::new(event),
                    cause: Cause::Inbox { row: row.row, key: row.key },
                    hops: row.hops,
                    received_at: row.received_at,
                    remarks: None, // They lie in the row, and go from there to the verdict.
                    reply: Replied::Nobody,
                    admission: None,
                }),
                Err(failure) => {
                    self.shared.after.set_aside(row.row, format!("cannot be read: {failure}"));
                }
            }
        }
        deliveries
    }
}

fn too_slow() -> StoreError {
    StoreError::Away(anyhow::anyhow!("the store did not answer within {LOAD_TIMEOUT:?}"))
}
