//! Restart policy: backoff, intensity, quarantine. A supervisor's default would stop every sibling.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use actors::{Bar, Crash};
use domain::ports::StoreError;
use domain::{EntityId, Machine, TenantId};
use ractor::{Actor, ActorId, ActorProcessingErr, ActorRef, SupervisionEvent};
use tokio::time::Instant;
use tracing::{error, warn};
use uuid::Uuid;

use crate::branch::Branch;

/// Crashes of one entity within [`INTENSITY_WINDOW`] that are answered by a restart.
const RESTARTS_MAX: usize = 3;
/// The window over which crashes are counted: wide enough for a timer that is poison, which comes
/// back every 30 s.
const INTENSITY_WINDOW: Duration = Duration::from_secs(300);
/// The wait before the first restart; it doubles with each.
const BACKOFF_BASE: Duration = Duration::from_millis(200);
/// The pause between two attempts to write a quarantine down.
const QUARANTINE_PAUSE: Duration = Duration::from_secs(1);

/// The crashes of the last minutes.
#[derive(Debug, Default)]
pub(crate) struct Restarts {
    recent: HashMap<EntityId, VecDeque<Instant>>,
    swept_at: Option<Instant>,
}

/// What is done about a crash.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Remedy {
    /// It is started again after a while.
    Restart(Duration),
    /// It crashed too often.
    Quarantine,
}

impl Restarts {
    /// Counts a crash and says what is done about it.
    pub fn crashed(&mut self, id: EntityId, now: Instant) -> Remedy {
        let is_recent = |at: &Instant| now.duration_since(*at) < INTENSITY_WINDOW;
        if self.swept_at.is_none_or(|at| !is_recent(&at)) {
            self.swept_at = Some(now);
            self.recent.retain(|_, times| times.back().is_some_and(is_recent));
        }
        let times = self.recent.entry(id).or_default();
        times.retain(is_recent);
        times.push_back(now);
        match times.len() {
            few if few <= RESTARTS_MAX => {
                let doublings = u32::try_from(few - 1).unwrap_or(u32::MAX);
                Remedy::Restart(BACKOFF_BASE * 2_u32.saturating_pow(doublings))
            }
            _ => Remedy::Quarantine,
        }
    }

    /// Forgets the crashes of an entity that was released.
    pub fn forget(&mut self, id: EntityId) {
        self.recent.remove(&id);
    }
}

/// The supervisor of one kind: hears of every end, and never ends for one itself.
pub(crate) struct KindSupervisor<M: Machine>(pub Arc<Branch<M>>);

impl<M: Machine> Actor for KindSupervisor<M> {
    type Msg = ();
    type State = ();
    type Arguments = ();

    async fn pre_start(&self, _me: ActorRef<()>, (): ()) -> Result<(), ActorProcessingErr> {
        Ok(())
    }

    async fn handle_supervisor_evt(
        &self,
        _me: ActorRef<()>,
        event: SupervisionEvent,
        (): &mut (),
    ) -> Result<(), ActorProcessingErr> {
        match event {
            SupervisionEvent::ActorTerminated(child, _, _) => {
                self.0.children.remove(&child.get_id());
            }
            SupervisionEvent::ActorFailed(child, why) => self.0.failed(child.get_id(), &why),
            SupervisionEvent::ActorStarted(_) | SupervisionEvent::ProcessGroupChanged(_) => {}
        }
        Ok(())
    }
}

impl<M: Machine> Branch<M> {
    fn failed(self: &Arc<Self>, actor: ActorId, why: &ActorProcessingErr) {
        let Some((_, child)) = self.children.remove(&actor) else { return };
        let id = child.id;
        let (tenant, poison, said) = match why.downcast_ref::<Crash>() {
            Some(Crash::Stale) => {
                // Rows it had in hand were not decided: whoever moved the entity on left them open.
                self.forget(id, &child.slot);
                if self.is_open() {
                    self.slot(id);
                }
                return;
            }
            Some(Crash::Unknown) => return self.forget(id, &child.slot),
            Some(Crash::Panicked { tenant, poison, said }) => {
                (*tenant, poison.map(|key| key.0), said.clone())
            }
            Some(Crash::Unwritable { tenant, said }) => (Some(*tenant), None, said.clone()),
            None => (None, None, why.to_string()),
        };
        self.counts.restarted.fetch_add(1, Ordering::Relaxed);
        metrics::counter!(
            "ringmaster_actor_restarts_total", "kind" => M::KIND.as_str(), "reason" => "panic"
        )
        .increment(1);
        match self.with_restarts(|restarts| restarts.crashed(id, Instant::now())) {
            Remedy::Restart(wait) => self.restart_after(id, wait),
            Remedy::Quarantine => {
                let tenant = tenant.or(child.tenant).unwrap_or(TenantId::DEFAULT);
                self.quarantine(id, tenant, said, poison);
                self.seal(id, Bar::Quarantine);
            }
        }
    }

