//! The generic shell: take what waits, decide, commit, answer; durable, then visible, then felt outside.

use std::collections::VecDeque;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use domain::ports::{Clock, Journal, JournalError, Repository, Verdict, VerdictName};
use domain::{
    Attempt, Cause, DedupeKey, EntityId, EntityKey, IntentId, Machine, Rejected, TenantId,
};
use futures_util::FutureExt as _;
use ractor::{Actor, ActorProcessingErr, ActorRef};
use tracing::{debug, warn};

use crate::decide::{Plan, Poison, offers_last, panic_text};
use crate::delivery::{Answer, Delivery};
use crate::inlet::{Bar, Inlet, QUEUE_MAX};
use crate::live::Live;

/// How long rows of the inbox wait in the actor while the journal is full.
const BUSY_PAUSE: Duration = Duration::from_millis(100);

/// Deliveries that one step decides at most; claimed rows may be more than a queue holds.
const STEP_MAX: usize = QUEUE_MAX;

/// The only message: something waits. A hint, never a store.
#[derive(Debug)]
pub struct WakeUp;

/// What follows a commit, outside the entity.
pub trait AfterCommit: Send + Sync + 'static {
    /// Messages lie in these inboxes.
    fn signalled(&self, receivers: Vec<EntityKey>);
    /// These attempts of intents are `sending` now and go out.
    fn send(&self, attempts: Vec<(IntentId, Attempt)>);
    /// Intents were planned, or became due at another time.
    fn owed(&self);
    /// A row of the inbox cannot be applied, ever; it is set aside with the reason.
    fn set_aside(&self, row: uuid::Uuid, reason: String);
}

/// What every actor of one kind shares.
pub struct Context<M: Machine> {
    /// Writes the projection.
    pub repository: Arc<dyn Repository<M>>,
    /// Commits.
    pub journal: Arc<dyn Journal>,
    /// Tells the time.
    pub clock: Arc<dyn Clock>,
    /// Does what follows.
    pub after: Arc<dyn AfterCommit>,
    /// How long after an intent's deadline its outcome may still arrive by itself.
    pub settling: Duration,
}

/// The actor of one entity.
pub struct EntityActor<M: Machine> {
    key: EntityKey,
    inlet: Arc<Inlet<M>>,
    shared: Arc<Context<M>>,
}

/// What an actor starts from.
#[derive(Debug)]
pub struct Start<M: Machine> {
    /// The machine of the checkpoint.
    pub machine: M,
    /// The version of the checkpoint; 0 without one.
    pub version: i64,
    /// Whose data it is; none without a checkpoint.
    pub tenant: Option<TenantId>,
}

/// Why an actor does not trust its memory any more.
#[derive(Debug, thiserror::Error)]
pub enum Crash {
    /// Deciding an event panicked.
    #[error("{said}")]
    Panicked {
        /// Whose data the event is.
        tenant: Option<TenantId>,
        /// The key of the event.
        poison: Option<DedupeKey>,
        /// What the panic said.
        said: String,
    },
    /// Somebody else moved the entity on.
    #[error("somebody else moved the entity on")]
    Stale,
    /// It is not known whether a step committed.
    #[error("it is not known whether a step committed")]
    Unknown,
    /// The state has no JSON form.
    #[error("the state has no JSON form: {said}")]
    Unwritable {
        /// Whose data it is.
        tenant: TenantId,
        /// What the writer said.
        said: String,
    },
}

/// An actor's state; when it is dropped, for whatever reason, whoever waits learns of it.
pub struct Memory<M: Machine> {
    live: Live<M>,
    #[expect(dead_code, reason = "held for its drop")]
    guard: Guard<M>,
}

struct Guard<M: Machine>(Arc<Inlet<M>>);

impl<M: Machine> Drop for Guard<M> {
    fn drop(&mut self) {
        // A passivated inlet is closed already, and one that another actor serves is another inlet.
        self.0.abandon();
    }
}

