//! What the gateway asks of interviews: take a report, delete one, pull what was missed.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use dashmap::DashMap;
use domain::interview::{CallReport, CallStatus, Interview, InterviewEvent};
use domain::ports::{
    BoxFuture, CallEngine, Clock, EngineError, InboxRow, InterviewDetail, InterviewQueries,
    KnownCall, Resolution, Resolver, Scope, Store, StoreError, Whose,
};
use domain::{CallId, Cause, DedupeKey, EntityId, EntityKey, Kind, MR_HIRE, TenantId};
use tokio::sync::{Mutex, mpsc, oneshot};
use tokio::time::{Instant, timeout};
use tracing::{debug, warn};

use crate::branch::Branch;
use crate::routing::{Incoming, Routed, Stored, Unavailable};

/// Whose calls the engine's are: its webhooks name no tenant, so nobody else's list pulls from it.
pub(crate) const ENGINE_TENANT: TenantId = TenantId::DEFAULT;
/// Reports resolved with one statement.
const GROUP_MAX: usize = 256;
/// Reports that may wait to be resolved.
const WAITING_MAX: usize = 8_192;
/// How long resolving may take.
const RESOLVE_DEADLINE: Duration = Duration::from_secs(3);
/// Aliases remembered; beyond it they are looked up again.
const ALIASES_MAX: usize = 100_000;
/// The pause between two background syncs. Source: the seed.
const SYNC_COOLDOWN: Duration = Duration::from_secs(60);
/// The same while a call that is not over is stale. Source: the seed.
const SYNC_COOLDOWN_STALE: Duration = Duration::from_secs(15);
/// How long a call that is not over may be without news before it is stale, in minutes. Source: ours; a
/// phone rings for about one.
const STALE_MINUTES: i64 = 2;
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

/// Why nothing could be pulled.
#[derive(Debug, thiserror::Error)]
pub enum SyncError {
    /// The engine cannot be asked.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// The store cannot say what is known.
    #[error(transparent)]
    Store(#[from] StoreError),
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
    pub(crate) engine: Arc<dyn CallEngine>,
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
        let named = EntityId::derived(tenant, MR_HIRE, report.call_id.as_str());
        let key = EntityKey { kind: Kind::Interview, id: named };
        let dedupe = match event_id {
            Some(name) => DedupeKey::named(key, name),
            None => DedupeKey::of_bytes(key, &raw),
        };
        let cause = Cause::Pushed { key: dedupe, raw };
        let resolution = self.whose(tenant, named, &report).await?;
        let (id, stored) = match resolution {
            Resolution::Known(id) => (id, Stored::Unasked),
            Resolution::New(id) => (id, Stored::Nothing),
            Resolution::Waits(_) => (named, Stored::Unasked),
        };
        let incoming = Incoming {
            id,
            tenant,
            event: Arc::new(InterviewEvent::from(report)),
            cause,
            received_at: self.clock.now(),
            remarks,
            stored,
        };
        let routed = match resolution {
            Resolution::Waits(intent) => self.branch.park_behind(incoming, intent).await?,
            Resolution::Known(_) | Resolution::New(_) => self.branch.route(incoming).await?,
        };
        Ok(Reported { id, routed })
    }

    /// Deletes an interview for good, also one in quarantine, and erases what is stored about it.
    ///
    /// # Errors
    /// [`Unavailable`] when that could not be made durable in time.
    pub async fn delete(
        &self,
        tenant: TenantId,
        id: EntityId,
        by: String,
    ) -> Result<Routed, Unavailable> {
        let deleted = InterviewEvent::Deleted { by };
        match self.command(tenant, id, deleted.clone()).await {
            Err(_) if self.branch.is_quarantined(id) => {
                let remnant = self.remnant(tenant, id).await?;
                let command = self.incoming(tenant, id, deleted);
                self.branch.command_in_quarantine(command, remnant).await
            }
            routed => routed,
        }
    }

    /// Makes what can be made of an interview from its row alone, where there is one.
    async fn remnant(
        &self,
        tenant: TenantId,
        id: EntityId,
    ) -> Result<Option<Interview>, Unavailable> {
        let detail = self.queries.detail(Scope::Tenant(tenant), id).await;
        let detail = detail.map_err(|failure| Unavailable::Away(Some(failure)))?;
        Ok(detail.map(|InterviewDetail { summary, .. }| {
            let call_id = summary.call_id.and_then(|name| CallId::parse(&name).ok());
            Interview::remnant(id, call_id, summary.status, self.clock.now())
        }))
    }

    /// Starts a sync in the background, unless one is under way or was a moment ago.
    pub fn sync_in_background(self: &Arc<Self>, tenant: TenantId) {
        if tenant != ENGINE_TENANT {
            return;
        }
        let service = Arc::clone(self);
        tokio::spawn(async move {
            // Single flight: whoever does not get the lock leaves it to whoever has it.
            let Ok(mut last) = service.syncing.try_lock() else { return };
            if let Some(at) = *last
                && !service.is_due(tenant, at.elapsed()).await
            {
                return;
            }
            *last = Some(Instant::now());
            match service.pull(tenant).await {
                Ok(SyncReport { listed, fetched, updated, failed }) => debug!(
                    listed,
                    fetched,
                    updated,
                    failed,
                    "a background sync asked for {fetched} of {listed} calls, {updated} moved"
                ),
                // Whoever watches the engine has said so, once.
                Err(SyncError::Engine(failure)) => {
                    debug!(error = &failure as &dyn std::error::Error, "nothing was synced")
                }
                Err(failure) => {
                    warn!(error = &failure as &dyn std::error::Error, "a background sync failed")
                }
            }
        });
    }

