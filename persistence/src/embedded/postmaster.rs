//! One running postmaster, our child or adopted.

use std::fs::{self, File, OpenOptions};
use std::io::{Read as _, Seek as _, SeekFrom};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::time::Duration;

use nix::errno::Errno;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use sqlx::Connection as _;
use tokio::process::Child;
use tokio::time::{Instant, sleep, timeout};
use tracing::{info, warn};

use super::access;
use super::cluster::{Cluster, reason};
use super::error::EmbeddedError;
use super::pidfile::{PidFile, serves};

/// How long a start may take until it accepts connections. Recovery after a crash replays up to
/// `max_wal_size` (4 GB), at worst some ten MB a second.
const READY_WAIT_MAX: Duration = Duration::from_secs(300);

/// How often a starting postmaster is asked whether it is ready.
const READY_POLL: Duration = Duration::from_millis(50);

/// How often an adopted postmaster, which nobody tells us the end of, is looked at.
const ADOPTED_POLL: Duration = Duration::from_millis(250);

/// How long a fast shutdown may take: sessions are ended, then a checkpoint is written.
const FAST_STOP_MAX: Duration = Duration::from_secs(12);

/// How long an immediate shutdown may take: it writes nothing, and PostgreSQL's own limit is 5 s.
const IMMEDIATE_STOP_MAX: Duration = Duration::from_secs(6);

/// The size of the log at which it is cut: older lines go to `….1`, once.
const LOG_BYTES_MAX: u64 = 16 * 1024 * 1024;

/// How much of the log's end is searched for a reason.
const REASON_BYTES: u64 = 8 * 1024;

/// A postmaster. Dropping it leaves it running.
#[derive(Debug)]
pub(super) struct Postmaster {
    pid: i32,
    child: Option<Child>,
}

impl Postmaster {
    /// Starts a postmaster in a process group of its own, so that Ctrl-C is ours alone.
    pub fn launch(cluster: &Cluster) -> Result<Self, EmbeddedError> {
        trim_log(&cluster.log)?;
        cluster.keep_sockets()?;
        let failed = || EmbeddedError::io("write", &cluster.log);
        let out = open_log(&cluster.log).map_err(failed())?;
        let err = out.try_clone().map_err(failed())?;
        let mut command = cluster.postmaster();
        let started = command.process_group(0).stdout(out).stderr(err).spawn();
        let child = started.map_err(EmbeddedError::io("run postgres on", &cluster.data))?;
        let pid = child.id().and_then(|pid| i32::try_from(pid).ok()).unwrap_or_default();
        info!(pid, data = %cluster.data.display(), "started postgresql, process {pid}");
        Ok(Self { pid, child: Some(child) })
    }

    /// Takes charge of a postmaster that somebody else started.
    pub fn adopt(pid: i32) -> Self {
        Self { pid, child: None }
    }

    pub fn pid(&self) -> i32 {
        self.pid
    }

    /// Waits for its end. May be dropped and called again.
    pub async fn exited(&mut self, data: &Path) {
        match &mut self.child {
            Some(child) => match child.wait().await {
                Ok(status) => info!(pid = self.pid, %status, "postgresql ended: {status}"),
                Err(error) => warn!(pid = self.pid, %error, "lost sight of postgresql"),
            },
            None => {
                while serves(self.pid, data) {
                    sleep(ADOPTED_POLL).await;
                }
                info!(pid = self.pid, "the adopted postgresql ended");
            }
        }
    }

    /// Waits until it accepts connections.
    ///
    /// # Errors
    /// [`EmbeddedError::ExitedEarly`] when it ended, [`EmbeddedError::NotReady`] when it did not
    /// get there in time, and then still runs.
    pub async fn ready(&mut self, cluster: &Cluster) -> Result<(), EmbeddedError> {
        let deadline = Instant::now() + READY_WAIT_MAX;
        while Instant::now() < deadline {
            if timeout(READY_POLL, self.exited(&cluster.data)).await.is_ok() {
                return Err(EmbeddedError::ExitedEarly { said: log_reason(&cluster.log) });
            }
            if self.accepts(cluster).await {
                return Ok(());
            }
        }
        let limit_s = READY_WAIT_MAX.as_secs();
        Err(EmbeddedError::NotReady { limit_s, log: cluster.log.clone() })
    }

    /// Says whether this very postmaster, not another on the same socket, takes a connection.
    async fn accepts(&self, cluster: &Cluster) -> bool {
        let ready = |file: PidFile| file.pid == self.pid && file.ready;
        if !PidFile::read(&cluster.data).is_some_and(ready) {
            return false;
        }
        match access::superuser(&cluster.sockets).await {
            Ok(connection) => connection.close().await.is_ok(),
            Err(_) => false,
        }
    }

    /// Stops it: a fast shutdown first, an immediate one when that takes too long.
    pub async fn shut_down(&mut self, data: &Path) -> Result<(), EmbeddedError> {
        let ways = [(Signal::SIGINT, FAST_STOP_MAX), (Signal::SIGQUIT, IMMEDIATE_STOP_MAX)];
        for (signal, limit) in ways {
            self.signal(signal, data)?;
            if timeout(limit, self.exited(data)).await.is_ok() {
                return Ok(());
            }
            let limit_s = limit.as_secs();
            warn!(pid = self.pid, %signal, limit_s, "postgresql did not stop in time");
        }
        let limit_s = (FAST_STOP_MAX + IMMEDIATE_STOP_MAX).as_secs();
        Err(EmbeddedError::WouldNotStop { pid: self.pid, limit_s })
    }

    /// Sends a signal, unless it has ended: then its process id may be another's by now.
    fn signal(&self, signal: Signal, data: &Path) -> Result<(), EmbeddedError> {
        let alive = match &self.child {
            Some(child) => child.id().is_some(),
            None => serves(self.pid, data),
        };
        match alive.then(|| kill(Pid::from_raw(self.pid), signal)) {
            None | Some(Ok(()) | Err(Errno::ESRCH)) => Ok(()),
            Some(Err(errno)) => Err(EmbeddedError::io("stop postgresql on", data)(errno.into())),
        }
    }
}

/// Cuts the log when it has grown too long, keeping the newest part in a second file.
///
/// The postmaster appends, so it goes on writing at the new end.
pub(super) fn trim_log(log: &Path) -> Result<(), EmbeddedError> {
    if !fs::metadata(log).is_ok_and(|found| found.len() > LOG_BYTES_MAX) {
        return Ok(());
    }
    fs::copy(log, log.with_extension("log.1"))
        .and_then(|_bytes| open_log(log)?.set_len(0))
        .map_err(EmbeddedError::io("cut", log))
}

fn open_log(log: &Path) -> std::io::Result<File> {
    OpenOptions::new().create(true).append(true).mode(0o600).open(log)
}

fn log_reason(log: &Path) -> String {
    let mut end = Vec::new();
    let read = File::open(log).and_then(|mut file| {
        let length = file.metadata()?.len();
        file.seek(SeekFrom::Start(length.saturating_sub(REASON_BYTES)))?;
        file.read_to_end(&mut end)
    });
    read.map_or_else(|error| error.to_string(), |_bytes| reason(&end))
}