impl<M: Machine> EntityActor<M> {
    /// Makes the actor of `id`, served by `inlet`.
    pub fn new(id: EntityId, inlet: Arc<Inlet<M>>, shared: Arc<Context<M>>) -> Self {
        Self { key: EntityKey { kind: M::KIND, id }, inlet, shared }
    }

    /// Decides one delivery on what was loaded, without an actor and past what waits: for an entity that
    /// may not be activated. The fence holds as ever.
    ///
    /// # Errors
    /// [`Crash`] as an actor would stop for it.
    pub async fn decide_alone(&self, start: Start<M>, delivery: Delivery<M>) -> Result<(), Crash> {
        let mut live = Live::new(start.machine, start.version, start.tenant);
        self.work_off_caught(&mut live, vec![delivery]).await
    }

    /// Decides `waiting`; a panic that is not the machine's is a crash like any other.
    async fn work_off_caught(
        &self,
        live: &mut Live<M>,
        waiting: Vec<Delivery<M>>,
    ) -> Result<(), Crash> {
        let tenant = live.tenant.or(waiting.first().map(|delivery| delivery.tenant));
        let work = AssertUnwindSafe(self.work_off(live, waiting)).catch_unwind().await;
        // In what writes the columns, or on the way to the journal.
        work.unwrap_or_else(|panic| {
            Err(self.stop(Crash::Panicked { tenant, poison: None, said: panic_text(panic) }))
        })
    }

    /// Decides `waiting`, so many at a time that each step stays small.
    async fn work_off(&self, live: &mut Live<M>, waiting: Vec<Delivery<M>>) -> Result<(), Crash> {
        let mut waiting = offers_last(waiting).into_iter();
        loop {
            let step: Vec<_> = waiting.by_ref().take(STEP_MAX).collect();
            if step.is_empty() {
                return Ok(());
            }
            self.work(live, step).await?;
        }
    }

    /// Decides `waiting` and commits; comes back only when every one of them was answered.
    async fn work(&self, live: &mut Live<M>, waiting: Vec<Delivery<M>>) -> Result<(), Crash> {
        let mut parts = VecDeque::from([waiting]);
        while let Some(part) = parts.pop_front() {
            let left = match self.of_one_tenant(live, part) {
                Ok((tenant, part)) => self.commit(live, tenant, part).await?,
                Err(left) => left,
            };
            for part in left.into_iter().rev() {
                parts.push_front(part);
            }
        }
        Ok(())
    }

    /// Turns away what is of another tenant than the entity. While it is nobody's yet, deliveries of
    /// two tenants are parted, and the first that moves it decides.
    fn of_one_tenant(
        &self,
        live: &Live<M>,
        part: Vec<Delivery<M>>,
    ) -> Result<(TenantId, Vec<Delivery<M>>), Parts<M>> {
        let Some(first) = part.first() else { return Err(Vec::new()) };
        let tenant = live.tenant.unwrap_or(first.tenant);
        if part.iter().all(|delivery| delivery.tenant == tenant) {
            return Ok((tenant, part));
        }
        let (ours, others): (Vec<_>, Vec<_>) = part.into_iter().partition(|d| d.tenant == tenant);
        if live.tenant.is_none() {
            return Err(vec![ours, others]);
        }
        for other in others {
            if let Some(row) = other.row() {
                self.shared.after.set_aside(row, "it is for another tenant's entity".to_owned());
            }
            other.reply.answer(Answer::Rejected(Rejected::Absent));
        }
        Err(vec![ours])
    }

