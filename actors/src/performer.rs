//! What a kind's intents do outside.

use std::time::Duration;

use chrono::{DateTime, Utc};
use domain::ports::{BoxFuture, Leave};
use domain::{Attempt, EntityKey, IntentId, Machine, TenantId};

/// An intent that was moved to `sending` and goes out now.
#[derive(Clone, Debug)]
pub struct Sent<E> {
    /// Which intent.
    pub id: IntentId,
    /// Who owes it.
    pub owner: EntityKey,
    /// Whose data it is.
    pub tenant: TenantId,
    /// The attempt this is.
    pub attempt: Attempt,
    /// Asked when a request leaves.
    pub leave: Leave,
    /// When it was planned.
    pub planned_at: DateTime<Utc>,
    /// What is needed to do it.
    pub effect: E,
}

/// What came of sending.
#[derive(Clone, Debug)]
pub enum Performed<M: Machine> {
    /// It is known what came of it.
    Settled(M::Event),
    /// It is not known; the intent's class says what may be done about it.
    Unsure(M::Event),
}

/// What came of looking an intent up.
#[derive(Clone, Debug)]
pub enum Found<M: Machine> {
    /// It was done.
    Done(M::Event),
    /// A complete lookup did not find it.
    Absent,
    /// A complete lookup found something that could be it and does not say so; looking again shows
    /// the same.
    Unclear,
    /// The lookup was not complete.
    Unsure,
}

/// Carries out a kind's intents.
pub trait Performer<M: Machine>: Send + Sync + 'static {
    /// Does it once, without retries of its own.
    fn perform(&self, sent: Sent<M::Effect>) -> BoxFuture<'_, Performed<M>>;
    /// Returns what the machine is told when an effect was held back at the last moment, because
    /// dialing is stopped or its time was over: nothing was sent.
    fn withheld(&self, sent: &Sent<M::Effect>, until: DateTime<Utc>) -> M::Event;
    /// Looks up whether it was done.
    fn look_up(&self, sent: Sent<M::Effect>) -> BoxFuture<'_, Found<M>>;
    /// How long after the last instant at which it may leave its outcome may still arrive by itself.
    fn settling(&self) -> Duration;
}
