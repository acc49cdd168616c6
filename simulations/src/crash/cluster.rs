//! A PostgreSQL of a run's own, which is killed and comes back.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use persistence::embedded::{EmbeddedServer, Settings};
use persistence::{Database, Limits};

/// A cluster that is watched, so that a killed postmaster is started again.
pub(super) struct Cluster {
    server: EmbeddedServer,
    home: PathBuf,
}

impl Cluster {
    /// Makes and starts it below `home`.
    pub async fn start(home: &Path) -> anyhow::Result<Self> {
        let settings = Settings { home: home.to_owned(), pg_bin: None };
        let server = EmbeddedServer::start(settings).await.context("no database of our own")?;
        Ok(Self { server, home: home.to_owned() })
    }

    /// Returns the folder of its socket.
    pub fn sockets(&self) -> PathBuf {
        let options = self.server.connect_options();
        options.get_socket().cloned().unwrap_or_else(|| options.get_host().into())
    }

    /// Returns the way to it that nobody cuts.
    pub fn database(&self) -> Database {
        Database::new(self.server.connect_options(), Limits { readers: 1, store: 1 })
    }

    /// Sends a signal to the postmaster: SIGKILL, or SIGQUIT for an immediate stop.
    pub fn strike(&self, signal: Signal) -> anyhow::Result<()> {
        let file = self.server.data_folder().join("postmaster.pid");
        let text = fs::read_to_string(&file).context("the postmaster is away already")?;
        let pid: i32 = text.lines().next().unwrap_or_default().trim().parse()?;
        Ok(kill(Pid::from_raw(pid), signal)?)
    }

    /// Stops it and removes what it wrote, also what lies elsewhere.
    pub async fn remove(self) -> anyhow::Result<()> {
        let data = self.server.data_folder().to_owned();
        let stopped = self.server.stop().await;
        let place = data.parent().filter(|place| !self.home.starts_with(place));
        for folder in [Some(data.as_path()), place, Some(self.home.as_path())] {
            // One may lie within another, and be gone with it.
            let _gone = folder.map(fs::remove_dir_all);
        }
        Ok(stopped?)
    }
}
