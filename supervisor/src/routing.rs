//! The way of one delivery: to the live actor, or into the inbox; answered only once it is durable.

use std::sync::Arc;
use std::time::Duration;

use actors::{Admission, Answer, Bar, Delivery, Pushed, Replied};
use chrono::{DateTime, Utc};
use domain::policy::held_until;
use domain::ports::{NewInboxRow, Parking, StoreError};
use domain::{
    Attempt, Cause, Certainty, DedupeKey, EntityId, IntentId, Machine, Rejected, TenantId,
};
use tokio::sync::oneshot;
use tokio::time::{Instant, timeout, timeout_at};
use tracing::warn;

use crate::branch::{Branch, Slot};

/// How long actors may take, all pushes together, before a delivery goes the slow way.
const ACTOR_DEADLINE: Duration = Duration::from_millis(2_500);
/// How long the inbox may take before whoever pushed is told to come again.
const INBOX_DEADLINE: Duration = Duration::from_secs(3);
/// How often a delivery is pushed to an actor before it goes the slow way.
const PUSHES_MAX: u32 = 3;
/// How often an entity is looked up that was sent to rest between its lookup and the push.
const LOOKUPS_MAX: u32 = 16;

/// One event for one entity, before it is known which way it takes.
#[derive(Clone, Debug)]
pub struct Incoming<M: Machine> {
    /// For whom.
    pub id: EntityId,
    /// Whose data it is.
    pub tenant: TenantId,
    /// What happened.
    pub event: Arc<M::Event>,
    /// Where it came from.
    pub cause: Cause,
    /// When it came in.
    pub received_at: DateTime<Utc>,
    /// What of it could not be used.
    pub remarks: Option<String>,
    /// What is known to lie under the id.
    pub stored: Stored,
}

/// What is known of an entity in the store before it is looked up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stored {
    /// Whatever a load will bring.
    Unasked,
    /// Nothing, as the store just said: its actor needs no load. Should another instance have begun the
    /// entity since, the first step fails its fence and is routed again.
    Nothing,
}

/// What became of a delivery; durable in every case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Routed {
    /// It moved the entity.
    Applied {
        /// The number of its step's first fact.
        seq: i64,
    },
    /// It changed nothing.
    Rejected(Rejected),
    /// It waits in the inbox and will be applied once.
    Parked,
}

/// Nothing was decided, or that cannot be known; the same delivery may be tried again.
#[derive(Debug, thiserror::Error)]
pub enum Unavailable {
    /// More waits than may wait.
    #[error("too much waits already")]
    Busy,
    /// The database is away.
    #[error("the store is away")]
    Away(#[source] Option<StoreError>),
}

/// What one push to an actor came to.
enum Tried {
    Answered(Answer),
    /// The channel closed.
    Undecided,
    /// The inlet was closed before; another one is a lookup away.
    Gone(Option<Admission>),
    /// The actor may still decide it, but not in time.
    Late,
    /// The entity takes nothing now.
    Barred(Bar),
    /// The entity's queue is full.
    Full,
}

/// Why a delivery could not be decided at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Delay {
    /// The entity takes nothing before somebody does something about it.
    Blocked,
    /// It is only a matter of time.
    Passing,
}

impl<M: Machine> Branch<M> {
    /// Routes a delivery and comes back when it is durable.
    ///
    /// # Errors
    /// [`Unavailable`] when it could not be made durable in time.
    pub async fn route(self: &Arc<Self>, incoming: Incoming<M>) -> Result<Routed, Unavailable> {
        if !self.is_open() {
            return Err(Unavailable::Away(None));
        }
        self.deliver(incoming).await
    }