    /// Whether another background sync is due this long after the last one.
    async fn is_due(&self, tenant: TenantId, elapsed: Duration) -> bool {
        if elapsed < SYNC_COOLDOWN_STALE || elapsed >= SYNC_COOLDOWN {
            return elapsed >= SYNC_COOLDOWN;
        }
        match self.queries.stale(tenant, stale_before(self.clock.now())).await {
            Ok(is_stale) => is_stale,
            Err(failure) => {
                warn!(
                    error = &failure as &dyn std::error::Error,
                    "stale calls cannot be looked up"
                );
                false
            }
        }
    }

    /// Syncs now, after one that is under way.
    ///
    /// # Errors
    /// [`SyncError`] when the engine cannot be asked for its list, or the store for what is known.
    pub async fn sync(&self, tenant: TenantId) -> Result<SyncReport, SyncError> {
        if tenant != ENGINE_TENANT {
            return Ok(SyncReport::default());
        }
        let mut last = self.syncing.lock().await;
        *last = Some(Instant::now());
        self.pull(tenant).await
    }

    /// Pulls the engine's list, then the detail of every call that is missing, behind or stale here.
    async fn pull(&self, tenant: TenantId) -> Result<SyncReport, SyncError> {
        if !self.engine.is_on() {
            debug!("nothing is synced: no call engine is configured");
            return Ok(SyncReport::default());
        }
        let listed = self.engine.calls().await?;
        let names = listed.iter().map(|call| call.call_id.as_str().to_owned()).collect();
        let known = self.queries.known(tenant, names).await?;
        let stale = stale_before(self.clock.now());
        let mut report = SyncReport { listed: listed.len(), ..SyncReport::default() };
        for call in listed {
            let here = known.iter().find(|known| known.call_id == call.call_id.as_str());
            if !here.is_none_or(|here| may_bring_news(here, call.status, stale)) {
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
        let named = EntityId::derived(tenant, MR_HIRE, report.call_id.as_str());
        match self.whose(tenant, named, &report).await? {
            Resolution::Known(id) | Resolution::New(id) => {
                self.command(tenant, id, InterviewEvent::from(report)).await
            }
            // The dial that rings this number now will say whose call it is; the next pull sees it.
            Resolution::Waits(_) => Ok(Routed::Parked),
        }
    }

    pub(crate) async fn command(
        &self,
        tenant: TenantId,
        id: EntityId,
        event: InterviewEvent,
    ) -> Result<Routed, Unavailable> {
        self.branch.route(self.incoming(tenant, id, event)).await
    }

    fn incoming(
        &self,
        tenant: TenantId,
        id: EntityId,
        event: InterviewEvent,
    ) -> Incoming<Interview> {
        Incoming {
            id,
            tenant,
            event: Arc::new(event),
            cause: Cause::Command,
            received_at: self.clock.now(),
            remarks: None,
            stored: Stored::Unasked,
        }
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
    /// Those that cannot be routed now, or when this process dies over them, come again after 30 s.
    async fn release(&self) -> Result<(), StoreError> {
        for row in self.store.released(self.clock.now(), RELEASE_MAX).await? {
            match self.readdress(&row).await {
                Ok(()) => {}
                Err(failure @ StoreError::Away(_)) => return Err(failure),
                Err(failure) => warn!(
                    error = &failure as &dyn std::error::Error,
                    "a parked report cannot be readdressed"
                ),
            }
        }
        Ok(())
    }

    async fn readdress(&self, row: &InboxRow) -> Result<(), StoreError> {
        let Ok(InterviewEvent::Reported(report)) = serde_json::from_str(&row.event) else {
            return self.store.set_aside(row.row, "is no report of a call".to_owned()).await;
        };
        let named = EntityId::derived(row.tenant, MR_HIRE, report.call_id.as_str());
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

fn stale_before(now: DateTime<Utc>) -> DateTime<Utc> {
    now - chrono::Duration::minutes(STALE_MINUTES)
}

/// Whether the engine may know more of a call that it lists as `listed`: it got further there, nothing
/// was heard of it for too long, or it ended and what was said is still to come.
fn may_bring_news(here: &KnownCall, listed: CallStatus, stale: DateTime<Utc>) -> bool {
    let is_stale = !here.status.is_over() && here.updated_at < stale;
    !here.is_deleted && (listed > here.status || is_stale || here.awaits_transcript)
}

fn alias_name(tenant: TenantId, call_id: &str) -> String {
    format!("{tenant}/{call_id}")
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
    loop {
        tokio::time::sleep(RELEASE_PAUSE).await;
        let Some(service) = service.upgrade() else { return };
        #[cfg(feature = "planted-defects")]
        if crate::planted::forgets_parked_rows() {
            continue;
        }
        if let Err(failure) = service.release().await {
            warn!(error = &failure as &dyn std::error::Error, "parked reports cannot be looked at");
        }
    }
}
