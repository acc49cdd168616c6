//! A branch without its machine's type, for what is the same over all kinds.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use actors::{Found, Performed, Sent};
use chrono::{DateTime, Utc};
use domain::ports::{BoxFuture, Clock, Leave, OpenIntent, StoreError};
use domain::{
    Attempt, Cause, Certainty, EntityId, IntentId, Kind, Machine, Nudge, Reach, TenantId,
};
use ractor::ActorCell;
use tokio::time::timeout;
use tracing::{error, warn};

use crate::branch::Branch;
use crate::dialing::DialGate;
use crate::restarts::KindSupervisor;
use crate::routing::{Incoming, Stored};
use crate::tree::KindStats;

/// The first pause after an outcome could not be delivered; it doubles up to [`OUTCOME_PAUSE_MAX`].
const OUTCOME_PAUSE: Duration = Duration::from_millis(100);
/// The longest pause between two attempts to deliver an outcome.
const OUTCOME_PAUSE_MAX: Duration = Duration::from_secs(5);

/// How long a dial that was held back waits before it is looked at again.
const HELD_RECHECK: chrono::Duration = chrono::Duration::seconds(30);

/// How long a lookup may take; its row comes back after 30 s, and two at once would prove nothing.
const LOOKUP_TIMEOUT: Duration = Duration::from_secs(20);

/// What a lookup of an open intent came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Looked {
    /// It was done, and its owner was told.
    Done,
    /// A complete lookup did not find it.
    Absent,
    /// A complete lookup cannot tell.
    Unclear,
    /// The lookup was not complete.
    Unsure,
}

/// One kind's branch, whatever its machine.
pub(crate) trait AnyBranch: Send + Sync + 'static {
    fn kind(&self) -> Kind;
    fn look_into_inbox(&self, id: EntityId);
    /// Starts the entity's actor, if it is not alive.
    fn activate(&self, id: EntityId);
    /// How many entities wait to be loaded.
    fn loading(&self) -> usize;
    fn woke(&self, id: EntityId, tenant: TenantId);
    fn intent_due(&self, id: EntityId, tenant: TenantId, intent: IntentId, attempt: Attempt);
    fn intent_unknown(&self, id: EntityId, tenant: TenantId, intent: IntentId);
    fn perform(self: Arc<Self>, open: OpenIntent, gate: Arc<DialGate>) -> BoxFuture<'static, ()>;
    fn look_up(self: Arc<Self>, open: OpenIntent) -> BoxFuture<'static, Looked>;
    fn settling(&self) -> Duration;
    fn release(
        self: Arc<Self>,
        id: EntityId,
        tenant: Option<TenantId>,
    ) -> BoxFuture<'static, Result<bool, StoreError>>;
    fn passivate(&self, before: DateTime<Utc>) -> usize;
    fn stats(&self) -> KindStats;
    fn spawn_supervisor(self: Arc<Self>, root: ActorCell) -> BoxFuture<'static, bool>;
    fn supervisor(&self) -> Option<ActorCell>;
    /// Takes no more deliveries.
    fn close(&self);
    /// Lets go of everything that still waits.
    fn clear(&self);
}

impl<M: Machine> AnyBranch for Branch<M> {
    fn kind(&self) -> Kind {
        M::KIND
    }

    fn look_into_inbox(&self, id: EntityId) {
        Self::look_into_inbox(self, id);
    }

    fn activate(&self, id: EntityId) {
        self.slot(id);
    }

    fn loading(&self) -> usize {
        self.loads.max_capacity() - self.loads.capacity()
    }

    fn woke(&self, id: EntityId, tenant: TenantId) {
        self.nudge(id, tenant, Nudge::Woke);
    }

    fn intent_due(&self, id: EntityId, tenant: TenantId, intent: IntentId, attempt: Attempt) {
        self.nudge(id, tenant, Nudge::IntentDue { intent, attempt });
    }

    fn intent_unknown(&self, id: EntityId, tenant: TenantId, intent: IntentId) {
        self.nudge(id, tenant, Nudge::IntentUnknown { intent });
    }

