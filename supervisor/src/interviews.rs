//! What the gateway asks of interviews: take a report, delete one, pull what was missed.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use dashmap::DashMap;
use domain::interview::{CallReport, Interview, InterviewEvent};
use domain::ports::{
    BoxFuture, CallEngine, Clock, EngineError, InboxRow, InterviewQueries, Resolution, Resolver,
    Store, StoreError, Whose,
};
use domain::{Cause, DedupeKey, EntityId, EntityKey, Kind, TenantId};
use tokio::sync::{Mutex, mpsc, oneshot};
use tokio::time::{Instant, timeout};
use tracing::{debug, warn};

use crate::branch::Branch;
use crate::routing::{Incoming, Routed, Unavailable};

/// The platform whose call ids name interviews.
const SOURCE: &str = "mr-hire";
/// Whose calls the engine's are: its webhooks name no tenant, so nobody else's list pulls from it.
const ENGINE_TENANT: TenantId = TenantId::DEFAULT;
/// Reports resolved with one statement.
const GROUP_MAX: usize = 256;
/// Reports that may wait to be resolved.
const WAITING_MAX: usize = 8_192;
/// How long resolving may take.
const RESOLVE_DEADLINE: Duration = Duration::from_secs(3);
/// Aliases remembered; beyond it they are looked up again.
const ALIASES_MAX: usize = 100_000;
/// The pause between two background syncs.
const SYNC_COOLDOWN: Duration = Duration::from_secs(60);
/// The same while a call waits for news.
const SYNC_COOLDOWN_STALE: Duration = Duration::from_secs(15);
/// How often parked reports are looked at whose intent may have resolved.
const RELEASE_PAUSE: Duration = Duration::from_secs(1);
/// Parked reports looked at in one pass.
const RELEASE_MAX: u32 = 200;

/// What became of a report, and of which interview.
#[derive(Clone, Copy, Debug)]
pub struct Reported {
    /// The interview's id; while the report waits for a dial, the id it would have without it.
    pub id: EntityId,
    /// What became of it.
    pub routed: Routed,
}

/// What a sync did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SyncReport {
    /// Calls the engine listed.
    pub listed: usize,
    /// Calls whose detail was asked for.
    pub fetched: usize,
    /// Calls that moved.
    pub updated: usize,
    /// Calls that could not be asked about.
    pub failed: usize,
}

/// The interviews, as the gateway sees them.
pub struct Interviews {
    branch: Arc<Branch<Interview>>,
    store: Arc<dyn Store>,
    engine: Arc<dyn CallEngine>,
    queries: Arc<dyn InterviewQueries>,
    clock: Arc<dyn Clock>,
    aliases: DashMap<String, EntityId>,
    asked: mpsc::Sender<(Whose, oneshot::Sender<Resolution>)>,
    syncing: Mutex<Option<Instant>>,
}

impl Interviews {
    /// Makes the service; what it does in the background ends with its last clone.
    pub fn new(
        branch: Arc<Branch<Interview>>,
        store: Arc<dyn Store>,
        engine: Arc<dyn CallEngine>,
        queries: Arc<dyn InterviewQueries>,
        clock: Arc<dyn Clock>,
    ) -> Arc<Self> {
        let (asked, waiting) = mpsc::channel(WAITING_MAX);
        tokio::spawn(resolve_groups(Arc::clone(&store), waiting));
        let aliases = DashMap::new();
        let syncing = Mutex::new(None);
        let service =
            Arc::new(Self { branch, store, engine, queries, clock, aliases, asked, syncing });
        tokio::spawn(release_parked(Arc::downgrade(&service)));
        service
    }

    /// Whether an engine is configured.
    pub fn engine_is_on(&self) -> bool {
        self.engine.is_on()
    }

    /// Takes what a provider pushed about a call; comes back when that is durable.
    ///
    /// # Errors
    /// [`Unavailable`] when it could not be made durable in time.
    pub async fn report(
        &self,
        tenant: TenantId,
        report: CallReport,
        event_id: Option<&str>,
        raw: Arc<[u8]>,
        remarks: Option<String>,
    ) -> Result<Reported, Unavailable> {
        let named = EntityId::derived(tenant, SOURCE, report.call_id.as_str());
        let key = EntityKey { kind: Kind::Interview, id: named };
        let dedupe = match event_id {
            Some(name) => DedupeKey::named(key, name),
            None => DedupeKey::of_bytes(key, &raw),
        };
        let cause = Cause::Pushed { key: dedupe, raw };
        let resolution = self.whose(tenant, named, &report).await?;
        let id = match resolution {
            Resolution::Known(id) | Resolution::New(id) => id,
            Resolution::Waits(_) => named,
        };
        let incoming = Incoming {
            id,
            tenant,
            event: Arc::new(InterviewEvent::from(report)),
            cause,
            received_at: self.clock.now(),
            remarks,
        };
        let routed = match resolution {
            Resolution::Waits(intent) => self.branch.park_behind(incoming, intent).await?,
            Resolution::Known(_) | Resolution::New(_) => self.branch.route(incoming).await?,
        };
        Ok(Reported { id, routed })
    }

