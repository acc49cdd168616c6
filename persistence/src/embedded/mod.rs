//! The embedded PostgreSQL server: found, made, started, watched and stopped by us.
//!
//! One home folder has one cluster and is held by one server. The cluster listens on a socket in a
//! private folder and nowhere else. Its postmaster outlives us when we are killed; the next server
//! on the same home adopts it and ends the sessions that the dead one left behind.

use std::path::{Path, PathBuf};

use sqlx::Connection as _;
use sqlx::postgres::PgConnectOptions;
use tokio::sync::{oneshot, watch};
use tokio::task::JoinHandle;
use tracing::info;

mod access;
mod account;
mod cluster;
mod durability;
mod error;
mod home;
mod installation;
mod keeper;
mod pidfile;
mod place;
mod postmaster;

pub use self::durability::check_durability;
pub use self::error::EmbeddedError;
pub use self::installation::Installation;

use self::cluster::Cluster;
use self::home::Home;
use self::keeper::{Keeper, Up};
use self::place::Place;

/// What an embedded server needs to be told.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The home folder; it is created when it is missing.
    pub home: PathBuf,
    /// The folder of PostgreSQL's programs; `None` looks for the newest on this machine.
    pub pg_bin: Option<PathBuf>,
}

/// Whether the database can be asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ServerState {
    /// It accepts connections.
    Running,
    /// It ended by itself and is being started again.
    Restarting,
}

/// A running embedded server.
///
/// Dropping it without [`stop`](Self::stop) ends the watch and lets go of the home soon after; the
/// cluster stays up, for the next server to adopt.
#[derive(Debug)]
pub struct EmbeddedServer {
    data: PathBuf,
    options: PgConnectOptions,
    state: watch::Receiver<ServerState>,
    stop: oneshot::Sender<()>,
    keeper: JoinHandle<Result<(), EmbeddedError>>,
}

impl EmbeddedServer {
    /// Brings up the cluster of a home, making it first when there is none, and watches over it.
    ///
    /// When it returns, the database `ringmaster` exists and accepts connections. A first start
    /// takes seconds; one that recovers from a crash may take minutes. If the future is dropped
    /// half-way, a postmaster may already run; the next start adopts it.
    ///
    /// # Errors
    /// Any [`EmbeddedError`]. Nothing that was started here is left running then.
    pub async fn start(settings: Settings) -> Result<Self, EmbeddedError> {
        let found = Installation::find_all(settings.pg_bin.as_deref()).await?;
        let home = Home::open(&settings.home)?;
        let mut place = Place::settle(&home).await?;
        let major = cluster::major(&place.data);
        let installation = Installation::for_major(found, &place.data, major)?;
        if major.is_none() {
            cluster::init(&installation, place.account, &place.data).await?;
            place.completed(&home)?;
        }
        let cluster = Cluster::new(&installation, &place, home.log_file()).await?;
        let up = keeper::bring_up(&cluster).await?;
        if let Err(cause) = prepare(&cluster, up.adopted).await {
            up.abandon(&cluster).await;
            return Err(cause);
        }
        info!(
            data = %cluster.data.display(), sockets = %cluster.sockets.display(),
            version = installation.version, adopted = up.adopted, "the embedded database is up"
        );
        Ok(Self::watched(cluster, up, home, place))
    }

    fn watched(cluster: Cluster, up: Up, home: Home, place: Place) -> Self {
        let data = cluster.data.clone();
        let options = access::app_options(&cluster.sockets);
        let (sender, state) = watch::channel(ServerState::Running);
        let (stop, stopped) = oneshot::channel();
        let keeper = Keeper {
            cluster,
            postmaster: up.postmaster,
            state: sender,
            _home: home,
            _place: place,
        };
        Self { data, options, state, stop, keeper: tokio::spawn(keeper.keep(stopped)) }
    }

    /// Returns how to connect as the role `ringmaster`, no superuser, to the database it owns.
    ///
    /// They stay valid for as long as this server runs, over every restart of the postmaster.
    #[must_use]
    pub fn connect_options(&self) -> PgConnectOptions {
        self.options.clone()
    }

    /// Returns the state of the postmaster, to be read or waited on.
    #[must_use]
    pub fn state(&self) -> watch::Receiver<ServerState> {
        self.state.clone()
    }

    /// Returns the data folder of the cluster.
    #[must_use]
    pub fn data_folder(&self) -> &Path {
        &self.data
    }

    /// Stops the cluster and lets go of the home.
    ///
    /// Open sessions are ended. It takes 18 s at most.
    ///
    /// # Errors
    /// [`EmbeddedError::WouldNotStop`] when the postmaster outlived that.
    pub async fn stop(self) -> Result<(), EmbeddedError> {
        let _keeper_gone = self.stop.send(()); // Then its own result, below, says why.
        self.keeper.await.map_err(|source| EmbeddedError::KeeperGone { source })?
    }
}

/// Makes the cluster ready for our own connections.
async fn prepare(cluster: &Cluster, adopted: bool) -> Result<(), EmbeddedError> {
    let mut connection = access::superuser(&cluster.sockets).await?;
    if adopted {
        access::end_sessions(&mut connection).await?;
    }
    access::ensure_database(&mut connection).await?;
    connection.close().await.map_err(EmbeddedError::database("close a connection"))
}
