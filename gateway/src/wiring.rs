//! Puts the crates together: which adapter stands behind which port, and in which order all starts.

mod adapters;
mod import;

pub use import::import_node_backend;

use std::sync::Arc;
use std::time::Duration;

use actors::kinds::{InterviewPerformer, ScreeningPerformer};
use anyhow::{Context as _, bail};
use domain::TenantId;
use domain::ports::{
    Analyzer, CallEngine, Clock, Facts, Journal, ProviderRefresh, Recordings, Standings, Store,
};
use metrics_exporter_prometheus::PrometheusHandle;
use persistence::embedded::{
    EmbeddedError, EmbeddedServer, ServerState, Settings, check_durability,
};
use persistence::{
    CallingStore, Database, DatabaseClock, GroupJournal, InterviewRepository, JournalSettings,
    Keyring, Limits, Migrations, Pace, PgStore, Queries, Retired, ScreeningRepository, check_login,
};
use providers::{MrHire, MrHireReader, RecordingClient};
use secrecy::ExposeSecret as _;
use supervisor::{Feed, Interviews, Phase, Ports, Tree, TreeSettings};
use tokio::task::{AbortHandle, JoinHandle};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use self::adapters::{
    RandomIds, calling_of, engine_settings, instance_name, keyring, recording_settings,
};
use crate::AppState;
use crate::auth::Register;
use crate::config::{Config, FirstProvider};
use crate::engine::{self, EngineHealth, Watched};
use crate::live::{LiveHub, LiveServices, LiveState};
use crate::rates::Rates;
use crate::readiness::{Readiness, Report, Switch, Weight};
use crate::request_id::RequestIds;
use crate::router;
use crate::routes::{self, Services};
use crate::server::{ExitPlan, Limits as ServerLimits, Server, Sockets, watch};
use crate::state::Parts;

/// The longest that the answer to a request may take to begin.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);
/// How long the actors may take to finish what waits, when the server stops.
const DRAIN_PATIENCE: Duration = Duration::from_secs(4);
/// How long the engine may take to tell what happened meanwhile, before dialing begins without it.
const RECONCILE_PATIENCE: Duration = Duration::from_secs(60);
/// How long readiness may be wrong about the journal.
const JOURNAL_PAUSE: Duration = Duration::from_secs(2);
/// How long the database may take to say that it is there: a line that is dead says nothing at all.
const JOURNAL_REPLY_MAX: Duration = Duration::from_secs(4);
/// How long one round of the upkeep may take.
const UPKEEP_MAX: Duration = Duration::from_secs(120);
/// How often the clock is compared, partitions are made ahead and metrics are tidied.
const UPKEEP_PAUSE: Duration = Duration::from_secs(60);

/// The settings that a start which fails may have to be changed in, as its error names them.
const DATABASE_URL: &str = "DATABASE_URL (--database-url)";
const RINGMASTER_HOME: &str = "RINGMASTER_HOME (--home)";
const RINGMASTER_PG_BIN: &str = "RINGMASTER_PG_BIN (--pg-bin)";

/// The database, whoever runs it.
struct Storage {
    database: Database,
    embedded: Option<EmbeddedServer>,
}

/// What serves requests, once everything stands.
struct House {
    rooms: Rooms,
    engine: Arc<EngineHealth>,
    journal_task: JoinHandle<()>,
}

/// Serves until a signal; then stops in order.
///
/// # Errors
/// When something that it stands on does not start.
pub async fn serve(config: Config, metrics: PrometheusHandle) -> anyhow::Result<()> {
    let server = Server::bind(config.listen()?, ServerLimits::of_this_process());
    let server = server.await.context(config.listen_named())?;
    let storage = Storage::connect(&config).await?;
    let served = serve_from(&storage, &config, server, metrics).await;
    // However it ended: a database of our own is not left running.
    let closed = storage.close().await;
    served.and(closed)
}