    /// Deletes an interview for good; later reports of its call are kept as refused.
    ///
    /// # Errors
    /// [`Unavailable`] when that could not be made durable in time.
    pub async fn delete(
        &self,
        tenant: TenantId,
        id: EntityId,
        by: String,
    ) -> Result<Routed, Unavailable> {
        self.command(tenant, id, InterviewEvent::Deleted { by }).await
    }

    /// Starts a sync in the background, unless one is under way or was a moment ago.
    pub fn sync_in_background(self: &Arc<Self>, tenant: TenantId, is_stale: bool) {
        if tenant != ENGINE_TENANT {
            return;
        }
        let service = Arc::clone(self);
        tokio::spawn(async move {
            // Single flight: whoever does not get the lock leaves it to whoever has it.
            let Ok(mut last) = service.syncing.try_lock() else { return };
            let cooldown = if is_stale { SYNC_COOLDOWN_STALE } else { SYNC_COOLDOWN };
            if last.is_some_and(|at| at.elapsed() < cooldown) {
                return;
            }
            *last = Some(Instant::now());
            match service.pull(tenant).await {
                Ok(report) => debug!(?report, "a background sync is done"),
                Err(failure) => {
                    warn!(error = &failure as &dyn std::error::Error, "a background sync failed")
                }
            }
        });
    }

    /// Syncs now, after one that is under way.
    ///
    /// # Errors
    /// [`EngineError`] when the engine cannot be asked for its list.
    pub async fn sync(&self, tenant: TenantId) -> Result<SyncReport, EngineError> {
        let mut last = self.syncing.lock().await;
        *last = Some(Instant::now());
        self.pull(tenant).await
    }

    /// Pulls the engine's list, then the detail of every call that is missing or stale here.
    async fn pull(&self, tenant: TenantId) -> Result<SyncReport, EngineError> {
        if tenant != ENGINE_TENANT {
            return Ok(SyncReport::default());
        }
        if !self.engine.is_on() {
            warn!("nothing is synced: no call engine is configured");
            return Ok(SyncReport::default());
        }
        let listed = self.engine.calls().await?;
        let names = listed.iter().map(|call| call.call_id.as_str().to_owned()).collect();
        let settled = self.queries.settled(tenant, names).await.map_err(unsure)?;
        let mut report = SyncReport { listed: listed.len(), ..SyncReport::default() };
        for call in listed {
            if settled.iter().any(|name| name == call.call_id.as_str()) {
                continue;
            }
            report.fetched += 1;
            match self.engine.call(call.call_id).await {
                Ok(detail) => match self.pulled(tenant, detail).await {
                    Ok(Routed::Applied { .. }) => report.updated += 1,
                    Ok(Routed::Rejected(_) | Routed::Parked) => {}
                    Err(_) => report.failed += 1,
                },
                Err(_) => report.failed += 1,
            }
        }
        Ok(report)
    }

    async fn pulled(&self, tenant: TenantId, report: CallReport) -> Result<Routed, Unavailable> {
        let named = EntityId::derived(tenant, SOURCE, report.call_id.as_str());
        match self.whose(tenant, named, &report).await? {
            Resolution::Known(id) | Resolution::New(id) => {
                self.command(tenant, id, InterviewEvent::from(report)).await
            }
            // The dial that rings this number now will say whose call it is; the next pull sees it.
            Resolution::Waits(_) => Ok(Routed::Parked),
        }
    }

    async fn command(
        &self,
        tenant: TenantId,
        id: EntityId,
        event: InterviewEvent,
    ) -> Result<Routed, Unavailable> {
        let incoming = Incoming {
            id,
            tenant,
            event: Arc::new(event),
            cause: Cause::Command,
            received_at: self.clock.now(),
            remarks: None,
        };
        self.branch.route(incoming).await
    }

