//! The tree itself: root, branches, duties; how it comes up and how it goes down.

use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, RwLock};
use std::time::Duration;

use actors::{AfterCommit, Context, Performer};
use dashmap::DashMap;
use domain::interview::DIAL_SEND_TIMEOUT_S;
use domain::policy::PERMITS_DEFAULT;
use domain::ports::{
    Clock, DialScope, DialStop, IntentCount, Journal, QuarantinedEntity, Repository, Store,
    StoreError,
};
use domain::{EntityId, EntityKey, Kind, Machine, TenantId};
use ractor::{Actor, ActorCell, ActorProcessingErr, ActorRef, SupervisionEvent};
use tokio::sync::{Semaphore, mpsc, watch};
use tokio::time::{Instant, timeout, timeout_at};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{error, info, warn};

use crate::branch::{Branch, Counts};
use crate::dialing::DialGate;
use crate::duty::Duty;
use crate::erased::AnyBranch;
use crate::hub::{Hub, Outlets};
use crate::life::Life;
use crate::loader;
use crate::restarts::Restarts;

/// Loads that may wait, over one kind.
const LOADS_MAX: usize = 65_536;
/// Entities rehydrated with one question.
const OBSERVE_PAGE: u32 = 256;
/// Entities that may wait to be loaded before the next page is asked for; the rest is room for webhooks.
const OBSERVE_AHEAD: usize = 1_024;
/// How long the rehydration waits for that room.
const OBSERVE_PAUSE: Duration = Duration::from_millis(5);
/// Of the patience of a stop, the part that is for what is under way; the rest is for the actors.
const DRAIN_WORK_SHARE: f64 = 0.75;
/// The pause between two looks at the dials that are on their way out when dialing is stopped.
const LEAVING_PAUSE: Duration = Duration::from_millis(50);
/// How long the last tasks may take to notice that everything has ended.
const END_PATIENCE: Duration = Duration::from_millis(500);
/// Rows a list of quarantined entities shows of each tenant.
const QUARANTINE_SHOWN: u32 = 200;

/// What the tree stands on.
#[derive(Clone)]
pub struct Ports {
    /// Commits.
    pub journal: Arc<dyn Journal>,
    /// Everything stored beside the journal.
    pub store: Arc<dyn Store>,
    /// Tells the time.
    pub clock: Arc<dyn Clock>,
}

/// The bounds of the tree.
#[derive(Clone, Copy, Debug)]
pub struct TreeSettings {
    /// Deliveries under way at once, over all entities; the next one is refused as busy.
    pub deliveries_max: usize,
    /// How long an entity is idle before it is passivated.
    pub passivate_after: Duration,
    /// Calls of ours that may run at once; no more dials are offered than there are permits left.
    pub permits: u32,
}

impl Default for TreeSettings {
    fn default() -> Self {
        Self {
            deliveries_max: 8_192,
            passivate_after: Duration::from_secs(600),
            permits: PERMITS_DEFAULT,
        }
    }
}

/// How far the tree has come up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Entities are rehydrated.
    Observing,
    /// Providers are asked what happened meanwhile.
    Reconciling,
    /// Calls are placed, at first slowly.
    Dialing,
}

impl Phase {
    /// Returns the name shown.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Observing => "observing",
            Self::Reconciling => "reconciling",
            Self::Dialing => "dialing",
        }
    }
}

/// What one kind holds now.
#[derive(Clone, Copy, Debug)]
pub struct KindStats {
    /// Which kind.
    pub kind: Kind,
    /// Actors alive.
    pub live: usize,
    /// Deliveries that wait before them.
    pub waiting: usize,
    /// The longest queue of one entity.
    pub waiting_max: usize,
    /// Actors started since the process began.
    pub spawned: u64,
    /// Actors restarted after a crash.
    pub restarted: u64,
    /// Actors sent to rest.
    pub passivated: u64,
}

/// What the tree holds now.
#[derive(Clone, Debug)]
pub struct TreeStats {
    /// How far it has come up.
    pub phase: Phase,
    /// By kind.
    pub kinds: Vec<KindStats>,
    /// Who may not be activated.
    pub quarantined: Vec<QuarantinedEntity>,
    /// Rows of the inbox that can never be applied, by kind.
    pub set_aside: Vec<(Kind, i64)>,
    /// The stops in force.
    pub stops: Vec<DialStop>,
    /// Open intents by tenant and status.
    pub intents: Vec<IntentCount>,
}