async fn serve_from(
    storage: &Storage,
    config: &Config,
    server: Server,
    metrics: PrometheusHandle,
) -> anyhow::Result<()> {
    storage.prepare(config).await.context(storage.named())?;
    let clock = storage.clock(config).await?;
    let readiness = readiness(config, storage);
    let shutdown = CancellationToken::new();
    watch(ExitPlan::new(readiness.clone(), shutdown.clone())).context("signals")?;

    let house = House::build(config, &storage.database, Arc::clone(&clock) as _).await?;
    let tree = Arc::clone(&house.rooms.tree);
    show_phase(&readiness, &tree);
    let app = AppState::new(Parts {
        keys: config.keys(),
        register: Register::new(house.rooms.standings, Arc::clone(&clock) as _),
        rates: Rates::new(&config.identity.rates, Arc::clone(&clock) as _),
        clock: Arc::clone(&clock) as _,
        readiness: readiness.clone(),
        request_ids: RequestIds::new(clock.now()),
        sockets: Sockets::new(),
        metrics: metrics.clone(),
        request_timeout: REQUEST_TIMEOUT,
    });
    let hub = LiveHub::start(house.rooms.live, Arc::clone(&tree), shutdown.clone());
    let mut table = router::operations();
    table.extend(routes::table(house.rooms.services, LiveState { app: app.clone(), hub }));
    let router = router::build(&app, table);

    let journal = Arc::new(Switch::new(Report::good()));
    readiness.add("journal", Weight::Gates, Arc::clone(&journal) as _);
    tokio::spawn(watch_journal(
        storage.database.clone(),
        house.journal_task.abort_handle(),
        journal,
        shutdown.clone(),
    ));
    tokio::spawn(upkeep(storage.database.clone(), clock, metrics, shutdown.clone()));
    readiness.add("engine", Weight::Shown, house.engine);
    let reconciled = Arc::new(Switch::new(Report::bad("not yet")));
    readiness.add("reconciliation", Weight::Shown, Arc::clone(&reconciled) as _);
    tokio::spawn(come_up(Arc::clone(&tree), house.rooms.interviews, reconciled));
    readiness.started();
    crate::output::line(&ready_line(config, &server));
    server.run(router, shutdown, app.sockets.clone()).await;

    tree.drain(DRAIN_PATIENCE).await;
    drop(tree);
    house.journal_task.abort();
    Ok(())
}

/// Brings the database to this version's schema.
///
/// # Errors
/// When it cannot be reached or a migration fails.
pub async fn migrate(config: Config) -> anyhow::Result<()> {
    let storage = Storage::connect(&config).await?;
    let migrated = storage.migrate().await.context(storage.named());
    let closed = storage.close().await;
    crate::output::line(&format!("{} migrations applied", migrated?));
    closed
}

impl Storage {
    /// Checks that the database keeps what it is given, and migrates it where that is ours to do.
    async fn prepare(&self, config: &Config) -> anyhow::Result<()> {
        let mut login = self.database.login().await?;
        check_durability(&mut login).await?;
        check_login(&mut login).await?;
        let pending = Migrations::pending(&mut login).await?;
        if self.embedded.is_none() && !config.migrate && !pending.is_empty() {
            bail!(
                "the database lacks {} migrations: run `ringmaster migrate`, or serve with --migrate",
                pending.len()
            );
        }
        Migrations::apply(&mut login).await?;
        #[cfg(feature = "planted-defects")]
        persistence::planted::spoil(&mut login).await?;
        Ok(())
    }

    /// Migrates the database; answers how many migrations it lacked.
    async fn migrate(&self) -> anyhow::Result<usize> {
        let mut login = self.database.login().await?;
        check_login(&mut login).await?;
        let pending = Migrations::pending(&mut login).await?;
        Migrations::apply(&mut login).await?;
        Ok(pending.len())
    }

    /// Finds the database, or starts an own one.
    async fn connect(config: &Config) -> anyhow::Result<Self> {
        if let Some(url) = &config.database_url {
            let database = Database::at(url.expose_secret(), Limits::default());
            return Ok(Self { database: database.context(DATABASE_URL)?, embedded: None });
        }
        let settings = Settings { home: config.home.clone(), pg_bin: config.pg_bin.clone() };
        let started = EmbeddedServer::start(settings).await;
        let embedded = started.map_err(|error| {
            let setting = setting_of(&error);
            anyhow::Error::from(error).context(setting)
        })?;
        let database = Database::new(embedded.connect_options(), Limits::default());
        Ok(Self { database, embedded: Some(embedded) })
    }

    /// Returns the setting that says which database it is.
    fn named(&self) -> &'static str {
        if self.embedded.is_some() { RINGMASTER_HOME } else { DATABASE_URL }
    }

    async fn clock(&self, config: &Config) -> anyhow::Result<Arc<DatabaseClock>> {
        let pace = match config.simulated_clock {
            None => Pace::Real,
            Some(clock) => {
                warn!("SIMULATED TIME: {} times as fast as real time", clock.speed);
                let (real, simulated, speed) = (clock.real, clock.simulated, clock.speed);
                Pace::Simulated { real, simulated, speed }
            }
        };
        let mut login = self.database.login().await?;
        Ok(Arc::new(DatabaseClock::start(&mut login, pace).await?))
    }

    async fn close(self) -> anyhow::Result<()> {
        self.database.close().await;
        if let Some(embedded) = self.embedded {
            embedded.stop().await?;
        }
        Ok(())
    }
}