    /// Tells whose call a report is about: from memory where it is known, else from the store.
    async fn whose(
        &self,
        tenant: TenantId,
        named: EntityId,
        report: &CallReport,
    ) -> Result<Resolution, Unavailable> {
        if self.branch.is_live(named) {
            return Ok(Resolution::Known(named));
        }
        let call_id = report.call_id.as_str();
        if let Some(id) = self.aliases.get(&alias_name(tenant, call_id)) {
            return Ok(Resolution::Known(*id));
        }
        let (answer, resolved) = oneshot::channel();
        let whose = Whose {
            tenant,
            call_id: report.call_id.clone(),
            intent: report.intent,
            phone: report.phone.clone(),
        };
        self.asked.try_send((whose, answer)).map_err(|_| Unavailable::Busy)?;
        let resolution = timeout(RESOLVE_DEADLINE, resolved)
            .await
            .ok()
            .and_then(Result::ok)
            .ok_or(Unavailable::Away(None))?;
        if let Resolution::Known(id) = resolution
            && id != named
        {
            if self.aliases.len() >= ALIASES_MAX {
                self.aliases.clear();
            }
            self.aliases.insert(alias_name(tenant, call_id), id);
        }
        Ok(resolution)
    }

    /// Routes parked reports whose intent resolved.
    ///
    /// They come from the store once only: those that could not be routed stay in `unrouted`.
    async fn release(&self, unrouted: &mut VecDeque<InboxRow>) -> Result<(), StoreError> {
        if unrouted.is_empty() {
            unrouted.extend(self.store.released(RELEASE_MAX).await?);
        }
        while let Some(row) = unrouted.front() {
            match self.readdress(row).await {
                Ok(()) => {}
                Err(failure @ StoreError::Away(_)) => return Err(failure),
                // Asking again changes nothing; it lies in the inbox of the entity it was parked for.
                Err(failure) => warn!(
                    error = &failure as &dyn std::error::Error,
                    "a parked report cannot be readdressed"
                ),
            }
            unrouted.pop_front();
        }
        Ok(())
    }

    async fn readdress(&self, row: &InboxRow) -> Result<(), StoreError> {
        let Ok(InterviewEvent::Reported(report)) = serde_json::from_str(&row.event) else {
            return self.store.set_aside(row.row, "is no report of a call".to_owned()).await;
        };
        let named = EntityId::derived(row.tenant, SOURCE, report.call_id.as_str());
        let id = match self.whose(row.tenant, named, &report).await {
            Ok(Resolution::Known(id) | Resolution::New(id)) => id,
            // Another dial rings that number by now; this report is not about that one.
            Ok(Resolution::Waits(_)) => named,
            Err(failure) => return Err(StoreError::Away(failure.into())),
        };
        fail::fail_point!("parked-before-readdress", |_| std::process::abort());
        self.store.readdress(row.row, EntityKey { kind: Kind::Interview, id }).await?;
        self.branch.look_into_inbox(id);
        Ok(())
    }
}

fn alias_name(tenant: TenantId, call_id: &str) -> String {
    format!("{tenant}/{call_id}")
}

fn unsure(failure: StoreError) -> EngineError {
    EngineError::Unsure(failure.into())
}

/// Resolves what waits with one statement, again and again.
async fn resolve_groups(
    store: Arc<dyn Store>,
    mut waiting: mpsc::Receiver<(Whose, oneshot::Sender<Resolution>)>,
) {
    let mut group = Vec::with_capacity(GROUP_MAX);
    while waiting.recv_many(&mut group, GROUP_MAX).await > 0 {
        let (asked, whom): (Vec<_>, Vec<_>) = group.drain(..).unzip();
        let resolving: BoxFuture<'_, _> = Resolver::resolve(&*store, asked);
        match timeout(RESOLVE_DEADLINE, resolving).await {
            Ok(Ok(resolutions)) => {
                for (whom, resolution) in whom.into_iter().zip(resolutions) {
                    // Whoever gave up waiting asks again.
                    let _ = whom.send(resolution);
                }
            }
            Ok(Err(failure)) => {
                warn!(error = &failure as &dyn std::error::Error, "reports cannot be resolved")
            }
            Err(_) => warn!("resolving reports took too long"),
        }
    }
}

async fn release_parked(service: std::sync::Weak<Interviews>) {
    let mut unrouted = VecDeque::new();
    loop {
        tokio::time::sleep(RELEASE_PAUSE).await;
        let Some(service) = service.upgrade() else { return };
        #[cfg(feature = "planted-defects")]
        if crate::planted::forgets_parked_rows() {
            continue;
        }
        if let Err(failure) = service.release(&mut unrouted).await {
            warn!(error = &failure as &dyn std::error::Error, "parked reports cannot be looked at");
        }
    }
}
