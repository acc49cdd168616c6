//! A command for an entity in quarantine that must not wait for its release: the delete.

use std::sync::Arc;

use actors::{Bar, Delivery, EntityActor, Inlet, Replied, Start};
use domain::Machine;
use domain::ports::{Checkpoint, StoreError};
use tokio::sync::oneshot;
use tokio::time::timeout;
use tracing::warn;

use crate::branch::Branch;
use crate::loader::LOAD_TIMEOUT;
use crate::routing::{Incoming, Routed, Unavailable};

impl<M: Machine> Branch<M> {
    /// Decides a command on the checkpoint of an entity in quarantine, past what waits for it and without
    /// its actor; `remnant` stands in for a checkpoint that cannot be read.
    ///
    /// A command that leaves a tombstone releases the entity with its commit: what waits is refused then.
    pub(crate) async fn command_in_quarantine(
        self: &Arc<Self>,
        command: Incoming<M>,
        remnant: Option<M>,
    ) -> Result<Routed, Unavailable> {
        let _under_way = self.life.under_way();
        let id = command.id;
        let start = self.quarantined(&command, remnant).await?;
        let inlet = Arc::new(Inlet::loading());
        let actor = EntityActor::new(id, inlet, Arc::clone(&self.shared));
        let (reply, answer) = oneshot::channel();
        let delivery = Delivery {
            tenant: command.tenant,
            event: Arc::clone(&command.event),
            cause: command.cause.clone(),
            hops: 0,
            received_at: command.received_at,
            remarks: None,
            reply: Replied::To(reply),
            admission: None,
        };
        if let Err(crash) = actor.decide_alone(start, delivery).await {
            warn!(entity.id = %id, "a command for {id}, in quarantine, was not decided: {crash}");
        }
        let answer = answer.await.map_err(|_| Unavailable::Away(None))?;
        let routed = self.answered(command, answer).await?;
        if matches!(routed, Routed::Applied { .. }) {
            self.let_go(id);
        }
        Ok(routed)
    }

    /// Loads what the command is decided on; none of its rows is claimed, since it is in quarantine.
    async fn quarantined(
        &self,
        command: &Incoming<M>,
        remnant: Option<M>,
    ) -> Result<Start<M>, Unavailable> {
        let load = self.store.load(M::KIND, vec![command.id], self.clock.now());
        let loaded = timeout(LOAD_TIMEOUT, load).await.map_err(|_| Unavailable::Away(None))?;
        let loaded = loaded.map_err(|failure| Unavailable::Away(Some(failure)))?.pop();
        let Some(checkpoint) = loaded.and_then(|loaded| {
            loaded.quarantine?; // Released meanwhile: its actor decides, a moment later.
            loaded.checkpoint.filter(|checkpoint| checkpoint.schema <= M::SCHEMA)
        }) else {
            self.unbar(command.id, Bar::Quarantine);
            return Err(Unavailable::Away(None));
        };
        let Checkpoint { tenant, version, state, .. } = checkpoint;
        let read = serde_json::from_str(&state)
            .map_err(|failure| Unavailable::Away(Some(StoreError::Broken(failure.into()))));
        let machine = read.or_else(|failure| remnant.ok_or(failure))?;
        Ok(Start { machine, version, tenant: Some(tenant) })
    }
}