impl House {
    async fn build(
        config: &Config,
        database: &Database,
        clock: Arc<dyn Clock>,
    ) -> anyhow::Result<Self> {
        let feed = Feed::new();
        let (journal, journal_task) = GroupJournal::start(
            database.clone(),
            instance_name(),
            JournalSettings { permits: config.dial_permits, ..JournalSettings::default() },
            Arc::clone(&feed) as _,
        );
        let client = MrHire::new(engine_settings(config)?)?;
        let engine = Arc::new(EngineHealth::new(client.is_on(), Arc::clone(&clock)));
        let keys = keyring(config);
        if let FirstProvider::Named(provider) = config.first_provider {
            let calling = CallingStore::new(database.clone(), Arc::clone(&keys));
            calling.begin_with(provider, clock.now()).await.context("CALL_PROVIDER")?;
        }
        let rooms = Rooms::build(Base {
            database: database.clone(),
            clock,
            journal: Arc::new(journal),
            feed,
            engine: Arc::new(Watched::new(client, Arc::clone(&engine))),
            recordings: Arc::new(RecordingClient::new(recording_settings(config)?)?),
            keys,
            settings: TreeSettings { permits: config.dial_permits, ..TreeSettings::default() },
        });
        Ok(Self { rooms: rooms.await?, engine, journal_task })
    }
}

/// What rooms are built on; the bench builds them on a journal of its own.
pub struct Base<E> {
    /// Where everything is stored.
    pub database: Database,
    /// Tells the time.
    pub clock: Arc<dyn Clock>,
    /// Commits.
    pub journal: Arc<dyn Journal>,
    /// Passes on what the journal commits.
    pub feed: Arc<Feed>,
    /// Places calls, tells about them, scores them.
    pub engine: Arc<E>,
    /// Fetches recordings.
    pub recordings: Arc<dyn Recordings>,
    /// Seals credentials.
    pub keys: Arc<Keyring>,
    /// The bounds of the tree.
    pub settings: TreeSettings,
}

/// The tree, and what the routes ask.
pub struct Rooms {
    /// The tree, started.
    pub tree: Arc<Tree>,
    /// Takes reports, deletes, syncs.
    pub interviews: Arc<Interviews>,
    /// What the handlers ask.
    pub services: Services,
    /// What the live feed asks.
    pub live: LiveServices,
    /// Tells how people stand.
    pub standings: Arc<dyn Standings>,
}

impl Rooms {
    /// Builds the tree with its kinds, starts it, and puts its services beside it.
    ///
    /// # Errors
    /// When the tree does not start, or the log cannot be read.
    pub async fn build<E: CallEngine + Analyzer + ProviderRefresh + 'static>(
        base: Base<E>,
    ) -> anyhow::Result<Self> {
        let Base { database, clock, journal, feed, engine, keys, recordings, settings } = base;
        let calling = CallingStore::new(database.clone(), keys);
        let calling = calling_of(calling, Arc::clone(&engine) as _, Arc::clone(&clock));
        let store = Arc::new(PgStore::new(database.clone()));
        let queries = Arc::new(Queries::new(database));
        let calls = Arc::clone(&engine) as Arc<dyn CallEngine>;
        let asked = Arc::clone(&store) as Arc<dyn Store>;
        let ports = Ports { journal, store: asked, clock: Arc::clone(&clock) };
        let tree = Arc::new(Tree::build(ports, settings));
        // One line a kind: its machine, its repository, and what its intents do.
        let choices = Arc::clone(&calling.choices);
        let performer = InterviewPerformer::new(Arc::clone(&calls), choices, Arc::clone(&clock));
        let branch = tree.add(Arc::new(InterviewRepository), Arc::new(performer));
        let performer = ScreeningPerformer::new(engine, Arc::clone(&queries) as _);
        tree.add(Arc::new(ScreeningRepository), Arc::new(performer));
        tree.start().await?;
        let facts = Arc::clone(&store) as Arc<dyn Facts>;
        let (head, epoch) = facts.head().await?;
        feed.begin(head);
        tokio::spawn(Arc::clone(&feed).run(Arc::clone(&facts), tree.shutdown().clone()));
        let interviews =
            Interviews::new(branch, store, calls, Arc::clone(&queries) as _, Arc::clone(&clock));
        let live = LiveServices {
            feed: Arc::clone(&feed),
            facts,
            queries: Arc::clone(&queries) as _,
            epoch,
        };
        let services = Services {
            interviews: Arc::clone(&interviews),
            interview_queries: Arc::clone(&queries) as _,
            screening_queries: Arc::clone(&queries) as _,
            applications: Arc::clone(&queries) as _,
            users: Arc::clone(&queries) as _,
            tenants: Arc::clone(&queries) as _,
            recording_queries: Arc::clone(&queries) as _,
            recordings,
            tree: Arc::clone(&tree),
            evidence: Arc::new(MrHireReader),
            clock,
            calling: Arc::new(calling),
            ids: Arc::new(RandomIds),
            feed,
        };
        Ok(Self { tree, interviews, services, live, standings: queries })
    }
}