/// The tree. Built first, so that branches can be handed out; started when everything is wired.
pub struct Tree {
    ports: Ports,
    settings: TreeSettings,
    hub: Arc<Hub>,
    outlets: Mutex<Option<Outlets>>,
    branches: RwLock<Vec<Arc<dyn AnyBranch>>>,
    admission: Arc<Semaphore>,
    gate: Arc<DialGate>,
    stops: Arc<tokio::sync::Mutex<()>>,
    phase: watch::Sender<Phase>,
    root: RwLock<Option<ActorCell>>,
    life: Life,
}

impl Tree {
    /// Builds a tree without branches.
    pub fn build(ports: Ports, settings: TreeSettings) -> Self {
        let life = Life::default();
        let (hub, outlets) = Hub::new(life.clone());
        Self {
            ports,
            settings,
            hub,
            outlets: Mutex::new(Some(outlets)),
            branches: RwLock::new(Vec::new()),
            admission: Arc::new(Semaphore::new(settings.deliveries_max)),
            gate: Arc::default(),
            stops: Arc::default(),
            phase: watch::Sender::new(Phase::Observing),
            root: RwLock::new(None),
            life,
        }
    }

    /// Adds the branch of one kind: a machine, its repository, and what its intents do.
    pub fn add<M: Machine>(
        &self,
        repository: Arc<dyn Repository<M>>,
        performer: Arc<dyn Performer<M>>,
    ) -> Arc<Branch<M>> {
        let (loads, asked) = mpsc::channel(LOADS_MAX);
        let shared = Arc::new(Context {
            repository,
            journal: Arc::clone(&self.ports.journal),
            clock: Arc::clone(&self.ports.clock),
            after: Arc::clone(&self.hub) as Arc<dyn AfterCommit>,
            settling: performer.settling(),
        });
        let branch = Arc::new(Branch {
            slots: DashMap::new(),
            children: DashMap::new(),
            store: Arc::clone(&self.ports.store),
            clock: Arc::clone(&self.ports.clock),
            shared,
            performer,
            loads,
            admission: Arc::clone(&self.admission),
            restarts: Mutex::new(Restarts::default()),
            sealing: DashMap::new(),
            supervisor: RwLock::new(None),
            accepts: AtomicBool::new(true),
            counts: Counts::default(),
            life: self.life.clone(),
        });
        self.life.duty(loader::run(Arc::downgrade(&branch), asked));
        let erased: Arc<dyn AnyBranch> = Arc::clone(&branch) as Arc<dyn AnyBranch>;
        locked(&self.branches).push(erased);
        branch
    }

    /// Starts supervisors and duties; deliveries may be routed from now on.
    ///
    /// # Errors
    /// When an actor of the tree does not start.
    pub async fn start(&self) -> anyhow::Result<()> {
        let branches = locked(&self.branches).clone();
        self.hub.connect(&branches);
        let root = Root { branches: branches.clone(), life: self.life.clone() };
        let (root, _) = Actor::spawn(None, root, ()).await?;
        for branch in branches {
            anyhow::ensure!(branch.spawn_supervisor(root.get_cell()).await, "a supervisor failed");
        }
        *locked(&self.root) = Some(root.get_cell());
        let outlets = self.outlets.lock().ok().and_then(|mut outlets| outlets.take());
        if let Some(outlets) = outlets {
            self.duty().start(outlets, self.settings.passivate_after);
        }
        Ok(())
    }

    /// Comes up gradually: rehydrates what is open, lets `reconcile` ask the providers, then dials.
    ///
    /// Comes back early when the tree is drained meanwhile.
    pub async fn come_up(&self, reconcile: impl Future<Output = ()>) {
        self.life.closing().run_until_cancelled(self.rise(reconcile)).await;
    }