    /// Decides one part and commits it; answers which parts of it are to be decided again.
    ///
    /// The gate is shut before a delivery is let go undecided: whoever learns of that comes back, and
    /// must not wait here a second time.
    async fn commit(
        &self,
        live: &mut Live<M>,
        tenant: TenantId,
        deliveries: Vec<Delivery<M>>,
    ) -> Result<Parts<M>, Crash> {
        let now = self.shared.clock.now();
        let plan = match Plan::judge(live, &deliveries, now, self.shared.settling) {
            Ok(plan) => plan,
            Err(poison) => return self.poisoned(deliveries, poison),
        };
        let repository = &*self.shared.repository;
        let step = match plan.step(self.key, tenant, live.version, &deliveries, repository) {
            Ok(step) => step,
            Err(_) if deliveries.len() > 1 => return Ok(singly(deliveries)),
            Err(error) => {
                return Err(self.stop(Crash::Unwritable { tenant, said: error.to_string() }));
            }
        };
        #[cfg(feature = "planted-defects")]
        let deliveries = crate::planted::answered_early(deliveries, &plan.verdicts);
        fail::fail_point!("shell-before-submit", |_| std::process::abort());
        match self.shared.journal.submit(step).await {
            Ok(Verdict::Committed { first_seq }) => {
                fail::fail_point!("shell-before-reply", |_| std::process::abort());
                self.committed(live, tenant, plan, deliveries, first_seq);
                Ok(Vec::new())
            }
            Ok(Verdict::Stale) => Err(self.stop(Crash::Stale)),
            Ok(Verdict::Duplicate(keys)) => Ok(without_duplicates(deliveries, &keys)),
            Ok(Verdict::Refused(why)) => Ok(self.turned_down(deliveries, why, Answer::Refused)),
            Ok(Verdict::Undecodable(why)) => Ok(self.turned_down(deliveries, why, Answer::Unfit)),
            Err(JournalError::Busy) => Ok(busy(deliveries).await),
            Err(JournalError::Away) => Err(self.stop(Crash::Unknown)),
        }
    }

    /// The step is durable: now it becomes visible, and then it is felt outside.
    fn committed(
        &self,
        live: &mut Live<M>,
        tenant: TenantId,
        plan: Plan<M>,
        deliveries: Vec<Delivery<M>>,
        first_seq: i64,
    ) {
        live.timer = plan.timer();
        for key in deliveries.iter().filter_map(Delivery::key) {
            live.remember(key);
        }
        let (sends, receivers, owes) = (plan.sends(), plan.receivers(), plan.owes());
        if plan.has_moved() {
            live.version += 1;
            live.tenant = Some(tenant);
            live.machine = plan.next;
        }
        answer_all(deliveries, &plan.verdicts, first_seq);
        fail::fail_point!("shell-after-reply", |_| std::process::abort());
        if !receivers.is_empty() {
            self.shared.after.signalled(receivers);
        }
        if !sends.is_empty() {
            self.shared.after.send(sends);
        }
        if owes {
            self.shared.after.owed();
        }
    }

    /// A gate or the database turned the step down: each delivery is tried alone, then given up.
    fn turned_down(
        &self,
        deliveries: Vec<Delivery<M>>,
        why: String,
        answer: fn(String) -> Answer,
    ) -> Parts<M> {
        if deliveries.len() > 1 {
            return singly(deliveries);
        }
        for delivery in deliveries {
            debug!(entity.key = %self.key, why, "a step for {} was turned down: {why}", self.key);
            if let Some(row) = delivery.row() {
                self.shared.after.set_aside(row, why.clone());
            }
            delivery.reply.answer(answer(why.clone()));
        }
        Vec::new()
    }

    /// What stands before the poison is decided without it; what stands behind is routed again.
    fn poisoned(
        &self,
        mut deliveries: Vec<Delivery<M>>,
        poison: Poison,
    ) -> Result<Parts<M>, Crash> {
        if poison.index > 0 {
            let rest = deliveries.split_off(poison.index);
            return Ok(vec![deliveries, rest]);
        }
        let culprit = deliveries.remove(0);
        let (tenant, key) = (Some(culprit.tenant), culprit.key());
        let said = poison.said;
        let crash = self.stop(Crash::Panicked { tenant, poison: key, said: said.clone() });
        culprit.reply.answer(Answer::Poisonous(said));
        Err(crash)
    }

    /// Shuts the gate: after a doubt the next delivery loads afresh, after a panic it must wait.
    fn stop(&self, crash: Crash) -> Crash {
        match &crash {
            Crash::Stale | Crash::Unknown => self.inlet.close(),
            Crash::Panicked { .. } | Crash::Unwritable { .. } => self.inlet.bar(Bar::Backoff),
        }
        crash
    }
}

