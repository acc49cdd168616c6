//! The watch over a postmaster: it is brought up again whenever it ends, until we stop it.

use std::convert::Infallible;
use std::time::Duration;

use tokio::sync::{oneshot, watch};
use tokio::time::{Instant, interval, sleep};
use tracing::{error, info, warn};

use super::ServerState;
use super::cluster::Cluster;
use super::error::EmbeddedError;
use super::home::Home;
use super::pidfile;
use super::place::Place;
use super::postmaster::{Postmaster, trim_log};

/// The wait before the first attempt to bring it up again.
const BACKOFF_MIN: Duration = Duration::from_millis(100);

/// The longest wait between attempts; each is twice the one before.
const BACKOFF_MAX: Duration = Duration::from_secs(5);

/// A postmaster that ran this long was well: the next failure begins with the shortest wait.
const WELL_AFTER: Duration = Duration::from_secs(60);

/// How often the size of its log is looked at.
const LOG_LOOK: Duration = Duration::from_secs(60);

/// How often a first start is tried when the postmaster ends at once: what a killed one left in
/// memory needs moments to clear. With the waits between, about 6 s.
const START_ATTEMPTS_MAX: u32 = 7;

/// Everything that must last exactly as long as the watch, the locks among them.
#[derive(Debug)]
pub(super) struct Keeper {
    pub cluster: Cluster,
    pub postmaster: Postmaster,
    pub state: watch::Sender<ServerState>,
    pub _home: Home,
    pub _place: Place,
}

/// A postmaster that accepts connections, and whether it was running before.
#[derive(Debug)]
pub(super) struct Up {
    pub postmaster: Postmaster,
    pub adopted: bool,
}

/// Brings the cluster up for a server that starts.
///
/// # Errors
/// Whatever the last attempt said. Nothing that was started here is left running then.
pub(super) async fn bring_up(cluster: &Cluster) -> Result<Up, EmbeddedError> {
    let mut wait = BACKOFF_MIN;
    let mut attempt = 1;
    loop {
        let mut up = adopt_or_launch(cluster).await?;
        match up.postmaster.ready(cluster).await {
            Ok(()) => return Ok(up),
            Err(EmbeddedError::ExitedEarly { said }) if attempt < START_ATTEMPTS_MAX => {
                warn!(attempt, "postgresql ended while starting, trying again: {said}");
            }
            Err(cause) => {
                up.abandon(cluster).await;
                return Err(cause);
            }
        }
        sleep(wait).await;
        wait = (wait * 2).min(BACKOFF_MAX);
        attempt += 1;
    }
}

/// Takes the postmaster that runs on the cluster, or starts one; it may not be ready yet.
async fn adopt_or_launch(cluster: &Cluster) -> Result<Up, EmbeddedError> {
    if let Some(file) = pidfile::running(&cluster.data)? {
        let mut postmaster = Postmaster::adopt(file.pid);
        if file.sockets == cluster.sockets {
            info!(pid = file.pid, "found postgresql running, process {}", file.pid);
            return Ok(Up { postmaster, adopted: true });
        }
        warn!(pid = file.pid, "found postgresql running on another socket, stopping it");
        postmaster.shut_down(&cluster.data).await?;
    }
    Ok(Up { postmaster: Postmaster::launch(cluster)?, adopted: false })
}

impl Up {
    /// Stops what was started here, after the start as a whole failed.
    pub async fn abandon(mut self, cluster: &Cluster) {
        if self.adopted {
            return;
        }
        if let Err(cause) = self.postmaster.shut_down(&cluster.data).await {
            warn!(error = ?cause, "could not stop postgresql again: {cause}");
        }
    }
}

impl Keeper {
    /// Watches until `stop` says so, then stops the postmaster; when `stop` is dropped unsaid, the
    /// postmaster stays, for the next server to adopt.
    pub async fn keep(mut self, mut stop: oneshot::Receiver<()>) -> Result<(), EmbeddedError> {
        let asked = tokio::select! {
            asked = &mut stop => asked,
            never = self.watch() => match never {},
        };
        match asked {
            Ok(()) => {
                self.postmaster.shut_down(&self.cluster.data).await?;
                // Its socket is gone with it; the next start makes a folder of its own. What somebody
                // else put into this one is not ours to remove.
                let _is_kept = std::fs::remove_dir(&self.cluster.sockets);
                Ok(())
            }
            Err(_dropped) => Ok(()),
        }
    }

    /// Brings the postmaster up again whenever it ends. May be dropped at any time: a postmaster
    /// that is about to come up is already in its field.
    async fn watch(&mut self) -> Infallible {
        let mut wait = BACKOFF_MIN;
        loop {
            let since = Instant::now();
            self.ended().await;
            error!(pid = self.postmaster.pid(), "postgresql ended unasked, starting it again");
            self.state.send_replace(ServerState::Restarting);
            if since.elapsed() > WELL_AFTER {
                wait = BACKOFF_MIN;
            }
            loop {
                sleep(wait).await;
                wait = (wait * 2).min(BACKOFF_MAX);
                match self.attempt().await {
                    Ok(()) => break,
                    Err(cause) => warn!(error = ?cause, "could not start postgresql: {cause}"),
                }
            }
            self.state.send_replace(ServerState::Running);
        }
    }

    /// Returns when the postmaster has ended; keeps its log short meanwhile.
    async fn ended(&mut self) {
        let mut log_look = interval(LOG_LOOK);
        loop {
            tokio::select! {
                () = self.postmaster.exited(&self.cluster.data) => return,
                _ = log_look.tick() => {}
            }
            if let Err(cause) = trim_log(&self.cluster.log) {
                warn!(error = ?cause, "could not trim the log of postgresql: {cause}");
            }
        }
    }

    async fn attempt(&mut self) -> Result<(), EmbeddedError> {
        self.postmaster = adopt_or_launch(&self.cluster).await?.postmaster;
        self.postmaster.ready(&self.cluster).await
    }
}
