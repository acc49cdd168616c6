//! One event on its way to one entity, and the answer on its way back.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use domain::{Cause, DedupeKey, Machine, Rejected, TenantId};
use tokio::sync::{OwnedSemaphorePermit, oneshot};
use uuid::Uuid;

/// The right to wait. It travels inside the delivery, so an abandoned request cannot free it early.
#[derive(Debug)]
pub struct Admission(#[expect(dead_code, reason = "held for its drop")] OwnedSemaphorePermit);

impl From<OwnedSemaphorePermit> for Admission {
    fn from(permit: OwnedSemaphorePermit) -> Self {
        Self(permit)
    }
}

/// What became of a delivery that was decided, or why it was not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// It moved the entity; the number is that of its step's first fact.
    Applied {
        /// The number.
        seq: i64,
    },
    /// It changed nothing, which is recorded.
    Rejected(Rejected),
    /// A gate or a constraint does not allow it; nothing was written.
    Refused(String),
    /// The database cannot take what it says; nothing was written.
    Unfit(String),
    /// Deciding it panicked; nothing was written.
    Poisonous(String),
    /// The journal is full; nothing was written.
    Busy,
}

/// Where the answer goes. A channel that closes without one means "not decided".
#[derive(Debug)]
pub enum Replied {
    /// Somebody waits.
    To(oneshot::Sender<Answer>),
    /// Nobody does.
    Nobody,
}

impl Replied {
    /// Answers whoever waits.
    pub fn answer(self, answer: Answer) {
        if let Self::To(whom) = self {
            // Whoever gave up waiting asks again under the same key.
            let _ = whom.send(answer);
        }
    }
}

/// One event for one entity.
#[derive(Debug)]
pub struct Delivery<M: Machine> {
    /// Whose data it is.
    pub tenant: TenantId,
    /// What happened.
    pub event: Arc<M::Event>,
    /// Where it came from.
    pub cause: Cause,
    /// How many entities the chain of messages passed.
    pub hops: u16,
    /// When it came in.
    pub received_at: DateTime<Utc>,
    /// What of it could not be used.
    pub remarks: Option<String>,
    /// Where the answer goes.
    pub reply: Replied,
    /// The right to wait; the shell's own deliveries need none.
    pub admission: Option<Admission>,
}

impl<M: Machine> Delivery<M> {
    /// Returns what makes a second delivery the same delivery, where there is such a thing.
    pub fn key(&self) -> Option<DedupeKey> {
        match &self.cause {
            Cause::Pushed { key, .. } | Cause::Inbox { key, .. } => Some(*key),
            Cause::Outcome { .. } | Cause::Command | Cause::Nudge(_) => None,
        }
    }

    /// Returns the row of the inbox it is, if it is one.
    pub fn row(&self) -> Option<Uuid> {
        match &self.cause {
            Cause::Inbox { row, .. } => Some(*row),
            Cause::Pushed { .. } | Cause::Outcome { .. } | Cause::Command | Cause::Nudge(_) => None,
        }
    }
}