/// Returns the setting by which somebody could do something about `error`.
fn setting_of(error: &EmbeddedError) -> &'static str {
    match error {
        EmbeddedError::NotInstalled { .. }
        | EmbeddedError::TooOld { .. }
        | EmbeddedError::OtherMajor { .. } => RINGMASTER_PG_BIN,
        _ => RINGMASTER_HOME,
    }
}

fn readiness(config: &Config, storage: &Storage) -> Readiness {
    let readiness = Readiness::new();
    let report = config.report();
    readiness.add("configuration", Weight::Shown, Arc::new(move || report.clone()));
    if let Some(embedded) = &storage.embedded {
        let state = embedded.state();
        readiness.add(
            "database",
            Weight::Gates,
            Arc::new(move || match *state.borrow() {
                ServerState::Running => Report::good().note("embedded"),
                ServerState::Restarting => Report::bad("the embedded database is started again"),
            }),
        );
    }
    readiness
}

/// Shows how far the tree has come up; never gates.
fn show_phase(readiness: &Readiness, tree: &Arc<Tree>) {
    let tree = Arc::downgrade(tree);
    let phase = move || match tree.upgrade().map(|tree| tree.phase()) {
        Some(Phase::Dialing) => Report::good().note(Phase::Dialing.as_str()),
        Some(phase) => Report::bad(phase.as_str()),
        None => Report::bad("stopping"),
    };
    readiness.add("tree", Weight::Shown, Arc::new(phase));
}

/// Rehydrates, reconciles with the engine's list, then lets calls be placed.
async fn come_up(tree: Arc<Tree>, interviews: Arc<Interviews>, shown: Arc<Switch>) {
    tree.come_up(async {
        let report = if interviews.engine_is_on() {
            let asked = interviews.sync(TenantId::DEFAULT);
            engine::reconciled(timeout(RECONCILE_PATIENCE, asked).await)
        } else {
            Report::good().note("nothing is reconciled: no call engine is configured")
        };
        let note = report.note.as_deref().unwrap_or_default();
        let figures = (!report.details.is_null()).then(|| tracing::field::display(&report.details));
        if report.ok {
            info!(figures, "{note}");
        } else {
            warn!(figures, "{note}");
        }
        shown.set(report);
    })
    .await;
}

/// Keeps readiness true to whether a commit could be begun now.
async fn watch_journal(
    database: Database,
    journal: AbortHandle,
    switch: Arc<Switch>,
    shutdown: CancellationToken,
) {
    loop {
        let answer = timeout(JOURNAL_REPLY_MAX, database.ping()).await;
        let report = match (journal.is_finished(), answer) {
            (true, _) => Report::bad("the journal ended"),
            (false, Ok(Ok(()))) => Report::good(),
            (false, Ok(Err(failure))) => Report::bad(failure.to_string()),
            (false, Err(_)) => Report::bad("the database does not answer"),
        };
        switch.set(report);
        tokio::select! {
            () = shutdown.cancelled() => return,
            () = tokio::time::sleep(JOURNAL_PAUSE) => {}
        }
    }
}

async fn upkeep(
    database: Database,
    clock: Arc<DatabaseClock>,
    metrics: PrometheusHandle,
    shutdown: CancellationToken,
) {
    loop {
        tokio::select! {
            () = shutdown.cancelled() => return,
            () = tokio::time::sleep(UPKEEP_PAUSE) => {}
        }
        metrics.run_upkeep();
        match timeout(UPKEEP_MAX, tidy(&database, &clock)).await {
            Ok(Ok(())) => {}
            Ok(Err(failure)) => warn!("the upkeep of the database failed: {failure:#}"),
            Err(_) => warn!("the upkeep of the database took longer than {UPKEEP_MAX:?}"),
        }
    }
}

async fn tidy(database: &Database, clock: &DatabaseClock) -> anyhow::Result<()> {
    let mut login = database.login().await?;
    clock.adjust(&mut login).await?;
    database.ensure_partitions(clock.now()).await?;
    for size in database.table_sizes().await? {
        metrics::gauge!("ringmaster_table_bytes", "table" => size.table).set(size.bytes as f64);
    }
    let retired = database.retire(clock.now()).await?;
    if retired != Retired::default() {
        let Retired { partitions, keys, intents, claims } = retired;
        info!(partitions, keys, intents, claims, "what was older than its time was removed");
    }
    Ok(())
}

fn ready_line(config: &Config, server: &Server) -> String {
    let database = match &config.database_url {
        Some(_) => "DATABASE_URL".to_owned(),
        None => format!("embedded in {}", config.home.display()),
    };
    let engine = config.engine.as_str().unwrap_or("off");
    let address = server.local_addr();
    format!("ringmaster is ready on http://{address} (database: {database}, call engine: {engine})")
}