    fn restart_after(self: &Arc<Self>, id: EntityId, wait: Duration) {
        let branch = Arc::clone(self);
        self.life.duty(async move {
            let closing = branch.life.closing().clone();
            if closing.run_until_cancelled(tokio::time::sleep(wait)).await.is_some() {
                branch.unbar(id, Bar::Backoff);
                branch.look_into_inbox(id);
            }
        });
    }

    /// Writes a quarantine down, however often it takes; until then its bar is not lifted.
    pub(crate) fn quarantine(
        self: &Arc<Self>,
        id: EntityId,
        tenant: TenantId,
        reason: String,
        poison: Option<Uuid>,
    ) {
        error!(entity.id = %id, "{} {id} goes into quarantine: {reason}", M::KIND);
        if self.sealing.insert(id, ()).is_some() {
            return;
        }
        let branch = Arc::clone(self);
        self.life.work(async move {
            let key = Self::key(id);
            loop {
                let at = branch.clock.now();
                match branch.store.put(key, tenant, reason.clone(), poison, at).await {
                    Ok(()) => break,
                    Err(failure) => warn!(
                        error = &failure as &dyn std::error::Error,
                        "a quarantine cannot be written"
                    ),
                }
                tokio::time::sleep(QUARANTINE_PAUSE).await;
            }
            branch.sealing.remove(&id);
        });
    }

    /// Releases an entity, if it is `tenant`'s or no tenant is named: what waited is applied in order.
    /// Answers whether it was in quarantine.
    ///
    /// # Errors
    /// [`StoreError`] when the store cannot say.
    pub async fn release(
        self: &Arc<Self>,
        id: EntityId,
        tenant: Option<TenantId>,
    ) -> Result<bool, StoreError> {
        let was_there = self.store.release(Self::key(id), tenant, self.clock.now()).await?;
        if was_there {
            self.let_go(id);
        }
        Ok(was_there)
    }

    /// Goes on with an entity whose quarantine is over in the store.
    pub(crate) fn let_go(&self, id: EntityId) {
        self.with_restarts(|restarts| restarts.forget(id));
        self.unbar(id, Bar::Quarantine);
        self.look_into_inbox(id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn fourth_crash_within_the_window_is_one_too_many() {
        let mut restarts = Restarts::default();
        let id = EntityId(Uuid::nil());
        for doubling in 0..3 {
            let wait = BACKOFF_BASE * 2_u32.pow(doubling);
            assert_eq!(restarts.crashed(id, Instant::now()), Remedy::Restart(wait));
            // A timer that is poison comes back so late.
            tokio::time::advance(Duration::from_secs(30)).await;
        }
        assert_eq!(restarts.crashed(id, Instant::now()), Remedy::Quarantine);
    }

    #[tokio::test(start_paused = true)]
    async fn crashes_before_the_window_do_not_count() {
        let mut restarts = Restarts::default();
        let id = EntityId(Uuid::nil());
        for _ in 0..9 {
            assert_eq!(restarts.crashed(id, Instant::now()), Remedy::Restart(BACKOFF_BASE));
            tokio::time::advance(INTENSITY_WINDOW).await;
        }
        assert_eq!(restarts.recent.len(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn crashes_of_long_ago_are_not_kept() {
        let mut restarts = Restarts::default();
        for n in 0..1_000 {
            restarts.crashed(EntityId(Uuid::from_u128(n)), Instant::now());
        }
        tokio::time::advance(INTENSITY_WINDOW).await;
        restarts.crashed(EntityId(Uuid::nil()), Instant::now());
        assert_eq!(restarts.recent.len(), 1);
    }
}
