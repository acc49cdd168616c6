//! The product put together by its own wiring, with another journal; and its route, served.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use domain::ports::{Clock, Facts, Journal};
use gateway::AppState;
use gateway::auth::{Keys, Register};
use gateway::live::{LiveHub, LiveState};
use gateway::rates::{RateSettings, Rates};
use gateway::readiness::Readiness;
use gateway::request_id::RequestIds;
use gateway::routes;
use gateway::server::{Limits as ServerLimits, Server, Sockets};
use gateway::state::Parts;
use gateway::wiring::{Base, Rooms};
use gateway::{router, telemetry};
use persistence::embedded::{EmbeddedServer, Settings};
use persistence::{Database, DatabaseClock, Keyring, Limits, Migrations, Pace, PgStore};
use providers::{MrHire, MrHireSettings, RecordingClient, RecordingSettings};
use secrecy::SecretString;
use supervisor::{Feed, TreeSettings};

use super::unwritten::Unwritten;
use crate::commands::interrupted;
use crate::report;

/// As the product's.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);

/// How the route without its journal is served; the names are those of the product.
#[derive(clap::Args)]
pub(crate) struct ServeArgs {
    #[arg(long, env = "RINGMASTER_LISTEN")]
    listen: SocketAddr,
    #[arg(long, env = "RINGMASTER_HOME")]
    home: PathBuf,
    #[arg(long, env = "MR_HIRE_WEBHOOK_SECRET", hide_env_values = true)]
    secret: SecretString,
}

/// A migrated database of its own, and its clock.
pub(super) struct Ground {
    pub database: Database,
    pub clock: Arc<dyn Clock>,
    embedded: EmbeddedServer,
}

impl Ground {
    /// Makes it below `home`.
    pub(super) async fn prepare(home: &Path) -> anyhow::Result<Self> {
        let pg_bin = std::env::var_os("RINGMASTER_PG_BIN").map(PathBuf::from);
        let settings = Settings { home: home.to_owned(), pg_bin };
        let embedded = EmbeddedServer::start(settings).await?;
        let database = Database::new(embedded.connect_options(), Limits::default());
        let mut login = database.login().await?;
        Migrations::apply(&mut login).await?;
        let clock = Arc::new(DatabaseClock::start(&mut login, Pace::Real).await?);
        Ok(Self { database, clock, embedded })
    }

    /// Stops the database.
    pub(super) async fn close(self) -> anyhow::Result<()> {
        self.database.close().await;
        Ok(self.embedded.stop().await?)
    }
}

/// Puts the product together on `ground`, with `journal` in the journal's place and no engine.
pub(super) async fn build(
    ground: &Ground,
    journal: Arc<dyn Journal>,
    feed: Arc<Feed>,
) -> anyhow::Result<Rooms> {
    Rooms::build(Base {
        database: ground.database.clone(),
        clock: Arc::clone(&ground.clock),
        journal,
        feed,
        engine: Arc::new(MrHire::new(MrHireSettings { base: None, token: None })?),
        recordings: Arc::new(RecordingClient::new(RecordingSettings {
            hosts: Vec::new(),
            twilio: None,
            simulated: None,
            bytes_max: 1,
        })?),
        keys: Arc::new(Keyring::default()),
        settings: TreeSettings::default(),
    })
    .await
}

/// Returns the number that the log of `ground` has reached.
pub(super) async fn head(ground: &Ground) -> anyhow::Result<i64> {
    Ok(PgStore::new(ground.database.clone()).head().await?.0)
}

/// Serves the product's routes without its journal, until a signal.
pub(crate) async fn serve(args: ServeArgs) -> anyhow::Result<()> {
    let stop = interrupted()?;
    let server = Server::bind(args.listen, ServerLimits::of_this_process()).await?;
    let ground = Ground::prepare(&args.home).await?;
    let feed = Feed::new();
    let journal = Arc::new(Unwritten::new(head(&ground).await?, Arc::clone(&feed) as _));
    let Rooms { tree, services, live, standings, .. } = build(&ground, journal, feed).await?;
    let readiness = Readiness::new();
    let app = AppState::new(Parts {
        keys: Keys::new(None, None, Some(&args.secret)),
        register: Register::new(standings, Arc::clone(&ground.clock)),
        rates: Rates::new(&RateSettings::default(), Arc::clone(&ground.clock)),
        clock: Arc::clone(&ground.clock),
        readiness: readiness.clone(),
        request_ids: RequestIds::new(ground.clock.now()),
        sockets: Sockets::new(),
        metrics: telemetry::init_metrics().context("metrics")?,
        request_timeout: REQUEST_TIMEOUT,
    });
    let hub = LiveHub::start(live, Arc::clone(&tree), stop.clone());
    let mut table = router::operations();
    table.extend(routes::table(services, LiveState { app: app.clone(), hub }));
    let router = router::build(&app, table);
    readiness.started();
    // What waits for the product to start waits for this line.
    report::line(format!("ringmaster is ready on http://{} (no journal)", server.local_addr()));
    server.run(router, stop, app.sockets.clone()).await;
    drop(tree);
    ground.close().await
}