    /// Routes a delivery also while the tree is drained: what is under way may come to its end.
    pub(crate) async fn deliver(
        self: &Arc<Self>,
        incoming: Incoming<M>,
    ) -> Result<Routed, Unavailable> {
        let _under_way = self.life.under_way();
        let deadline = Instant::now() + ACTOR_DEADLINE;
        let mut admission = Some(self.admit()?);
        let (mut pushes, mut lookups) = (0, 0);
        // Only who was admitted starts an actor; who comes a second time looks what there is by now.
        let mut stored = incoming.stored;
        let delay = loop {
            let slot = match std::mem::replace(&mut stored, Stored::Unasked) {
                Stored::Nothing => self.begin(incoming.id),
                Stored::Unasked => self.slot(incoming.id),
            };
            if slot.has_backlog() && may_wait(&incoming.cause) {
                break Delay::Passing;
            }
            let Some(admitted) = admission.take().or_else(|| self.admit().ok()) else {
                break Delay::Passing;
            };
            match self.push(&slot, &incoming, admitted, deadline).await {
                Tried::Answered(answer) => return self.answered(incoming, answer).await,
                Tried::Undecided if pushes + 1 < PUSHES_MAX => pushes += 1,
                Tried::Gone(admitted) if lookups < LOOKUPS_MAX => {
                    lookups += 1;
                    admission = admitted;
                }
                Tried::Undecided | Tried::Gone(_) | Tried::Late | Tried::Barred(Bar::Backoff) => {
                    break Delay::Passing;
                }
                Tried::Barred(Bar::Quarantine | Bar::Newer) => break Delay::Blocked,
                Tried::Full => return Err(Unavailable::Busy),
            }
        };
        drop(admission);
        match incoming.cause {
            // What came of an intent also settles it, which a row of the inbox does not: whoever
            // tells it tells it again. Only where that could take for ever, it is kept.
            Cause::Outcome { .. } if delay == Delay::Passing => Err(Unavailable::Away(None)),
            _ => self.park(incoming, 0).await,
        }
    }

    fn admit(&self) -> Result<Admission, Unavailable> {
        let permit = Arc::clone(&self.admission).try_acquire_owned();
        permit.map(Admission::from).map_err(|_| Unavailable::Busy)
    }

    async fn push(
        &self,
        slot: &Arc<Slot<M>>,
        incoming: &Incoming<M>,
        admission: Admission,
        deadline: Instant,
    ) -> Tried {
        slot.touch(self.clock.now());
        let (reply, answer) = oneshot::channel();
        let pushed = slot.inlet.push(Delivery {
            tenant: incoming.tenant,
            event: Arc::clone(&incoming.event),
            cause: incoming.cause.clone(),
            hops: 0,
            received_at: incoming.received_at,
            remarks: incoming.remarks.clone(),
            reply: Replied::To(reply),
            admission: Some(admission),
        });
        match pushed {
            Pushed::Queued => match timeout_at(deadline, answer).await {
                Ok(Ok(answer)) => Tried::Answered(answer),
                Ok(Err(_)) => Tried::Undecided,
                Err(_) => Tried::Late,
            },
            Pushed::Full(_) => Tried::Full,
            Pushed::Barred(_, bar) => Tried::Barred(bar),
            Pushed::Closed(delivery) => {
                self.forget(incoming.id, slot);
                Tried::Gone(delivery.admission)
            }
        }
    }

    pub(crate) async fn answered(
        self: &Arc<Self>,
        incoming: Incoming<M>,
        answer: Answer,
    ) -> Result<Routed, Unavailable> {
        match answer {
            Answer::Applied { seq } => Ok(Routed::Applied { seq }),
            Answer::Rejected(why) => Ok(Routed::Rejected(why)),
            Answer::Busy => Err(Unavailable::Busy),
            // Its handling failed once; from now on it is counted in the inbox.
            Answer::Poisonous(_) => self.park(incoming, 1).await,
            Answer::Refused(why) | Answer::Unfit(why) => {
                if let Cause::Outcome { intent, attempt, .. } = incoming.cause {
                    self.doubt(intent, attempt).await?;
                }
                self.set_aside(incoming, why).await
            }
        }
    }

    /// An outcome that can never be written down leaves its intent open for good: it is ambiguous, and
    /// ends as such.
    async fn doubt(&self, intent: IntentId, attempt: Attempt) -> Result<(), Unavailable> {
        let now = self.clock.now();
        let doubted = self.store.ambiguous(intent, attempt, now, held_until(now)).await;
        doubted.map_err(|failure| Unavailable::Away(Some(failure)))
    }

