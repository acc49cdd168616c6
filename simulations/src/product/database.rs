//! The embedded database of a home, as its files tell of it.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;
use tokio::time::Instant;

/// How long a database may take to end that nobody stopped in order.
const ENDS: Duration = Duration::from_secs(10);

/// Where the database of a home lies; a home that has none yet has an empty one.
pub struct Database {
    home: PathBuf,
    outside: Option<PathBuf>,
    sockets: Option<PathBuf>,
}

impl Database {
    /// Reads what `home` says of its database.
    pub fn of(home: &Path) -> Self {
        let record = fs::read(home.join("cluster.json")).unwrap_or_default();
        let record: Value = serde_json::from_slice(&record).unwrap_or_default();
        let path = |name: &str| record[name].as_str().map(PathBuf::from);
        Self { home: home.to_owned(), outside: path("outside"), sockets: path("sockets") }
    }

    /// Returns the folder of its socket.
    pub fn sockets(&self) -> Option<&Path> {
        self.sockets.as_deref()
    }

    /// Returns the process id of its postmaster, when one runs or was killed.
    pub fn postmaster(&self) -> Option<i32> {
        let place = self.outside.as_ref().unwrap_or(&self.home);
        let pid_file = fs::read_to_string(place.join("data/postmaster.pid")).ok()?;
        pid_file.lines().next()?.trim().parse().ok()
    }

    /// Ends it at once, where nobody stopped it in order, and removes what lies outside the home.
    pub fn remove(self) {
        if let Some(pid) = self.postmaster().map(Pid::from_raw) {
            let ended = kill(pid, Signal::SIGQUIT);
            let began = Instant::now();
            while ended.is_ok() && kill(pid, None).is_ok() && began.elapsed() < ENDS {
                std::thread::yield_now();
            }
        }
        for folder in [self.sockets, self.outside].into_iter().flatten() {
            let _gone_already = fs::remove_dir_all(folder);
        }
    }
}