    async fn rise(&self, reconcile: impl Future<Output = ()>) {
        let mut rehydrated = 0;
        let branches = locked(&self.branches).clone();
        for branch in branches {
            rehydrated += self.rehydrate(&*branch).await;
        }
        info!("{rehydrated} open entities were rehydrated");
        self.phase.send_replace(Phase::Reconciling);
        reconcile.await;
        self.phase.send_replace(Phase::Dialing);
        info!("dialing begins, slowly");
    }

    async fn rehydrate(&self, branch: &dyn AnyBranch) -> usize {
        let mut count = 0;
        let mut after = None;
        loop {
            match self.ports.store.open(branch.kind(), after, OBSERVE_PAGE).await {
                Ok(page) => {
                    count += page.len();
                    for id in &page {
                        branch.activate(*id);
                    }
                    while branch.loading() > OBSERVE_AHEAD {
                        tokio::time::sleep(OBSERVE_PAUSE).await;
                    }
                    after = page.last().copied();
                    if page.len() < OBSERVE_PAGE as usize {
                        return count;
                    }
                }
                Err(failure) => {
                    warn!(
                        error = &failure as &dyn std::error::Error,
                        "open entities cannot be read"
                    );
                    tokio::time::sleep(Duration::from_secs(1)).await;
                }
            }
        }
    }

    /// Stops: takes nothing more, lets what is under way and what waits come to its end, within
    /// `patience`.
    ///
    /// No phone rings any more from here on: a dial that did not begin is planned again.
    pub async fn drain(&self, patience: Duration) {
        let began = Instant::now();
        let branches = locked(&self.branches).clone();
        for branch in &branches {
            branch.close();
        }
        self.gate.shut();
        self.life.closing().cancel();
        let drained = async {
            // What actors decide while they are drained may begin work, whose outcome is told to them.
            for share in [DRAIN_WORK_SHARE, 1.0] {
                let _ = timeout_at(began + patience.mul_f64(share), self.life.settle()).await;
                for branch in &branches {
                    if let Some(supervisor) = branch.supervisor() {
                        supervisor.drain_children_and_wait(None).await;
                    }
                }
            }
        };
        if timeout_at(began + patience, drained).await.is_err() {
            warn!("not everything finished in time; what was not answered comes again");
        }
        self.life.end();
        for branch in &branches {
            branch.clear();
        }
        let root = locked(&self.root).take();
        let gone = async {
            if let Some(root) = root {
                let _ = root.stop_and_wait(None, None).await;
            }
            self.life.duties().wait().await;
        };
        if timeout(END_PATIENCE, gone).await.is_err() {
            warn!("not every task noticed the end in time");
        }
    }

    /// Stops dialing; no dial leaves any process on this database after the answer.
    ///
    /// A dial that was committed before may be on its way out: it is waited for until its outcome is
    /// known or its time to leave is over, which is seconds.
    ///
    /// # Errors
    /// [`StoreError`] when the stop could not be written, and this process holds still all the same
    /// until the next look at the table; or when it stands, but the wait had to be broken off.
    pub async fn stop_dialing(
        &self,
        scope: DialScope,
        by: String,
        reason: Option<String>,
    ) -> Result<(), StoreError> {
        let Ports { store, clock, .. } = &self.ports;
        // What is sent after a resume is not this stop's to wait for.
        let before = clock.now() + chrono::Duration::seconds(DIAL_SEND_TIMEOUT_S);
        {
            let _turn = self.stops.lock().await;
            self.gate.stop(&scope);
            store.stop(scope.clone(), by, reason, clock.now()).await?;
        }
        while store.leaving(scope.clone(), clock.now(), before).await? > 0 {
            tokio::time::sleep(LEAVING_PAUSE).await;
        }
        Ok(())
    }

    /// Resumes dialing; answers whether it was stopped.
    ///
    /// # Errors
    /// [`StoreError`] when it could not be written.
    pub async fn resume_dialing(&self, scope: DialScope) -> Result<bool, StoreError> {
        let _turn = self.stops.lock().await;
        let was_stopped = self.ports.store.resume(scope).await?;
        self.gate.refresh(&self.ports.store.stops().await?);
        self.hub.owed.notify_one();
        Ok(was_stopped)
    }