    /// Keeps what the database would not take where it can be seen, and where it is never tried again.
    async fn set_aside(
        self: &Arc<Self>,
        incoming: Incoming<M>,
        why: String,
    ) -> Result<Routed, Unavailable> {
        let Some(key) = inbox_key(&incoming) else {
            warn!(entity.id = %incoming.id, "{} turned an event down: {why}", incoming.id);
            return Ok(Routed::Rejected(Rejected::OutOfPhase));
        };
        let routed = self.store_row(incoming, key, 1, None).await?;
        if routed == Routed::Parked {
            self.shared.after.set_aside(key.0, why);
        }
        Ok(routed)
    }

    /// The slow way: the delivery is committed to the inbox under its key, and applied later, once.
    ///
    /// Whichever of the two ways commits first wins; the other is the duplicate.
    async fn park(
        self: &Arc<Self>,
        incoming: Incoming<M>,
        attempts: u32,
    ) -> Result<Routed, Unavailable> {
        let id = incoming.id;
        let Some(key) = inbox_key(&incoming) else {
            return Err(Unavailable::Away(None));
        };
        let routed = self.store_row(incoming, key, attempts, None).await?;
        if routed == Routed::Parked {
            self.look_into_inbox(id);
        }
        Ok(routed)
    }

    /// Parks a delivery until `intent` says for whom it is.
    pub(crate) async fn park_behind(
        self: &Arc<Self>,
        incoming: Incoming<M>,
        intent: IntentId,
    ) -> Result<Routed, Unavailable> {
        let _under_way = self.life.under_way();
        match inbox_key(&incoming) {
            Some(key) if self.is_open() => self.store_row(incoming, key, 0, Some(intent)).await,
            Some(_) | None => Err(Unavailable::Away(None)),
        }
    }

    async fn store_row(
        &self,
        incoming: Incoming<M>,
        key: DedupeKey,
        attempts: u32,
        waits_for: Option<IntentId>,
    ) -> Result<Routed, Unavailable> {
        let row = inbox_row(incoming, key, attempts, waits_for)
            .map_err(|failure| Unavailable::Away(Some(StoreError::Broken(failure.into()))))?;
        let parking = timeout(INBOX_DEADLINE, self.store.park(row))
            .await
            .map_err(|_| Unavailable::Away(None))?
            .map_err(|failure| Unavailable::Away(Some(failure)))?;
        fail::fail_point!("inbox-after-park", |_| std::process::abort());
        Ok(match parking {
            Parking::Duplicate => Routed::Rejected(Rejected::Duplicate),
            Parking::Stored => Routed::Parked,
        })
    }
}

/// Whether a delivery may wait behind open rows of the inbox. A command has nothing to be kept under,
/// and an outcome is told until it is decided.
fn may_wait(cause: &Cause) -> bool {
    match cause {
        Cause::Pushed { .. } | Cause::Inbox { .. } => true,
        Cause::Outcome { .. } | Cause::Command | Cause::Nudge(_) => false,
    }
}

/// Returns the key under which a delivery may wait in the inbox, where it may.
fn inbox_key<M: Machine>(incoming: &Incoming<M>) -> Option<DedupeKey> {
    match &incoming.cause {
        Cause::Pushed { key, .. } | Cause::Inbox { key, .. } => Some(*key),
        Cause::Outcome { intent, attempt, certainty } => {
            let name = outcome_name(*intent, *attempt, *certainty);
            Some(DedupeKey::named(Branch::<M>::key(incoming.id), &name))
        }
        Cause::Command | Cause::Nudge(_) => None,
    }
}

fn outcome_name(intent: IntentId, attempt: Attempt, certainty: Certainty) -> String {
    format!("outcome/{intent}/{attempt}/{certainty:?}")
}

fn inbox_row<M: Machine>(
    incoming: Incoming<M>,
    key: DedupeKey,
    attempts: u32,
    waits_for: Option<IntentId>,
) -> serde_json::Result<NewInboxRow> {
    let raw = match &incoming.cause {
        Cause::Pushed { raw, .. } => Some(raw.to_vec()),
        Cause::Inbox { .. } | Cause::Outcome { .. } | Cause::Command | Cause::Nudge(_) => None,
    };
    Ok(NewInboxRow {
        key,
        tenant: incoming.tenant,
        to: Branch::<M>::key(incoming.id),
        waits_for,
        schema: M::SCHEMA,
        event: serde_json::to_string(&*incoming.event)?,
        remarks: incoming.remarks,
        raw,
        hops: 0,
        attempts,
        received_at: incoming.received_at,
    })
}