    fn perform(self: Arc<Self>, open: OpenIntent, gate: Arc<DialGate>) -> BoxFuture<'static, ()> {
        Box::pin(async move {
            let leave = leave(&open, Arc::clone(&self.clock), gate);
            let Some(sent) = sent::<M>(&open, leave) else { return };
            fail::fail_point!("intent-before-request", |_| std::process::abort());
            let performed = if sent.leave.is_granted() {
                self.performer.perform(sent).await
            } else {
                let until = self.clock.now() + HELD_RECHECK;
                Performed::Settled(self.performer.withheld(&sent, until))
            };
            let (event, certainty) = match performed {
                Performed::Settled(event) => (event, Certainty::Known),
                Performed::Unsure(event) => (event, Certainty::Unsure),
            };
            fail::fail_point!("intent-before-outcome", |_| std::process::abort());
            self.tell_outcome(&open, event, certainty).await;
        })
    }

    fn look_up(self: Arc<Self>, open: OpenIntent) -> BoxFuture<'static, Looked> {
        Box::pin(async move {
            let Some(sent) = sent::<M>(&open, Leave::new(|| false)) else {
                return Looked::Unsure;
            };
            match timeout(LOOKUP_TIMEOUT, self.performer.look_up(sent)).await {
                Ok(Found::Done(event)) => {
                    self.tell_outcome(&open, event, Certainty::Known).await;
                    Looked::Done
                }
                Ok(Found::Absent) => Looked::Absent,
                Ok(Found::Unclear) => Looked::Unclear,
                Ok(Found::Unsure) | Err(_) => Looked::Unsure,
            }
        })
    }

    fn settling(&self) -> Duration {
        self.performer.settling()
    }

    fn release(
        self: Arc<Self>,
        id: EntityId,
        tenant: Option<TenantId>,
    ) -> BoxFuture<'static, Result<bool, StoreError>> {
        Box::pin(async move { Self::release(&self, id, tenant).await })
    }

    fn passivate(&self, before: DateTime<Utc>) -> usize {
        Self::passivate(self, before)
    }

    fn stats(&self) -> KindStats {
        let depths = self.slots.iter().map(|slot| slot.inlet.depth());
        let (waiting, waiting_max) =
            depths.fold((0, 0), |(sum, max), depth| (sum + depth, max.max(depth)));
        KindStats {
            kind: M::KIND,
            live: self.children.len(),
            waiting,
            waiting_max,
            spawned: self.counts.spawned.load(Ordering::Relaxed),
            restarted: self.counts.restarted.load(Ordering::Relaxed),
            passivated: self.counts.passivated.load(Ordering::Relaxed),
        }
    }

    fn spawn_supervisor(self: Arc<Self>, root: ActorCell) -> BoxFuture<'static, bool> {
        Box::pin(async move {
            // Whoever lived under the one before is gone, and nobody said so.
            self.children.clear();
            let actor = KindSupervisor(Arc::clone(&self));
            match ractor::Actor::spawn_linked(None, actor, (), root).await {
                Ok((supervisor, _)) => {
                    *self.supervisor.write().unwrap_or_else(std::sync::PoisonError::into_inner) =
                        Some(supervisor.get_cell());
                    true
                }
                Err(failure) => {
                    error!("the supervisor of kind {} does not start: {failure}", M::KIND);
                    false
                }
            }
        })
    }

    fn supervisor(&self) -> Option<ActorCell> {
        self.supervisor_cell()
    }

    fn close(&self) {
        self.accepts.store(false, Ordering::Release);
    }

    fn clear(&self) {
        Self::clear(self);
    }
}

impl<M: Machine> Branch<M> {
    /// Tells an entity what came of its intent, until that is durable.
    ///
    /// If this process ends before, the intent's row is still `sending`, and is treated by its class.
    async fn tell_outcome(
        self: &Arc<Self>,
        open: &OpenIntent,
        event: M::Event,
        certainty: Certainty,
    ) {
        let incoming = Incoming {
            id: open.owner.id,
            tenant: open.tenant,
            event: Arc::new(event),
            cause: Cause::Outcome { intent: open.id, attempt: open.attempt, certainty },
            received_at: self.clock.now(),
            remarks: None,
            stored: Stored::Unasked,
        };
        let mut pause = OUTCOME_PAUSE;
        while let Err(failure) = self.deliver(incoming.clone()).await {
            warn!(intent.id = %open.id, "the outcome of {} waits: {failure}", open.id);
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(OUTCOME_PAUSE_MAX);
        }
    }
}

/// Says until when, and whether, what is sent may leave.
fn leave(open: &OpenIntent, clock: Arc<dyn Clock>, gate: Arc<DialGate>) -> Leave {
    let (reach, tenant, not_after) = (open.reach, open.tenant, open.not_after);
    Leave::new(move || {
        let is_stopped = reach == Reach::Rings && gate.is_stopped(tenant);
        clock.now() < not_after && !is_stopped
    })
}

/// Reads what an intent asks for. One that a newer release wrote is left to that release.
fn sent<M: Machine>(open: &OpenIntent, leave: Leave) -> Option<Sent<M::Effect>> {
    if open.schema > M::SCHEMA {
        warn!(intent.id = %open.id, "the intent {} is of schema {}", open.id, open.schema);
        return None;
    }
    match serde_json::from_str(&open.effect) {
        Ok(effect) => Some(Sent {
            id: open.id,
            owner: open.owner,
            tenant: open.tenant,
            attempt: open.attempt,
            leave,
            planned_at: open.planned_at,
            effect,
        }),
        Err(failure) => {
            error!(intent.id = %open.id, "the intent {} cannot be read: {failure}", open.id);
            None
        }
    }
}