/// Deliveries that are to be decided again, each part in a step of its own.
type Parts<M> = Vec<Vec<Delivery<M>>>;

fn singly<M: Machine>(deliveries: Vec<Delivery<M>>) -> Parts<M> {
    deliveries.into_iter().map(|delivery| vec![delivery]).collect()
}

/// The journal is full: whoever waits is told so; rows of the inbox are tried again, because until
/// they are decided nothing may overtake them. The shell's own come back by their rows.
async fn busy<M: Machine>(deliveries: Vec<Delivery<M>>) -> Parts<M> {
    let mut rows = Vec::new();
    for delivery in deliveries {
        match delivery.row() {
            Some(_) => rows.push(delivery),
            None => delivery.reply.answer(Answer::Busy),
        }
    }
    if rows.is_empty() {
        return Vec::new();
    }
    tokio::time::sleep(BUSY_PAUSE).await;
    vec![rows]
}

impl<M: Machine> Actor for EntityActor<M> {
    type Msg = WakeUp;
    type State = Memory<M>;
    type Arguments = Start<M>;

    async fn pre_start(
        &self,
        _me: ActorRef<WakeUp>,
        start: Start<M>,
    ) -> Result<Memory<M>, ActorProcessingErr> {
        let live = Live::new(start.machine, start.version, start.tenant);
        Ok(Memory { live, guard: Guard(Arc::clone(&self.inlet)) })
    }

    async fn handle(
        &self,
        _me: ActorRef<WakeUp>,
        _: WakeUp,
        memory: &mut Memory<M>,
    ) -> Result<(), ActorProcessingErr> {
        loop {
            let waiting = self.inlet.take_all();
            if waiting.is_empty() {
                return Ok(());
            }
            let Err(crash) = self.work_off_caught(&mut memory.live, waiting).await else {
                continue;
            };
            warn!(entity.key = %self.key, "the actor of {} stops: {crash}", self.key);
            return Err(crash.into());
        }
    }
}

fn answer_all<M: Machine>(deliveries: Vec<Delivery<M>>, verdicts: &[VerdictName], seq: i64) {
    for (delivery, verdict) in deliveries.into_iter().zip(verdicts) {
        delivery.reply.answer(match verdict {
            VerdictName::Applied => Answer::Applied { seq },
            VerdictName::Rejected(why) => Answer::Rejected(*why),
        });
    }
}

/// Answers those that were decided before; the others are decided again.
///
/// A step without such a key was refused because an intent that it settles was settled before: then
/// it is the outcome that is a repeat. A key that came both ways is the row's: the push is the repeat.
fn without_duplicates<M: Machine>(deliveries: Vec<Delivery<M>>, keys: &[DedupeKey]) -> Parts<M> {
    let is_pushed =
        |d: &Delivery<M>| matches!(&d.cause, Cause::Pushed { key, .. } if keys.contains(key));
    let is_known = |d: &Delivery<M>| d.key().is_some_and(|key| keys.contains(&key));
    let has_pushed = deliveries.iter().any(is_pushed);
    let has_known = deliveries.iter().any(is_known);
    if !has_known && deliveries.len() > 1 {
        return singly(deliveries);
    }
    let mut left = Vec::new();
    for delivery in deliveries {
        let is_repeat = match &delivery.cause {
            Cause::Pushed { .. } => is_pushed(&delivery),
            Cause::Inbox { .. } => !has_pushed && is_known(&delivery),
            Cause::Outcome { .. } | Cause::Nudge(_) => !has_known,
            Cause::Command => false,
        };
        if is_repeat {
            delivery.reply.answer(Answer::Rejected(Rejected::Duplicate));
        } else if has_known {
            left.push(delivery);
        } else {
            delivery.reply.answer(Answer::Refused("a repeat that names no key".to_owned()));
        }
    }
    if left.is_empty() { Vec::new() } else { vec![left] }
}