    /// Says that rows lie in the inboxes of these entities.
    pub fn look_into_inboxes(&self, kind: Kind, ids: &[EntityId]) {
        self.hub.look_into_inboxes(kind, ids);
    }

    /// Returns the stops in force.
    ///
    /// # Errors
    /// [`StoreError`] when the store cannot say.
    pub async fn stops(&self) -> Result<Vec<DialStop>, StoreError> {
        self.ports.store.stops().await
    }

    /// Releases an entity from quarantine, if it is `tenant`'s or no tenant is named; answers whether it
    /// was there.
    ///
    /// # Errors
    /// [`StoreError`] when the store cannot say.
    pub async fn release(
        &self,
        key: EntityKey,
        tenant: Option<TenantId>,
    ) -> Result<bool, StoreError> {
        match self.hub.branch(key.kind) {
            Some(branch) => branch.release(key.id, tenant).await,
            None => Ok(false),
        }
    }

    /// Returns what the tree holds now.
    ///
    /// # Errors
    /// [`StoreError`] when the store cannot say.
    pub async fn stats(&self) -> Result<TreeStats, StoreError> {
        let kinds = locked(&self.branches).iter().map(|branch| branch.stats()).collect();
        Ok(TreeStats {
            phase: self.phase(),
            kinds,
            quarantined: self.ports.store.list(QUARANTINE_SHOWN).await?,
            set_aside: self.ports.store.aside().await?,
            stops: self.ports.store.stops().await?,
            intents: self.ports.store.counts().await?,
        })
    }

    /// Returns how far the tree has come up.
    pub fn phase(&self) -> Phase {
        *self.phase.borrow()
    }

    /// Returns what the duties of other rooms are tracked by.
    pub fn tracker(&self) -> &TaskTracker {
        self.life.duties()
    }

    /// Returns what is cancelled when the tree is drained.
    pub fn shutdown(&self) -> &CancellationToken {
        self.life.closing()
    }

    fn duty(&self) -> Duty {
        Duty {
            hub: Arc::clone(&self.hub),
            store: Arc::clone(&self.ports.store),
            clock: Arc::clone(&self.ports.clock),
            gate: Arc::clone(&self.gate),
            stops: Arc::clone(&self.stops),
            phase: self.phase.subscribe(),
            permits: self.settings.permits,
            life: self.life.clone(),
        }
    }
}

impl Drop for Tree {
    /// A tree that is let go without a drain ends at once, as if its process had been killed.
    fn drop(&mut self) {
        self.life.end();
        if let Some(root) = locked(&self.root).take() {
            root.kill();
        }
        for branch in locked(&self.branches).drain(..) {
            branch.close();
            branch.clear();
        }
    }
}

/// The root: starts the supervisor of a kind again when it ends, which it never should.
struct Root {
    branches: Vec<Arc<dyn AnyBranch>>,
    life: Life,
}

impl Actor for Root {
    type Msg = ();
    type State = ();
    type Arguments = ();

    async fn pre_start(&self, _me: ActorRef<()>, (): ()) -> Result<(), ActorProcessingErr> {
        Ok(())
    }

    async fn handle_supervisor_evt(
        &self,
        me: ActorRef<()>,
        event: SupervisionEvent,
        (): &mut (),
    ) -> Result<(), ActorProcessingErr> {
        let (child, why) = match event {
            SupervisionEvent::ActorFailed(child, why) => (child, why.to_string()),
            SupervisionEvent::ActorTerminated(child, _, why) => (child, why.unwrap_or_default()),
            SupervisionEvent::ActorStarted(_) | SupervisionEvent::ProcessGroupChanged(_) => {
                return Ok(());
            }
        };
        if self.life.closing().is_cancelled() {
            return Ok(());
        }
        error!("a supervisor ended and is started again: {why}");
        for branch in &self.branches {
            if branch.supervisor().is_some_and(|cell| cell.get_id() == child.get_id()) {
                Arc::clone(branch).spawn_supervisor(me.get_cell()).await;
            }
        }
        Ok(())
    }
}

fn locked<T>(lock: &RwLock<T>) -> std::sync::RwLockWriteGuard<'_, T> {
    lock.write().unwrap_or_else(std::sync::PoisonError::into_inner)
}
